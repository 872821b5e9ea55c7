"""Publishes to Discourse: a topic, or a reply in the DAO's own topic, edited in place.

How a post is found again after a lost reply: a topic by its external_id, a
reply or an edit by the reference line in its text, a post under moderation in
the user's pending posts.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from bot.discourse_client import DiscourseClient, Enqueued, ForumPost, ForumTopic
from bot.discourse_text import (
    Change,
    charts_named,
    distinct_title,
    post_body,
    with_charts,
)
from bot.discourse_wire import DiscourseForbidden, DiscourseMissing, DiscourseRefusal
from bot.errors import DeliveryRefused, DeliveryUncertain
from bot.outbox import EntryState, Held, Placed, Post, PostKind
from bot.settings import DiscourseSettings

log = logging.getLogger(__name__)

LOOK_BACK = 100  # newest posts of a topic in which a reply is looked for
CONSECUTIVE = 3  # own posts in a row after which Discourse refuses a further one


class DiscoursePayload(BaseModel):
    """What an outbox entry says to Discourse."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str  # of a topic of our own
    external_id: str  # of a topic of our own
    category: int
    markdown: str  # with ![words](chart:name) where images go
    topics: tuple[int, ...] = ()  # existing topics to reply in, tried in order
    changes: tuple[tuple[str, str], ...] = ()  # changelog: when, what
    edit_reason: str = "re-evaluated"
    more: str = ""  # where the full report is, a sentence


class DiscourseTarget:
    """The Discourse side of the outbox; implements `bot.courier.Target`."""

    def __init__(self, client: DiscourseClient, settings: DiscourseSettings) -> None:
        self._client = client
        self._settings = settings

    @property
    def name(self) -> str:
        """Return "discourse"."""
        return "discourse"

    async def deliver(self, post: Post, placement: Placed | None) -> Placed | Held:
        """Make a topic or reply, or edit the one at `placement`; see `bot.courier.Target`."""
        payload = _payload(post)
        raw = await self._raw(post, payload)
        if post.kind is PostKind.NEWS:
            return await self._news(raw, placement)
        if placement is not None:
            return await self._edit(int(placement.remote["post_id"]), raw, payload)
        topic = await self._existing_topic(payload)
        if topic is not None:
            return self._result(await self._client.create_post(raw, topic_id=topic.id))
        return await self._own_topic(post, payload, raw)

    async def find(self, post: Post, placement: Placed | None) -> Placed | Held | None:
        """Look for the post by external_id or reference; see `bot.courier.Target`."""
        payload = _payload(post)
        if post.kind is PostKind.PUBLISH and placement is not None:
            there = await self._client.post(int(placement.remote["post_id"]))
            return _placed(there) if there and post.reference in there.text else None
        for topic in await self._places_to_look(post, payload, placement):
            for candidate in await self._client.latest_posts(topic, LOOK_BACK):
                if self._is_ours(candidate, post.reference):
                    return _placed(candidate)
        if any(post.reference in text for text in await self._pending()):
            return Held(note="waits for a moderator")
        if post.state is EntryState.HELD:
            # An approved topic may have lost its external_id on the way.
            for number in await self._client.search_posts(post.reference):
                found = await self._client.post(number)
                if found is not None and self._is_ours(found, post.reference):
                    return _placed(found)
        return None

    async def _raw(self, post: Post, payload: DiscoursePayload) -> str:
        addresses = {}
        for name in charts_named(payload.markdown):
            if name in post.charts:
                addresses[name] = await self._client.upload_png(name, post.charts[name])
        return post_body(
            with_charts(payload.markdown, addresses),
            reference=post.reference,
            limit=self._settings.post_length,
            changes=[Change(when=when, text=text) for when, text in payload.changes],
            more=payload.more,
        )

    async def _own_topic(self, post: Post, payload: DiscoursePayload, raw: str) -> Placed | Held:
        tags = await self._client.tag_objects(self._settings.tags)
        titles = (
            payload.title,
            distinct_title(payload.title, post.reference, longest=self._settings.title_length),
        )
        for number, title in enumerate(titles):
            try:
                return self._result(
                    await self._client.create_post(
                        raw,
                        title=title,
                        category=payload.category,
                        external_id=payload.external_id,
                        tags=tags,
                    )
                )
            except DiscourseRefusal:
                # Refused, so not made. Is the topic there already (a database restored
                # from a backup), or is it only the title that another topic has?
                topic = await self._client.topic_by_external_id(payload.external_id)
                if topic is not None and topic.stream:
                    return await self._edit(topic.stream[0], raw, payload)
                if number == len(titles) - 1:
                    raise
        raise DeliveryRefused("no title was accepted")  # pragma: no cover - the loop returns

    async def _edit(self, post_id: int, raw: str, payload: DiscoursePayload) -> Placed:
        try:
            return _placed(await self._client.edit_post(post_id, raw, reason=payload.edit_reason))
        except DiscourseMissing as error:
            raise DeliveryRefused(
                f"post {post_id} was removed from the forum; it is not made again"
            ) from error

    async def _news(self, raw: str, placement: Placed | None) -> Placed | Held:
        if placement is None:
            raise DeliveryRefused("there is no post this could be news about")
        topic_id = int(placement.remote["topic_id"])
        topic = await self._client.topic(topic_id)
        if topic is None:
            raise DeliveryRefused(f"topic {topic_id} was removed from the forum")
        newest = await self._client.latest_posts(topic, CONSECUTIVE)
        if len(newest) == CONSECUTIVE and all(self._by_us(post) for post in newest):
            # Discourse refuses a fourth in a row; the edited post tells the same in its changelog.
            return Placed(remote={**placement.remote, "folded": True}, url=placement.url)
        return self._result(await self._client.create_post(raw, topic_id=topic_id))

    async def _existing_topic(self, payload: DiscoursePayload) -> ForumTopic | None:
        for number in payload.topics:
            try:
                topic = await self._client.topic(number)
            except DiscourseForbidden:
                log.warning("topic %d is not for us to read; a topic of our own is made", number)
                continue
            if topic is not None:
                return topic
        return None

    async def _places_to_look(
        self, post: Post, payload: DiscoursePayload, placement: Placed | None
    ) -> list[ForumTopic]:
        if placement is not None:
            topic = await self._client.topic(int(placement.remote["topic_id"]))
            return [topic] if topic else []
        if post.kind is PostKind.NEWS:
            return []
        own = await self._client.topic_by_external_id(payload.external_id)
        existing = await self._existing_topic(payload)
        return [topic for topic in (own, existing) if topic is not None]

    async def _pending(self) -> list[str]:
        try:
            return await self._client.pending_texts()
        except (DiscourseMissing, DiscourseForbidden) as error:
            raise DeliveryUncertain("the forum does not show our pending posts") from error

    def _is_ours(self, post: ForumPost, reference: str) -> bool:
        return self._by_us(post) and reference in post.text

    def _by_us(self, post: ForumPost) -> bool:
        return post.username.lower() == self._client.username.lower()

    def _result(self, made: ForumPost | Enqueued) -> Placed | Held:
        if isinstance(made, Enqueued):
            return Held(note="waits for a moderator")
        return _placed(made)


def _placed(post: ForumPost) -> Placed:
    return Placed(remote={"post_id": post.id, "topic_id": post.topic_id}, url=post.url)


def _payload(post: Post) -> DiscoursePayload:
    try:
        return DiscoursePayload.model_validate(_plain(post.payload))
    except ValidationError as error:
        raise DeliveryRefused(f"outbox entry {post.id} is not for Discourse: {error}") from error


def _plain(payload: Mapping[str, Any]) -> dict[str, Any]:
    return dict(payload)
