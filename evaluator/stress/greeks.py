"""Derivatives of expected bad debt, by central differences on common random numbers.

The paths, the book and the liquidators are the same on both sides of a bump,
so most of the noise cancels; what is left is in the interval.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from evaluator.market import AssetClass, Market
from evaluator.stress import estimate as est
from evaluator.stress.battery import Battery
from evaluator.stress.bump import BumpedProcess
from evaluator.stress.engine import engine_named
from evaluator.stress.estimate import Estimate
from evaluator.stress.ledger import existing_bad_debt
from evaluator.stress.lever import find_lever
from evaluator.stress.prefix import PrefixedProcess
from evaluator.stress.processes.process import PriceProcess
from evaluator.stress.trial import Flag, simulate
from evaluator.stress.universe import Universe

FloatArray = NDArray[np.float64]

# Size of the bumps: relative for prices and volatility, absolute for ratios.
PRICE_BUMP = 0.02
VOLATILITY_BUMP = 0.05
RATIO_BUMP = 0.005
DAY = 86_400.0
_BOOTSTRAP_SEED = 17


@dataclass(frozen=True, kw_only=True)
class Greek:
    """One derivative of expected new bad debt."""

    name: str  # "delta", "gamma", "vega", "theta" or "parameter"
    what: str  # symbol or parameter path, "" where it is the whole market
    per: str  # what the value is for, "+1% of the price"
    value: Estimate  # USD


@dataclass(frozen=True)
class _Bench:
    """Per-path losses of one market under any bump."""

    market: Market
    universe: Universe
    columns: NDArray[np.int64]
    existing: float
    process: PriceProcess
    battery: Battery
    seed: int
    workers: int | None
    cancelled: Flag | None

    def losses(
        self,
        *,
        market: Market | None = None,
        process: PriceProcess | None = None,
        battery: Battery | None = None,
    ) -> FloatArray:
        (outcome,), _ = simulate(
            [(market or self.market, self.columns)],
            universe=self.universe,
            existing=self.existing,
            process=process or self.process,
            battery=battery or self.battery,
            seed=self.seed,
            engine=engine_named("certificate"),
            workers=self.workers,
            cancelled=self.cancelled,
        )
        return outcome.new_bad_debt

    def greek(self, name: str, what: str, per: str, change: FloatArray) -> Greek:
        value, lower, upper = est.mean_interval(change, self.battery.level, _BOOTSTRAP_SEED)
        return Greek(
            name=name,
            what=what,
            per=per,
            value=Estimate(
                name=name,
                value=value,
                lower=lower,
                upper=upper,
                level=self.battery.level,
                percentile=None,
                horizon=self.battery.horizon,
                samples=len(change),
                events=int(np.count_nonzero(change)),
                unit="USD",
            ),
        )


def greeks(
    market: Market,
    *,
    process: PriceProcess,
    battery: Battery,
    seed: int,
    assets: Sequence[str] | None = None,
    parameters: Sequence[str] = (),
    today: Market | None = None,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    cancelled: Flag | None = None,
) -> tuple[Greek, ...]:
    """Return delta and gamma by asset, vega, theta and the derivative to each parameter.

    `assets` are symbols (None: every volatile one in the book), `parameters`
    paths of `Lever`. `today` is the reading that fixes market prices and
    existing bad debt when `market` is the proposed one.
    """
    levers = [find_lever(market, path) for path in parameters]
    today = today or market
    universe = Universe.of(today, market)
    bench = _Bench(
        market,
        universe,
        universe.after,
        existing_bad_debt(today, universe.base[universe.before]),
        process,
        battery,
        seed,
        workers,
        cancelled,
    )
    symbols = _volatile(market) if assets is None else tuple(assets)
    total, done = 2 * len(symbols) + 5 + 2 * len(parameters), 0

    def ran(losses: FloatArray) -> FloatArray:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, total)
        return losses

    base = ran(bench.losses())
    out = []
    for symbol in symbols:
        jump = np.ones(len(universe.assets))
        column = universe.symbols.index(symbol)
        up, down = jump.copy(), jump.copy()
        up[column], down[column] = 1.0 + PRICE_BUMP, 1.0 - PRICE_BUMP
        high = ran(bench.losses(process=BumpedProcess(base=process, jump=up)))
        low = ran(bench.losses(process=BumpedProcess(base=process, jump=down)))
        first = (high - low) / (2.0 * PRICE_BUMP) * 0.01
        second = (high - 2.0 * base + low) / PRICE_BUMP**2 * 1e-4
        out.append(bench.greek("delta", symbol, "+1% of the price", first))
        out.append(bench.greek("gamma", symbol, "+1% of the price, twice", second))
    high = ran(bench.losses(process=BumpedProcess(base=process, volatility=1.0 + VOLATILITY_BUMP)))
    low = ran(bench.losses(process=BumpedProcess(base=process, volatility=1.0 - VOLATILITY_BUMP)))
    change = (high - low) / (2.0 * VOLATILITY_BUMP) * 0.01
    out.append(bench.greek("vega", "", "+1% of every volatility", change))
    longer = replace(battery, horizon=battery.horizon + DAY)
    # Both horizons on paths of the longer one's length, so that they share a beginning.
    law = PrefixedProcess(base=process, steps=longer.steps)
    later = ran(bench.losses(process=law, battery=longer))
    change = later - ran(bench.losses(process=law))
    out.append(bench.greek("theta", "", "+1 day of horizon", change))
    for lever in levers:
        bump = RATIO_BUMP if lever.grain else 0.01 * abs(lever.value)
        unit, scale = ("+1 percentage point", 0.01) if lever.grain else ("+1%", 0.01)
        raised = ran(bench.losses(market=lever.apply(market, lever.value + bump)))
        lowered = ran(bench.losses(market=lever.apply(market, max(lever.value - bump, 0.0))))
        width = bump + min(bump, lever.value)
        if not lever.grain and lever.value > 0.0:
            width /= lever.value
        change = (raised - lowered) / width * scale if width > 0.0 else raised - lowered
        out.append(bench.greek("parameter", lever.path, unit, change))
    return tuple(out)


def _volatile(market: Market) -> tuple[str, ...]:
    A = len(market.reserves)
    used = market.book.collateral.total(A) + market.book.debt.total(A)
    return tuple(
        r.asset.symbol
        for r, amount in zip(market.reserves, used, strict=True)
        if amount > 0.0 and r.asset.asset_class is not AssetClass.STABLE
    )
