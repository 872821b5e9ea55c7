"""Safe values and sweeps on the embedded chain."""

from dataclasses import replace

import pytest

from evaluator.cli.main import main
from evaluator.errors import ConfigurationError
from evaluator.evaluation import EvaluationRequest, Silence
from evaluator.evaluation.values import open_bench
from evaluator.stress.battery import Battery

pytestmark = [pytest.mark.chain]

THRESHOLD = "aave_v3.WETH.liquidation_threshold"


@pytest.fixture(scope="module")
def bench():
    return open_bench(EvaluationRequest(paths=200), (), [THRESHOLD], Silence())


def test_a_safe_value_lies_between_todays_and_the_one_asked_for(bench):
    found = bench.recommend([f"{THRESHOLD}=0.9"], "P(insolvency) <= today")
    ((path, today, towards, safe),) = found.rows
    assert (path, today, towards) == (THRESHOLD, "82.5%", "90%")
    assert found.kept
    assert 82.5 <= float(safe.rstrip("%")) < 90.0
    assert "200 paths" in found.sentence


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


def test_another_law_can_be_asked_for(bench):
    """A shock of the scenario shows in the odds, and the answer says under which law it holds."""
    other = open_bench(
        EvaluationRequest(paths=100, process="gbm", scenario="black_thursday"),
        (),
        [THRESHOLD],
        Silence(),
    )
    row = other.sweep([(THRESHOLD, [0.82, 0.83])], "lar95")[0]
    calm = bench.sweep([(THRESHOLD, [0.82, 0.83])], "lar95")[0]
    assert float(row[1]) > 2.0 * float(calm[1])
    found = other.recommend([f"{THRESHOLD}=0.83"], "P(insolvency) <= 1")
    assert "100 paths of gbm under black_thursday" in found.sentence


def test_rare_losses_are_rarer_the_larger_they_are(bench):
    """In range of plain paths the chance is theirs; far beyond, it has an error all the same."""
    small, large = replace(bench, battery=Battery(paths=1_000)).rare([1e5, 3e6])
    assert 0.0 < large.probability.value < small.probability.value
    assert large.relative_error < 0.5
    rows = bench.sweep([(THRESHOLD, [0.825, 0.83])], "P(bad debt)")  # above 50,000 USD
    assert small.probability.lower <= float(rows[0][3])
    assert "weighted paths of jump_diffusion" in bench.rare_sentence((small, large))


def test_a_market_is_named_where_there_are_several(capsys):
    assert main(["rare", "--loss", "1e6", "--quiet"]) == 64
    assert "give --market" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "code", "words"),
    [
        (["--process", "tea_leaves"], 64, "no price process"),
        (["--scenario", "rain"], 64, "no scenario"),
        (["--prices", "missing.csv"], 14, "missing.csv"),
    ],
)
def test_a_bad_law_is_told_at_once(capsys, option, code, words):
    for command in (["recommend", "-p", THRESHOLD], ["sweep", "-p", f"{THRESHOLD}=0.8:0.9:2"]):
        assert main([*command, *option]) == code
        assert words in capsys.readouterr().err


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
