"""The forum post: Markdown within Discourse's limit, first screen first, the rest folded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import jinja2

from evaluator.data_files import data_path
from evaluator.report import inert
from evaluator.report.model import ReportModel
from evaluator.report.outline import Listing, Mono, Node, Picture, Section, Strong, Table, Tree
from evaluator.report.screen import first_screen
from evaluator.report.sections import sections

FORUM_LIMIT = 32_000


@dataclass(frozen=True, kw_only=True, slots=True)
class _Measure:
    """How much of everything is told; what is left out is said and stands in the JSON."""

    rows: int  # of a folded table
    first_rows: int  # of a table on the first screen
    cell: int  # characters of a table cell
    words: int  # characters of a paragraph
    listing: int  # characters of a listing
    folded: bool = True  # tell the folded sections at all


_MEASURES = (
    _Measure(rows=60, first_rows=60, cell=160, words=1500, listing=8000),
    _Measure(rows=25, first_rows=40, cell=140, words=1000, listing=4000),
    _Measure(rows=12, first_rows=30, cell=120, words=800, listing=2000),
    _Measure(rows=6, first_rows=20, cell=100, words=600, listing=1000),
    _Measure(rows=3, first_rows=12, cell=90, words=400, listing=500),
    _Measure(rows=1, first_rows=8, cell=80, words=300, listing=200),
    _Measure(rows=0, first_rows=5, cell=80, words=300, listing=0, folded=False),
)


class _Raw(str):
    """Markdown of ours; everything else is escaped when it is printed."""

    __slots__ = ()


def _shown(value: object, length: int = 1500) -> str:
    if isinstance(value, _Raw):
        return value
    text = str(value)
    if isinstance(value, Mono):
        return inert.code(text, length)
    if isinstance(value, Strong):
        return f"**{inert.prose(text, length)}**"
    return inert.prose(text, length)


def _row(cells: tuple[str, ...], length: int) -> str:
    return "| " + " | ".join(_shown(c, length) for c in cells) + " |"


def _table(table: Table, rows: int, length: int) -> _Raw:
    shown = table.rows[:rows]
    # A number column is right-aligned by the forum only if told so.
    lines = [
        _row(table.columns, length),
        "|" + "---|" * len(table.columns),
        *(_row(r, length) for r in shown),
    ]
    left = len(table.rows) - len(shown) + table.left_out
    if left:
        lines += ["", f"… and {left:,} more in report.json."]
    return _Raw("\n".join(lines))


def _node(node: Node, measure: _Measure, depth: int) -> list[str]:
    pad = "  " * min(depth, 6)
    lines = [f"{pad}- {_shown(Mono(node.line), measure.cell)}"]
    lines += [
        f"{pad}  - {_shown(name, 60)}: {_shown(Mono(value), measure.cell)}"
        for name, value in node.details[: measure.rows]
    ]
    for child in node.children[: measure.rows]:
        lines += _node(child, measure, depth + 1)
    left = len(node.children) - measure.rows
    if left > 0:
        lines.append(f"{pad}  - … and {left:,} more in report.json")
    return lines


def _block(block: object, measure: _Measure, images: Mapping[str, str]) -> _Raw:
    match block:
        case Table():
            return _table(block, measure.rows, measure.cell)
        case Listing():
            cut = len(block.text) - measure.listing
            more = f"\n… and {cut:,} more characters in report.json." if cut > 0 else ""
            return _Raw(inert.fenced(block.text, measure.listing) + more)
        case Picture():
            return _image(block, images)
        case Tree():
            lines = [line for n in block.nodes[: measure.rows] for line in _node(n, measure, 0)]
            left = len(block.nodes) - measure.rows
            if left > 0:
                lines.append(f"- … and {left:,} more in report.json")
            return _Raw("\n".join(lines))
        case _:
            return _Raw(inert.prose(getattr(block, "text", ""), measure.words))


def _alt(text: str) -> str:
    return inert.prose(text, 300).replace("|", " ")


def _image(picture: Picture, images: Mapping[str, str]) -> _Raw:
    url = images.get(picture.name)
    title = inert.prose(picture.chart.title, 200)
    if url is None:
        return _Raw(f"*{title}*")
    return _Raw(f"![{_alt(picture.chart.alt)}]({url})")


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(data_path("templates")),
        autoescape=False,  # noqa: S701 - `finalize` escapes for Markdown instead
        finalize=_shown,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _render(report: ReportModel, measure: _Measure, images: Mapping[str, str]) -> str:
    screen = first_screen(report)
    folded: tuple[Section, ...] = sections(report) if measure.folded else ()
    lead = next(
        (
            b
            for s in sections(report)
            for b in s.blocks
            if isinstance(b, Picture) and b.name == "survival" and b.name in images
        ),
        None,
    )
    return (
        _environment()
        .get_template("forum.md.j2")
        .render(
            screen=screen,
            sections=folded,
            lead=_image(lead, images) if lead is not None else None,
            table=lambda t: _table(t, measure.first_rows, measure.cell),
            block=lambda b: _block(b, measure, images),
            summary=lambda t: _Raw(inert.html(t, measure.words)),
            words=lambda t: _Raw(inert.prose(inert.capital(t), measure.words)),
            mono=lambda t: _Raw(inert.code(t, 120)),
        )
    )


def to_markdown(report: ReportModel, *, images: Mapping[str, str] | None = None) -> str:
    """Render for a forum, at most 32,000 characters.

    `images` maps chart names to URLs ("upload://..." or a relative path); they
    must be ours, they are not escaped. What does not fit is left out by whole
    rows and said to be; the JSON has everything.
    """
    text = ""
    for measure in _MEASURES:
        text = _render(report, measure, images or {})
        if len(text) <= FORUM_LIMIT:
            break
    return text
