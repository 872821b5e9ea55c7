"""The stationary bootstrap of filtered residuals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from arch.bootstrap import optimal_block_length
from numpy.typing import NDArray

from evaluator.errors import CalibrationError
from evaluator.market import Asset, PriceHistory
from evaluator.stress.calibration.jump_diffusion import report
from evaluator.stress.calibration.market import MarketEstimate, common_rows, estimate_market
from evaluator.stress.calibration.report import ParameterEstimate
from evaluator.stress.processes.bootstrap import StationaryBootstrap
from evaluator.stress.processes.process import FloatArray, Sampling

_FEWEST_ROWS = 500


def fit_stationary_bootstrap(
    assets: Sequence[Asset],
    histories: Sequence[PriceHistory],
    *,
    step: float,
    sampling: Sampling = Sampling.PSEUDO,
    until: int | None = None,
) -> StationaryBootstrap:
    """Return history's residuals in blocks, scaled by today's variance forecast.

    Raises CalibrationError when no history has the step's spacing and
    `_FEWEST_ROWS` returns: there is nothing to play again.
    """
    return stationary_bootstrap(
        estimate_market(assets, histories, step=step, until=until), sampling=sampling
    )


def stationary_bootstrap(
    estimate: MarketEstimate, *, sampling: Sampling = Sampling.PSEUDO
) -> StationaryBootstrap:
    """Return the bootstrap of a market's estimate; errors as `fit_stationary_bootstrap`."""
    chosen, slots, rows = _longest_common(estimate)
    free = len(estimate.factors)
    column = np.full(free + len(estimate.pegs), -1, dtype=np.int64)
    column[list(chosen)] = np.arange(len(chosen))
    for k, peg in enumerate(estimate.pegs):
        if peg.slot is None or peg.residual is None or peg.step != estimate.step:
            continue
        if np.isin(slots, peg.slot).all():
            column[free + k] = rows.shape[1]
            rows = np.column_stack([rows, peg.residual[np.searchsorted(peg.slot, slots)]])
    proxy = np.full_like(column, -1)
    loading = np.zeros(len(column))
    for i in range(free):
        if column[i] < 0:
            nearest = max(chosen, key=lambda c: float(estimate.correlation[i, c]))
            proxy[i] = column[nearest]
            loading[i] = float(np.clip(estimate.correlation[i, nearest], 0.0, 0.99))
    rows = (rows - rows.mean(axis=0)) / rows.std(axis=0)
    length = _block_length(rows[:, : len(chosen)])
    followers = [estimate.tree.free[i] for i in range(free) if column[i] < 0]
    notes = [f"{len(rows)} rows that {len(chosen)} free assets have in common"]
    if followers:
        notes.append(
            f"{', '.join(followers)} have no rows there and follow the most correlated asset that "
            "has, with normal noise of their own"
        )
    return StationaryBootstrap(
        name="stationary_bootstrap",
        tree=estimate.tree,
        step=estimate.step,
        rows=rows,
        column=column,
        proxy=proxy,
        loading=loading,
        block_length=length,
        drift=np.zeros(free),
        variance=estimate.total_variance,
        jumps=estimate.jumps.of_pegs_only(free),
        pegs=estimate.peg_law,
        calibration=report(
            estimate,
            "stationary_bootstrap",
            shared=(
                ParameterEstimate(
                    name="expected block length", value=length, standard_error=None, unit="steps"
                ),
            ),
            notes=tuple(notes),
        ),
        sampling=sampling,
    )


def _longest_common(
    estimate: MarketEstimate,
) -> tuple[tuple[int, ...], NDArray[np.int64], FloatArray]:
    """Drop the shortest histories until enough common rows are left."""
    chosen = []
    for i in estimate.measured:
        returns = estimate.factors[i].returns
        if returns is not None and returns.step == estimate.step:
            chosen.append((len(returns.value), i))
    chosen.sort(reverse=True)
    while chosen:
        kept = tuple(sorted(i for _, i in chosen))
        slots, rows = common_rows(estimate.factors, kept)
        if len(rows) >= _FEWEST_ROWS:
            return kept, slots, rows
        chosen.pop()
    raise CalibrationError(
        f"a bootstrap needs at least {_FEWEST_ROWS} past returns of {estimate.step:g} s of one "
        "asset; give such prices or take another price process"
    )


def _block_length(rows: FloatArray) -> float:
    # Residuals are hardly correlated themselves; blocks are to keep what their sizes have left.
    size = np.abs(rows).mean(axis=1)
    best = float(optimal_block_length(size)["stationary"].iloc[0])
    return float(np.clip(round(best, 2), 1.0, len(rows) / 10.0)) if np.isfinite(best) else 1.0
