"""Puts the parts of an evaluation together: the manifest and the report."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from evaluator.evaluation.adversary import Adversary, adversary_digests, budget_of
from evaluator.evaluation.assumptions import assumption_rows
from evaluator.evaluation.description import control_changes, text_rows
from evaluator.evaluation.headline import reason_of, sentence_of, title_of
from evaluator.evaluation.market_sections import (
    market_digest,
    parameter_rows,
)
from evaluator.evaluation.market_trial import MarketTrial
from evaluator.evaluation.measurement import Measurement, Reading
from evaluator.evaluation.request import EvaluationRequest
from evaluator.evaluation.state import State
from evaluator.evaluation.trace_sections import (
    action_nodes,
    event_rows,
    execution_section,
    role_rows,
    state_rows,
    transfer_rows,
)
from evaluator.governance.adapter import GovernorAdapter
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
    AdversarySection,
    FindingRow,
    Headline,
    JudgementRow,
    NotModelledRow,
    PolicySection,
    ProposalSection,
    ReportModel,
    ReproduceSection,
)
from evaluator.stress.battery import Battery
from evaluator.verdict.evidence import Evidence
from evaluator.verdict.finding import Finding
from evaluator.verdict.policy import Policy
from evaluator.verdict.text import TextComparison
from evaluator.verdict.verdict import Verdict


def manifest_of(
    state: State,
    governor: GovernorAdapter,
    measurement: Measurement,
    trials: Sequence[MarketTrial],
    request: EvaluationRequest,
    battery: Battery,
    policy: Policy,
    verdict: Verdict,
    adversary: Adversary | None,
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
        most_paths=request.path_limit,
        scenario=request.scenario,
        process=request.process,
        prices_digest=(
            None
            if request.prices is None
            else hashlib.sha256(request.prices.read_bytes()).hexdigest()
        ),
        full=request.full,
        # Sampling has a place of its own: manifests from before it have none among the settings.
        battery={k: v for k, v in settings_of(battery).items() if k != "sampling"},
        sampling=request.sampling,
        attack_sequences=budget_of(request, policy),
        policy_name=policy.name,
        policy_digest=policy.digest,
        policy_document=policy.document,
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
        results=(
            *(
                ResultDigest(market=name, name=what, digest=digest)
                for name, t in zip(names, trials, strict=True)
                if t.stressed is not None
                for what, digest in (
                    ("outcome", t.stressed.pair.digest()),
                    *t.stressed.scenario_digests,
                )
            ),
            *adversary_digests(adversary),
        ),
        verdict=verdict.kind.value,
        versions=versions(),
    )


def report_of(
    state: State,
    measurement: Measurement,
    trials: Sequence[MarketTrial],
    evidence: Evidence,
    text: TextComparison | None,
    verdict: Verdict,
    manifest: Manifest,
    battery: Battery,
    adversary: AdversarySection | None,
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
        adversary=adversary,
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
