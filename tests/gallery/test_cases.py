"""The registry, and how verdicts are scored."""

from __future__ import annotations

import pytest

from evaluator.errors import ConfigurationError
from evaluator.verdict import Policy, Reason, Verdict, VerdictKind
from gallery import other_kinds
from gallery.case import Harm
from gallery.cases import CASES, chosen
from gallery.score import HARMS, Outcome, all_good, score

DISASTERS = [c for c in CASES if c.harmful]


def verdict(*rules: str, kind: VerdictKind = VerdictKind.FAIL) -> Verdict:
    reasons = tuple(
        Reason(kind=kind, rule=r, sentence=f"because of {r}", number="", bound="", source="")
        for r in rules
    )
    return Verdict(
        kind=kind if rules else VerdictKind.PASS,
        reasons=reasons,
        not_judged=(),
        more_paths_help=False,
        policy="test",
        policy_digest="",
    )


def test_names_are_unique():
    assert len({c.name for c in CASES}) == len(CASES)


@pytest.mark.parametrize("case", DISASTERS, ids=lambda c: c.name)
def test_every_disaster_has_a_harm_and_those_that_happened_have_two_twins(case):
    assert case.harms
    if case not in other_kinds.CASES:
        assert sum(c.twin_of == case.name for c in CASES) >= 2


def test_twins_belong_to_disasters_and_harm_nobody():
    names = {c.name for c in DISASTERS}
    twins = [c for c in CASES if not c.harmful]
    assert twins
    assert all(c.twin_of in names and not c.harms for c in twins)


def test_every_rule_that_can_fail_is_known_to_the_score():
    assert {r.removeprefix("fail.") for r in HARMS} == set(type(Policy.load().fail).model_fields)


def test_a_disaster_is_caught_for_its_own_harm_only():
    case = next(c for c in CASES if c.harms == (Harm.LIVENESS,))
    fitting = score(case, verdict("fail.adversary_usd", "fail.broken_user_action"))
    assert fitting.outcome is Outcome.CAUGHT
    assert fitting.because == "because of fail.broken_user_action"
    assert set(fitting.seen) == {Harm.PROTOCOL_LOSS, Harm.LIVENESS}
    assert score(case, verdict("fail.adversary_usd")).outcome is Outcome.MISSED
    assert score(case, verdict("fail.execution_reverts")).outcome is Outcome.MISSED
    careful = verdict("fail.broken_user_action", kind=VerdictKind.CAUTION)
    assert score(case, careful).outcome is Outcome.MISSED


def test_a_twin_that_fails_for_anything_is_a_false_alarm():
    twin = next(c for c in CASES if not c.harmful)
    assert score(twin, verdict("fail.execution_reverts")).outcome is Outcome.FALSE_ALARM
    assert score(twin, verdict()).outcome is Outcome.CLEAN
    careful = verdict("fail.adversary_usd", kind=VerdictKind.CAUTION)
    assert score(twin, careful).outcome is Outcome.CLEAN


def test_one_bad_outcome_spoils_the_whole():
    assert all_good([Outcome.CAUGHT, Outcome.CLEAN])
    assert not all_good([Outcome.CAUGHT, Outcome.MISSED])
    assert not all_good([Outcome.FALSE_ALARM])


def test_cases_are_chosen_by_name_and_a_wrong_name_is_told():
    assert chosen([]) == CASES
    assert [c.name for c in chosen(["squeeze", "empty-listing"])] == ["empty-listing", "squeeze"]
    with pytest.raises(ConfigurationError, match="no case 'sonne'"):
        chosen(["sonne"])
