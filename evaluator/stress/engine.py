"""How a parameter set is put on paths: the interface of the engines and their names."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from evaluator.errors import ConfigurationError
from evaluator.market import Market
from evaluator.stress.battery import Battery
from evaluator.stress.ledger import Ledger, borrowing_power_used
from evaluator.stress.outcome import Outcome
from evaluator.stress.reference import PathResult, Simulation
from evaluator.stress.surroundings import surroundings
from evaluator.stress.universe import Universe

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


class PathModel(Protocol):
    """One market made ready for any number of paths."""

    def simulate(self, relative: FloatArray) -> Outcome:
        """Return the outcome on paths of shape (P, S + 1, U), prices over those at the start.

        Called from several threads at once.
        """
        ...


class Engine(Protocol):
    """Makes a market ready."""

    def __call__(
        self,
        market: Market,
        *,
        columns: IntArray,
        universe: Universe,
        battery: Battery,
        existing: float,
    ) -> PathModel:
        """Return the model of `market`, whose reserves are `columns` of the universe."""
        ...


class ReferenceModel:
    """The plain battery, one path at a time; slow, made to be read and compared with."""

    def __init__(
        self,
        market: Market,
        *,
        columns: IntArray,
        universe: Universe,
        battery: Battery,
        existing: float,
    ) -> None:
        self.market, self.battery, self.existing = market, battery, existing
        self.columns, self.universe = columns, universe
        self.ledger = Ledger.of(market, top_up_share=battery.top_up_share)

    def simulate(self, relative: FloatArray) -> Outcome:
        """Return the outcome on paths of shape (P, S + 1, U)."""
        return self.outcome([self.path(r) for r in relative])

    def path(self, relative: FloatArray) -> PathResult:
        """Return what one path, shape (S + 1, U), does to the market."""
        around = surroundings(relative, universe=self.universe, battery=self.battery)
        simulation = Simulation(
            self.market,
            self.ledger,
            self.battery,
            around.of(self.columns),
            existing=self.existing,
        )
        return simulation.run()

    def outcome(self, results: list[PathResult]) -> Outcome:
        """Put results of single paths side by side."""
        by_asset = np.zeros((len(results), len(self.universe.assets)))
        for p, r in enumerate(results):
            by_asset[p, self.columns] = r.bad_debt_by_asset

        def floats(name: str) -> FloatArray:
            return np.array([getattr(r, name) for r in results], dtype=np.float64)

        def whole(name: str) -> IntArray:
            return np.array([getattr(r, name) for r in results], dtype=np.int64)

        return Outcome(
            symbols=self.universe.symbols,
            bad_debt=floats("bad_debt"),
            bad_debt_by_asset=by_asset,
            liquidated=floats("liquidated"),
            liquidations=whole("liquidations"),
            seized=floats("seized"),
            protocol_fee=floats("protocol_fee"),
            liquidator_profit=floats("liquidator_profit"),
            wrongful=floats("wrongful"),
            user_harm=floats("user_harm"),
            topped_up=floats("topped_up"),
            interest=floats("interest"),
            first_insolvency=whole("first_insolvency"),
            frozen_steps=whole("frozen_steps"),
            peak_utilisation=floats("peak_utilisation"),
            existing_bad_debt=self.existing,
            borrowing_power_used=borrowing_power_used(self.market),
        )


def engine_named(name: str) -> Engine:
    """Return an engine: "reference" (plain Python), "dense" or "certificate" (compiled)."""
    if name == "reference":
        return ReferenceModel
    if name in ("dense", "certificate"):
        # Imported here because it loads the compiler.
        from evaluator.stress.kernel.model import CertificateModel, DenseModel

        return DenseModel if name == "dense" else CertificateModel
    raise ConfigurationError(f"no engine {name!r}; there are certificate, dense and reference")
