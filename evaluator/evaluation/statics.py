"""Weak points of what a proposal opens, as findings for the verdict and the report."""

from __future__ import annotations

from collections.abc import Iterator

from evaluator.arena.families import lending_of
from evaluator.arena.oracle_findings import OracleProbe
from evaluator.arena.oracle_probe import probe_oracles
from evaluator.arena.price_trace import trace_price
from evaluator.arena.statics import (
    Opening,
    WeakPoint,
    Weight,
    changed_inside,
    empty_listings,
    opened_reserves,
    weak_prices,
    weak_tokens,
)
from evaluator.arena.statics_code import ChangeableCode, CodeRisk, changeable_code
from evaluator.chain.sandbox import Sandbox
from evaluator.errors import ChainError, ProtocolError
from evaluator.evaluation.measurement import Measurement, Reading
from evaluator.governance.decoding.calls import Action
from evaluator.governance.trace import ExecutionTrace
from evaluator.market import Market
from evaluator.verdict.finding import Finding, FindingKind, Severity

_SEVERITIES = {
    Weight.NOTE: Severity.LOW,
    Weight.DOUBT: Severity.MEDIUM,
    Weight.DANGER: Severity.HIGH,
}


def static_findings(sandbox: Sandbox, measurement: Measurement) -> tuple[Finding, ...]:
    """Return what can be told of an executed proposal without attacking it.

    The sandbox stands right after the execution, and stays there. A market whose
    contracts do not answer the questions is left out: reading it says so already.
    """
    trace = measurement.trace
    if not trace.succeeded:
        return ()
    out: list[Finding] = []
    installed: list[str] = []
    for reading in measurement.readings:
        if reading.after is None:
            continue
        try:
            points, probes = _weak_points(sandbox, reading, reading.after, trace)
        except (ProtocolError, ChainError):
            continue
        out += [_weak(point, reading.after) for point in points]
        installed += [c for p in probes for c in p.trace.contracts]
    targets = [t for action in trace.proposal.actions for t in _targets(action)]
    codes = [c.after for c in trace.code_changes if len(c.after) == 42]
    try:
        risks = changeable_code(
            sandbox,
            (*targets, *codes, *installed),
            trusted=(*trace.machinery, trace.proposal.governor),
            made_at=trace.proposal.created_block,
            witness=trace.proposal.governor,
        )
    except ChainError:
        risks = ()
    out += [_changeable(risk, called=risk.contract in targets) for risk in risks]
    return tuple(dict.fromkeys(out))


def _weak_points(
    sandbox: Sandbox, reading: Reading, after: Market, trace: ExecutionTrace
) -> tuple[tuple[WeakPoint, ...], tuple[OracleProbe, ...]]:
    """Probe what the proposal opens in one market; the probes are of what it brings in."""
    opened = opened_reserves(reading.before, after)
    changed = {c.contract for c in trace.storage_changes} | {c.contract for c in trace.code_changes}
    other = changed - _own(after) - set(trace.machinery)
    # Most proposals change nothing but the market itself: no price's way has to be looked at.
    for a in changed_inside(_ways(sandbox, after), other) if other else ():
        if opened.get(a, Opening.WIDER) is Opening.WIDER:
            opened[a] = Opening.INSIDE
    if not opened:
        return (), ()
    probes = probe_oracles(sandbox, after, reserves=opened)
    points = (
        *empty_listings(sandbox, after, opened),
        *weak_tokens(sandbox, after, opened),
        *weak_prices(after, probes, opened, forked_at=sandbox.block.timestamp),
    )
    return points, tuple(p for p in probes if opened[p.reserve] is not Opening.WIDER)


def _ways(sandbox: Sandbox, market: Market) -> dict[int, tuple[str, ...]]:
    """The contracts on the way of every price."""
    lending = lending_of(sandbox, market)
    traces = {a: trace_price(sandbox, lending.price(a)) for a in range(len(market.reserves))}
    return {a: t.contracts for a, t in traces.items() if t is not None}


def _own(market: Market) -> set[str]:
    """The market's own contracts, whose storage moves whatever is changed."""
    tokens = {t for r in market.reserves for t in (r.asset.address, r.receipt_token)}
    return {t.lower() for t in tokens} | {market.address.lower()}


def _targets(action: Action) -> Iterator[str]:
    yield action.target.lower()
    for child in action.children:
        yield from _targets(child)


def _weak(point: WeakPoint, market: Market) -> Finding:
    return Finding(
        kind=FindingKind.STATIC,
        severity=_SEVERITIES[point.weight],
        title=point.what,
        detail=f"{point.asset} of {market.protocol}, {point.opening}: {point.detail}",
        source="weak points",
        open_today=not point.new,
    )


def _changeable(risk: ChangeableCode, *, called: bool) -> Finding:
    role = "called by the proposal" if called else "relied on by a price that it brings in"
    if risk.risk is CodeRisk.PROXY:
        who = "one account" if risk.account else "the contract"
        return _code_finding(
            Severity.HIGH if risk.account else Severity.MEDIUM,
            f"code {role} can be replaced by somebody else than the DAO",
            f"{risk.contract} is a proxy that {who} {risk.controller} can give other code, before "
            "the execution as well as after it",
        )
    if risk.risk is CodeRisk.DESTRUCTIBLE:
        return _code_finding(
            Severity.MEDIUM,
            f"code {role} holds SELFDESTRUCT",
            f"{risk.contract} can be emptied, and made anew with other code where the chain has no "
            "EIP-6780",
        )
    return _code_finding(
        Severity.HIGH,
        f"code {role} is not what it was when the proposal was made",
        f"{risk.contract}: {risk.risk}",
    )


def _code_finding(severity: Severity, title: str, detail: str) -> Finding:
    return Finding(
        kind=FindingKind.STATIC,
        severity=severity,
        title=title,
        detail=detail,
        source="weak points",
    )
