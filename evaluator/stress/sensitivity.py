"""Which assumptions drive the result: a tornado, and Sobol indices.

The indices are those of I. M. Sobol', estimated by SALib after Saltelli et al.
(Computer Physics Communications 181, 2010): first order, the share of the
metric's variance that goes when an assumption alone becomes known; total, the
share that stays while it alone is unknown. Every evaluation runs on the same
price paths, so the variance is that of the assumptions and not of the sample.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from SALib.analyze import sobol as sobol_analysis
from SALib.sample import sobol as sobol_sample

from evaluator.errors import ConfigurationError
from evaluator.market import AssetClass, Market
from evaluator.stress.battery import Battery
from evaluator.stress.bump import BumpedProcess
from evaluator.stress.engine import engine_named
from evaluator.stress.ledger import existing_bad_debt
from evaluator.stress.metrics import survival_metric
from evaluator.stress.processes.process import PriceProcess
from evaluator.stress.stored import StoredPaths
from evaluator.stress.trial import Flag, simulate
from evaluator.stress.universe import Universe

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Setup:
    """Everything an assumption can change."""

    battery: Battery  # settings
    volatility: float = 1.0  # factor of every log move
    shock: float = 0.0  # log move of every volatile asset in the first step


@dataclass(frozen=True, kw_only=True)
class Assumption:
    """Something the battery assumes, with the range it is moved over."""

    name: str  # short, unique
    label: str  # in words
    low: float  # end of the range
    high: float  # end of the range
    apply: Callable[[Setup, float], Setup]  # sets it


def _field(name: str) -> Callable[[Setup, float], Setup]:
    def apply(setup: Setup, value: float) -> Setup:
        # The names are the battery's fields, written out above; `replace` checks them.
        changes = {name: round(value) if name == "latency_steps" else value}
        return replace(setup, battery=replace(setup.battery, **changes))  # type: ignore[arg-type]

    return apply


def default_assumptions(battery: Battery) -> tuple[Assumption, ...]:
    """Return the assumptions of a battery with ranges around their settings."""
    capital = min(battery.liquidator_capital, 1e12)
    return (
        Assumption(
            name="volatility",
            label="volatility of every asset, relative to the calibration",
            low=0.7,
            high=1.4,
            apply=lambda s, x: replace(s, volatility=x),
        ),
        Assumption(
            name="shock",
            label="log move of every volatile asset in the first hour",
            low=-0.15,
            high=0.05,
            apply=lambda s, x: replace(s, shock=x),
        ),
        Assumption(
            name="depth",
            label="depth of the pools, relative to today",
            low=0.3 * battery.depth_factor,
            high=2.0 * battery.depth_factor,
            apply=_field("depth_factor"),
        ),
        Assumption(
            name="refill",
            label="time until half of an imbalance is traded away, seconds",
            low=battery.refill_half_life / 3.0,
            high=battery.refill_half_life * 6.0,
            apply=_field("refill_half_life"),
        ),
        Assumption(
            name="capital",
            label="liquidators' capital a step, USD",
            low=0.1 * capital,
            high=3.0 * capital,
            apply=_field("liquidator_capital"),
        ),
        Assumption(
            name="gas",
            label="gas units of a liquidation",
            low=0.5 * battery.liquidation_gas,
            high=6.0 * battery.liquidation_gas,
            apply=_field("liquidation_gas"),
        ),
        Assumption(
            name="congestion",
            label="share of liquidations kept out as gas rises (elasticity)",
            low=0.0,
            high=1.5,
            apply=_field("inclusion_elasticity"),
        ),
        Assumption(
            name="latency",
            label="steps every oracle is late",
            low=0.0,
            high=3.0,
            apply=_field("latency_steps"),
        ),
        Assumption(
            name="top_up",
            label="share of borrowers who repay in time",
            low=0.0,
            high=0.5,
            apply=_field("top_up_share"),
        ),
    )


@dataclass(frozen=True, kw_only=True)
class Influence:
    """What one assumption does to a metric."""

    assumption: Assumption  # which one
    at_low: float  # the metric with it at its low end, all else as set
    at_high: float  # the metric with it at its high end, all else as set
    first_order: float  # Sobol index
    first_order_error: float  # half width of its interval
    total: float  # Sobol index
    total_error: float  # half width of its interval

    @property
    def swing(self) -> float:
        """How far the metric moves over the range."""
        return abs(self.at_high - self.at_low)


@dataclass(frozen=True, kw_only=True)
class Sensitivity:
    """A metric's dependence on the assumptions, most influential first."""

    metric: str  # field of SurvivalMetrics
    base: float  # its value as set
    unit: str  # of the metric
    level: float  # confidence level of the errors
    paths: int  # price paths of each evaluation
    evaluations: int  # made
    influences: tuple[Influence, ...]  # by total index, then swing


def sensitivity(
    market: Market,
    *,
    process: PriceProcess,
    battery: Battery,
    seed: int,
    metric: str = "expected_bad_debt",
    assumptions: Sequence[Assumption] | None = None,
    samples: int = 32,
    paths: int = 256,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    cancelled: Flag | None = None,
) -> Sensitivity:
    """Return how a metric of `market` depends on the assumptions.

    `samples` is the base sample of Saltelli's scheme, a power of two; it costs
    samples x (assumptions + 2) + 2 x assumptions + 1 evaluations of `paths`
    paths each.
    """
    if samples < 2 or samples & (samples - 1):
        raise ConfigurationError(f"samples must be a power of two, got {samples}")
    chosen = tuple(assumptions) if assumptions is not None else default_assumptions(battery)
    universe = Universe.of(market, market)
    existing = existing_bad_debt(market, universe.base)
    stored = StoredPaths.draw(process, seed=seed, paths=paths, steps=battery.steps)
    volatile = np.array([a.asset_class is not AssetClass.STABLE for a in universe.assets])
    rows = samples * (len(chosen) + 2)
    total, done, unit = rows + 2 * len(chosen) + 1, 0, ""

    def evaluate(setup: Setup) -> float:
        nonlocal done, unit
        law = BumpedProcess(
            base=stored,
            jump=np.exp(setup.shock * volatile),
            volatility=setup.volatility,
        )
        (outcome,), _ = simulate(
            [(market, universe.before)],
            universe=universe,
            existing=existing,
            process=law,
            battery=setup.battery,
            seed=seed,
            engine=engine_named("certificate"),
            workers=workers,
            cancelled=cancelled,
        )
        done += 1
        if progress is not None:
            progress(done, total)
        found = survival_metric(outcome, setup.battery, metric)
        unit = found.unit
        return float(found.value)

    plain = Setup(battery=replace(battery, paths=paths))
    base = evaluate(plain)
    ends = [(evaluate(a.apply(plain, a.low)), evaluate(a.apply(plain, a.high))) for a in chosen]
    problem = {
        "num_vars": len(chosen),
        "names": [a.name for a in chosen],
        "bounds": [[a.low, a.high] for a in chosen],
    }
    points: FloatArray = sobol_sample.sample(problem, samples, calc_second_order=False, seed=seed)
    values = np.empty(len(points))
    for k, point in enumerate(points):
        setup = plain
        for a, x in zip(chosen, point, strict=True):
            setup = a.apply(setup, float(x))
        values[k] = evaluate(setup)
    indices = _indices(problem, values, battery.level, seed)
    influences = [
        Influence(
            assumption=a,
            at_low=low,
            at_high=high,
            first_order=float(indices["S1"][k]),
            first_order_error=float(indices["S1_conf"][k]),
            total=float(indices["ST"][k]),
            total_error=float(indices["ST_conf"][k]),
        )
        for k, (a, (low, high)) in enumerate(zip(chosen, ends, strict=True))
    ]
    return Sensitivity(
        metric=metric,
        base=base,
        unit=unit,
        level=battery.level,
        paths=paths,
        evaluations=total,
        influences=tuple(sorted(influences, key=lambda i: (-i.total, -i.swing))),
    )


def _indices(
    problem: dict[str, Any], values: FloatArray, level: float, seed: int
) -> dict[str, FloatArray]:
    """SALib's indices; all 0 when the metric does not move at all."""
    count = int(problem["num_vars"])
    if float(values.std()) == 0.0:
        return {k: np.zeros(count) for k in ("S1", "S1_conf", "ST", "ST_conf")}
    got = sobol_analysis.analyze(
        problem, values, calc_second_order=False, conf_level=level, seed=seed
    )
    return {k: np.asarray(got[k], dtype=np.float64) for k in ("S1", "S1_conf", "ST", "ST_conf")}
