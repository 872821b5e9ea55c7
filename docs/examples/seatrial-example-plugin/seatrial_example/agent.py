"""An agent that books interest, as anybody may."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evaluator.arena.agents.agent import Transaction, View
from evaluator.chain.simulation import SimulatedCall

ACCRUE_INTEREST = bytes.fromhex("a6afed95")  # accrueInterest()


@dataclass(frozen=True, kw_only=True)
class Accruer:
    """Calls a Compound V2 market's accrueInterest() every few blocks."""

    account: str  # sends the transactions
    market: str  # address of the vToken or cToken
    every: int = 5  # blocks between two calls
    name: str = "example_accruer"
    hostile: bool = False

    # `rng` is the interface's; nothing here is left to chance.
    def act(self, view: View, rng: np.random.Generator) -> list[Transaction]:  # noqa: ARG002
        """Return the call in every block that is due."""
        if view.block % self.every:
            return []
        call = SimulatedCall(sender=self.account, to=self.market, data=ACCRUE_INTEREST)
        return [Transaction(call=call, what="book interest")]
