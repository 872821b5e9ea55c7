"""The report in a terminal, with rich; no escape sequence of others gets through."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table as RichTable
from rich.text import Text
from rich.tree import Tree as RichTree

from evaluator.report import inert
from evaluator.report.html import MARKS
from evaluator.report.model import ReportModel
from evaluator.report.outline import (
    Block,
    Listing,
    Mono,
    Node,
    Picture,
    Strong,
    Table,
    Tree,
    Words,
)
from evaluator.report.screen import first_screen
from evaluator.report.sections import sections

_STYLES = {
    "PASS": "bold white on green4",
    "CAUTION": "bold black on dark_orange",
    "FAIL": "bold white on red3",
    "INCONCLUSIVE": "bold white on grey37",
}
_ROWS = 20


def _cell(cell: str) -> Text:
    text = inert.terminal(cell, 300)
    if isinstance(cell, Strong):
        return Text(text, style="bold")
    if isinstance(cell, Mono):
        return Text(text, style="cyan", overflow="fold")
    return Text(text)


def _table(table: Table) -> RenderableType:
    drawn = RichTable(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for column in table.columns:
        drawn.add_column(Text(inert.terminal(column, 120)), overflow="fold")
    for row in table.rows[:_ROWS]:
        drawn.add_row(*(_cell(c) for c in row))
    left = len(table.rows) - _ROWS if len(table.rows) > _ROWS else 0
    left += table.left_out
    if left:
        return Group(drawn, Text(f"… and {left:,} more in report.json", style="dim"))
    return drawn


def _node(node: Node, into: RichTree) -> None:
    branch = into.add(Text(inert.terminal(node.line, 200), style="bold"))
    for name, value in node.details[:_ROWS]:
        shown = inert.terminal(value, 160)
        branch.add(Text.assemble((f"{inert.terminal(name, 60)}: ", "dim"), shown))
    for child in node.children[:_ROWS]:
        _node(child, branch)


def _block(block: Block) -> RenderableType:
    match block:
        case Table():
            return _table(block)
        case Words():
            return Text(inert.terminal(block.text, 2000))
        case Listing():
            shown = inert.limited(inert.visible(block.text), 2000)
            return Padding(Text(shown, style="dim"), (0, 0, 0, 2))
        case Picture():
            return Text(inert.terminal(block.chart.alt, 600), style="italic")
        case Tree():
            tree = RichTree("", hide_root=True)
            for node in block.nodes[:_ROWS]:
                _node(node, tree)
            return tree


def _folded(report: ReportModel) -> Iterator[RenderableType]:
    for section in sections(report):
        title = Text.assemble(
            (inert.terminal(section.title, 120), "bold underline"),
            (f"  {inert.terminal(section.summary, 200)}", "dim"),
        )
        yield Text()
        yield title
        for block in section.blocks:
            yield _block(block)


def to_terminal(report: ReportModel, *, full: bool = False) -> RenderableType:
    """Build what `rich` prints: the first screen, and with `full` every section."""
    screen = first_screen(report)
    head = Text.assemble(
        (f" {MARKS[screen.verdict]} {screen.verdict} ", _STYLES[screen.verdict]),
        " ",
        (inert.terminal(inert.capital(screen.sentence), 300), "bold"),
    )
    why = inert.terminal(inert.capital(screen.reason), 600)
    judged = f" ({inert.terminal(screen.judged, 300)})" if screen.judged else ""
    parts: list[RenderableType] = [
        Panel(Group(head, Text(), Text(why + judged)), border_style="dim"),
        Text(inert.terminal(screen.subject, 400)),
    ]
    if screen.label:
        parts.append(Text(screen.label, style="italic dim"))
    parts.append(Text())
    if screen.changes is None:
        parts.append(Text("What changes: not computed", style="dim"))
    elif screen.changes.rows:
        parts.append(_table(screen.changes))
    else:
        parts.append(Text("No risk parameter reads differently after execution."))
    if screen.at_execution:
        parts += [
            Text(),
            Text.assemble(("At execution: ", "bold"), inert.terminal(screen.at_execution, 600)),
        ]
    for odds in screen.odds:
        parts += [Text(), _table(odds)]
    parts.append(Text())
    for remark in screen.remarks:
        text = inert.terminal(remark.text, 800)
        parts.append(Text.assemble((f"{remark.about}: ", "bold"), text))
    parts.append(Text.assemble(("Check it yourself: ", "bold"), inert.terminal(screen.check, 300)))
    parts.append(Text.assemble(("Digest: ", "bold"), (inert.terminal(screen.digest, 80), "cyan")))
    if full:
        parts += _folded(report)
    return Group(*parts)
