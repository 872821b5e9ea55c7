"""Requests to a Discourse forum: its key, its pace, and what each answer means for a post.

Sorts every failure: certainly not made (DeliveryDelayed), nobody knows
(DeliveryUncertain), never (DeliveryRefused). Reading requests are tried again
here; writing ones only by the courier, which looks for the post first.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import tenacity
from aiolimiter import AsyncLimiter
from pydantic import SecretStr

from bot.errors import DeliveryDelayed, DeliveryRefused, DeliveryUncertain

MAX_REPLY_BYTES = 8 << 20
KEY_REJECTED_WAIT = 600.0  # seconds until a rejected API key is tried again
DEFAULT_WAIT = 30.0  # seconds, where a 429 does not say


class DiscourseRefusal(DeliveryRefused):
    """Discourse answered 422: the request was understood and not accepted.

    `errors` are Discourse's own sentences.
    """

    def __init__(self, errors: Sequence[str]) -> None:
        super().__init__("Discourse refused: " + "; ".join(errors))
        self.errors = tuple(errors)


class DiscourseForbidden(DeliveryDelayed):
    """Discourse answered 401 or 403: the key is wrong, or the thing is not for this user."""


class DiscourseMissing(DeliveryRefused):
    """Discourse answered 404 or 410: the thing is not there, or not for this user."""


class DiscourseWire:
    """Sends requests to one forum as one user; use as an async context manager.

    Requests are spread to `requests_per_minute`; after a 429 everything waits
    as long as the forum asked.
    """

    def __init__(
        self,
        url: SecretStr,
        *,
        username: str,
        api_key: SecretStr,
        requests_per_minute: int,
        timeout: float,
    ) -> None:
        self.base = url.get_secret_value().rstrip("/")
        self.username = username
        self._api_key = api_key
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._limiter = AsyncLimiter(max(1, requests_per_minute // 6), 10.0)
        self._quiet_until = 0.0  # monotonic time before which nothing is sent
        self._session: aiohttp.ClientSession | None = None

    @property
    def host(self) -> str:
        """Return the forum's host, for people and for comparing links."""
        return urlsplit(self.base).hostname or ""

    async def __aenter__(self) -> DiscourseWire:
        self._session = aiohttp.ClientSession(
            timeout=self._timeout,
            headers={
                "Api-Key": self._api_key.get_secret_value(),
                "Api-Username": self.username,
                "Accept": "application/json",
                "User-Agent": "seatrial-bot",
            },
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def read(self, path: str, *, query: Sequence[tuple[str, str]] = ()) -> dict[str, Any]:
        """Ask for something; tried again on faults that pass."""
        async for attempt in tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception_type(DeliveryUncertain),
            stop=tenacity.stop_after_attempt(3),
            wait=tenacity.wait_random_exponential(multiplier=0.3, max=5.0),
            reraise=True,
        ):
            with attempt:
                return await self.send("GET", path, query=query)
        raise DeliveryUncertain(
            f"Discourse did not answer {path}"
        )  # pragma: no cover - the loop returns or raises

    async def send(
        self,
        method: str,
        path: str,
        *,
        query: Sequence[tuple[str, str]] = (),
        json_body: object = None,
        form: aiohttp.FormData | None = None,
    ) -> dict[str, Any]:
        """Send one request, once."""
        if self._session is None:
            raise RuntimeError("DiscourseClient is used outside its context")
        await self._wait_for_turn()
        try:
            url = self.base + path
            for _ in range(4):
                async with self._session.request(
                    method,
                    url,
                    params=list(query) or None,
                    json=json_body,
                    data=form,
                    allow_redirects=False,
                ) as reply:
                    text = await _limited(reply)
                    location = reply.headers.get("Location")
                    if method == "GET" and reply.status in {301, 302, 307, 308} and location:
                        url, query = self._same_forum(location), ()
                        continue
                    return self._understood(reply.status, reply.headers, text, method, path)
        except aiohttp.ClientConnectorError as error:
            # No connection, so no request: certainly not made.
            raise DeliveryDelayed(
                f"the forum {self.host} cannot be reached", seconds=DEFAULT_WAIT / 3
            ) from error
        except TimeoutError as error:
            raise DeliveryUncertain(f"the forum {self.host} did not answer in time") from error
        except aiohttp.ClientError as error:
            raise DeliveryUncertain(
                f"the connection to {self.host} broke: {type(error).__name__}"
            ) from error
        raise DeliveryUncertain(f"the forum {self.host} redirects in a circle")

    def _same_forum(self, location: str) -> str:
        """Return the redirect's absolute URL; the API key goes to no other host."""
        if location.startswith("/") and not location.startswith("//"):
            origin = urlsplit(self.base)
            return f"{origin.scheme}://{origin.netloc}{location}"
        here, there = urlsplit(self.base), urlsplit(location)
        if (here.scheme, here.netloc) != (there.scheme, there.netloc):
            raise DeliveryRefused(
                f"the forum redirects to {there.hostname}; if it moved, change [discourse] url"
            )
        return location

    def _understood(
        self, status: int, headers: Mapping[str, str], text: str, method: str, path: str
    ) -> dict[str, Any]:
        try:
            reply = json.loads(text) if text else {}
        except ValueError:
            reply = None
        if status == 429:
            seconds = _wait_asked(headers, reply)
            self._quiet_until = max(self._quiet_until, time.monotonic() + seconds)
            raise DeliveryDelayed(f"{self.host} limits the rate", seconds=seconds)
        if status in {401, 403}:
            raise DiscourseForbidden(
                f"{self.host} does not let {self.username} do {method} {path} ({status}): "
                "check the API key and its user's rights",
                seconds=KEY_REJECTED_WAIT,
            )
        if status in {404, 410}:
            raise DiscourseMissing(f"{self.host} has no {path}")
        if status in {400, 409, 413, 422}:
            raise DiscourseRefusal(_sentences(reply, status))
        if status >= 500:
            raise DeliveryUncertain(f"{self.host} failed with {status}")
        if status != 200 or not isinstance(reply, dict):
            raise DeliveryUncertain(f"{self.host} answered {status} with something unreadable")
        return reply

    async def _wait_for_turn(self) -> None:
        while (wait := self._quiet_until - time.monotonic()) > 0:
            await asyncio.sleep(wait)
        await self._limiter.acquire()


async def _limited(reply: aiohttp.ClientResponse) -> str:
    data = bytearray()
    async for chunk in reply.content.iter_chunked(1 << 16):
        data += chunk
        if len(data) > MAX_REPLY_BYTES:
            raise DeliveryUncertain(f"the forum's reply is longer than {MAX_REPLY_BYTES} bytes")
    return data.decode("utf-8", "replace")


def _wait_asked(headers: Mapping[str, str], reply: object) -> float:
    extras = mapping(mapping(reply).get("extras"))
    for said in (headers.get("Retry-After"), extras.get("wait_seconds")):
        try:
            # Whatever stands there is tried; what is no number is passed over.
            seconds = float(said)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            continue
        if 0 <= seconds < 86400:
            return seconds
    return DEFAULT_WAIT


def _sentences(reply: object, status: int) -> list[str]:
    errors = mapping(reply).get("errors")
    found = [str(error)[:300] for error in sequence(errors)][:10]
    return found or [f"status {status}"]


def mapping(value: object) -> dict[str, Any]:
    """Return a JSON object, an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def sequence(value: object) -> list[Any]:
    """Return a JSON array, an empty one for anything else."""
    return value if isinstance(value, list) else []
