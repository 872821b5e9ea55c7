"""What executing a proposal did, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from evaluator.governance.decoding.calls import Action
from evaluator.governance.decoding.events import DecodedEvent
from evaluator.governance.proposal import Proposal


class ExecutionWay(StrEnum):
    """How a proposal came to be executed."""

    LIFECYCLE = "governance lifecycle"  # as on the chain: vote, queue, delay, execute
    TIMELOCK = "timelock directly"  # its calls, in order, sent from the timelock itself


@dataclass(frozen=True, kw_only=True)
class ExecutionStep:
    """One transaction or wait on the way."""

    name: str  # what was done, e.g. "vote"
    detail: str  # by whom or how long, in words
    sender: str | None  # address the transaction came from, lower-case; None for a wait
    tx_hash: str | None  # 0x and 64 hex digits; None for a wait or a refused transaction
    block: int  # head after the step
    timestamp: int  # time of that block, s since 1970
    gas_used: int  # gas units; 0 for a wait
    succeeded: bool  # False if the transaction reverted


@dataclass(frozen=True, kw_only=True)
class StorageChange:
    """One storage slot that holds something else than before."""

    contract: str  # lower-case
    slot: int  # slot number
    before: bytes  # 32 bytes
    after: bytes  # 32 bytes


class CodeChangeKind(StrEnum):
    """How the code that runs at an address changed."""

    CREATED = "created"  # a new contract
    REPLACED = "replaced"  # other code at the same address
    DESTROYED = "destroyed"  # no code any more
    IMPLEMENTATION = "implementation"  # a proxy runs another contract's code


@dataclass(frozen=True, kw_only=True)
class CodeChange:
    """Code that runs at an address and did not before."""

    contract: str  # address whose behaviour changed, lower-case
    kind: CodeChangeKind  # how
    before: str  # implementation address, or hash of the code; "" if unknown or none
    after: str  # implementation address, or hash of the code; "" if none
    in_new_contract: bool  # whether `contract` itself was created by this execution


@dataclass(frozen=True, kw_only=True)
class RoleChange:
    """A role or permission granted or taken away."""

    contract: str  # contract that keeps the role, lower-case
    role: str  # name such as POOL_ADMIN, or 0x and 64 hex digits if it is not known
    account: str  # who gains or loses it, lower-case
    granted: bool  # True: gained; False: lost
    in_new_contract: bool  # whether `contract` was created by this execution


@dataclass(frozen=True, kw_only=True)
class OwnerChange:
    """A contract that answers to someone else than before, or by other rules of governance."""

    contract: str  # lower-case
    power: str  # what changed hands: owner, admin, ...; or the rule: voting delay, quorum, ...
    before: str  # address, lower-case, or a rule's number, decimal; "" if unknown
    after: str  # likewise; the zero address if given up
    in_new_contract: bool  # whether `contract` was created by this execution


@dataclass(frozen=True, kw_only=True)
class Transfer:
    """Value that moved."""

    asset: str  # token address, lower-case; "" for the chain's native currency
    sender: str  # lower-case; the zero address for minting
    receiver: str  # lower-case; the zero address for burning
    amount: int  # base units (wei for the native currency)


@dataclass(frozen=True, kw_only=True)
class ExecutionTrace:
    """Everything that was seen while a proposal was executed.

    Events, changes and transfers are those of the execution itself, not of voting,
    queueing or the proposals executed before it.
    """

    proposal: Proposal  # as it was executed, with its id if it got one on the way
    way: ExecutionWay  # how it came to be executed
    why: str  # why this way, in words
    steps: tuple[ExecutionStep, ...]  # in order
    succeeded: bool  # False if the execution reverted
    revert_reason: str  # decoded reason, "" if it succeeded
    events: tuple[DecodedEvent, ...]  # in order
    storage_changes: tuple[StorageChange, ...]  # by contract and slot
    code_changes: tuple[CodeChange, ...]
    role_changes: tuple[RoleChange, ...]
    owner_changes: tuple[OwnerChange, ...]
    transfers: tuple[Transfer, ...]  # in order, native ones first
    touched: tuple[str, ...]  # every address called, delegated to or changed, lower-case
    gas_used: int  # gas units of the execution
    executed_first: tuple[int, ...]  # ids of proposals queued before it, in order of execution
    block: int  # block of the execution, or the head if it reverted
    timestamp: int  # time of that block, s since 1970
    notes: tuple[str, ...]  # facts for the report: waits, feeds refreshed, what was not found

    soft_failures: tuple[str, ...]  # calls that answered an error instead of reverting, in words
    machinery: tuple[str, ...]  # governor and timelock, whose own bookkeeping always changes

    @property
    def changed_nothing(self) -> bool:
        """Whether it succeeded and left storage, code and balances as they were.

        The governor's and the timelock's own records of the execution do not count,
        unless the proposal calls them.
        """
        if not self.succeeded or self.code_changes or self.transfers:
            return False
        if any(change.contract not in self.machinery for change in self.storage_changes):
            return False
        return not any(calls(action, self.machinery) for action in self.proposal.actions)


def calls(action: Action, addresses: tuple[str, ...]) -> bool:
    """Tell whether an action, or a call inside it, goes to one of `addresses`."""
    return action.target in addresses or any(calls(child, addresses) for child in action.children)
