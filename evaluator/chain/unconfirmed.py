"""Transactions that anvil accepted and then gave up waiting for.

It answers `eth_sendTransactionSync` with an error then, after half a minute. That was seen
once, under load, and not in 30,000 sends that were to show it again; why is not known.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from evaluator.chain.rpc import RpcClient

NOT_CONFIRMED = "Transaction confirmation timeout"
_LOOKED_AT = 2  # blocks


def find_unconfirmed(rpc: RpcClient, sender: str, known: Collection[str], *, above: int) -> Any:
    """Return the receipt of the sender's latest transaction that is not known, mined if need be.

    `known` are hashes; blocks up to number `above` are not looked at. None if there is no
    such transaction. Raises RpcError.
    """
    for mined in (False, True):
        if mined:
            rpc.request("evm_mine")
        head = int(rpc.request("eth_blockNumber"), 16)
        for number in range(head, max(head - _LOOKED_AT, above), -1):
            block = rpc.request("eth_getBlockByNumber", [hex(number), True])
            for found in block["transactions"]:
                if found["from"] == sender.lower() and found["hash"] not in known:
                    return rpc.request("eth_getTransactionReceipt", [found["hash"]])
    return None
