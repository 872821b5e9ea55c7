"""What every price process promises."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from evaluator.errors import ConfigurationError
from evaluator.stress.price_process import PriceProcess, Sampling


def test_paths_are_positive_relative_prices_starting_at_one(process, two_hundred):
    assert two_hundred.shape == (200, 49, 5)
    assert process.symbols == ("WETH", "wstETH", "WBTC", "USDC", "LINK")
    assert np.all(two_hundred[:, 0] == 1.0)
    assert np.all(np.isfinite(two_hundred))
    assert np.all(two_hundred > 0.0)


@pytest.mark.parametrize(("first", "count"), [(0, 1), (63, 2), (1, 130), (199, 1)])
def test_a_path_does_not_depend_on_its_block(process, two_hundred, first, count):
    again = process.paths(seed=7, first=first, count=count, steps=48)
    assert np.array_equal(again, two_hundred[first : first + count])


@pytest.mark.parametrize("sampling", [Sampling.ANTITHETIC, Sampling.SOBOL])
def test_a_path_does_not_depend_on_its_block_under_any_sampling(process, sampling):
    chosen: PriceProcess = replace(process, sampling=sampling)  # type: ignore[type-var]
    whole = chosen.paths(seed=7, first=0, count=140, steps=24)
    again = chosen.paths(seed=7, first=65, count=66, steps=24)
    assert np.array_equal(again, whole[65:131])


def test_threads_see_the_same_paths(process, two_hundred):
    with ThreadPoolExecutor(4) as pool:
        parts = pool.map(
            lambda first: process.paths(seed=7, first=first, count=25, steps=48),
            range(0, 200, 25),
        )
        assert np.array_equal(np.concatenate(list(parts)), two_hundred)


def test_zero_is_a_seed_and_seeds_differ(process, two_hundred):
    zero = process.paths(seed=0, first=0, count=3, steps=48)
    assert np.array_equal(zero, process.paths(seed=0, first=0, count=3, steps=48))
    assert not np.array_equal(zero, two_hundred[:3])


def test_paths_differ_from_each_other(two_hundred):
    assert len(np.unique(two_hundred[:, -1, 0])) == 200


def test_the_stable_coin_and_the_staked_coin_keep_to_their_anchors(two_hundred):
    assert np.abs(np.log(two_hundred[:, -1, 3])).max() < 0.4
    ratio = np.log(two_hundred[:, -1, 1] / two_hundred[:, -1, 0])
    assert ratio.std() < 0.25 * np.log(two_hundred[:, -1, 0]).std()


@pytest.mark.parametrize("name", ["seed", "first", "count", "steps"])
def test_negative_addresses_are_refused(process, name):
    arguments = {"seed": 0, "first": 0, "count": 1, "steps": 1, name: -1}
    with pytest.raises(ConfigurationError, match=name):
        process.paths(**arguments)


def test_no_steps_and_no_paths_are_allowed(process):
    assert np.all(process.paths(seed=0, first=0, count=2, steps=0) == 1.0)
    assert process.paths(seed=0, first=0, count=0, steps=3).shape == (0, 4, 5)
