"""The main job: from a proposal to a verdict, on real bytecode."""

import pytest

from evaluator.evaluation import EvaluationRequest, evaluate
from evaluator.market import health_factors
from evaluator.report.manifest import Manifest
from evaluator.report.model import ReportModel

pytestmark = [pytest.mark.chain]


def test_the_threshold_cut_is_executed_by_vote(aave):
    execution = aave.report.execution
    assert execution.succeeded
    assert execution.way == "governance lifecycle"
    names = " ".join(step.name for step in execution.steps)
    for step in ("vote", "queue", "execute"):
        assert step in names
    gas = [s.gas_used for s in execution.steps if s.name.startswith("execute")]
    assert gas[0] > 50_000


def test_the_parameter_table_is_measured(aave):
    rows = {r.path: (r.before, r.after) for r in aave.report.parameters}
    assert rows == {
        "aave_v3.WETH.liquidation_threshold": (0.825, 0.785),
        "aave_v3.WETH.ltv": (0.8, 0.76),
    }
    assert {r.result for r in aave.report.text_against_payload} == {"agrees"}


def test_the_hurt_are_named_and_were_healthy_before(aave):
    (trial,) = aave.trials
    hurt = trial.section.hurt
    before, after = trial.reading.before, trial.reading.after
    assert hurt.users == len(hurt.rows) > 0
    old = dict(zip(before.book.accounts, health_factors(before), strict=True))
    new = dict(zip(after.book.accounts, health_factors(after), strict=True))
    assert {r.account for r in hurt.rows} == {a for a in new if new[a] < 1.0 <= old[a]}


def test_survival_stands_with_intervals_horizon_and_sample_size(aave):
    (market,) = aave.report.markets
    chance = next(r for r in market.odds if r.name == "bad_debt_probability")
    for estimate in (chance.today, chance.after_static, chance.difference):
        assert estimate.lower <= estimate.value <= estimate.upper
        assert estimate.samples == aave.request.paths
        assert estimate.horizon == 7 * 86_400
        assert estimate.level == 0.95
    assert len(market.survival.x) == 169
    assert market.survival.series[0].value[0] == 1.0


def test_the_model_agrees_with_the_contracts_own_views(aave, compound):
    for evaluation in (aave, compound):
        (market,) = evaluation.report.markets
        views = [r for r in market.conformance.rows if "every borrower" in r.quantity]
        assert sum(r.compared for r in views) >= market.borrowers
        assert max(r.largest_error for r in views) < 1e-9


def test_the_worst_paths_are_replayed_with_real_transactions(aave, compound):
    for evaluation in (aave, compound):
        (market,) = evaluation.report.markets
        assert market.conformance.paths == 2  # the least; more paths replay more
        rows = {r.quantity: r for r in market.conformance.rows}
        assert rows["amount repaid in a liquidation"].compared > 0
        # Interest runs by the contracts' own clock between liquidations.
        assert market.conformance.largest_error < 1e-3


def test_depth_was_quoted_from_real_pools(aave):
    (trial,) = aave.trials
    assert all(r.liquidity.measured for r in trial.reading.before.reserves)


def test_the_other_family_goes_through_the_same_command(compound):
    assert compound.report.execution.way == "governance lifecycle"
    rows = {r.path: (r.before, r.after) for r in compound.report.parameters}
    assert rows == {"compound_v2.ETH.collateral_factor": (0.8, 0.74)}
    assert compound.report.markets[0].hurt.users > 0
    assert compound.report.proposal.family != ""


def test_it_says_what_chain_it_ran_on(aave):
    assert "real bytecode, seeded state" in aave.report.proposal.chain_name
    assert any("real bytecode, seeded state" in note for note in aave.report.notes)


def test_the_report_survives_a_round_trip(aave):
    again = ReportModel.model_validate_json(aave.report.model_dump_json())
    assert again == aave.report
    assert again.computed_digest() == aave.report.content_digest
    manifest = Manifest.model_validate_json(aave.manifest.model_dump_json())
    assert manifest.digest == aave.report.reproduce.digest


def test_the_same_request_gives_the_same_digests(aave):
    again = evaluate(aave.request)
    assert again.manifest.differences(aave.manifest) == ()
    assert again.report.content_digest == aave.report.content_digest


def test_another_seed_gives_other_paths_on_the_same_state(aave):
    request = aave.request
    other = evaluate(
        EvaluationRequest(
            governor=request.governor,
            proposal_id=request.proposal_id,
            paths=64,
            seed=1,
            attack_sequences=0,
        )
    )
    assert other.manifest.states == aave.manifest.states
    assert other.manifest.results != aave.manifest.results


def test_a_market_may_be_named_by_its_receipt_token(compound):
    said = [r.result for r in compound.report.text_against_payload]
    assert "agrees" in said
    assert "not mentioned" not in said
    assert compound.report.parameters[0].mentioned
