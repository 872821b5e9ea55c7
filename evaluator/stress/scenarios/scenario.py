"""Named scenarios: what happens to prices, oracles, gas and behaviour, laid over any process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

import numpy as np

from evaluator.errors import ConfigurationError
from evaluator.market import Asset, AssetClass, Market
from evaluator.stress.battery import Battery
from evaluator.stress.calibration.report import CalibrationReport
from evaluator.stress.processes.anchors import AssetTree, asset_tree
from evaluator.stress.processes.process import FloatArray, PriceProcess

_HOUR = 3600.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """Which assets something applies to: any of the classes, or a symbol that matches."""

    classes: tuple[AssetClass, ...] = ()  # asset classes
    symbols: tuple[str, ...] = ()  # patterns with * and ?, case as written

    def includes(self, symbol: str, asset_class: AssetClass | None) -> bool:
        """Return whether an asset, or a hidden anchor, is meant."""
        return asset_class in self.classes or any(fnmatchcase(symbol, p) for p in self.symbols)


@dataclass(frozen=True, kw_only=True, slots=True)
class Shock:
    """A course of prices relative to today's, on top of what the process does.

    For an asset that moves freely the multiple is of its price; for a pegged
    one of its ratio to its anchor, whose shock it shares besides; one shock that
    includes both is the anchor's alone. Between two points the logarithm is
    straight, after the last it stays.
    """

    target: Target  # which assets
    hours: tuple[float, ...]  # n; ascending, from the start
    multiples: tuple[float, ...]  # n; price, or ratio, over today's, above 0

    def at(self, hours: FloatArray) -> FloatArray:
        """Return the multiple at times, shape of `hours`."""
        known = (0.0, *self.hours) if self.hours[0] > 0.0 else self.hours
        logs = np.log((1.0, *self.multiples) if self.hours[0] > 0.0 else self.multiples)
        return np.exp(np.interp(hours, known, logs))


@dataclass(frozen=True, kw_only=True, slots=True)
class OracleChange:
    """What is wrong with some oracles, from the start to the end."""

    target: Target  # oracles of which assets
    stuck: bool = False  # never updates
    factor: float = 1.0  # what the reported price is wrong by, besides what it was before
    latency: float = 0.0  # later than its own specification says, seconds


@dataclass(frozen=True, kw_only=True, slots=True)
class Override:
    """A setting of the battery that the scenario changes."""

    name: str  # of a field of Battery
    value: float | int | bool | str  # in the field's unit


@dataclass(frozen=True, kw_only=True, slots=True)
class Scenario:
    """A named course of events."""

    name: str  # lower case with underscores
    title: str  # for people
    revision: int  # raised whenever a number changes
    date: str  # ISO 8601 day of what it is modelled on, "" if invented
    summary: str  # what happens, a sentence or two
    sources: tuple[str, ...]  # where the numbers come from
    shocks: tuple[Shock, ...]  # on prices; of several that include an asset the last counts
    oracles: tuple[OracleChange, ...]  # of several that include an asset the last counts
    battery_overrides: tuple[Override, ...]  # settings of the battery
    gas_price_factor: float  # of the gas price at the start
    digest: str  # sha256 of the file, for manifests

    def overlay(self, assets: Sequence[Asset], *, step: float, steps: int) -> FloatArray:
        """Return what the process's prices are multiplied by, shape (steps + 1, A)."""
        tree = asset_tree(assets)
        hours = np.arange(steps + 1, dtype=np.float64) * (step / _HOUR)
        chosen = [self._shock(s, c) for s, c in _nodes(tree)]
        course = np.ones((len(chosen), len(hours)))
        for n, shock in enumerate(chosen):
            k = n - len(tree.free)
            anchor = int(tree.anchor[k]) if k >= 0 else -1
            # wstETH and stETH under one shock to staked coins lose it once, not twice.
            if shock is not None and (anchor < 0 or chosen[anchor] is not shock):
                course[n] = shock.at(hours)
            if anchor >= 0:
                course[n] *= course[anchor]
        return np.ascontiguousarray(course[tree.output].T)

    def _shock(self, symbol: str, asset_class: AssetClass | None) -> Shock | None:
        for shock in reversed(self.shocks):
            if shock.target.includes(symbol, asset_class):
                return shock
        return None

    def apply(self, process: PriceProcess, assets: Sequence[Asset]) -> PriceProcess:
        """Return `process` with the shocks laid over it.

        `assets` are the process's, in its order; their classes and anchors say
        which shock each one gets. Raises ConfigurationError when they are not.
        """
        if len(assets) != len(process.symbols):
            raise ConfigurationError(
                f"the price process has {len(process.symbols)} assets and the scenario was given "
                f"{len(assets)}; give the process's own"
            )
        return OverlaidProcess(process=process, scenario=self, assets=tuple(assets))

    def apply_battery(self, battery: Battery) -> Battery:
        """Return `battery` with the scenario's settings and name; ConfigurationError if invalid."""
        changes: dict[str, Any] = {o.name: o.value for o in self.battery_overrides}
        return replace(battery, scenario=self.name, **changes)

    def apply_market(self, market: Market) -> Market:
        """Return `market` with the scenario's oracles and gas price."""
        reserves = []
        for reserve in market.reserves:
            oracle = reserve.oracle
            for change in reversed(self.oracles):
                if change.target.includes(reserve.asset.symbol, reserve.asset.asset_class):
                    oracle = replace(
                        oracle,
                        stuck=oracle.stuck or change.stuck,
                        factor=oracle.factor * change.factor,
                        latency=oracle.latency + change.latency,
                    )
                    break
            reserves.append(replace(reserve, oracle=oracle))
        return replace(
            market,
            reserves=tuple(reserves),
            gas_price=market.gas_price * self.gas_price_factor,
        )


def _nodes(tree: AssetTree) -> list[tuple[str, AssetClass | None]]:
    return [
        *zip(tree.free, tree.free_classes, strict=True),
        *zip(tree.pegged, tree.pegged_classes, strict=True),
    ]


@dataclass(frozen=True, kw_only=True, eq=False)
class OverlaidProcess:
    """A price process with a scenario's shocks on its paths."""

    process: PriceProcess  # what moves prices besides
    scenario: Scenario  # what is laid over it
    assets: tuple[Asset, ...]  # A, in the process's order

    @property
    def name(self) -> str:
        """The process's name and the scenario's."""
        return f"{self.process.name} with {self.scenario.name}"

    @property
    def symbols(self) -> tuple[str, ...]:
        """Symbols of the A assets."""
        return self.process.symbols

    @property
    def step(self) -> float:
        """Length of a step in seconds."""
        return self.process.step

    @property
    def calibration(self) -> CalibrationReport:
        """The process's, with a note on the scenario."""
        base = self.process.calibration
        note = f"scenario {self.scenario.name} (revision {self.scenario.revision}) is laid over it"
        return replace(base, notes=(*base.notes, note))

    def paths(self, *, seed: int, first: int, count: int, steps: int) -> FloatArray:
        """Return prices over the price at t0, shape (count, steps + 1, A)."""
        plain = self.process.paths(seed=seed, first=first, count=count, steps=steps)
        plain *= self.scenario.overlay(self.assets, step=self.step, steps=steps)
        return plain
