"""A price process with one assumption moved, on the same random numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluator.stress.calibration.report import CalibrationReport
from evaluator.stress.processes.process import PriceProcess

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class BumpedProcess:
    """Another process's paths with a price jump at the start and scaled log moves.

    With `volatility` v the log price is v times the process's own: drift,
    jumps and pegs' deviations scale with it.
    """

    base: PriceProcess  # whose random numbers are used
    jump: FloatArray | None = None  # shape (A,); prices times this from step 1 on; None for 1
    volatility: float = 1.0  # factor of every log move

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
        """Return prices over the price at t0, shape (count, steps + 1, A)."""
        x = self.base.paths(seed=seed, first=first, count=count, steps=steps)
        if self.volatility != 1.0:
            x = x**self.volatility
        if self.jump is not None:
            x = x.copy()
            x[:, 1:] *= self.jump
        return x
