"""The folded sections about one market's odds: what came of running the paths."""

from __future__ import annotations

from collections.abc import Iterator

from evaluator.report.odds import EstimateRow, MarketSection
from evaluator.report.outline import NOT_COMPUTED, Block, Section, Table, Words
from evaluator.report.screen import odds_table, written
from evaluator.verdict import figures


def odds(market: MarketSection) -> Iterator[Section]:
    """Yield every metric today and after, with the paired change."""
    if not market.odds:
        return
    blocks: list[Block] = [odds_table(market, market.odds, name_market=False)]
    if any(r.after_responding for r in market.odds):
        blocks.append(
            Table(
                columns=("paired change", "same borrowers", "borrowers use the room"),
                rows=tuple(
                    (
                        r.label,
                        written(r.difference, signed=True),
                        written(r.difference_responding, signed=True)
                        if r.difference_responding
                        else figures.NONE,
                    )
                    for r in market.odds
                ),
            )
        )
    level = figures.share(market.odds[0].today.level)
    yield Section(
        slug="odds",
        title="Odds in full",
        summary=figures.counted(len(market.odds), "metric"),
        blocks=(
            *blocks,
            Words(
                text=f"In brackets the {level} interval. Today and after run on the same paths, so "
                "that the paired change has a narrower interval than its parts."
            ),
        ),
    )


def _sample_of(row: EstimateRow, first: str = "") -> str:
    """Say what an estimate's numbers rest on."""
    return (
        f"{first}Over {figures.duration(row.horizon)}, {row.samples:,} paths; in brackets the "
        f"{figures.share(row.level)} interval."
    )


def assets(market: MarketSection) -> Iterator[Section]:
    """Yield the odds of each debt asset."""
    if not market.assets:
        return
    first = market.assets[0].rows[0].today
    yield Section(
        slug="assets",
        title="Odds by asset",
        summary=figures.counted(len(market.assets), "asset"),
        blocks=(
            Table(
                columns=(
                    "debt asset",
                    "USD",
                    "today",
                    "after, same borrowers",
                    "after, borrowers use the room",
                    "paired change, same borrowers",
                    "paired change, borrowers use the room",
                ),
                rows=tuple(
                    (
                        one.asset,
                        r.label,
                        written(r.today),
                        written(r.after_static),
                        written(r.after_responding) if r.after_responding else figures.NONE,
                        written(r.difference, signed=True),
                        written(r.difference_responding, signed=True)
                        if r.difference_responding
                        else figures.NONE,
                    )
                    for one in market.assets
                    for r in one.rows
                ),
            ),
            Words(text=_sample_of(first, "Bad debt that exists today is included. ")),
        ),
    )


def first_passage(market: MarketSection) -> Iterator[Section]:
    """Yield when the paths become insolvent."""
    rows = market.first_passage
    if not rows:
        return
    yield Section(
        slug="first_passage",
        title="Time to insolvency",
        summary=f"{sum(r.events for r in rows[:1]):,} of "
        f"{rows[0].events + rows[0].censored:,} paths today",
        blocks=(
            Table(
                columns=(
                    "parameters",
                    "paths that become insolvent",
                    "paths that reach the horizon without",
                    "median time of those that do",
                ),
                rows=tuple(
                    (
                        r.name,
                        f"{r.events:,}",
                        f"{r.censored:,}",
                        figures.NONE
                        if r.median is None
                        else f"{figures.duration(r.median.value)} "
                        f"({figures.duration(r.median.lower)} to "
                        f"{figures.duration(r.median.upper)})",
                    )
                    for r in rows
                ),
            ),
        ),
    )


def scenarios(market: MarketSection) -> Iterator[Section]:
    """Yield what the named scenarios do."""
    if not market.scenarios:
        return
    yield Section(
        slug="scenarios",
        title="Scenarios",
        summary=figures.counted(len(market.scenarios), "scenario"),
        blocks=(
            Table(
                columns=(
                    "scenario",
                    "what happens",
                    "chance of bad debt today",
                    "after",
                    "worst 1% of paths today, USD",
                    "after, USD",
                ),
                rows=tuple(
                    (
                        s.name,
                        s.what,
                        written(s.chance_today),
                        written(s.chance_after),
                        written(s.shortfall_today) if s.shortfall_today else NOT_COMPUTED,
                        written(s.shortfall_after) if s.shortfall_after else NOT_COMPUTED,
                    )
                    for s in market.scenarios
                ),
            ),
        ),
    )


def greeks(market: MarketSection) -> Iterator[Section]:
    """Yield the derivatives of expected bad debt."""
    if not market.greeks:
        return
    yield Section(
        slug="greeks",
        title="Greeks",
        summary=figures.counted(len(market.greeks), "derivative"),
        blocks=(
            Table(
                columns=("of expected bad debt", "to", "for", "today, USD", "after, USD"),
                rows=tuple(
                    (
                        g.name,
                        g.what,
                        g.per,
                        written(g.today, signed=True),
                        written(g.after, signed=True),
                    )
                    for g in market.greeks
                ),
            ),
            Words(text=_sample_of(market.greeks[0].today, "Same borrowers. ")),
        ),
    )


def rare(market: MarketSection) -> Iterator[Section]:
    """Yield the chances of losses too rare to be counted."""
    if not market.rare:
        return
    first = market.rare[0]
    yield Section(
        slug="rare",
        title="Losses too rare to be counted",
        summary=figures.counted(len(market.rare), "chance"),
        blocks=(
            Table(
                columns=("loss above, USD", "state", "chance", "relative error", "as plain paths"),
                rows=tuple(
                    (
                        figures.money(r.loss),
                        r.state,
                        "none seen"
                        if r.relative_error is None
                        else f"{r.chance.value:.2g} ({r.chance.lower:.2g} to {r.chance.upper:.2g})",
                        "" if r.relative_error is None else figures.share(r.relative_error, 2),
                        f"{r.effective:,.0f}",
                    )
                    for r in market.rare
                ),
            ),
            Words(
                text=f"By {first.method}: {first.chance.samples:,} paths of tilted laws for each "
                f"row, weighted back to the calibrated one, after a search; "
                f"{first.drawn:,} drawn in all for the first. Chances within "
                f"{figures.duration(first.chance.horizon)}, {figures.share(first.chance.level)} "
                "intervals. The last column is how many plain paths would tell as much."
            ),
        ),
    )
