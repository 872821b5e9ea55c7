"""What whoever governs a market can take from it: its prices, and so all that it lends."""

from __future__ import annotations

from evaluator.arena.adversary.ground import Ground
from evaluator.arena.board import Answer, board_code
from evaluator.arena.bundles import BLOCK_GAS
from evaluator.chain.simulation import SimulatedBlock
from evaluator.errors import ConfigurationError, TransactionReverted
from evaluator.governance.decoding.calls import RawAction

FORGED = "0x5ea70000000000000000000000000000000000fd"  # where the attacker's oracle stands


def oracle_change(ground: Ground) -> RawAction | None:
    """Return the call that gives a market the attacker's oracle; None if its governor may not.

    Raises RpcError.
    """
    if ground.polity is None:
        return None
    target, data = ground.lending.oracle_change(FORGED)
    try:
        answer = ground.sandbox.call(target, data, sender=ground.polity.terms.executor)
    except TransactionReverted:
        return None
    # The Compound family answers an error instead of reverting.
    if any(answer[:32]):
        return None
    return RawAction(target=target, value=0, signature=b"", calldata=data)


def forged_oracle(ground: Ground, token: str, factor: float) -> bytes | None:
    """Return code that says what the oracle says now, but for one token that it multiplies.

    None if the oracle does not answer, or answers more than fits. Raises RpcError.
    """
    asset, count = ground.index(token), len(ground.market.reserves)
    asked = tuple(ground.lending.price(a) for a in range(count))
    (block,) = ground.engine.run([SimulatedBlock(calls=asked, gas_limit=BLOCK_GAS)])
    raw = [int.from_bytes(c.return_data[:32], "big") if c.succeeded else 0 for c in block.calls]
    if asset is None or not raw[asset]:
        return None
    raw[asset] = int(raw[asset] * factor)
    _, pairs = ground.lending.oracle_answers(raw)
    try:
        return board_code(
            [
                Answer(selector=call[:4], argument=call[4:36] or None, data=answer)
                for call, answer in pairs
            ]
        )
    except ConfigurationError:
        return None
