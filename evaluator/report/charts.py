"""Charts of a report: what they show, in words, as a table, and drawn by Matplotlib.

Colours are Okabe and Ito's (safe for colour-blind readers), lines differ in
dash as well, and every chart carries its numbers and an alternative text.
Drawing is deterministic: the same report gives the same bytes.
"""

from __future__ import annotations

import io
import re
import textwrap
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from html import escape
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from evaluator.report import inert
from evaluator.report.model import ReportModel
from evaluator.report.odds import Curves, Fan, LiquidationMap, MarketSection, Sensitivity
from evaluator.verdict import figures

TODAY, AFTER, RESPONDING = "today", "after, same borrowers", "after, borrowers use the room"
_DASHES = ("-", (0, (5, 1.6)), (0, (1.2, 1.2)))
_WIDTH, _HEIGHT = 4.8, 3.0  # inches; small, so that text stays readable at phone width
_LINE = 0.17  # inches that a line of the title adds
_TABLE_ROWS = 12
_LABEL = 30  # characters of a name in a legend


class Theme(StrEnum):
    """What the chart lies on."""

    LIGHT = "light"
    DARK = "dark"
    PAGE = "page"  # inline SVG that takes its colours from the page's style sheet


@dataclass(frozen=True, kw_only=True, slots=True)
class _Palette:
    lines: tuple[str, str, str]  # today, after, responding
    text: str
    grid: str
    ground: str


_PALETTES = {
    Theme.LIGHT: _Palette(
        lines=("#0072b2", "#b84a00", "#007a5a"), text="#1f2328", grid="#d0d7de", ground="#ffffff"
    ),
    Theme.DARK: _Palette(
        lines=("#56b4e9", "#ff9a52", "#3ddba9"), text="#e6e8eb", grid="#4a4e57", ground="#1e1f22"
    ),
    # Sentinels that `to_svg` turns into the page's variables.
    Theme.PAGE: _Palette(
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
    draw: Callable[[Figure, _Palette], None]


def _thinned(n: int) -> list[int]:
    if n <= _TABLE_ROWS:
        return list(range(n))
    return sorted({round(i * (n - 1) / (_TABLE_ROWS - 1)) for i in range(_TABLE_ROWS)})


def _table(
    curves: Curves, axis: str, at: figures.Writer, of: figures.Writer
) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    def cell(value: Sequence[float], low: Sequence[float], high: Sequence[float], i: int) -> str:
        return of(value[i]) + (f" ({of(low[i])} to {of(high[i])})" if low and high else "")

    return (axis, *(s.name for s in curves.series)), tuple(
        (at(curves.x[i]), *(cell(s.value, s.lower, s.upper, i) for s in curves.series))
        for i in _thinned(len(curves.x))
    )


def _days(seconds: float) -> str:
    return f"{figures.number(seconds / 86400.0)} d"


def _fine_share(x: float) -> str:
    """Write a probability near 1 without rounding it to 1."""
    return f"{100.0 * x:.4f}".rstrip("0").rstrip(".") + "%"


def _dress(ax: Axes, p: _Palette) -> None:
    ax.set_facecolor("none")
    ax.grid(visible=True, color=p.grid, linewidth=0.6)
    ax.set_axisbelow(True)
    ax.tick_params(colors=p.text, labelsize=9, length=3, color=p.grid)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        ax.spines[side].set_color(p.grid)
    ax.xaxis.label.set_color(p.text)
    ax.yaxis.label.set_color(p.text)
    ax.xaxis.label.set_fontsize(9.5)
    ax.yaxis.label.set_fontsize(9.5)


def _legend(ax: Axes, p: _Palette, rows: int) -> None:
    ax.legend(
        loc="lower left",
        bbox_to_anchor=(-0.02, 1.0),
        frameon=False,
        fontsize=9,
        labelcolor=p.text,
        ncols=2 if rows > 1 else 1,
        handlelength=2.2,
        columnspacing=1.2,
        borderaxespad=0.2,
    )


def _lines(ax: Axes, p: _Palette, curves: Curves, scale: float, style: str) -> None:
    x = [v * scale for v in curves.x]
    for k, s in enumerate(curves.series[:3]):
        colour = p.lines[k]
        label = inert.line(s.name, _LABEL)
        extra: dict[str, Any] = {"drawstyle": "steps-post"} if style == "steps" else {}
        ax.plot(
            x,
            s.value,
            color=colour,
            linestyle=_DASHES[k],
            linewidth=1.7,
            label=label,
            **extra,
        )
        if s.lower and s.upper:
            step: Any = "post" if style == "steps" else None
            ax.fill_between(x, s.lower, s.upper, color=colour, alpha=0.16, linewidth=0, step=step)


def _survival(market: MarketSection, curves: Curves) -> Chart:
    def draw(figure: Figure, p: _Palette) -> None:
        ax = figure.subplots()
        _lines(ax, p, curves, 1 / 86400.0, "steps")
        ax.set_xlabel("days after execution")
        ax.set_ylabel("chance of survival")
        ax.yaxis.set_major_formatter(FuncFormatter(lambda y, _: _fine_share(y)))
        ax.set_xlim(0, curves.x[-1] / 86400.0)
        lowest = min(min(s.lower or s.value) for s in curves.series)
        ax.set_ylim(min(lowest - 0.05 * (1.0 - lowest), 0.999), 1.0)
        _dress(ax, p)
        _legend(ax, p, len(curves.series))

    ends = ", ".join(f"{s.name} {_fine_share(s.value[-1])}" for s in curves.series)
    columns, rows = _table(curves, "after execution", _days, _fine_share)
    return Chart(
        name="survival",
        title=f"Survival of {market.name}: chance of no insolvency event up to a time",
        alt=f"Survival curves of {market.name}. After {_days(curves.x[-1])}: {ends}.",
        columns=columns,
        rows=rows,
        draw=draw,
    )


def _exceedance(market: MarketSection, curves: Curves) -> Chart:
    def draw(figure: Figure, p: _Palette) -> None:
        ax = figure.subplots()
        _lines(ax, p, curves, 1.0, "plain")
        ax.set_xscale("log")
        if any(v > 0 for s in curves.series for v in s.value):
            ax.set_yscale("log")
        ax.set_xlabel("new bad debt, USD")
        ax.set_ylabel("chance of more")
        ax.xaxis.set_major_formatter(FuncFormatter(lambda v, _: figures.money(v)))
        ax.yaxis.set_major_formatter(FuncFormatter(lambda v, _: figures.share(v)))
        ax.minorticks_off()
        _dress(ax, p)
        _legend(ax, p, len(curves.series))

    columns, rows = _table(curves, "bad debt above, USD", figures.money, figures.share)
    middle = len(curves.x) // 2
    at = ", ".join(f"{s.name} {figures.share(s.value[middle])}" for s in curves.series)
    return Chart(
        name="loss_exceedance",
        title=f"Loss exceedance of {market.name}: chance of more bad debt than an amount",
        alt=f"Loss exceedance curves of {market.name}. More than "
        f"{figures.money(curves.x[middle])} USD: {at}.",
        columns=columns,
        rows=rows,
        draw=draw,
    )


def _fan(market: MarketSection, fan: Fan) -> Chart:
    def draw(figure: Figure, p: _Palette) -> None:
        series = fan.series[:3]
        axes = figure.subplots(1, len(series), sharey=True, squeeze=False)[0]
        x = [t / 86400.0 for t in fan.time]
        for k, (ax, s) in enumerate(zip(axes, series, strict=True)):
            floor: Sequence[float] = [0.0] * len(x)
            for j, q in enumerate(s.quantiles):
                shade = 0.55 - 0.4 * j / max(1, len(s.quantiles) - 1)
                ax.fill_between(x, floor, q, color=p.lines[k], alpha=shade, linewidth=0)
                ax.plot(x, q, color=p.lines[k], linewidth=0.8)
                floor = q
            ax.set_title(inert.line(s.name, _LABEL).replace(", ", ",\n"), fontsize=9, color=p.text)
            ax.set_xlabel("days")
            ax.yaxis.set_major_formatter(FuncFormatter(lambda v, _: figures.money(v)))
            ax.set_xlim(0, x[-1])
            _dress(ax, p)
        axes[0].set_ylim(bottom=0)
        axes[0].set_ylabel("bad debt, USD")

    names = [figures.share(level, 4) for level in fan.levels]
    columns = ("after execution", *(f"{s.name}, {n}" for s in fan.series for n in names))
    rows = tuple(
        (_days(fan.time[i]), *(figures.money(q[i]) for s in fan.series for q in s.quantiles))
        for i in _thinned(len(fan.time))
    )
    last = ", ".join(f"{s.name} {figures.money(s.quantiles[-1][-1])} USD" for s in fan.series)
    return Chart(
        name="fan",
        title=f"Bad debt of {market.name} over time: quantiles across paths"
        + ("" if fan.samples is None else f" ({fan.samples:,} of them)"),
        alt=f"Fans of bad debt over time at the quantiles {', '.join(names)}. At the end the "
        f"highest quantile stands at: {last}.",
        columns=columns,
        rows=rows,
        draw=draw,
    )


def _liquidation_map(market: MarketSection, one: LiquidationMap) -> Chart:
    asset = inert.line(one.asset, 24)

    def draw(figure: Figure, p: _Palette) -> None:
        ax = figure.subplots()
        _lines(ax, p, one.curves, -100.0, "steps")
        ax.set_xlabel(f"price of {asset} against today")
        ax.set_ylabel("liquidatable debt, USD")
        ax.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:.0f}%"))
        ax.yaxis.set_major_formatter(FuncFormatter(lambda v, _: figures.money(v)))
        ax.invert_xaxis()
        ax.set_ylim(bottom=0)
        _dress(ax, p)
        _legend(ax, p, len(one.curves.series))

    columns, rows = _table(
        one.curves, f"{asset} falls by", lambda v: figures.share(v), figures.money
    )
    middle = min(range(len(one.curves.x)), key=lambda i: abs(one.curves.x[i] - 0.3))
    at = ", ".join(f"{s.name} {figures.money(s.value[middle])} USD" for s in one.curves.series)
    slug = re.sub(r"[^A-Za-z0-9]+", "_", asset).strip("_") or "asset"
    return Chart(
        name=f"liquidation_map_{slug}",
        title=f"What a fall of {asset} makes liquidatable on {market.name}",
        alt=f"Debt that becomes liquidatable as {asset} falls, all else equal. At a fall of "
        f"{figures.share(one.curves.x[middle])}: {at}.",
        columns=columns,
        rows=rows,
        draw=draw,
    )


def _index(value: float | None, error: float | None) -> str:
    if value is None:
        return figures.NONE
    return f"{value:.2f}" if error is None else f"{value:.2f} ± {error:.2f}"


def _tornado(market: MarketSection, one: Sensitivity) -> Chart:
    write = figures.share if one.unit == "fraction" else figures.money
    rows = one.rows[:10]

    def draw(figure: Figure, p: _Palette) -> None:
        ax = figure.subplots()
        for k, row in enumerate(rows):
            y = len(rows) - 1 - k
            for end, colour, hatch in ((row.low, p.lines[0], ""), (row.high, p.lines[1], "////")):
                ax.barh(
                    y,
                    end - one.base,
                    left=one.base,
                    height=0.62,
                    color=colour,
                    hatch=hatch,
                    edgecolor=p.ground,
                    linewidth=0.4,
                )
        ax.axvline(one.base, color=p.text, linewidth=1)
        ax.set_yticks(range(len(rows)), [inert.line(r.name, 28) for r in reversed(rows)])
        ax.set_xlabel(f"{inert.line(one.metric, 60)}")
        ax.xaxis.set_major_formatter(FuncFormatter(lambda v, _: write(v)))
        _dress(ax, p)
        ax.grid(visible=False, axis="y")

    first = rows[0] if rows else None
    most = (
        f" Most of it comes from {inert.line(first.name, 60)}: {write(first.low)} to "
        f"{write(first.high)}."
        if first
        else ""
    )
    return Chart(
        name="sensitivity",
        title=f"What drives the result on {market.name}",
        alt=f"Tornado chart of {inert.line(one.metric, 60)}, {write(one.base)} as it stands."
        + most,
        columns=(
            "assumption",
            "low setting",
            "high setting",
            "at low",
            "at high",
            "first-order Sobol index",
            "total Sobol index",
        ),
        rows=tuple(
            (
                r.name,
                r.low_setting,
                r.high_setting,
                write(r.low),
                write(r.high),
                _index(r.first_order, r.first_order_error),
                _index(r.total, r.total_error),
            )
            for r in one.rows
        ),
        draw=draw,
    )


def market_charts(market: MarketSection) -> tuple[Chart, ...]:
    """Return the charts of what was computed for one market, in reading order."""
    charts: list[Chart] = []
    if market.survival is not None:
        charts.append(_survival(market, market.survival))
    if market.loss_exceedance is not None:
        charts.append(_exceedance(market, market.loss_exceedance))
    if market.fan is not None:
        charts.append(_fan(market, market.fan))
    charts += [_liquidation_map(market, m) for m in market.liquidation_maps or ()]
    if market.sensitivity is not None:
        charts.append(_tornado(market, market.sensitivity))
    return tuple(charts)


def report_charts(report: ReportModel) -> tuple[tuple[str, Chart], ...]:
    """Return every chart with a file name that is unique in the report."""
    return tuple(
        (chart.name if k == 0 else f"market{k + 1}_{chart.name}", chart)
        for k, market in enumerate(report.markets)
        for chart in market_charts(market)
    )


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
