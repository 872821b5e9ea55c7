"""Who becomes liquidatable at the moment of execution."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evaluator.market import Market, health_factors
from evaluator.market.health import collateral_value, debt_value


@dataclass(frozen=True, kw_only=True, slots=True)
class HurtPosition:
    """A position that execution made liquidatable."""

    account: str  # checksummed address
    health_factor_before: float  # at least 1; inf if the account had no debt
    health_factor_after: float  # below 1
    collateral_value: float  # USD after execution
    debt_value: float  # USD after execution


def hurt_positions(before: Market, after: Market) -> tuple[HurtPosition, ...]:
    """Return the accounts that are liquidatable in `after` and were not in `before`.

    Both at their own oracle prices; largest debt first. An account that had no
    debt before and is liquidatable after is among them.
    """
    old = dict(zip(before.book.accounts, health_factors(before).tolist(), strict=True))
    health = health_factors(after)
    collateral, debt = collateral_value(after), debt_value(after)
    hurt = []
    for i in np.flatnonzero(health < 1.0).tolist():
        account = after.book.accounts[i]
        was = old.get(account, float("inf"))
        if was >= 1.0:
            hurt.append(
                HurtPosition(
                    account=account,
                    health_factor_before=was,
                    health_factor_after=float(health[i]),
                    collateral_value=float(collateral[i]),
                    debt_value=float(debt[i]),
                )
            )
    return tuple(sorted(hurt, key=lambda h: (-h.debt_value, h.account)))
