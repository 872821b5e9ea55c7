"""User actions on Aave V3 (checked against core-v3 1.19.3)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from evaluator.arena.lending import (
    TOKEN,
    Balances,
    Quotient,
    Read,
    Solvency,
    Step,
    Totals,
    approvals,
    view,
)
from evaluator.chain.abi import Abi
from evaluator.chain.receipts import Log
from evaluator.chain.sandbox import Sandbox
from evaluator.chain.simulation import SimulatedCall, SimulatedCallResult
from evaluator.market import Market
from evaluator.protocols.fixed_point import (
    UINT256_MAX,
    from_basis_points,
    from_wad,
    whole_tokens,
)
from evaluator.protocols.interfaces import AAVE
from evaluator.protocols.reading import Query, read_all, read_one

VARIABLE = 2  # DataTypes.InterestRateMode
# Aave core-v3 1.19.3, interfaces/IPool.sol.
POOL = Abi.parse(
    [
        "function supply(address asset, uint256 amount, address onBehalfOf, uint16 referralCode)",
        "function withdraw(address asset, uint256 amount, address to) returns (uint256)",
        "function borrow(address asset, uint256 amount, uint256 interestRateMode,"
        " uint16 referralCode, address onBehalfOf)",
        "function repay(address asset, uint256 amount, uint256 interestRateMode,"
        " address onBehalfOf) returns (uint256)",
        "function liquidationCall(address collateralAsset, address debtAsset, address user,"
        " uint256 debtToCover, bool receiveAToken)",
        "function setPriceOracle(address newPriceOracle)",
        "function setUserUseReserveAsCollateral(address asset, bool useAsCollateral)",
        "event LiquidationCall(address indexed collateralAsset, address indexed debtAsset,"
        " address indexed user, uint256 debtToCover, uint256 liquidatedCollateralAmount,"
        " address liquidator, bool receiveAToken)",
    ]
)
_LIQUIDATED = POOL.event_topic("LiquidationCall")


@dataclass(frozen=True, kw_only=True, eq=False)
class AaveV3Lending:
    """See Lending; the interest of reserves is up to date in every view."""

    market: Market  # as read
    pool: str  # lower-case
    provider: str  # PoolAddressesProvider, lower-case
    oracle: str  # AaveOracle, lower-case
    unit: int  # of the oracle's prices for one USD
    debt_tokens: tuple[str, ...]  # A, variable debt token of each reserve

    @classmethod
    def of(cls, sandbox: Sandbox, market: Market) -> Self:
        """Read the addresses that actions need. Raises IncompleteState."""
        pool, block = market.address.lower(), sandbox.block_number()
        provider = read_one(sandbox, AAVE, pool, "ADDRESSES_PROVIDER", block=block)
        oracle = read_one(sandbox, AAVE, provider, "getPriceOracle", block=block)
        unit = read_one(sandbox, AAVE, oracle, "BASE_CURRENCY_UNIT", block=block)
        reserves = read_all(
            sandbox,
            [
                Query(to=pool, abi=AAVE, fn="getReserveData", args=(r.asset.address,))
                for r in market.reserves
            ],
            block=block,
        )
        return cls(
            market=market,
            pool=pool,
            provider=provider,
            oracle=oracle,
            unit=unit,
            debt_tokens=tuple(r.variableDebtToken for r in reserves),
        )

    def supply(self, account: str, asset: int, units: int) -> Step:
        """See Lending.supply."""
        call = POOL.encode("supply", self._token(asset), units, account, 0)
        return self._paying(account, asset, units, call)

    def withdraw(self, account: str, asset: int, units: int) -> Step:
        """See Lending.withdraw."""
        return self._step(account, POOL.encode("withdraw", self._token(asset), units, account))

    def borrow(self, account: str, asset: int, units: int) -> Step:
        """See Lending.borrow."""
        data = POOL.encode("borrow", self._token(asset), units, VARIABLE, 0, account)
        return self._step(account, data)

    def repay(self, account: str, asset: int, units: int, *, debtor: str | None = None) -> Step:
        """See Lending.repay."""
        data = POOL.encode("repay", self._token(asset), units, VARIABLE, debtor or account)
        return self._paying(account, asset, units, data)

    def liquidate(
        self, account: str, debtor: str, *, collateral: int, debt: int, units: int
    ) -> Step:
        """See Lending.liquidate; what exceeds the close factor is not taken."""
        data = POOL.encode(
            "liquidationCall", self._token(collateral), self._token(debt), debtor, units, False
        )
        return self._paying(account, debt, units, data)

    def enter(self, account: str, asset: int) -> Step | None:  # noqa: ARG002
        """See Lending.enter; a first supply is collateral by itself."""
        return None

    def accrue(self) -> tuple[SimulatedCall, ...]:
        """See Lending.accrue."""
        return ()

    def price(self, asset: int) -> SimulatedCall:
        """See Lending.price."""
        return view(self.oracle, AAVE.encode("getAssetPrice", self._token(asset)))

    def oracle_answers(self, raw: Sequence[int]) -> tuple[str, tuple[tuple[bytes, bytes], ...]]:
        """See Lending.oracle_answers."""
        prices = [
            (AAVE.encode("getAssetPrice", self._token(a)), value.to_bytes(32, "big"))
            for a, value in enumerate(raw)
        ]
        fixed = [
            (AAVE.encode("BASE_CURRENCY_UNIT"), self.unit.to_bytes(32, "big")),
            (AAVE.encode("BASE_CURRENCY"), bytes(32)),
        ]
        return self.oracle, tuple(prices + fixed)

    def oracle_change(self, oracle: str) -> tuple[str, bytes]:
        """See Lending.oracle_change; PoolAddressesProvider."""
        return self.provider, POOL.encode("setPriceOracle", oracle)

    def solvency(self, account: str) -> SimulatedCall:
        """See Lending.solvency."""
        return view(self.pool, AAVE.encode("getUserAccountData", account))

    def read_solvency(self, data: bytes) -> Solvency:
        """See Lending.read_solvency."""
        d = AAVE.decode_output("getUserAccountData", data)
        weighted = d.totalCollateralBase * from_basis_points(d.currentLiquidationThreshold)
        none = d.healthFactor == UINT256_MAX
        return Solvency(
            health_factor=math.inf if none else from_wad(d.healthFactor),
            liquidity=(weighted - d.totalDebtBase) / self.unit,
        )

    def balances(self, account: str, asset: int) -> tuple[SimulatedCall, ...]:
        """See Lending.balances."""
        data = TOKEN.encode("balanceOf", account)
        receipt = self.market.reserves[asset].receipt_token
        return view(receipt, data), view(self.debt_tokens[asset], data)

    def read_balances(self, asset: int, answers: Sequence[bytes]) -> Balances:
        """See Lending.read_balances."""
        decimals = self.market.reserves[asset].asset.decimals
        has, owes = (whole_tokens(int.from_bytes(a, "big"), decimals) for a in answers)
        return Balances(collateral=has, debt=owes)

    def supplied(self, account: str, asset: int) -> Quotient:
        """See Lending.supplied."""
        return Quotient(over=(Read(call=self.balances(account, asset)[0]),))

    def owed(self, account: str, asset: int) -> Quotient:
        """See Lending.owed."""
        return Quotient(over=(Read(call=self.balances(account, asset)[1]),))

    def room(self, account: str, asset: int) -> Quotient:
        """See Lending.room; word 2 of an account's data is availableBorrowsBase."""
        return Quotient(
            over=(Read(call=self.solvency(account), word=2),),
            under=(Read(call=self.price(asset)),),
            numerator=10 ** self.market.reserves[asset].asset.decimals,
        )

    def cash(self, asset: int) -> Quotient:
        """See Lending.cash."""
        return Quotient(over=(Read(call=self.totals(asset)[0]),))

    def totals(self, asset: int) -> tuple[SimulatedCall, ...]:
        """See Lending.totals."""
        receipt = self.market.reserves[asset].receipt_token
        supply = TOKEN.encode("totalSupply")
        return (
            view(self._token(asset), TOKEN.encode("balanceOf", receipt)),
            view(receipt, supply),
            view(self.debt_tokens[asset], supply),
        )

    def read_totals(self, asset: int, answers: Sequence[bytes]) -> Totals:
        """See Lending.read_totals."""
        decimals = self.market.reserves[asset].asset.decimals
        cash, claims, debts = (whole_tokens(int.from_bytes(a, "big"), decimals) for a in answers)
        return Totals(cash=cash, claims=claims, debts=debts)

    def refusal(self, result: SimulatedCallResult) -> str:
        """See Lending.refusal."""
        return "" if result.succeeded else result.reason

    def pays_in_native(self, asset: int) -> bool:  # noqa: ARG002
        """See Lending.pays_in_native."""
        return False

    def holder(self, asset: int) -> str:  # noqa: ARG002
        """See Lending.holder."""
        return self.pool

    def liquidated(self, logs: Sequence[Log]) -> bool:
        """See Lending.liquidated."""
        return any(log.address == self.pool and log.topics[:1] == (_LIQUIDATED,) for log in logs)

    def _token(self, asset: int) -> str:
        return self.market.reserves[asset].asset.address

    def _step(self, account: str, data: bytes) -> Step:
        return Step(calls=(SimulatedCall(sender=account, to=self.pool, data=data),))

    def _paying(self, account: str, asset: int, units: int, data: bytes) -> Step:
        token = self._token(asset)
        return Step(
            calls=(*approvals(account, token, self.pool, units), *self._step(account, data).calls)
        )
