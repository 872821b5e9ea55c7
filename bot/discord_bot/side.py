"""Discord as a side of the bot: logs in, stays connected, delivers, answers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from types import TracebackType
from typing import Self

import aiohttp
import discord

from bot.courier import Target
from bot.deck import Deck, Finding, Hold
from bot.discord_bot.client import SeatrialClient, use_service
from bot.discord_bot.desk import Desk
from bot.discord_bot.permission import missing_permissions, permissions_in
from bot.discord_bot.publishing.target import DiscordTarget
from bot.discord_bot.publishing.voice import DiscordVoice
from bot.discord_bot.simulate.buttons import result_view
from bot.discord_bot.subscriptions.store import SubscriptionStore
from bot.discord_bot.words import plain
from bot.errors import ConfigurationError
from bot.posts import Voice
from evaluator import scenario_names

log = logging.getLogger(__name__)

FIRST_WAIT = 2.0  # seconds before the second try to connect, doubled each time
LONGEST_WAIT = 300.0  # seconds


class DiscordSide:
    """Publishes to Discord and answers commands; implements `bot.deck.Side`."""

    def __init__(self, hold: Hold) -> None:
        if hold.settings.discord is None:
            raise ConfigurationError("the settings have no [discord]")
        self._settings = hold.settings.discord
        self._subscriptions = SubscriptionStore(hold.database)
        use_service(self._settings)
        self.client = SeatrialClient()
        self._voice = DiscordVoice(hold.settings, hold.database, self._subscriptions)
        self._target = DiscordTarget(self.client, self.client.pen, view_of=result_view)
        self._trouble = "not connected yet"

    @property
    def voice(self) -> Voice:
        """Return what decides what is told on Discord."""
        return self._voice

    @property
    def targets(self) -> Sequence[Target]:
        """Return Discord."""
        return (self._target,)

    async def __aenter__(self) -> Self:
        """Return at once: posts wait until `run` has logged in."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connection."""
        await self.client.close()

    async def run(self, deck: Deck) -> None:
        """Serve until cancelled, whatever Discord does."""
        # Their modules are large: a command must not wait for them.
        await asyncio.to_thread(scenario_names)
        self.client.take(Desk(deck, self._settings, self._subscriptions))
        async with asyncio.TaskGroup() as group:
            group.create_task(self._stay_connected())
            group.create_task(self._keep_replies(deck))

    async def _keep_replies(self, deck: Deck) -> None:
        while self.client.user is None:  # nothing can be edited before the login
            await asyncio.sleep(0.2)
        deck.on_posts()
        await self.client.replies.run()

    async def _stay_connected(self) -> None:
        wait = FIRST_WAIT
        while True:
            try:
                await self.client.login(self._settings.token.get_secret_value())
                self._trouble = ""
                wait = FIRST_WAIT
                # Comes back from dropped sockets by itself, and only ends with an error.
                await self.client.connect(reconnect=True)
                self._trouble = "Discord closed the connection"
            except discord.LoginFailure:
                self._trouble = "Discord refuses the bot's token"
            except (discord.DiscordException, aiohttp.ClientError, OSError) as error:
                self._trouble = f"no connection to Discord: {type(error).__name__}"
                log.debug("connecting failed", exc_info=error)
            log.warning("%s; trying again in %.0f s", self._trouble, wait)
            await self.client.http.close()
            self.client.clear()
            await asyncio.sleep(wait)
            wait = min(LONGEST_WAIT, wait * 2.0)

    def health(self) -> str:
        """Return why Discord is not reached, "" if it is."""
        return self._trouble

    async def check(self) -> Sequence[Finding]:
        """Look whether the token works and every subscribed channel can be posted to."""
        what = "Discord"
        try:
            user = await self.client.http.static_login(self._settings.token.get_secret_value())
            findings = [Finding(what=what, note=f"logged in as {plain(user['username'], 40)}")]
            channels = {one.channel: one.guild for one in self._subscriptions.all()}
            if not channels:
                findings.append(Finding(what="Discord channels", note="none is subscribed yet"))
            for channel, guild in sorted(channels.items()):
                findings.append(await self._check_channel(channel, guild, int(user["id"])))
        except discord.LoginFailure:
            return [Finding(what=what, fault="the token is refused")]
        except (discord.DiscordException, aiohttp.ClientError, OSError) as error:
            return [Finding(what=what, fault=f"no answer: {type(error).__name__}")]
        finally:
            await self.client.http.close()
        return findings

    async def _check_channel(self, channel: int, guild: int, user: int) -> Finding:
        what, http = f"Discord channel {channel}", self.client.http
        try:
            found = await http.get_channel(channel)
            server = await http.get_guild(guild, with_counts=False)
            member = await http.get_member(guild, user)
        except discord.NotFound:
            return Finding(what=what, fault="there is no such channel: /unsubscribe it")
        except discord.Forbidden:
            return Finding(what=what, fault="the bot cannot see it: missing permission")
        except (discord.DiscordException, aiohttp.ClientError, OSError) as error:
            return Finding(what=what, fault=f"no answer: {type(error).__name__}")
        lacking = missing_permissions(permissions_in(found, server, member))
        if lacking:
            return Finding(what=what, fault=f"missing permissions: {', '.join(lacking)}")
        return Finding(what=what)
