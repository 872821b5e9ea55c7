"""What users can do on a lending market, as transactions, whatever its family."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from evaluator.chain.abi import Abi
from evaluator.chain.receipts import ZERO, Log
from evaluator.chain.simulation import SimulatedCall, SimulatedCallResult
from evaluator.market import Market

TOKEN = Abi.parse(
    [
        "function approve(address spender, uint256 amount) returns (bool)",
        "function transfer(address to, uint256 amount) returns (bool)",
        "function balanceOf(address account) view returns (uint256)",
        "function totalSupply() view returns (uint256)",
    ]
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Solvency:
    """How healthy the contracts themselves find an account."""

    health_factor: float | None  # None: the protocol has no such notion
    liquidity: float  # USD of weighted collateral less debt; negative is a shortfall

    def health_factor_for(self, debt: float) -> float:
        """Return the health factor, from the liquidity and `debt` (USD) if need be."""
        if self.health_factor is not None:
            return self.health_factor
        return 1.0 + self.liquidity / debt if debt > 0.0 else math.inf


@dataclass(frozen=True, kw_only=True, slots=True)
class Balances:
    """What an account has and owes of one asset, in whole tokens."""

    collateral: float  # supplied, with interest
    debt: float  # owed, with interest


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One or more transactions of which the last is the action itself."""

    calls: tuple[SimulatedCall, ...]  # approvals first

    @property
    def action(self) -> SimulatedCall:
        """The transaction that matters."""
        return self.calls[-1]


@dataclass(frozen=True, kw_only=True, slots=True)
class Read:
    """One word of what a contract answers when it is asked."""

    call: SimulatedCall  # the question
    word: int = 0  # number of the 32-byte word in the answer


@dataclass(frozen=True, kw_only=True, slots=True)
class Quotient:
    """An amount that is read when it is needed: numerator * over... / under... / denominator."""

    over: tuple[Read, ...] = ()  # multiplied
    under: tuple[Read, ...] = ()  # divided by, rounding down
    numerator: int = 1
    denominator: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Totals:
    """The balance sheet of one reserve, in whole tokens."""

    cash: float  # tokens that are really there
    claims: float  # of all suppliers
    debts: float  # of all borrowers


class Lending(Protocol):
    """A lending market's user actions and views; reserves by index, amounts in base units.

    Builds calldata only and keeps no state: what becomes of it is the engine's affair.
    """

    @property
    def market(self) -> Market:
        """The market as read."""
        ...

    def supply(self, account: str, asset: int, units: int) -> Step:
        """Supply and use as collateral."""
        ...

    def withdraw(self, account: str, asset: int, units: int) -> Step:
        """Take supplied tokens back."""
        ...

    def borrow(self, account: str, asset: int, units: int) -> Step:
        """Borrow at the variable rate."""
        ...

    def repay(self, account: str, asset: int, units: int, *, debtor: str | None = None) -> Step:
        """Repay one's own debt, or a debtor's."""
        ...

    def liquidate(
        self, account: str, debtor: str, *, collateral: int, debt: int, units: int
    ) -> Step:
        """Repay `units` of a debtor's debt for some of its collateral."""
        ...

    def enter(self, account: str, asset: int) -> Step | None:
        """Use a supply as collateral; None where supplying does it."""
        ...

    def accrue(self) -> tuple[SimulatedCall, ...]:
        """Bring the interest of every reserve up to date where reading does not do it."""
        ...

    def price(self, asset: int) -> SimulatedCall:
        """Ask the protocol's oracle, as the protocol does, for a price in its own unit."""
        ...

    def oracle_answers(self, raw: Sequence[int]) -> tuple[str, tuple[tuple[bytes, bytes], ...]]:
        """The oracle contract, and (calldata, answer) pairs that give these prices."""
        ...

    def oracle_change(self, oracle: str) -> tuple[str, bytes]:
        """Contract and calldata by which the market's governor gives it another oracle."""
        ...

    def solvency(self, account: str) -> SimulatedCall:
        """Ask the protocol how healthy an account is."""
        ...

    def read_solvency(self, data: bytes) -> Solvency:
        """Read the answer to `solvency`."""
        ...

    def balances(self, account: str, asset: int) -> tuple[SimulatedCall, ...]:
        """Ask for what an account has and owes of an asset."""
        ...

    def read_balances(self, asset: int, answers: Sequence[bytes]) -> Balances:
        """Read the answers to `balances`."""
        ...

    def supplied(self, account: str, asset: int) -> Quotient:
        """What an account has supplied, in base units."""
        ...

    def owed(self, account: str, asset: int) -> Quotient:
        """What an account owes, in base units."""
        ...

    def room(self, account: str, asset: int) -> Quotient:
        """What an account may borrow by its collateral, in base units."""
        ...

    def cash(self, asset: int) -> Quotient:
        """What a reserve holds, in base units."""
        ...

    def totals(self, asset: int) -> tuple[SimulatedCall, ...]:
        """Ask for the balance sheet of a reserve."""
        ...

    def read_totals(self, asset: int, answers: Sequence[bytes]) -> Totals:
        """Read the answers to `totals`."""
        ...

    def refusal(self, result: SimulatedCallResult) -> str:
        """Return why an action did nothing, "" if it was done.

        Compound's contracts refuse with an error code and no revert.
        """
        ...

    def pays_in_native(self, asset: int) -> bool:
        """Say whether the asset is the native coin itself."""
        ...

    def holder(self, asset: int) -> str:
        """The contract that holds the asset's cash, which must be allowed to take tokens."""
        ...

    def liquidated(self, logs: Sequence[Log]) -> bool:
        """Say whether a liquidation was announced among `logs`."""
        ...


def approvals(account: str, token: str, spender: str, units: int) -> tuple[SimulatedCall, ...]:
    """Let `spender` take exactly `units`; by way of zero, which some tokens insist on."""
    return tuple(
        SimulatedCall(sender=account, to=token, data=TOKEN.encode("approve", spender, allowed))
        for allowed in ((0, units) if units else (0,))
    )


def view(to: str, data: bytes) -> SimulatedCall:
    """Ask a contract something, from nobody."""
    return SimulatedCall(sender=ZERO, to=to.lower(), data=data)


def base_units(market: Market, asset: int, amount: float) -> int:
    """Return `amount` whole tokens of a reserve in base units, rounded to the nearest."""
    return round(amount * float(10 ** market.reserves[asset].asset.decimals))
