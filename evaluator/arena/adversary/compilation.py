"""From moves to calls: what the Attacker contract is told to do in one transaction."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from evaluator.arena.adversary.ground import ATTACKER, SECOND, Ground
from evaluator.arena.adversary.moves import GOVERNING, Basis, Kind, Move
from evaluator.arena.adversary.polity import VOTING
from evaluator.arena.lending import TOKEN, Quotient, Read, view
from evaluator.chain.abi import Abi, selector
from evaluator.chain.receipts import ZERO
from evaluator.chain.simulation import SimulatedCall
from evaluator.errors import ConfigurationError, ProposalError
from evaluator.protocols.pools import PoolKind

GAS = 30_000_000  # units offered to the one transaction of an attack
WEALTH = Abi.parse(["function wealth() view returns (uint256)"])
# Stands for an amount while a call is encoded; no real amount looks like it.
_MARK = 0x5EA7_7A1D_0000_0000_0000_0000_B1A4_C0DE
_MARKED = _MARK.to_bytes(32, "big")
_VALUE = 2**256 - 1  # Attacker.VALUE
_PARTS = 10**9  # a share is a whole number of these
_UNDER_CAP = 0.999  # of what a cap leaves, for the interest of the blocks between
_SELL = "sell"
_PERFORM = selector(
    "perform((address,uint256,bytes,bool,(uint256,((address,bytes,uint256)[],"
    "(address,bytes,uint256)[],uint256,uint256)[])[])[])"
)


class Impossible(Exception):
    """A move that cannot be made on this ground."""


def held_by(ground: Ground, token: str, who: str = ATTACKER) -> SimulatedCall:
    """Ask for a balance, of the native coin too."""
    if ground.tokens[token].native:
        return view(who, WEALTH.encode("wealth"))
    return view(token, TOKEN.encode("balanceOf", who))


def encode_moves(ground: Ground, moves: Sequence[Move], fair: Mapping[str, float]) -> bytes:
    """Return calldata of `Attacker.perform` for own moves. Raises Impossible."""
    steps = [step for m in moves for step in _steps(ground, m, fair)]
    return _PERFORM + _word(32) + _array(steps)


def transaction(data: bytes, account: str = ATTACKER) -> SimulatedCall:
    """The attacker's transaction: its contracts as compiled obey the zero address."""
    return SimulatedCall(sender=ZERO, to=account, data=data, gas=GAS)


def account_of(move: Move) -> str:
    """Which of the attacker's accounts makes a move."""
    return SECOND if move.second else ATTACKER


def _steps(ground: Ground, move: Move, fair: Mapping[str, float]) -> list[bytes]:
    """The steps of one move, each encoded as Attacker.Step."""
    plain = replace(move, amount=None)
    if plain not in ground.encoded:
        ground.encoded[plain] = _calls(ground, move)
    calls, fails = ground.encoded[plain], move.may_fail
    if move.amount is None:
        return [_step(c.to, c.value, c.data, fails, []) for c in calls]
    least = _quotients(ground, move, fair)
    fixed = least[0].numerator if len(least) == 1 and not least[0].over else None
    out = []
    for call in calls:
        value, data = call.value, call.data
        at = data.find(_MARKED)
        blanks: list[bytes] = []
        if fixed is not None:
            data = data.replace(_MARKED, fixed.to_bytes(32, "big"))
            value = fixed if value == _MARK else value
        else:
            places = ([at] if at >= 0 else []) + ([_VALUE] if value == _MARK else [])
            amounts = _array([_quotient(q) for q in least])
            blanks = [_word(place) + _word(64) + amounts for place in places]
            value = 0 if value == _MARK else value
        out.append(_step(call.to, value, data, fails, blanks))
    return out


def _calls(ground: Ground, move: Move) -> tuple[SimulatedCall, ...]:
    """The calls of a move, with the mark where its amount belongs."""
    lending, who = ground.lending, account_of(move)
    if move.kind is Kind.SET_PRICE:
        return (SimulatedCall(sender=who, to=move.target, data=bytes.fromhex(move.data[2:])),)
    if move.kind is Kind.EXECUTE:
        if not ground.execution:
            raise Impossible("the proposal is executed already")
        return tuple(replace(c, sender=who) for c in ground.execution)
    if move.kind is Kind.SWAP:
        return (_swap(ground, move),)
    if move.kind is Kind.DELEGATE:
        return _delegation(ground, move)
    if move.kind in GOVERNING:
        return _governing(ground, move)
    if move.kind is Kind.DONATE and move.target:
        if ground.tokens[move.asset].native:
            raise Impossible("the native coin is no gift that a balance is read of")
        data = TOKEN.encode("transfer", move.target, _MARK)
        return (SimulatedCall(sender=who, to=move.asset, data=data),)
    asset = ground.index(move.asset)
    if asset is None:
        raise Impossible(f"the market has no reserve of {move.asset}")
    match move.kind:
        case Kind.SUPPLY:
            enter = lending.enter(who, asset)
            calls = lending.supply(who, asset, _MARK).calls
            return calls if enter is None else (*calls, *enter.calls)
        case Kind.WITHDRAW:
            return lending.withdraw(who, asset, _MARK).calls
        case Kind.BORROW:
            return lending.borrow(who, asset, _MARK).calls
        case Kind.REPAY:
            return lending.repay(who, asset, _MARK).calls
        case Kind.LIQUIDATE:
            seized = ground.index(move.collateral)
            if seized is None:
                raise Impossible(f"the market has no reserve of {move.collateral}")
            return lending.liquidate(
                who, move.debtor, collateral=seized, debt=asset, units=_MARK
            ).calls
        case Kind.DONATE if not ground.tokens[move.asset].native:
            keeper = ground.market.reserves[asset].receipt_token.lower()
            data = TOKEN.encode("transfer", keeper, _MARK)
            return (SimulatedCall(sender=who, to=move.asset, data=data),)
    raise Impossible(f"{move.kind} is no move of the attacker's own contract")


def _delegation(ground: Ground, move: Move) -> tuple[SimulatedCall, ...]:
    """Make tokens vote for their holder: in a vault where they vote nowhere else."""
    terms = None if ground.polity is None else ground.polity.terms
    if terms is None or move.asset != terms.token:
        raise Impossible(f"nobody votes with {move.asset} here")
    entering: list[tuple[str, bytes]] = []
    if terms.vaulted:
        entering = [
            (terms.token, TOKEN.encode("approve", terms.votes, _MARK)),
            (terms.votes, VOTING.encode("deposit", terms.token, 0, _MARK)),
        ]
    calls = [*entering, (terms.votes, VOTING.encode("delegate", ATTACKER))]
    return tuple(SimulatedCall(sender=ATTACKER, to=to, data=data) for to, data in calls)


def _governing(ground: Ground, move: Move) -> tuple[SimulatedCall, ...]:
    """One step of a proposal of the attacker's own."""
    if ground.polity is None:
        raise Impossible("no governor is known here")
    try:
        bill = ground.polity.bill(move.data)
    except (ConfigurationError, ProposalError) as error:
        raise Impossible(str(error)) from error
    data = {
        Kind.PROPOSE: bill.propose,
        Kind.VOTE: bill.vote,
        Kind.QUEUE: bill.queue,
        Kind.ENACT: bill.execute,
    }[move.kind]
    where = ground.polity.terms.governor
    return () if data is None else (SimulatedCall(sender=ATTACKER, to=where, data=data),)


def _swap(ground: Ground, move: Move) -> SimulatedCall:
    token, hops = move.asset, []
    for address in filter(None, (move.pool, move.then)):
        pool = ground.pools.get(address)
        if pool is None or token not in (pool.token0, pool.token1):
            raise Impossible(f"{token} is not traded at {address}")
        hops.append((pool.address, pool.kind is PoolKind.UNISWAP_V3))
        token = pool.other(token)
    data = ground.attacker.abi.encode(_SELL, move.asset, _MARK, hops)
    return SimulatedCall(sender=account_of(move), to=account_of(move), data=data)


def _quotients(ground: Ground, move: Move, fair: Mapping[str, float]) -> list[Quotient]:
    amount = move.amount
    assert amount is not None  # asked for moves with one only
    lending, asset, who = ground.lending, ground.index(move.asset), account_of(move)
    if amount.basis is Basis.UNITS:
        return [Quotient(numerator=max(int(amount.value), 0))]
    if amount.basis is Basis.USD:
        return [Quotient(numerator=ground.units(move.asset, amount.value, fair))]
    if amount.basis is Basis.HELD:
        whole = [Quotient(over=(Read(call=held_by(ground, move.asset, who)),))]
    elif asset is None:
        raise Impossible(f"the market has no reserve of {move.asset}")
    elif amount.basis is Basis.ROOM:
        room = _share(lending.room(who, asset), amount.value)
        return [room, lending.cash(asset), *_below_cap(ground, asset)]
    elif amount.basis is Basis.CASH:
        whole = [lending.cash(asset)]
    elif amount.basis is Basis.SUPPLIED:
        whole = [lending.supplied(who, asset)]
    else:
        whole = [lending.owed(move.debtor or who, asset)]
    return [_share(q, amount.value) for q in whole]


def _below_cap(ground: Ground, asset: int) -> list[Quotient]:
    """What the borrow cap leaves, as it stands before the attack; () without a cap."""
    reserve = ground.market.reserves[asset]
    left = reserve.parameters.borrow_cap - reserve.borrowed
    if math.isinf(left):
        return []
    units = int(max(left, 0.0) * _UNDER_CAP * 10.0**reserve.asset.decimals)
    return [Quotient(numerator=units)]


def _share(whole: Quotient, value: float) -> Quotient:
    return Quotient(
        over=whole.over,
        under=whole.under,
        numerator=whole.numerator * max(round(value * _PARTS), 0),
        denominator=whole.denominator * _PARTS,
    )


# The encoder of eth_abi takes half the time of a search; these few shapes need no other.


def _step(target: str, value: int, data: bytes, may_fail: bool, blanks: list[bytes]) -> bytes:
    tail = _bytes(data)
    head = [_address(target), _word(value), _word(160), _word(int(may_fail))]
    return b"".join((*head, _word(160 + len(tail)), tail, _array(blanks)))


def _quotient(q: Quotient) -> bytes:
    over, under = (_array([_read(r) for r in rs]) for rs in (q.over, q.under))
    head = (_word(128), _word(128 + len(over)), _word(q.numerator), _word(q.denominator))
    return b"".join((*head, over, under))


def _read(read: Read) -> bytes:
    head = (_address(read.call.to), _word(96), _word(read.word))
    return b"".join((*head, _bytes(read.call.data)))


def _array(items: list[bytes]) -> bytes:
    """An array of dynamic items: their number, where each begins, then each."""
    at, places = 32 * len(items), []
    for item in items:
        places.append(_word(at))
        at += len(item)
    return b"".join((_word(len(items)), *places, *items))


def _bytes(data: bytes) -> bytes:
    return _word(len(data)) + data + bytes(-len(data) % 32)


def _address(text: str) -> bytes:
    return bytes.fromhex(text[2:]).rjust(32, b"\0")


def _word(value: int) -> bytes:
    return value.to_bytes(32, "big")
