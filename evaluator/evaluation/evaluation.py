"""The one place that runs the steps of an evaluation in order."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Protocol

from evaluator.errors import ConfigurationError, WrongChain
from evaluator.evaluation.assumptions import assumption_rows
from evaluator.evaluation.conformance import held_against_contracts
from evaluator.evaluation.coverage import unmodelled
from evaluator.evaluation.description import control_changes, held_against_execution, text_rows
from evaluator.evaluation.headline import reason_of, sentence_of, title_of
from evaluator.evaluation.market_sections import (
    book_debt,
    calibration_evidence,
    calibration_rows,
    hurt_section,
    market_digest,
    market_name,
    parameter_rows,
    reserves_usd,
    unchanged,
    usd,
)
from evaluator.evaluation.measurement import Measurement, Reading, measure
from evaluator.evaluation.odds import MeasuredOdds, loss_exceedance
from evaluator.evaluation.request import EvaluationRequest, Progress, Silence
from evaluator.evaluation.state import State, earlier_state, open_state
from evaluator.evaluation.trace_sections import (
    action_nodes,
    event_rows,
    execution_section,
    role_rows,
    state_rows,
    transfer_rows,
)
from evaluator.governance.adapter import GovernorAdapter, open_governor
from evaluator.governance.proposal import Proposal, ProposalState
from evaluator.governance.proposal_file import load_proposal_file
from evaluator.report.manifest import (
    ActionSource,
    Manifest,
    ProposalSource,
    ResultDigest,
    StateDigest,
    settings_of,
    versions,
)
from evaluator.report.model import (
    FindingRow,
    Headline,
    JudgementRow,
    NotModelledRow,
    PolicySection,
    ProposalSection,
    ReportModel,
    ReproduceSection,
)
from evaluator.report.odds import MarketSection
from evaluator.stress.battery import Battery
from evaluator.stress.outcome import OutcomePair
from evaluator.stress.price_process import CalibrationReport, default_process
from evaluator.stress.trial import run
from evaluator.stress.universe import Universe
from evaluator.verdict.evidence import Evidence, ExecutionEvidence, MarketEvidence, NotModelled
from evaluator.verdict.finding import Finding
from evaluator.verdict.judge import judge
from evaluator.verdict.policy import Policy
from evaluator.verdict.text import TextComparison
from evaluator.verdict.verdict import Verdict


class Flag(Protocol):
    """Something that can be set from elsewhere, such as threading.Event."""

    def is_set(self) -> bool:
        """Return whether it was set."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class MarketTrial:
    """One market after the battery."""

    reading: Reading  # before and after
    section: MarketSection  # for the report
    evidence: MarketEvidence  # for the verdict
    pair: OutcomePair | None  # None: no battery was run


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
        return _evaluate(state, governor, proposal, request, policy, told, cancelled)


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
) -> Evaluation:
    battery = Battery(paths=request.paths, scenario=request.scenario)
    measurement = measure(state, governor, proposal, progress)
    trials = tuple(
        _trial(state, reading, measurement, battery, request, progress, cancelled)
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
    evidence = _evidence(measurement, trials, strange, () if text is None else text.findings)
    verdict = judge(policy, evidence)
    manifest = _manifest(state, governor, measurement, trials, request, battery, policy, verdict)
    report = _report(state, measurement, trials, evidence, text, verdict, manifest, battery)
    return Evaluation(
        request=request,
        measurement=measurement,
        trials=trials,
        verdict=verdict,
        report=report,
        manifest=manifest,
    )


def _trial(
    state: State,
    reading: Reading,
    measurement: Measurement,
    battery: Battery,
    request: EvaluationRequest,
    progress: Progress,
    cancelled: Flag | None,
) -> MarketTrial:
    """Run the battery on one market and say what came of it."""
    before, after = reading.before, reading.after
    name = market_name(before, [r.before for r in measurement.readings])
    shown = before if after is None else after
    section = MarketSection(
        name=name,
        protocol=before.protocol,
        address=before.address,
        supplied_usd=usd(before, "supplied"),
        debt_usd=book_debt(before),
        reserves_usd=reserves_usd(before),
        borrowers=len(shown.book),
        unchanged=after is not None and unchanged(before, after, reading.changes),
    )
    evidence = MarketEvidence(
        name=name,
        supplied_usd=section.supplied_usd,
        debt_usd=section.debt_usd,
        reserves_usd=section.reserves_usd,
        unchanged=section.unchanged,
    )
    if after is None:
        broken = (f"reading the market: {reading.unreadable}",) if reading.unreadable else None
        return MarketTrial(
            reading=reading,
            section=section,
            evidence=replace(evidence, broken_actions=broken),
            pair=None,
        )
    hurt = hurt_section(after, reading.hurt)
    conformance = held_against_contracts(reading, state.sandbox)
    progress.stage("stress", f"{battery.paths:,} paths on {name}")
    process = default_process(
        Universe.of(before, after).assets, reading.histories, step=battery.step
    )
    pair = run(
        before,
        after,
        process=process,
        battery=battery,
        seed=request.seed,
        progress=progress.advance,
        cancelled=cancelled,
    )
    calibration: CalibrationReport = process.calibration
    odds = MeasuredOdds.of(pair, battery)
    return MarketTrial(
        reading=reading,
        section=section.model_copy(
            update={
                "hurt": hurt,
                "odds": odds.rows(battery),
                "survival": odds.survival(),
                "loss_exceedance": loss_exceedance(pair, battery),
                "conformance": conformance,
                "calibration": calibration_rows(calibration, after),
            }
        ),
        evidence=replace(
            evidence,
            liquidatable_debt_usd=hurt.debt_usd,
            liquidatable_users=hurt.users,
            odds=odds.evidence(),
            calibrations=calibration_evidence(calibration, after),
            conformance_error=conformance.largest_error,
        ),
        pair=pair,
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


def _manifest(
    state: State,
    governor: GovernorAdapter,
    measurement: Measurement,
    trials: Sequence[MarketTrial],
    request: EvaluationRequest,
    battery: Battery,
    policy: Policy,
    verdict: Verdict,
) -> Manifest:
    proposal = measurement.proposal
    if request.file is not None:
        source = ProposalSource(
            governor=governor.address,
            proposer=proposal.proposer,
            actions=tuple(
                ActionSource(
                    target=a.target,
                    value=str(a.value),
                    signature=a.signature.decode("utf-8", "replace"),
                    calldata="0x" + a.calldata.hex(),
                )
                for a in proposal.raw_actions
            ),
            description=proposal.description,
        )
    else:
        source = ProposalSource(
            governor=governor.address, proposal_id=str(measurement.proposal.proposal_id)
        )
    block = state.sandbox.block
    names = [f"{t.reading.before.protocol} {t.reading.root}" for t in trials]
    return Manifest(
        source=source,
        proposal_digest=proposal.digest,
        chain_id=state.sandbox.chain_id,
        chain_name=state.chain_name,
        block=block.number,
        block_hash=block.hash,
        embedded=state.embedded,
        seed=request.seed,
        paths=request.paths,
        scenario=request.scenario,
        battery=settings_of(battery),
        policy_name=policy.name,
        policy_digest=policy.digest,
        states=tuple(
            StateDigest(
                market=name,
                before=market_digest(t.reading.before, t.reading.parameters_before),
                after=(
                    ""
                    if t.reading.after is None
                    else market_digest(t.reading.after, t.reading.parameters_after)
                ),
            )
            for name, t in zip(names, trials, strict=True)
        ),
        results=tuple(
            ResultDigest(market=name, name="outcome", digest=t.pair.digest())
            for name, t in zip(names, trials, strict=True)
            if t.pair is not None
        ),
        verdict=verdict.kind.value,
        versions=versions(),
    )


def _report(
    state: State,
    measurement: Measurement,
    trials: Sequence[MarketTrial],
    evidence: Evidence,
    text: TextComparison | None,
    verdict: Verdict,
    manifest: Manifest,
    battery: Battery,
) -> ReportModel:
    proposal, trace, block = measurement.proposal, measurement.trace, state.sandbox.block
    changes = [c for t in trials for c in t.reading.changes]
    sections = tuple(t.section for t in trials)
    labels, tokens = known_addresses(measurement.readings)
    notes = (f"{state.chain_name}: not mainnet",) if state.embedded else ()
    return ReportModel(
        headline=Headline(
            verdict=verdict.kind.value,
            sentence=sentence_of(trace, changes, sections),
            reason=reason_of(verdict),
        ),
        proposal=ProposalSection(
            title=title_of(proposal),
            description=proposal.description,
            family=proposal.family,
            governor=proposal.governor,
            proposal_id=None if proposal.proposal_id is None else str(proposal.proposal_id),
            proposer=proposal.proposer,
            state=None if proposal.state is None else proposal.state.value,
            chain_id=proposal.chain_id,
            chain_name=state.chain_name,
            block=block.number,
            block_hash=block.hash,
            timestamp=block.timestamp,
            digest=proposal.digest,
        ),
        policy=PolicySection(
            name=verdict.policy,
            digest=verdict.policy_digest,
            judgements=tuple(
                JudgementRow(
                    kind=r.kind.value,
                    rule=r.rule,
                    sentence=r.sentence,
                    number=r.number,
                    bound=r.bound,
                    source=r.source,
                )
                for r in verdict.reasons
            ),
            not_judged=verdict.not_judged,
        ),
        execution=execution_section(trace),
        parameters=None if text is None else parameter_rows(changes, text.mentioned),
        markets=sections,
        findings=tuple(finding_row(f) for f in evidence.findings),
        actions=action_nodes(proposal.actions, labels),
        events=event_rows(trace.events) if trace.succeeded else None,
        state_changes=state_rows(trace) if trace.succeeded else None,
        role_changes=(
            role_rows(trace, control_changes(trace, labels)) if trace.succeeded else None
        ),
        transfers=transfer_rows(trace, tokens) if trace.succeeded else None,
        text_against_payload=None if text is None else text_rows(text.statements),
        not_modelled=tuple(
            NotModelledRow(name=n.name, what=n.what, irrelevant=n.irrelevant)
            for n in evidence.not_modelled
        ),
        assumptions=assumption_rows(battery, trials),
        notes=(*notes, *measurement.notes),
        reproduce=ReproduceSection(
            command="seatrial replay manifest.json", digest=manifest.digest, manifest=manifest
        ),
    ).sealed()


def finding_row(finding: Finding) -> FindingRow:
    """Return a finding as the report keeps it."""
    return FindingRow(
        identifier=finding.identifier,
        kind=finding.kind.value,
        severity=finding.severity.value,
        title=finding.title,
        detail=finding.detail,
        source=finding.source,
    )


def known_addresses(
    readings: Sequence[Reading],
) -> tuple[dict[str, str], dict[str, tuple[str, int]]]:
    """Return labels of addresses, and symbol and decimals of tokens, by lower-case address."""
    labels: dict[str, str] = {}
    tokens: dict[str, tuple[str, int]] = {}
    for reading in readings:
        market = reading.before if reading.after is None else reading.after
        labels[market.address.lower()] = f"{market.protocol} market"
        for reserve in market.reserves:
            asset = reserve.asset
            tokens[asset.address.lower()] = (asset.symbol, asset.decimals)
            labels[asset.address.lower()] = asset.symbol
            labels[reserve.oracle.source.lower()] = f"{asset.symbol} price source"
            if reserve.receipt_token:
                labels[reserve.receipt_token.lower()] = f"{market.protocol} {asset.symbol} token"
    return labels, tokens
