"""What an attacker knows of a market, and the moves that patterns are put together from.

Written over what a market of any family offers (reserves, factors, cash, where a price
comes from), never over names or addresses of a case.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from evaluator.arena.adversary.ground import Ground
from evaluator.arena.adversary.moves import Amount, Kind, Move, held, room, usd
from evaluator.arena.adversary.sounding import Sounding
from evaluator.protocols.pools import Pool

DEBTS = 4  # reserves that are emptied, those with most cash first
ALL = 0.999  # of what may be borrowed; rounding eats the rest
_CHEAP = 0.9  # of the fair price: an oracle that says less sells a token too cheaply


@dataclass(frozen=True, kw_only=True, eq=False)
class Knowledge:
    """What the patterns are written from."""

    ground: Ground  # the market and its surroundings
    sounding: Sounding  # what was found out of its prices
    capital: float  # USD the attacker may bring

    def usd(self, token: str, tokens: float) -> float:
        """Value whole tokens at the fair price."""
        return tokens * self.ground.tokens[token].fair


def collaterals(k: Knowledge) -> list[str]:
    """Tokens that can be borrowed against, the least supplied first."""
    found = []
    for reserve in k.ground.market.reserves:
        p = reserve.parameters
        usable = p.active and not p.frozen and not p.paused
        if usable and p.ltv > 0.0 and reserve.asset.price > 0.0:
            token = reserve.asset.address.lower()
            found.append((k.usd(token, reserve.supplied), token))
    return [token for _, token in sorted(found)]


def debts(k: Knowledge, but: str = "") -> list[str]:
    """Tokens that can be borrowed: what the oracle holds too cheap, then by their cash."""
    found = []
    for reserve in k.ground.market.reserves:
        p, token = reserve.parameters, reserve.asset.address.lower()
        usable = p.active and not p.frozen and not p.paused and p.borrowing_enabled
        if usable and token != but and reserve.cash > 0.0 and k.ground.tokens[token].fair > 0.0:
            fair = k.ground.tokens[token].fair
            cheap = 0.0 < reserve.asset.price < _CHEAP * fair
            found.append((not cheap, -k.usd(token, borrowable(k, token)), token))
    return [token for _, _, token in sorted(found)]


def borrowable(k: Knowledge, token: str) -> float:
    """What cash and cap leave to be borrowed, whole tokens."""
    asset = k.ground.index(token)
    assert asset is not None  # called for reserves only
    r = k.ground.market.reserves[asset]
    return max(min(r.cash, r.parameters.borrow_cap - r.borrowed), 0.0)


def takings(k: Knowledge, but: str) -> float:
    """Value of what there is to take, USD."""
    return sum(k.usd(t, borrowable(k, t)) for t in debts(k, but)[:DEBTS])


def borrow_all(k: Knowledge, but: str, share: float = ALL, first: str = "") -> tuple[Move, ...]:
    """Borrow as much as is allowed of the reserves with most cash."""
    order = debts(k, but)
    if first in order:
        order = [first, *(t for t in order if t != first)]
    return tuple(
        Move(kind=Kind.BORROW, asset=t, amount=room(share), may_fail=len(order) > 1)
        for t in order[:DEBTS]
    )


def fund(token: str, value: float) -> Move:
    """Bring USD worth of a token."""
    return Move(kind=Kind.FUND, asset=token, amount=usd(value))


def supply(token: str, amount: Amount) -> Move:
    """Supply a token."""
    return Move(kind=Kind.SUPPLY, asset=token, amount=amount)


def ltv(k: Knowledge, token: str) -> float:
    """What may be borrowed against a token, as a fraction of its value."""
    asset = k.ground.index(token)
    return 0.0 if asset is None else k.ground.market.reserves[asset].parameters.ltv


def room_below_cap(k: Knowledge, token: str) -> float:
    """What may still be supplied, USD at the fair price."""
    asset = k.ground.index(token)
    assert asset is not None  # called for reserves only
    r = k.ground.market.reserves[asset]
    return k.usd(token, max(r.parameters.supply_cap - r.supplied, 0.0))


def sizes_of(k: Knowledge, pool: Pool, token: str) -> list[float]:
    """USD to push a pool with: from a fraction of its depth to many times it."""
    depth = k.ground.depth(pool, token)
    return list(dict.fromkeys(min(x * depth, k.capital) for x in (1.0, 0.3, 4.0, 12.0) if depth))


def spend(pools: Sequence[Pool], depths: Sequence[float], token: str) -> Iterator[Move]:
    """Sell what was brought of each other token on its pools, by their depths."""
    for i, pool in enumerate(pools):
        other = pool.other(token)
        left = sum(d for p, d in zip(pools[i:], depths[i:], strict=True) if p.other(token) == other)
        yield Move(
            kind=Kind.SWAP, asset=other, pool=pool.address, amount=held(depths[i] / left)
        )  # fmt: skip
