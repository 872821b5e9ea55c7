"""What is done with a finished evaluation: files, the database, the terminal."""

from __future__ import annotations

import datetime
from pathlib import Path

from rich.console import Console
from rich.text import Text

from evaluator.report import inert
from evaluator.report.files import ReportFiles, to_json, write_report
from evaluator.report.model import ReportModel
from evaluator.report.odds import EstimateRow, OddsRow
from evaluator.report.terminal import to_terminal
from evaluator.store import FindingRecord, MetricRecord, NewRun, ProposalRecord, Store
from evaluator.verdict import VerdictKind

_MOST_FINDINGS = 5  # that are named beneath a report
_EXIT_MEANING = {0: "PASS", 1: "FAIL", 2: "CAUTION or INCONCLUSIVE"}


def _moments(row: OddsRow) -> tuple[tuple[str, EstimateRow | None], ...]:
    return (
        ("today", row.today),
        ("after_static", row.after_static),
        ("after_responding", row.after_responding),
        ("difference", row.difference),
        ("difference_responding", row.difference_responding),
    )


def _metrics(report: ReportModel) -> tuple[MetricRecord, ...]:
    return tuple(
        MetricRecord(
            market=f"{market.protocol} {market.address}",
            name=row.name,
            moment=moment,
            value=e.value,
            lower=e.lower,
            upper=e.upper,
            level=e.level,
            samples=e.samples,
            unit=e.unit,
        )
        for market in report.markets
        for row in market.odds or ()
        for moment, e in _moments(row)
        if e is not None
    )


def new_run(report: ReportModel, *, seconds: float, folder: Path) -> NewRun:
    """Make the database's record of a report."""
    p = report.proposal
    return NewRun(
        finished=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        seconds=seconds,
        chain_id=p.chain_id,
        chain_name=p.chain_name,
        block=p.block,
        verdict=report.headline.verdict,
        reason=report.headline.reason,
        digest=report.reproduce.digest,
        folder=str(folder.absolute()),
        proposal=ProposalRecord(
            digest=p.digest,
            governor=p.governor,
            proposal_id=p.proposal_id,
            title=p.title,
            description=p.description,
        ),
        manifest=report.reproduce.manifest.model_dump_json(),
        report=to_json(report),
        metrics=_metrics(report),
        findings=tuple(
            FindingRecord(
                identifier=f.identifier,
                kind=f.kind,
                severity=f.severity,
                title=f.title,
                detail=f.detail,
                source=f.source,
            )
            for f in report.findings
        ),
    )


def publish(report: ReportModel, *, seconds: float, folder: Path) -> tuple[ReportFiles, int]:
    """Write a report's files and save the run; return the files and the run's number."""
    files = write_report(report, folder)
    with Store() as store:
        return files, store.save(new_run(report, seconds=seconds, folder=folder))


def exit_code(report: ReportModel) -> int:
    """Return the exit code of a verdict: 0 PASS, 1 FAIL, 2 CAUTION and INCONCLUSIVE."""
    return VerdictKind(report.headline.verdict).exit_code


def show_result(
    console: Console, report: ReportModel, files: ReportFiles, *, run: int, seconds: float
) -> None:
    """Print the first screen, where the files are and what the exit code means."""
    console.print(to_terminal(report))
    console.print()
    for what, path in (
        ("HTML", files.html),
        ("Markdown", files.markdown),
        ("JSON", files.json),
        ("manifest", files.manifest),
    ):
        console.print(Text(f"{what:>9}  {inert.line(str(path))}"), soft_wrap=True)
    show_findings(console, report)
    code = exit_code(report)
    console.print(
        Text(
            f"run {run}, {seconds:.1f} s; exit code {code} means {_EXIT_MEANING[code]}",
            style="dim",
        )
    )


def show_findings(console: Console, report: ReportModel) -> None:
    """Print how to have each finding explained, the first few by name."""
    for f in report.findings[:_MOST_FINDINGS]:
        console.print(
            Text(f"explain   seatrial explain {f.identifier}   {inert.line(f.title, 80)}"),
            style="dim",
            soft_wrap=True,
        )
