"""Carrying a proposal to execution the way the chain does, or from the timelock itself.

`next_step` decides from the state alone; the rest acts. When a step cannot be done
on this state, everything is taken back and the proposal's calls are sent from the
timelock, with the reason on record.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Protocol

from evaluator.chain.receipts import Receipt
from evaluator.chain.sandbox import Sandbox
from evaluator.errors import ProposalError, RpcError, TransactionReverted
from evaluator.governance.ballot import Tally, Voter, choose_voters
from evaluator.governance.journey import Journey
from evaluator.governance.proposal import Proposal, ProposalState
from evaluator.governance.trace import ExecutionTrace, ExecutionWay
from evaluator.governance.tracing import Effects, read_effects

MAX_STEPS = 16  # a lifecycle has at most seven


class Step(StrEnum):
    """What brings a proposal nearer to its execution."""

    SUBMIT = "propose"
    AWAIT_VOTE = "wait for the vote"
    VOTE = "vote"
    QUEUE = "queue"
    AWAIT_ETA = "wait for the timelock"
    STOP = "stop"  # no way on from this state


def next_step(state: ProposalState | None) -> Step:
    """Decide what to do in a state; None is a proposal not submitted yet."""
    match state:
        case None:
            return Step.SUBMIT
        case ProposalState.PENDING:
            return Step.AWAIT_VOTE
        case ProposalState.ACTIVE:
            return Step.VOTE
        case ProposalState.SUCCEEDED:
            return Step.QUEUE
        case ProposalState.QUEUED:
            return Step.AWAIT_ETA
        case _:
            return Step.STOP


class LifecycleGovernor(Protocol):
    """What the lifecycle needs to know of a governor; all addresses lower-case."""

    name: str
    address: str

    def find(self, sandbox: Sandbox, proposal_id: int) -> Proposal: ...
    def state(self, sandbox: Sandbox, proposal_id: int) -> ProposalState: ...
    def queued(self, sandbox: Sandbox) -> tuple[Proposal, ...]: ...
    def executor(self, sandbox: Sandbox, proposal: Proposal) -> str:
        """The address the proposal's calls come from: the timelock, or the governor itself."""
        ...

    def uses_time(self, sandbox: Sandbox) -> bool:
        """Whether snapshot and deadline are seconds instead of blocks."""
        ...

    def submit_call(self, proposal: Proposal) -> bytes: ...
    def submitted_id(self, sandbox: Sandbox, proposal: Proposal, receipt: Receipt) -> int: ...
    def delegates(
        self, sandbox: Sandbox, *, needed: int, snapshot: int | None
    ) -> tuple[tuple[Voter, ...], str]:
        """Accounts with voting power at `snapshot` (now if None), strongest first, and a note."""
        ...

    def quorum(self, sandbox: Sandbox) -> int:
        """Votes a quorum takes now."""
        ...

    def tally(self, sandbox: Sandbox, proposal: Proposal) -> Tally: ...
    def has_voted(
        self, sandbox: Sandbox, proposal: Proposal, accounts: Sequence[str]
    ) -> list[bool]: ...
    def vote_call(self, proposal: Proposal) -> bytes: ...
    def queue_call(self, sandbox: Sandbox, proposal: Proposal) -> bytes | None:
        """Calldata that queues it; None if it is executed without a queue."""
        ...

    def execute_call(self, proposal: Proposal) -> bytes: ...


class _Obstacle(Exception):
    """The lifecycle cannot go on; the message says why."""


def execute(
    governor: LifecycleGovernor,
    sandbox: Sandbox,
    proposal: Proposal,
    *,
    feeds: Sequence[str] = (),
    before_execution: Callable[[], None] | None = None,
) -> ExecutionTrace:
    """Carry `proposal` to execution from the state it is in, and say what that did.

    `feeds` are price feeds to be refreshed after waiting. `before_execution` is
    called when only the execution itself is left: what it reads is the state the
    proposal finds, with the waits and the proposals queued before it already over.
    A revert on execution is a result (`succeeded` is False). Raises `ProposalError`
    if the proposal was executed already: fork the block `evaluation_block` names.
    """
    if proposal.state is ProposalState.EXECUTED:
        raise ProposalError(
            f"proposal {proposal.proposal_id} was executed already: evaluate it on a fork of the"
            " block before its execution"
        )
    start = sandbox.snapshot()
    journey = Journey(sandbox=sandbox, feeds=tuple(feeds))
    try:
        ready = _bring_to_execution(governor, journey, proposal)
    except (_Obstacle, ProposalError) as obstacle:
        # Take the failed attempt back, its waits included, and act as of now.
        sandbox.revert(start)
        journey = Journey(sandbox=sandbox, feeds=tuple(feeds))
        why = f"the governance lifecycle cannot be carried through: {obstacle}"
        return _from_timelock(governor, journey, proposal, why, before_execution)
    journey.refresh_feeds()
    if before_execution is not None:
        before_execution()
    return _by_governor(governor, journey, ready)


def _bring_to_execution(
    governor: LifecycleGovernor, journey: Journey, proposal: Proposal
) -> Proposal:
    """Return the proposal when only its execution is left. Raises `_Obstacle`."""
    sandbox = journey.sandbox
    for _ in range(MAX_STEPS):
        match next_step(proposal.state):
            case Step.SUBMIT:
                proposal = _submit(governor, journey, proposal)
            case Step.AWAIT_VOTE:
                assert proposal.snapshot is not None
                journey.wait_until(
                    proposal.snapshot + 1,
                    by_time=governor.uses_time(sandbox),
                    what="the vote to begin",
                )
            case Step.VOTE:
                _vote(governor, journey, proposal)
            case Step.QUEUE:
                calldata = governor.queue_call(sandbox, proposal)
                if calldata is None:
                    _run_queued(governor, journey, proposal)
                    return proposal
                _send(journey, Step.QUEUE, proposal, governor.address, calldata)
            case Step.AWAIT_ETA:
                if proposal.eta is not None and proposal.eta > sandbox.timestamp():
                    journey.wait_until(proposal.eta, by_time=True, what="the timelock's delay")
                _run_queued(governor, journey, proposal)
                return proposal
            case Step.STOP:
                raise _Obstacle(f"it is {proposal.state}")
        assert proposal.proposal_id is not None
        _run_due(governor, journey, proposal)
        proposal = replace(governor.find(sandbox, proposal.proposal_id), route=proposal.route)
    raise _Obstacle(f"it is still {proposal.state} after {MAX_STEPS} steps")


def _submit(governor: LifecycleGovernor, journey: Journey, proposal: Proposal) -> Proposal:
    """Propose as the first account the governor accepts: the one named, then the strongest."""
    sandbox = journey.sandbox
    voters, note = governor.delegates(sandbox, needed=governor.quorum(sandbox), snapshot=None)
    candidates = [v.account for v in voters]
    if proposal.proposer is not None:
        candidates = [proposal.proposer, *(c for c in candidates if c != proposal.proposer)]
    refusals: list[str] = []
    calldata = governor.submit_call(proposal)
    for candidate in candidates[:10]:
        try:
            sandbox.call(governor.address, calldata, sender=candidate)
        except TransactionReverted as error:
            refusals.append(error.reason)
            if candidate == proposal.proposer:
                journey.notes.append(
                    f"the named proposer {candidate} cannot submit it: {error.reason}"
                )
            continue
        receipt = journey.send(
            Step.SUBMIT, f"by {candidate}", candidate, governor.address, calldata
        )
        number = governor.submitted_id(sandbox, proposal, receipt)
        return replace(proposal, proposal_id=number, proposer=candidate)
    why = f": {refusals[-1]}" if refusals else ""
    raise _Obstacle(f"none of {len(candidates)} delegates can submit it{why}{_after(note)}")


def _vote(governor: LifecycleGovernor, journey: Journey, proposal: Proposal) -> None:
    """Vote with real power delegated before the snapshot, then wait for the end."""
    sandbox = journey.sandbox
    missing = governor.tally(sandbox, proposal).missing
    if missing > 0:
        voters, note = governor.delegates(sandbox, needed=missing, snapshot=proposal.snapshot)
        voted = governor.has_voted(sandbox, proposal, [v.account for v in voters])
        free = [v for v, done in zip(voters, voted, strict=True) if not done]
        chosen = choose_voters(free, missing)
        if chosen is None and not note:
            # Power that voted counts among what was found: look for more.
            spent = sum(v.power for v, done in zip(voters, voted, strict=True) if done)
            voters, note = governor.delegates(
                sandbox, needed=missing + spent, snapshot=proposal.snapshot
            )
            voted = governor.has_voted(sandbox, proposal, [v.account for v in voters])
            free = [v for v, done in zip(voters, voted, strict=True) if not done]
            chosen = choose_voters(free, missing)
        if chosen is None:
            held = sum(v.power for v in free)
            raise _Obstacle(
                reason=f"it needs {missing} more votes and the delegates found hold {held}"
                + _after(note)
            )
        for voter in chosen:
            _send(
                journey,
                Step.VOTE,
                proposal,
                governor.address,
                governor.vote_call(proposal),
                sender=voter.account,
                detail=f"{voter.account} with {voter.power}",
            )
    assert proposal.proposal_id is not None
    # A late quorum may have moved the deadline.
    deadline = governor.find(sandbox, proposal.proposal_id).deadline
    assert deadline is not None
    journey.wait_until(deadline + 1, by_time=governor.uses_time(sandbox), what="the vote to end")


def _send(
    journey: Journey,
    step: Step,
    proposal: Proposal,
    to: str,
    calldata: bytes,
    *,
    sender: str | None = None,
    detail: str = "",
) -> None:
    try:
        journey.send(step, detail, sender or journey.anyone(proposal), to, calldata)
    except TransactionReverted as error:
        raise _Obstacle(f"the step {step.value!r} reverts: {error.reason}") from error


def _run_queued(governor: LifecycleGovernor, journey: Journey, proposal: Proposal) -> None:
    """Execute the proposals queued before this one, in the order of their times."""
    others = _queued_before(governor, journey, proposal)
    for other in others:
        if other.eta is not None and other.eta > journey.sandbox.timestamp():
            journey.wait_until(other.eta, by_time=True, what="a proposal queued before it")
        _run(governor, journey, other)


def _run_due(governor: LifecycleGovernor, journey: Journey, proposal: Proposal) -> None:
    """Execute the proposals whose time has come, so that they do not expire meanwhile."""
    now = journey.sandbox.timestamp()
    for other in _queued_before(governor, journey, proposal):
        if other.eta is None or other.eta <= now:
            _run(governor, journey, other)


def _queued_before(
    governor: LifecycleGovernor, journey: Journey, proposal: Proposal
) -> list[Proposal]:
    sandbox = journey.sandbox
    if journey.queue is None:
        executor = governor.executor(sandbox, proposal)
        journey.queue = [
            other
            for other in governor.queued(sandbox)
            if other.proposal_id != proposal.proposal_id
            and governor.executor(sandbox, other) == executor
        ]
    mine = proposal.eta if proposal.state is ProposalState.QUEUED else None
    before: list[Proposal] = []
    for other in sorted(journey.queue, key=lambda p: (p.eta or 0, p.proposal_id or 0)):
        if other.proposal_id in journey.tried:
            continue
        if mine is not None and other.eta is not None and other.eta > mine:
            journey.note(
                f"proposal {other.proposal_id} is queued for a later time and was not run first"
            )
            continue
        before.append(other)
    return before


def _run(governor: LifecycleGovernor, journey: Journey, other: Proposal) -> None:
    assert other.proposal_id is not None
    journey.tried.add(other.proposal_id)
    journey.refresh_feeds()
    try:
        journey.send(
            "execute first",
            f"proposal {other.proposal_id}, queued before it",
            journey.anyone(other),
            governor.address,
            governor.execute_call(other),
            value=_value_needed(governor, journey.sandbox, other),
        )
        journey.executed_first.append(other.proposal_id)
    except TransactionReverted as error:
        journey.note(f"proposal {other.proposal_id}, queued before it, reverts: {error.reason}")


def _by_governor(
    governor: LifecycleGovernor, journey: Journey, proposal: Proposal
) -> ExecutionTrace:
    sandbox = journey.sandbox
    before = sandbox.snapshot()
    reason, receipts = "", []
    try:
        receipts.append(
            journey.send(
                "execute",
                "through the governor",
                journey.anyone(proposal),
                governor.address,
                governor.execute_call(proposal),
                value=_value_needed(governor, sandbox, proposal),
            )
        )
    except TransactionReverted as error:
        # Compound's timelock swallows the reason: ask the calls one by one.
        sandbox.revert(before)
        reason = _first_revert(governor, sandbox, proposal) or error.reason
    state = ProposalState.QUEUED if reason else ProposalState.EXECUTED
    return _finish(
        governor,
        journey,
        replace(proposal, state=state),
        ExecutionWay.LIFECYCLE,
        "every step was done as on the chain",
        receipts,
        reason,
    )


def _from_timelock(
    governor: LifecycleGovernor,
    journey: Journey,
    proposal: Proposal,
    why: str,
    before_execution: Callable[[], None] | None,
) -> ExecutionTrace:
    """Send the calls one by one from the timelock; all of them or none."""
    sandbox = journey.sandbox
    _run_queued(governor, journey, proposal)
    journey.refresh_feeds()
    if before_execution is not None:
        before_execution()
    executor = governor.executor(sandbox, proposal)
    needed = sum(action.value for action in proposal.raw_actions)
    held = sandbox.get_balance(executor)
    if needed > held:
        # On the chain, whoever executes sends the value along.
        sandbox.set_balance(executor, needed)
        journey.note(f"{needed - held} wei were given to the timelock, as its executor would")
    before = sandbox.snapshot()
    receipts: list[Receipt] = []
    for number, action in enumerate(proposal.raw_actions, start=1):
        try:
            receipts.append(
                journey.send(
                    "execute",
                    f"call {number} of {len(proposal.raw_actions)} from the timelock",
                    executor,
                    action.target.lower(),
                    action.full_calldata,
                    value=action.value,
                )
            )
        except (TransactionReverted, RpcError) as error:
            sandbox.revert(before)
            reason = error.reason if isinstance(error, TransactionReverted) else str(error)
            return _finish(
                governor,
                journey,
                proposal,
                ExecutionWay.TIMELOCK,
                why,
                [],
                _call_reverts(proposal, number, reason),
            )
    return _finish(governor, journey, proposal, ExecutionWay.TIMELOCK, why, receipts, "")


def _first_revert(governor: LifecycleGovernor, sandbox: Sandbox, proposal: Proposal) -> str | None:
    """Find the first of the proposal's calls that reverts, and leave no trace of the search."""
    executor = governor.executor(sandbox, proposal)
    before = sandbox.snapshot()
    try:
        needed = sum(action.value for action in proposal.raw_actions)
        sandbox.set_balance(executor, max(needed, sandbox.get_balance(executor)))
        for number, action in enumerate(proposal.raw_actions, start=1):
            try:
                sandbox.send(
                    executor, action.target.lower(), action.full_calldata, value=action.value
                )
            except TransactionReverted as error:
                return _call_reverts(proposal, number, error.reason)
        return None
    finally:
        sandbox.revert(before)


def _call_reverts(proposal: Proposal, number: int, reason: str) -> str:
    action = proposal.actions[number - 1]
    name = action.decoded.name if action.decoded and action.decoded.name else "a call"
    return f"call {number} of {len(proposal.actions)} ({name} on {action.target}): {reason}"


def _value_needed(governor: LifecycleGovernor, sandbox: Sandbox, proposal: Proposal) -> int:
    """Wei to send along: what the calls need and the timelock does not hold."""
    needed = sum(action.value for action in proposal.raw_actions)
    if needed == 0:
        return 0
    return max(needed - sandbox.get_balance(governor.executor(sandbox, proposal)), 0)


def _finish(
    governor: LifecycleGovernor,
    journey: Journey,
    proposal: Proposal,
    way: ExecutionWay,
    why: str,
    receipts: Sequence[Receipt],
    reason: str,
) -> ExecutionTrace:
    sandbox = journey.sandbox
    effects = read_effects(sandbox, receipts) if receipts else Effects()
    return ExecutionTrace(
        proposal=proposal,
        way=way,
        why=why,
        steps=tuple(journey.steps),
        succeeded=not reason,
        revert_reason=reason,
        events=effects.events,
        storage_changes=effects.storage_changes,
        code_changes=effects.code_changes,
        role_changes=effects.role_changes,
        owner_changes=effects.owner_changes,
        transfers=effects.transfers,
        touched=effects.touched,
        gas_used=sum(receipt.gas_used for receipt in receipts),
        executed_first=tuple(journey.executed_first),
        block=receipts[-1].block if receipts else sandbox.block_number(),
        timestamp=sandbox.timestamp(),
        notes=(*proposal.notes, *journey.notes, *effects.notes),
        machinery=tuple(dict.fromkeys((governor.address, governor.executor(sandbox, proposal)))),
    )


def _after(note: str) -> str:
    return f" ({note})" if note else ""
