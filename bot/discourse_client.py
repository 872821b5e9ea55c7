"""What the bot does on a Discourse forum, by its HTTP API.

Failures are sorted in `discourse_wire`. Reading is tried again there; writing only by
the courier, which looks for the post first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

import aiohttp
from pydantic import SecretStr

from bot.discourse_wire import (
    DiscourseMissing,
    DiscourseRefusal,
    DiscourseWire,
    mapping,
    sequence,
)
from bot.errors import DeliveryUncertain

POSTS_AT_ONCE = 20  # posts asked for in one request, Discourse's own page size


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
        self._wire = DiscourseWire(
            url,
            username=username,
            api_key=api_key,
            requests_per_minute=requests_per_minute,
            timeout=timeout,
        )

    @property
    def username(self) -> str:
        """Return the name the posts are made under."""
        return self._wire.username

    @property
    def host(self) -> str:
        """Return the forum's host, for people and for comparing links."""
        return self._wire.host

    async def __aenter__(self) -> DiscourseClient:
        await self._wire.__aenter__()
        return self

    async def __aexit__(self, *details: object) -> None:
        await self._wire.__aexit__(*details)

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
        reply = await self._wire.send("POST", "/posts.json", json_body=body)
        if reply.get("action") == "enqueued":
            return Enqueued()
        return self._post(reply.get("post", reply))

    async def edit_post(self, post_id: int, raw: str, *, reason: str) -> ForumPost:
        """Replace a post's text; doing it twice is the same as once."""
        body = {"post": {"raw": raw, "edit_reason": reason}}
        reply = await self._wire.send("PUT", f"/posts/{post_id}.json", json_body=body)
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
                reply = await self._wire.send("POST", "/uploads.json", form=form)
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
            return self._post(await self._wire.read(f"/posts/{post_id}.json"))
        except DiscourseMissing:
            return None

    async def latest_posts(self, topic: ForumTopic, count: int) -> list[ForumPost]:
        """Return up to `count` of the topic's posts, newest first."""
        found: list[ForumPost] = []
        wanted = list(reversed(topic.stream))[:count]
        for start in range(0, len(wanted), POSTS_AT_ONCE):
            query = [("post_ids[]", str(n)) for n in wanted[start : start + POSTS_AT_ONCE]]
            reply = await self._wire.read(f"/t/{topic.id}/posts.json", query=query)
            posts = mapping(reply.get("post_stream")).get("posts")
            found += [self._post(post) for post in sequence(posts)]
        return sorted(found, key=lambda post: post.number, reverse=True)

    async def pending_texts(self) -> list[str]:
        """Return the raw texts of this user's posts that wait for a moderator."""
        reply = await self._wire.read(f"/posts/{quote(self._wire.username, safe='')}/pending.json")
        return [str(mapping(p).get("raw_text", "")) for p in sequence(reply.get("pending_posts"))]

    async def search_posts(self, term: str) -> list[int]:
        """Return the ids of posts that the forum's search finds for `term`."""
        reply = await self._wire.read("/search.json", query=[("q", term)])
        posts = [mapping(post) for post in sequence(reply.get("posts"))]
        return [post["id"] for post in posts if isinstance(post.get("id"), int)]

    async def tag_objects(self, names: Sequence[str]) -> list[Mapping[str, object] | str]:
        """Return `names` in the form this forum wants: objects where tags have numeric ids."""
        if not names:
            return []
        reply = await self._wire.read("/tags.json")
        known = {
            str(tag.get("name") or tag.get("text")): tag.get("id")
            for tag in map(mapping, sequence(reply.get("tags")))
        }
        if not any(isinstance(number, int) for number in known.values()):
            return list(names)
        return [
            {"id": known[name], "name": name} if isinstance(known.get(name), int) else name
            for name in names
        ]

    async def category_permission(self, category: int) -> int | None:
        """Return what this user may do in a category: 1 create, 2 reply, 3 read."""
        reply = await self._wire.read(f"/c/{category}/show.json")
        permission = mapping(reply.get("category")).get("permission")
        return permission if isinstance(permission, int) else None

    async def _topic_or_none(self, path: str) -> ForumTopic | None:
        try:
            reply = await self._wire.read(path)
        except DiscourseMissing:
            return None
        stream = mapping(reply.get("post_stream"))
        if not isinstance(reply.get("id"), int):
            raise DeliveryUncertain(f"Discourse answered {path} without a topic")
        return ForumTopic(
            id=reply["id"],
            title=str(reply.get("title", "")),
            stream=tuple(n for n in sequence(stream.get("stream")) if isinstance(n, int)),
            first_posts=tuple(
                self._post({**mapping(post), "topic_id": reply["id"]})
                for post in sequence(stream.get("posts"))
            ),
        )

    def _post(self, reply: object) -> ForumPost:
        found = mapping(reply)
        if not isinstance(found.get("id"), int) or not isinstance(found.get("topic_id"), int):
            raise DeliveryUncertain("Discourse answered without a post's id")
        path = str(found.get("post_url") or f"/t/{found['topic_id']}/{found.get('post_number')}")
        return ForumPost(
            id=found["id"],
            topic_id=found["topic_id"],
            number=found["post_number"] if isinstance(found.get("post_number"), int) else 0,
            username=str(found.get("username", "")),
            text=str(found.get("raw") or found.get("cooked") or ""),
            url=self._wire.base + path if path.startswith("/") else self._wire.base,
        )
