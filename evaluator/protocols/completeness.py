"""Whether the borrowers found owe all that the protocol says is owed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from evaluator.errors import IncompleteState
from evaluator.market import Book, Reserve

# Contracts round each account and the total apart; below this nothing is missing.
_NEGLIGIBLE = 1e-6
# Interest of reserves long untouched can differ this much between the two.
_TOLERABLE = 0.005
_SMALL = 1_000.0  # USD of missing debt that no verdict hangs on


def check_debt(book: Book, reserves: Sequence[Reserve]) -> tuple[str, ...]:
    """Compare the debts of `book` with each reserve's total.

    Returns a caveat for each reserve where a little is missing. Raises
    IncompleteState where more is.
    """
    found = book.debt.total(len(reserves))
    caveats = []
    for r, sum_ in zip(reserves, found, strict=True):
        missing = r.borrowed - float(sum_)
        if missing <= _NEGLIGIBLE * r.borrowed:
            continue
        value = missing * r.asset.price
        text = (
            f"the borrowers found owe {float(sum_):,.6g} {r.asset.symbol} of "
            f"{r.borrowed:,.6g} owed in all; {value:,.0f} USD are owed by accounts unknown"
        )
        if missing > _TOLERABLE * r.borrowed and value > _SMALL:
            raise IncompleteState(
                f"{text}: the endpoint's logs are incomplete, use one that serves all of them"
            )
        caveats.append(text)
    return tuple(caveats)


def owes_nothing_new(book: Book, reserves: Sequence[Reserve]) -> bool:
    """Return whether the debts found add up to the totals, rounding aside."""
    found = book.debt.total(len(reserves))
    owed = np.array([r.borrowed for r in reserves])
    price = np.array([r.asset.price for r in reserves])
    missing = owed - found
    return bool(np.all((missing <= _NEGLIGIBLE * owed) | (missing * price <= 1.0)))
