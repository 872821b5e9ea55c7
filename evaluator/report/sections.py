"""The folded sections of a report, from the first to the last."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from evaluator.report.attack_section import attack_section
from evaluator.report.market_sections import market_sections
from evaluator.report.model import ActionNode, ArgumentRow, ReportModel
from evaluator.report.outline import (
    NOT_COMPUTED,
    Block,
    Listing,
    Mono,
    Node,
    Section,
    Strong,
    Table,
    Tree,
    Words,
)
from evaluator.verdict import figures


def _arguments(arguments: Iterable[ArgumentRow]) -> str:
    return ", ".join(f"{a.name or a.type} = {a.value}" for a in arguments)


def _node(action: ActionNode) -> Node:
    name = action.signature or f"raw calldata {action.calldata[:10]}"
    details = [("target", f"{action.target} {action.label}".strip())]
    if action.value not in ("0", ""):
        details.append(("value", f"{action.value} wei"))
    details += [(a.name or a.type, a.value) for a in action.arguments]
    details.append(("calldata", action.calldata))
    return Node(
        line=f"{action.label}: {name}" if action.label else name,
        details=tuple(details),
        children=tuple(_node(c) for c in action.children),
    )


def _count_nodes(actions: Iterable[ActionNode]) -> int:
    return sum(1 + _count_nodes(a.children) for a in actions)


def _policy(report: ReportModel) -> Section:
    p = report.policy
    rows = tuple(
        (
            Strong(j.kind) if j.kind == report.headline.verdict else j.kind,
            j.sentence,
            j.number,
            j.bound,
            Mono(j.rule),
            j.source,
        )
        for j in p.judgements
    )
    blocks: list[Block] = [
        Table(columns=("says", "because", "measured", "bound", "rule", "source"), rows=rows)
    ]
    if p.not_judged:
        blocks.append(Words(text=f"Not judged, because {NOT_COMPUTED}: {'; '.join(p.not_judged)}."))
    return Section(
        slug="verdict",
        title="Why this verdict",
        summary=f"policy {p.name}, {figures.counted(len(rows), 'rule')} applied",
        blocks=tuple(blocks),
    )


def _findings(report: ReportModel) -> Iterator[Section]:
    if report.findings:
        yield Section(
            slug="findings",
            title="Findings",
            summary=figures.counted(len(report.findings), "finding"),
            blocks=(
                Table(
                    columns=("finding", "severity", "kind", "what", "detail", "seen by"),
                    rows=tuple(
                        (Mono(f.identifier), f.severity, f.kind, f.title, f.detail, f.source)
                        for f in report.findings
                    ),
                ),
            ),
        )


def _actions(report: ReportModel) -> Iterator[Section]:
    if report.actions is not None:
        yield Section(
            slug="actions",
            title="Decoded actions",
            summary=figures.counted(_count_nodes(report.actions), "call"),
            blocks=(Tree(nodes=tuple(_node(a) for a in report.actions)),),
        )
    if report.events:
        yield Section(
            slug="events",
            title="Events",
            summary=figures.counted(len(report.events), "event"),
            blocks=(
                Table(
                    columns=("event", "contract", "arguments"),
                    rows=tuple(
                        (Mono(e.name), Mono(e.contract), _arguments(e.arguments))
                        for e in report.events
                    ),
                ),
            ),
        )


def _effects(report: ReportModel) -> Iterator[Section]:
    blocks: list[Block] = []
    counts = []
    if report.role_changes:
        told = {None: "text not compared", True: "announced", False: Strong("not announced")}
        blocks.append(
            Table(
                columns=("contract", "role or owner", "before", "after", "by the text"),
                rows=tuple(
                    (Mono(r.contract), r.what, Mono(r.before), Mono(r.after), told[r.announced])
                    for r in report.role_changes
                ),
            )
        )
        counts.append(figures.counted(len(report.role_changes), "role or owner", "roles or owners"))
    if report.transfers:
        blocks.append(
            Table(
                columns=("token", "amount", "from", "to"),
                rows=tuple(
                    (t.token, t.amount, Mono(t.sender), Mono(t.recipient)) for t in report.transfers
                ),
            )
        )
        counts.append(figures.counted(len(report.transfers), "transfer"))
    if report.state_changes:
        blocks.append(
            Table(
                columns=("contract", "what", "before", "after"),
                rows=tuple(
                    (Mono(s.contract), s.what, Mono(s.before), Mono(s.after))
                    for s in report.state_changes
                ),
            )
        )
        counts.append(figures.counted(len(report.state_changes), "state change"))
    if blocks:
        yield Section(
            slug="effects",
            title="What else the transaction did",
            summary=", ".join(counts),
            blocks=tuple(blocks),
        )


def _execution(report: ReportModel) -> Iterator[Section]:
    e = report.execution
    if e is None:
        return
    blocks: list[Block] = [
        Table(
            columns=("step", "result", "gas", "transaction on the fork"),
            rows=tuple(
                (
                    s.name,
                    "succeeded" if s.succeeded else Strong("reverted"),
                    figures.NONE if s.gas_used is None else f"{s.gas_used:,}",
                    Mono(s.transaction) if s.transaction else figures.NONE,
                )
                for s in e.steps
            ),
        )
    ]
    if e.reason:
        blocks.append(Listing(text=e.reason))
    if e.executed_first:
        blocks.append(
            Words(text=f"Executed first, in eta order: proposals {', '.join(e.executed_first)}.")
        )
    blocks += [Words(text=note) for note in e.notes]
    yield Section(
        slug="execution",
        title="Execution",
        summary=f"{e.way}, {'succeeded' if e.succeeded else 'reverted'}",
        blocks=tuple(blocks),
    )


_QUIET = ("agrees", "named without a value")


def _text(report: ReportModel) -> Iterator[Section]:
    rows = report.text_against_payload
    blocks: list[Block] = []
    summary = NOT_COMPUTED
    if rows is not None:
        good = sum(r.result == "agrees" for r in rows)
        bad = sum(r.result in ("contradicts", "not mentioned", "not done") for r in rows)
        summary = f"{figures.counted(bad, 'difference')}, {good:,} agreeing"
        blocks.append(
            Table(
                columns=("the text says", "measured", "result"),
                rows=tuple(
                    (
                        r.statement or figures.NONE,
                        r.measured or figures.NONE,
                        r.result if r.result in _QUIET else Strong(r.result),
                    )
                    for r in rows
                ),
            )
        )
    blocks.append(Words(text="The description as it was found:"))
    blocks.append(Listing(text=report.proposal.description))
    yield Section(
        slug="text",
        title="Text against payload",
        summary=summary,
        blocks=tuple(blocks),
    )


def _assumptions(report: ReportModel) -> Iterator[Section]:
    if report.assumptions:
        yield Section(
            slug="assumptions",
            title="Assumptions",
            summary=figures.counted(len(report.assumptions), "assumption"),
            blocks=(
                Table(
                    columns=("assumption", "value", "why"),
                    rows=tuple((a.name, a.value, a.why) for a in report.assumptions),
                ),
            ),
        )


def _reproduce(report: ReportModel) -> Section:
    m = report.reproduce.manifest
    rows = [
        ("digest", Mono(report.reproduce.digest)),
        ("digest of the inputs", Mono(m.inputs_digest)),
        ("proposal", Mono(m.proposal_digest)),
        ("chain", f"{m.chain_name} ({m.chain_id})"),
        ("block", f"{m.block:,}"),
        ("block hash", Mono(m.block_hash)),
        ("seed", f"{m.seed}"),
        ("paths", f"{m.paths:,}"),
        ("scenario", m.scenario or "none"),
        ("policy", f"{m.policy_name} {m.policy_digest[:16]}"),
    ]
    for s in m.states:
        rows.append((f"state of {s.market}", Mono(f"{s.before[:16]} → {s.after[:16]}")))
    rows += [(f"{r.name} of {r.market}", Mono(r.digest)) for r in m.results]
    rows += [(f"version of {k}", v) for k, v in sorted(m.versions.items())]
    return Section(
        slug="reproduce",
        title="Data, digests and how to reproduce",
        summary=m.digest[:16],
        blocks=(
            Listing(text=report.reproduce.command),
            Table(columns=("input or result", "value"), rows=tuple(rows)),
            *(Words(text=n) for n in report.notes),
        ),
    )


_OF_MARKET = {
    "hurt": "who is hurt at execution",
    "odds": "odds",
    "assets": "odds by asset",
    "scenarios": "scenarios",
    "survival": "survival curves",
    "loss_exceedance": "loss exceedance",
    "fan": "bad debt over time",
    "liquidation_maps": "liquidation map",
    "sensitivity": "what drives the result",
    "safe_values": "values that keep today's odds",
    "greeks": "Greeks",
    "plausible_loss": "the most plausible way to a large loss",
    "rare": "losses too rare to be counted",
    "toxic": "room before liquidations do harm",
    "holding": "what it costs to hold a price",
    "conformance": "the model against the real contracts",
    "calibration": "calibration",
}
_OF_REPORT = {
    "execution": "execution",
    "parameters": "parameters before and after",
    "adversary": "adversary search",
    "actions": "decoded actions",
    "events": "events",
    "state_changes": "state changes",
    "role_changes": "roles and owners",
    "transfers": "transfers",
    "text_against_payload": "text against payload",
    "assumptions": "assumptions",
}


def not_computed(report: ReportModel) -> tuple[str, ...]:
    """Name every section that was not computed."""
    missing = [label for name, label in _OF_REPORT.items() if getattr(report, name) is None]
    several = len(report.markets) > 1
    for market in report.markets:
        of = f" of {market.name}" if several else ""
        missing += [
            label + of for name, label in _OF_MARKET.items() if getattr(market, name) is None
        ]
    return tuple(missing)


def sections(report: ReportModel) -> tuple[Section, ...]:
    """Build every section there is something to say in; the last names what is missing."""
    several = len(report.markets) > 1
    found = [_policy(report), *_findings(report)]
    for k, market in enumerate(report.markets):
        prefix = "" if k == 0 else f"market{k + 1}_"
        found += market_sections(market, prefix, f", {market.name}" if several else "")
    found += [
        *attack_section(report),
        *_actions(report),
        *_execution(report),
        *_effects(report),
        *_text(report),
        *_assumptions(report),
        _reproduce(report),
    ]
    missing = not_computed(report)
    if missing:
        found.append(
            Section(
                slug="not_computed",
                title="Not computed",
                summary=figures.counted(len(missing), "section"),
                blocks=(Words(text=f"Not computed for this report: {'; '.join(missing)}."),),
            )
        )
    return tuple(found)
