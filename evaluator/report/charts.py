"""Charts of a report: what they show, in words, as a table, and in lines and bars.

Lines differ in dash as well as in colour, and every chart carries its numbers
and an alternative text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from evaluator.report import inert
from evaluator.report.drawing import Chart, Palette
from evaluator.report.model import ReportModel
from evaluator.report.odds import Curves, Fan, LiquidationMap, MarketSection, Sensitivity
from evaluator.verdict import figures

TODAY, AFTER, RESPONDING = "today", "after, same borrowers", "after, borrowers use the room"
_DASHES = ("-", (0, (5, 1.6)), (0, (1.2, 1.2)))
_TABLE_ROWS = 12
_LABEL = 30  # characters of a name in a legend


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


def _dress(ax: Axes, p: Palette) -> None:
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


def _legend(ax: Axes, p: Palette, rows: int) -> None:
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


def _lines(ax: Axes, p: Palette, curves: Curves, scale: float, style: str) -> None:
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
    def draw(figure: Figure, p: Palette) -> None:
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
    def draw(figure: Figure, p: Palette) -> None:
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
    def draw(figure: Figure, p: Palette) -> None:
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

    def draw(figure: Figure, p: Palette) -> None:
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

    def draw(figure: Figure, p: Palette) -> None:
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
