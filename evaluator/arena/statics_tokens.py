"""How a token behaves when it is sent: less arrives, or somebody is called in between.

A lending market books what it is told was sent; a token that keeps a part of it leaves
the market short. One that calls the sender or the receiver lets them act in the middle
of a market's own transaction.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from evaluator.arena.bundles import BLOCK_GAS, BundleEngine, open_engine
from evaluator.arena.funds import BalanceSlot, balance_slot, funding
from evaluator.arena.lending import TOKEN, view
from evaluator.chain.receipts import word
from evaluator.chain.sandbox import Sandbox
from evaluator.chain.simulation import SimulatedBlock, SimulatedCall
from evaluator.errors import RpcError

HOLDER = "0x5ea70000000000000000000000000000000000e1"
RECEIVER = "0x5ea70000000000000000000000000000000000e2"
# ERC-1820, at one address on every chain: asked who wants to be called.
REGISTRY = "0x1820a4b7618bde71dce8cdc73aab6c95905fad24"
_SENT = 10**24  # base units
_DEEPEST = 16  # calls within calls


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenBehaviour:
    """What a transfer of a token was seen to do."""

    token: str  # lower-case
    kept: float  # fraction of a transfer that does not arrive
    calls_parties: bool  # sender or receiver are called, or looked up to be


def token_behaviour(sandbox: Sandbox, token: str) -> TokenBehaviour | None:
    """Send a token in a bundle that is forgotten; None where it cannot be tried."""
    place = balance_slot(sandbox, token, HOLDER)
    if place is None:
        return None
    send = SimulatedCall(
        sender=HOLDER, to=token.lower(), data=TOKEN.encode("transfer", RECEIVER, _SENT)
    )
    arrived = _arrived(open_engine(sandbox), place, send)
    if arrived is None:
        return None
    return TokenBehaviour(
        token=token.lower(),
        kept=1.0 - arrived / _SENT,
        calls_parties=_calls_parties(sandbox, place, send),
    )


def _arrived(engine: BundleEngine, place: BalanceSlot, send: SimulatedCall) -> int | None:
    ask = view(send.to, TOKEN.encode("balanceOf", RECEIVER))
    block = SimulatedBlock(
        calls=(ask, send, ask), gas_limit=BLOCK_GAS, overrides=funding([(place, _SENT)])
    )
    try:
        (result,) = engine.run([block])
    except RpcError:
        return None
    if not all(c.succeeded for c in result.calls):
        return None
    before, after = (int.from_bytes(result.calls[k].return_data[:32], "big") for k in (0, 2))
    return after - before


def _calls_parties(sandbox: Sandbox, place: BalanceSlot, send: SimulatedCall) -> bool:
    request = {"from": send.sender, "to": send.to, "data": "0x" + send.data.hex()}
    overrides = {place.keeper: {"stateDiff": {word(place.slot): word(_SENT)}}}
    options = {"tracer": "callTracer", "stateOverrides": overrides}
    try:
        root = sandbox.rpc.request("debug_traceCall", [request, "latest", options])
    except RpcError:
        return False
    return any(to in (HOLDER, RECEIVER, REGISTRY) for to in _called(root, 0))


def _called(frame: dict[str, Any], depth: int) -> Iterator[str]:
    for inner in frame.get("calls") or ():
        yield str(inner.get("to") or "").lower()
        if depth < _DEEPEST:
            yield from _called(inner, depth + 1)
