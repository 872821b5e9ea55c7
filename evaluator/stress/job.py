"""A battery as numbered blocks of paths, runnable wherever the job can be sent.

A block's paths follow from the seed and their numbers alone and every
parameter set meets the same ones (common random numbers), so neither the
worker nor the order in which blocks finish can change a digit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluator.errors import ConfigurationError
from evaluator.market import Market
from evaluator.stress.battery import Battery
from evaluator.stress.engine import Engine, PathModel
from evaluator.stress.outcome import Outcome
from evaluator.stress.processes.process import PriceProcess
from evaluator.stress.universe import Universe

# Large enough to hide the cost of a call, small enough to stay in a core's cache.
PATHS_PER_BLOCK = 64


@dataclass(frozen=True, kw_only=True, eq=False)
class Job:
    """Parameter sets and the paths to run them on."""

    markets: tuple[tuple[Market, NDArray[np.int64]], ...]  # each with its columns
    universe: Universe  # of all of them
    existing: float  # USD of bad debt before the first step
    process: PriceProcess  # where the paths come from
    battery: Battery  # settings
    seed: int  # of the paths
    engine: Engine  # how they are run
    first: int = 0  # number of the first path; those before it were run already

    def __post_init__(self) -> None:
        """Raise ConfigurationError when process and battery do not fit."""
        if abs(self.process.step / self.battery.step - 1.0) > 1e-9:
            raise ConfigurationError(
                f"price process {self.process.name} makes steps of {self.process.step:g} s, the "
                f"battery of {self.battery.step:g} s; make the process with the battery's step"
            )

    @property
    def paths(self) -> int:
        """Number of paths to run."""
        return self.battery.paths - self.first

    def __len__(self) -> int:
        return -(-self.paths // PATHS_PER_BLOCK)

    def count(self, block: int) -> int:
        """Return how many paths a block has."""
        return min(PATHS_PER_BLOCK, self.paths - block * PATHS_PER_BLOCK)

    def models(self) -> tuple[PathModel, ...]:
        """Make every parameter set ready, once for all blocks."""
        return tuple(
            self.engine(
                market,
                columns=columns,
                universe=self.universe,
                battery=self.battery,
                existing=self.existing,
            )
            for market, columns in self.markets
        )

    def run(self, block: int, models: tuple[PathModel, ...]) -> tuple[Outcome, ...]:
        """Draw a block's paths once and simulate every parameter set on them."""
        count, steps = self.count(block), self.battery.steps
        relative = self.process.paths(
            seed=self.seed, first=self.first + block * PATHS_PER_BLOCK, count=count, steps=steps
        )
        expected = (count, steps + 1, len(self.universe.assets))
        if relative.shape != expected:
            raise ConfigurationError(
                f"price process {self.process.name}: paths of shape {expected} (paths, steps + 1, "
                f"assets) expected, got {relative.shape}"
            )
        return tuple(m.simulate(relative) for m in models)
