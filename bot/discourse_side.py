"""The forum as a side of the bot."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from bot.courier import Target
from bot.deck import Deck, Finding
from bot.discourse_client import DiscourseClient
from bot.discourse_target import DiscourseTarget
from bot.discourse_voice import DiscourseVoice
from bot.discourse_wire import DiscourseForbidden
from bot.errors import ConfigurationError, DeliveryError
from bot.posts import Voice
from bot.settings import Settings

CREATE = 1  # Discourse's permission to create topics in a category


class DiscourseSide:
    """Publishes to the forum of the settings; implements `bot.deck.Side`."""

    def __init__(self, settings: Settings) -> None:
        if settings.discourse is None:
            raise ConfigurationError("the settings have no [discourse]")
        self._settings = settings
        self._discourse = settings.discourse
        self._client = DiscourseClient(
            self._discourse.url,
            username=self._discourse.username,
            api_key=self._discourse.api_key,
            requests_per_minute=self._discourse.requests_per_minute,
            timeout=self._discourse.timeout,
        )
        self._target = DiscourseTarget(self._client, self._discourse)
        self._voice = DiscourseVoice(settings, self._discourse, host=self._client.host)

    @property
    def voice(self) -> Voice:
        """Return the forum's voice."""
        return self._voice

    @property
    def targets(self) -> Sequence[Target]:
        """Return the forum."""
        return (self._target,)

    async def __aenter__(self) -> Self:
        """Open the HTTP session."""
        await self._client.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the HTTP session."""
        await self._client.__aexit__(kind, error, trace)

    async def run(self, deck: Deck) -> None:
        """Return at once."""

    def health(self) -> str:
        """Return ""; whether posts arrive is seen in the outbox."""
        return ""

    async def check(self) -> Sequence[Finding]:
        """Look whether the key works and may post to every category in use."""
        categories = {self._discourse.category} | {
            governor.category for governor in self._settings.governors if governor.category
        }
        async with self:
            return [await self._check_category(category) for category in sorted(categories)]

    async def _check_category(self, category: int) -> Finding:
        what = f"forum {self._client.host}, category {category}"
        try:
            permission = await self._client.category_permission(category)
        except DiscourseForbidden:
            return Finding(
                what=what,
                fault=f"the API key is refused, or not for the user {self._client.username}",
            )
        except DeliveryError as error:
            return Finding(what=what, fault=str(error))
        if permission != CREATE:
            return Finding(
                what=what,
                fault=f"{self._client.username} may not create topics there: missing permission",
            )
        return Finding(what=what)
