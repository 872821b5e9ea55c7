"""Heston's stochastic volatility and, with jumps, Bates's."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit

from evaluator.errors import ConfigurationError
from evaluator.stress.calibration.report import CalibrationReport
from evaluator.stress.processes.anchors import AssetTree
from evaluator.stress.processes.assembly import PegLaw, assemble
from evaluator.stress.processes.correlation import cholesky, correlate
from evaluator.stress.processes.jumps import JumpLaw
from evaluator.stress.processes.process import YEAR, FloatArray, Sampling

_SWITCH = 1.5  # Andersen's psi_c between the quadratic and the exponential scheme


@dataclass(frozen=True, kw_only=True, eq=False)
class StochasticVolatility:
    """F correlated factors with their own square-root variances, K pegs, and jumps.

    d log S = (drift - v/2 - compensator) dt + sqrt(v) dW + dJ,
    dv = kappa (theta - v) dt + sigma sqrt(v) dB, corr(dW, dB) = rho (Heston
    1993, Bates 1996). Variances of different assets are correlated like their
    prices. Stepped by Andersen's quadratic-exponential scheme with central
    weights (Journal of Computational Finance 11(3), 2008).
    """

    name: str  # "heston" or "bates"
    tree: AssetTree  # assets, F free factors, K pegs
    step: float  # seconds
    drift: FloatArray  # shape (F,); expected growth of the price, per year
    v0: FloatArray  # shape (F,); variance at t0, per year
    theta: FloatArray  # shape (F,); long-run variance, per year
    kappa: FloatArray  # shape (F,); reversion of the variance, per year
    sigma: FloatArray  # shape (F,); volatility of the variance, per year
    rho: FloatArray  # shape (F,); correlation of price and variance
    correlation: FloatArray  # shape (F, F)
    jumps: JumpLaw  # over F + K nodes
    pegs: PegLaw  # K pegs
    calibration: CalibrationReport  # where the numbers come from
    sampling: Sampling = Sampling.PSEUDO  # see Sampling

    def __post_init__(self) -> None:
        """Raise ConfigurationError for impossible parameters."""
        if not self.step > 0.0:
            raise ConfigurationError(f"the step is {self.step} seconds; give more than 0")
        for name in ("v0", "theta", "kappa", "sigma"):
            if np.any(~(getattr(self, name) > 0.0)):
                raise ConfigurationError(f"every {name} of a stochastic variance must be above 0")
        if np.any(~(np.abs(self.rho) < 1.0)):
            raise ConfigurationError("every rho must lie between -1 and 1")
        cholesky(self.correlation)

    @property
    def symbols(self) -> tuple[str, ...]:
        """Symbols of the A assets."""
        return self.tree.symbols

    def paths(self, *, seed: int, first: int, count: int, steps: int) -> FloatArray:
        """Return prices over the price at t0, shape (count, steps + 1, A)."""
        lower = cholesky(self.correlation)
        free, nodes = len(self.tree.free), len(self.tree.nodes)
        dt = self.step / YEAR
        growth = (self.drift - self.jumps.compensator[:free]) * dt

        def diffuse(_first: int, block: FloatArray) -> None:
            correlate(block, 0, lower)
            correlate(block, nodes, lower)
            _quadratic_exponential(
                block,
                nodes,
                dt,
                growth,
                self.v0,
                self.theta,
                self.kappa,
                self.sigma,
                self.rho,
            )

        return assemble(
            tree=self.tree,
            pegs=self.pegs,
            jumps=self.jumps,
            diffuse=diffuse,
            extra_rows=free,
            step=self.step,
            sampling=self.sampling,
            seed=seed,
            first=first,
            count=count,
            steps=steps,
        )


@njit(nogil=True, cache=True, error_model="numpy")
def _quadratic_exponential(
    block: FloatArray,
    variance_row: int,
    dt: float,
    growth: FloatArray,
    v0: FloatArray,
    theta: FloatArray,
    kappa: FloatArray,
    sigma: FloatArray,
    rho: FloatArray,
) -> None:
    """Step prices (first F rows) with the variances' normals (from `variance_row`), in place."""
    paths, _, steps = block.shape
    for f in range(v0.shape[0]):
        retained = math.exp(-kappa[f] * dt)
        gain = sigma[f] * sigma[f] * (1.0 - retained) / kappa[f]
        k0 = -rho[f] * kappa[f] * theta[f] * dt / sigma[f]
        k1 = 0.5 * dt * (kappa[f] * rho[f] / sigma[f] - 0.5) - rho[f] / sigma[f]
        k2 = 0.5 * dt * (kappa[f] * rho[f] / sigma[f] - 0.5) + rho[f] / sigma[f]
        k3 = 0.5 * dt * (1.0 - rho[f] * rho[f])
        a = k2 + 0.5 * k3
        for r in range(paths):
            price = block[r, f]
            noise = block[r, variance_row + f]
            v = v0[f]
            for s in range(steps):
                mean = theta[f] + (v - theta[f]) * retained
                spread = v * gain * retained + 0.5 * theta[f] * gain * (1.0 - retained)
                psi = spread / (mean * mean)
                # k0* makes the discounted price a martingale (Andersen, section 4.3).
                if psi <= _SWITCH:
                    b2 = 2.0 / psi - 1.0 + math.sqrt(2.0 / psi) * math.sqrt(2.0 / psi - 1.0)
                    scale = mean / (1.0 + b2)
                    root = math.sqrt(b2) + noise[s]
                    following = scale * root * root
                    c = 1.0 - 2.0 * a * scale
                    martingale = (
                        -a * b2 * scale / c + 0.5 * math.log(c) - (k1 + 0.5 * k3) * v
                        if c > 0.0
                        else k0
                    )
                else:
                    p = (psi - 1.0) / (psi + 1.0)
                    beta = (1.0 - p) / mean
                    # 1 - U by the complementary error function keeps the far tail.
                    above = 0.5 * math.erfc(noise[s] * 0.7071067811865476)
                    following = 0.0 if above >= 1.0 - p else math.log((1.0 - p) / above) / beta
                    martingale = (
                        -math.log(p + beta * (1.0 - p) / (beta - a)) - (k1 + 0.5 * k3) * v
                        if beta > a
                        else k0
                    )
                price[s] = (
                    growth[f]
                    + martingale
                    + k1 * v
                    + k2 * following
                    + math.sqrt(k3 * (v + following)) * price[s]
                )
                v = following
