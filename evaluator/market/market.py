"""A lending market at one block."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from evaluator.market.asset import Asset
from evaluator.market.book import Book, FloatArray, SparseAmounts
from evaluator.market.liquidity import LiquidityCurve
from evaluator.market.oracle import OracleSpec
from evaluator.market.parameters import Parameter, RiskParameters
from evaluator.market.rates import RateCurve


class Family(StrEnum):
    """Whose liquidation rule a market follows."""

    AAVE_V3 = "aave_v3"
    COMPOUND_V2 = "compound_v2"


@dataclass(frozen=True, kw_only=True, slots=True)
class EMode:
    """An efficiency-mode category (Aave V3)."""

    category: int  # 1 to 255
    label: str  # as the protocol has it
    ltv: float  # for assets of the category
    liquidation_threshold: float  # for assets of the category
    liquidation_bonus: float  # net, for assets of the category
    price: float = 0.0  # USD; replaces its assets' own price for accounts in it, 0 for none
    collateral: tuple[int, ...] | None = None  # reserves by index; None: by their emode_category


@dataclass(frozen=True, kw_only=True, slots=True)
class Reserve:
    """One asset of a market with everything that is known of it."""

    asset: Asset  # token and oracle price
    parameters: RiskParameters  # what governance set
    supplied: float  # whole tokens supplied, with interest
    borrowed: float  # whole tokens owed, with interest
    cash: float  # whole tokens that can be withdrawn or borrowed now
    reserves: float  # whole tokens that belong to the protocol and would pay bad debt
    rate_curve: RateCurve  # borrow rate by utilisation
    oracle: OracleSpec  # how the price is learnt
    liquidity: LiquidityCurve  # what sales and purchases do to the price
    receipt_token: str = ""  # aToken or vToken address

    @property
    def utilisation(self) -> float:
        """Borrowed over borrowed plus cash, 0 when empty."""
        total = self.borrowed + self.cash
        return self.borrowed / total if total > 0.0 else 0.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Market:
    """A lending market at one block: reserves, borrowers and the rule of its family."""

    protocol: str  # name of the adapter that read it, "aave_v3"
    family: Family  # liquidation rule
    address: str  # pool or comptroller
    chain_id: int  # of the chain it was read from
    block: int  # number of the block it was read at
    timestamp: int  # of that block, seconds since the epoch
    reserves: tuple[Reserve, ...]  # A, in the protocol's order
    emodes: tuple[EMode, ...]  # categories in use, ascending
    book: Book  # every account with debt
    close_factor: float  # most of a debt one liquidation may repay, fraction
    full_close_below: float  # health factor below which all may be repaid; 0 for never (Aave: 0.95)
    gas_price: float  # wei
    native_price: float  # USD per whole native token, to price gas
    whole_basis_points: bool = True  # Aave core-v3 floors an account's average threshold to them
    particulars: tuple[Parameter, ...] = ()  # what the protocol has beyond the fields above
    caveats: tuple[str, ...] = ()  # what was seen and is not modelled, a sentence each
    assumptions: tuple[str, ...] = ()  # defaults that stand for what could not be read, likewise

    def __post_init__(self) -> None:
        symbols = self.symbols
        if len(set(symbols)) != len(symbols):
            raise ValueError(f"symbols of a market must be unique, got {', '.join(symbols)}")

    @property
    def symbols(self) -> tuple[str, ...]:
        """Symbols of the A assets in order."""
        return tuple(r.asset.symbol for r in self.reserves)

    @property
    def prices(self) -> FloatArray:
        """Oracle prices, shape (A,), USD per whole token."""
        return np.array([r.asset.price for r in self.reserves], dtype=np.float64)

    def index(self, symbol: str) -> int:
        """Return the position of `symbol` among the reserves; KeyError if it has none."""
        for i, r in enumerate(self.reserves):
            if r.asset.symbol == symbol:
                return i
        raise KeyError(symbol)

    def entry_prices(self, amounts: SparseAmounts, prices: FloatArray | None = None) -> FloatArray:
        """Price of every entry of `amounts`, shape (nnz,), USD per whole token.

        With the oracle's own prices (`prices` None) an eMode category that has
        a price of its own overrides its assets' prices, as Aave V3 does
        (GenericLogic). Given `prices`, shape (A,), are taken as they are: how
        such a category's source would move is not known.
        """
        p = self.prices if prices is None else prices
        out = np.asarray(p, dtype=np.float64)[amounts.asset]
        if prices is None:
            category = np.array([r.parameters.emode_category for r in self.reserves])
            for e in (e for e in self.emodes if e.price > 0.0):
                mine = self.book.emode[amounts.row] == e.category
                out[mine & (category[amounts.asset] == e.category)] = e.price
        return out

    def members(self, emode: EMode) -> tuple[int, ...]:
        """Return the reserves, by index, that `emode` applies to as collateral."""
        if emode.collateral is not None:
            return emode.collateral
        return tuple(
            a for a, r in enumerate(self.reserves) if r.parameters.emode_category == emode.category
        )

    def _by_category(self, plain: list[float], field: str) -> FloatArray:
        top = max([0, *(e.category for e in self.emodes)])
        table = np.tile(np.asarray(plain, dtype=np.float64), (top + 1, 1))
        for e in self.emodes:
            for a in self.members(e):
                # Aave: a category without a threshold leaves the asset's own in force.
                if e.liquidation_threshold > 0.0:
                    table[e.category, a] = float(getattr(e, field))
        return table

    def liquidation_thresholds(self) -> FloatArray:
        """Thresholds by eMode category of the account and asset, shape (K, A)."""
        return self._by_category(
            [r.parameters.liquidation_threshold for r in self.reserves], "liquidation_threshold"
        )

    def ltvs(self) -> FloatArray:
        """LTVs by eMode category of the account and asset, shape (K, A)."""
        return self._by_category([r.parameters.ltv for r in self.reserves], "ltv")

    def liquidation_bonuses(self) -> FloatArray:
        """Net bonuses by eMode category of the account and asset, shape (K, A)."""
        return self._by_category(
            [r.parameters.liquidation_bonus for r in self.reserves], "liquidation_bonus"
        )
