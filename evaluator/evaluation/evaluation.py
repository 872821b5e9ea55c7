"""The one place that runs the steps of an evaluation in order."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from evaluator.errors import ConfigurationError, WrongChain
from evaluator.evaluation.composition import known_addresses, manifest_of, report_of
from evaluator.evaluation.coverage import unmodelled
from evaluator.evaluation.description import held_against_execution
from evaluator.evaluation.market_trial import MarketTrial, try_market
from evaluator.evaluation.measurement import Measurement, measure
from evaluator.evaluation.request import EvaluationRequest, Progress, Silence
from evaluator.evaluation.state import State, earlier_state, open_state
from evaluator.evaluation.stressing import Flag
from evaluator.governance.adapter import GovernorAdapter, open_governor
from evaluator.governance.proposal import Proposal, ProposalState
from evaluator.governance.proposal_file import load_proposal_file
from evaluator.governance.trace import ExecutionTrace
from evaluator.report.manifest import (
    Manifest,
)
from evaluator.report.model import (
    ReportModel,
)
from evaluator.stress.battery import Battery
from evaluator.stress.kernel.warmup import start_compiling
from evaluator.verdict.evidence import Evidence, ExecutionEvidence, NotModelled
from evaluator.verdict.finding import Finding, FindingKind, Severity
from evaluator.verdict.judge import judge
from evaluator.verdict.policy import Policy
from evaluator.verdict.verdict import Verdict


@dataclass(frozen=True, kw_only=True, eq=False)
class Evaluation:
    """Everything one evaluation came to."""

    request: EvaluationRequest  # what was asked for
    measurement: Measurement  # execution and readings
    trials: tuple[MarketTrial, ...]  # one for each market read
    verdict: Verdict  # what the policy makes of it
    report: ReportModel  # sealed
    manifest: Manifest  # inputs, seeds and digests


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
        # Beside the chain's work, so that a first run does not wait for it afterwards.
        compiling = start_compiling()
        if compiling is not None:
            stack.callback(compiling.kill)
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
        return _evaluate(state, governor, proposal, request, policy, told, cancelled, compiling)


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


def _evaluate(
    state: State,
    governor: GovernorAdapter,
    proposal: Proposal,
    request: EvaluationRequest,
    policy: Policy,
    progress: Progress,
    cancelled: Flag | None,
    compiling: subprocess.Popen[bytes] | None,
) -> Evaluation:
    battery = Battery(paths=request.paths, scenario=request.scenario)
    measurement = measure(state, governor, proposal, progress)
    if compiling is not None and measurement.trace.succeeded:
        progress.stage("compile", "the battery's kernel, once for this version")
        compiling.wait()
    trials = tuple(
        try_market(state, reading, measurement, battery, request, progress, cancelled)
        for reading in measurement.readings
    )
    still = all(t.evidence.unchanged for t in trials)
    progress.stage("verdict", f"policy {policy.name}")
    strange = unmodelled(
        policy,
        state.sandbox,
        measurement.trace,
        measurement.readings,
        markets_unchanged=still,
    )
    labels, tokens = known_addresses(measurement.readings)
    trace = measurement.trace
    text = (
        held_against_execution(trace, measurement.readings, labels=labels, tokens=tokens)
        if trace.succeeded
        else None
    )
    findings = (*soft_failures(trace), *(() if text is None else text.findings))
    evidence = _evidence(measurement, trials, strange, findings)
    verdict = judge(policy, evidence)
    manifest = manifest_of(state, governor, measurement, trials, request, battery, policy, verdict)
    report = report_of(state, measurement, trials, evidence, text, verdict, manifest, battery)
    return Evaluation(
        request=request,
        measurement=measurement,
        trials=trials,
        verdict=verdict,
        report=report,
        manifest=manifest,
    )


def _evidence(
    measurement: Measurement,
    trials: Sequence[MarketTrial],
    strange: Sequence[NotModelled],
    findings: Sequence[Finding],
) -> Evidence:
    trace = measurement.trace
    # Without any market, calls nobody knows may belong to a protocol nobody knows.
    unknown = (
        () if trials or measurement.unread else tuple(
            f"{row.name} {row.what}" for row in strange if not row.irrelevant
        )
    )  # fmt: skip
    return Evidence(
        execution=ExecutionEvidence(
            succeeded=trace.succeeded, way=trace.way.value, reason=trace.revert_reason
        ),
        markets=tuple(t.evidence for t in trials),
        unknown_protocols=unknown,
        unread=measurement.unread,
        not_modelled=tuple(strange),
        findings=tuple(findings),
    )


def soft_failures(trace: ExecutionTrace) -> tuple[Finding, ...]:
    """Return a finding for every call that answered an error instead of reverting."""
    return tuple(
        Finding(
            kind=FindingKind.UNFULFILLED,
            severity=Severity.HIGH,
            title="a call of the proposal fails without reverting, so that it does nothing",
            detail=text,
            source="execution",
        )
        for text in trace.soft_failures
    )
