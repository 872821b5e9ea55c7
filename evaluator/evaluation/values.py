"""Values of parameters put through the battery without a proposal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from evaluator.errors import ConfigurationError
from evaluator.evaluation.drafting import read_markets
from evaluator.evaluation.measurement import price_histories, venues_of
from evaluator.evaluation.request import EvaluationRequest, Progress
from evaluator.evaluation.state import open_state
from evaluator.evaluation.stressing import preferred_histories
from evaluator.market import Market, Parameter, Unit
from evaluator.protocols.depth import measure_liquidity
from evaluator.protocols.setting import parse_value
from evaluator.stress.battery import Battery
from evaluator.stress.estimate import Estimate
from evaluator.stress.price_process import PriceProcess, process_by_name
from evaluator.stress.rare import METHOD, RareEstimate, rare_probability
from evaluator.stress.recommendation import Promise, SweepPoint, recommend, sweep
from evaluator.stress.scenarios.library import find_scenario
from evaluator.stress.universe import Universe
from evaluator.verdict import figures

# Without a value to move towards, values up to this much away from today's are tried.
_AROUND = 0.3
_STEPS = 24


@dataclass(frozen=True, kw_only=True)
class Recommended:
    """What a search for a safe value came to, for people."""

    rows: tuple[tuple[str, str, str, str], ...]  # path, today, towards, value that keeps it
    sentence: str  # the answer with confidence, horizon and sample size
    kept: bool  # whether there is such a value


@dataclass(frozen=True, kw_only=True, eq=False)
class ValueBench:
    """One market with its price process, ready to try values on."""

    market: Market  # as it stands, with measured depth
    parameters: tuple[Parameter, ...]  # of the market
    process: PriceProcess  # as asked for, with the scenario's shocks if any
    battery: Battery  # number of paths
    seed: int  # of the paths

    def recommend(
        self,
        texts: Sequence[str],
        keep: str,
        *,
        progress: Callable[[int, int], None] | None = None,
    ) -> Recommended:
        """Find values that keep a promise; see `seatrial recommend`."""
        promise = Promise.parse(keep)
        targets = [self._target(text) for text in texts]
        if all(value is not None for _, value in targets):
            found = recommend(
                self.market,
                [(p.path, value) for p, value in targets if value is not None],
                promise=promise,
                process=self.process,
                battery=self.battery,
                seed=self.seed,
                progress=progress,
            )
            rows = tuple(
                (
                    p.path,
                    figures.setting(today, p.unit),
                    figures.setting(towards, p.unit),
                    "none" if found.safe is None else figures.setting(found.safe[i], p.unit),
                )
                for i, ((p, _), today, towards) in enumerate(
                    zip(targets, found.today, found.proposed, strict=True)
                )
            )
            return Recommended(
                rows=rows,
                sentence=self._sentence(keep, found.safe is not None),
                kept=found.safe is not None,
            )
        if len(targets) > 1:
            raise ConfigurationError(
                "several parameters move together only towards values: write each as "
                "PARAMETER=VALUE"
            )
        return self._nearest(targets[0][0], promise, keep)

    def _nearest(self, parameter: Parameter, promise: Promise, keep: str) -> Recommended:
        if promise.bound is None:
            raise ConfigurationError(
                "today's value keeps today's odds; say towards which value to go "
                "(PARAMETER=VALUE), or promise a number"
            )
        today = float(parameter.value)
        top = 1.0 if parameter.unit is Unit.FRACTION else np.inf
        away = np.linspace(-_AROUND, _AROUND, 2 * _STEPS + 1)
        values = sorted({float(v) for v in today * (1.0 + away) if 0.0 <= v <= top} | {today})
        points = sweep(
            self.market,
            [(parameter.path, values)],
            process=self.process,
            battery=self.battery,
            seed=self.seed,
        )
        bound = promise.bound
        kept = [p.values[0] for p in points if all(e.upper <= bound for e in _both(p, promise))]
        best = min(kept, key=lambda v: abs(v - today), default=None)
        row = (
            parameter.path,
            figures.setting(today, parameter.unit),
            f"{figures.setting(values[0], parameter.unit)} to "
            f"{figures.setting(values[-1], parameter.unit)}",
            "none" if best is None else figures.setting(round(best, 4), parameter.unit),
        )
        return Recommended(
            rows=(row,), sentence=self._sentence(keep, best is not None), kept=best is not None
        )

    def sweep(
        self, axes: Sequence[tuple[str, Sequence[float]]], metric: str
    ) -> tuple[tuple[str, ...], ...]:
        """Return a metric over all combinations of values, as text."""
        promise = Promise.parse(f"{metric} <= today")
        points = sweep(
            self.market, axes, process=self.process, battery=self.battery, seed=self.seed
        )
        rows = []
        for point in points:
            static, *other = _both(point, promise)
            rows.append(
                (
                    *(f"{v:.6g}" for v in point.values),
                    f"{static.value:.6g}",
                    f"{static.lower:.6g}",
                    f"{static.upper:.6g}",
                    f"{other[0].value:.6g}" if other else f"{static.value:.6g}",
                )
            )
        return tuple(rows)

    def rare(
        self,
        losses: Sequence[float],
        *,
        progress: Callable[[int, int], None] | None = None,
    ) -> tuple[RareEstimate, ...]:
        """Return the chance of new bad debt above each of `losses`, USD.

        Raises ConfigurationError for a process that cannot be tilted.
        """
        found = []
        for k, loss in enumerate(losses):
            if progress is not None:
                progress(k, len(losses))
            found.append(
                rare_probability(
                    self.market,
                    process=self.process,
                    battery=self.battery,
                    seed=self.seed,
                    level=loss,
                    paths=self.battery.paths,
                )
            )
        return tuple(found)

    def _target(self, text: str) -> tuple[Parameter, float | None]:
        path, equals, value = text.partition("=")
        parameter = next((p for p in self.parameters if p.path == path.strip()), None)
        if parameter is None:
            raise ConfigurationError(f"the market has no parameter {path.strip()!r}")
        if isinstance(parameter.value, bool | str):
            raise ConfigurationError(f"{parameter.path} cannot be moved by degrees")
        if not equals:
            return parameter, None
        return parameter, float(parse_value(parameter, value))

    def rare_sentence(self, found: Sequence[RareEstimate]) -> str:
        """Say how chances of rare losses were found."""
        return (
            f"Chances of new bad debt above each loss within "
            f"{figures.duration(self.battery.horizon)}, {figures.share(self.battery.level)} "
            f"intervals, by {METHOD}: {self.battery.paths:,} weighted paths of {self._law()} for "
            f"each, {sum(one.paths for one in found):,} drawn in all, seed {self.seed}. The last "
            "column is how many plain paths would tell as much."
        )

    def _law(self) -> str:
        scenario = self.battery.scenario
        return self.battery.process + ("" if scenario is None else f" under {scenario}")

    def _sentence(self, keep: str, kept: bool) -> str:
        sample = (
            f"({figures.share(self.battery.level)} confidence, over "
            f"{figures.duration(self.battery.horizon)}, {self.battery.paths:,} paths of "
            f"{self._law()}, seed {self.seed}, same borrowers and borrowers who use the room)"
        )
        if kept:
            return f"These values keep the promise {keep} {sample}."
        return f"No value that was tried keeps the promise {keep} {sample}."


def _both(point: SweepPoint, promise: Promise) -> list[Estimate]:
    books = [point.static] + ([] if point.responding is None else [point.responding])
    return [getattr(book, promise.metric) for book in books]


def open_bench(
    request: EvaluationRequest, roots: Sequence[str], paths: Sequence[str], progress: Progress
) -> ValueBench:
    """Read the market that the parameters at `paths` belong to and calibrate its prices.

    Without paths it is the only market there is. Raises ConfigurationError for a path no
    market has and when several could be meant, and the ChainError tree.
    """
    with open_state(request, progress) as state:
        markets = read_markets(state, roots, progress)
        wanted = {p.strip() for p in paths}
        if not wanted and len(markets) > 1:
            raise ConfigurationError(
                "several markets could be meant: give --market with the address of one of "
                + ", ".join(f"{m.market.address} ({m.market.protocol})" for m in markets)
            )
        one = next((m for m in markets if wanted <= {p.path for p in m.parameters}), None)
        if one is None:
            raise ConfigurationError(
                f"no market has the parameter{'s' if len(wanted) > 1 else ''} "
                f"{', '.join(sorted(wanted))}; `seatrial draft --list` shows them all"
            )
        market = one.market
        venues = venues_of(state.sandbox.chain_id, state.deployment)
        if venues is not None:
            progress.stage("depth", "quoting pools")
            market = measure_liquidity(state.sandbox, market, venues)
        progress.stage("prices", "feed rounds")
        histories = price_histories(state.sandbox, market, progress)
    battery = Battery(paths=request.paths, process=request.process)
    assets = Universe.of(market, market).assets
    process = process_by_name(request.process)(
        assets, preferred_histories(histories, request.prices), step=battery.step
    )
    if request.scenario is not None:
        scenario = find_scenario(request.scenario)
        process = scenario.apply(process, assets)
        battery = scenario.apply_battery(battery)
        market = scenario.apply_market(market)
    return ValueBench(
        market=market,
        parameters=one.parameters,
        process=process,
        battery=battery,
        seed=request.seed,
    )
