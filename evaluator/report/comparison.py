"""Two reports side by side."""

from __future__ import annotations

from evaluator.report.model import ReportModel
from evaluator.report.odds import OddsRow
from evaluator.report.outline import Table
from evaluator.report.screen import adversary_sentence, short_id, written
from evaluator.verdict import figures


def _subject(report: ReportModel) -> str:
    p = report.proposal
    number = "draft" if p.proposal_id is None else f"proposal {short_id(p.proposal_id)}"
    return f"{number}, {p.chain_name} block {p.block:,}: {p.title}"


def _values(report: ReportModel) -> dict[str, str]:
    return {
        p.path: f"{figures.setting(p.before, p.unit)} → {figures.setting(p.after, p.unit)}"
        for p in report.parameters or ()
    }


def _after(row: OddsRow) -> str:
    return f"{written(row.today)} → {written(row.after_responding or row.after_static)}"


def _odds(report: ReportModel) -> dict[str, str]:
    return {
        f"{m.name}: {row.label}": _after(row)
        for m in report.markets
        for row in m.odds or ()
        if row.headline
    }


def _hurt(report: ReportModel) -> str:
    known = [m.hurt for m in report.markets if m.hurt is not None]
    if not known:
        return "not computed"
    users, debt = sum(h.users for h in known), sum(h.debt_usd for h in known)
    return f"{users:,} users, {figures.money(debt)} USD"


def comparison_table(a: ReportModel, b: ReportModel) -> Table:
    """Compare two reports row by row; odds are today → after with the stronger response.

    The two ran on their own states and seeds: only within a report are paths paired.
    """
    rows: list[tuple[str, str, str]] = [
        ("proposal", _subject(a), _subject(b)),
        ("verdict", a.headline.verdict, b.headline.verdict),
        ("reason", a.headline.reason, b.headline.reason),
    ]
    for values in (_values, _odds):
        x, y = values(a), values(b)
        rows += [
            (key, x.get(key, figures.NONE), y.get(key, figures.NONE))
            for key in dict.fromkeys((*x, *y))
        ]
    rows += [
        ("liquidatable at execution", _hurt(a), _hurt(b)),
        ("adversary", adversary_sentence(a), adversary_sentence(b)),
        ("digest", a.reproduce.digest[:16], b.reproduce.digest[:16]),
    ]
    return Table(columns=("", "first", "second"), rows=tuple(rows))
