"""How fast the battery's kernel is, as ratios within one run.

Three books (calm, stressed, cascading) of 10,000 and 100,000 borrowers over ten
assets, 168 hourly steps. Baselines, named wherever a ratio is printed:

    dense numba    evaluator.stress.kernel.dense: every position in every step, one thread
    numpy          evaluator.stress.reference: values vectorised over positions, Python for
                   the ones below 1; one path

All engines run the same paths and must give the same outcome: to the bit
against dense numba, to 1e-9 against numpy, which runs the first path only. A
few cascades take most of a stressed book's time, so both sides of a ratio are
timed on all of the paths. Times are of the kernel alone, the least CPU time of
runs that alternate between the engines (the machine's other work then falls on
both); drawing the paths, the same for all, stands apart.

    python benchmarks/kernel.py [--quick]
"""

from __future__ import annotations

import argparse
import math
import resource
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import numpy as np

from evaluator.market import (
    Asset,
    AssetClass,
    Book,
    Family,
    LiquidityCurve,
    Market,
    OracleKind,
    OracleSpec,
    RateCurve,
    Reserve,
    RiskParameters,
    SparseAmounts,
)
from evaluator.stress.battery import Battery
from evaluator.stress.engine import ReferenceModel
from evaluator.stress.kernel.model import CertificateModel, DenseModel
from evaluator.stress.ledger import existing_bad_debt
from evaluator.stress.universe import Universe

# symbol, price, threshold, bonus, depth USD, volatility a year, beta, deviation, heartbeat h
ASSETS = [
    ("ETH", 2500.0, 0.83, 0.05, 4e8, 0.7, 1.0, 0.005, 1),
    ("BTC", 60000.0, 0.78, 0.05, 4e8, 0.6, 0.9, 0.005, 1),
    ("USDC", 1.0, 0.80, 0.045, 2e9, 0.01, 0.0, 0.0025, 24),
    ("wstETH", 2900.0, 0.81, 0.06, 2e8, 0.71, 1.0, 0.005, 24),
    ("LINK", 14.0, 0.68, 0.07, 3e7, 1.0, 1.3, 0.01, 1),
    ("AAVE", 95.0, 0.66, 0.075, 2e7, 1.1, 1.3, 0.01, 1),
    ("USDT", 1.0, 0.78, 0.045, 2e9, 0.012, 0.0, 0.0025, 24),
    ("DAI", 1.0, 0.78, 0.05, 1e9, 0.012, 0.0, 0.0025, 1),
    ("UNI", 7.0, 0.65, 0.10, 2e7, 1.1, 1.3, 0.01, 1),
    ("MKR", 1500.0, 0.65, 0.085, 2e7, 1.0, 1.2, 0.01, 1),
]
COLLATERAL_SHARE = np.array([0.34, 0.16, 0.1, 0.18, 0.05, 0.04, 0.04, 0.03, 0.03, 0.03])
DEBT_SHARE = np.array([0.12, 0.04, 0.36, 0.01, 0.01, 0.01, 0.26, 0.17, 0.01, 0.01])
STEPS = 168


def market(N: int, seed: int = 1, lowest: float = 1.02, scale: float = 0.6) -> Market:
    """A market whose depth grows with its book, one to four collaterals, one to three debts."""
    rng = np.random.default_rng(seed)
    A = len(ASSETS)
    price = np.array([a[1] for a in ASSETS])
    threshold = np.array([a[2] for a in ASSETS])
    n_c = rng.choice([1, 2, 3, 4], N, p=[0.62, 0.23, 0.1, 0.05])
    n_d = rng.choice([1, 2, 3], N, p=[0.78, 0.17, 0.05])
    c = np.argsort(-(np.log(COLLATERAL_SHARE) + rng.gumbel(size=(N, A))), 1)[:, :4]
    d = np.argsort(-(np.log(DEBT_SHARE) + rng.gumbel(size=(N, A))), 1)[:, :3]
    w = rng.exponential(size=(N, 4)) * (np.arange(4) < n_c[:, None])
    x = rng.exponential(size=(N, 3)) * (np.arange(3) < n_d[:, None])
    w /= w.sum(1)[:, None]
    x /= x.sum(1)[:, None]
    value = w * rng.lognormal(8.0, 2.0, N)[:, None]
    owed = (value * threshold[c]).sum(1) / (lowest + rng.gamma(1.5, scale, N))
    debt = x * owed[:, None]

    def sparse(asset: np.ndarray, usd: np.ndarray) -> SparseAmounts:
        by = np.argsort(np.where(usd > 0, asset, A), axis=1, kind="stable")
        asset, usd = np.take_along_axis(asset, by, 1), np.take_along_axis(usd, by, 1)
        kept = usd > 0
        return SparseAmounts(
            indptr=np.concatenate([[0], np.cumsum(kept.sum(1))]),
            asset=asset[kept].astype(np.int64),
            amount=(usd / price[asset])[kept],
        )

    total = float(value.sum())
    reserves = tuple(
        Reserve(
            asset=Asset(
                symbol=s, address=f"0x{s}", decimals=18, price=p, asset_class=AssetClass.ETH
            ),
            parameters=RiskParameters(
                ltv=lt - 0.03,
                liquidation_threshold=lt,
                liquidation_bonus=bonus,
                protocol_fee=0.1,
                reserve_factor=0.1,
                supply_cap=math.inf,
                borrow_cap=math.inf,
                debt_ceiling=math.inf,
                active=True,
                frozen=False,
                paused=False,
                borrowing_enabled=True,
            ),
            supplied=2 * total / p,
            borrowed=total / p,
            cash=total / p,
            reserves=0.0,
            rate_curve=RateCurve(base=0.0, slope1=0.04, slope2=0.6, optimal=0.8),
            oracle=OracleSpec(
                source="0x",
                kind=OracleKind.FEED,
                deviation_threshold=deviation,
                heartbeat=3600.0 * heartbeat,
                latency=3600.0,
            ),
            liquidity=LiquidityCurve.constant_product(depth * N / 1e4 / p),
        )
        for s, p, lt, bonus, depth, _, _, deviation, heartbeat in ASSETS
    )
    return Market(
        protocol="benchmark",
        family=Family.AAVE_V3,
        address="0x",
        chain_id=1,
        block=1,
        timestamp=1,
        reserves=reserves,
        emodes=(),
        book=Book(
            accounts=tuple(f"{i:x}" for i in range(N)),
            collateral=sparse(c, value),
            debt=sparse(d, debt),
            emode=np.zeros(N, dtype=np.int64),
        ),
        close_factor=0.5,
        full_close_below=0.95,
        gas_price=12e9,
        native_price=2500.0,
    )


def paths(
    count: int, *, volatility: float, jumps: float, jump: float, crash: float, seed: int = 5
) -> np.ndarray:
    """Jump-diffusion paths of all assets, shape (count, STEPS + 1, A)."""
    A = len(ASSETS)
    sigma = np.array([a[5] * (volatility if a[6] > 0 else 1.0) for a in ASSETS]) / math.sqrt(8760)
    beta = np.array([a[6] for a in ASSETS])
    rng = np.random.default_rng(seed)
    common, own = rng.standard_normal((2, count, STEPS, A))
    common = common[:, :, :1]
    risky = beta > 0
    z = np.where(risky, math.sqrt(0.65) * common + math.sqrt(0.35) * own, own)
    z[:, :, 3] = math.sqrt(0.98) * z[:, :, 0] + math.sqrt(0.02) * own[:, :, 3]
    hit = rng.random((count, STEPS, 1)) < jumps
    size = np.where(hit, jump + 0.06 * rng.standard_normal((count, STEPS, 1)), 0.0)
    size[:, 24] += crash
    out = np.zeros((count, STEPS + 1, A))
    out[:, 1:] = np.cumsum(sigma * z - 0.5 * sigma**2 + beta * size, axis=1)
    return np.exp(out)


CASES = [
    ("calm", {"volatility": 0.35, "jumps": 0.0003, "jump": -0.04, "crash": 0.0}),
    ("stressed", {"volatility": 0.8, "jumps": 0.003, "jump": -0.07, "crash": 0.0}),
    ("cascade", {"volatility": 1.0, "jumps": 0.002, "jump": -0.08, "crash": -0.38}),
]


def timed(*works: Callable[[], object], repeats: int = 3) -> list[float]:
    """Least CPU seconds of each of several works, run in turn."""
    least = [math.inf] * len(works)
    for _ in range(repeats):
        for k, work in enumerate(works):
            t = time.thread_time()
            work()
            least[k] = min(least[k], time.thread_time() - t)
    return least


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="10,000 borrowers only, fewer paths")
    quick = parser.parse_args().quick
    battery = Battery(liquidator_capital=2e7, inclusion_elasticity=0.0)
    for N in (10_000,) if quick else (10_000, 100_000):
        b = replace(battery, liquidator_capital=2e7 * N / 1e4)
        m = market(N)
        u = Universe.of(m, m)
        given = {
            "columns": u.before,
            "universe": u,
            "battery": b,
            "existing": existing_bad_debt(m, u.base),
        }
        for name, law in CASES:
            count = 256 if N == 10_000 and not quick else 64
            t = time.thread_time()
            x = paths(count, **law)
            drawing = (time.thread_time() - t) / count
            fast, dense = CertificateModel(m, **given), DenseModel(m, **given)
            fast.simulate(x[:2])
            dense.simulate(x[:1])
            times = timed(partial(fast.simulate, x), partial(dense.simulate, x))
            f, d = times[0] / count, times[1] / count
            a, e = fast.simulate(x), dense.simulate(x)
            n, agrees = (
                math.nan,
                "not run",
            )  # of a large cascade: it would take a quarter of an hour
            if name != "cascade" or N == 10_000:
                t = time.thread_time()
                r = ReferenceModel(m, **given).simulate(x[:1])
                n = time.thread_time() - t
                agrees = str(bool(np.allclose(r.liquidated, a.liquidated[:1], rtol=1e-9)))
            with ThreadPoolExecutor(2) as pool:
                halves = [x[: count // 2], x[count // 2 :]]
                list(pool.map(fast.simulate, halves))
                t = time.perf_counter()
                list(pool.map(fast.simulate, halves))
                two = (time.perf_counter() - t) / count
            unit = 1e9 / STEPS / N
            share = float(a.liquidations.mean()) / N
            rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
            print(
                f"{N} {name}: {share:.4f} liquidations a borrower, equal to dense to the bit: "
                f"{a.digest() == e.digest()} | certificate {f * 1e6:.0f} us a path "
                f"({f * unit:.4f} ns), two threads {two * 1e6:.0f} us wall | dense numba "
                f"{d * 1e6:.0f} us ({d * unit:.2f} ns) | numpy {n * 1e6:.0f} us, equal to 1e-9: "
                f"{agrees} | over dense numba, one thread: {d / f:.1f}, over numpy: {n / f:.0f} "
                f"| paths {drawing * 1e6:.0f} us | {rss:.2f} GB",
                flush=True,
            )


if __name__ == "__main__":
    main()
