"""A protocol: a fork of Compound V2 that only its own comptrollers belong to."""

from __future__ import annotations

from collections.abc import Collection

from evaluator.chain.sandbox import Sandbox
from evaluator.protocols.compound_v2 import CompoundV2

# Lower-case comptrollers of the fork. This one stands for a deployment of yours.
COMPTROLLERS = frozenset({"0x00000000000000000000000000000000e8a3b1ed"})


class ExampleLend(CompoundV2):
    """Reads the fork as the family is read, under a name of its own."""

    name = "example_lend"

    def discover(self, sandbox: Sandbox, seeds: Collection[str]) -> tuple[str, ...]:
        """Return the fork's comptrollers among the roots that the seeds lead to."""
        return tuple(r for r in super().discover(sandbox, seeds) if r.lower() in COMPTROLLERS)
