"""The HTML report: one file, no remote resource, nothing hostile alive in it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from functools import cache

import jinja2
import nh3
from markdown_it import MarkdownIt
from markupsafe import Markup

import evaluator
from evaluator.data_files import data_path
from evaluator.report import drawing, inert
from evaluator.report.model import SCHEMA_VERSION, ReportModel
from evaluator.report.outline import Mono, Picture, Section, Strong
from evaluator.report.screen import first_screen
from evaluator.report.sections import sections

MARKS = {"PASS": "✓", "CAUTION": "!", "FAIL": "✗", "INCONCLUSIVE": "?"}
# Text structure only: no links, no images, nothing that loads or leads anywhere.
_TAGS = {
    "blockquote",
    "br",
    "code",
    "em",
    "h1",
    "h2",
    "h3",
    "h4",
    "hr",
    "li",
    "ol",
    "p",
    "pre",
    "strong",
    "table",
    "tbody",
    "td",
    "th",
    "thead",
    "tr",
    "ul",
}
_LISTING_LIMIT = 20_000


def description_html(text: str) -> str:
    """Render a description's Markdown to harmless HTML: structure and words only."""
    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": 20}).enable("table")
    parser.disable(["image", "link", "autolink", "html_block", "html_inline", "reference"])
    shown = inert.limited(inert.visible(text), _LISTING_LIMIT)
    # A heading of the description must not outrank those of the report.
    html = parser.render(shown)
    for level in (4, 3, 2, 1):
        html = html.replace(f"<h{level}>", "<h4>").replace(f"</h{level}>", "</h4>")
    return nh3.clean(html, tags=_TAGS, attributes={}, strip_comments=True)


def _shown(cell: str) -> Markup:
    text = inert.line(cell, 600)
    if isinstance(cell, Mono):
        return Markup("<code>{}</code>").format(text)
    if isinstance(cell, Strong):
        return Markup("<strong>{}</strong>").format(text)
    return Markup("{}").format(text)


def _listing(text: str) -> str:
    cut = len(text) - _LISTING_LIMIT
    more = f"\n… and {cut:,} more characters in report.json." if cut > 0 else ""
    return inert.limited(inert.visible(text), _LISTING_LIMIT) + more


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(data_path("templates")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["line"] = inert.line
    environment.filters["capital"] = inert.capital
    environment.filters["listing"] = _listing
    return environment


def _file(name: str) -> str:
    return (data_path("templates") / name).read_text(encoding="utf-8")


def to_html(report: ReportModel, *, drawn: Mapping[str, str] | None = None) -> str:
    """Render as one self-contained HTML document.

    `drawn` maps names of charts to what `drawing.page_svg` made of them; what
    is missing there is drawn.
    """
    screen = first_screen(report)
    svgs = dict(drawn or {})

    def draw(picture: Picture, place: str) -> Markup:
        if picture.name not in svgs:
            svgs[picture.name] = drawing.page_svg(picture.chart)
        prefix = f"{place}-{picture.name}"
        # The SVG is Matplotlib's, which escapes the text in it.
        return Markup(  # noqa: S704
            drawing.to_inline_svg(svgs[picture.name], inert.line(picture.chart.alt, 600), prefix)
        )

    parts: tuple[Section, ...] = sections(report)
    lead = next(
        (
            b
            for s in parts
            for b in s.blocks
            if isinstance(b, Picture) and b.chart.name == "survival"
        ),
        None,
    )
    script = _file("report.js")
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            screen=screen,
            mark=MARKS[screen.verdict],
            sections=parts,
            lead=lead,
            shown=_shown,
            draw=draw,
            kind_of=lambda b: type(b).__name__,
            description=Markup(description_html(report.proposal.description)),  # noqa: S704 - cleaned
            style=Markup(_file("report.css")),  # noqa: S704 - ours
            script=Markup(script),  # noqa: S704 - ours
            script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
            version=evaluator.__version__,
            schema=SCHEMA_VERSION,
        )
    )
