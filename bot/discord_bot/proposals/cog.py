"""/proposals, /report and /compare."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands
from discord.ext import commands

from bot.discord_bot.answering import choices_of
from bot.discord_bot.desk import Desk, Refusal
from bot.discord_bot.proposals.show import COLOUR, link_words, send_comparison
from bot.discord_bot.publishing.target import embeds_of
from bot.discord_bot.publishing.voice import charts_of
from bot.discord_bot.simulate.buttons import result_view
from bot.discord_bot.words import limited, report_basis, spoken
from bot.evaluations import Proposal
from bot.posts import moment

if TYPE_CHECKING:
    from bot.discord_bot.client import SeatrialClient

SHOWN = 10  # proposals in the list

Suggestions = list[app_commands.Choice[str]]
Interaction = discord.Interaction[Any]


def proposal_lines(desk: Desk, proposal: Proposal, channel: int | None) -> tuple[str, str]:
    """Return a proposal's name and what is known of it."""
    evaluation = desk.newest(proposal)
    lines = [f"{proposal.state} · created {moment(proposal.created_at)} UTC"]
    if evaluation is None:
        lines.append("not evaluated yet")
    else:
        report = desk.deck.hold.store.text(evaluation.id, "report")
        lines.append(f"**{spoken(evaluation.verdict, 20)}**: {spoken(evaluation.headline, 250)}")
        lines.append(f"-# {report_basis(report)}")
    published = link_words(desk.links(proposal.id, channel))
    if published:
        lines.append(published)
    return desk.name_of(proposal, 150), "\n".join(lines)


class ProposalsCog(commands.Cog):
    """What is known of the proposals followed."""

    def __init__(self, client: SeatrialClient) -> None:
        self._client = client

    @app_commands.command(description="The newest proposals and their verdicts")
    @app_commands.guild_only()
    async def proposals(self, interaction: Interaction) -> None:
        """List them."""
        desk = self._client.desk
        found = desk.deck.hold.store.proposals(limit=SHOWN)
        if not found:
            raise Refusal("No proposal was seen yet.")
        embed = discord.Embed(title="Proposals, newest first", color=COLOUR)
        size = 0
        for proposal in found:
            name, text = proposal_lines(desk, proposal, interaction.channel_id)
            size += len(name) + len(text)
            if size > 5_000:
                break
            embed.add_field(name=spoken(name, 200), value=limited(text, 1000), inline=False)
        await interaction.response.send_message(embed=embed)

    @app_commands.command(description="The newest report about a proposal")
    @app_commands.describe(proposal="A proposal that is followed here")
    @app_commands.guild_only()
    async def report(self, interaction: Interaction, proposal: str) -> None:
        """Show the embed, charts and buttons."""
        desk = self._client.desk
        found = desk.proposal(proposal)
        evaluation = desk.newest(found)
        if evaluation is None:
            raise Refusal("This proposal was not evaluated yet: /simulate does it.")
        await interaction.response.defer(thinking=True)
        store = desk.deck.hold.store
        charts = store.charts(evaluation.id)
        names = charts_of(charts)
        published = link_words(desk.links(found.id, interaction.channel_id))
        basis = report_basis(store.text(evaluation.id, "report"))
        await interaction.followup.send(
            f"Evaluation {evaluation.id}: {basis}." + (f" {published}" if published else ""),
            embeds=embeds_of(json.loads(store.text(evaluation.id, "embed")), names, reference=""),
            files=[discord.File(io.BytesIO(charts[name]), f"{name}.png") for name in names],
            view=result_view(evaluation.id),
        )

    @app_commands.command(description="Two evaluations side by side")
    @app_commands.describe(first="An evaluation", second="Another one")
    @app_commands.guild_only()
    async def compare(self, interaction: Interaction, first: str, second: str) -> None:
        """Show them row by row."""
        desk = self._client.desk
        one, other = desk.evaluation(first), desk.evaluation(second)
        await send_comparison(desk, interaction, one.id, other.id)

    @report.autocomplete("proposal")
    async def _proposals(self, _: Interaction, current: str) -> Suggestions:
        return choices_of(self._client.desk.suggestions.proposals(current))

    @compare.autocomplete("first")
    @compare.autocomplete("second")
    async def _evaluations(self, _: Interaction, current: str) -> Suggestions:
        return choices_of(self._client.desk.suggestions.evaluations(current))
