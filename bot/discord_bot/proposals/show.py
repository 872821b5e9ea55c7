"""Shows evaluations: the report's files, its assumptions, today beside after, two side by side."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
from collections.abc import Iterable
from typing import Any

import discord

from bot.discord_bot.desk import Desk, Links, Refusal
from bot.discord_bot.words import limited, report_basis, spoken
from evaluator import ReportModel, comparison_table, to_html, written

FILE_LIMIT = 8 << 20  # bytes; Discord takes 10 MiB
EMBED_LIMIT = 5_500  # characters of all parts, of the 6000 allowed
FIELDS = 25
COLOUR = 0x2F5D8A

Interaction = discord.Interaction[Any]


def link_words(links: Links) -> str:
    """Return where the report is published, "" for nowhere."""
    words = []
    if links.forum:
        words.append(f"[forum](<{links.forum}>)")
    if links.thread:
        words.append(f"<#{links.thread}>")
    return " · ".join(words)


def fields_within(
    rows: Iterable[tuple[str, str]], *, value_limit: int = 1000
) -> tuple[list[tuple[str, str]], int]:
    """Return the rows that fit one embed, escaped, and how many do not fit."""
    kept: list[tuple[str, str]] = []
    size = left_out = 0
    for name, value in rows:
        said = (spoken(name, 200) or "–", limited(value, value_limit) or "–")
        size += len(said[0]) + len(said[1])
        if len(kept) < FIELDS and size <= EMBED_LIMIT:
            kept.append(said)
        else:
            left_out += 1
    return kept, left_out


def table_embed(title: str, rows: Iterable[tuple[str, str]], *, footer: str) -> discord.Embed:
    """Return rows as an embed; what does not fit is counted in the footer."""
    kept, left_out = fields_within(rows)
    embed = discord.Embed(title=spoken(title, 250), color=COLOUR)
    for name, value in kept:
        embed.add_field(name=name, value=value, inline=False)
    more = f" · {left_out} more in the full report" if left_out else ""
    embed.set_footer(text=limited(footer + more, 400))
    return embed


def report_files(stem: str, report: str) -> list[discord.File]:
    """Return the report as a page and as JSON; drawing takes seconds, call it in a thread."""
    page = to_html(ReportModel.model_validate_json(report)).encode()
    files = []
    for name, body in ((f"{stem}.html", page), (f"{stem}.json", report.encode())):
        packed = len(body) > FILE_LIMIT
        content = gzip.compress(body) if packed else body
        if len(content) <= FILE_LIMIT:
            files.append(discord.File(io.BytesIO(content), f"{name}.gz" if packed else name))
    return files


async def send_report(desk: Desk, interaction: Interaction, number: int) -> None:
    """Send the full report's files and links to the user alone."""
    evaluation = desk.evaluation(str(number))
    await interaction.response.defer(ephemeral=True, thinking=True)
    report = desk.deck.hold.store.text(evaluation.id, "report")
    files = await asyncio.to_thread(report_files, f"seatrial-{evaluation.digest[:16]}", report)
    published = link_words(desk.links(evaluation.proposal_id, interaction.channel_id))
    said = f"The full report of evaluation {evaluation.id}: {report_basis(report)}."
    if published:
        said += f"\nPublished: {published}"
    await interaction.followup.send(said, files=files, ephemeral=True)


async def send_assumptions(desk: Desk, interaction: Interaction, number: int) -> None:
    """Show the assumptions behind an evaluation to the user alone."""
    evaluation = desk.evaluation(str(number))
    report = desk.deck.hold.store.text(evaluation.id, "report")
    found = json.loads(report).get("assumptions") or []
    if not found:
        raise Refusal("This report states no assumptions: its odds were not computed.")
    rows = [(str(one["name"]), spoken(_assumption(one), 300)) for one in found]
    embed = table_embed(
        f"Assumptions of evaluation {evaluation.id}", rows, footer=report_basis(report)
    )
    await interaction.response.send_message(embed=embed, ephemeral=True)


def _assumption(one: dict[str, Any]) -> str:
    rest = [str(value) for key, value in one.items() if key not in ("name", "value") and value]
    return f"{one['value']}" + (f" ({'; '.join(rest)})" if rest else "")


def baseline_rows(report: str) -> list[tuple[str, str]]:
    """Return every metric today and after, on the same paths; loads the report room."""
    model = ReportModel.model_validate_json(report)
    rows = []
    for market in model.markets:
        for odds in market.odds or ():
            lines = [
                f"today {written(odds.today)}",
                f"after, same borrowers {written(odds.after_static)}",
            ]
            if odds.after_responding is not None:
                lines.append(f"after, borrowers use the room {written(odds.after_responding)}")
            lines.append(f"paired difference {written(odds.difference, signed=True)}")
            where = f"{market.name}: " if len(model.markets) > 1 else ""
            name = f"{where}{odds.label}"
            rows.append((odds.headline, name, "\n".join(spoken(line, 200) for line in lines)))
    # What people read first is shown first, should not all fit.
    rows.sort(key=lambda row: not row[0])
    return [(name, value) for _, name, value in rows]


async def send_baseline(desk: Desk, interaction: Interaction, number: int) -> None:
    """Show the state today beside the one after, to the user alone."""
    evaluation = desk.evaluation(str(number))
    await interaction.response.defer(ephemeral=True, thinking=True)
    report = desk.deck.hold.store.text(evaluation.id, "report")
    rows = await asyncio.to_thread(baseline_rows, report)
    if not rows:
        raise Refusal("This report has no odds to compare: the battery was not run.")
    embed = table_embed(
        f"Evaluation {evaluation.id}: today and after", rows, footer=report_basis(report)
    )
    await interaction.followup.send(embed=embed, ephemeral=True)


def comparison_rows(first: str, second: str) -> list[tuple[str, str]]:
    """Return two JSON reports row by row; loads the report room."""
    table = comparison_table(
        ReportModel.model_validate_json(first), ReportModel.model_validate_json(second)
    )
    return [
        (str(row[0]), f"1. {spoken(str(row[1]), 400)}\n2. {spoken(str(row[2]), 400)}")
        for row in table.rows
    ]


async def send_comparison(desk: Desk, interaction: Interaction, first: int, second: int) -> None:
    """Show two evaluations side by side."""
    await interaction.response.defer(thinking=True)
    store = desk.deck.hold.store
    reports = [store.text(number, "report") for number in (first, second)]
    rows = await asyncio.to_thread(comparison_rows, *reports)
    bases = " · ".join(
        f"{number}. {report_basis(report)}" for number, report in enumerate(reports, start=1)
    )
    embed = table_embed(f"Evaluations {first} and {second}", rows, footer=bases)
    await interaction.followup.send(embed=embed)
