"""The beginnings of longer paths.

A process may use other random numbers for paths of another length, so that two
horizons are compared on the same paths only when both are cut from one length.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluator.errors import ConfigurationError
from evaluator.stress.calibration.report import CalibrationReport
from evaluator.stress.processes.process import PriceProcess

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class PrefixedProcess:
    """Another process's paths of a fixed length, cut to what is asked for."""

    base: PriceProcess  # whose paths are cut
    steps: int  # length they are drawn with

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
        """Return prices over the price at t0, shape (count, steps + 1, A).

        ConfigurationError for more steps than are drawn.
        """
        if steps > self.steps:
            raise ConfigurationError(
                f"paths of {steps} steps were asked for, they are cut from {self.steps}"
            )
        x = self.base.paths(seed=seed, first=first, count=count, steps=self.steps)
        return np.ascontiguousarray(x[:, : steps + 1])
