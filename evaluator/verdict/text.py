"""Hold a proposal's description against what its execution was measured to do."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from evaluator.market import Parameter, ParameterChange, Unit
from evaluator.verdict import figures
from evaluator.verdict.finding import Finding, FindingKind, Severity
from evaluator.verdict.statements import (
    Clause,
    Reader,
    addresses,
    direction,
    folded,
    label_key,
    numbers,
)


class Agreement(StrEnum):
    """How a statement and a measurement relate."""

    AGREES = "agrees"
    NAMED = "named without a value"
    CONTRADICTS = "contradicts"
    NOT_MENTIONED = "not mentioned"
    NOT_DONE = "not done"


class ControlKind(StrEnum):
    """What kind of control changed hands."""

    ROLE = "role"
    OWNER = "owner"
    CODE = "code"


@dataclass(frozen=True, kw_only=True, slots=True)
class ControlChange:
    """A role, owner or code change outside contracts the execution itself created."""

    key: str  # by which the caller knows it
    kind: ControlKind  # see ControlKind
    contract: str  # address whose control changed
    what: str  # "role RISK_ADMIN granted", "owner", "implementation"
    after: str  # address that has it now, or the new implementation
    announced: bool  # whether the description mentions it; `governance` decides that


@dataclass(frozen=True, kw_only=True, slots=True)
class Payment:
    """Value that leaves the DAO."""

    symbol: str  # of the token, or the native currency
    amount: float  # whole tokens
    recipient: str  # address
    usd: float | None = None  # what it is worth, None if that is not known
    allowed: bool = False  # not paid yet: the recipient may take it


@dataclass(frozen=True, kw_only=True, slots=True)
class Statement:
    """A statement of the text beside what was measured."""

    text: str  # as found, "" for a change the text is silent about; hostile
    measured: str  # "" if nothing corresponds
    agreement: Agreement  # see Agreement


@dataclass(frozen=True, kw_only=True, slots=True)
class TextComparison:
    """The description held against the measurements."""

    statements: tuple[Statement, ...]
    findings: tuple[Finding, ...]
    mentioned: frozenset[str]  # paths of changed parameters the text speaks of
    unannounced: frozenset[str]  # keys of control changes it does not


def _measured(change: ParameterChange) -> str:
    name = f"{change.asset} {change.label}" if change.asset else change.label
    before, after = (figures.setting(v, change.unit) for v in (change.before, change.after))
    return f"{name} {before} → {after}"


def _quantity(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def _gross(label: str) -> bool:
    return "bonus" in label or "incentive" in label


def _about(change: ParameterChange, clauses: Sequence[Clause]) -> list[Clause]:
    key = label_key(change.label)
    return [
        c for c in clauses if key in c.labels and (not change.asset or change.asset in c.assets)
    ]


def _exclusive(clause: Clause) -> bool:
    """Whether its numbers can only belong to one parameter of one asset."""
    return len(clause.labels) == 1 and len(clause.assets) <= 1


def _weigh(change: ParameterChange, clause: Clause) -> Agreement:
    before, after = _quantity(change.before), _quantity(change.after)
    gross = _gross(change.label)
    if after is None:
        text = change.after if isinstance(change.after, str) else ""
        told = addresses(clause.lower)
        if change.unit is Unit.ADDRESS and told and _exclusive(clause):
            # A clause may name the old address as well.
            known = {text.lower(), str(change.before).lower()}
            return (
                Agreement.AGREES
                if text.lower() in told
                else Agreement.NAMED
                if told <= known
                else Agreement.CONTRADICTS
            )
        return Agreement.NAMED
    ratio = change.unit in (Unit.FRACTION, Unit.PER_YEAR)
    if any(n.role != "delta" and n.means(after, change.unit, gross=gross) for n in clause.numbers):
        return Agreement.AGREES
    deltas = [n for n in clause.numbers if n.role == "delta"]
    if before is not None and deltas:
        moved = after - before
        relative = moved / before if before else math.inf
        if any(
            n.means(abs(moved), change.unit)
            or (n.unit == "%" and n.means(abs(relative), Unit.FRACTION))
            for n in deltas
        ):
            return Agreement.AGREES
    said = direction(clause.lower)
    if before is not None and _exclusive(clause) and said and said * (after - before) < 0.0:
        return Agreement.CONTRADICTS
    if not _exclusive(clause):
        return Agreement.NAMED
    # A bare number may be a date or a version; only a value in its place contradicts.
    telling = [
        n
        for n in clause.numbers
        if n.role in ("target", "delta")
        and (not ratio or n.unit or n.role == "target")
        and not (before is not None and n.means(before, change.unit, gross=gross))
    ]
    return Agreement.CONTRADICTS if telling else Agreement.NAMED


_BEST_FIRST = (Agreement.AGREES, Agreement.CONTRADICTS, Agreement.NAMED)


def _changes(
    changes: Sequence[ParameterChange], clauses: Sequence[Clause]
) -> tuple[list[Statement], list[Finding], set[str]]:
    statements, findings, mentioned = [], [], set()
    for change in changes:
        measured = _measured(change)
        about = [(c, _weigh(change, c)) for c in _about(change, clauses)]
        if not about:
            statements.append(
                Statement(text="", measured=measured, agreement=Agreement.NOT_MENTIONED)
            )
            findings.append(
                Finding(
                    kind=FindingKind.UNMENTIONED,
                    severity=Severity.MEDIUM,
                    title=f"the description does not mention: {measured}",
                    detail=f"measured after execution at {change.path}; no sentence names it",
                    source="text against payload",
                )
            )
            continue
        mentioned.add(change.path)
        against = [c for c, a in about if a is Agreement.CONTRADICTS]
        for wanted in _BEST_FIRST:
            clause = next((c for c, a in about if a is wanted), None)
            if clause is not None:
                statements.append(Statement(text=clause.text, measured=measured, agreement=wanted))
                break
        if against:
            findings.append(
                Finding(
                    kind=FindingKind.CONTRADICTION,
                    severity=Severity.HIGH,
                    title=f"the description contradicts what was measured: {measured}",
                    detail=f"the text says: {against[0].text}",
                    source="text against payload",
                )
            )
            if statements[-1].agreement is Agreement.AGREES:
                statements.append(
                    Statement(
                        text=against[0].text, measured=measured, agreement=Agreement.CONTRADICTS
                    )
                )
    return statements, findings, mentioned


def _unfulfilled(
    changes: Sequence[ParameterChange], parameters: Sequence[Parameter], clauses: Sequence[Clause]
) -> tuple[list[Statement], list[Finding]]:
    """Find values the text promises for parameters that did not change."""
    changed = {c.path for c in changes}
    by_name: dict[tuple[str, str], list[Parameter]] = {}
    for p in parameters:
        by_name.setdefault((p.asset, label_key(p.label)), []).append(p)
    statements, findings = [], []
    for clause in clauses:
        targets = [n for n in clause.numbers if n.role == "target"]
        if not _exclusive(clause) or not clause.assets or not targets:
            continue
        (label,), (asset,) = clause.labels, clause.assets
        named = by_name.get((asset, label), [])
        if not named or any(p.path in changed for p in named):
            continue
        values = [(p, _quantity(p.value)) for p in named]
        kept = next(
            (
                p
                for p, v in values
                if v is not None
                and any(n.means(v, p.unit, gross=_gross(p.label)) for n in clause.numbers)
            ),
            None,
        )
        shown = kept or named[0]
        measured = f"{asset} {shown.label} stays {figures.setting(shown.value, shown.unit)}"
        if kept is not None:
            statements.append(
                Statement(text=clause.text, measured=measured, agreement=Agreement.AGREES)
            )
        elif all(v is not None for _, v in values) and any(
            n.unit or shown.unit not in (Unit.FRACTION, Unit.PER_YEAR) for n in targets
        ):
            statements.append(
                Statement(text=clause.text, measured=measured, agreement=Agreement.NOT_DONE)
            )
            findings.append(
                Finding(
                    kind=FindingKind.UNFULFILLED,
                    severity=Severity.MEDIUM,
                    title=f"the description announces a change that is not made: {measured}",
                    detail=f"the text says: {clause.text}",
                    source="text against payload",
                )
            )
    return statements, findings


def _controls(
    controls: Sequence[ControlChange],
) -> tuple[list[Statement], list[Finding], set[str]]:
    statements, findings, unannounced = [], [], set()
    for change in controls:
        measured = f"{change.what} at {change.contract}" + (
            f" to {change.after}" if change.after else ""
        )
        if change.announced:
            statements.append(
                Statement(
                    text="named in the description", measured=measured, agreement=Agreement.NAMED
                )
            )
            continue
        unannounced.add(change.key)
        statements.append(Statement(text="", measured=measured, agreement=Agreement.NOT_MENTIONED))
        findings.append(
            Finding(
                kind=FindingKind.UNANNOUNCED_CONTROL,
                severity=Severity.HIGH,
                title=f"the description does not announce a change of {change.kind}: {measured}",
                detail="neither the address nor the name, nor a word for it, is in the text",
                source="text against payload",
            )
        )
    return statements, findings, unannounced


def _payments(
    payments: Sequence[Payment], text: str, lower: str
) -> tuple[list[Statement], list[Finding]]:
    named = addresses(lower)
    told = [n for line in folded(text).splitlines() for n in numbers(line)]
    statements, findings = [], []
    for payment in payments:
        amount = f"{figures.exact(payment.amount)} {payment.symbol}"
        measured = f"{amount} to {payment.recipient}"
        if payment.allowed:
            measured = f"{amount} that {payment.recipient} may take"
        if any(n.means(payment.amount, Unit.TOKENS) for n in told):
            agreement, said = Agreement.AGREES, "the amount is named in the description"
        elif payment.recipient.lower() in named:
            agreement, said = Agreement.NAMED, "the recipient is named in the description"
        else:
            agreement, said = Agreement.NOT_MENTIONED, ""
            findings.append(
                Finding(
                    kind=FindingKind.UNANNOUNCED_PAYMENT,
                    severity=Severity.HIGH,
                    title=f"the description does not mention a payment: {measured}",
                    detail="neither the amount nor the recipient is in the text",
                    source="text against payload",
                    loss_usd=payment.usd,
                )
            )
        statements.append(Statement(text=said, measured=measured, agreement=agreement))
    return statements, findings


def compare_text(
    description: str,
    *,
    changes: Sequence[ParameterChange],
    parameters: Sequence[Parameter] = (),
    controls: Sequence[ControlChange] = (),
    payments: Sequence[Payment] = (),
    names: Mapping[str, Collection[str]] | None = None,
) -> TextComparison:
    """Compare a description with what was measured. Deterministic, no language model.

    `parameters` are all of them as they read after execution: with them,
    values that the text announces and that were not set are found. `names`
    holds further names of assets by symbol, such as those of receipt tokens.
    """
    known = [*(c.asset for c in changes), *(p.asset for p in parameters)]
    labels = [*(c.label for c in changes), *(p.label for p in parameters)]
    clauses = Reader(known, labels, names).clauses(description)
    lower = folded(description)
    said, findings, mentioned = _changes(changes, clauses)
    promised, broken = _unfulfilled(changes, parameters, clauses)
    powers, hidden, unannounced = _controls(controls)
    paid, silent = _payments(payments, description, lower)
    return TextComparison(
        statements=(*said, *promised, *powers, *paid),
        findings=(*findings, *broken, *hidden, *silent),
        mentioned=frozenset(mentioned),
        unannounced=frozenset(unannounced),
    )
