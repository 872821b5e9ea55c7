"""Compiles the kernel ahead of its first use, in a process of its own.

Compiling takes tens of seconds once per version; started early it runs beside
the slow parts of an evaluation (a fork, a deployment) and is found in the
cache when the battery begins.

    python -m evaluator.stress.kernel.warmup
"""

from __future__ import annotations

import fcntl
import math
import subprocess
import sys
from pathlib import Path

import numba
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
)
from evaluator.stress.battery import Battery
from evaluator.stress.engine import engine_named
from evaluator.stress.kernel import compilation
from evaluator.stress.price_process import default_process
from evaluator.stress.universe import Universe

# Waits until nobody holds the lock.
_WAIT = "import fcntl, sys; fcntl.flock(open(sys.argv[1], 'w'), fcntl.LOCK_EX)"


def _lock_file() -> Path:
    # numba makes its settings at run time, so that no type checker knows them.
    folder = Path(getattr(numba.config, "CACHE_DIR"))  # noqa: B009
    folder.mkdir(parents=True, exist_ok=True)
    return folder / "compiling.lock"


def _is_held(path: Path) -> bool:
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def is_compiled() -> bool:
    """Whether the cache holds the compiled kernel of this version."""
    folder = getattr(numba.config, "CACHE_DIR", "")
    return bool(folder) and any(Path(folder).rglob("certificate.certificate_paths*.nbc"))


def start_compiling() -> subprocess.Popen[bytes] | None:
    """Start compiling in another process; None when there is nothing to do or to keep.

    Several may be started: one compiles, the others wait for it.
    """
    if not compilation.CACHED or is_compiled():
        return None
    command = [sys.executable, "-m", "evaluator.stress.kernel.warmup"]
    try:
        lock = _lock_file()
        held = _is_held(lock)
    except OSError:
        return None  # nothing can be kept there: whoever needs the kernel compiles it
    if held:  # by one that compiles: who only waits need not load anything
        command = [sys.executable, "-S", "-c", _WAIT, str(lock)]
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _smallest_market() -> Market:
    parameters = RiskParameters(
        ltv=0.7,
        liquidation_threshold=0.8,
        liquidation_bonus=0.05,
        protocol_fee=0.0,
        reserve_factor=0.1,
        supply_cap=math.inf,
        borrow_cap=math.inf,
        debt_ceiling=math.inf,
        active=True,
        frozen=False,
        paused=False,
        borrowing_enabled=True,
    )
    reserves = tuple(
        Reserve(
            asset=Asset(symbol=s, address=s, decimals=18, price=1.0, asset_class=AssetClass.ETH),
            parameters=parameters,
            supplied=2.0,
            borrowed=1.0,
            cash=1.0,
            reserves=0.0,
            rate_curve=RateCurve(base=0.0, slope1=0.0, slope2=0.0, optimal=0.8),
            oracle=OracleSpec(source="", kind=OracleKind.FEED),
            liquidity=LiquidityCurve.constant_product(1.0),
        )
        for s in ("A", "B")
    )
    return Market(
        protocol="warmup",
        family=Family.AAVE_V3,
        address="",
        chain_id=1,
        block=0,
        timestamp=0,
        reserves=reserves,
        emodes=(),
        book=Book.from_rows(["0x"], [{0: 1.0}], [{1: 0.5}]),
        close_factor=0.5,
        full_close_below=0.95,
        gas_price=1.0,
        native_price=1.0,
    )


def compile_kernel() -> None:
    """Run the smallest battery there is, so that the kernel is compiled and cached."""
    market = _smallest_market()
    universe = Universe.of(market, market)
    model = engine_named("certificate")(
        market,
        columns=universe.before,
        universe=universe,
        battery=Battery(paths=1, horizon=3600.0),
        existing=0.0,
    )
    model.simulate(np.ones((1, 2, 2)))


def compile_process() -> None:
    """Draw one path of the usual price process."""
    market = _smallest_market()
    process = default_process(Universe.of(market, market).assets, (), step=3600.0)
    process.paths(seed=0, first=0, count=1, steps=1)


def compile_once() -> None:
    """Compile both on two cores, unless another process is at it: then wait for that one."""
    with _lock_file().open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if is_compiled():
            return
        code = f"from {__spec__.name} import compile_process; compile_process()"
        beside = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.DEVNULL)
        compile_kernel()
        beside.wait()


if __name__ == "__main__":
    compile_once()
