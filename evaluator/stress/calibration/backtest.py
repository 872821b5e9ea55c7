"""Does a value at risk hold what it says? Tests of coverage and independence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.special import xlogy

from evaluator.errors import ConfigurationError


@dataclass(frozen=True, kw_only=True, slots=True)
class Coverage:
    """How often losses went beyond a value at risk, and whether by chance."""

    days: int  # forecasts
    violations: int  # losses beyond the value at risk
    expected: float  # violations if the value at risk were exact
    kupiec: float  # p-value: as many violations as expected (Kupiec 1995)
    independence: float  # p-value: violations do not follow each other (Christoffersen 1998)
    conditional: float  # p-value of both together (Christoffersen 1998)


def coverage(violated: NDArray[np.bool_], *, level: float) -> Coverage:
    """Test a series of violations of the value at risk at `level` (0.99), one a day in order.

    Likelihood ratios against chi-square laws with 1, 1 and 2 degrees of
    freedom. Raises ConfigurationError for fewer than two days or a level
    outside (0, 1).
    """
    hits = np.asarray(violated, dtype=bool)
    days = len(hits)
    if days < 2 or not 0.0 < level < 1.0:
        raise ConfigurationError(
            f"{days} days at level {level} cannot be tested; give two or more, level in (0, 1)"
        )
    n = int(hits.sum())
    p = 1.0 - level
    unconditional = 2.0 * (_log_likelihood(n, days - n, n / days) - _log_likelihood(n, days - n, p))
    before, after = hits[:-1], hits[1:]
    n01, n00 = int((~before & after).sum()), int((~before & ~after).sum())
    n11, n10 = int((before & after).sum()), int((before & ~after).sum())
    together = (n01 + n11) / (days - 1)
    apart = _log_likelihood(n01, n00, _share(n01, n00)) + _log_likelihood(
        n11, n10, _share(n11, n10)
    )
    independence = max(0.0, 2.0 * (apart - _log_likelihood(n01 + n11, n00 + n10, together)))
    return Coverage(
        days=days,
        violations=n,
        expected=p * days,
        kupiec=float(stats.chi2.sf(unconditional, 1)),
        independence=float(stats.chi2.sf(independence, 1)),
        conditional=float(stats.chi2.sf(unconditional + independence, 2)),
    )


def _share(hits: int, misses: int) -> float:
    return hits / (hits + misses) if hits + misses else 0.0


def _log_likelihood(hits: int, misses: int, p: float) -> float:
    return float(xlogy(hits, p) + xlogy(misses, 1.0 - p))
