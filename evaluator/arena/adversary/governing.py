"""Govern with votes that were bought or borrowed, and take what the DAO holds or lends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from evaluator.arena.adversary.ground import ATTACKER, LEAST_DEPTH
from evaluator.arena.adversary.knowledge import (
    ALL,
    Knowledge,
    borrow_all,
    collaterals,
    fund,
    ltv,
    room_below_cap,
    spend,
    supply,
    takings,
)
from evaluator.arena.adversary.moves import GOVERNING, Kind, Move, held, room
from evaluator.arena.adversary.moves import Sequence as Moves
from evaluator.arena.adversary.polity import BLOCK_TIME, REACTION, payload_of, payment
from evaluator.arena.adversary.seizure import oracle_change

_PAYMENTS = 8  # of one proposal, the largest holdings first; governors limit their number
_POOLS = 3  # that votes are bought on
_FORGED_FACTOR = 1e4  # price over the true one


def bought_votes(k: Knowledge) -> Iterator[Moves]:
    """Have a proposal of one's own carried out: pay the treasury out, or forge prices."""
    polity = k.ground.polity
    if polity is None:
        return
    token = polity.terms.token
    voting = Move(
        kind=Kind.DELEGATE, asset=token, amount=held(1.0) if polity.terms.vaulted else None
    )
    for plan in (*_payouts(k), *_forgeries(k)):
        step = {kind: Move(kind=kind, data=plan.payload) for kind in GOVERNING}
        begun = (voting, step[Kind.PROPOSE], step[Kind.VOTE])
        ended = (step[Kind.QUEUE], step[Kind.ENACT], *plan.after)
        for bought, returned in (*_purchases(k, token), *_loans(k, token)):
            # Votes that are free again once they were counted are given back before they fall.
            backs = (returned, ()) if polity.asleep and not polity.terms.vaulted else ((),)
            for back in backs:
                yield Moves(pattern=plan.idea, moves=(*plan.before, *bought, *begun, *back, *ended))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Plan:
    """What an own proposal does, and what is done around it."""

    idea: str  # the pattern, in a few words
    payload: str  # its calls, see payload_of
    before: tuple[Move, ...] = ()  # moves that it needs
    after: tuple[Move, ...] = ()  # moves that it makes possible


def _payouts(k: Knowledge) -> Iterator[_Plan]:
    polity = k.ground.polity
    if polity is not None and polity.holdings:
        paid = [payment(t, ATTACKER, u) for t, u in polity.holdings[:_PAYMENTS]]
        yield _Plan(idea="have bought votes pay the treasury out", payload=payload_of(paid))


def _forgeries(k: Knowledge) -> Iterator[_Plan]:
    """Where suppliers have no time to leave, all that is lent is there to be borrowed."""
    polity = k.ground.polity
    if polity is None or polity.terms.seconds(BLOCK_TIME) >= REACTION:
        return
    change = oracle_change(k.ground)
    usable = [t for t in reversed(collaterals(k)) if not k.ground.tokens[t].native]
    for token in usable[:1] if change is not None else ():
        brought = takings(k, token) / _FORGED_FACTOR / max(ltv(k, token), 0.05)
        value = min(3.0 * brought, 0.9 * room_below_cap(k, token), k.capital)
        forge = Move(kind=Kind.FORGE, asset=token, factor=_FORGED_FACTOR)
        yield _Plan(
            idea="have bought votes forge the prices",
            payload=payload_of([change] if change is not None else []),
            before=(forge, fund(token, value)),
            after=(supply(token, held(1.0)), *borrow_all(k, token)),
        )


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
