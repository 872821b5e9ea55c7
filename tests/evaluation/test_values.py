"""Safe values and sweeps on the embedded chain."""

import pytest

from evaluator.cli.main import main
from evaluator.errors import ConfigurationError
from evaluator.evaluation import EvaluationRequest, Silence
from evaluator.evaluation.values import open_bench

pytestmark = [pytest.mark.chain]

THRESHOLD = "aave_v3.WETH.liquidation_threshold"


@pytest.fixture(scope="module")
def bench():
    return open_bench(EvaluationRequest(paths=500), (), [THRESHOLD], Silence())


def test_a_safe_value_lies_between_todays_and_the_one_asked_for(bench):
    found = bench.recommend([f"{THRESHOLD}=0.9"], "P(insolvency) <= today")
    ((path, today, towards, safe),) = found.rows
    assert (path, today, towards) == (THRESHOLD, "82.5%", "90%")
    assert found.kept
    assert 82.5 <= float(safe.rstrip("%")) < 90.0
    assert "500 paths" in found.sentence


def test_a_promise_that_holds_today_needs_no_change(bench):
    found = bench.recommend([THRESHOLD], "P(insolvency) <= 0.5")
    assert found.rows[0][3] == "82.5%"


def test_a_promise_nothing_keeps_is_said(bench):
    found = bench.recommend([THRESHOLD], "E(bad debt) <= 0")
    assert not found.kept
    assert found.rows[0][3] == "none"


def test_a_higher_threshold_never_lowers_the_odds_on_the_same_paths(bench):
    rows = bench.sweep([(THRESHOLD, [0.78, 0.82, 0.86])], "P(insolvency)")
    odds = [float(row[1]) for row in rows]
    assert odds == sorted(odds)


def test_unknown_parameters_and_promises_are_refused(bench):
    with pytest.raises(ConfigurationError, match="no parameter"):
        bench.recommend(["aave_v3.WETH.colour=1"], "P(insolvency) <= 0.1")
    with pytest.raises(ConfigurationError, match="promise"):
        bench.recommend([THRESHOLD], "be good")
    with pytest.raises(ConfigurationError, match="draft --list"):
        open_bench(EvaluationRequest(), (), ["nothing.at.all"], Silence())


def test_a_malformed_range_says_how_to_write_one(capsys):
    assert main(["sweep", "-p", f"{THRESHOLD}=high"]) == 64
    assert "LOW:HIGH:POINTS" in capsys.readouterr().err
