"""On what terms a governor lets a proposal through, and the calls that carry one through.

Read from the governor's own views, so that terms before and after a proposal can be
compared and somebody else's proposal can be written against either.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evaluator.chain.sandbox import Sandbox
from evaluator.errors import ProposalError
from evaluator.governance import views
from evaluator.governance.adapter import GovernorAdapter
from evaluator.governance.decoding.calls import RawAction
from evaluator.governance.family import LifecycleGovernor

_TOKENS_OF_VAULTS = ("xvsAddress()",)  # views by which a vault names the token it takes
_TIMELOCK_DELAYS = ("getMinDelay()", "delay()")


@dataclass(frozen=True, kw_only=True, slots=True)
class Terms:
    """What it takes to have calls made by a governor's executor."""

    governor: str  # address, lower-case
    votes: str  # contract that counts votes, lower-case
    token: str  # token that carries them, lower-case; `votes` itself where there is no vault
    executor: str  # timelock, or the governor itself, lower-case
    threshold: int  # votes that a proposer must have more of, base units
    quorum: int  # votes in favour, base units
    delay: int  # from a proposal to its snapshot, blocks or seconds
    period: int  # in which votes are taken, blocks or seconds
    timelock: int  # seconds between queueing and execution
    by_time: bool  # whether delay and period are seconds

    @property
    def vaulted(self) -> bool:
        """Whether tokens vote only while they are in a vault."""
        return self.votes != self.token

    def seconds(self, block_time: float) -> float:
        """Seconds from a proposal to its execution, at `block_time` seconds a block."""
        return self.voting_seconds(block_time) + self.timelock

    def voting_seconds(self, block_time: float) -> float:
        """Seconds from a proposal to the last vote, at `block_time` seconds a block."""
        return (self.delay + self.period) * (1.0 if self.by_time else block_time)


@dataclass(frozen=True, kw_only=True, slots=True)
class Bill:
    """Calldata that carries one proposal through its governor, as it stands now."""

    propose: bytes
    vote: bytes  # in favour
    against: bytes
    queue: bytes | None  # None where nothing is queued
    execute: bytes


def read_terms(sandbox: Sandbox, governor: GovernorAdapter) -> Terms | None:
    """Read a governor's terms at the sandbox's head; None if it does not tell them.

    Raises RpcError.
    """
    if not isinstance(governor, LifecycleGovernor):
        return None
    where = governor.address
    numbers = {
        name: views.number(sandbox, where, f"{name}()")
        for name in ("votingDelay", "votingPeriod", "proposalThreshold")
    }
    delay, period, threshold = numbers.values()
    try:
        votes = governor.votes(sandbox)
        executor = governor.executor(sandbox, governor.unsubmitted(sandbox, (), b""))
    except ProposalError:
        return None
    if delay is None or period is None or threshold is None or votes is None:
        return None
    inner = (views.address(sandbox, votes, v) for v in _TOKENS_OF_VAULTS)
    waits = (views.number(sandbox, executor, v) for v in _TIMELOCK_DELAYS)
    return Terms(
        governor=where,
        votes=votes,
        token=next((t for t in inner if t is not None), votes),
        executor=executor,
        threshold=threshold,
        quorum=governor.quorum(sandbox),
        delay=delay,
        period=period,
        timelock=next((w for w in waits if w is not None), 0),
        by_time=governor.uses_time(sandbox),
    )


def write_bill(
    sandbox: Sandbox, governor: GovernorAdapter, actions: Sequence[RawAction], description: bytes
) -> Bill:
    """Write the calls that would carry `actions` through a governor, proposed next.

    Raises ProposalError for a governor whose lifecycle is not known, RpcError.
    """
    if not isinstance(governor, LifecycleGovernor):
        raise ProposalError(f"the lifecycle of the governor {governor.address} is not known")
    proposal = governor.unsubmitted(sandbox, tuple(actions), description)
    return Bill(
        propose=governor.submit_call(proposal),
        vote=governor.vote_call(proposal),
        against=governor.vote_call(proposal, in_favour=False),
        queue=governor.queue_call(sandbox, proposal),
        execute=governor.execute_call(proposal),
    )
