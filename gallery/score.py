"""How an evaluation of a case counts. Pure: a verdict in, an outcome out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from evaluator.verdict import Verdict, VerdictKind
from gallery.case import Case, Harm

# What a rule of the policy that says FAIL has seen. A reverting execution harms nobody.
HARMS: Mapping[str, tuple[Harm, ...]] = {
    "fail.execution_reverts": (),
    "fail.unannounced_control_change": (Harm.HIDDEN_CONTROL,),
    "fail.unannounced_payment_usd": (Harm.PROTOCOL_LOSS,),
    "fail.broken_user_action": (Harm.LIVENESS,),
    "fail.adversary_usd": (Harm.PROTOCOL_LOSS,),
    "fail.adversary_share_of_supplied": (Harm.PROTOCOL_LOSS,),
    "fail.bad_debt_chance_increase": (Harm.PROTOCOL_LOSS,),
    "fail.expected_shortfall_growth": (Harm.PROTOCOL_LOSS,),
    "fail.expected_shortfall_floor_usd": (Harm.PROTOCOL_LOSS,),
    "fail.liquidated_share_of_debt": (Harm.USER_HARM,),
}


class Outcome(StrEnum):
    """How a case went."""

    CAUGHT = "caught"  # a disaster that FAILs for its own kind of harm
    MISSED = "missed"  # a disaster that does not
    FALSE_ALARM = "false alarm"  # a benign twin that FAILs
    CLEAN = "clean"  # a benign twin that does not

    @property
    def good(self) -> bool:
        """Whether the evaluator was right."""
        return self in (Outcome.CAUGHT, Outcome.CLEAN)


@dataclass(frozen=True, kw_only=True, slots=True)
class Score:
    """What a verdict makes of a case."""

    outcome: Outcome  # see Outcome
    seen: tuple[Harm, ...]  # kinds of harm for which the verdict is FAIL
    because: str  # the sentence that decided, of the case's own harm first


def score(case: Case, verdict: Verdict) -> Score:
    """Hold a verdict against what the case is known to do."""
    failing = [r for r in verdict.reasons if r.kind is VerdictKind.FAIL]
    seen = tuple(dict.fromkeys(h for r in failing for h in harms_of(r.rule)))
    fitting = [r for r in failing if set(harms_of(r.rule)) & set(case.harms)]
    if case.harmful:
        outcome = Outcome.CAUGHT if fitting else Outcome.MISSED
    else:
        outcome = Outcome.FALSE_ALARM if failing else Outcome.CLEAN
    foremost = next(iter(fitting), verdict.foremost)
    return Score(outcome=outcome, seen=seen, because="" if foremost is None else foremost.sentence)


def harms_of(rule: str) -> tuple[Harm, ...]:
    """Return what a rule that says FAIL has seen; () for one that is about no harm."""
    return HARMS.get(rule, ())


def all_good(outcomes: Iterable[Outcome]) -> bool:
    """Whether every disaster was caught and no twin failed."""
    return all(o.good for o in outcomes)
