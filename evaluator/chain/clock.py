"""Move a local node's head thousands of blocks ahead in milliseconds.

Mining empty blocks one by one takes minutes for a governor's real delays. Here a
state dump that holds nothing but a made-up header is loaded: accounts stay as
they are, the head's number and time change, and one ordinary block is mined on
top. The blocks in between do not exist, so their hashes read as zero.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from typing import Any

from evaluator.chain.rpc import RpcClient
from evaluator.errors import ChainError

# The header fields of anvil's dump; an RPC block has further ones.
_HEADER = (
    "sha3Uncles", "miner", "stateRoot", "transactionsRoot", "receiptsRoot", "logsBloom",
    "difficulty", "gasLimit", "extraData", "mixHash", "nonce", "baseFeePerGas",
    "withdrawalsRoot", "blobGasUsed", "excessBlobGas", "parentBeaconBlockRoot", "requestsHash",
)  # fmt: skip


def mine_at(rpc: RpcClient, timestamp: int) -> None:
    """Mine one block at `timestamp`, in seconds."""
    rpc.request("evm_setNextBlockTimestamp", [hex(timestamp)])
    rpc.request("evm_mine")


def jump(rpc: RpcClient, blocks: int, seconds_per_block: int) -> None:
    """Move the head by `blocks`, each `seconds_per_block` after the one before.

    Raises ChainError for a jump that does not go forward, or that the node refuses.
    """
    if blocks <= 0 or seconds_per_block <= 0:
        raise ChainError(f"a jump by {blocks} blocks of {seconds_per_block} s does not go forward")
    head = _head(rpc)
    start, time = int(head["number"], 16), int(head["timestamp"], 16)
    # The first block is mined, because anvil keeps a past state only when it mines on it.
    mine_at(rpc, time + seconds_per_block)
    if blocks == 1:
        return
    if blocks > 2:
        state = made_up_state(
            _head(rpc), start + blocks - 1, time + (blocks - 1) * seconds_per_block
        )
        packed = gzip.compress(json.dumps(state).encode(), compresslevel=1, mtime=0)
        if rpc.request("anvil_loadState", ["0x" + packed.hex()]) is not True:
            raise ChainError("the node refused the jump: only anvil can make it")
    mine_at(rpc, time + blocks * seconds_per_block)


def made_up_state(head: Mapping[str, Any], number: int, timestamp: int) -> dict[str, object]:
    """Write a dump without accounts whose one block is `head` renumbered."""
    header: dict[str, object] = {name: head[name] for name in _HEADER if name in head}
    header |= {
        "parentHash": head["hash"],
        "number": hex(number),
        "timestamp": hex(timestamp),
        "gasUsed": "0x0",
    }
    environment = {
        "number": hex(number),
        "beneficiary": head["miner"],
        "timestamp": hex(timestamp),
        "gas_limit": int(head["gasLimit"], 16),
        "basefee": int(head.get("baseFeePerGas") or "0x0", 16),
        "difficulty": head.get("difficulty", "0x0"),
        "prevrandao": head["mixHash"],
        "blob_excess_gas_and_price": {"excess_blob_gas": 0, "blob_gasprice": 1},
    }
    return {
        "block": environment,
        "accounts": {},
        "best_block_number": number,
        "blocks": [{"header": header, "transactions": [], "ommers": []}],
        "transactions": [],
        "historical_states": None,
    }


def _head(rpc: RpcClient) -> dict[str, Any]:
    head = rpc.request("eth_getBlockByNumber", ["latest", False])
    if not isinstance(head, dict):
        raise ChainError(f"{rpc.label} has no latest block")
    return head
