"""Replay paths of the battery on the real contracts, and compare.

The sandbox stands after the execution. For each path the plain battery is run once
more with a pencil (see recording); where it liquidates, the same oracle prices are
set, time is moved to the same step, and the same liquidation is sent as a real
transaction. The contracts decide what they take: where the model liquidates all it
may, they are offered more than they can accept.

Steps without a liquidation are left out: the contracts' interest runs on through
them, at the rates of the last transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from evaluator.arena.bundles import open_engine
from evaluator.arena.conformance import Conformance
from evaluator.arena.families import lending_of
from evaluator.arena.pricing import price_setting
from evaluator.arena.recording import record_path
from evaluator.arena.replay_script import MARGIN, Liquidator, ReplayScript
from evaluator.chain.sandbox import Sandbox
from evaluator.errors import ConfigurationError
from evaluator.market import Family, Market
from evaluator.market.book import FloatArray
from evaluator.stress.battery import Battery
from evaluator.stress.outcome import Outcome

Progress = Callable[[int, int], None]


class PathSource(Protocol):
    """What gives the prices of a path: every price process does."""

    def paths(self, *, seed: int, first: int, count: int, steps: int) -> FloatArray:
        """Return prices over those at the start, shape (count, steps + 1, U)."""
        ...


def choose_paths(outcome: Outcome, *, count: int = 8, worst: int = 4) -> tuple[int, ...]:
    """Choose paths to replay: the worst by bad debt, then by liquidations, then evenly spread.

    Numbers in ascending order, at most `count`.
    """
    order = np.lexsort((-outcome.liquidated, -outcome.bad_debt))
    chosen = dict.fromkeys(int(p) for p in order[:worst])
    busiest = np.argsort(-outcome.liquidated, kind="stable")[: max((count - worst) // 2, 0)]
    chosen.update(dict.fromkeys(int(p) for p in busiest))
    spread = np.linspace(0, len(outcome) - 1, num=count).astype(np.int64)
    for p in spread:
        if len(chosen) >= count:
            break
        chosen.setdefault(int(p))
    return tuple(sorted(list(chosen)[:count]))


def replay_paths(
    sandbox: Sandbox,
    *,
    before: Market,
    after: Market,
    battery: Battery,
    process: PathSource,
    seed: int,
    paths: Sequence[int],
    worst: Sequence[int] = (),
    progress: Progress | None = None,
) -> Conformance:
    """Replay `paths` of a battery on the parameters of `after`, on the sandbox's head.

    `after` was read at the head; the head is the same afterwards. `process` and `seed`
    are the battery's; `worst` says which paths were chosen for their bad debt.
    Raises IncompleteState where prices cannot be set or a token cannot be given to
    the liquidator, UnknownProtocol, RpcError.
    """
    if any(p < 0 for p in paths):
        raise ConfigurationError(f"paths are numbered from 0, got {min(paths)}")
    engine = open_engine(sandbox)
    lending = lending_of(sandbox, after)
    setting = price_setting(sandbox, engine, lending)
    liquidator = Liquidator.of(sandbox, lending)
    replayed = []
    for done, path in enumerate(sorted(paths)):
        if progress is not None:
            progress(done, len(paths))
        relative = process.paths(seed=seed, first=path, count=1, steps=battery.steps)[0]
        recorded = record_path(
            after, before=before, relative=relative, path=path, battery=battery, margin=MARGIN
        )
        script = ReplayScript(
            sandbox=sandbox,
            lending=lending,
            setting=setting,
            liquidator=liquidator,
            recorded=recorded,
            battery=battery,
        )
        replayed.append(script.play(engine, worst=path in worst))
    if progress is not None:
        progress(len(paths), len(paths))
    return Conformance(
        paths=tuple(replayed),
        way=engine.way,
        prices=setting.way.value,
        notes=(*_notes(after, battery), *liquidator.notes),
    )


def _notes(market: Market, battery: Battery) -> tuple[str, ...]:
    out = [
        "Compared at the same times: health factors right before each liquidation, amounts "
        "repaid and seized, bad debt at the same market prices. The contracts' interest is their "
        "own, at the rates of their last transaction.",
    ]
    if market.family is Family.COMPOUND_V2:
        out.append(
            "The contracts tell a shortfall, no health factor: it is taken over the model's debt. "
            "Interest that had not been booked when the market was read is in the contracts' "
            "amounts and not in the model's."
        )
    if battery.top_up_share > 0.0:
        out.append("Borrowers' own repayments are not replayed.")
    if battery.supplier_run_rate > 0.0:
        out.append("Suppliers who leave are not replayed.")
    if any(e.price > 0.0 for e in market.emodes):
        out.append("An eMode category has a price source of its own, which was left as it is.")
    return tuple(out)
