"""Small markets and a plain price process for the battery's tests."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import pytest

from evaluator.market import (
    Asset,
    AssetClass,
    Book,
    EMode,
    Family,
    LiquidityCurve,
    Market,
    OracleKind,
    OracleSpec,
    RateCurve,
    Reserve,
    RiskParameters,
)
from evaluator.stress.engine import engine_named
from evaluator.stress.ledger import existing_bad_debt
from evaluator.stress.universe import Universe


def reserve(symbol, price, threshold, *, depth=1e7, oracle=None, rates=None, cash=None, **changes):
    """A reserve whose pool holds `depth` USD of the asset."""
    parameters = RiskParameters(
        ltv=max(threshold - 0.03, 0.0),
        liquidation_threshold=threshold,
        liquidation_bonus=0.05,
        protocol_fee=0.1,
        reserve_factor=0.1,
        supply_cap=math.inf,
        borrow_cap=math.inf,
        debt_ceiling=math.inf,
        active=True,
        frozen=False,
        paused=False,
        borrowing_enabled=True,
    )
    return Reserve(
        asset=Asset(
            symbol=symbol,
            address="0x" + symbol,
            decimals=18,
            price=price,
            asset_class=AssetClass.STABLE if price == 1.0 else AssetClass.ETH,
            pegged_to="USD" if price == 1.0 else None,
        ),
        parameters=replace(parameters, **changes),
        supplied=2e9 / price,
        borrowed=1e9 / price,
        cash=1e9 / price if cash is None else cash,
        reserves=0.0,
        rate_curve=rates or RateCurve(base=0.0, slope1=0.04, slope2=0.6, optimal=0.8),
        oracle=oracle
        or OracleSpec(source="0x", kind=OracleKind.FEED, deviation_threshold=0.005, heartbeat=3600),
        liquidity=LiquidityCurve.constant_product(depth / price),
    )


def market(reserves, collateral, debt, *, family=Family.AAVE_V3, emode=None, emodes=(), **changes):
    """A market of `reserves` whose accounts are given as {asset index: amount} rows."""
    m = Market(
        protocol="test",
        family=family,
        address="0x",
        chain_id=1,
        block=1,
        timestamp=1,
        reserves=tuple(reserves),
        emodes=tuple(emodes),
        book=Book.from_rows([f"0x{i:04x}" for i in range(len(debt))], collateral, debt, emode),
        close_factor=0.5,
        full_close_below=0.95 if family is Family.AAVE_V3 else 0.0,
        gas_price=20e9,
        native_price=reserves[0].asset.price,
    )
    return replace(m, **changes)


def with_parameters(m, symbol, **changes):
    """The same market with parameters of one reserve changed."""
    i = m.index(symbol)
    r = m.reserves[i]
    r = replace(r, parameters=replace(r.parameters, **changes))
    return replace(m, reserves=(*m.reserves[:i], r, *m.reserves[i + 1 :]))


def with_reserve(m, symbol, **changes):
    """The same market with fields of one reserve changed."""
    i = m.index(symbol)
    return replace(
        m, reserves=(*m.reserves[:i], replace(m.reserves[i], **changes), *m.reserves[i + 1 :])
    )


def random_curve(rng, like):
    """A curve of several segments whose depth near zero is that of `like`."""
    depth = float(like.quantity[-1])
    up, down = np.cumsum(rng.uniform(0.01, 0.3, (2, 3)), axis=1)
    w = np.concatenate([np.maximum(1.0 - down[::-1], 0.01 * np.arange(1, 4)), [1.0], 1.0 + up])
    steps = np.diff(w) * depth * rng.uniform(0.3, 3.0, 6)
    q = np.concatenate([-np.cumsum(steps[2::-1])[::-1], [0.0], np.cumsum(steps[3:])])
    return LiquidityCurve(
        quantity=q,
        inverse_root=w,
        measured=True,
        source="random",
        fee=float(rng.choice([0, 0.003])),
    )


def random_market(seed, *, N=60, A=5, family=Family.AAVE_V3, hf=1.02, spread=0.3):
    """A market with random reserves, eMode and a book of one to four collaterals."""
    rng = np.random.default_rng(seed)
    prices = np.exp(rng.uniform(0, 8, A))
    prices[1] = 1.0
    lt = np.round(rng.uniform(0.5, 0.86, A), 4)
    reserves = [
        reserve(
            f"T{a}",
            float(prices[a]),
            float(lt[a]),
            depth=float(np.exp(rng.uniform(12, 18))),
            liquidation_bonus=float(rng.uniform(0.02, 0.12)),
            emode_category=int(a < 3) if family is Family.AAVE_V3 else 0,
            oracle=OracleSpec(
                source="0x",
                kind=OracleKind.POOL if rng.random() < 0.1 else OracleKind.FEED,
                deviation_threshold=float(rng.choice([0.0025, 0.005, 0.02])),
                heartbeat=float(rng.choice([3600.0, 86400.0])),
                latency=float(rng.choice([0.0, 0.0, 3600.0])),
            ),
        )
        for a in range(A)
    ]
    reserves = [
        replace(r, liquidity=random_curve(rng, r.liquidity)) if rng.random() < 0.5 else r
        for r in reserves
    ]
    emodes = (
        (
            EMode(
                category=1,
                label="near",
                ltv=0.9,
                liquidation_threshold=0.93,
                liquidation_bonus=0.01,
            ),
        )
        if family is Family.AAVE_V3
        else ()
    )
    collateral, debt, emode = [], [], []
    for _ in range(N):
        k, d = int(rng.choice([1, 2, 3, 4], p=[0.5, 0.3, 0.1, 0.1])), int(rng.choice([1, 2, 3]))
        cs, ds = rng.permutation(A)[:k], rng.permutation(A)[:d]
        size = float(rng.lognormal(9, 2.5))
        w, v = rng.dirichlet(np.ones(k)) * size, rng.dirichlet(np.ones(d))
        e = int(family is Family.AAVE_V3 and rng.random() < 0.2)
        t = [0.93 if e and a < 3 else lt[a] for a in cs]
        owed = float(np.dot(w, t)) / (hf + rng.gamma(1.0, spread))
        collateral.append({int(a): float(x / prices[a]) for a, x in zip(cs, w, strict=True)})
        debt.append({int(a): float(owed * x / prices[a]) for a, x in zip(ds, v, strict=True)})
        emode.append(e)
    return market(
        reserves,
        collateral,
        debt,
        family=family,
        emode=emode,
        emodes=emodes,
        whole_basis_points=bool(seed % 4),
    )


@dataclass(frozen=True)
class PlainGBM:
    """Correlated geometric Brownian motion, for tests only."""

    sigma: tuple[float, ...]  # per year, by asset
    step: float = 3600.0  # s
    drift: float = 0.0  # per year, of every risky asset
    correlation: float = 0.5  # of every pair
    crash: float = 0.0  # log move of every risky asset at `crash_step`
    crash_step: int = 1
    name: str = "plain_gbm"

    def paths(self, *, seed, first, count, steps):
        dt = self.step / (365 * 86400)
        out = np.empty((count, steps + 1, len(self.sigma)))
        s = np.array(self.sigma)
        for p in range(count):
            rng = np.random.Generator(np.random.SFC64([seed, first + p]))
            z = rng.standard_normal((steps, len(s)))
            common = rng.standard_normal((steps, 1))
            z = np.sqrt(self.correlation) * common + np.sqrt(1 - self.correlation) * z
            x = s * np.sqrt(dt) * z + (self.drift * (s > 0.1) - 0.5 * s**2) * dt
            x[self.crash_step - 1] += self.crash * (s > 0.1)
            out[p, 0] = 1.0
            out[p, 1:] = np.exp(np.cumsum(x, axis=0))
        return out


def outcome_on(m, relative, battery, engine="reference"):
    """The outcome of one market on given paths."""
    u = Universe.of(m, m)
    model = engine_named(engine)(
        m,
        columns=u.before,
        universe=u,
        battery=battery,
        existing=existing_bad_debt(m, u.base),
    )
    return model.simulate(np.asarray(relative, dtype=np.float64))


class Build:
    """What the tests of this folder build with."""

    reserve = staticmethod(reserve)
    market = staticmethod(market)
    random_market = staticmethod(random_market)
    with_parameters = staticmethod(with_parameters)
    with_reserve = staticmethod(with_reserve)
    outcome_on = staticmethod(outcome_on)
    PlainGBM = PlainGBM


@pytest.fixture(scope="session")
def build():
    """Builders of markets, processes and outcomes."""
    return Build
