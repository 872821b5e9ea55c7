"""A pool of anvils that run bundles side by side; each holds the state and keeps nothing else.

The state is loaded once, by forking the sandbox, and used for every bundle from then on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from queue import SimpleQueue
from types import TracebackType
from typing import Self

from evaluator.arena.bundles import BundleEngine, open_engine
from evaluator.chain.sandbox import Sandbox
from evaluator.chain.simulation import SimulatedBlock, SimulatedBlockResult
from evaluator.errors import ConfigurationError


class AnvilPool:
    """Anvils of equal state, each with one bundle at a time. Use as a context manager."""

    def __init__(self, sandbox: Sandbox, *, size: int) -> None:
        """Fork the sandbox's head `size` times.

        What the sandbox does later is not seen. Raises AnvilError and RpcError.
        """
        if size < 1:
            raise ConfigurationError(f"a pool needs one anvil or more, got {size}")
        self.size = size
        self.notes: list[str] = []
        self._free: SimpleQueue[BundleEngine] = SimpleQueue()
        head = sandbox.block_number()
        with ExitStack() as owned:
            for _ in range(size):
                fork = owned.enter_context(Sandbox.fork(sandbox.rpc.urls, block=head))
                self._free.put(open_engine(fork))
                self.notes += [n for n in fork.notes if n not in self.notes]
            self._threads = owned.enter_context(ThreadPoolExecutor(size))
            self._owned = owned.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop the anvils."""
        self._owned.close()

    def run(self, bundles: Iterable[Sequence[SimulatedBlock]]) -> list[list[SimulatedBlockResult]]:
        """Run every bundle on the same state and return their results in order.

        The next bundle is taken while others run. Raises what the first bundle that a
        node refuses raises.
        """
        running = [self._threads.submit(self._one, bundle) for bundle in bundles]
        return [one.result() for one in running]

    def _one(self, blocks: Sequence[SimulatedBlock]) -> list[SimulatedBlockResult]:
        engine = self._free.get()
        try:
            return engine.run(blocks)
        finally:
            self._free.put(engine)
