"""A scorecard: what an evaluation predicted, against what the execution brought.

The markets of the prediction are read on the real chain right before and right
after the block of the execution and at the present head; nothing is simulated.
The comparisons are pure functions of those readings.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from evaluator.chain.abi import Abi
from evaluator.chain.receipts import Log
from evaluator.chain.sandbox import Sandbox
from evaluator.data_files import cache_path
from evaluator.errors import IncompleteState, UnknownProtocol
from evaluator.evaluation.market_sections import parameter_rows
from evaluator.evaluation.request import Progress, Silence
from evaluator.governance.log_scan import oldest_first
from evaluator.market import Market, parameter_changes
from evaluator.market.health import collateral_value, debt_value
from evaluator.protocols.adapter import ProtocolAdapter, adapters
from evaluator.protocols.borrower_cache import BorrowerCache
from evaluator.protocols.hurt import hurt_positions
from evaluator.report.model import ParameterRow, ReportModel
from evaluator.report.odds import MarketSection

BAND = 1.959964  # standard deviations of a 95% range
YEAR = 31_557_600.0  # seconds
SAME = 1e-9  # relative difference below which two values are the same

_LIQUIDATIONS = Abi.parse(
    [
        "event LiquidationCall(address indexed collateralAsset, address indexed debtAsset,"
        " address indexed user, uint256 debtToCover, uint256 liquidatedCollateralAmount,"
        " address liquidator, bool receiveAToken)",
        "event LiquidateBorrow(address liquidator, address borrower, uint256 repayAmount,"
        " address collateral, uint256 seizeTokens)",
    ]
)
_AAVE = _LIQUIDATIONS.event_topic("LiquidationCall")
_COMPOUND = _LIQUIDATIONS.event_topic("LiquidateBorrow")


class Agreement(StrEnum):
    """How a predicted change compares with the chain's."""

    AS_PREDICTED = "as predicted"
    DIFFERS = "another value"
    MISSING = "did not happen"
    UNPREDICTED = "not predicted"


@dataclass(frozen=True, kw_only=True, slots=True)
class ParameterScore:
    """One parameter, predicted and as the chain has it after the execution."""

    predicted: ParameterRow | None  # None: not predicted
    realised: ParameterRow | None  # None: it did not change
    agreement: Agreement


@dataclass(frozen=True, kw_only=True, slots=True)
class PriceScore:
    """One asset's oracle price since the execution, against its calibrated volatility."""

    asset: str  # symbol
    at_execution: float  # USD
    now: float  # USD
    lower: float | None  # USD, 95% range of a log-normal price; None: no volatility known
    upper: float | None  # USD

    @property
    def inside(self) -> bool | None:
        """Tell whether the price is in the range, None without one."""
        if self.lower is None or self.upper is None:
            return None
        return self.lower <= self.now <= self.upper


@dataclass(frozen=True, kw_only=True, slots=True)
class MarketScore:
    """One market since the execution."""

    name: str  # as the report calls it
    hurt_predicted: int  # users made liquidatable by the execution
    hurt_realised: int
    hurt_liquidated: int  # of those realised, how many were liquidated since
    liquidated: int  # users liquidated since, all of them
    bad_debt_before: float  # USD owed beyond collateral, right before the execution
    bad_debt_now: float  # USD
    shortfall_predicted: float | None  # USD, expected in the worst 1% of paths; None: no battery
    horizon: float | None  # seconds the battery looked ahead
    prices: tuple[PriceScore, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Scorecard:
    """A prediction and what came of it."""

    digest: str  # of the report that predicted
    executed_block: int
    looked_block: int  # head when it was compared
    seconds: float  # between the two
    parameters: tuple[ParameterScore, ...]
    markets: tuple[MarketScore, ...]
    unread: tuple[str, ...]  # markets that could not be read, with the reason

    @property
    def parameters_agree(self) -> bool:
        """Tell whether every parameter reads as predicted."""
        return all(p.agreement is Agreement.AS_PREDICTED for p in self.parameters)


def score_parameters(
    predicted: Sequence[ParameterRow], realised: Sequence[ParameterRow]
) -> tuple[ParameterScore, ...]:
    """Compare two tables of parameter changes, by path."""
    expected = {row.path: row for row in predicted}
    found = {row.path: row for row in realised}
    scores = []
    for path in sorted(expected.keys() | found.keys()):
        before, after = expected.get(path), found.get(path)
        if before is None:
            agreement = Agreement.UNPREDICTED
        elif after is None:
            agreement = Agreement.MISSING
        else:
            same = _same(before.after, after.after)
            agreement = Agreement.AS_PREDICTED if same else Agreement.DIFFERS
        scores.append(ParameterScore(predicted=before, realised=after, agreement=agreement))
    return tuple(scores)


def _same(a: bool | float | str | None, b: bool | float | str | None) -> bool:
    if isinstance(a, float | int) and isinstance(b, float | int):
        return math.isclose(a, b, rel_tol=SAME, abs_tol=1e-15)
    return a == b


def score_price(
    asset: str, *, start: float, now: float, volatility: float | None, seconds: float
) -> PriceScore:
    """Hold a price against the 95% range of a driftless log-normal price.

    `volatility` is per year. The battery's own processes have fatter tails; the
    range says where a calm diffusion of the calibrated volatility would be.
    """
    if volatility is None or volatility <= 0.0 or seconds <= 0.0 or start <= 0.0:
        return PriceScore(asset=asset, at_execution=start, now=now, lower=None, upper=None)
    spread = volatility * math.sqrt(seconds / YEAR)
    middle = -0.5 * spread * spread
    return PriceScore(
        asset=asset,
        at_execution=start,
        now=now,
        lower=start * math.exp(middle - BAND * spread),
        upper=start * math.exp(middle + BAND * spread),
    )


def bad_debt(market: Market) -> float:
    """Return the debt value beyond all collateral value, summed over accounts, in USD."""
    return float(np.maximum(debt_value(market) - collateral_value(market), 0.0).sum())


def score_market(
    section: MarketSection,
    *,
    before: Market,
    after: Market,
    now: Market,
    liquidated: frozenset[str],
) -> MarketScore:
    """Compare a market's prediction with three readings; `liquidated` holds lower-case users."""
    hurt = [h.account.lower() for h in hurt_positions(before, after)]
    seconds = float(now.timestamp - after.timestamp)
    volatilities = {row.asset: row.volatility for row in section.calibration or ()}
    prices = dict(zip(now.symbols, now.prices.tolist(), strict=True))
    shortfall = next(
        (row.after_static for row in section.odds or () if row.name == "expected_shortfall_99"),
        None,
    )
    return MarketScore(
        name=section.name,
        hurt_predicted=0 if section.hurt is None else section.hurt.users,
        hurt_realised=len(hurt),
        hurt_liquidated=sum(account in liquidated for account in hurt),
        liquidated=len(liquidated),
        bad_debt_before=bad_debt(before),
        bad_debt_now=bad_debt(now),
        shortfall_predicted=None if shortfall is None else shortfall.value,
        horizon=None if shortfall is None else shortfall.horizon,
        prices=tuple(
            score_price(
                symbol,
                start=start,
                now=prices[symbol],
                volatility=volatilities.get(symbol),
                seconds=seconds,
            )
            for symbol, start in zip(after.symbols, after.prices.tolist(), strict=True)
            if symbol in prices and symbol in volatilities
        ),
    )


def scorecard(
    prediction: ReportModel,
    urls: Sequence[str],
    *,
    executed_block: int,
    progress: Progress | None = None,
) -> Scorecard:
    """Compare a report with the chain after its proposal's execution in `executed_block`.

    Raises the ChainError tree. A market that cannot be read is named in `unread`.
    """
    told = progress if progress is not None else Silence()
    told.stage("fork", f"around block {executed_block}")
    known = {adapter.name: adapter for adapter in adapters()}
    cache = BorrowerCache(cache_path("borrowers") / "borrowers.db")
    realised: list[ParameterRow] = []
    markets: list[MarketScore] = []
    unread: list[str] = []
    try:
        with (
            Sandbox.fork(urls, block=executed_block - 1) as before,
            Sandbox.fork(urls, block=executed_block) as after,
            Sandbox.fork(urls, block="latest") as now,
        ):
            for section in prediction.markets:
                told.stage("read", f"{section.name} before, after and now")
                try:
                    adapter = _adapter(known, section.protocol)
                    readings = [
                        adapter.read(chain, section.address.lower(), cache=cache)
                        for chain in (before, after, now)
                    ]
                    users = _liquidated(now, readings[1], first=executed_block)
                except (IncompleteState, UnknownProtocol) as error:
                    unread.append(f"{section.name}: {error}")
                    continue
                changes = parameter_changes(
                    adapter.parameters(readings[0]), adapter.parameters(readings[1])
                )
                realised += parameter_rows(changes, None)
                markets.append(
                    score_market(
                        section,
                        before=readings[0],
                        after=readings[1],
                        now=readings[2],
                        liquidated=users,
                    )
                )
            return Scorecard(
                digest=prediction.content_digest,
                executed_block=executed_block,
                looked_block=now.block_number(),
                seconds=float(now.timestamp() - after.timestamp()),
                parameters=score_parameters(prediction.parameters or (), realised),
                markets=tuple(markets),
                unread=tuple(unread),
            )
    finally:
        cache.close()


def _adapter(known: dict[str, ProtocolAdapter], name: str) -> ProtocolAdapter:
    if name not in known:
        raise UnknownProtocol(f"no adapter is called {name!r} any more")
    return known[name]


def _liquidated(chain: Sandbox, market: Market, *, first: int) -> frozenset[str]:
    """Return the users liquidated from block `first` to the chain's head, lower-case."""
    # Aave's pool reports its liquidations itself, Compound's markets do so each for itself.
    sources = {market.address.lower(), *(r.receipt_token.lower() for r in market.reserves)} - {""}
    users = set()
    for logs in oldest_first(
        chain,
        address=sorted(sources),
        topics=[[_AAVE, _COMPOUND]],
        oldest=first,
        newest=chain.block_number(),
    ):
        users |= {user for log in logs if (user := _user(log)) is not None}
    return frozenset(users)


def _user(log: Log) -> str | None:
    """Return whose position a liquidation's log is about, None for a log of another shape."""
    if log.topics and log.topics[0] == _AAVE and len(log.topics) == 4:
        return "0x" + log.topics[3][-20:].hex()
    if log.topics and log.topics[0] == _COMPOUND and len(log.data) >= 64:
        return "0x" + log.data[44:64].hex()
    return None
