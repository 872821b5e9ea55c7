"""The jump-diffusion against a twin in plain Python that can be checked by eye."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluator.market import Asset, AssetClass
from evaluator.stress.price_process import JumpDiffusion, default_process

YEAR = 365 * 86400.0


def philox(key: int, counter: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    k0, k1 = key & 0xFFFFFFFF, key >> 32
    c0, c1, c2, c3 = counter
    for _ in range(10):
        p, q = 0xD2511F53 * c0, 0xCD9E8D57 * c2
        c0, c1, c2, c3 = (
            (q >> 32) ^ c1 ^ k0,
            q & 0xFFFFFFFF,
            (p >> 32) ^ c3 ^ k1,
            p & 0xFFFFFFFF,
        )
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return c0, c1, c2, c3


def uniforms(key: int, path: int, stream: int, index: int) -> tuple[float, float]:
    a, b, c, d = philox(key, (index, stream, path & 0xFFFFFFFF, path >> 32))
    return tuple(((((x << 32) | y) >> 12) + 0.5) / 2.0**52 for x, y in ((a, b), (c, d)))


def normals(key: int, path: int, stream: int, index: int) -> tuple[float, float]:
    u, v = uniforms(key, path, stream, index)
    r = math.sqrt(-2.0 * math.log(u))
    return r * math.cos(2.0 * math.pi * v), r * math.sin(2.0 * math.pi * v)


def plain_path(process: JumpDiffusion, seed: int, path: int, steps: int) -> np.ndarray:
    key = int(np.random.SeedSequence(seed).generate_state(1, np.uint64)[0])
    tree, law = process.tree, process.jumps
    F, N, dt = len(tree.free), len(tree.nodes), process.step / YEAR
    count = N * steps
    half = count - count // 2
    z = [0.0] * count
    for i in range(count // 2):
        z[i], z[half + i] = normals(key, path, 0, i)
    if count % 2:
        z[half - 1] = normals(key, path, 0, count // 2)[0]
    jumps = [[0.0] * steps for _ in range(N)]
    for c, intensity in enumerate(law.common_intensity):
        t, event, stream = 0.0, 0, (1 << 23) + c
        while intensity > 0.0:
            t -= math.log(uniforms(key, path, stream, event)[0]) / intensity
            if t >= steps * dt:
                break
            base = (1 << 20) + event * (N + 1)
            market = normals(key, path, stream, base)[0]
            for n in range(N):
                own = normals(key, path, stream, base + 1 + n)[0]
                rho = law.common_correlation
                size = math.sqrt(rho) * market + math.sqrt(1.0 - rho) * own
                jumps[n][int(t / dt)] += law.common_mean[c, n] + law.common_deviation[c, n] * size
            event += 1
    for n in range(N):
        t, event = 0.0, 0
        while law.intensity[n] > 0.0:
            t -= math.log(uniforms(key, path, 1 + n, event)[0]) / law.intensity[n]
            if t >= steps * dt:
                break
            size = normals(key, path, 1 + n, (1 << 20) + event)[0]
            jumps[n][int(t / dt)] += law.mean[n] + law.deviation[n] * size
            event += 1
    lower = np.linalg.cholesky(process.correlation)
    growth = process.drift - law.compensator[:F]
    logs = np.zeros((steps + 1, N))
    ratio = [0.0] * N
    for s in range(steps):
        for n in range(N):
            if n < F:
                sigma = process.variance.volatility[n]  # constant in these tests
                w = sum(lower[n, g] * z[g * steps + s] for g in range(n + 1))
                move = (growth[n] - sigma**2 / 2) * dt + sigma * math.sqrt(dt) * w
                logs[s + 1, n] = logs[s, n] + move + jumps[n][s]
            else:
                k = n - F
                speed, vol = process.pegs.reversion[k], process.pegs.volatility[k]
                noise = vol * math.sqrt((1.0 - math.exp(-2.0 * speed * dt)) / (2.0 * speed))
                ratio[n] = ratio[n] * math.exp(-speed * dt) + noise * z[n * steps + s] + jumps[n][s]
                anchor = tree.anchor[k]
                logs[s + 1, n] = ratio[n] + (logs[s + 1, anchor] if anchor >= 0 else 0.0)
    return np.exp(logs[:, tree.output])


CLASSES = [
    ("WETH", AssetClass.ETH),
    ("wstETH", AssetClass.LST),
    ("USDC", AssetClass.STABLE),
    ("WBTC", AssetClass.BTC),
    ("ZZZ", AssetClass.SMALL_ALT),
]


@settings(max_examples=25)
@given(
    seed=st.integers(0, 2**63),
    path=st.integers(0, 2**40),
    steps=st.integers(1, 40),
    step=st.sampled_from([600.0, 3600.0, 86_400.0, 30 * 86_400.0]),
    chosen=st.integers(1, 31),
)
def test_paths_equal_the_twins(seed, path, steps, step, chosen):
    assets = [
        Asset(symbol=s, address=s, decimals=18, price=1.0, asset_class=c)
        for s, c in (CLASSES[i] for i in range(5) if chosen >> i & 1)
    ]
    process = default_process(assets, [], step=step)
    found = process.paths(seed=seed, first=path, count=1, steps=steps)[0]
    assert found == pytest.approx(plain_path(process, seed, path, steps), rel=1e-9)
