"""Publishes to Discord: a lasting message with a thread per proposal and channel.

How a post is found again after a lost reply: Discord itself drops a second
message with the same nonce for a few minutes; beyond that the post's reference
is looked for in the bot's own recent messages. A thread begun at a message has
the message's id, so that beginning it twice makes one.
"""

from __future__ import annotations

import asyncio
import datetime
import io
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Literal, TypeVar

import aiohttp
import discord

from bot.discord_bot.publishing.payloads import (
    AlertPayload,
    AnswerPayload,
    HistoryPayload,
    LastingPayload,
    payload_of,
)
from bot.discord_bot.publishing.pen import Pen
from bot.discord_bot.publishing.voice import TARGET
from bot.errors import DeliveryDelayed, DeliveryRefused, DeliveryUncertain
from bot.outbox import Held, Placed, Post

log = logging.getLogger(__name__)

LOOK_BACK = 500  # messages of a channel in which a post is looked for
CLOCKS_APART = datetime.timedelta(minutes=15)  # of ours and Discord's, at most
LOGIN_TAKES = 5.0  # seconds
NOT_READY = 1.0  # seconds to come back after, if it took longer
ARCHIVE_AFTER: Literal[10080] = 10080  # minutes without a message
THREAD_EXISTS = 160004  # Discord's code
ViewOf = Callable[[int], discord.ui.View]
T = TypeVar("T")


class DiscordTarget:
    """The Discord side of the outbox; implements `bot.courier.Target`."""

    def __init__(self, client: discord.Client, pen: Pen, *, view_of: ViewOf) -> None:
        self._client = client
        self._pen = pen
        self._view_of = view_of  # the buttons below an evaluation

    @property
    def name(self) -> str:
        """Return "discord"."""
        return TARGET

    async def deliver(self, post: Post, placement: Placed | None) -> Placed | Held:
        """Make or edit the message; see `bot.courier.Target`."""
        return await self._translated(self._deliver(post, placement))

    async def find(self, post: Post, placement: Placed | None) -> Placed | Held | None:
        """Look for the message by its reference; see `bot.courier.Target`."""
        return await self._translated(self._find(post, placement))

    async def _translated(self, work: Awaitable[T]) -> T:
        """Turn what discord.py raises into what the courier understands."""
        try:
            return await work
        except discord.RateLimited as error:
            raise DeliveryDelayed(str(error), seconds=error.retry_after) from error
        except discord.HTTPException as error:
            said = f"Discord answered {error.status}, code {error.code}: {error.text[:200]}"
            if error.status == 429:
                raise DeliveryDelayed(said, seconds=60.0) from error
            if error.status == 401:
                raise DeliveryDelayed("the bot's token is refused", seconds=300.0) from error
            if 400 <= error.status < 500:
                raise DeliveryRefused(said) from error
            raise DeliveryUncertain(said) from error
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise DeliveryUncertain(f"no answer from Discord: {type(error).__name__}") from error

    async def _deliver(self, post: Post, placement: Placed | None) -> Placed:
        await self._must_be_ready()
        payload = payload_of(post)
        match payload:
            case AnswerPayload():
                return await self._answer(post, payload)
            case LastingPayload():
                return await self._lasting(post, payload, placement)
            case HistoryPayload():
                return await self._history(post, payload, placement)
            case AlertPayload():
                return await self._alert(post, payload, placement)

    async def _must_be_ready(self) -> None:
        """Wait a moment for the login; nothing else can be delivered meanwhile."""
        give_up = time.monotonic() + LOGIN_TAKES
        while self._client.user is None:
            if time.monotonic() > give_up:
                raise DeliveryDelayed("not logged in to Discord yet", seconds=NOT_READY)
            await asyncio.sleep(0.02)

    async def _answer(self, post: Post, payload: AnswerPayload) -> Placed:
        await self._pen.write(
            payload.channel,
            payload.message,
            content=payload.content,
            embeds=embeds_of(payload.embed, payload.charts, reference=""),
            files=lambda: _files(post, payload.charts),
            view=self._buttons(payload.evaluation),
            last=True,
        )
        return Placed(remote={"channel": payload.channel, "message": payload.message})

    async def _lasting(
        self, post: Post, payload: LastingPayload, placement: Placed | None
    ) -> Placed:
        embeds = embeds_of(payload.embed, payload.charts, reference=post.reference)
        view = self._buttons(payload.evaluation)
        if placement is not None:
            try:
                return await self._edited(post, payload, placement, embeds, view)
            except discord.NotFound as error:
                raise DeliveryRefused(
                    "the message was removed from the channel; it is not made again"
                ) from error
        where = self._client.get_partial_messageable(payload.channel, guild_id=payload.guild)
        message = await where.send(
            content=_ping(payload.role) or None,
            embeds=embeds,
            files=_files(post, payload.charts),
            view=view if view is not None else discord.utils.MISSING,
            nonce=post.reference,
            allowed_mentions=_may_ping(payload.role),
        )
        return await self._with_thread(payload, message.id, message.jump_url)

    async def _edited(
        self,
        post: Post,
        payload: LastingPayload,
        placement: Placed,
        embeds: list[discord.Embed],
        view: discord.ui.View | None,
    ) -> Placed:
        where = self._client.get_partial_messageable(int(placement.remote["channel"]))
        message = where.get_partial_message(int(placement.remote["message"]))
        # An old ping must not stand above a new verdict.
        await message.edit(
            content=_ping(payload.role) or None,
            embeds=embeds,
            attachments=_files(post, payload.charts),
            view=view,
            allowed_mentions=discord.AllowedMentions.none(),
        )
        if placement.remote.get("thread") is not None:
            return placement
        return await self._with_thread(payload, message.id, placement.url)

    async def _with_thread(self, payload: LastingPayload, message: int, url: str) -> Placed:
        """Begin the message's thread unless it has one; without the right to, go without."""
        thread: int | None = message
        try:
            await self._client.http.start_thread_with_message(
                payload.channel,
                message,
                name=payload.thread,
                auto_archive_duration=ARCHIVE_AFTER,
            )
        except discord.Forbidden:
            log.warning("channel %d: the bot may not create threads there", payload.channel)
            thread = None
        except discord.HTTPException as error:
            if error.code != THREAD_EXISTS:
                # The message is there: whoever looks for it will come here again.
                raise DeliveryUncertain(f"the thread was not made: {error.text[:200]}") from error
        remote = {
            "guild": payload.guild,
            "channel": payload.channel,
            "message": message,
            "thread": thread,
        }
        return Placed(remote=remote, url=url)

    async def _history(
        self, post: Post, payload: HistoryPayload, placement: Placed | None
    ) -> Placed:
        if placement is None:
            raise DeliveryRefused("there is no message this could be the history of")
        thread = placement.remote.get("thread")
        if thread is None:
            return placement  # no right to create threads: the message itself is up to date
        where = self._client.get_partial_messageable(
            int(thread), guild_id=int(placement.remote["guild"])
        )
        message = await where.send(
            content=f"{payload.content} · {post.reference}",
            nonce=post.reference,
            allowed_mentions=discord.AllowedMentions.none(),
        )
        return Placed(remote={"message": message.id}, url=message.jump_url)

    async def _alert(self, post: Post, payload: AlertPayload, placement: Placed | None) -> Placed:
        if placement is None:
            raise DeliveryRefused("there is no message this could be news about")
        channel = self._client.get_partial_messageable(
            int(placement.remote["channel"]), guild_id=int(placement.remote["guild"])
        )
        text = f"{_ping(payload.role)} {payload.content}".strip()
        message = await channel.send(
            content=f"{text} · {post.reference}",
            nonce=post.reference,
            allowed_mentions=_may_ping(payload.role),
        )
        return Placed(remote={"message": message.id}, url=message.jump_url)

    async def _find(self, post: Post, placement: Placed | None) -> Placed | None:
        await self._must_be_ready()
        try:
            return await self._found(post, placement)
        except discord.NotFound:
            return None  # the channel is gone, and what was in it

    async def _found(self, post: Post, placement: Placed | None) -> Placed | None:
        payload = payload_of(post)
        match payload:
            case AnswerPayload():
                return None  # an edit: making it again changes nothing
            case LastingPayload() if placement is not None:
                return None  # likewise
            case LastingPayload():
                found = await self._message_with(post, payload.channel, payload.guild)
                if found is None:
                    return None
                return await self._with_thread(payload, found.id, found.jump_url)
            case HistoryPayload():
                thread = placement.remote.get("thread") if placement else None
                found = None
                if placement is not None and thread is not None:
                    guild = int(placement.remote["guild"])
                    found = await self._message_with(post, int(thread), guild)
            case AlertPayload():
                found = None
                if placement is not None:
                    channel, guild = (int(placement.remote[k]) for k in ("channel", "guild"))
                    found = await self._message_with(post, channel, guild)
        if found is None:
            return None
        return Placed(remote={"message": found.id}, url=found.jump_url)

    async def _message_with(self, post: Post, channel: int, guild: int) -> discord.Message | None:
        """Return the bot's own message with the post's reference, made since the entry was."""
        made = datetime.datetime.fromtimestamp(post.created_at, datetime.UTC)
        own = self._client.user
        where = self._client.get_partial_messageable(channel, guild_id=guild)
        async for message in where.history(limit=LOOK_BACK):
            if discord.utils.snowflake_time(message.id) < made - CLOCKS_APART:
                return None
            if own is not None and message.author.id == own.id and _shows(message, post.reference):
                return message
        return None

    def _buttons(self, evaluation: int | None) -> discord.ui.View | None:
        return None if evaluation is None else self._view_of(evaluation)


def _shows(message: discord.Message, reference: str) -> bool:
    footers = (embed.footer.text or "" for embed in message.embeds)
    return reference in message.content or any(reference in footer for footer in footers)


def _ping(role: int | None) -> str:
    return "" if role is None else f"<@&{role}>"


def _may_ping(role: int | None) -> discord.AllowedMentions:
    if role is None:
        return discord.AllowedMentions.none()
    return discord.AllowedMentions(
        everyone=False, users=False, replied_user=False, roles=[discord.Object(role)]
    )


def _files(post: Post, names: tuple[str, ...]) -> list[discord.File]:
    return [
        discord.File(io.BytesIO(post.charts[name]), f"{name}.png")
        for name in names
        if name in post.charts
    ]


def embeds_of(
    raw: dict[str, object] | None, charts: tuple[str, ...], *, reference: str
) -> list[discord.Embed]:
    """Return the embed with the first chart, and one more for each further chart."""
    if raw is None:
        return []
    first = discord.Embed.from_dict(raw)
    first.set_image(url=f"attachment://{charts[0]}.png" if charts else None)
    if reference:
        words = first.footer.text or ""
        first.set_footer(text=f"{words} · {reference}" if words else reference)
    further = [
        discord.Embed(color=first.color).set_image(url=f"attachment://{name}.png")
        for name in charts[1:]
    ]
    return [first, *further]
