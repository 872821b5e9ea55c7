"""How much memory the battery needs at 100,000 borrowers, 100,000 paths and two parameter sets.

    python benchmarks/memory.py [--borrowers N] [--paths P]

The calm book of `kernel.py`, prices of a correlated jump-diffusion with that
benchmark's volatilities, all cores. Prints the peak resident memory of this
process and the wall time; the promise is less than 1 GiB.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from kernel import CASES, STEPS, market, paths

from evaluator.stress.battery import Battery
from evaluator.stress.metrics import survival_metrics
from evaluator.stress.trial import run


@dataclass(frozen=True)
class Law:
    """The benchmark's paths as a process; path p depends on (seed, p) alone."""

    symbols: tuple[str, ...]
    step: float = 3600.0
    name: str = "benchmark"

    def paths(self, *, seed: int, first: int, count: int, steps: int) -> np.ndarray:
        """Return prices over the price at t0."""
        return np.concatenate(
            [paths(1, **CASES[0][1], seed=seed * 10**7 + p) for p in range(first, first + count)]
        )[:, : steps + 1]


def main() -> None:
    """Print peak memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--borrowers", type=int, default=100_000)
    parser.add_argument("--paths", type=int, default=100_000)
    given = parser.parse_args()
    m = market(given.borrowers)
    battery = Battery(
        paths=given.paths, liquidator_capital=2e8, inclusion_elasticity=0.0, horizon=STEPS * 3600.0
    )
    began = time.monotonic()
    pair = run(m, m, process=Law(symbols=m.symbols), battery=battery, seed=0)
    survival_metrics(pair.before, battery)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"{given.borrowers:,} borrowers, {len(pair.before):,} paths, two parameter sets: peak "
        f"{peak:.2f} GiB, {time.monotonic() - began:.0f} s"
    )


if __name__ == "__main__":
    main()
