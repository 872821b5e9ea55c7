"""The one place that runs the steps of an evaluation in order."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from evaluator.errors import ConfigurationError, WrongChain
from evaluator.evaluation.loading import Loading
from evaluator.evaluation.measurement import measure
from evaluator.evaluation.request import EvaluationRequest, Progress, Silence
from evaluator.evaluation.state import earlier_state, open_state
from evaluator.governance.adapter import GovernorAdapter, open_governor
from evaluator.governance.proposal import Proposal, ProposalState
from evaluator.governance.proposal_file import load_proposal_file
from evaluator.verdict.policy import Policy

if TYPE_CHECKING:
    from evaluator.evaluation.conclusion import Evaluation
    from evaluator.evaluation.state import State
    from evaluator.evaluation.stressing import Flag


def evaluate(
    request: EvaluationRequest,
    progress: Progress | None = None,
    *,
    cancelled: Flag | None = None,
) -> Evaluation:
    """Evaluate one proposal on one state.

    Raises the SeatrialError tree: ConfigurationError for a request that names no
    proposal, ProposalError, ChainError, SetupError, Cancelled. A proposal that
    reverts, changes nothing or reaches an unknown protocol is a result, no error.
    """
    told = progress if progress is not None else Silence()
    policy = Policy.load(request.policy)
    with ExitStack() as stack:
        loading = Loading()
        stack.callback(loading.stop)
        state = stack.enter_context(open_state(request, told))
        governor, proposal = find_proposal(state, request, told)
        if proposal.state is ProposalState.EXECUTED:
            block = governor.evaluation_block(state.sandbox, proposal)
            if block is None or proposal.proposal_id is None:
                raise ConfigurationError(
                    f"proposal {proposal.proposal_id} was executed, but the block of its execution "
                    "cannot be found: name an earlier one with --block"
                )
            told.stage("fork", f"executed already, going back to block {block}")
            state = stack.enter_context(earlier_state(state, request, block))
            proposal = governor.find(state.sandbox, proposal.proposal_id)
        measurement = measure(state, governor, proposal, told)
        loading.wait()
        from evaluator.evaluation.conclusion import conclude

        return conclude(
            state, governor, measurement, request, policy, told,
            loading=loading, cancelled=cancelled,
        )  # fmt: skip


def find_proposal(
    state: State, request: EvaluationRequest, progress: Progress
) -> tuple[GovernorAdapter, Proposal]:
    """Find the proposal a request names, on the chain or in its file."""
    sandbox = state.sandbox
    if request.file is not None:
        progress.stage("proposal", f"reading {request.file.name}")
        draft = load_proposal_file(request.file)
        address = request.governor or draft.governor
        if draft.chain_id is not None and draft.chain_id != sandbox.chain_id:
            raise WrongChain(
                f"{request.file.name} is meant for chain {draft.chain_id}, the endpoint serves "
                f"chain {sandbox.chain_id}: give the RPC URL of the right chain"
            )
        if address is None:
            raise ConfigurationError(
                f"{request.file.name} names no governor: add the key 'governor' to it or give "
                "--governor ADDRESS"
            )
        governor = open_governor(sandbox, address)
        return governor, governor.adopt(sandbox, draft)
    address, proposal_id = request.governor, request.proposal_id
    if address is None and proposal_id is None and state.demonstrations:
        address = state.demonstrations[0].governor
        proposal_id = state.demonstrations[0].proposal_id
    if address is None or proposal_id is None:
        raise ConfigurationError(
            "no proposal was named: give --governor ADDRESS and --proposal ID, or --file "
            "proposal.json"
        )
    progress.stage("proposal", f"looking for proposal {proposal_id}")
    governor = open_governor(sandbox, address)
    return governor, governor.find(sandbox, proposal_id)
