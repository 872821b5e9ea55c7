"""Every case of the gallery, disasters with their twins after them."""

from __future__ import annotations

from collections.abc import Iterable

from evaluator.errors import ConfigurationError
from gallery import (
    bought_quorum,
    broken_oracle,
    empty_listing,
    fast_votes,
    floored_feed,
    hidden_action,
    other_kinds,
    own_token,
    spot_price,
    squeeze,
)
from gallery.case import Case

CASES: tuple[Case, ...] = (
    *empty_listing.CASES,
    *spot_price.CASES,
    *floored_feed.CASES,
    *squeeze.CASES,
    *own_token.CASES,
    *hidden_action.CASES,
    *broken_oracle.CASES,
    *bought_quorum.CASES,
    *fast_votes.CASES,
    *other_kinds.CASES,
)


def chosen(names: Iterable[str]) -> tuple[Case, ...]:
    """Return the named cases in the gallery's order, all of them without a name.

    Raises ConfigurationError for a name that is none.
    """
    wanted = list(names)
    known = {c.name for c in CASES}
    for name in wanted:
        if name not in known:
            raise ConfigurationError(
                f"the gallery has no case {name[:60]!r}; there are: {', '.join(sorted(known))}"
            )
    return tuple(c for c in CASES if not wanted or c.name in wanted)
