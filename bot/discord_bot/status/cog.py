"""/status and /help."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands
from discord.ext import commands

from bot.discord_bot.desk import Desk
from bot.discord_bot.words import basis, duration, limited, spoken
from bot.health import chain_trouble
from evaluator import __version__

if TYPE_CHECKING:
    from bot.discord_bot.client import SeatrialClient

Interaction = discord.Interaction[Any]

HELP = """\
Seatrial executes governance proposals on a fork of the chain, measures what they change, and puts \
the protocol through the same random price paths before and after.

**/simulate** evaluates a proposal, or a draft: a parameter and its new value
**/proposals** lists the newest proposals and their verdicts
**/report** shows the newest report about a proposal
**/compare** puts two evaluations side by side
**/subscribe**, **/unsubscribe** choose what is posted in a channel (Manage Server)
**/status** shows whether everything runs

PASS, CAUTION and FAIL follow a written policy; INCONCLUSIVE means that something which could \
matter was not modelled. A verdict is about survival under the stated assumptions, never a promise.
"""


def status_lines(desk: Desk, *, now: float) -> list[str]:
    """Return the state of the bot; `now` is of the monotonic clock."""
    deck = desk.deck
    lines = []
    for follower in deck.followers:
        step = follower.last
        where = "not read yet" if step is None else f"read to block {step.read:,} of {step.head:,}"
        trouble = chain_trouble(follower, now=now)
        lines.append(
            f"Chain {spoken(follower.settings.name, 40)}: {where}"
            + (f" – {spoken(trouble, 200)}" if trouble else "")
        )
    jobs = deck.hold.queue.counts()
    lines.append(
        f"Evaluations: {jobs.get('running', 0)} running of {deck.workshop.slots} at a time, "
        f"{jobs.get('queued', 0)} waiting, {jobs.get('done', 0):,} done, "
        f"{jobs.get('failed', 0):,} failed"
    )
    oldest = deck.hold.outbox.oldest_open()
    lines.append(
        "Posts: all delivered"
        if oldest is None
        else f"Posts: the oldest undelivered one waits for {duration(max(oldest, 0.0))}"
    )
    return lines


class StatusCog(commands.Cog):
    """Both commands."""

    def __init__(self, client: SeatrialClient) -> None:
        self._client = client

    def _basis(self) -> str:
        desk = self._client.desk
        return basis(desk.deck.hold.settings.evaluation.paths, desk.horizon)

    @app_commands.command(description="Whether everything runs")
    @app_commands.guild_only()
    async def status(self, interaction: Interaction) -> None:
        """Show it to the user alone."""
        lines = status_lines(self._client.desk, now=time.monotonic())
        said = "\n".join([*lines, f"-# seatrial {__version__} · evaluations run {self._basis()}"])
        await interaction.response.send_message(limited(said, 2000), ephemeral=True)

    @app_commands.command(name="help", description="What this bot does")
    @app_commands.guild_only()
    async def show_help(self, interaction: Interaction) -> None:
        """Show it to the user alone."""
        await interaction.response.send_message(
            f"{HELP}\n-# Evaluations run {self._basis()}.", ephemeral=True
        )
