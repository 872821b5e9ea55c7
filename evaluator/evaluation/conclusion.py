"""From the readings of a proposal to its verdict and report: battery, policy, composition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from evaluator.evaluation.adversary import (
    adversary_evidence,
    adversary_findings,
    adversary_section,
    attack_markets,
)
from evaluator.evaluation.composition import known_addresses, manifest_of, report_of
from evaluator.evaluation.coverage import unmodelled
from evaluator.evaluation.description import held_against_execution, receipt_names
from evaluator.evaluation.loading import Loading
from evaluator.evaluation.market_trial import MarketTrial, go_on, try_market
from evaluator.evaluation.measurement import Measurement
from evaluator.evaluation.payments import payments_of
from evaluator.evaluation.request import EvaluationRequest, Progress
from evaluator.evaluation.squeezing import NOT_SQUEEZED, try_squeezes
from evaluator.evaluation.state import State
from evaluator.evaluation.statics import static_findings
from evaluator.evaluation.stressing import Flag
from evaluator.governance.adapter import GovernorAdapter
from evaluator.governance.trace import ExecutionTrace
from evaluator.report.manifest import Manifest
from evaluator.report.model import ReportModel
from evaluator.stress.battery import Battery
from evaluator.stress.processes.process import Sampling
from evaluator.verdict.evidence import AdversaryEvidence, Evidence, ExecutionEvidence, NotModelled
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


def conclude(
    state: State,
    governor: GovernorAdapter,
    measurement: Measurement,
    request: EvaluationRequest,
    policy: Policy,
    progress: Progress,
    *,
    loading: Loading,
    cancelled: Flag | None = None,
) -> Evaluation:
    """Put what was measured through the battery, judge it by the policy and report it.

    Raises ConfigurationError for an unknown scenario, the ChainError tree, Cancelled.
    """
    battery = Battery(
        paths=request.paths,
        process=request.process,
        scenario=request.scenario,
        sampling=Sampling(request.sampling),
    )
    if loading.compiler is not None and measurement.trace.succeeded:
        progress.stage("compile", "the battery's kernel, once for this version")
        loading.compiler.wait()
    trials = tuple(
        try_market(state, reading, measurement, battery, request, progress, cancelled)
        for reading in measurement.readings
    )
    adversary = attack_markets(state, measurement, trials, request, policy, progress, cancelled)
    squeezed = NOT_SQUEEZED
    if adversary is not None and not (cancelled is not None and cancelled.is_set()):
        progress.stage("squeeze", "moves of thin assets' prices")
        squeezed = try_squeezes(
            state.sandbox,
            measurement,
            [t.section.name for t in trials],
            battery,
            capital=policy.adversary.capital_usd,
        )
    still = all(t.evidence.unchanged for t in trials)
    progress.stage("weak points", "of what the proposal opens")
    weak = static_findings(state.sandbox, measurement)
    progress.stage("verdict", f"policy {policy.name}")
    strange = unmodelled(
        policy,
        state.sandbox,
        measurement.trace,
        measurement.readings,
        markets_unchanged=still,
    )
    labels, _ = known_addresses(measurement.readings)
    trace = measurement.trace
    text = (
        held_against_execution(
            trace,
            measurement.readings,
            labels=labels,
            payments=payments_of(state.sandbox, trace, measurement.readings),
            names=receipt_names(state.sandbox, measurement.readings),
        )
        if trace.succeeded
        else None
    )
    findings = (
        *soft_failures(trace),
        *(() if text is None else text.findings),
        *weak,
        *adversary_findings(adversary),
        *squeezed.findings(),
    )
    evidence = _evidence(
        measurement,
        trials,
        strange,
        findings,
        squeezed.beside(adversary_evidence(adversary)),
    )
    verdict = judge(policy, evidence)
    while (paths := _more(verdict, trials, battery.paths, request)) is not None:
        battery = replace(battery, paths=paths)
        trials = tuple(go_on(t, paths, request, progress, cancelled) for t in trials)
        evidence = replace(evidence, markets=tuple(t.evidence for t in trials))
        verdict = judge(policy, evidence)
    manifest = manifest_of(
        state, governor, measurement, trials, request, battery, policy, verdict, adversary
    )
    report = report_of(
        state,
        measurement,
        trials,
        evidence,
        text,
        verdict,
        manifest,
        battery,
        squeezed.told(adversary_section(adversary, policy.adversary.capital_usd)),
    )
    return Evaluation(
        request=request,
        measurement=measurement,
        trials=trials,
        verdict=verdict,
        report=report,
        manifest=manifest,
    )


def _more(
    verdict: Verdict, trials: Sequence[MarketTrial], paths: int, request: EvaluationRequest
) -> int | None:
    """Return on how many paths to go on; None where that settles nothing or is too many."""
    stressed = [t.stressed for t in trials if t.stressed is not None]
    if not verdict.more_paths_help or not stressed or paths >= request.path_limit:
        return None
    if not all(s.pair.complete for s in stressed):
        return None
    return min(2 * paths, request.path_limit)


def _evidence(
    measurement: Measurement,
    trials: Sequence[MarketTrial],
    strange: Sequence[NotModelled],
    findings: Sequence[Finding],
    adversary: AdversaryEvidence | None,
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
        adversary=adversary,
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
