"""What waits in the same timelock, and is executed before the proposal at hand."""

from __future__ import annotations

from evaluator.chain.receipts import Receipt
from evaluator.errors import TransactionReverted
from evaluator.governance.family import LifecycleGovernor
from evaluator.governance.journey import Journey
from evaluator.governance.proposal import Proposal, ProposalState
from evaluator.governance.timelock_operations import Operation, scheduled_operations


def run_queued(governor: LifecycleGovernor, journey: Journey, proposal: Proposal) -> None:
    """Execute what was queued before this one, in the order of their times."""
    for other in _before(governor, journey, proposal):
        if other.eta is not None and other.eta > journey.sandbox.timestamp():
            journey.wait_until(other.eta, by_time=True, what="what was queued before it")
        _run(governor, journey, proposal, other)


def run_due(governor: LifecycleGovernor, journey: Journey, proposal: Proposal) -> None:
    """Execute what was queued and whose time has come, so that it does not expire meanwhile."""
    now = journey.sandbox.timestamp()
    for other in _before(governor, journey, proposal):
        if other.eta is None or other.eta <= now:
            _run(governor, journey, proposal, other)


def _before(
    governor: LifecycleGovernor, journey: Journey, proposal: Proposal
) -> list[Proposal | Operation]:
    waiting: list[Proposal | Operation] = []
    waiting += _queued_before(governor, journey, proposal)
    waiting += _scheduled_before(governor, journey, proposal)
    return sorted(waiting, key=lambda one: one.eta or 0)  # stable: predecessors stay before


def _run(
    governor: LifecycleGovernor, journey: Journey, mine: Proposal, other: Proposal | Operation
) -> None:
    journey.refresh_feeds()
    if isinstance(other, Operation):
        _run_operation(governor, journey, mine, other)
    else:
        _run_proposal(governor, journey, other)


def _scheduled_before(
    governor: LifecycleGovernor, journey: Journey, proposal: Proposal
) -> list[Operation]:
    sandbox = journey.sandbox
    if journey.operations is None:
        known = (*(journey.queue or ()), proposal)
        journey.operations = [
            operation
            for operation in scheduled_operations(sandbox, governor.executor(sandbox, proposal))
            if not any(operation.belongs_to(other) for other in known)
        ]
    mine = proposal.eta if proposal.state is ProposalState.QUEUED else None
    before = []
    for operation in journey.operations:
        if mine is not None and operation.eta > mine:
            journey.note(
                f"operation 0x{operation.identifier.hex()} is scheduled in the timelock for a "
                "later time and was not run first"
            )
            continue
        before.append(operation)
    return before


def _run_operation(
    governor: LifecycleGovernor, journey: Journey, mine: Proposal, operation: Operation
) -> None:
    assert journey.operations is not None
    journey.operations.remove(operation)
    sandbox = journey.sandbox
    name = f"operation 0x{operation.identifier.hex()}"
    sender = operation.executor(sandbox, anyone=journey.anyone(mine), governor=governor.address)
    needed = sum(call.value for call in operation.calls)
    value = max(needed - sandbox.get_balance(operation.timelock), 0)
    if value:
        journey.fund(sender, value)
    try:
        journey.send(
            "execute first",
            f"{name}, scheduled in the timelock past the governor",
            sender,
            operation.timelock,
            operation.execute_call(),
            value=value,
        )
        journey.note(f"{name}, scheduled in the timelock past the governor, was executed first")
    except TransactionReverted as error:
        journey.note(
            f"{name}, scheduled in the timelock past the governor, reverts: {error.reason}"
        )


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


def _run_proposal(governor: LifecycleGovernor, journey: Journey, other: Proposal) -> None:
    assert other.proposal_id is not None
    journey.tried.add(other.proposal_id)
    try:
        send_execution(
            governor,
            journey,
            other,
            "execute first",
            f"proposal {other.proposal_id}, queued before it",
        )
        journey.executed_first.append(other.proposal_id)
    except TransactionReverted as error:
        journey.note(f"proposal {other.proposal_id}, queued before it, reverts: {error.reason}")


def send_execution(
    governor: LifecycleGovernor, journey: Journey, proposal: Proposal, name: str, detail: str
) -> Receipt:
    """Execute a proposal through its governor, with the value its calls need.

    Raises `TransactionReverted`.
    """
    sandbox = journey.sandbox
    sender, calldata = journey.anyone(proposal), governor.execute_call(proposal)
    needed = sum(action.value for action in proposal.raw_actions)
    value = max(needed - sandbox.get_balance(governor.executor(sandbox, proposal)), 0)
    if needed:
        # A timelock of OpenZeppelin's spends what it holds; Compound's governor hands on
        # what comes with the execution, however much its timelock holds.
        journey.fund(sender, needed)
        for amount in dict.fromkeys((value, needed)):
            try:
                sandbox.call(governor.address, calldata, sender=sender, value=amount)
            except TransactionReverted:
                continue
            value = amount
            break
    return journey.send(name, detail, sender, governor.address, calldata, value=value)
