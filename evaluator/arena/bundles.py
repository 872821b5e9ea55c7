"""Run blocks of transactions on a state and keep nothing of them.

One stateless request where the node offers `eth_simulateV1`; transactions that are
mined and then undone by a snapshot where it does not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from evaluator.chain.receipts import Log
from evaluator.chain.sandbox import Sandbox
from evaluator.chain.simulation import (
    SimulatedBlock,
    SimulatedBlockResult,
    SimulatedCall,
    SimulatedCallResult,
    StateOverride,
)
from evaluator.errors import RpcError, TransactionReverted

# Gas units of a block that holds a whole step of somebody's work, views among it.
BLOCK_GAS = 10**12
CALL_GAS = 15_000_000  # gas units offered to a call that names none


class BundleEngine(Protocol):
    """Runs blocks on top of the sandbox's head; afterwards the head is as it was."""

    way: str  # how, for people

    def run(self, blocks: Sequence[SimulatedBlock]) -> list[SimulatedBlockResult]:
        """Run `blocks` one after the other; each call is a transaction of its own.

        Raises RpcError if the node refuses.
        """
        ...


class Simulated:
    """One `eth_simulateV1` request for all the blocks."""

    way = "one eth_simulateV1 request each"

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def run(self, blocks: Sequence[SimulatedBlock]) -> list[SimulatedBlockResult]:
        """See BundleEngine.run."""
        return self._sandbox.simulate(blocks)


class Committed:
    """Mined transactions, undone by a snapshot; a call is a block of its own."""

    way = "mined transactions, undone by a snapshot"

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def run(self, blocks: Sequence[SimulatedBlock]) -> list[SimulatedBlockResult]:
        """See BundleEngine.run.

        Calls of one block are mined in blocks of the same time; numbers are jumped to
        where a block names one further on.
        """
        with undone(self._sandbox):
            return [self._block(block) for block in blocks]

    def _block(self, block: SimulatedBlock) -> SimulatedBlockResult:
        sandbox = self._sandbox
        for override in block.overrides:
            self._override(override)
        if block.overrides:
            sandbox.mine()
        if block.number is not None:
            ahead = block.number - 1 - sandbox.block_number()
            if ahead > 0:
                sandbox.jump_blocks(ahead, 1)
        time = block.timestamp
        results = []
        for call in block.calls:
            if time is not None:
                # Blocks of equal time need it set anew for each.
                sandbox.rpc.request("evm_setNextBlockTimestamp", [hex(time)])
            results.append(self._call(call))
        return SimulatedBlockResult(
            number=sandbox.block_number(), timestamp=sandbox.timestamp(), calls=tuple(results)
        )

    def _call(self, call: SimulatedCall) -> SimulatedCallResult:
        sandbox = self._sandbox
        logs: tuple[Log, ...] = ()
        gas = 0
        # What a transaction returns is only known by calling it first.
        try:
            data = sandbox.call(call.to, call.data, sender=call.sender, value=call.value)
            receipt = sandbox.send(call.sender, call.to, call.data, value=call.value, gas=call.gas)
        except TransactionReverted as error:
            return SimulatedCallResult(
                succeeded=False, return_data=error.data, gas_used=0, logs=(), reason=error.reason
            )
        except RpcError as error:
            return SimulatedCallResult(
                succeeded=False, return_data=b"", gas_used=0, logs=(), reason=str(error)
            )
        logs, gas = receipt.logs, receipt.gas_used
        return SimulatedCallResult(
            succeeded=True, return_data=data, gas_used=gas, logs=logs, reason=""
        )

    def _override(self, override: StateOverride) -> None:
        sandbox = self._sandbox
        if override.balance is not None:
            sandbox.set_balance(override.address, override.balance)
        if override.code is not None:
            sandbox.set_code(override.address, override.code)
        for slot, value in override.storage:
            sandbox.set_storage(override.address, slot, value)


@contextmanager
def undone(sandbox: Sandbox) -> Iterator[None]:
    """Undo by a snapshot whatever happens to the sandbox inside."""
    snapshot = sandbox.snapshot()
    try:
        yield
    finally:
        sandbox.revert(snapshot)


def open_engine(sandbox: Sandbox) -> BundleEngine:
    """Choose how bundles run on a sandbox, and note it if the fast way is missing."""
    if sandbox.has_simulate:
        return Simulated(sandbox)
    note = (
        f"{sandbox.rpc.label} has no eth_simulateV1: the arena mines its transactions and undoes "
        "them by snapshots, which is slower"
    )
    if note not in sandbox.notes:
        sandbox.notes.append(note)
    return Committed(sandbox)
