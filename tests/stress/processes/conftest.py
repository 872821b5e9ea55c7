"""Processes of three free assets and two pegged ones, one of each kind."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from evaluator.market import Asset, AssetClass
from evaluator.stress.calibration.jump_diffusion import fit_jump_diffusion
from evaluator.stress.calibration.report import given_report
from evaluator.stress.price_process import PriceProcess
from evaluator.stress.processes.bootstrap import StationaryBootstrap
from evaluator.stress.processes.regime_switching import RegimeSwitching
from evaluator.stress.processes.stochastic_volatility import StochasticVolatility
from evaluator.stress.processes.student_t import StudentT
from evaluator.stress.processes.variance import constant_variance

HOUR = 3600.0


def asset(symbol: str, asset_class: AssetClass, pegged_to: str | None = None) -> Asset:
    return Asset(
        symbol=symbol,
        address="0x" + symbol.encode().hex().ljust(40, "0"),
        decimals=18,
        price=1.0,
        asset_class=asset_class,
        pegged_to=pegged_to,
    )


ASSETS = (
    asset("WETH", AssetClass.ETH),
    asset("wstETH", AssetClass.LST, "ETH"),
    asset("WBTC", AssetClass.BTC),
    asset("USDC", AssetClass.STABLE, "USD"),
    asset("LINK", AssetClass.LARGE_ALT),
)
NAMES = ("jump_diffusion", "gbm", "bates", "regime_switching", "stationary_bootstrap", "t_copula")


def build(name: str) -> PriceProcess:
    prior = fit_jump_diffusion(ASSETS, [], step=HOUR)
    free = len(prior.tree.free)
    given = given_report(name, prior.tree.free, prior.correlation)
    shared = {
        "name": name,
        "tree": prior.tree,
        "step": HOUR,
        "drift": np.zeros(free),
        "pegs": prior.pegs,
        "calibration": given,
    }
    if name == "jump_diffusion":
        return prior
    if name == "gbm":
        calm = replace(
            prior.jumps, intensity=prior.jumps.intensity * 0.0, common_intensity=np.zeros(2)
        )
        return replace(prior, name=name, jumps=calm)
    variance = prior.variance.volatility**2
    if name == "bates":
        return StochasticVolatility(
            **shared,
            v0=variance,
            theta=variance,
            kappa=np.full(free, 5.0),
            sigma=np.full(free, 2.0),
            rho=np.full(free, -0.3),
            correlation=prior.correlation,
            jumps=prior.jumps,
        )
    if name == "regime_switching":
        return RegimeSwitching(
            **shared,
            transition=np.array([[0.99, 0.01], [0.05, 0.95]]),
            initial=np.array([0.8, 0.2]),
            volatility=np.stack([0.5 * np.sqrt(variance), 2.0 * np.sqrt(variance)]),
            correlation=np.stack([prior.correlation, prior.correlation]),
            jumps=prior.jumps,
        )
    if name == "stationary_bootstrap":
        rows = np.random.default_rng(0).standard_t(5, size=(500, free))
        rows = (rows - rows.mean(axis=0)) / rows.std(axis=0)
        nodes = len(prior.tree.nodes)
        column = np.array([*range(free), *[-1] * (nodes - free)], dtype=np.int64)
        return StationaryBootstrap(
            **shared,
            rows=rows,
            column=column,
            proxy=np.full(nodes, -1, dtype=np.int64),
            loading=np.zeros(nodes),
            block_length=12.0,
            jumps=prior.jumps,
            variance=prior.variance,
        )
    return StudentT(
        **shared,
        variance=constant_variance(prior.variance.volatility),
        alpha=np.full(free, 0.05),
        beta=np.full(free, 0.9),
        degrees=5.0,
        marginal_degrees=np.array([4.0, 5.0, 6.0]),
        correlation=prior.correlation,
        stress_correlation=0.2 * prior.correlation + 0.8,
        stress_share=0.05,
        jumps=prior.jumps,
    )


@pytest.fixture(scope="session", params=NAMES)
def process(request: pytest.FixtureRequest) -> PriceProcess:
    """One process of each kind, hourly steps."""
    return build(request.param)


@pytest.fixture(scope="session")
def two_hundred(process: PriceProcess) -> np.ndarray:
    """Its first 200 paths of 48 steps under seed 7."""
    return process.paths(seed=7, first=0, count=200, steps=48)
