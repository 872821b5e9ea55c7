"""The pytest plugin, in a project of its own."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from evaluator.data_files import cache_root, data_path
from evaluator.errors import ConfigurationError, IncompleteState
from evaluator.pytest_plugin import MarketOdds, Odds, Seatrial, Trial
from evaluator.stress.estimate import Estimate

pytest_plugins = ["pytester"]

CACHE = cache_root()
QUIET = ("-p", "no:pytest-brownie", "-p", "no:cacheprovider", "-p", "no:randomly")


def estimate(value: float, upper: float) -> Estimate:
    return Estimate(
        name="p",
        value=value,
        lower=0.0,
        upper=upper,
        level=0.95,
        percentile=None,
        horizon=604800.0,
        samples=100,
        events=1,
        unit="fraction",
    )


def odds(*ends: float) -> Odds:
    chance, mean, tail = (estimate(e / 2, e) for e in ends)
    return Odds(p_insolvency=chance, expected_bad_debt=mean, expected_shortfall_99=tail)


def test_it_loads_nothing_heavy(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys

        def test_light(pytestconfig):
            assert pytestconfig.getoption("--seatrial-report") is None
            assert "evaluator.pytest_plugin" in sys.modules
            heavy = {"numpy", "scipy", "numba", "web3", "matplotlib", "pydantic", "requests"}
            assert not heavy & set(sys.modules)
        """
    )
    pytester.runpytest_subprocess(
        *QUIET, "-p", "no:hypothesispytest", "-p", "no:web3"
    ).assert_outcomes(passed=1)


def test_the_fixture_and_its_option_are_listed(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_nothing(): pass")
    out = pytester.runpytest_subprocess(*QUIET, "--fixtures", "--help").stdout.str()
    assert "--seatrial-report" in out


def test_no_proposal_named(tmp_path) -> None:
    with pytest.raises(ConfigurationError, match="no proposal was named"):
        Seatrial(tmp_path).evaluate(governor="0x" + "11" * 20)
    with pytest.raises(ConfigurationError, match="two proposals"):
        Seatrial(tmp_path).evaluate(file="a.json", proposal=1, governor="0x" + "11" * 20)


def test_over_several_markets_each_number_is_the_worst(tmp_path) -> None:
    one = MarketOdds(baseline=odds(0.1, 5, 9), proposed=odds(0.1, 9, 9), difference=odds(1, 1, 1))
    two = MarketOdds(baseline=odds(0.2, 4, 9), proposed=odds(0.3, 2, 8), difference=odds(1, 2, 1))
    both = Trial(
        verdict="PASS", markets={"a": one, "b": two}, report=SimpleNamespace(), folder=tmp_path
    )
    assert both.baseline == odds(0.2, 5, 9)
    assert both.proposed == odds(0.3, 9, 9)
    assert both.difference == odds(1, 2, 1)


def test_without_a_market_the_odds_say_so(tmp_path) -> None:
    none = Trial(verdict="FAIL", markets={}, report=SimpleNamespace(), folder=tmp_path)
    with pytest.raises(IncompleteState, match="no odds"):
        _ = none.proposed


@pytest.mark.slow
@pytest.mark.chain
def test_a_proposal_is_evaluated_and_leaves_its_report(
    pytester: pytest.Pytester, whole_chain, deployment, monkeypatch
) -> None:
    from evaluator import propose_weth_threshold_cut

    # The project has a home of its own, and in it there is no compiled kernel.
    monkeypatch.setenv("SEATRIAL_CACHE", str(CACHE))

    proposed = propose_weth_threshold_cut(whole_chain, deployment)
    # The whole search for attacks has tests of its own.
    policy = (data_path("templates") / "policy.toml").read_text(encoding="utf-8")
    (pytester.path / "policy.toml").write_text(policy.replace("sequences = 200", "sequences = 4"))
    pytester.makepyfile(
        f"""
        def test_survival(seatrial):
            trial = seatrial.evaluate(
                governor={proposed.governor!r},
                proposal={proposed.proposal_id},
                rpc={whole_chain.rpc.urls[0]!r},
                paths=32,
                policy="policy.toml",
            )
            assert trial.verdict == "FAIL"
            assert trial.report.headline.verdict == "FAIL"
            assert list(trial.markets) == ["Aave V3"]
            for odds in (trial.baseline, trial.proposed, trial.difference):
                assert odds.p_insolvency.samples == 32
                assert odds.p_insolvency.lower <= odds.p_insolvency.value
                assert odds.expected_bad_debt.value <= odds.expected_bad_debt.upper
                assert odds.expected_shortfall_99.percentile == 0.99
            assert (trial.folder / "report.html").is_file()
        """
    )
    result = pytester.runpytest_subprocess(*QUIET, "--seatrial-report", "kept")
    result.assert_outcomes(passed=1)
    reports = sorted(pytester.path.glob("kept/*/report.json"))
    assert len(reports) == 1
    assert json.loads(reports[0].read_bytes())["headline"]["verdict"] == "FAIL"
