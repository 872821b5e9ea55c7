"""The description held against what execution was measured to do."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from evaluator.chain.abi import Abi
from evaluator.chain.sandbox import Sandbox
from evaluator.evaluation.measurement import Reading
from evaluator.governance.trace import CodeChangeKind, ExecutionTrace
from evaluator.governance.unannounced import ChangeKind, unannounced_changes
from evaluator.protocols.tokens import decode_text, printable
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

_SYMBOL = Abi.parse(["function symbol() view returns (string)"]).encode("symbol")
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
    names: Mapping[str, Collection[str]],
) -> TextComparison:
    """Compare the description with parameters, control changes and payments.

    `labels` names known addresses, lower-case; `names` further names of assets.
    """
    return compare_text(
        trace.proposal.description,
        changes=[c for r in readings for c in r.changes],
        parameters=[p for r in readings for p in r.parameters_after],
        controls=control_changes(trace, labels),
        payments=payments,
        names=names,
    )


def receipt_names(sandbox: Sandbox, readings: Sequence[Reading]) -> dict[str, frozenset[str]]:
    """Return the symbols of the tokens that stand for supplies, by symbol of their asset.

    A proposal may say vETH or aEthWETH and mean the market of ETH or WETH.
    """
    found: dict[str, set[str]] = {}
    for reading in readings:
        market = reading.before if reading.after is None else reading.after
        reserves = [r for r in market.reserves if r.receipt_token]
        answers = sandbox.call_many([(r.receipt_token, _SYMBOL) for r in reserves])
        for reserve, answer in zip(reserves, answers, strict=True):
            name = printable(decode_text(answer)) if isinstance(answer, bytes) else ""
            # Whoever deploys the token chooses its symbol; a common word would be in every text.
            if any(c.isupper() for c in name) and not any(c.isspace() for c in name):
                found.setdefault(reserve.asset.symbol, set()).add(name)
    return {symbol: frozenset(names) for symbol, names in found.items()}


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
