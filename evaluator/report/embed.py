"""The report as a Discord embed, within every limit of Discord's."""

from __future__ import annotations

from typing import TypedDict

from evaluator.report import inert
from evaluator.report.model import ReportModel
from evaluator.report.outline import FirstScreen, Remark
from evaluator.report.screen import adversary_sentence, change_row, first_screen, short_id, written
from evaluator.report.sections import not_computed
from evaluator.verdict import figures

TITLE_LIMIT = 90  # Discord allows 256; more wraps on a phone
DESCRIPTION_LIMIT = 600
VALUE_LIMIT = 300  # Discord allows 1024
FOOTER_LIMIT = 200
TOTAL_LIMIT = 6000
_CHANGES = 6

_COLOURS = {"PASS": 0x1A7F37, "CAUTION": 0xC77700, "FAIL": 0xB3261E, "INCONCLUSIVE": 0x6E7781}


class Field(TypedDict):
    """A field of an embed."""

    name: str
    value: str
    inline: bool


class Text(TypedDict):
    """A footer."""

    text: str


class Image(TypedDict):
    """An image by URL."""

    url: str


class Embed(TypedDict, total=False):
    """Discord's embed object, the keys used here."""

    title: str
    description: str
    color: int
    fields: list[Field]
    footer: Text
    image: Image


def _field(name: str, value: str, *, inline: bool) -> Field:
    return {
        "name": inert.discord(name, 60),
        "value": inert.discord(value, VALUE_LIMIT) or figures.NONE,
        "inline": inline,
    }


def _changes(report: ReportModel) -> str:
    if report.parameters is None:
        return "not computed"
    if not report.parameters:
        return "no risk parameter"
    rows = [change_row(p) for p in report.parameters]
    lines = [f"{r[0]} {r[1]} → {r[2]}" for r in rows[:_CHANGES]]
    if len(rows) > _CHANGES:
        lines.append(f"and {len(rows) - _CHANGES:,} more")
    return "; ".join(lines)


def _odds(report: ReportModel, name: str) -> str:
    parts = []
    for market in report.markets:
        for row in market.odds or ():
            if row.name == name:
                after = row.after_responding or row.after_static
                where = f"{market.name}: " if len(report.markets) > 1 else ""
                parts.append(f"{where}{written(row.today)} → {written(after)}")
    return "; ".join(parts) or "not computed"


def _title(report: ReportModel) -> str:
    number = report.proposal.proposal_id
    name = "draft" if number is None else short_id(number)
    return inert.discord(
        f"{report.headline.verdict}: {name} · {report.proposal.title}", TITLE_LIMIT
    )


def _footer(report: ReportModel, screen: FirstScreen) -> str:
    m = report.reproduce.manifest
    rows = next((market.odds for market in report.markets if market.odds), None)
    parts = [f"{m.chain_name}, block {m.block:,}"]
    if rows:
        over = figures.duration(rows[0].today.horizon)
        parts += [f"{rows[0].today.samples:,} paths", over]
    parts.append(f"digest {report.reproduce.digest[:16]}")
    if screen.label:
        parts.append(screen.label)
    return inert.limited(inert.line(" · ".join(parts)), FOOTER_LIMIT)


def to_embed(report: ReportModel, *, image: str | None = None) -> Embed:
    """Render as one embed; `image` is the URL or `attachment://` name of the survival chart.

    Send it with `allowed_mentions` none all the same.
    """
    screen = first_screen(report)
    fields = [
        _field("What changes", _changes(report), inline=True),
        _field("Chance of bad debt", _odds(report, "bad_debt_probability"), inline=True),
        _field("Worst 1% of paths, USD", _odds(report, "expected_shortfall_99"), inline=True),
    ]
    if screen.at_execution:
        fields.append(_field("At execution", screen.at_execution, inline=False))
    if any(not m.unchanged for m in report.markets):
        fields.append(_field("Adversary", adversary_sentence(report), inline=False))
    wanted: tuple[Remark, ...] = tuple(
        r
        for r in screen.remarks
        if r.about in ("A value that keeps today's odds", "Findings", "Not modelled")
    )
    fields += [_field(r.about, r.text, inline=False) for r in wanted]
    missing = not_computed(report)
    if missing:
        fields.append(_field("Not computed", "; ".join(missing), inline=False))
    embed: Embed = {
        "title": _title(report),
        "description": inert.discord(
            f"{inert.capital(screen.sentence)}. {inert.capital(screen.reason)}.", DESCRIPTION_LIMIT
        ),
        "color": _COLOURS[report.headline.verdict],
        "fields": fields,
        "footer": {"text": _footer(report, screen)},
    }
    if image is not None:
        embed["image"] = {"url": image}
    return embed


def embed_length(embed: Embed) -> int:
    """Count the characters Discord counts towards its limit of 6000."""
    return (
        len(embed["title"])
        + len(embed["description"])
        + len(embed["footer"]["text"])
        + sum(len(f["name"]) + len(f["value"]) for f in embed["fields"])
    )
