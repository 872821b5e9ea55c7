"""A price process: Brownian motion at twice the volatility that was estimated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from evaluator.market import Asset, PriceHistory
from evaluator.stress.calibration.jump_diffusion import fit_gbm
from evaluator.stress.price_process import JumpDiffusion, Sampling
from evaluator.stress.processes.variance import constant_variance


def fit_double(
    assets: Sequence[Asset],
    histories: Sequence[PriceHistory],
    *,
    step: float,
    sampling: Sampling = Sampling.PSEUDO,
) -> JumpDiffusion:
    """Fit geometric Brownian motion and double the free assets' volatilities."""
    fitted = fit_gbm(assets, histories, step=step, sampling=sampling)
    louder = constant_variance(2.0 * fitted.variance.volatility)
    return replace(fitted, name="example_double", variance=louder)
