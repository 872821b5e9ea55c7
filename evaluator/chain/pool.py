"""The transactions that a node has not yet mined, or not yet put away.

anvil tells that a transaction is mined before it takes it out of its pool. A state that is
reverted in between makes the transaction valid again: it is executed once more with the next
block, and its sender's next transaction is given a nonce too high and never mined. Both were
seen with anvil 1.7.1, about once in ten thousand reverts that follow a transaction at once,
and not in ninety thousand that waited for the pool.
"""

from __future__ import annotations

import time
from typing import Any

from evaluator.chain.refusals import UNKNOWN_METHOD
from evaluator.chain.rpc import RpcClient
from evaluator.errors import ChainError, RpcError

_PATIENCE = 10.0  # s
_BETWEEN = 0.001  # s


def wait_until_empty(rpc: RpcClient, *, patience: float = _PATIENCE) -> None:
    """Wait until no transaction in the node's pool could be mined.

    A node that shows no pool is not anvil and not waited for. Raises ChainError if it takes
    longer than `patience`, in seconds, and RpcError.
    """
    deadline = time.monotonic() + patience
    while left := _ready(rpc):
        if time.monotonic() > deadline:
            raise ChainError(
                f"{rpc.label} has kept {left} transaction{'s' if left > 1 else ''} in its pool for "
                f"{patience:g} s, which would come back after a revert: let it mine at once "
                "(evm_setAutomine) or drop them (anvil_dropAllTransactions)"
            )
        time.sleep(_BETWEEN)


def wait_until_mined(rpc: RpcClient, tx_hash: object, *, patience: float = _PATIENCE) -> Any:
    """Wait for a transaction's receipt and return it as it was answered.

    Raises RpcError if it takes longer than `patience`, in seconds.
    """
    deadline = time.monotonic() + patience
    while (receipt := rpc.request("eth_getTransactionReceipt", [tx_hash])) is None:
        if time.monotonic() > deadline:
            raise RpcError(
                f"{rpc.label} mined no transaction in {patience:g} s: is it set to mine at once?"
            )
        time.sleep(_BETWEEN)
    return receipt


def _ready(rpc: RpcClient) -> int:
    try:
        status = rpc.request("txpool_status")
    except RpcError as error:
        if error.code == UNKNOWN_METHOD:
            return 0
        raise
    try:
        return int(status["pending"], 16)
    except (TypeError, KeyError, ValueError) as error:
        raise RpcError(f"{rpc.label} answered a pool's status that is none: {error!r}") from error
