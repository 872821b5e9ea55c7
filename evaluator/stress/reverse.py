"""Reverse stress test: the most plausible scenario that reaches a given loss.

Scenarios are moves of all assets together, in a straight line of the logarithm
over some hours and lasting to the horizon. How far one is from an ordinary
week is its Mahalanobis distance in the moments of the price process's own
paths at the horizon; the search finds the least distance at which the market,
with its liquidators, loses what was asked. It is the design point of the
first-order reliability method (Breuer et al., "How to find plausible, severe
and useful stress scenarios", IJCB 5(3), 2009).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import cma
import numpy as np
from numpy.typing import NDArray
from scipy import stats

from evaluator.errors import ConfigurationError
from evaluator.market import Market
from evaluator.stress.battery import Battery
from evaluator.stress.engine import PathModel, engine_named
from evaluator.stress.ledger import existing_bad_debt
from evaluator.stress.processes.process import PriceProcess
from evaluator.stress.universe import Universe

FloatArray = NDArray[np.float64]

# Paths the moments of the law are taken from.
MOMENT_PATHS = 4096
# Directions of the moves' covariance that carry less than this share of its trace are noise.
_LEAST_SHARE = 1e-6
# Distances tried along each direction, standard deviations.
_FURTHEST = 12.0
_RUNGS = 24
_BISECTIONS = 6
HOUR = 3600.0


@dataclass(frozen=True, kw_only=True, eq=False)
class ReverseStress:
    """The most plausible way to a loss, or how far it was looked for in vain."""

    loss: float  # USD of new bad debt that was asked for
    hours: float  # over which prices move
    symbols: tuple[str, ...]  # A assets
    move: FloatArray | None  # shape (A,); price over price at the start less 1; None: not found
    reached: float  # USD of new bad debt in the scenario
    distance: float  # Mahalanobis, standard deviations; where the search ended if not found
    chance: float  # of a normal variable beyond the distance
    sampled: float  # share of the process's own paths at least as far in this direction
    samples: int  # paths that share is of

    @property
    def direction_found(self) -> bool:
        """Whether a scenario reaches the loss."""
        return self.move is not None


@dataclass(frozen=True)
class _Law:
    """Moments of log moves at the horizon and the directions that matter."""

    mean: FloatArray  # shape (A,)
    root: FloatArray  # shape (A, D); log move = mean + root @ z, z of unit covariance
    inverse: FloatArray  # shape (D, A); z = inverse @ (log move - mean)
    moves: FloatArray  # shape (P, A); of the sample


def _law(process: PriceProcess, battery: Battery, seed: int) -> _Law:
    moves = np.log(
        process.paths(seed=seed, first=0, count=MOMENT_PATHS, steps=battery.steps)[:, -1]
    )
    mean = moves.mean(axis=0)
    values, vectors = np.linalg.eigh(np.cov(moves, rowvar=False).reshape(len(mean), -1))
    kept = values > _LEAST_SHARE * values.sum()
    if not kept.any():
        raise ConfigurationError("the price process does not move; there is no scenario to find")
    scale = np.sqrt(values[kept])
    root = vectors[:, kept] * scale
    return _Law(mean=mean, root=root, inverse=(vectors[:, kept] / scale).T, moves=moves)


class _Search:
    """Losses of scenarios given by z, many at a time."""

    def __init__(self, model: PathModel, law: _Law, steps: int, ramp: int) -> None:
        self.model, self.law = model, law
        self.profile = np.minimum(np.arange(steps + 1) / ramp, 1.0)

    def losses(self, z: FloatArray) -> FloatArray:
        """New bad debt of scenarios z, shape (M, D), USD."""
        move = self.law.mean + z @ self.law.root.T
        paths = np.exp(self.profile[None, :, None] * move[:, None, :])
        return np.asarray(self.model.simulate(paths).new_bad_debt)

    def radius(self, directions: FloatArray, loss: float) -> FloatArray:
        """Least distance at which each direction, shape (M, D), reaches the loss; inf for never."""
        unit = directions / np.linalg.norm(directions, axis=1, keepdims=True)
        rungs = np.linspace(_FURTHEST / _RUNGS, _FURTHEST, _RUNGS)
        points = unit[:, None, :] * rungs[None, :, None]
        M, D = unit.shape
        reached = self.losses(points.reshape(M * _RUNGS, D)).reshape(M, _RUNGS) >= loss
        found = reached.any(axis=1)
        first = reached.argmax(axis=1)
        high = np.where(found, rungs[first], np.inf)
        low = np.where(first > 0, rungs[np.maximum(first - 1, 0)], 0.0)
        for _ in range(_BISECTIONS):
            middle = np.where(found, 0.5 * (low + np.where(found, high, 1.0)), 1.0)
            there = self.losses(unit * middle[:, None]) >= loss
            high = np.where(found & there, middle, high)
            low = np.where(found & ~there, middle, low)
        return high


def reverse_stress(
    market: Market,
    loss: float,
    *,
    process: PriceProcess,
    battery: Battery,
    seed: int,
    hours: float = 24.0,
    today: Market | None = None,
    generations: int = 40,
    progress: Callable[[int, int], None] | None = None,
) -> ReverseStress:
    """Return the most plausible scenario in which `market` loses `loss` USD of new bad debt.

    `today` fixes prices and existing bad debt when `market` is the proposed
    reading. Raises ConfigurationError for a loss that is not positive.
    """
    if not loss > 0.0:
        raise ConfigurationError(f"the loss to look for must be above 0 USD, got {loss}")
    today = today or market
    universe = Universe.of(today, market)
    existing = existing_bad_debt(today, universe.base[universe.before])
    law = _law(process, battery, seed)
    model = engine_named("certificate")(
        market,
        columns=universe.after,
        universe=universe,
        battery=replace(battery, paths=1),
        existing=existing,
    )
    ramp = max(min(round(hours * HOUR / battery.step), battery.steps), 1)
    search = _Search(model, law, battery.steps, ramp)
    D = law.root.shape[1]
    best, z = np.inf, np.zeros(D)
    starts = np.concatenate([np.eye(D), -np.eye(D), _all_down(law)])
    for direction, radius in zip(starts, search.radius(starts, loss), strict=True):
        if radius < best:
            best, z = float(radius), direction / np.linalg.norm(direction) * radius
    if D > 1:
        best, z = _refine(search, loss, best, z, seed, generations, progress)
    if not math.isfinite(best):
        return ReverseStress(
            loss=loss,
            hours=hours,
            symbols=universe.symbols,
            move=None,
            reached=0.0,
            distance=_FURTHEST,
            chance=float(stats.norm.sf(_FURTHEST)),
            sampled=0.0,
            samples=MOMENT_PATHS,
        )
    unit = z / best
    along = (law.moves - law.mean) @ law.inverse.T @ unit
    return ReverseStress(
        loss=loss,
        hours=hours,
        symbols=universe.symbols,
        move=np.expm1(law.mean + law.root @ z),
        reached=float(search.losses(z[None, :])[0]),
        distance=best,
        chance=float(stats.norm.sf(best)),
        sampled=float((along >= best).mean()),
        samples=MOMENT_PATHS,
    )


def _all_down(law: _Law) -> FloatArray:
    """Every asset down, and up, in proportion to its own deviation, as directions of z."""
    deviation = law.moves.std(axis=0)
    down = law.inverse @ -deviation
    return np.stack([down, -down])


def _refine(
    search: _Search,
    loss: float,
    best: float,
    z: FloatArray,
    seed: int,
    generations: int,
    progress: Callable[[int, int], None] | None,
) -> tuple[float, FloatArray]:
    """Turn the direction until the distance is least (CMA-ES)."""
    start = z / best if math.isfinite(best) else _all_down(search.law)[0]
    start = start / np.linalg.norm(start)
    # cma reads seed 0 as "use the clock".
    strategy = cma.CMAEvolutionStrategy(
        start.tolist(), 0.3, {"seed": seed + 1, "verbose": -9, "popsize": 16}
    )
    for generation in range(generations):
        asked = strategy.ask()
        directions = np.array(asked)
        radii = search.radius(directions, loss)
        strategy.tell(asked, np.where(np.isfinite(radii), radii, 2.0 * _FURTHEST).tolist())
        k = int(np.argmin(radii))
        if radii[k] < best:
            best = float(radii[k])
            z = directions[k] / np.linalg.norm(directions[k]) * best
        if progress is not None:
            progress(generation + 1, generations)
        if strategy.stop():
            break
    return best, z
