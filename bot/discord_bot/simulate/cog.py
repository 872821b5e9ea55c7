"""/simulate: evaluate a proposal, or a change somebody thinks about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands
from discord.ext import commands

from bot.discord_bot.answering import asker_of, choices_of
from bot.discord_bot.desk import FEWEST_PATHS, Wish

if TYPE_CHECKING:
    from bot.discord_bot.client import SeatrialClient

MOST_PATHS = 10_000_000  # Discord's form only; the settings decide
LARGEST_SEED = 2**53  # Discord's integers end here

Suggestions = list[app_commands.Choice[str]]
Interaction = discord.Interaction[Any]


class SimulateCog(commands.Cog):
    """The command and its suggestions."""

    def __init__(self, client: SeatrialClient) -> None:
        self._client = client

    @app_commands.command(description="Execute a proposal on a fork and stress what it leaves")
    @app_commands.describe(
        proposal="A proposal that is followed here",
        parameter="For a draft: the parameter to change",
        value="For a draft: its new value",
        governor="For a draft: whose parameter it is",
        scenario="The course of an event instead of calibrated prices",
        paths="How many price paths",
        seed="Of every random stream; the same seed gives the same figures",
    )
    @app_commands.guild_only()
    async def simulate(
        self,
        interaction: Interaction,
        proposal: str | None = None,
        parameter: str | None = None,
        value: str | None = None,
        governor: str | None = None,
        scenario: str | None = None,
        paths: app_commands.Range[int, FEWEST_PATHS, MOST_PATHS] | None = None,
        seed: app_commands.Range[int, 0, LARGEST_SEED] | None = None,
    ) -> None:
        """Queue the evaluation; its message then lives on by itself."""
        client = self._client
        asker = asker_of(interaction)
        client.may_simulate(asker)
        client.desk.must_not_wait(asker)
        order, found = client.desk.order(
            Wish(
                proposal=proposal,
                parameter=parameter,
                value=value,
                governor=governor,
                scenario=scenario,
                paths=paths,
                seed=seed,
            )
        )
        await client.begin(interaction, asker, order, None if found is None else found.id)

    @simulate.autocomplete("proposal")
    async def _proposals(self, _: Interaction, current: str) -> Suggestions:
        return choices_of(self._client.desk.suggestions.proposals(current))

    @simulate.autocomplete("parameter")
    async def _parameters(self, interaction: Interaction, current: str) -> Suggestions:
        governor = getattr(interaction.namespace, "governor", None)
        return choices_of(self._client.desk.suggestions.parameters(current, governor))

    @simulate.autocomplete("governor")
    async def _governors(self, _: Interaction, current: str) -> Suggestions:
        return choices_of(self._client.desk.suggestions.governors(current))

    @simulate.autocomplete("scenario")
    async def _scenarios(self, _: Interaction, current: str) -> Suggestions:
        return choices_of(self._client.desk.suggestions.scenarios(current))
