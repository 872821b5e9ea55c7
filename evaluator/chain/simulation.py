"""Try bundles of blocks and calls that leave no trace: `eth_simulateV1`.

Each call is a transaction of its own with its own gas, logs and status; a later
one sees what an earlier one wrote; afterwards nothing is kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, overload

from evaluator.chain.receipts import Log, unhex, word
from evaluator.chain.reverts import ErrorBook
from evaluator.chain.rpc import RpcClient
from evaluator.errors import RpcError


@dataclass(frozen=True, kw_only=True)
class SimulatedCall:
    """One transaction to try."""

    sender: str  # any address, contracts too
    to: str  # called contract
    data: bytes = b""  # calldata
    value: int = 0  # wei
    gas: int | None = None  # gas units; None: what the block has


@dataclass(frozen=True, kw_only=True)
class StateOverride:
    """What an account is made to be before a block's calls."""

    address: str
    balance: int | None = None  # wei
    code: bytes | None = None  # runtime code
    storage: tuple[tuple[int, int], ...] = ()  # (slot, word) pairs; other slots stay


@dataclass(frozen=True, kw_only=True)
class SimulatedBlock:
    """One block to try, after the head or after the block before it."""

    calls: tuple[SimulatedCall, ...]
    number: int | None = None  # block number; None: the next
    timestamp: int | None = None  # seconds; None: a usual block time later
    base_fee: int = 0  # wei a unit of gas
    gas_limit: int | None = None  # gas units of the whole block; None: the node's
    overrides: tuple[StateOverride, ...] = ()


class SimulatedLogs(Sequence[Log]):
    """Logs of one call, read from the answer when somebody looks at them.

    Of a bundle of thousands of calls few logs are ever looked at. Raises RpcError for
    those that are none.
    """

    def __init__(self, answer: Sequence[Mapping[str, Any]]) -> None:
        """Take the logs of a JSON-RPC answer. Raises TypeError for what is no list."""
        if not isinstance(answer, list | tuple):
            raise TypeError(f"logs were answered as {type(answer).__name__}")
        self._answer = answer

    @cached_property
    def _read(self) -> tuple[Log, ...]:
        try:
            return tuple(Log.from_json(item) for item in self._answer)
        except (TypeError, KeyError, ValueError) as error:
            raise RpcError(f"a simulation's logs are none: {error!r}") from error

    def __len__(self) -> int:
        return len(self._answer)

    @overload
    def __getitem__(self, index: int) -> Log: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Log, ...]: ...

    def __getitem__(self, index: int | slice) -> Log | tuple[Log, ...]:
        return self._read[index]

    def __eq__(self, other: object) -> bool:
        if isinstance(other, SimulatedLogs):
            return self._read == other._read
        return self._read == other

    def __hash__(self) -> int:
        return hash(self._read)

    def __repr__(self) -> str:
        return repr(self._read)


@dataclass(frozen=True, kw_only=True)
class SimulatedCallResult:
    """What became of one call."""

    succeeded: bool
    return_data: bytes  # answer, or revert data
    gas_used: int  # gas units
    logs: Sequence[Log]
    reason: str  # why it reverted, decoded; "" if it succeeded


@dataclass(frozen=True, kw_only=True)
class SimulatedBlockResult:
    """What became of one block."""

    number: int  # block number
    timestamp: int  # seconds
    calls: tuple[SimulatedCallResult, ...]  # in the order given


def simulate(
    rpc: RpcClient, blocks: Sequence[SimulatedBlock], errors: ErrorBook, block: str
) -> list[SimulatedBlockResult]:
    """Run `blocks` on top of `block` (a number in hex or a tag) and forget them.

    Raises RpcError if the node lacks the method or refuses the request.
    """
    request = {
        "blockStateCalls": [_block_json(one) for one in blocks],
        "validation": False,
        "traceTransfers": False,
    }
    answer = rpc.request("eth_simulateV1", [request, block])
    try:
        return [_block_result(item, errors) for item in _asked_for(answer, blocks)]
    except (TypeError, KeyError, ValueError) as error:
        raise RpcError(f"{rpc.label} answered a simulation that is none: {error!r}") from error


def offers_simulation(rpc: RpcClient) -> bool:
    """Ask with a small probe whether the node has `eth_simulateV1`."""
    probe = SimulatedBlock(calls=(SimulatedCall(sender="0x" + "11" * 20, to="0x" + "22" * 20),))
    try:
        results = simulate(rpc, [probe], ErrorBook(), "latest")
    except RpcError:
        return False
    return len(results) == 1 and results[0].calls[0].succeeded


def _asked_for(answer: list[Any], blocks: Sequence[SimulatedBlock]) -> list[Any]:
    """Drop the empty blocks that some nodes put where numbers were left out."""
    if len(answer) == len(blocks):
        return answer
    filled = iter(answer)
    kept = []
    for one in blocks:
        item = next(filled)
        while one.number is not None and int(item["number"], 16) < one.number:
            item = next(filled)
        kept.append(item)
    return kept


def _block_json(block: SimulatedBlock) -> dict[str, object]:
    overrides: dict[str, str] = {"baseFeePerGas": hex(block.base_fee)}
    if block.number is not None:
        overrides["number"] = hex(block.number)
    if block.timestamp is not None:
        overrides["time"] = hex(block.timestamp)
    if block.gas_limit is not None:
        overrides["gasLimit"] = hex(block.gas_limit)
    return {
        "blockOverrides": overrides,
        "stateOverrides": {item.address: _override_json(item) for item in block.overrides},
        "calls": [_call_json(call) for call in block.calls],
    }


def _call_json(call: SimulatedCall) -> dict[str, str]:
    request = {
        "from": call.sender,
        "to": call.to,
        "data": "0x" + call.data.hex(),
        "value": hex(call.value),
    }
    if call.gas is not None:
        request["gas"] = hex(call.gas)
    return request


def _override_json(item: StateOverride) -> dict[str, object]:
    override: dict[str, object] = {}
    if item.balance is not None:
        override["balance"] = hex(item.balance)
    if item.code is not None:
        override["code"] = "0x" + item.code.hex()
    if item.storage:
        override["stateDiff"] = {word(slot): word(value) for slot, value in item.storage}
    return override


def _block_result(item: dict[str, Any], errors: ErrorBook) -> SimulatedBlockResult:
    return SimulatedBlockResult(
        number=int(item["number"], 16),
        timestamp=int(item["timestamp"], 16),
        calls=tuple(_call_result(call, errors) for call in item["calls"]),
    )


def _call_result(call: dict[str, Any], errors: ErrorBook) -> SimulatedCallResult:
    succeeded = int(call["status"], 16) == 1
    data = unhex(call.get("returnData") or "0x")
    reason = ""
    if not succeeded:
        said = (call.get("error") or {}).get("message")
        reason = errors.reason(data) or str(said or "reverted without a reason")
    return SimulatedCallResult(
        succeeded=succeeded,
        return_data=data,
        gas_used=int(call["gasUsed"], 16),
        logs=SimulatedLogs(call.get("logs", ())),
        reason=reason,
    )
