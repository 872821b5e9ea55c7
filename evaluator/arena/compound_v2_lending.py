"""User actions on the Compound V2 family (checked against Venus 0.7.0)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from evaluator.arena.lending import (
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
from evaluator.chain.receipts import ZERO, Log
from evaluator.chain.sandbox import Sandbox
from evaluator.chain.simulation import SimulatedCall, SimulatedCallResult
from evaluator.market import Market
from evaluator.protocols.compound_v2_markets import NATIVE_ADDRESS
from evaluator.protocols.fixed_point import from_wad, whole_tokens
from evaluator.protocols.interfaces import COMPOUND
from evaluator.protocols.reading import read_one

# Compound V2 and Venus 0.7.0: CErc20/VBep20, CEther/VBNB and the Comptroller.
MARKET = Abi.parse(
    [
        "function mint(uint256 mintAmount) returns (uint256)",
        "function redeemUnderlying(uint256 redeemAmount) returns (uint256)",
        "function borrow(uint256 borrowAmount) returns (uint256)",
        "function repayBorrow(uint256 repayAmount) returns (uint256)",
        "function repayBorrowBehalf(address borrower, uint256 repayAmount) returns (uint256)",
        "function liquidateBorrow(address borrower, uint256 repayAmount, address collateral)"
        " returns (uint256)",
        "function accrueInterest() returns (uint256)",
        "function enterMarkets(address[] markets) returns (uint256[])",
        "function updatePrice(address vToken)",
        "function _setPriceOracle(address newOracle) returns (uint256)",
        "event LiquidateBorrow(address liquidator, address borrower, uint256 repayAmount,"
        " address collateral, uint256 seizeTokens)",
        "event Failure(uint256 error, uint256 info, uint256 detail)",
    ]
)
# CEther's and VBNB's own.
NATIVE_MARKET = Abi.parse(
    [
        "function mint() payable",
        "function repayBorrow() payable",
        "function repayBorrowBehalf(address borrower) payable",
        "function liquidateBorrow(address borrower, address collateral) payable",
    ]
)
_LIQUIDATED = MARKET.event_topic("LiquidateBorrow")
_FAILURE = MARKET.event_topic("Failure")


@dataclass(frozen=True, kw_only=True, eq=False)
class CompoundV2Lending:
    """See Lending; views count interest up to each market's last accrual."""

    market: Market  # as read
    comptroller: str  # lower-case
    oracle: str  # lower-case

    @classmethod
    def of(cls, sandbox: Sandbox, market: Market) -> Self:
        """Read the addresses that actions need. Raises IncompleteState."""
        root = market.address.lower()
        oracle = read_one(sandbox, COMPOUND, root, "oracle", block=sandbox.block_number())
        return cls(market=market, comptroller=root, oracle=oracle)

    def supply(self, account: str, asset: int, units: int) -> Step:
        """See Lending.supply; `enter` makes it collateral."""
        if self.pays_in_native(asset):
            return self._native(account, asset, units, NATIVE_MARKET.encode("mint"))
        return self._paying(account, asset, units, MARKET.encode("mint", units))

    def withdraw(self, account: str, asset: int, units: int) -> Step:
        """See Lending.withdraw."""
        return self._step(account, asset, MARKET.encode("redeemUnderlying", units))

    def borrow(self, account: str, asset: int, units: int) -> Step:
        """See Lending.borrow."""
        return self._step(account, asset, MARKET.encode("borrow", units))

    def repay(self, account: str, asset: int, units: int, *, debtor: str | None = None) -> Step:
        """See Lending.repay."""
        if self.pays_in_native(asset):
            data = (
                NATIVE_MARKET.encode("repayBorrow")
                if debtor is None
                else NATIVE_MARKET.encode("repayBorrowBehalf", debtor)
            )
            return self._native(account, asset, units, data)
        data = (
            MARKET.encode("repayBorrow", units)
            if debtor is None
            else MARKET.encode("repayBorrowBehalf", debtor, units)
        )
        return self._paying(account, asset, units, data)

    def liquidate(
        self, account: str, debtor: str, *, collateral: int, debt: int, units: int
    ) -> Step:
        """See Lending.liquidate; more than the contracts accept is refused altogether."""
        seized = self._vtoken(collateral)
        if self.pays_in_native(debt):
            data = NATIVE_MARKET.encode("liquidateBorrow", debtor, seized)
            return self._native(account, debt, units, data)
        return self._paying(
            account, debt, units, MARKET.encode("liquidateBorrow", debtor, units, seized)
        )

    def enter(self, account: str, asset: int) -> Step | None:
        """See Lending.enter."""
        data = MARKET.encode("enterMarkets", [self._vtoken(asset)])
        return Step(calls=(SimulatedCall(sender=account, to=self.comptroller, data=data),))

    def accrue(self) -> tuple[SimulatedCall, ...]:
        """See Lending.accrue; anybody may do it."""
        data = MARKET.encode("accrueInterest")
        return tuple(
            SimulatedCall(sender=ZERO, to=self._vtoken(a), data=data)
            for a in range(len(self.market.reserves))
        )

    def price(self, asset: int) -> SimulatedCall:
        """See Lending.price."""
        return view(self.oracle, COMPOUND.encode("getUnderlyingPrice", self._vtoken(asset)))

    def oracle_answers(self, raw: Sequence[int]) -> tuple[str, tuple[tuple[bytes, bytes], ...]]:
        """See Lending.oracle_answers."""
        answers = [(COMPOUND.encode("isPriceOracle"), (1).to_bytes(32, "big"))]
        for a, value in enumerate(raw):
            asked = COMPOUND.encode("getUnderlyingPrice", self._vtoken(a))
            answers.append((asked, value.to_bytes(32, "big")))
            # Later versions have the oracle take note of its sources before they ask.
            answers.append((MARKET.encode("updatePrice", self._vtoken(a)), b""))
        return self.oracle, tuple(answers)

    def oracle_change(self, oracle: str) -> tuple[str, bytes]:
        """See Lending.oracle_change; Comptroller."""
        return self.comptroller, MARKET.encode("_setPriceOracle", oracle)

    def solvency(self, account: str) -> SimulatedCall:
        """See Lending.solvency."""
        return view(self.comptroller, COMPOUND.encode("getAccountLiquidity", account))

    def read_solvency(self, data: bytes) -> Solvency:
        """See Lending.read_solvency."""
        d = COMPOUND.decode_output("getAccountLiquidity", data)
        return Solvency(health_factor=None, liquidity=from_wad(d.liquidity) - from_wad(d.shortfall))

    def balances(self, account: str, asset: int) -> tuple[SimulatedCall, ...]:
        """See Lending.balances."""
        return (view(self._vtoken(asset), COMPOUND.encode("getAccountSnapshot", account)),)

    def read_balances(self, asset: int, answers: Sequence[bytes]) -> Balances:
        """See Lending.read_balances."""
        s = COMPOUND.decode_output("getAccountSnapshot", answers[0])
        decimals = self.market.reserves[asset].asset.decimals
        return Balances(
            collateral=whole_tokens(s.tokens * s.exchangeRate, decimals + 18),
            debt=whole_tokens(s.borrowed, decimals),
        )

    def supplied(self, account: str, asset: int) -> Quotient:
        """See Lending.supplied; a snapshot is (error, shares, owed, exchange rate)."""
        (snapshot,) = self.balances(account, asset)
        return Quotient(
            over=(Read(call=snapshot, word=1), Read(call=snapshot, word=3)), denominator=10**18
        )

    def owed(self, account: str, asset: int) -> Quotient:
        """See Lending.owed."""
        return Quotient(over=(Read(call=self.balances(account, asset)[0], word=2),))

    def room(self, account: str, asset: int) -> Quotient:
        """See Lending.room; prices are mantissas per base unit."""
        return Quotient(
            over=(Read(call=self.solvency(account), word=1),),
            under=(Read(call=self.price(asset)),),
            numerator=10**18,
        )

    def cash(self, asset: int) -> Quotient:
        """See Lending.cash."""
        return Quotient(over=(Read(call=self.totals(asset)[0]),))

    def totals(self, asset: int) -> tuple[SimulatedCall, ...]:
        """See Lending.totals."""
        fns = ("getCash", "totalSupply", "exchangeRateStored", "totalBorrows")
        return tuple(view(self._vtoken(asset), COMPOUND.encode(fn)) for fn in fns)

    def read_totals(self, asset: int, answers: Sequence[bytes]) -> Totals:
        """See Lending.read_totals."""
        decimals = self.market.reserves[asset].asset.decimals
        cash, shares, rate, debts = (int.from_bytes(a, "big") for a in answers)
        return Totals(
            cash=whole_tokens(cash, decimals),
            claims=whole_tokens(shares * rate, decimals + 18),
            debts=whole_tokens(debts, decimals),
        )

    def refusal(self, result: SimulatedCallResult) -> str:
        """See Lending.refusal."""
        if not result.succeeded:
            return result.reason
        for log in result.logs:
            if log.topics[:1] == (_FAILURE,):
                event = MARKET.decode_log(log)
                code = "unknown" if event is None else event["error"]
                return f"the contract answered the error code {code}"
        return ""

    def pays_in_native(self, asset: int) -> bool:
        """See Lending.pays_in_native."""
        return self.market.reserves[asset].asset.address.lower() == NATIVE_ADDRESS

    def holder(self, asset: int) -> str:
        """See Lending.holder."""
        return self._vtoken(asset)

    def liquidated(self, logs: Sequence[Log]) -> bool:
        """See Lending.liquidated."""
        return any(log.topics[:1] == (_LIQUIDATED,) for log in logs)

    def _vtoken(self, asset: int) -> str:
        return self.market.reserves[asset].receipt_token.lower()

    def _step(self, account: str, asset: int, data: bytes, value: int = 0) -> Step:
        call = SimulatedCall(sender=account, to=self._vtoken(asset), data=data, value=value)
        return Step(calls=(call,))

    def _native(self, account: str, asset: int, units: int, data: bytes) -> Step:
        return self._step(account, asset, data, units)

    def _paying(self, account: str, asset: int, units: int, data: bytes) -> Step:
        token, spender = self.market.reserves[asset].asset.address, self._vtoken(asset)
        return Step(
            calls=(
                *approvals(account, token, spender, units),
                *self._step(account, asset, data).calls,
            )
        )
