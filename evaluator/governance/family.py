"""What the lifecycle needs to know of a family of governors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from evaluator.chain.receipts import Receipt
from evaluator.chain.sandbox import Sandbox
from evaluator.governance.ballot import Tally, Voter
from evaluator.governance.decoding.calls import RawAction
from evaluator.governance.proposal import Proposal, ProposalState


@runtime_checkable
class LifecycleGovernor(Protocol):
    """What the lifecycle needs to know of a governor; all addresses lower-case."""

    name: str
    """The family, e.g. "GovernorBravo"."""

    address: str
    """The governor's address."""

    def find(self, sandbox: Sandbox, proposal_id: int) -> Proposal:
        """Read a submitted proposal. Raises `UnknownProposal`, `MalformedProposal`."""
        ...

    def state(self, sandbox: Sandbox, proposal_id: int) -> ProposalState:
        """Read a proposal's state. Raises `UnknownProposal`."""
        ...

    def queued(self, sandbox: Sandbox) -> tuple[Proposal, ...]:
        """Return the proposals waiting in the timelock, in the order of their times."""
        ...

    def executor(self, sandbox: Sandbox, proposal: Proposal) -> str:
        """Return who makes the proposal's calls: the timelock, or the governor itself."""
        ...

    def uses_time(self, sandbox: Sandbox) -> bool:
        """Tell whether snapshot and deadline are seconds instead of blocks."""
        ...

    def votes(self, sandbox: Sandbox) -> str | None:
        """Return the contract that votes are counted by, None if it is not told."""
        ...

    def unsubmitted(
        self, sandbox: Sandbox, actions: tuple[RawAction, ...], description: bytes
    ) -> Proposal:
        """Return a proposal as it would be if it were the next, with the id it would get."""
        ...

    def submit_call(self, proposal: Proposal) -> bytes:
        """Return calldata that proposes it."""
        ...

    def submitted_id(self, sandbox: Sandbox, proposal: Proposal, receipt: Receipt) -> int:
        """Return the id the governor gave, from the receipt of the submission."""
        ...

    def delegates(
        self, sandbox: Sandbox, *, needed: int, snapshot: int | None
    ) -> tuple[tuple[Voter, ...], str]:
        """Return accounts with voting power at `snapshot` (now if None), and a note.

        The strongest is first; together they hold `needed` if the chain has as much.
        """
        ...

    def quorum(self, sandbox: Sandbox) -> int:
        """Return the votes a quorum takes now."""
        ...

    def tally(self, sandbox: Sandbox, proposal: Proposal) -> Tally:
        """Return the votes cast so far and the quorum they are held to."""
        ...

    def has_voted(
        self, sandbox: Sandbox, proposal: Proposal, accounts: Sequence[str]
    ) -> list[bool]:
        """Tell for each account whether it has voted."""
        ...

    def vote_call(self, proposal: Proposal, *, in_favour: bool = True) -> bytes:
        """Return calldata of a vote in favour, or against."""
        ...

    def queue_call(self, sandbox: Sandbox, proposal: Proposal) -> bytes | None:
        """Return calldata that queues it; None if it is executed without a queue."""
        ...

    def execute_call(self, proposal: Proposal) -> bytes:
        """Return calldata that executes it."""
        ...
