from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluator.market import Unit
from evaluator.verdict import (
    AdversaryEvidence,
    CalibrationEvidence,
    Evidence,
    ExecutionEvidence,
    Finding,
    FindingKind,
    MarketEvidence,
    NotModelled,
    OddsEvidence,
    Policy,
    SafeValueEvidence,
    Severity,
    VerdictKind,
    judge,
    not_modelled,
)

POLICY = Policy.load()
FAIL, CAUTION = VerdictKind.FAIL, VerdictKind.CAUTION
INCONCLUSIVE, PASS = VerdictKind.INCONCLUSIVE, VerdictKind.PASS


@dataclass(frozen=True)
class Span:
    value: float
    lower: float
    upper: float
    level: float = 0.95
    samples: int = 10_000


def odds(difference=(0.0, -0.0005, 0.0005), shortfall=None, response="same borrowers"):
    es = {}
    if shortfall is not None:
        before, after, delta = shortfall
        es = {
            "shortfall_before": Span(*before),
            "shortfall_after": Span(*after),
            "shortfall_difference": Span(*delta),
        }
    return OddsEvidence(
        response=response,
        bad_debt_chance_before=Span(0.003, 0.002, 0.004),
        bad_debt_chance_after=Span(0.003 + difference[0], 0.002, 0.02),
        bad_debt_chance_difference=Span(*difference),
        **es,
    )


def market(**changes):
    base = MarketEvidence(
        name="Aave V3",
        supplied_usd=1e9,
        debt_usd=4e8,
        reserves_usd=1e6,
        unchanged=False,
        liquidatable_debt_usd=0.0,
        liquidatable_users=0,
        odds=(odds(),),
    )
    return replace(base, **changes)


def evidence(**changes):
    base = Evidence(
        execution=ExecutionEvidence(succeeded=True, way="governance lifecycle"),
        markets=(market(),),
        adversary=AdversaryEvidence(sequences=200, gain_usd=0.0, loss_usd=0.0, market="", what=""),
    )
    return replace(base, **changes)


def kind(e, policy=POLICY):
    return judge(policy, e).kind


def test_quiet_proposal_passes_and_says_what_was_not_judged():
    v = judge(POLICY, evidence())
    assert v.kind is PASS
    assert "the model against the real contracts" in v.not_judged
    assert "the adversary search" not in v.not_judged
    assert all(r.number and r.bound and r.source for r in v.reasons)


def test_the_foremost_reason_of_a_pass_is_the_odds_or_that_nothing_changed():
    worse = odds((0.001, 0.0, 0.002), response="borrowers use the room")
    v = judge(POLICY, evidence(markets=(market(odds=(odds(), worse)),)))
    assert "borrowers use the room" in v.foremost.sentence
    still = judge(POLICY, evidence(markets=(market(odds=(), unchanged=True),)))
    assert still.foremost.rule == "market unchanged"


def test_reverting_execution_fails_with_its_reason():
    v = judge(
        POLICY,
        Evidence(execution=ExecutionEvidence(succeeded=False, way="timelock", reason="NotOwner()")),
    )
    assert v.kind is FAIL
    assert "NotOwner()" in v.deciding[0].sentence
    assert not v.not_judged


@pytest.mark.parametrize(
    ("difference", "expected", "more"),
    [
        ((0.02, 0.0101, 0.03), FAIL, False),
        ((0.008, 0.004, 0.0101), INCONCLUSIVE, True),  # FAIL cannot be excluded
        ((0.008, 0.006, 0.0099), CAUTION, False),
        ((0.003, -0.001, 0.0051), CAUTION, True),
        ((0.003, 0.0011, 0.0049), PASS, False),
        ((-0.02, -0.03, -0.01), PASS, False),
    ],
)
def test_chance_of_bad_debt_is_judged_by_its_interval(difference, expected, more):
    v = judge(POLICY, evidence(markets=(market(odds=(odds(difference),)),)))
    assert v.kind is expected
    assert v.more_paths_help is more


def test_the_worse_of_the_two_responses_decides():
    worse = odds((0.02, 0.015, 0.03), response="borrowers use the room")
    v = judge(POLICY, evidence(markets=(market(odds=(odds(), worse)),)))
    assert v.kind is FAIL
    assert "borrowers use the room" in v.deciding[0].sentence


@pytest.mark.parametrize(
    ("before", "after", "delta", "expected"),
    [
        ((1e6, 9e5, 1.1e6), (4e6, 3.5e6, 4.5e6), (3e6, 2.5e6, 3.5e6), FAIL),
        # three times today's and yet within the reserves that pay it
        ((1e5, 9e4, 1.1e5), (3e5, 2.9e5, 3.1e5), (2e5, 1.9e5, 2.1e5), PASS),
        ((1e6, 9e5, 1.1e6), (1.7e6, 1.6e6, 1.8e6), (7e5, 6e5, 8e5), CAUTION),
        ((1e6, 9e5, 1.1e6), (1.9e6, 1.2e6, 2.6e6), (9e5, 2e5, 1.6e6), INCONCLUSIVE),
        ((1e6, 9e5, 1.1e6), (1.1e6, 1e6, 1.2e6), (1e5, 0, 2e5), PASS),
        ((0, 0, 0), (0, 0, 0), (0, 0, 0), PASS),
        ((0, 0, 0), (3e4, 2e4, 4e4), (3e4, 2e4, 4e4), PASS),  # below the floor and the reserves
    ],
)
def test_expected_shortfall(before, after, delta, expected):
    e = evidence(markets=(market(odds=(odds(shortfall=(before, after, delta)),)),))
    assert kind(e) is expected


@pytest.mark.parametrize(
    ("debt", "expected"), [(0.0, PASS), (1e5, PASS), (3e5, CAUTION), (5e5, FAIL)]
)
def test_users_liquidatable_at_execution(debt, expected):
    e = evidence(markets=(market(liquidatable_debt_usd=debt, liquidatable_users=3),))
    assert kind(e) is expected


@pytest.mark.parametrize(
    ("gain", "loss", "expected"),
    [(0, 0, PASS), (6e4, 0, PASS), (0, 1.5e5, CAUTION), (2.1e5, 0, FAIL)],
)
def test_adversary_bound_is_the_larger_of_amount_and_share(gain, loss, expected):
    # 0.02% of 1e9 USD supplied is 200,000 USD, more than 50,000.
    found = AdversaryEvidence(
        sequences=41_200, gain_usd=gain, loss_usd=loss, market="Aave V3", what="a donation"
    )
    v = judge(POLICY, evidence(adversary=found))
    assert v.kind is expected
    assert any("41,200" in r.source for r in v.reasons)


def test_not_modelled_blocks_pass_unless_irrelevant_by_name():
    unknown = NotModelled(name="setVoodoo(uint256)", what="at 0xab")
    named = NotModelled(
        name="setText(bytes32,string,string)", what="ENS", irrelevant="an ENS record"
    )
    assert kind(evidence(not_modelled=(named,))) is PASS
    v = judge(POLICY, evidence(not_modelled=(named, unknown)))
    assert v.kind is INCONCLUSIVE
    assert "setVoodoo" in v.deciding[0].sentence
    assert not v.more_paths_help


def test_a_payment_is_relevant_when_a_market_reads_differently():
    pay = {"signature": "transfer(address,uint256)", "what": "USDC"}
    assert not_modelled(POLICY, **pay, markets_unchanged=True).irrelevant
    assert not not_modelled(POLICY, **pay, markets_unchanged=False).irrelevant
    strange = not_modelled(POLICY, signature="mint()", what="x", markets_unchanged=True)
    assert not strange.irrelevant


def test_unknown_protocol_and_unread_state_are_inconclusive():
    assert kind(evidence(unknown_protocols=("0xab",))) is INCONCLUSIVE
    assert kind(evidence(unread=("reserve CRV",))) is INCONCLUSIVE


def test_battery_is_required_of_a_change_and_not_of_an_unchanged_market():
    assert kind(evidence(markets=(market(odds=()),))) is INCONCLUSIVE
    v = judge(POLICY, evidence(markets=(market(odds=(), unchanged=True),)))
    assert v.kind is PASS
    assert any("no risk parameter" in r.sentence for r in v.reasons)


def test_not_executed_never_passes():
    assert kind(Evidence(execution=None)) is INCONCLUSIVE
    assert kind(evidence(execution=None)) is INCONCLUSIVE


def test_fail_outranks_inconclusive_outranks_caution():
    bad = evidence(
        unread=("x",), markets=(market(liquidatable_debt_usd=1e8, conformance_error=0.5),)
    )
    v = judge(POLICY, bad)
    assert v.kind is FAIL
    severities = [r.kind.severity for r in v.reasons]
    assert severities == sorted(severities, reverse=True)
    assert kind(evidence(unread=("x",), markets=(market(conformance_error=0.5),))) is INCONCLUSIVE


def test_a_change_that_nobody_tried_to_attack_does_not_pass():
    v = judge(POLICY, evidence(adversary=None))
    assert v.kind is INCONCLUSIVE
    assert "adversary search was not done" in v.deciding[0].sentence
    still = market(odds=(), unchanged=True)
    assert kind(evidence(adversary=None, markets=(still,))) is PASS


def test_required_checks_can_be_loosened_and_tightened():
    def with_checks(*checks):
        document = {"schema": 1, "name": "own", "pass": {"required_checks": list(checks)}}
        return Policy.parse(document, source="t")

    assert kind(evidence(adversary=None), with_checks("execution", "state", "battery")) is PASS
    v = judge(with_checks("conformance"), evidence())
    assert v.kind is INCONCLUSIVE
    assert "the model against the real contracts was not done" in v.deciding[0].sentence


def finding(kind):
    return Finding(kind=kind, severity=Severity.HIGH, title="t", detail="d", source="execution")


@pytest.mark.parametrize(
    ("kind_of_finding", "expected"),
    [
        (FindingKind.UNANNOUNCED_CONTROL, FAIL),
        (FindingKind.CONTRADICTION, CAUTION),
        (FindingKind.UNMENTIONED, CAUTION),
        (FindingKind.STATIC, CAUTION),
        (FindingKind.NOTE, PASS),
    ],
)
def test_findings(kind_of_finding, expected):
    assert kind(evidence(findings=(finding(kind_of_finding),))) is expected


def test_weak_points_are_judged_if_they_are_grave_new_and_the_policy_wants_it():
    weak = finding(FindingKind.STATIC)
    assert kind(evidence(findings=(replace(weak, severity=Severity.MEDIUM),))) is PASS
    assert kind(evidence(findings=(replace(weak, open_today=True),))) is PASS
    lenient = Policy.parse(
        {"schema": 1, "name": "lenient", "caution": {"static_findings": False}}, source="t"
    )
    assert judge(lenient, evidence(findings=(weak,))).kind is PASS


@pytest.mark.parametrize(
    ("worth", "expected"),
    [((None,), CAUTION), ((49_999.0,), CAUTION), ((50_001.0,), FAIL), ((30e3, 30e3), FAIL)],
)
def test_payments_without_a_word_are_judged_by_what_they_are_worth_together(worth, expected):
    hidden = finding(FindingKind.UNANNOUNCED_PAYMENT)
    paid = tuple(replace(hidden, loss_usd=usd, title=f"t{i}") for i, usd in enumerate(worth))
    verdict = judge(POLICY, evidence(findings=paid))
    assert verdict.kind is expected
    if expected is FAIL:
        assert verdict.deciding[0].rule == "fail.unannounced_payment_usd"


def test_thin_history_matters_only_where_the_book_is():
    thin = CalibrationEvidence(asset="CRV", days=20, share_of_book=0.2)
    small = replace(thin, share_of_book=0.01)
    long = replace(thin, days=400)
    assert kind(evidence(markets=(market(calibrations=(thin,)),))) is CAUTION
    assert kind(evidence(markets=(market(calibrations=(small, long)),))) is PASS


@pytest.mark.parametrize(
    ("today", "proposed", "safe", "beyond"),
    [(0.8, 0.84, 0.82, True), (0.8, 0.81, 0.82, False), (0.8, 0.7, 0.75, True)],
)
def test_safe_values(today, proposed, safe, beyond):
    s = SafeValueEvidence(
        path="aave_v3.WETH.liquidation_threshold",
        label="WETH liquidation threshold",
        unit=Unit.FRACTION,
        today=today,
        proposed=proposed,
        safe=safe,
        confidence=0.95,
    )
    assert s.beyond is beyond
    assert kind(evidence(markets=(market(safe_values=(s,)),))) is (CAUTION if beyond else PASS)


def test_broken_user_action_and_conformance():
    assert kind(evidence(markets=(market(broken_actions=("withdraw WETH",)),))) is FAIL
    assert kind(evidence(markets=(market(broken_actions=()),))) is PASS
    assert kind(evidence(markets=(market(conformance_error=0.002),))) is CAUTION
    assert kind(evidence(markets=(market(conformance_error=1e-9),))) is PASS


reals = st.floats(-0.05, 0.05)


@given(a=reals, b=reals, c=reals, shift=st.floats(0.0, 0.05))
def test_more_risk_never_improves_the_verdict(a, b, c, shift):
    low, mid, high = sorted((a, b, c))
    first = kind(evidence(markets=(market(odds=(odds((mid, low, high)),)),)))
    moved = (mid + shift, low + shift, high + shift)
    second = kind(evidence(markets=(market(odds=(odds(moved),)),)))
    assert second.severity >= first.severity or second is FAIL
