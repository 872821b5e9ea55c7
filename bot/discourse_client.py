"""A small client of the Discourse HTTP API.

Sorts every failure into what it means for a post: certainly not made
(DeliveryDelayed), nobody knows (DeliveryUncertain), never (DeliveryRefused).
Reading requests are tried again here; writing ones only by the courier, which
looks for the post first.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

import aiohttp
import tenacity
from aiolimiter import AsyncLimiter
from pydantic import SecretStr

from bot.errors import DeliveryDelayed, DeliveryRefused, DeliveryUncertain

log = logging.getLogger(__name__)

MAX_REPLY_BYTES = 8 << 20
POSTS_AT_ONCE = 20  # posts asked for in one request, Discourse's own page size
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


@dataclass(frozen=True, kw_only=True, slots=True)
class ForumPost:
    """A post as the forum has it."""

    id: int
    topic_id: int
    number: int  # 1 is the topic's first post
    username: str
    text: str  # raw Markdown if the reply held it, otherwise the cooked HTML
    url: str  # absolute


@dataclass(frozen=True, kw_only=True, slots=True)
class ForumTopic:
    """A topic with the ids of its posts in order."""

    id: int
    title: str
    stream: tuple[int, ...]  # post ids, oldest first
    first_posts: tuple[ForumPost, ...]  # as many as the forum sent along


@dataclass(frozen=True, kw_only=True, slots=True)
class Enqueued:
    """A post that waits for a moderator."""


class DiscourseClient:
    """Talks to one forum as one user; use as an async context manager.

    Requests are spread to `requests_per_minute`; after a 429 everything waits
    as long as the forum asked.
    """

    def __init__(
        self,
        url: SecretStr,
        *,
        username: str,
        api_key: SecretStr,
        requests_per_minute: int = 50,
        timeout: float = 30.0,
    ) -> None:
        self._base = url.get_secret_value().rstrip("/")
        self._username = username
        self._api_key = api_key
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._limiter = AsyncLimiter(max(1, requests_per_minute // 6), 10.0)
        self._quiet_until = 0.0  # monotonic time before which nothing is sent
        self._session: aiohttp.ClientSession | None = None

    @property
    def username(self) -> str:
        """Return the name the posts are made under."""
        return self._username

    @property
    def host(self) -> str:
        """Return the forum's host, for people and for comparing links."""
        return urlsplit(self._base).hostname or ""

    async def __aenter__(self) -> DiscourseClient:
        self._session = aiohttp.ClientSession(
            timeout=self._timeout,
            headers={
                "Api-Key": self._api_key.get_secret_value(),
                "Api-Username": self._username,
                "Accept": "application/json",
                "User-Agent": "seatrial-bot",
            },
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    # Writing. None of these is retried here.

    async def create_post(
        self,
        raw: str,
        *,
        title: str | None = None,
        category: int | None = None,
        external_id: str | None = None,
        tags: Sequence[Mapping[str, object] | str] = (),
        topic_id: int | None = None,
    ) -> ForumPost | Enqueued:
        """Make a topic (with `title`) or a reply (with `topic_id`)."""
        body: dict[str, object] = {"raw": raw}
        for name, value in (
            ("title", title),
            ("category", category),
            ("external_id", external_id),
            ("topic_id", topic_id),
        ):
            if value is not None:
                body[name] = value
        if tags:
            body["tags"] = list(tags)
        reply = await self._send("POST", "/posts.json", json_body=body)
        if reply.get("action") == "enqueued":
            return Enqueued()
        return self._post(reply.get("post", reply))

    async def edit_post(self, post_id: int, raw: str, *, reason: str) -> ForumPost:
        """Replace a post's text; doing it twice is the same as once."""
        body = {"post": {"raw": raw, "edit_reason": reason}}
        reply = await self._send("PUT", f"/posts/{post_id}.json", json_body=body)
        return self._post(reply.get("post"))

    async def upload_png(self, name: str, png: bytes) -> str:
        """Upload a chart and return its `upload://` address.

        The same bytes give the same address, so that a retried post is
        identical to the first attempt.
        """
        for older in (False, True):
            form = aiohttp.FormData()
            form.add_field("upload_type", "composer")
            if older:  # servers before the parameter was renamed
                form.add_field("type", "composer")
            form.add_field("synchronous", "true")
            form.add_field("file", png, filename=f"{name}.png", content_type="image/png")
            try:
                reply = await self._send("POST", "/uploads.json", form=form)
            except DiscourseRefusal:
                if older:
                    raise
                continue
            short_url = reply.get("short_url")
            if isinstance(short_url, str) and short_url.startswith("upload://"):
                return short_url
            break
        raise DeliveryUncertain("Discourse answered an upload without a short_url")

    # Reading. Tried again on faults that pass.

    async def topic_by_external_id(self, external_id: str) -> ForumTopic | None:
        """Return the topic that carries `external_id`, None if there is none."""
        path = f"/t/external_id/{quote(external_id, safe='')}.json"
        return await self._topic_or_none(path)

    async def topic(self, topic_id: int) -> ForumTopic | None:
        """Return a topic, None if it is gone or not for this user."""
        return await self._topic_or_none(f"/t/{topic_id}.json")

    async def post(self, post_id: int) -> ForumPost | None:
        """Return a post with its raw text, None if it is gone."""
        try:
            return self._post(await self._read(f"/posts/{post_id}.json"))
        except DiscourseMissing:
            return None

    async def latest_posts(self, topic: ForumTopic, count: int) -> list[ForumPost]:
        """Return up to `count` of the topic's posts, newest first."""
        found: list[ForumPost] = []
        wanted = list(reversed(topic.stream))[:count]
        for start in range(0, len(wanted), POSTS_AT_ONCE):
            query = [("post_ids[]", str(n)) for n in wanted[start : start + POSTS_AT_ONCE]]
            reply = await self._read(f"/t/{topic.id}/posts.json", query=query)
            posts = _mapping(reply.get("post_stream")).get("posts")
            found += [self._post(post) for post in _sequence(posts)]
        return sorted(found, key=lambda post: post.number, reverse=True)

    async def pending_texts(self) -> list[str]:
        """Return the raw texts of this user's posts that wait for a moderator."""
        reply = await self._read(f"/posts/{quote(self._username, safe='')}/pending.json")
        return [str(_mapping(p).get("raw_text", "")) for p in _sequence(reply.get("pending_posts"))]

    async def search_posts(self, term: str) -> list[int]:
        """Return the ids of posts that the forum's search finds for `term`."""
        reply = await self._read("/search.json", query=[("q", term)])
        posts = [_mapping(post) for post in _sequence(reply.get("posts"))]
        return [post["id"] for post in posts if isinstance(post.get("id"), int)]

    async def tag_objects(self, names: Sequence[str]) -> list[Mapping[str, object] | str]:
        """Return `names` in the form this forum wants: objects where tags have numeric ids."""
        if not names:
            return []
        reply = await self._read("/tags.json")
        known = {
            str(tag.get("name") or tag.get("text")): tag.get("id")
            for tag in map(_mapping, _sequence(reply.get("tags")))
        }
        if not any(isinstance(number, int) for number in known.values()):
            return list(names)
        return [
            {"id": known[name], "name": name} if isinstance(known.get(name), int) else name
            for name in names
        ]

    async def category_permission(self, category: int) -> int | None:
        """Return what this user may do in a category: 1 create, 2 reply, 3 read."""
        reply = await self._read(f"/c/{category}/show.json")
        permission = _mapping(reply.get("category")).get("permission")
        return permission if isinstance(permission, int) else None

    # The wire.

    async def _topic_or_none(self, path: str) -> ForumTopic | None:
        try:
            reply = await self._read(path)
        except DiscourseMissing:
            return None
        stream = _mapping(reply.get("post_stream"))
        if not isinstance(reply.get("id"), int):
            raise DeliveryUncertain(f"Discourse answered {path} without a topic")
        return ForumTopic(
            id=reply["id"],
            title=str(reply.get("title", "")),
            stream=tuple(n for n in _sequence(stream.get("stream")) if isinstance(n, int)),
            first_posts=tuple(
                self._post({**_mapping(post), "topic_id": reply["id"]})
                for post in _sequence(stream.get("posts"))
            ),
        )

    def _post(self, reply: object) -> ForumPost:
        found = _mapping(reply)
        if not isinstance(found.get("id"), int) or not isinstance(found.get("topic_id"), int):
            raise DeliveryUncertain("Discourse answered without a post's id")
        path = str(found.get("post_url") or f"/t/{found['topic_id']}/{found.get('post_number')}")
        return ForumPost(
            id=found["id"],
            topic_id=found["topic_id"],
            number=found["post_number"] if isinstance(found.get("post_number"), int) else 0,
            username=str(found.get("username", "")),
            text=str(found.get("raw") or found.get("cooked") or ""),
            url=self._base + path if path.startswith("/") else self._base,
        )

    async def _read(self, path: str, *, query: Sequence[tuple[str, str]] = ()) -> dict[str, Any]:
        async for attempt in tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception_type(DeliveryUncertain),
            stop=tenacity.stop_after_attempt(3),
            wait=tenacity.wait_random_exponential(multiplier=0.3, max=5.0),
            reraise=True,
        ):
            with attempt:
                return await self._send("GET", path, query=query)
        raise DeliveryUncertain(f"Discourse did not answer {path}")  # pragma: no cover

    async def _send(
        self,
        method: str,
        path: str,
        *,
        query: Sequence[tuple[str, str]] = (),
        json_body: object = None,
        form: aiohttp.FormData | None = None,
    ) -> dict[str, Any]:
        if self._session is None:
            raise RuntimeError("DiscourseClient is used outside its context")
        await self._wait_for_turn()
        try:
            url = self._base + path
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
            origin = urlsplit(self._base)
            return f"{origin.scheme}://{origin.netloc}{location}"
        here, there = urlsplit(self._base), urlsplit(location)
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
                f"{self.host} does not let {self._username} do {method} {path} ({status}): "
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
    extras = _mapping(_mapping(reply).get("extras"))
    for said in (headers.get("Retry-After"), extras.get("wait_seconds")):
        try:
            seconds = float(said)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            continue
        if 0 <= seconds < 86400:
            return seconds
    return DEFAULT_WAIT


def _sentences(reply: object, status: int) -> list[str]:
    errors = _mapping(reply).get("errors")
    found = [str(error)[:300] for error in _sequence(errors)][:10]
    return found or [f"status {status}"]


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _sequence(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
