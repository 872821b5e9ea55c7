"""How the bot answers when something is refused or fails: for every command and button."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Sequence
from typing import Any

import aiohttp
import discord
from discord import app_commands

from bot.discord_bot.desk import Refusal
from bot.discord_bot.permission import Asker
from bot.discord_bot.suggestions import Choice
from bot.discord_bot.words import spoken
from bot.errors import SeatrialError
from bot.jobs import QueueFull

log = logging.getLogger(__name__)


def asker_of(interaction: discord.Interaction[Any]) -> Asker:
    """Return who asks; roles and permissions are those Discord's server vouches for."""
    user = interaction.user
    roles = user.roles if isinstance(user, discord.Member) else ()
    return Asker(
        user=user.id,
        guild=interaction.guild_id,
        roles=frozenset(role.id for role in roles),
        manages=interaction.permissions.manage_guild or interaction.permissions.administrator,
    )


def sentence_for(error: BaseException) -> str:
    """Return what the user is told; logs the trace unless it is a refusal."""
    while isinstance(error, app_commands.CommandInvokeError):
        error = error.original
    if isinstance(error, Refusal | QueueFull):
        log.info("refused: %s", error)
        return spoken(str(error), 500)
    if isinstance(error, app_commands.CheckFailure):
        log.info("refused: %s", error)
        return "You may not do that here."
    if isinstance(error, app_commands.TransformerError):
        log.info("refused: %s", error)
        return "One of the values cannot be read: choose one of the suggestions."
    code = secrets.token_hex(4)
    log.error("error %s while answering on Discord", code, exc_info=error)
    if isinstance(error, SeatrialError):
        return spoken(str(error), 500)
    return f"Something went wrong here. The operator finds it in the log as {code}."


async def explain(interaction: discord.Interaction[Any], error: BaseException) -> None:
    """Tell the user in a sentence what went wrong."""
    sentence = sentence_for(error)
    try:
        if interaction.type is discord.InteractionType.autocomplete:
            if not interaction.response.is_done():
                await interaction.response.autocomplete([])
        elif interaction.response.is_done():
            await interaction.followup.send(sentence, ephemeral=True)
        else:
            await interaction.response.send_message(sentence, ephemeral=True)
    except (discord.HTTPException, aiohttp.ClientError, OSError):
        log.exception("the user could not be told: %s", sentence)


def choices_of(found: Sequence[Choice]) -> list[app_commands.Choice[str]]:
    """Return suggestions as Discord takes them."""
    return [app_commands.Choice(name=one.name or "–", value=one.value) for one in found]
