"""/subscribe and /unsubscribe: which channel hears of which governor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands
from discord.ext import commands

from bot.discord_bot.answering import asker_of, choices_of
from bot.discord_bot.desk import Refusal
from bot.discord_bot.permission import missing_permissions, refusal_to_subscribe
from bot.discord_bot.subscriptions.store import Severity
from bot.discord_bot.words import basis, spoken

if TYPE_CHECKING:
    from bot.discord_bot.client import SeatrialClient

Suggestions = list[app_commands.Choice[str]]
Interaction = discord.Interaction[Any]


class SubscriptionsCog(commands.Cog):
    """Both commands."""

    def __init__(self, client: SeatrialClient) -> None:
        self._client = client

    def _must_be_allowed(self, interaction: Interaction) -> int:
        asker = asker_of(interaction)
        reason = refusal_to_subscribe(asker, self._client.desk.settings)
        if reason or asker.guild is None:
            raise Refusal(reason)
        return asker.guild

    @app_commands.command(description="Post a governor's proposals in a channel")
    @app_commands.describe(
        channel="Where to post",
        governor="Whose proposals",
        severity="The least severe verdict to post",
        role="Pinged when a verdict is FAIL, and only then",
    )
    @app_commands.default_permissions(manage_guild=True)
    @app_commands.guild_only()
    async def subscribe(
        self,
        interaction: Interaction,
        channel: discord.TextChannel,
        governor: str,
        severity: Severity = Severity.PASS,
        role: discord.Role | None = None,
    ) -> None:
        """Begin or change a subscription."""
        guild = self._must_be_allowed(interaction)
        desk = self._client.desk
        found = desk.governor(governor)
        if channel.guild.id != guild:
            raise Refusal("That channel belongs to another server.")
        if role is not None and role.is_default():
            raise Refusal("Everyone cannot be pinged: choose another role.")
        lacking = missing_permissions(channel.permissions_for(channel.guild.me))
        if lacking:
            raise Refusal(f"The bot lacks permissions in that channel: {', '.join(lacking)}.")
        new = desk.subscriptions.put(
            guild=guild,
            channel=channel.id,
            chain=found.chain,
            governor=found.address,
            severity=severity,
            role=None if role is None else role.id,
            by=asker_of(interaction).owner,
        )
        settings = desk.deck.hold.settings.evaluation
        await interaction.response.send_message(
            f"<#{channel.id}> {'now hears' if new else 'still hears'} of "
            f"{spoken(found.name, 60)} from {severity.value} on"
            + (f", and <@&{role.id}> of FAIL" if role is not None else "")
            + f".\n-# Evaluations run {basis(settings.paths, desk.horizon)}."
        )

    @app_commands.command(description="Stop posting a governor's proposals in a channel")
    @app_commands.describe(channel="Where not to post any more", governor="Whose proposals")
    @app_commands.default_permissions(manage_guild=True)
    @app_commands.guild_only()
    async def unsubscribe(
        self, interaction: Interaction, channel: discord.TextChannel, governor: str
    ) -> None:
        """End a subscription."""
        guild = self._must_be_allowed(interaction)
        desk = self._client.desk
        found = desk.governor(governor)
        for subscription in desk.subscriptions.of_guild(guild):
            if (subscription.channel, subscription.chain, subscription.governor) == (
                channel.id,
                found.chain,
                found.address,
            ):
                desk.subscriptions.drop(subscription, by=asker_of(interaction).owner)
                await interaction.response.send_message(
                    f"<#{channel.id}> hears no more of {spoken(found.name, 60)}."
                )
                return
        raise Refusal("That channel has no such subscription.")

    @subscribe.autocomplete("governor")
    @unsubscribe.autocomplete("governor")
    async def _governors(self, _: Interaction, current: str) -> Suggestions:
        return choices_of(self._client.desk.suggestions.governors(current))
