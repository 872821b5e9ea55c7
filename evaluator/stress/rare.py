"""Probabilities too small to be counted, by importance sampling.

The cross-entropy method (Rubinstein and Kroese, 2004) looks for the tilt under
which losses of the asked size are common: in each round the worst tenth of the
paths, weighted back to the law itself, says where to lean next. The estimate
is made with fresh paths from a mixture of the tilts found and the law itself,
weighted by the balance heuristic (Veach and Guibas, SIGGRAPH 1995), so that no
weight can exceed the inverse of the law's own share.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from evaluator.errors import Cancelled, ConfigurationError
from evaluator.market import Market
from evaluator.stress import estimate as est
from evaluator.stress.battery import Battery
from evaluator.stress.engine import PathModel, engine_named
from evaluator.stress.estimate import Estimate
from evaluator.stress.ledger import existing_bad_debt
from evaluator.stress.processes.process import FloatArray, PriceProcess
from evaluator.stress.threads import Flag
from evaluator.stress.tilt import Tilt, TiltedLaw, TiltedPaths
from evaluator.stress.universe import Universe

METHOD = "importance sampling (cross-entropy)"

# Share of a round's paths that decide where to lean next, and how far the tilt moves there.
_ELITE = 0.1
_SMOOTHING = 0.8
_ROUNDS = 12
# Share of the final sample that is drawn from the law itself.
_DEFENSIVE = 0.1
# An intensity is not raised above this many expected events in the horizon.
_MOST_EVENTS = 3.0
_BLOCK = 256


@dataclass(frozen=True, kw_only=True)
class RareEstimate:
    """A small probability and the mean loss that goes with it."""

    probability: Estimate  # P(new bad debt > level)
    expected_loss: Estimate  # USD of new bad debt
    level: float  # USD
    relative_error: float  # standard error of the probability over the probability
    effective_paths: float  # plain paths that would give the same standard error
    tilts: int  # laws in the mixture
    paths: int  # drawn in all, search included


@dataclass
class _Work:
    """The market as a function of paths."""

    law: TiltedLaw
    model: PathModel
    weights: FloatArray  # shape (A,); USD of collateral less debt by column
    seed: int
    cancelled: Flag | None
    drawn: int = 0

    def draw(self, tilt: Tilt, count: int) -> tuple[TiltedPaths, FloatArray]:
        """Draw fresh paths under a tilt; return them, without prices, and their losses."""
        parts, losses = [], []
        for start in range(0, count, _BLOCK):
            if self.cancelled is not None and self.cancelled.is_set():
                raise Cancelled("the search for rare events was stopped")
            n = min(_BLOCK, count - start)
            p = self.law.draw(tilt, seed=self.seed, first=self.drawn, count=n)
            self.drawn += n
            losses.append(self.model.simulate(p.relative).new_bad_debt)
            # How far the book's net worth fell at worst: tells paths without loss apart.
            fall = -((p.relative[:, 1:] - 1.0) @ self.weights).min(axis=1)
            parts.append((p.sums, p.events, p.shared, fall))
        joined = [np.concatenate(x) for x in zip(*parts, strict=True)]
        self.fall = joined[3]
        paths = TiltedPaths(
            relative=np.empty((count, 0, 0)), sums=joined[0], events=joined[1], shared=joined[2]
        )
        return paths, np.concatenate(losses)


def rare_probability(
    market: Market,
    *,
    process: PriceProcess,
    battery: Battery,
    seed: int,
    level: float | None = None,
    paths: int = 20_000,
    search: int = 1_000,
    today: Market | None = None,
    progress: Callable[[int, int], None] | None = None,
    cancelled: Flag | None = None,
) -> RareEstimate:
    """Return the probability that `market` loses more than `level` USD of new bad debt.

    `level` defaults to the battery's insolvency threshold, `paths` is the size
    of the final sample and `search` that of each round before. `today` fixes
    prices and existing bad debt when `market` is the proposed reading. Raises
    ConfigurationError for a process that is not a jump-diffusion.
    """
    if paths < 100 or search < 100:
        raise ConfigurationError(
            f"rare events need 100 paths or more to search and to estimate, got {search}, {paths}"
        )
    today = today or market
    level = battery.insolvency_threshold if level is None else level
    universe = Universe.of(today, market)
    work = _Work(
        law=TiltedLaw.of(process, battery.steps),
        model=engine_named("certificate")(
            market,
            columns=universe.after,
            universe=universe,
            battery=battery,
            existing=existing_bad_debt(today, universe.base[universe.before]),
        ),
        weights=_net_worth(market, universe),
        seed=seed,
        cancelled=cancelled,
    )
    tilts = _search(work, level, search, progress)
    mixture = [work.law.plain(), *tilts[-3:]]
    shares = [_DEFENSIVE, *[(1.0 - _DEFENSIVE) / len(mixture[1:])] * len(mixture[1:])]
    return _estimate(work, mixture, shares, level, paths, battery)


def _net_worth(market: Market, universe: Universe) -> FloatArray:
    A = len(market.reserves)
    net = (market.book.collateral.total(A) - market.book.debt.total(A)) * market.prices
    out = np.zeros(len(universe.assets))
    out[universe.after] = net
    return out / max(float(np.abs(out).sum()), 1e-300)


def _search(
    work: _Work, level: float, count: int, progress: Callable[[int, int], None] | None
) -> list[Tilt]:
    law, tilt, tilts = work.law, work.law.plain(), []
    for k in range(_ROUNDS):
        paths, losses = work.draw(tilt, count)
        # A loss counts for more than any fall without one.
        fall = work.fall
        score = np.where(losses > 0.0, losses, np.minimum(fall - fall.max() - 1.0, -1.0))
        elite = float(np.quantile(score, 1.0 - _ELITE))
        reached = elite >= level
        chosen = score >= min(elite, np.nextafter(level, np.inf))
        log_weight = -law.log_ratio(tilt, paths)[chosen]
        weight = np.exp(log_weight - log_weight.max())
        tilt = _lean(law, tilt, paths, chosen, weight / weight.sum())
        tilts.append(tilt)
        if progress is not None:
            progress(k + 1, _ROUNDS)
        if reached:
            break
    return tilts


def _lean(
    law: TiltedLaw, tilt: Tilt, paths: TiltedPaths, chosen: FloatArray, w: FloatArray
) -> Tilt:
    """Move a tilt towards the weighted mean of the chosen paths."""
    shift = w @ paths.sums[chosen] / law.steps
    events = w @ paths.events[chosen]
    expected = law.expected_events
    most = np.maximum(_MOST_EVENTS, expected)
    wanted = np.clip(events, 0.5 * expected, most)
    frequency = np.divide(wanted, expected, out=np.ones_like(wanted), where=expected > 0.0)
    total = float(events.sum())
    severity = float(w @ paths.shared[chosen].sum(axis=1)) / total if total > 0.0 else 0.0

    def mixed(new: FloatArray, old: FloatArray) -> FloatArray:
        return _SMOOTHING * new + (1.0 - _SMOOTHING) * old

    return Tilt(
        shift=mixed(shift, tilt.shift),
        frequency=mixed(frequency, tilt.frequency),
        severity=_SMOOTHING * severity + (1.0 - _SMOOTHING) * tilt.severity,
    )


def _estimate(
    work: _Work,
    mixture: Sequence[Tilt],
    shares: Sequence[float],
    level: float,
    total: int,
    battery: Battery,
) -> RareEstimate:
    counts = [max(round(total * s), 2) for s in shares]
    n = sum(counts)
    hits, lost, variance, loss_variance, events = 0.0, 0.0, 0.0, 0.0, 0
    for tilt, count in zip(mixture, counts, strict=True):
        paths, losses = work.draw(tilt, count)
        logs = np.stack([work.law.log_ratio(t, paths) for t in mixture])
        top = logs.max(axis=0)
        density = np.exp(logs - top) * (np.array(counts) / n)[:, None]
        weight = np.exp(-top) / density.sum(axis=0)
        hit = np.where(losses > level, weight, 0.0)
        loss = losses * weight
        hits += float(hit.sum()) / n
        lost += float(loss.sum()) / n
        # The sample is stratified by tilt: its variance is the sum of theirs.
        variance += count * float(hit.var(ddof=1)) / n**2
        loss_variance += count * float(loss.var(ddof=1)) / n**2
        events += int(np.count_nonzero(losses > level))
    z = est.normal_quantile(battery.level)

    def estimate(name: str, value: float, error: float, unit: str) -> Estimate:
        return Estimate(
            name=name,
            value=value,
            lower=max(value - z * error, 0.0),
            upper=value + z * error,
            level=battery.level,
            percentile=None,
            horizon=battery.horizon,
            samples=n,
            events=events,
            unit=unit,
        )

    error = math.sqrt(variance)
    return RareEstimate(
        probability=estimate("bad_debt_probability", hits, error, "fraction"),
        expected_loss=estimate("expected_bad_debt", lost, math.sqrt(loss_variance), "USD"),
        level=level,
        relative_error=error / hits if hits > 0.0 else math.inf,
        effective_paths=hits * (1.0 - hits) / variance if variance > 0.0 else float(n),
        tilts=len(mixture),
        paths=work.drawn,
    )
