"""A sandbox's own chain as it stood at an earlier block, for calls and simulations.

Another anvil that forks the past of one that is a fork itself can stop answering: each
of its questions makes the other ask its own upstream, and both wait. Asking one
question at a time of the chain itself needs no second anvil.
"""

from __future__ import annotations

from collections.abc import Sequence

from evaluator.arena.bundles import Simulated
from evaluator.chain.receipts import ZERO
from evaluator.chain.sandbox import Sandbox
from evaluator.chain.simulation import SimulatedBlock, SimulatedBlockResult
from evaluator.errors import RpcError, TransactionReverted


class Past(Sandbox):
    """The same node, but every reading is of `number`; nothing can be sent."""

    def __init__(self, sandbox: Sandbox, number: int) -> None:
        """Pin `sandbox` at a block of its own chain. Raises RpcError if it is not known."""
        super().__init__(sandbox.rpc, block=sandbox.block, upstream=sandbox.upstream)
        self._number = number
        head = sandbox.rpc.request("eth_getBlockByNumber", [hex(number), False])
        if not isinstance(head, dict):
            raise RpcError(f"{sandbox.rpc.label} has no block {number}")
        self._time = int(head["timestamp"], 16)
        self._errors = sandbox._errors
        self._simulates = sandbox.has_simulate

    def block_number(self) -> int:
        """The pinned block."""
        return self._number

    def timestamp(self) -> int:
        """The pinned block's time in seconds."""
        return self._time

    def call(
        self,
        to: str,
        data: bytes,
        *,
        sender: str = ZERO,
        value: int = 0,
        block: int | str = "latest",
    ) -> bytes:
        """See Sandbox.call."""
        return super().call(to, data, sender=sender, value=value, block=self._at(block))

    def call_many(
        self,
        calls: Sequence[tuple[str, bytes]],
        *,
        block: int | str = "latest",
        small: bool = False,  # noqa: ARG002 - one by one, small calls are as any others
    ) -> list[bytes | TransactionReverted]:
        """See Sandbox.call_many; one after the other."""
        out: list[bytes | TransactionReverted] = []
        for to, data in calls:
            try:
                out.append(self.call(to, data, block=block))
            except TransactionReverted as error:
                out.append(error)
        return out

    def get_code(self, address: str, *, block: int | str = "latest") -> bytes:
        """See Sandbox.get_code."""
        return super().get_code(address, block=self._at(block))

    def get_storage(self, address: str, slot: int, *, block: int | str = "latest") -> bytes:
        """See Sandbox.get_storage."""
        return super().get_storage(address, slot, block=self._at(block))

    def simulate(
        self, blocks: Sequence[SimulatedBlock], *, block: int | str = "latest"
    ) -> list[SimulatedBlockResult]:
        """See Sandbox.simulate."""
        return super().simulate(blocks, block=self._at(block))

    def engine(self) -> Simulated:
        """Bundles on top of the pinned block. Raises RpcError without `eth_simulateV1`."""
        if not self.has_simulate:
            raise RpcError(
                f"{self.rpc.label} has no eth_simulateV1: the state before execution cannot be "
                "attacked"
            )
        return Simulated(self)

    def _at(self, block: int | str) -> int | str:
        return self._number if block == "latest" else block
