"""Another price process, and a file of prices instead of feed rounds."""

from dataclasses import replace

import numpy as np
import pytest

from evaluator.cli.evaluation import request_of
from evaluator.errors import ConfigurationError
from evaluator.evaluation.request import EvaluationRequest, Silence
from evaluator.evaluation.stressing import histories_of, independently, stress
from evaluator.stress.battery import Battery
from evaluator.stress.processes.process import Sampling


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """Two months of hourly WETH prices of 200% volatility a year."""
    rng = np.random.default_rng(0)
    hours = np.arange(60 * 24)
    moves = 2.0 / np.sqrt(24 * 365) * rng.standard_normal(len(hours))
    price = 2_000.0 * np.exp(np.cumsum(moves))
    path = tmp_path_factory.mktemp("prices") / "weth.csv"
    rows = [f"{1_700_000_000 + 3600 * h},WETH,{p}" for h, p in zip(hours, price, strict=True)]
    path.write_text("timestamp,symbol,price\n" + "\n".join(rows) + "\n")
    return path


def stressed(aave, *, battery=None, **changes):
    reading = aave.trials[0].reading
    return stress(
        reading.before,
        reading,
        reading.after,
        battery=battery or Battery(paths=64),
        # A scenario of its own leaves the library out.
        request=EvaluationRequest(paths=64, scenario="no_keepers", **changes),
        name="Aave V3",
        progress=Silence(),
    )


def volatility(result, symbol):
    asset = next(a for a in result.calibration.assets if a.symbol == symbol)
    return next(e.value for e in asset.estimates if "volatility" in e.name)


def test_a_file_of_prices_replaces_the_rounds_of_its_assets(aave, file):
    reading = aave.trials[0].reading
    told = histories_of(reading, EvaluationRequest(prices=file))
    assert sorted(h.symbol for h in told) == sorted(h.symbol for h in reading.histories)
    plain, wild = stressed(aave), stressed(aave, prices=file)
    assert volatility(wild, "WETH") > 2.0 * volatility(plain, "WETH")
    assert volatility(wild, "WBTC") == volatility(plain, "WBTC")


def test_another_process_can_be_asked_for(aave):
    assert stressed(aave, process="gbm").calibration.process == "gbm"
    with pytest.raises(ConfigurationError, match="no price process"):
        stressed(aave, process="tea_leaves")


@pytest.mark.parametrize("sampling", [Sampling.ANTITHETIC, Sampling.SOBOL])
def test_another_sampling_reaches_the_paths_and_the_intervals(aave, sampling):
    plain = stressed(aave, battery=Battery(paths=128))
    other = stressed(aave, battery=Battery(paths=128, sampling=sampling))
    assert other.pair.digest() != plain.pair.digest()
    assert other.pair.digest() == (
        stressed(aave, battery=Battery(paths=128, sampling=sampling)).pair.digest()
    )
    for result in (plain, other):
        interest = result.odds.before.expected_interest
        assert interest.lower < interest.value < interest.upper
    alone = independently(replace(other, process=other.process.process))
    assert alone.battery.sampling is Sampling.PSEUDO
    assert np.array_equal(
        alone.process.paths(seed=0, first=0, count=2, steps=3),
        plain.process.process.paths(seed=0, first=0, count=2, steps=3),
    )


def test_a_replay_draws_its_paths_as_the_manifest_says(aave, tmp_path):
    manifest = aave.manifest.model_copy(update={"sampling": "sobol"})
    assert request_of(manifest, tmp_path, (), tmp_path).sampling == "sobol"
    assert "sampling" not in manifest.battery
