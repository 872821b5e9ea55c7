"""The description held against what execution was measured to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from evaluator.evaluation.measurement import Reading
from evaluator.governance.trace import CodeChangeKind, ExecutionTrace
from evaluator.governance.unannounced import ChangeKind, unannounced_changes
from evaluator.report.model import TextRow
from evaluator.verdict.text import (
    Agreement,
    ControlChange,
    ControlKind,
    Payment,
    Statement,
    TextComparison,
    compare_text,
)

_RESULTS = {
    Agreement.AGREES: "agrees",
    Agreement.NAMED: "agrees",
    Agreement.CONTRADICTS: "contradicts",
    Agreement.NOT_MENTIONED: "not mentioned",
    Agreement.NOT_DONE: "not done",
}


def held_against_execution(
    trace: ExecutionTrace,
    readings: Sequence[Reading],
    *,
    labels: Mapping[str, str],
    payments: Sequence[Payment],
) -> TextComparison:
    """Compare the description with parameters, control changes and payments.

    `labels` names known addresses, lower-case.
    """
    return compare_text(
        trace.proposal.description,
        changes=[c for r in readings for c in r.changes],
        parameters=[p for r in readings for p in r.parameters_after],
        controls=control_changes(trace, labels),
        payments=payments,
    )


def control_key(kind: ControlKind, contract: str, subject: str) -> str:
    """Return what joins a change of control with the finding about it."""
    return f"{kind.value} {contract} {subject}".lower()


def control_changes(trace: ExecutionTrace, labels: Mapping[str, str]) -> tuple[ControlChange, ...]:
    """Return roles, owners and code that changed, each with whether the text mentions it."""
    kinds = {
        ChangeKind.ROLE: ControlKind.ROLE,
        ChangeKind.OWNER: ControlKind.OWNER,
        ChangeKind.CODE: ControlKind.CODE,
    }
    hidden = {
        control_key(kinds[u.kind], u.contract, u.subject)
        for u in unannounced_changes(trace, trace.proposal.description, names=labels)
    }
    found: list[ControlChange] = []

    def add(kind: ControlKind, contract: str, subject: str, what: str) -> None:
        key = control_key(kind, contract, subject)
        found.append(
            ControlChange(
                key=key,
                kind=kind,
                contract=contract,
                what=what,
                after=subject,
                announced=key not in hidden,
            )
        )

    for role in trace.role_changes:
        if not role.in_new_contract:
            verb = "granted" if role.granted else "revoked"
            add(ControlKind.ROLE, role.contract, role.account, f"role {role.role} {verb}")
    for owner in trace.owner_changes:
        if not owner.in_new_contract:
            add(ControlKind.OWNER, owner.contract, owner.after, owner.power)
    for code in trace.code_changes:
        if not code.in_new_contract and code.kind is not CodeChangeKind.CREATED:
            subject = code.after if code.kind is CodeChangeKind.IMPLEMENTATION else ""
            add(ControlKind.CODE, code.contract, subject, f"code {code.kind.value}")
    return tuple({c.key: c for c in found}.values())


def text_rows(statements: Sequence[Statement]) -> tuple[TextRow, ...]:
    """Return the comparison as rows of the report."""
    return tuple(
        TextRow.model_validate(
            {
                "statement": s.text,
                "measured": s.measured,
                "result": _RESULTS[s.agreement],
            }
        )
        for s in statements
    )
