"""A scorecard in words: a sentence, and Markdown for the forum."""

from __future__ import annotations

import dataclasses
import json

from evaluator.evaluation.scorecard import (
    Agreement,
    MarketScore,
    ParameterScore,
    PriceScore,
    Scorecard,
)
from evaluator.report import inert
from evaluator.report.model import ParameterRow
from evaluator.report.part import Part
from evaluator.verdict import figures

MOST_ROWS = 40  # of a table


def scorecard_verdict(scorecard: Scorecard) -> str:
    """Return the scorecard's word: whether the parameters read as predicted."""
    if scorecard.unread and not scorecard.markets:
        return "UNREAD"
    return "AS PREDICTED" if scorecard.parameters_agree else "NOT AS PREDICTED"


def scorecard_sentence(scorecard: Scorecard) -> str:
    """Return the scorecard as a sentence or two."""
    right = sum(p.agreement is Agreement.AS_PREDICTED for p in scorecard.parameters)
    count = len(scorecard.parameters)
    said = (
        "no risk parameter was predicted to change and none did"
        if count == 0
        else f"{right} of {count} parameter change{'' if count == 1 else 's'} came as predicted"
    )
    hurt = sum(m.hurt_realised for m in scorecard.markets)
    foreseen = sum(m.hurt_predicted for m in scorecard.markets)
    gone = sum(m.hurt_liquidated for m in scorecard.markets)
    people = (
        f"{foreseen:,} user{'' if foreseen == 1 else 's'} predicted to become liquidatable, "
        f"{hurt:,} did, {gone:,} of them liquidated since"
    )
    return f"{said}; {people}"


def scorecard_markdown(scorecard: Scorecard) -> str:
    """Render for a forum reply."""
    lines = [
        f"## Scorecard: {inert.prose(scorecard_sentence(scorecard), 600)}",
        "",
        f"The execution in block {scorecard.executed_block:,}, compared with the report "
        f"{inert.code(scorecard.digest[:16] or 'without digest')} and the chain "
        f"{_time(scorecard.seconds)} later, at block {scorecard.looked_block:,}.",
        "",
    ]
    if scorecard.parameters:
        lines += ["| parameter | before | predicted | realised | |", "|---|---|---|---|---|"]
        lines += [_parameter(p) for p in scorecard.parameters[:MOST_ROWS]]
        left = len(scorecard.parameters) - MOST_ROWS
        lines += [f"\n… and {left:,} more.", ""] if left > 0 else [""]
    for market in scorecard.markets:
        lines += _market(market)
    for reason in scorecard.unread:
        lines += [f"**Not read:** {inert.prose(reason, 400)}", ""]
    return "\n".join(lines).strip()


def _parameter(score: ParameterScore) -> str:
    row = score.realised or score.predicted
    assert row is not None
    name = f"{row.asset} {row.label}".strip()
    before = figures.setting(row.before, row.unit)
    mark = "" if score.agreement is Agreement.AS_PREDICTED else f"**{score.agreement.value}**"
    cells = [
        inert.prose(name, 120),
        inert.prose(before, 80),
        _setting(score.predicted),
        _setting(score.realised),
        mark,
    ]
    return f"| {' | '.join(cells)} |"


def _setting(row: ParameterRow | None) -> str:
    return figures.NONE if row is None else inert.prose(figures.setting(row.after, row.unit), 80)


def _market(market: MarketScore) -> list[str]:
    growth = market.bad_debt_now - market.bad_debt_before
    lines = [
        f"**{inert.prose(market.name, 100)}:** {market.hurt_predicted:,} predicted to become "
        f"liquidatable at execution, {market.hurt_realised:,} did; {market.hurt_liquidated:,} of "
        f"them and {market.liquidated:,} users in all were liquidated since. Bad debt "
        f"{figures.money(market.bad_debt_before)} USD before, {figures.money(market.bad_debt_now)} "
        f"USD now ({'+' if growth >= 0 else ''}{figures.money(growth)})"
        + (
            ""
            if market.shortfall_predicted is None or market.horizon is None
            else f"; the worst 1% of paths over {figures.duration(market.horizon)} had "
            f"{figures.money(market.shortfall_predicted)} on average"
        )
        + ".",
        "",
    ]
    if market.prices:
        lines += ["| price, USD | at execution | now | 95% range | |", "|---|---|---|---|---|"]
        lines += [_price(price) for price in market.prices[:MOST_ROWS]]
        lines += ["", "*Range: a calm diffusion of the calibrated volatility.*", ""]
    return lines


def _price(price: PriceScore) -> str:
    bounds = figures.NONE
    if price.lower is not None and price.upper is not None:
        bounds = f"{figures.number(price.lower, 5)}–{figures.number(price.upper, 5)}"
    mark = "**outside**" if price.inside is False else ""
    start, now = figures.number(price.at_execution, 5), figures.number(price.now, 5)
    return f"| {inert.prose(price.asset, 40)} | {start} | {now} | {bounds} | {mark} |"


def _time(seconds: float) -> str:
    if seconds >= 2 * 86_400:
        return f"{seconds / 86_400:.1f} days"
    if seconds >= 2 * 3_600:
        return f"{seconds / 3_600:.1f} hours"
    return f"{seconds / 60:.0f} minutes"


def scorecard_json(scorecard: Scorecard) -> str:
    """Render as JSON; rows of a report keep the report's own form."""

    def plain(value: object) -> object:
        if isinstance(value, Part):
            return value.model_dump(mode="json")
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
        if isinstance(value, tuple):
            return [plain(one) for one in value]
        return value

    return json.dumps({"scorecard_version": 1, "scorecard": plain(scorecard)}, indent=1) + "\n"
