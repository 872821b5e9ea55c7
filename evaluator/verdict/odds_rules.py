"""Hold a battery's odds against a policy's bounds. Pure.

Each rule answers with its reason and with whether the width of the interval
decided it, in which case more paths may decide otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass

from evaluator.verdict import figures
from evaluator.verdict.evidence import Interval, MarketEvidence, OddsEvidence
from evaluator.verdict.policy import Policy
from evaluator.verdict.verdict import Reason, VerdictKind

FAIL, CAUTION = VerdictKind.FAIL, VerdictKind.CAUTION
INCONCLUSIVE, PASS = VerdictKind.INCONCLUSIVE, VerdictKind.PASS


@dataclass(frozen=True, kw_only=True, slots=True)
class _Bounded:
    """An interval held against a bound for FAIL and one for CAUTION."""

    kind: VerdictKind
    wide: bool  # decided by the width of the interval, not by where it lies


def _held_against(interval: Interval, fail: float, caution: float) -> _Bounded:
    if interval.lower > fail:
        return _Bounded(kind=FAIL, wide=False)
    if interval.upper > fail:
        # FAIL can be neither said nor excluded.
        return _Bounded(kind=INCONCLUSIVE, wide=True)
    if interval.lower > caution:
        return _Bounded(kind=CAUTION, wide=False)
    if interval.upper > caution:
        return _Bounded(kind=CAUTION, wide=True)
    return _Bounded(kind=PASS, wide=False)


def _span(interval: Interval, write: figures.Writer) -> str:
    return f"{write(interval.lower)} to {write(interval.upper)}"


def _about(market: MarketEvidence, odds: OddsEvidence) -> str:
    level = figures.share(odds.bad_debt_chance_difference.level)
    paths = odds.bad_debt_chance_difference.samples
    return f"battery, {market.name}, {odds.response}, {paths:,} paths, {level} intervals"


def chance(policy: Policy, market: MarketEvidence, odds: OddsEvidence) -> tuple[Reason, bool]:
    """Judge the paired change of the chance of bad debt."""
    difference = odds.bad_debt_chance_difference
    fail = policy.fail.bad_debt_chance_increase
    caution = fail * policy.caution.share_of_fail_bounds
    held = _held_against(difference, fail, caution)
    span = _span(difference, figures.points)
    moved = (
        f"the chance of bad debt goes from {figures.share(odds.bad_debt_chance_before.value)} to "
        f"{figures.share(odds.bad_debt_chance_after.value)} ({odds.response})"
    )
    bound = figures.points(fail if held.kind in (FAIL, INCONCLUSIVE) else caution)
    match held.kind:
        case VerdictKind.FAIL:
            sentence = f"{moved}; the increase is certainly above {bound}"
        case VerdictKind.INCONCLUSIVE:
            sentence = (
                f"{moved}; the interval of the change, {span}, is too wide to exclude {bound}"
            )
        case VerdictKind.CAUTION if held.wide:
            sentence = f"{moved}; a change above {bound} cannot be excluded"
        case VerdictKind.CAUTION:
            sentence = f"{moved}; the increase is above {bound}"
        case _:
            sentence = f"{moved}; the change stays below {bound}"
    rule = (
        "fail.bad_debt_chance_increase"
        if held.kind in (FAIL, INCONCLUSIVE)
        else "caution.share_of_fail_bounds of fail.bad_debt_chance_increase"
    )
    return (
        Reason(
            kind=held.kind,
            rule=rule,
            sentence=sentence,
            number=f"{figures.points(difference.value)} ({span})",
            bound=bound,
            source=_about(market, odds),
        ),
        held.wide,
    )


def shortfall(
    policy: Policy, market: MarketEvidence, odds: OddsEvidence
) -> tuple[Reason, bool] | None:
    """Judge the expected shortfall; None where it was not computed."""
    before, after, difference = (
        odds.shortfall_before,
        odds.shortfall_after,
        odds.shortfall_difference,
    )
    if before is None or after is None or difference is None:
        return None
    growth = policy.fail.expected_shortfall_growth
    floor = max(policy.fail.expected_shortfall_floor_usd, market.reserves_usd)
    part = policy.caution.share_of_fail_bounds

    def exceeds(difference_usd: float, after_usd: float, of_bound: float) -> bool:
        return difference_usd > of_bound * growth * before.value and after_usd > of_bound * floor

    wide = False
    if exceeds(difference.lower, after.lower, 1.0):
        kind = FAIL
    elif exceeds(difference.upper, after.upper, 1.0):
        kind, wide = INCONCLUSIVE, True
    elif exceeds(difference.lower, after.lower, part):
        kind = CAUTION
    elif exceeds(difference.upper, after.upper, part):
        kind, wide = CAUTION, True
    else:
        kind = PASS
    of_bound = 1.0 if kind in (FAIL, INCONCLUSIVE) else part
    bound = (
        f"{figures.number(1.0 + of_bound * growth)} times today's and "
        f"{figures.money(of_bound * floor)} USD"
    )
    moved = (
        f"the expected bad debt of the worst 1% of paths goes from {figures.money(before.value)} "
        f"to {figures.money(after.value)} USD ({odds.response})"
    )
    ending = {
        FAIL: f"that is beyond {bound}",
        INCONCLUSIVE: f"its interval is too wide to exclude {bound}",
        CAUTION: f"more than {bound} cannot be excluded" if wide else f"that is beyond {bound}",
        PASS: f"that is not beyond {bound}",
    }[kind]
    span = f"{figures.money(after.lower)} to {figures.money(after.upper)}"
    return (
        Reason(
            kind=kind,
            rule="fail.expected_shortfall_growth"
            if kind in (FAIL, INCONCLUSIVE)
            else "caution.share_of_fail_bounds of fail.expected_shortfall_growth",
            sentence=f"{moved}; {ending}",
            number=f"{figures.money(after.value)} ({span}) USD",
            bound=bound,
            source=_about(market, odds),
        ),
        wide,
    )
