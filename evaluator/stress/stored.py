"""Paths drawn once and used again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluator.errors import ConfigurationError
from evaluator.stress.calibration.report import CalibrationReport
from evaluator.stress.processes.process import PriceProcess

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class StoredPaths:
    """The first paths of another process under one seed, kept in memory."""

    base: PriceProcess  # where they come from
    seed: int  # they were drawn with
    relative: FloatArray  # shape (P, S + 1, A)

    @classmethod
    def draw(cls, base: PriceProcess, *, seed: int, paths: int, steps: int) -> StoredPaths:
        """Draw the first `paths` paths of `steps` steps."""
        drawn = base.paths(seed=seed, first=0, count=paths, steps=steps)
        return cls(base=base, seed=seed, relative=drawn)

    @property
    def name(self) -> str:
        """Name of the process underneath."""
        return self.base.name

    @property
    def symbols(self) -> tuple[str, ...]:
        """Symbols of the A assets."""
        return self.base.symbols

    @property
    def step(self) -> float:
        """Length of a step in seconds."""
        return self.base.step

    @property
    def calibration(self) -> CalibrationReport:
        """Where the parameters of the process underneath come from."""
        return self.base.calibration

    def paths(self, *, seed: int, first: int, count: int, steps: int) -> FloatArray:
        """Return stored paths. ConfigurationError for any that were not drawn."""
        P, rows, _ = self.relative.shape
        if seed != self.seed or first < 0 or first + count > P or steps >= rows:
            raise ConfigurationError(
                f"paths {first} to {first + count} of {steps} steps with seed {seed} were asked "
                f"for; {P} of {rows - 1} steps with seed {self.seed} are stored"
            )
        return self.relative[first : first + count, : steps + 1]
