"""Finding blocks by time."""

from __future__ import annotations

from typing import Any

from evaluator.chain.sandbox import Sandbox
from evaluator.errors import RpcError


def block_by(sandbox: Sandbox, timestamp: int) -> int:
    """Return a block such that none later is at or before `timestamp` (s since 1970).

    It is the newest one at or before the time; a later one where the chain has gaps,
    as a sandbox has after a jump.
    """
    low, high = 0, sandbox.block_number()
    if sandbox.timestamp() <= timestamp:
        return high
    while low < high:
        middle = (low + high + 1) // 2
        time = _time(sandbox, middle)
        if time is None:
            return high
        if time <= timestamp:
            low = middle
        else:
            high = middle - 1
    return low


def _time(sandbox: Sandbox, number: int) -> int | None:
    try:
        block: Any = sandbox.rpc.request("eth_getBlockByNumber", [hex(number), False])
    except RpcError:
        return None
    return int(block["timestamp"], 16) if isinstance(block, dict) else None
