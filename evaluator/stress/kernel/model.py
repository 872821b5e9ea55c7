"""The compiled battery as an engine."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluator.market import Market
from evaluator.stress.battery import Battery
from evaluator.stress.kernel import layout
from evaluator.stress.kernel.certificate import certificate_paths
from evaluator.stress.kernel.dense import dense_paths
from evaluator.stress.kernel.layout import Table
from evaluator.stress.kernel.memory import KIND, Memory, memory
from evaluator.stress.kernel.series import Certificates, certificates, typical_moves
from evaluator.stress.kernel.step import STATE
from evaluator.stress.ledger import borrowing_power_used
from evaluator.stress.outcome import Outcome
from evaluator.stress.universe import Universe

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


def outcome_of(
    results: FloatArray,
    by_asset: FloatArray,
    *,
    columns: IntArray,
    universe: Universe,
    existing: float,
    power_used: float,
) -> Outcome:
    """Name the columns of a kernel's results, shape (P, RESULTS) and (P, A)."""
    spread = np.zeros((len(results), len(universe.assets)))
    spread[:, columns] = by_asset

    def floats(column: int) -> FloatArray:
        return np.ascontiguousarray(results[:, column])

    def whole(column: int) -> IntArray:
        return results[:, column].astype(np.int64)

    return Outcome(
        symbols=universe.symbols,
        bad_debt=floats(layout.BAD_DEBT),
        bad_debt_by_asset=spread,
        liquidated=floats(layout.LIQUIDATED),
        liquidations=whole(layout.COUNT),
        seized=floats(layout.SEIZED),
        protocol_fee=floats(layout.FEE),
        liquidator_profit=floats(layout.PROFIT),
        wrongful=floats(layout.WRONGFUL),
        user_harm=floats(layout.HARM),
        topped_up=floats(layout.TOPPED_UP),
        interest=floats(layout.INTEREST_PAID),
        first_insolvency=whole(layout.FIRST),
        frozen_steps=whole(layout.FROZEN),
        peak_utilisation=floats(layout.PEAK),
        existing_bad_debt=existing,
        borrowing_power_used=power_used,
    )


@dataclass(frozen=True)
class _Scratch:
    """Working memory of one thread."""

    state: FloatArray  # shape (STATE, A)
    history: FloatArray  # shape (S + 1, A)
    amount: FloatArray  # shape (nnz,)


_shared = threading.local()


def _memory_of_this_thread(c: Certificates, tb: Table, steps: int) -> Memory:
    """Scratch of the shape asked for, kept by thread so that parameter sets share it."""
    shape = (len(tb.rows), len(tb.asset), tb.par.shape[1], len(c.used), steps)
    held: tuple[tuple[int, ...], Memory] | None = getattr(_shared, "memory", None)
    if held is None or held[0] != shape:
        held = (shape, memory(*shape))
        _shared.memory = held
    return held[1]


class DenseModel:
    """A market for the dense loop."""

    def __init__(
        self,
        market: Market,
        *,
        columns: IntArray,
        universe: Universe,
        battery: Battery,
        existing: float,
    ) -> None:
        self.columns, self.universe, self.existing = columns, universe, existing
        self.table = layout.table(market, columns, universe, battery)
        self.settings = layout.settings(market, universe, battery, existing)
        self.power_used = borrowing_power_used(market)
        self._threads = threading.local()

    def _scratch(self, steps: int) -> _Scratch:
        """This thread's working memory, made at its first block."""
        held: _Scratch | None = getattr(self._threads, "scratch", None)
        if held is None or len(held.history) != steps + 1:
            A = self.table.par.shape[1]
            held = _Scratch(
                state=np.empty((STATE, A)),
                history=np.empty((steps + 1, A)),
                amount=np.empty_like(self.table.amount),
            )
            self._threads.scratch = held
        return held

    def simulate(self, relative: FloatArray) -> Outcome:
        """Return the outcome on paths of shape (P, S + 1, U)."""
        results = np.empty((len(relative), layout.RESULTS))
        by_asset = np.empty((len(relative), self.table.par.shape[1]))
        scratch = self._scratch(relative.shape[1] - 1)
        dense_paths(
            self.table,
            self.settings,
            scratch.state,
            scratch.history,
            scratch.amount,
            np.ascontiguousarray(relative, dtype=np.float64),
            results,
            by_asset,
        )
        return outcome_of(
            results,
            by_asset,
            columns=self.columns,
            universe=self.universe,
            existing=self.existing,
            power_used=self.power_used,
        )


class CertificateModel:
    """A market for the certificate loop."""

    def __init__(
        self,
        market: Market,
        *,
        columns: IntArray,
        universe: Universe,
        battery: Battery,
        existing: float,
    ) -> None:
        self.columns, self.universe, self.existing = columns, universe, existing
        self.table = layout.table(market, columns, universe, battery)
        self.settings = layout.settings(market, universe, battery, existing)
        self.power_used = borrowing_power_used(market)
        self._certificates: Certificates | None = None
        self._lock = threading.Lock()

    def _certified(self, relative: FloatArray) -> Certificates:
        """Certificates at the start, weighted by the moves of the first block that comes.

        The weights decide how fast the loop is, not what it gives.
        """
        with self._lock:
            if self._certificates is None:
                moves = typical_moves(relative, self.columns)
                self._certificates = certificates(self.table, self.settings, moves)
            return self._certificates

    def simulate(self, relative: FloatArray) -> Outcome:
        """Return the outcome on paths of shape (P, S + 1, U)."""
        results = np.empty((len(relative), layout.RESULTS))
        by_asset = np.empty((len(relative), self.table.par.shape[1]))
        relative = np.ascontiguousarray(relative, dtype=np.float64)
        c = self._certified(relative)
        scratch = _memory_of_this_thread(c, self.table, relative.shape[1] - 1)
        # Beside what the loop notes about each position, in one cache line.
        scratch.position[: len(self.table.rows), : self.table.rows.shape[1]] = self.table.rows
        scratch.position[: len(c.kind), KIND] = c.kind
        certificate_paths(
            self.table._replace(rows=scratch.position),
            self.settings,
            c,
            scratch,
            np.empty(self.table.par.shape[1]),
            relative,
            results,
            by_asset,
        )
        return outcome_of(
            results,
            by_asset,
            columns=self.columns,
            universe=self.universe,
            existing=self.existing,
            power_used=self.power_used,
        )
