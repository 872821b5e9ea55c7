"""What an agent is: it looks, and returns transactions; it changes nothing itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Protocol

import numpy as np

from evaluator.chain.receipts import Log
from evaluator.chain.sandbox import Sandbox
from evaluator.chain.simulation import SimulatedCall
from evaluator.errors import ConfigurationError, TransactionReverted

GROUP = "seatrial.agents"


@dataclass(frozen=True, kw_only=True, slots=True)
class Transaction:
    """What an agent wants to be done."""

    call: SimulatedCall  # sender, target, calldata and value
    fee: int = 0  # wei a unit of gas, all of it for the sequencer
    what: str = ""  # for people


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """What became of a transaction."""

    agent: str  # name of the agent
    block: int  # of the arena, from 0
    transaction: Transaction
    succeeded: bool  # mined with status 1
    reason: str  # why it reverted, "" if it succeeded
    gas_used: int  # gas units
    paid: int  # wei of gas paid by the sender
    logs: Sequence[Log]  # events


@dataclass(frozen=True, kw_only=True)
class View:
    """The chain as it stands before a block of the arena, to be read only."""

    block: int  # of the arena, from 0
    timestamp: int  # of the block to come, seconds since the epoch
    reports: tuple[Report, ...]  # of this agent's transactions in the block before
    read: Callable[[str, bytes], bytes]  # (contract, calldata) -> answer; TransactionReverted

    @classmethod
    def of(
        cls, sandbox: Sandbox, *, block: int, timestamp: int, reports: tuple[Report, ...]
    ) -> View:
        """Look at a sandbox's head through calls that leave no trace."""

        def read(to: str, data: bytes) -> bytes:
            return sandbox.call(to, data)

        return cls(block=block, timestamp=timestamp, reports=reports, read=read)

    def word(self, to: str, data: bytes) -> int | None:
        """Read one unsigned number; None if the contract does not answer."""
        try:
            answer = self.read(to, data)
        except TransactionReverted:
            return None
        return int.from_bytes(answer[:32], "big") if len(answer) >= 32 else None


class Agent(Protocol):
    """Decides what to send in the next block."""

    @property
    def name(self) -> str:
        """Unique among the agents of a run."""
        ...

    @property
    def hostile(self) -> bool:
        """Whether a sequencer who works against victims puts it first."""
        ...

    def act(self, view: View, rng: np.random.Generator) -> list[Transaction]:
        """Return transactions in the order they shall be made.

        Depends on `view` and `rng` alone, and changes nothing.
        """
        ...


def agent_by_name(name: str) -> Callable[..., Agent]:
    """Return the maker of the agents registered as `name` under `seatrial.agents`.

    Raises ConfigurationError when there is none, or when it cannot be imported.
    """
    found = [e for e in entry_points(group=GROUP) if e.name == name]
    if not found:
        known = ", ".join(sorted({e.name for e in entry_points(group=GROUP)}))
        raise ConfigurationError(f"there is no agent '{name}'; choose one of {known}")
    try:
        maker: Callable[..., Agent] = found[0].load()
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(
            f"the agent '{name}' ({found[0].value}) cannot be loaded: {error}; reinstall the "
            "package that provides it"
        ) from error
    return maker
