"""What every price process is."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from evaluator.stress.calibration.report import CalibrationReport

FloatArray: TypeAlias = NDArray[np.float64]

YEAR = 365.0 * 86400.0  # seconds; the year of every rate and volatility


class Sampling(StrEnum):
    """How the normal numbers behind the paths are chosen."""

    PSEUDO = "independent"  # independent paths
    ANTITHETIC = "antithetic"  # paths 2k and 2k + 1 mirror each other's normals
    SOBOL = "sobol"  # points of SCRAMBLINGS independently scrambled Sobol sequences in turn


# Runs of SOBOL_RUN paths are taken from each scrambling in turn.
SCRAMBLINGS, SOBOL_RUN = 16, 64


class PriceProcess(Protocol):
    """A law of joint market prices.

    Prices are exogenous: what the market would do without the liquidations
    that the battery adds. Path p depends on (seed, p) alone, never on the block
    it is computed in.
    """

    @property
    def name(self) -> str:
        """Name under `seatrial.price_processes`."""

    @property
    def symbols(self) -> tuple[str, ...]:
        """Symbols of the A assets, in the order of the paths' last axis."""

    @property
    def step(self) -> float:
        """Length of a step in seconds."""

    @property
    def calibration(self) -> CalibrationReport:
        """Where the parameters come from."""

    def paths(self, *, seed: int, first: int, count: int, steps: int) -> FloatArray:
        """Return prices over the price at t0 of paths first .. first + count - 1.

        Shape (count, steps + 1, A), 1.0 at step 0. Raises ConfigurationError
        for a negative seed, first, count or steps.
        """
