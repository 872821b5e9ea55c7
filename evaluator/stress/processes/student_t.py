"""Fat-tailed returns that fall together: Student's t, alone and as a copula."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from scipy import stats

from evaluator.errors import ConfigurationError
from evaluator.stress.calibration.report import CalibrationReport
from evaluator.stress.processes import arithmetic, philox
from evaluator.stress.processes.anchors import AssetTree
from evaluator.stress.processes.assembly import PegLaw, assemble
from evaluator.stress.processes.correlation import cholesky
from evaluator.stress.processes.jumps import JumpLaw
from evaluator.stress.processes.process import YEAR, FloatArray, Sampling
from evaluator.stress.processes.variance import VarianceForecast

_MIXING_STREAM = (1 << 24) + 2  # of the common chi-square variable
_GRID = 4097  # points of the map between two t laws
_GRID_END = 12.0  # in asinh(x): |x| up to 81,377


@dataclass(frozen=True, kw_only=True, eq=False)
class StudentT:
    """Returns with a t copula, t marginals and, if given, GARCH(1,1) variances.

    One chi-square variable a step divides all normals of that step, so large
    moves come together even at correlation 0 (Demarta and McNeil 2005); in the
    `stress_share` of steps where it is smallest the correlation is
    `stress_correlation`. With equal degrees of freedom everywhere the law is
    multivariate t. Variances then follow v' = (1 - alpha - beta) long + alpha
    r^2 + beta v. Marginals have unit variance times v. A price with t returns
    has no finite mean in theory; the drift is that of a normal return of the
    same variance.
    """

    name: str  # "student_t" or "t_copula"
    tree: AssetTree  # assets, F free factors, K pegs
    step: float  # seconds
    drift: FloatArray  # shape (F,); growth of the price, per year
    variance: VarianceForecast  # of F factors; its reversion counts where alpha is 0
    alpha: FloatArray  # shape (F,); weight of the last squared return in the variance
    beta: FloatArray  # shape (F,); weight of the last variance; used where alpha is above 0
    degrees: float  # of freedom of the copula, above 2
    marginal_degrees: FloatArray  # shape (F,); of freedom of each return, above 2
    correlation: FloatArray  # shape (F, F); in calm steps
    stress_correlation: FloatArray  # shape (F, F); in stressed steps
    stress_share: float  # of steps, 0 to 1
    jumps: JumpLaw  # over F + K nodes; the depegs
    pegs: PegLaw  # K pegs
    calibration: CalibrationReport  # where the numbers come from
    sampling: Sampling = Sampling.PSEUDO  # see Sampling; the chi-square is always pseudo-random

    def __post_init__(self) -> None:
        """Raise ConfigurationError for impossible parameters."""
        if not self.step > 0.0:
            raise ConfigurationError(f"the step is {self.step} seconds; give more than 0")
        if not self.degrees > 2.0 or np.any(~(self.marginal_degrees > 2.0)):
            raise ConfigurationError("degrees of freedom must be above 2 for a finite variance")
        if np.any(~(self.alpha >= 0.0)) or np.any(~(self.beta >= 0.0)):
            raise ConfigurationError("GARCH weights must be 0 or more")
        if np.any(~(self.alpha + self.beta <= 1.0)):
            raise ConfigurationError("GARCH weights alpha + beta must not exceed 1")
        if not 0.0 <= self.stress_share <= 1.0:
            raise ConfigurationError(f"stress_share is {self.stress_share}; give 0 to 1")
        cholesky(self.correlation)
        cholesky(self.stress_correlation)

    @property
    def symbols(self) -> tuple[str, ...]:
        """Symbols of the A assets."""
        return self.tree.symbols

    def paths(self, *, seed: int, first: int, count: int, steps: int) -> FloatArray:
        """Return prices over the price at t0, shape (count, steps + 1, A)."""
        lower = np.stack([cholesky(self.correlation), cholesky(self.stress_correlation)])
        deviation = self.variance.step_deviations(step=self.step, steps=steps)
        free = len(self.tree.free)
        growth = (self.drift - self.jumps.compensator[:free]) * self.step / YEAR
        long_run = self.variance.volatility**2 * self.step / YEAR
        maps = np.zeros((free, _GRID))
        for f in range(free):
            maps[f] = marginal_map(self.degrees, float(self.marginal_degrees[f]))
        limit = float(stats.chi2.ppf(self.stress_share, self.degrees))
        key = philox.stream_key(seed)

        def diffuse(start: int, block: FloatArray) -> None:
            _mix(
                block,
                key,
                start,
                lower,
                self.degrees,
                limit,
                maps,
                deviation,
                growth,
                self.alpha,
                self.beta,
                long_run,
            )

        return assemble(
            tree=self.tree,
            pegs=self.pegs,
            jumps=self.jumps,
            diffuse=diffuse,
            extra_rows=0,
            step=self.step,
            sampling=self.sampling,
            seed=seed,
            first=first,
            count=count,
            steps=steps,
        )


def marginal_map(degrees: float, marginal_degrees: float) -> FloatArray:
    """Return asinh of unit-variance t quantiles on an even grid of asinh(x).

    x is t with `degrees`; the value has `marginal_degrees`. Linear between
    grid points the error stays below 1e-5 of the value.
    """
    grid = np.sinh(np.linspace(0.0, _GRID_END, _GRID))
    if marginal_degrees == degrees:
        mapped = grid
    else:
        tail = stats.t.sf(grid, degrees)
        mapped = stats.t.isf(tail, marginal_degrees)
        mapped[0] = 0.0
    unit = np.sqrt((marginal_degrees - 2.0) / marginal_degrees)
    return np.asarray(np.arcsinh(mapped * unit))


@njit(nogil=True, cache=True, error_model="numpy")
def _chi_square(key: np.uint64, path: np.int64, degrees: float, index: int) -> tuple[float, int]:
    """Return a chi-square and the next unused index (Marsaglia and Tsang 2000)."""
    d = 0.5 * degrees - 1.0 / 3.0
    c = 1.0 / np.sqrt(9.0 * d)
    while True:
        z, _ = philox.normal_pair(key, path, _MIXING_STREAM, index)
        u, _ = philox.uniform_pair(key, path, _MIXING_STREAM, index + 1)
        index += 2
        w = 1.0 + c * z
        if w > 0.0:
            w = w * w * w
            if arithmetic.log(u) < 0.5 * z * z + d - d * w + d * arithmetic.log(w):
                return 2.0 * d * w, index


@njit(nogil=True, cache=True, error_model="numpy")
def _mix(
    block: FloatArray,
    key: np.uint64,
    first: int,
    lower: FloatArray,
    degrees: float,
    limit: float,
    maps: FloatArray,
    deviation: FloatArray,
    growth: FloatArray,
    alpha: FloatArray,
    beta: FloatArray,
    long_run: FloatArray,
) -> None:
    paths, _, steps = block.shape
    factors = growth.shape[0]
    width = _GRID_END / (_GRID - 1)
    variance = np.empty(factors)
    for r in range(paths):
        path = np.int64(first + r)
        index = 0
        for f in range(factors):
            variance[f] = deviation[f, 0] * deviation[f, 0]
        for s in range(steps):
            chi, index = _chi_square(key, path, degrees, index)
            stretch = np.sqrt(degrees / chi)
            stressed = 1 if chi < limit else 0
            for f in range(factors - 1, -1, -1):
                z = 0.0
                for g in range(f + 1):
                    z += lower[stressed, f, g] * block[r, g, s]
                x = stretch * z
                size = abs(x)
                place = arithmetic.log(size + np.sqrt(size * size + 1.0)) / width
                i = min(int(place), _GRID - 2)
                mapped = maps[f, i] + (place - i) * (maps[f, i + 1] - maps[f, i])
                grown = arithmetic.exp(mapped)
                unit = 0.5 * (grown - 1.0 / grown)
                v = variance[f] if alpha[f] > 0.0 else deviation[f, s] * deviation[f, s]
                move = np.sqrt(v) * (unit if x >= 0.0 else -unit)
                block[r, f, s] = move - 0.5 * v + growth[f]
                variance[f] = (
                    (1.0 - alpha[f] - beta[f]) * long_run[f] + alpha[f] * move * move + beta[f] * v
                )
