"""Make an attack with mined transactions, with a flash loan where it fits into one."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from evaluator.arena.adversary.compilation import Impossible
from evaluator.arena.adversary.ground import ATTACKER, Ground
from evaluator.arena.adversary.moves import Kind, Move, held
from evaluator.arena.adversary.moves import Sequence as Moves
from evaluator.arena.adversary.outcome import FAILED, Counting, Outcome
from evaluator.arena.adversary.stage import Script, Stage, Wrapper
from evaluator.arena.bundles import BLOCK_GAS
from evaluator.arena.lending import TOKEN, view
from evaluator.chain.sandbox import Sandbox
from evaluator.chain.simulation import (
    SimulatedBlock,
    SimulatedBlockResult,
    SimulatedCall,
    SimulatedCallResult,
)
from evaluator.errors import RpcError, TransactionReverted
from evaluator.market import Family
from evaluator.protocols.pools import PoolKind

_MOST_SOURCES = 6  # lenders tried for one token
_SCALES = (1.0, 0.5, 0.2, 0.05, 0.01)  # of what was brought, tried until somebody lends it
_SOLD = (0.02, 0.2, 0.6, 0.9)  # of what was taken, sold to pay a loan back
_MOST_TRIALS = 60  # sequences tried in search of a loan
_MOST_TRIED = 6  # choices of a lender for each token


@dataclass(frozen=True, kw_only=True, slots=True)
class Lender:
    """Somebody who lends a token for one transaction."""

    name: str  # "Aave flash loan", "Uniswap V3 flash"
    address: str  # lower-case
    token: str  # lent, lower-case
    fn: str  # of the Attacker contract
    first: bool  # whether the token is the pool's token0; without meaning for Aave


@dataclass(frozen=True, kw_only=True, slots=True)
class Loan:
    """How an attack is paid for, and what is left of it."""

    lenders: tuple[Lender, ...]  # one for each token brought
    sequence: Moves  # with what must be sold to pay back
    outcome: Outcome  # with fees paid and nothing brought


@dataclass(frozen=True, kw_only=True, slots=True)
class MinedTransaction:
    """One transaction of a confirmed attack."""

    what: str  # in words
    sender: str  # who sent it
    to: str  # contract called
    data: bytes  # calldata
    tx_hash: str  # on the sandbox
    gas_used: int  # units
    reason: str  # why it reverted, "" if it did not


@dataclass(frozen=True, kw_only=True, slots=True)
class Confirmation:
    """An attack made with mined transactions."""

    outcome: Outcome  # as the contracts' views tell it afterwards
    transactions: tuple[MinedTransaction, ...]  # the attack's and everybody's, in order


def find_loan(stage: Stage, sequence: Moves, lenders: Sequence[str]) -> Loan | None:
    """Find flash loans that pay for a sequence of one transaction; None if there are none.

    `lenders` are Aave pools besides the market's own. The profit counts after fees. Where
    nobody lends as much, less is brought.
    """
    if not sequence.atomic:
        return None
    last = stage.tried + _MOST_TRIALS
    for times in _SCALES:
        smaller = scaled(sequence, times)
        try:
            purse = stage.purse(smaller, stage.fair(smaller))
        except Impossible:
            return None
        for candidate in (smaller, *_paid_back(stage.ground, smaller, list(purse))):
            best = _best_loan(stage, candidate, purse, lenders)
            if best is not None or stage.tried >= last:
                return best
    return None


def scaled(sequence: Moves, times: float, only: str = "") -> Moves:
    """Bring another amount of every token, or of the one named."""
    moves = tuple(
        replace(m, amount=replace(m.amount, value=m.amount.value * times))
        if m.kind is Kind.FUND and m.amount is not None and only in ("", m.asset)
        else m
        for m in sequence.moves
    )
    return replace(sequence, moves=moves)


def _best_loan(
    stage: Stage, sequence: Moves, purse: dict[str, int], lenders: Sequence[str]
) -> Loan | None:
    best: Loan | None = None
    offers = [list(_lenders(stage, sequence, t, purse[t], lenders))[:_MOST_SOURCES] for t in purse]
    for chosen in itertools.islice(itertools.product(*offers), _MOST_TRIED):
        outcome = stage.try_out(sequence, loan=_wrapper(stage.ground, chosen, purse))
        better = best is None or outcome.profit > best.outcome.profit
        if outcome.made and outcome.profit > 0.0 and better:
            best = Loan(lenders=chosen, sequence=sequence, outcome=replace(outcome, capital=0.0))
    return best


def _paid_back(ground: Ground, sequence: Moves, owed: Sequence[str]) -> Iterator[Moves]:
    """Sell some of what was taken for what is owed, on the deepest pools, over at most two."""
    taken = dict.fromkeys(m.asset for m in sequence.moves if m.kind is Kind.BORROW)
    routes = []
    for target in owed:
        # One way for each: every swap more costs gas that one transaction may not have.
        found = (
            _route(ground, token, target)
            for token in taken
            if token not in owed and not ground.tokens[token].native
        )
        routes += [route for route in found if route][:1]
    for share in _SOLD if routes else ():
        closing = [
            Move(
                kind=Kind.SWAP, asset=token, pool=first, then=then, amount=held(share),
                may_fail=True,
            )
            for token, first, then in routes
        ]  # fmt: skip
        yield replace(sequence, moves=(*sequence.moves, *closing))


def _route(ground: Ground, token: str, target: str) -> tuple[str, str, str] | None:
    """The token, the pool it is sold at, and a second one or ""; None if there is no way."""
    direct = [p for p in ground.pools_of(token) if p.other(token) == target]
    if direct:
        return token, direct[0].address, ""
    for first in ground.pools_of(token):
        hub = first.other(token)
        then = [p for p in ground.pools_of(hub) if p.other(hub) == target]
        if then:
            return token, first.address, then[0].address
    return None


def _lenders(
    stage: Stage, sequence: Moves, token: str, units: int, others: Sequence[str]
) -> Iterator[Lender]:
    """Who could lend a token: Aave pools first, then pools that the sequence leaves alone."""
    ground = stage.ground
    if ground.tokens[token].native:
        return
    market = ground.market
    aave = [market.address.lower()] if market.family is Family.AAVE_V3 else []
    for lender in dict.fromkeys((*aave, *(o.lower() for o in others))):
        yield Lender(
            name="Aave flash loan", address=lender, token=token, fn="withFlashLoan", first=True
        )
    used = set(sequence.pools)
    pools = [p for p in ground.pools_of(token) if p.address not in used]
    if not pools:
        return
    asked = tuple(view(token, TOKEN.encode("balanceOf", p.address)) for p in pools)
    (block,) = ground.engine.run([SimulatedBlock(calls=asked, gas_limit=BLOCK_GAS)])
    stock = [int.from_bytes(c.return_data[:32], "big") for c in block.calls]
    enough = [p for p, held_ in zip(pools, stock, strict=True) if held_ > units]
    for pool in sorted(enough, key=lambda p: (p.kind is not PoolKind.UNISWAP_V3, p.fee)):
        v3 = pool.kind is PoolKind.UNISWAP_V3
        yield Lender(
            name="Uniswap V3 flash" if v3 else "Uniswap V2 flash swap",
            address=pool.address,
            token=token,
            fn="withFlash" if v3 else "withFlashSwap",
            first=token == pool.token0,
        )


def _wrapper(ground: Ground, lenders: Sequence[Lender], purse: dict[str, int]) -> Wrapper:
    abi = ground.attacker.abi

    def wrap(data: bytes) -> bytes:
        for lender in lenders:
            units, inner = purse[lender.token], [(ATTACKER, 0, data, False)]
            if lender.fn == "withFlashLoan":
                data = abi.encode(lender.fn, lender.address, lender.token, units, inner)
            else:
                amounts = (units, 0) if lender.first else (0, units)
                data = abi.encode(lender.fn, lender.address, *amounts, inner)
        return data

    return wrap


def confirm(stage: Stage, sequence: Moves, loan: Loan | None = None) -> Confirmation:
    """Mine the transactions of a sequence on the stage's own sandbox, which is changed by it.

    With `loan`, its sequence is made. Raises RpcError; an attack that cannot be made is
    an outcome that was not made.
    """
    ground = stage.ground
    moves = sequence if loan is None else loan.sequence
    counting = Counting(ground, moves)
    try:
        wrapper = None
        if loan is not None:
            purse = stage.purse(moves, stage.fair(moves))
            wrapper = _wrapper(ground, loan.lenders, purse)
        script = stage.script(moves, counting, wrapper)
    except Impossible as error:
        return Confirmation(outcome=replace(FAILED, reason=str(error)), transactions=())
    mined: list[MinedTransaction] = []
    results = [_mine(ground.sandbox, script, n, mined) for n in range(len(script.blocks))]
    outcome = stage.read(counting, script, results)
    if loan is not None:
        outcome = replace(outcome, capital=0.0)
    return Confirmation(outcome=outcome, transactions=tuple(mined))


def _mine(
    sandbox: Sandbox, script: Script, number: int, mined: list[MinedTransaction]
) -> SimulatedBlockResult:
    block = script.blocks[number]
    # Here every transaction has a block of its own: what is left out counts, not the number.
    if number in script.jumps:
        sandbox.jump_blocks(script.jumps[number], 1)
    for o in block.overrides:
        if o.balance is not None:
            sandbox.set_balance(o.address, o.balance)
        if o.code is not None:
            sandbox.set_code(o.address, o.code)
        for slot, value in o.storage:
            sandbox.set_storage(o.address, slot, value)
    if block.overrides:
        sandbox.mine()
    results = []
    for place, call in enumerate(block.calls):
        own, world = script.own.get((number, place)), script.world.get((number, place))
        words = own if own is not None else world
        if words is None:
            results.append(_ask(sandbox, call))
            continue
        time = max(block.timestamp or 0, sandbox.timestamp())
        sandbox.rpc.request("evm_setNextBlockTimestamp", [hex(time)])
        result, tx_hash = _send(sandbox, call)
        results.append(result)
        if own is not None or call in _told(script, block):
            mined.append(
                MinedTransaction(
                    what=words, sender=call.sender, to=call.to, data=call.data, tx_hash=tx_hash,
                    gas_used=result.gas_used, reason=result.reason,
                )
            )  # fmt: skip
    return SimulatedBlockResult(
        number=sandbox.block_number(), timestamp=sandbox.timestamp(), calls=tuple(results)
    )


def _told(script: Script, block: SimulatedBlock) -> tuple[SimulatedCall, ...]:
    """Transactions of others that belong to the story: not the interest at its beginning."""
    return block.calls[script.first :] if block is script.blocks[0] else block.calls


def _ask(sandbox: Sandbox, call: SimulatedCall) -> SimulatedCallResult:
    try:
        data = sandbox.call(call.to, call.data, sender=call.sender)
    except TransactionReverted as error:
        return _result(False, error.data, 0, error.reason)
    return _result(True, data, 0, "")


def _send(sandbox: Sandbox, call: SimulatedCall) -> tuple[SimulatedCallResult, str]:
    try:
        receipt = sandbox.send(call.sender, call.to, call.data, value=call.value, gas=call.gas)
    except TransactionReverted as error:
        return _result(False, error.data, 0, error.reason), ""
    except RpcError as error:
        return _result(False, b"", 0, str(error)), ""
    return _result(True, b"", receipt.gas_used, ""), receipt.tx_hash


def _result(succeeded: bool, data: bytes, gas: int, reason: str) -> SimulatedCallResult:
    return SimulatedCallResult(
        succeeded=succeeded, return_data=data, gas_used=gas, logs=(), reason=reason
    )
