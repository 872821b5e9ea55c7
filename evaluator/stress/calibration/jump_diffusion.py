"""Parameters of the jump-diffusion of a market's assets."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from evaluator.market import Asset, PriceHistory
from evaluator.stress.calibration import priors
from evaluator.stress.calibration.report import (
    AssetCalibration,
    CalibrationReport,
    ParameterEstimate,
    ParameterSource,
)
from evaluator.stress.processes.anchors import AssetTree, asset_tree
from evaluator.stress.processes.assembly import PegLaw
from evaluator.stress.processes.jump_diffusion import JumpDiffusion
from evaluator.stress.processes.jumps import JumpLaw
from evaluator.stress.processes.process import FloatArray, Sampling
from evaluator.stress.processes.variance import constant_variance


def fit_jump_diffusion(
    assets: Sequence[Asset],
    histories: Sequence[PriceHistory],
    *,
    step: float,
    sampling: Sampling = Sampling.PSEUDO,
) -> JumpDiffusion:
    """Return the jump-diffusion of `assets` with steps of `step` seconds."""
    tree = asset_tree(assets)
    free = [priors.free_prior(c) for c in tree.free_classes]
    pegs = [priors.peg_prior(c) for c in tree.pegged_classes]
    both: list[priors.FreePrior | priors.PegPrior] = [*free, *pegs]
    volatility = np.array([p.volatility for p in free])
    correlation = prior_correlation(tree)
    return JumpDiffusion(
        name="jump_diffusion",
        tree=tree,
        step=step,
        drift=np.zeros(len(free)),
        variance=constant_variance(volatility),
        correlation=correlation,
        jumps=JumpLaw(
            intensity=np.array([p.jump_intensity for p in both]),
            mean=np.array([p.jump_mean for p in both]),
            deviation=np.array([p.jump_deviation for p in both]),
            common_intensity=priors.COMMON_INTENSITY,
            common_mean=np.array([p.common_mean for p in both]),
            common_deviation=np.array([p.common_deviation for p in both]),
            common_correlation=priors.COMMON_CORRELATION,
        ),
        pegs=PegLaw(
            reversion=np.array([p.reversion for p in pegs]),
            volatility=np.array([p.volatility for p in pegs]),
            growth=np.zeros(len(pegs)),
        ),
        calibration=_report(tree, both, correlation, histories),
        sampling=sampling,
    )


def prior_correlation(tree: AssetTree) -> FloatArray:
    """Return the one-factor prior correlation of the free factors, shape (F, F)."""
    loading = np.array([priors.free_prior(c).market_loading for c in tree.free_classes])
    matrix = np.outer(loading, loading)
    np.fill_diagonal(matrix, 1.0)
    return matrix


def _report(
    tree: AssetTree,
    both: Sequence[priors.FreePrior | priors.PegPrior],
    correlation: FloatArray,
    histories: Sequence[PriceHistory],
) -> CalibrationReport:
    given = {h.symbol for h in histories}
    entries = []
    for i, (symbol, prior) in enumerate(zip(tree.nodes, both, strict=True)):
        why = "its prices are not estimated from yet" if symbol in given else "no prices were given"
        anchor = tree.anchor_symbol(i - len(tree.free)) if i >= len(tree.free) else ""
        entries.append(
            AssetCalibration(
                symbol=symbol,
                source=ParameterSource.PRIOR,
                reason=f"prior of its class: {why}",
                estimates=(
                    ParameterEstimate(
                        name="volatility",
                        value=prior.volatility,
                        standard_error=None,
                        unit="per sqrt(year)",
                    ),
                ),
                anchor=anchor,
            )
        )
    return CalibrationReport(
        process="jump_diffusion",
        assets=tuple(entries),
        factors=tree.free,
        correlation=correlation,
        correlation_reason="prior of the classes",
    )
