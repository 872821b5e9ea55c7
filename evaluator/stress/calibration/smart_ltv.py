"""The SmartLTV rule, a closed form for a safe LTV."""

from __future__ import annotations

import math

from evaluator.errors import ConfigurationError


def smart_ltv(
    *, liquidity: float, debt_cap: float, volatility: float, confidence: float, bonus: float
) -> float:
    """Return the LTV at which liquidations keep pace with a falling price, 0 or more.

    exp(-c sigma / sqrt(l / d)) - beta: `liquidity` l and `debt_cap` d in the
    same unit, `volatility` sigma of the price against the debt, `confidence` c
    in deviations, `bonus` beta net of 1 (RiskDAO, "SmartLTV"; B.Protocol's
    smart-ltv contract). Raises ConfigurationError for negative or infinite
    arguments and for liquidity or debt of 0.
    """
    given = (liquidity, debt_cap, volatility, confidence, bonus)
    if not all(math.isfinite(x) and x >= 0.0 for x in given) or 0.0 in (liquidity, debt_cap):
        raise ConfigurationError(
            f"SmartLTV needs liquidity and debt above 0 and the rest 0 or more, got {given}"
        )
    return max(0.0, math.exp(-confidence * volatility / math.sqrt(liquidity / debt_cap)) - bonus)
