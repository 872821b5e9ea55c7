"""The folded sections about one market."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from evaluator.report import charts, odds_sections
from evaluator.report.drawing import Chart
from evaluator.report.odds import MarketSection
from evaluator.report.outline import (
    Block,
    Mono,
    Picture,
    Section,
    Strong,
    Table,
    Words,
)
from evaluator.report.screen import hurt_sentence
from evaluator.verdict import figures


def _hurt(market: MarketSection) -> Iterator[Section]:
    hurt = market.hurt
    if hurt is None or not hurt.rows:
        return
    yield Section(
        slug="hurt",
        title="Who is hurt at execution",
        summary=hurt_sentence(market),
        blocks=(
            Table(
                columns=(
                    "account",
                    "health factor before",
                    "after",
                    "collateral, USD",
                    "debt, USD",
                ),
                rows=tuple(
                    (
                        Mono(r.account),
                        figures.number(r.health_factor_before, 5),
                        figures.number(r.health_factor_after, 5),
                        figures.money(r.collateral_usd),
                        figures.money(r.debt_usd),
                    )
                    for r in hurt.rows
                ),
                left_out=hurt.users - len(hurt.rows),
            ),
        ),
    )


_CHART_TITLES = {
    "survival": "Survival curves",
    "loss_exceedance": "Loss exceedance",
    "fan": "Bad debt over time",
    "sensitivity": "What drives the result",
}


def _charts(market: MarketSection, prefix: str) -> Iterator[Section]:
    drawn = charts.market_charts(market)
    maps = tuple(c for c in drawn if c.name.startswith("liquidation_map"))
    for chart in drawn:
        if chart not in maps:
            yield Section(
                slug=chart.name,
                title=_CHART_TITLES[chart.name],
                summary="chart and table",
                blocks=(*_pictures((chart,), prefix), *_remarks(market, chart.name)),
            )
        elif chart is maps[0]:
            yield Section(
                slug="liquidation_map",
                title="Liquidation map before and after",
                summary=figures.counted(len(maps), "asset"),
                blocks=_pictures(maps, prefix),
            )


def _remarks(market: MarketSection, chart: str) -> Iterator[Block]:
    one = market.sensitivity
    if chart == "sensitivity" and one is not None and one.samples is not None:
        yield Words(
            text=f"Over {figures.duration(one.horizon or 0.0)}, {one.samples:,} paths, the same "
            f"for each of {one.evaluations or 0:,} sets of assumptions. A first-order Sobol index "
            "is the share of the variance that an assumption explains alone, a total one the "
            f"share it has a part in, over the ranges shown; ± the {figures.share(one.level or 0)} "
            "interval. The bars move one assumption with all else as it stands."
        )


def _pictures(drawn: Iterable[Chart], prefix: str) -> tuple[Block, ...]:
    blocks: list[Block] = []
    for chart in drawn:
        blocks.append(Picture(name=prefix + chart.name, chart=chart))
        blocks.append(Table(columns=chart.columns, rows=chart.rows))
    return tuple(blocks)


def _safe_values(market: MarketSection) -> Iterator[Section]:
    if not market.safe_values:
        return
    yield Section(
        slug="safe_values",
        title="Values that keep today's odds",
        summary=figures.counted(len(market.safe_values), "parameter"),
        blocks=(
            Table(
                columns=(
                    "parameter",
                    "today",
                    "proposed",
                    "furthest that keeps the odds",
                    "beyond",
                ),
                rows=tuple(
                    (
                        r.label,
                        figures.setting(r.today, r.unit),
                        figures.setting(r.proposed, r.unit),
                        f"{figures.setting(r.safe, r.unit)} "
                        f"({figures.share(r.confidence)} confidence)",
                        Strong("beyond") if r.beyond else "within",
                    )
                    for r in market.safe_values
                ),
            ),
        ),
    )


def _plausible(market: MarketSection) -> Iterator[Section]:
    if market.plausible_loss:
        yield Section(
            slug="plausible_loss",
            title="The most plausible way to a large loss",
            summary="in words",
            blocks=(Words(text=market.plausible_loss),),
        )


def _toxic(market: MarketSection) -> Iterator[Section]:
    if not market.toxic:
        return
    yield Section(
        slug="toxic",
        title="Room before liquidations do harm",
        summary=figures.counted(len(market.toxic), "collateral"),
        blocks=(
            Table(
                columns=("collateral", "toxic LTV", "fall left today", "fall left after"),
                rows=tuple(
                    (
                        r.asset,
                        figures.share(r.toxic),
                        figures.share(r.today),
                        figures.share(r.after),
                    )
                    for r in market.toxic
                ),
            ),
            Words(
                text="Above the toxic LTV, 1 / (1 + bonus), a liquidation raises the LTV of who "
                "is liquidated. The fall is that of the price from the liquidation threshold to "
                "there; no sampling."
            ),
        ),
    )


def _holding(market: MarketSection) -> Iterator[Section]:
    if not market.holding:
        return
    first = market.holding[0]
    yield Section(
        slug="holding",
        title="What it costs to hold a price",
        summary=figures.counted(len(market.holding), "price"),
        blocks=(
            Table(
                columns=(
                    "asset",
                    "held at",
                    "lost in getting there, USD",
                    "lost in holding, USD",
                    "at hand, USD",
                    "depth",
                ),
                rows=tuple(
                    (
                        r.asset,
                        f"×{figures.number(r.factor)}",
                        figures.money(r.opening),
                        figures.money(r.holding),
                        figures.money(r.capital),
                        "measured" if r.measured else Strong("assumed"),
                    )
                    for r in market.holding
                ),
            ),
            Words(
                text=f"Held for {figures.duration(first.seconds)} against arbitrageurs, on the "
                "depth before execution, tokens valued at the undisturbed price; no sampling."
            ),
        ),
    )


def _conformance(market: MarketSection) -> Iterator[Section]:
    c = market.conformance
    if c is None:
        return
    yield Section(
        slug="conformance",
        title="The model against the real contracts",
        summary=f"largest difference {figures.share(c.largest_error)}",
        blocks=(
            Table(
                columns=("quantity", "compared", "largest relative difference"),
                rows=tuple(
                    (r.quantity, f"{r.compared:,}", figures.share(r.largest_error)) for r in c.rows
                ),
            ),
            Words(
                text="No path was replayed with real transactions; the protocol's own views were "
                "compared."
                if c.paths is None
                else f"{figures.counted(c.paths, 'path')} replayed with real transactions against "
                "the real bytecode, the worst among them."
            ),
        ),
    )


def _calibration(market: MarketSection) -> Iterator[Section]:
    if not market.calibration:
        return
    yield Section(
        slug="calibration",
        title="Calibration",
        summary=figures.counted(len(market.calibration), "asset"),
        blocks=(
            Table(
                columns=(
                    "asset",
                    "process",
                    "days",
                    "prices",
                    "source",
                    "volatility a year",
                    "share of the book",
                    "history",
                ),
                rows=tuple(
                    (
                        c.asset,
                        c.process,
                        figures.number(c.days),
                        f"{c.observations:,}",
                        c.source,
                        figures.NONE if c.volatility is None else figures.share(c.volatility),
                        figures.share(c.share_of_book),
                        Strong("thin") if c.thin else "enough",
                    )
                    for c in market.calibration
                ),
            ),
        ),
    )


def market_sections(market: MarketSection, prefix: str, of: str) -> Iterator[Section]:
    """Yield what was computed for one market; `prefix` keeps anchors unique, `of` titles."""
    for section in (
        *_hurt(market),
        *odds_sections.odds(market),
        *odds_sections.assets(market),
        *odds_sections.first_passage(market),
        *odds_sections.scenarios(market),
        *_charts(market, prefix),
        *_plausible(market),
        *odds_sections.rare(market),
        *_safe_values(market),
        *odds_sections.greeks(market),
        *_toxic(market),
        *_holding(market),
        *_conformance(market),
        *_calibration(market),
    ):
        yield Section(
            slug=prefix + section.slug,
            title=section.title + of,
            summary=section.summary,
            blocks=section.blocks,
        )
