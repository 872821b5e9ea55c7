"""How a chart is drawn by Matplotlib: as PNG, as SVG and as part of a page.

Colours are Okabe and Ito's (safe for colour-blind readers). Drawing is
deterministic: the same report gives the same bytes.
"""

from __future__ import annotations

import io
import re
import textwrap
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from html import escape

import matplotlib as mpl
from matplotlib.figure import Figure

from evaluator.report import inert

_WIDTH, _HEIGHT = 4.8, 3.0  # inches; small, so that text stays readable at phone width
_LINE = 0.17  # inches that a line of the title adds


class Theme(StrEnum):
    """What the chart lies on."""

    LIGHT = "light"
    DARK = "dark"
    PAGE = "page"  # inline SVG that takes its colours from the page's style sheet


@dataclass(frozen=True, kw_only=True, slots=True)
class Palette:
    """Colours that a chart is drawn in."""

    lines: tuple[str, str, str]  # today, after, responding
    text: str
    grid: str
    ground: str


_PALETTES = {
    Theme.LIGHT: Palette(
        lines=("#0072b2", "#b84a00", "#007a5a"), text="#1f2328", grid="#d0d7de", ground="#ffffff"
    ),
    Theme.DARK: Palette(
        lines=("#56b4e9", "#ff9a52", "#3ddba9"), text="#e6e8eb", grid="#4a4e57", ground="#1e1f22"
    ),
    # Sentinels that `to_svg` turns into the page's variables.
    Theme.PAGE: Palette(
        lines=("#010101", "#020202", "#030303"), text="#040404", grid="#050505", ground="#060606"
    ),
}
_VARIABLES = {
    "#010101": "var(--today)",
    "#020202": "var(--after)",
    "#030303": "var(--responding)",
    "#040404": "var(--ink)",
    "#050505": "var(--rule)",
    "#060606": "var(--paper)",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Chart:
    """A chart with everything a reader who cannot see it needs."""

    name: str  # file name without ending, unique in a report
    title: str
    alt: str  # what it shows, in a sentence or two
    columns: tuple[str, ...]  # of the table beneath
    rows: tuple[tuple[str, ...], ...]
    draw: Callable[[Figure, Palette], None]


@lru_cache(maxsize=64)
def _places(chart: Chart) -> tuple[tuple[float, float, float, float], ...]:
    """Where the axes go in a figure without a title: x, y, width and height as shares of it.

    Laying out takes as long as drawing, and every theme of a chart has the same layout.
    """
    figure = Figure(figsize=(_WIDTH, _HEIGHT), layout="constrained")
    chart.draw(figure, _PALETTES[Theme.PAGE])
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
    return tuple(ax.get_position().bounds for ax in figure.axes)


def _figure(chart: Chart, theme: Theme) -> Figure:
    p = _PALETTES[theme]
    title = [] if theme is Theme.PAGE else textwrap.wrap(inert.line(chart.title), 62)
    height = _HEIGHT + _LINE * len(title)
    figure = Figure(figsize=(_WIDTH, height))
    figure.set_facecolor("none" if theme is Theme.PAGE else p.ground)
    chart.draw(figure, p)
    for ax, (x, y, w, h) in zip(figure.axes, _places(chart), strict=True):
        ax.set_position((x, y * _HEIGHT / height, w, h * _HEIGHT / height))
    if title:
        figure.suptitle(
            "\n".join(title),
            x=0.01,
            y=1.0 - 0.05 / height,
            ha="left",
            fontsize=9,
            color=p.text,
            fontweight="bold",
        )
    return figure


@contextmanager
def _settings() -> Iterator[None]:
    # A name in letters the font lacks, or too wide, is drawn as well as it goes.
    with mpl.rc_context(), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        mpl.rcParams["svg.hashsalt"] = "seatrial"
        mpl.rcParams["svg.fonttype"] = "none"
        mpl.rcParams["font.family"] = ["DejaVu Sans"]
        mpl.rcParams["hatch.linewidth"] = 0.5
        # Names of tokens are text; a dollar sign in them starts no formula.
        mpl.rcParams["text.parse_math"] = False
        yield


def to_png(chart: Chart, theme: Theme, *, dpi: int = 200) -> bytes:
    """Draw as PNG on an opaque ground."""
    buffer = io.BytesIO()
    with _settings():
        _figure(chart, theme).savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    return buffer.getvalue()


def page_svg(chart: Chart) -> str:
    """Draw as SVG whose colours are placeholders for `to_svg` and `to_inline_svg`."""
    buffer = io.StringIO()
    with _settings():
        _figure(chart, Theme.PAGE).savefig(
            buffer, format="svg", metadata={"Date": None, "Creator": "seatrial"}
        )
    return buffer.getvalue()


def to_svg(drawn: str, theme: Theme) -> str:
    """Make a standalone document of what `page_svg` drew, on an opaque ground."""
    p = _PALETTES[theme]
    page = _PALETTES[Theme.PAGE]
    colours = zip(
        (*page.lines, page.text, page.grid, page.ground),
        (*p.lines, p.text, p.grid, p.ground),
        strict=True,
    )
    for placeholder, colour in colours:
        drawn = drawn.replace(placeholder, colour)
    ground = f'<rect width="100%" height="100%" fill="{p.ground}"/>'
    start = drawn.index(">", drawn.index("<svg")) + 1
    return drawn[:start] + ground + drawn[start:]


_ID = re.compile(r'(\bid="|href="#|url\(#)([^")]+)')


def to_inline_svg(drawn: str, alt: str, prefix: str) -> str:
    """Make an element for a page that defines the colour variables of what `page_svg` drew.

    `prefix` keeps ids apart from those of other charts on the page.
    """
    text = drawn[drawn.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.S)
    text = re.sub(r'<svg [^>]*?viewBox="([^"]*)"[^>]*>', r'<svg viewBox="\1">', text, count=1)
    text = _ID.sub(lambda m: f"{m.group(1)}{prefix}-{m.group(2)}", text)
    for placeholder, variable in _VARIABLES.items():
        text = text.replace(placeholder, variable)
    text = text.replace("'DejaVu Sans'", "system-ui, 'DejaVu Sans', sans-serif")
    return text.replace("<svg ", f'<svg role="img" aria-label="{escape(alt, quote=True)}" ', 1)
