"""`seatrial show`, `seatrial runs`, `seatrial verify`, `seatrial explain`, `seatrial compare`."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from evaluator.errors import ConfigurationError, ReplayMismatch
from evaluator.report import inert

if TYPE_CHECKING:  # loading Matplotlib takes a while; a wrong argument is told at once
    from evaluator.report.model import ReportModel

Which = Annotated[
    str, typer.Argument(help="A report.json, the folder it is in, or the number of a run.")
]


class Rendering(StrEnum):
    """What `show` prints."""

    TERMINAL = "terminal"
    MARKDOWN = "markdown"
    HTML = "html"
    JSON = "json"
    DISCORD = "discord"


def open_report(which: str) -> ReportModel:
    """Read a report from a path, or from the database by the number of its run."""
    from evaluator.report.files import parse_report, read_report

    path = Path(which)
    if which.isdecimal() and not path.exists():
        from evaluator.store import Store

        with Store() as store:
            return parse_report(store.report(int(which)).encode(), f"run {which}")
    if not path.exists():
        raise ConfigurationError(
            f"there is no report {which[:200]!r}; give a report.json, the folder it is in, or the "
            "number of a run (`seatrial runs` lists them)"
        )
    return read_report(path)


def show(
    report: Which,
    full: Annotated[
        bool, typer.Option("--full", help="Every section, not the first only.")
    ] = False,
    rendering: Annotated[
        Rendering, typer.Option("--as", help="Print this rendering instead.")
    ] = Rendering.TERMINAL,
) -> int:
    """Show a report in the terminal, or print another rendering of it."""
    model = open_report(report)
    match rendering:
        case Rendering.TERMINAL:
            from evaluator.cli.publication import show_findings
            from evaluator.report.terminal import to_terminal

            console = Console()
            console.print(to_terminal(model, full=full))
            show_findings(console, model)
        case Rendering.MARKDOWN:
            from evaluator.report.markdown import to_markdown

            sys.stdout.write(to_markdown(model))
        case Rendering.HTML:
            from evaluator.report.html import to_html

            sys.stdout.write(to_html(model))
        case Rendering.JSON:
            from evaluator.report.files import to_json

            sys.stdout.write(to_json(model))
        case Rendering.DISCORD:
            from evaluator.report.embed import to_embed

            sys.stdout.write(json.dumps(to_embed(model), indent=1) + "\n")
    return 0


def runs(
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """List the runs of the past, newest first."""
    from evaluator.store import Store

    with Store() as store:
        rows = store.runs(limit)
    if as_json:
        sys.stdout.write(json.dumps([asdict(r) for r in rows], indent=1) + "\n")
        return 0
    if not rows:
        Console().print(Text("no runs yet; `seatrial demo` makes the first"))
        return 0
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for column in ("run", "finished (UTC)", "verdict", "proposal", "chain and block", "digest"):
        table.add_column(column, overflow="fold")
    for r in rows:
        table.add_row(
            Text(str(r.number)),
            Text(r.finished[:16].replace("T", " ")),
            Text(r.verdict),
            Text(inert.terminal(r.title, 60)),
            Text(inert.terminal(f"{r.chain_name} {r.block:,}", 60)),
            Text(r.digest[:12]),
        )
    Console().print(table)
    return 0


def verify(report: Which) -> int:
    """Check a report: schema, seal, and that it agrees with its own manifest.

    Exit code 0 if everything holds, 15 if anything was changed after it was written.
    """
    model = open_report(report)
    manifest = model.reproduce.manifest
    checks = (
        ("content digest", model.content_digest, model.computed_digest()),
        ("manifest digest", model.reproduce.digest, manifest.digest),
        ("verdict", model.headline.verdict, manifest.verdict),
        ("policy digest", model.policy.digest, manifest.policy_digest),
        ("proposal digest", model.proposal.digest, manifest.proposal_digest),
        ("block hash", model.proposal.block_hash, manifest.block_hash),
    )
    console = Console()
    console.print(Text("✓ schema 1.0"))
    wrong = []
    for name, stated, found in checks:
        good = stated == found
        console.print(Text(f"{'✓' if good else '✗'} {name}"))
        if not good:
            wrong.append(f"the {name} says {stated!r} and is {found!r}")
    if wrong:
        raise ReplayMismatch(f"the report does not hold together: {'; '.join(wrong)}")
    return 0


def explain(
    finding: Annotated[str, typer.Argument(help="Identifier of a finding, or its beginning.")],
) -> int:
    """Tell everything about one finding of a past run."""
    from evaluator.store import Store

    with Store() as store:
        number, found = store.finding(finding)
        row = store.run(number)
    console = Console()
    console.print(Text(f"{found.identifier}  {found.kind}, {found.severity}", style="bold"))
    console.print(Text(inert.terminal(found.title)))
    console.print()
    console.print(Text(inert.terminal(found.detail, 4000)))
    console.print()
    title = inert.terminal(row.title, 80)
    console.print(Text(f"seen by {found.source} in run {number}: {title}", style="dim"))
    console.print(Text(f"seatrial show {number} --full shows it in its report", style="dim"))
    return 0


def compare(first: Which, second: Which) -> int:
    """Put two reports side by side: two proposals, two values, two dates."""
    from evaluator.report.comparison import comparison_table

    a, b = open_report(first), open_report(second)
    compared = comparison_table(a, b)
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for column in compared.columns:
        table.add_column(Text(inert.terminal(column, 60)), overflow="fold")
    for row in compared.rows:
        table.add_row(*(Text(inert.terminal(c, 200)) for c in row))
    Console().print(table)
    return 0
