"""The Discord client: intents, commands, persistent buttons, one handler for errors."""

from __future__ import annotations

import logging
from typing import Any

import discord
import yarl
from discord import app_commands
from discord.ext import commands

from bot.discord_bot.answering import explain
from bot.discord_bot.desk import Desk, Refusal, Reply
from bot.discord_bot.permission import Asker, refusal_to_simulate
from bot.discord_bot.proposals.cog import ProposalsCog
from bot.discord_bot.publishing.pen import Pen
from bot.discord_bot.simulate.buttons import ITEMS
from bot.discord_bot.simulate.cog import SimulateCog
from bot.discord_bot.simulate.replies import LiveReplies
from bot.discord_bot.status.cog import StatusCog
from bot.discord_bot.subscriptions.cog import SubscriptionsCog
from bot.errors import SeatrialError
from bot.evaluation import EvaluationOrder
from bot.settings import DiscordSettings

log = logging.getLogger(__name__)

API = "/api/v10"
LONGEST_WAIT = 60.0  # seconds a request may wait for a rate limit before it is given back


def use_service(settings: DiscordSettings) -> None:
    """Point discord.py at the service of the settings: for the whole process, as it wants it."""
    if settings.api_base is not None:
        base = settings.api_base.get_secret_value().rstrip("/")
        discord.http.Route.BASE = base if base.endswith(API) else base + API
    if settings.gateway is not None:
        discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(
            settings.gateway.get_secret_value()
        )


class _Tree(app_commands.CommandTree["SeatrialClient"]):
    async def on_error(
        self, interaction: discord.Interaction[SeatrialClient], error: app_commands.AppCommandError
    ) -> None:
        """Explain every command's error."""
        await explain(interaction, error)


class SeatrialClient(commands.Bot):
    """The bot as Discord sees it. `desk` is given to it before it logs in."""

    desk: Desk
    replies: LiveReplies

    def __init__(self) -> None:
        discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False  # it never speaks
        super().__init__(
            command_prefix=commands.when_mentioned,
            help_command=None,
            intents=discord.Intents(guilds=True),
            allowed_mentions=discord.AllowedMentions.none(),
            allowed_contexts=app_commands.AppCommandContext(guild=True),
            allowed_installs=app_commands.AppInstallationType(guild=True),
            tree_cls=_Tree,
            max_messages=None,
            max_ratelimit_timeout=LONGEST_WAIT,
            guild_ready_timeout=0.0,
        )
        self.pen = Pen(self)
        self._furnished = False

    def take(self, desk: Desk) -> None:
        """Give the client what its commands work with."""
        self.desk = desk
        self.replies = LiveReplies(desk, self.pen)

    async def setup_hook(self) -> None:
        """Add commands and buttons, and tell Discord of the commands; runs at each login."""
        if not self._furnished:
            for cog in (SimulateCog, ProposalsCog, SubscriptionsCog, StatusCog):
                await self.add_cog(cog(self))
            self.add_dynamic_items(*ITEMS)
            self._furnished = True
        synced = await self.tree.sync()
        log.info("Discord knows %d commands", len(synced))

    async def on_error(self, event_method: str, /, *_: Any, **__: Any) -> None:
        """Log what an event's handler failed with."""
        log.exception("the event %s was not handled", event_method)

    def may_simulate(self, asker: Asker) -> None:
        """Raise Refusal unless the asker may ask for evaluations."""
        reason = refusal_to_simulate(asker, self.desk.settings)
        if reason:
            raise Refusal(reason)

    async def begin(
        self,
        interaction: discord.Interaction[Any],
        asker: Asker,
        order: EvaluationOrder,
        proposal_id: int | None,
    ) -> None:
        """Answer with a message that follows a new evaluation to its end."""
        response = await interaction.response.defer(thinking=True)
        message = response.message_id if response is not None else None
        if message is None:
            message = (await interaction.original_response()).id
        channel = interaction.channel_id
        if channel is None:
            raise Refusal("Ask in a channel.")
        self.pen.remember(message, interaction)
        reply = Reply(key=f"discord:{interaction.id}", channel=channel, message=message)
        try:
            job = self.desk.ask(asker, order, proposal_id, reply)
        except SeatrialError:
            # The message that everybody sees goes; the reason is for the asker.
            await interaction.delete_original_response()
            raise
        self.replies.watch(job)
