"""Edits of messages that answer an interaction: by its token while it lives, then by the bot's own.

Discord shows nothing but an interaction's own token to a bot that cannot see
the channel, and lets that token die after fifteen minutes. A message is edited
by one writer at a time, and after its last word nothing more is written.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import discord

log = logging.getLogger(__name__)

TOKEN_SECONDS = 14 * 60.0  # the token dies after 15 minutes; leave room for the request
REMEMBERED = 2_000  # messages
TOKEN_IS_DEAD = frozenset({10015, 10062, 50027})  # Discord's codes


@dataclass(slots=True)
class _Sheet:
    """A message being written."""

    interaction: discord.Interaction | None = None  # while its token may live
    until: float = 0.0  # clock
    closed: bool = False  # the last word was said
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Pen:
    """Edits messages by whichever right still holds."""

    def __init__(
        self, client: discord.Client, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = client
        self._clock = clock
        self._sheets: OrderedDict[int, _Sheet] = OrderedDict()

    def remember(self, message: int, interaction: discord.Interaction) -> None:
        """Note that `message` is the original response of `interaction`."""
        sheet = self._sheet(message)
        sheet.interaction, sheet.until = interaction, self._clock() + TOKEN_SECONDS

    def _sheet(self, message: int) -> _Sheet:
        sheet = self._sheets.setdefault(message, _Sheet())
        self._sheets.move_to_end(message)
        while len(self._sheets) > REMEMBERED:
            self._sheets.popitem(last=False)
        return sheet

    async def write(
        self,
        channel: int,
        message: int,
        *,
        content: str,
        embeds: Sequence[discord.Embed] = (),
        files: Callable[[], list[discord.File]] = list,
        view: discord.ui.View | None = None,
        last: bool = False,
    ) -> None:
        """Bring the message to this content; nothing happens after the last word.

        `files` makes them anew for each attempt, since a sent file is used up.
        Raises discord.HTTPException and connection errors.
        """
        sheet = self._sheet(message)
        async with sheet.lock:
            if sheet.closed and not last:
                return
            sheet.closed = sheet.closed or last
            if sheet.interaction is not None and self._clock() < sheet.until:
                try:
                    await sheet.interaction.edit_original_response(
                        content=content,
                        embeds=list(embeds),
                        attachments=files(),
                        view=view,
                        allowed_mentions=discord.AllowedMentions.none(),
                    )
                except discord.HTTPException as error:
                    if error.status != 401 and error.code not in TOKEN_IS_DEAD:
                        raise
                    log.info("the interaction of message %d has expired", message)
                else:
                    if last:
                        sheet.interaction = None  # it holds on to a user and a channel
                    return
            sheet.interaction = None
            where = self._client.get_partial_messageable(channel)
            await where.get_partial_message(message).edit(
                content=content,
                embeds=list(embeds),
                attachments=files(),
                view=view,
                allowed_mentions=discord.AllowedMentions.none(),
            )
