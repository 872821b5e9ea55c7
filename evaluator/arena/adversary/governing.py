"""Govern with votes that were bought or borrowed, and take what the DAO holds."""

from __future__ import annotations

from collections.abc import Iterator

from evaluator.arena.adversary.ground import ATTACKER, LEAST_DEPTH
from evaluator.arena.adversary.knowledge import (
    ALL,
    Knowledge,
    collaterals,
    fund,
    spend,
    supply,
)
from evaluator.arena.adversary.moves import Kind, Move, held, room
from evaluator.arena.adversary.moves import Sequence as Moves
from evaluator.arena.adversary.polity import payload_of, payment

_PAYMENTS = 8  # of one proposal, the largest holdings first; governors limit their number
_POOLS = 3  # that votes are bought on
_IDEA = "govern with votes that were bought"


def bought_votes(k: Knowledge) -> Iterator[Moves]:
    """Have the treasury paid out by a proposal of one's own."""
    polity = k.ground.polity
    if polity is None or not polity.holdings:
        return
    token = polity.terms.token
    payload = payload_of([payment(t, ATTACKER, u) for t, u in polity.holdings[:_PAYMENTS]])
    steps = {
        kind: Move(kind=kind, data=payload)
        for kind in (Kind.PROPOSE, Kind.VOTE, Kind.QUEUE, Kind.ENACT)
    }
    voting = Move(
        kind=Kind.DELEGATE, asset=token, amount=held(1.0) if polity.terms.vaulted else None
    )
    begun = (voting, steps[Kind.PROPOSE], steps[Kind.VOTE])
    ended = (steps[Kind.QUEUE], steps[Kind.ENACT])
    for bought, returned in (*_purchases(k, token), *_loans(k, token)):
        # Votes that are free again once they were counted are given back before they fall.
        backs = (returned, ()) if polity.asleep and not polity.terms.vaulted else ((),)
        for back in backs:
            yield Moves(pattern=_IDEA, moves=(*bought, *begun, *back, *ended))


def _purchases(k: Knowledge, token: str) -> Iterator[tuple[tuple[Move, ...], tuple[Move, ...]]]:
    """Buy votes on the pools that trade them; afterwards sell them there."""
    deep = [p for p in k.ground.pools_of(token) if k.ground.depth(p, token) >= LEAST_DEPTH]
    pools = deep[:_POOLS]
    depths = [k.ground.depth(p, token) for p in pools]
    for multiple in (1.0, 0.25, 4.0) if pools else ():
        total = min(multiple * sum(depths), k.capital)
        bought = (
            *(
                fund(p.other(token), total * d / sum(depths))
                for p, d in zip(pools, depths, strict=True)
            ),
            *spend(pools, depths, token),
        )
        sold = Move(kind=Kind.SWAP, asset=token, pool=pools[0].address, amount=held(1.0))
        yield bought, (sold,)


def _loans(k: Knowledge, token: str) -> Iterator[tuple[tuple[Move, ...], tuple[Move, ...]]]:
    """Borrow votes from the market itself; afterwards repay them."""
    asset = k.ground.index(token)
    if asset is None or not k.ground.market.reserves[asset].parameters.borrowing_enabled:
        return
    backing = [t for t in reversed(collaterals(k)) if t != token and not k.ground.tokens[t].native]
    for c in backing[:2]:
        for share in (1.0, 0.2):
            borrowed = (
                fund(c, share * k.capital),
                supply(c, held(1.0)),
                Move(kind=Kind.BORROW, asset=token, amount=room(ALL)),
            )
            yield borrowed, (Move(kind=Kind.REPAY, asset=token, amount=held(1.0)),)
