"""Evidence: everything a verdict may rest on, as plain numbers with their source.

A check that was not made is None (or absent), never zero or False: `judge`
lists it as not judged instead of counting it in the proposal's favour.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from evaluator.market import Unit
from evaluator.verdict.finding import Finding


class Interval(Protocol):
    """An estimate with its confidence interval; `evaluator.stress` makes them."""

    @property
    def value(self) -> float:
        """Point estimate."""
        ...

    @property
    def lower(self) -> float:
        """Lower end of the interval."""
        ...

    @property
    def upper(self) -> float:
        """Upper end of the interval."""
        ...

    @property
    def level(self) -> float:
        """Confidence level, a fraction."""
        ...

    @property
    def samples(self) -> int:
        """Number of paths behind it."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class ExecutionEvidence:
    """What execution on the fork came to."""

    succeeded: bool  # every transaction had status 1
    way: str  # "governance lifecycle", "timelock directly"
    reason: str = ""  # decoded revert reason, "" if there is none


@dataclass(frozen=True, kw_only=True, slots=True)
class OddsEvidence:
    """Odds before and after on the same paths, for one assumption on borrowers."""

    response: str  # "same borrowers" or "borrowers use the room"
    bad_debt_chance_before: Interval  # probability of bad debt above the threshold
    bad_debt_chance_after: Interval  # same
    bad_debt_chance_difference: Interval  # paired, after less before
    shortfall_before: Interval | None = None  # USD, expected shortfall at 99%
    shortfall_after: Interval | None = None  # same
    shortfall_difference: Interval | None = None  # paired, after less before


@dataclass(frozen=True, kw_only=True, slots=True)
class CalibrationEvidence:
    """How much history stands behind an asset's process."""

    asset: str  # symbol
    days: float  # of prices used
    share_of_book: float  # larger of its shares of all collateral and all debt


@dataclass(frozen=True, kw_only=True, slots=True)
class SafeValueEvidence:
    """The value of a changed parameter that keeps today's odds."""

    path: str  # see Parameter.path
    label: str  # for people, "WETH liquidation threshold"
    unit: Unit  # of the values
    today: float  # value before
    proposed: float  # value after
    safe: float  # furthest value in the direction of `proposed` that keeps today's odds
    confidence: float  # at which it does, fraction

    @property
    def beyond(self) -> bool:
        """Whether the proposed value lies further from today's than the safe one."""
        direction = 1.0 if self.proposed >= self.today else -1.0
        return (self.proposed - self.safe) * direction > 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class MarketEvidence:
    """What was measured of one market the proposal reaches."""

    name: str  # "Aave V3", for people
    supplied_usd: float  # value of all supply
    debt_usd: float  # value of all debt
    reserves_usd: float  # value that belongs to the protocol and would pay bad debt
    unchanged: bool  # every parameter and position reads the same after execution
    liquidatable_debt_usd: float | None = None  # debt of users made liquidatable by execution
    liquidatable_users: int | None = None  # how many they are
    odds: tuple[OddsEvidence, ...] = ()  # one for each assumption on borrowers; () not computed
    calibrations: tuple[CalibrationEvidence, ...] = ()  # one for each asset
    conformance_error: float | None = None  # largest relative difference, model against contracts
    broken_actions: tuple[str, ...] | None = None  # user actions that work before and not after
    safe_values: tuple[SafeValueEvidence, ...] | None = None  # one for each changed parameter


@dataclass(frozen=True, kw_only=True, slots=True)
class AdversaryEvidence:
    """The best find of the adversary search."""

    sequences: int  # attack sequences tried
    gain_usd: float  # largest gain after the proposal that today's state does not allow
    loss_usd: float  # largest loss of the protocol, likewise
    market: str  # name of the market, see MarketEvidence.name
    what: str  # the way in a sentence, "" if nothing was found


@dataclass(frozen=True, kw_only=True, slots=True)
class NotModelled:
    """Something the proposal does that the model has no notion of."""

    name: str  # function signature, or what was seen
    what: str  # where and to what, for people
    irrelevant: str = ""  # why it cannot touch solvency, "" if it could


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """Everything a verdict may rest on."""

    execution: ExecutionEvidence | None  # None: not executed
    markets: tuple[MarketEvidence, ...] = ()  # every market the proposal reaches
    unknown_protocols: tuple[str, ...] = ()  # what was seen and no adapter recognised
    unread: tuple[str, ...] = ()  # parts of the state that could not be read
    not_modelled: tuple[NotModelled, ...] = ()  # see NotModelled
    findings: tuple[Finding, ...] = ()  # see Finding
    adversary: AdversaryEvidence | None = None  # None: no search was made
