"""The forum behind the Discourse double: topics, posts, moderators, and its refusals."""

from __future__ import annotations

import hashlib
import itertools
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bot.doubles import discourse_payloads as payloads
from bot.doubles import discourse_rules as rules
from bot.doubles.discourse_payloads import StoredPost, StoredTopic
from bot.doubles.discourse_rules import Poster

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """An HTTP request, read and parsed."""

    method: str
    path: str
    query: Sequence[tuple[str, str]]
    headers: Mapping[str, str]
    body: Any  # parsed JSON or the form's fields
    file: bytes = b""  # of an upload


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """A status and a body."""

    status: int
    body: Json | list[Any]
    headers: Mapping[str, str] = field(default_factory=dict)


class Refused(Exception):
    """A request ends with an error."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(str(answer.body))
        self.answer = answer


class Forum:
    """What is on the forum, and what its rules make of a request.

    `topics` and `pending` are what people would see. `clock` gives Unix seconds.
    """

    def __init__(
        self,
        *,
        key: str = "test-key",
        poster: Poster | None = None,
        requests_per_minute: int = 60,
        categories: Mapping[int, int] | None = None,
        memo_seconds: float = rules.MEMO_SECONDS,
        unique_seconds: float = rules.UNIQUE_SECONDS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.key = key
        self.poster = poster or Poster(name="seatrial")
        self.requests_per_minute = requests_per_minute
        self.categories = dict(categories or {5: 1})  # id -> permission of the poster
        self.moderated = False  # whether new posts go to a moderator
        self.topics: list[StoredTopic] = []
        self.pending: list[Json] = []
        self.uploads: dict[str, bytes] = {}  # short_url -> bytes
        self._memo_seconds = memo_seconds
        self._unique_seconds = unique_seconds
        self._clock = clock
        self._ids = itertools.count(1001)
        self._memo: dict[str, tuple[float, Answer]] = {}
        self._texts: dict[str, float] = {}
        self._stamps: deque[float] = deque()

    @property
    def posts(self) -> list[StoredPost]:
        """Return every post that was not deleted, in the order they were made."""
        found = [post for topic in self.topics for post in topic.posts if not post.deleted]
        return sorted(found, key=lambda post: post.id)

    # What people do on the forum.

    def talk(self, topic_id: int, *, user: str = "delegate", raw: str = "I have a view.") -> None:
        """Let somebody else reply in a topic."""
        topic = self._topic(topic_id)
        topic.posts.append(self._stored(topic, user, raw))

    def open_topic(self, title: str, *, user: str = "author", private: bool = False) -> StoredTopic:
        """Let somebody else open a topic."""
        topic = StoredTopic(id=next(self._ids), title=title, user=user, category=5, private=private)
        topic.posts.append(self._stored(topic, user, f"{title}, a proposal."))
        self.topics.append(topic)
        return topic

    def approve(self, index: int = 0, *, keep_external_id: bool = True) -> None:
        """Let a moderator accept a pending post."""
        arguments = dict(self.pending.pop(index))
        if not keep_external_id:
            arguments.pop("external_id", None)
        arguments.pop("id")
        self._store(arguments)

    def reject(self, index: int = 0) -> None:
        """Let a moderator turn a pending post down."""
        self.pending.pop(index)

    # What the API does.

    def answer(self, request: Request) -> Answer:
        """Do what the request asks, or say why not."""
        try:
            self._admit(request)
            return self._route(request)
        except Refused as refused:
            return refused.answer

    def _admit(self, request: Request) -> None:
        now = self._clock()
        while self._stamps and self._stamps[0] <= now - 60.0:
            self._stamps.popleft()
        if len(self._stamps) >= self.requests_per_minute:
            raise Refused(limited(max(1, int(self._stamps[0] + 60.0 - now) + 1)))
        self._stamps.append(now)
        name = request.headers.get("Api-Username", "")
        if request.headers.get("Api-Key") != self.key or name.lower() != self.poster.name.lower():
            raise _errors(
                "You are not permitted to view the requested resource.",
                status=403,
                kind="invalid_access",
            )

    def _route(self, request: Request) -> Answer:
        me, body = self.poster.name, request.body
        parts = request.path.removesuffix(".json").strip("/").split("/")
        match (request.method, parts):
            case ("POST", ["posts"]):
                return self._create(body)
            case ("PUT", ["posts", number]) if number.isdigit():
                return self._edit(int(number), body)
            case ("POST", ["uploads"]):
                return self._upload(request)
            case ("GET", ["posts", number]) if number.isdigit():
                post, topic = self._find(int(number))
                return Answer(status=200, body=payloads.post(post, topic, me=me, raw=True))
            case ("GET", ["posts", user, "pending"]) if user.lower() == me.lower():
                return Answer(status=200, body=payloads.pending(self.pending, user=me))
            case ("GET", ["t", "external_id", wanted]):
                for topic in self.topics:
                    if (topic.external_id or "").lower() == wanted.lower() and not topic.deleted:
                        where = f"/t/{topic.slug}/{topic.id}.json"
                        return Answer(status=301, body={}, headers={"Location": where})
                raise _not_found()
            case ("GET", ["t", number, "posts"]) if number.isdigit():
                topic = self._topic(int(number))
                wanted_ids = {int(value) for name, value in request.query if name == "post_ids[]"}
                there = [p for p in topic.posts if p.id in wanted_ids and not p.deleted]
                return Answer(status=200, body=payloads.posts_of_topic(topic, there, me=me))
            case ("GET", ["t", number]) | ("GET", ["t", _, number]) if number.isdigit():
                return Answer(status=200, body=payloads.topic(self._topic(int(number)), me=me))
            case ("GET", ["search"]):
                return self._search(dict(request.query).get("q", ""))
            case ("GET", ["tags"]):
                tag = {"id": 7, "text": "risk", "name": "risk", "count": 1, "pm_count": 0}
                return Answer(status=200, body={"tags": [tag], "extras": {"categories": []}})
            case ("GET", ["c", number, "show"]) if number.isdigit():
                if int(number) not in self.categories:
                    raise _not_found()
                permission = self.categories[int(number)]
                return Answer(
                    status=200, body=payloads.category(int(number), permission=permission)
                )
        raise _not_found()

    def _create(self, body: Any) -> Answer:
        arguments = body if isinstance(body, dict) else {}
        now, memo = self._clock(), rules.signature(arguments, self.poster.name)
        known = self._memo.get(memo)
        if known is not None and now - known[0] < self._memo_seconds:
            return known[1]
        try:
            answer = self._create_anew(arguments)
        except Refused as refused:
            answer = refused.answer
        self._memo[memo] = (now, answer)
        return answer

    def _create_anew(self, arguments: Json) -> Answer:
        raw = str(arguments.get("raw", ""))
        topic_id = arguments.get("topic_id")
        faults = rules.body_faults(raw, self.poster, first=topic_id is None)
        if topic_id is None:
            faults += rules.title_faults(str(arguments.get("title", "")), self.topics)
            if arguments.get("category") not in self.categories:
                faults.append("Category is invalid")
            elif self.categories[arguments["category"]] != 1:
                raise _errors("You may not post there.", status=403, kind="invalid_access")
            if "external_id" in arguments:
                faults += rules.external_id_faults(str(arguments["external_id"]), self.topics)
        else:
            topic = self._topic(int(topic_id))
            faults += rules.consecutive_faults(topic, self.poster)
        unique = rules.text_key(raw, self.poster.name)
        now = self._clock()
        if not self.poster.staff and now - self._texts.get(unique, -1e9) < self._unique_seconds:
            faults.append("Body is too similar to what you recently posted")
        if faults:
            raise _errors(*faults)
        self._texts[unique] = now
        if self.moderated:
            self.pending.append({"id": next(self._ids), **arguments})
            return Answer(
                status=200,
                body={"action": "enqueued", "success": True, "pending_count": len(self.pending)},
            )
        post, topic = self._store(arguments)
        return Answer(
            status=200, body=payloads.post(post, topic, me=self.poster.name, raw=True, created=True)
        )

    def _store(self, arguments: Mapping[str, Any]) -> tuple[StoredPost, StoredTopic]:
        name, topic_id = self.poster.name, arguments.get("topic_id")
        if topic_id is None:
            topic = StoredTopic(
                id=next(self._ids),
                title=str(arguments["title"]),
                user=name,
                category=int(arguments["category"]),
                external_id=arguments.get("external_id"),
                tags=list(arguments.get("tags", ())),
            )
            self.topics.append(topic)
        else:
            topic = self._topic(int(topic_id))
        post = self._stored(topic, name, str(arguments["raw"]))
        topic.posts.append(post)
        return post, topic

    def _stored(self, topic: StoredTopic, user: str, raw: str) -> StoredPost:
        number = topic.posts[-1].number + 1 if topic.posts else 1
        return StoredPost(id=next(self._ids), topic_id=topic.id, number=number, user=user, raw=raw)

    def _edit(self, number: int, body: Any) -> Answer:
        post, topic = self._find(number)
        change = body.get("post", {}) if isinstance(body, dict) else {}
        raw = str(change.get("raw", ""))
        if post.user != self.poster.name:
            raise _errors("You may not edit this.", status=403, kind="invalid_access")
        if change.get("original_text") not in (None, post.raw):
            raise _errors("That post was edited by another user.", status=409)
        faults = rules.body_faults(raw, self.poster, first=post.number == 1)
        if faults:
            raise _errors(*faults)
        if raw != post.raw:
            post.revisions.append(post.raw)
            post.raw = raw
            post.reason = change.get("edit_reason")
        return Answer(status=200, body=payloads.updated_post(post, topic, me=self.poster.name))

    def _upload(self, request: Request) -> Answer:
        form = request.body if isinstance(request.body, dict) else {}
        name = str(form.get("file", ""))
        faults = rules.upload_faults(name, form.get("upload_type") or form.get("type"))
        if faults:
            raise _errors(*faults)
        sha1 = hashlib.sha1(request.file).hexdigest()  # noqa: S324 - as Discourse names uploads
        answer = payloads.upload(next(self._ids), name=name, size=len(request.file), sha1=sha1)
        self.uploads[answer["short_url"]] = request.file
        return Answer(status=200, body=answer)

    def _search(self, term: str) -> Answer:
        found = [
            (post, topic)
            for topic in self.topics
            for post in topic.posts
            if term and term.lower() in post.raw.lower() and not post.deleted
        ]
        return Answer(status=200, body=payloads.search(term, found))

    def _topic(self, number: int) -> StoredTopic:
        for topic in self.topics:
            if topic.id == number and not topic.deleted:
                if topic.private:
                    raise _errors("Private.", status=403, kind="invalid_access")
                return topic
        raise _not_found()

    def _find(self, number: int) -> tuple[StoredPost, StoredTopic]:
        for topic in self.topics:
            for post in topic.posts:
                if post.id == number and not post.deleted and not topic.deleted:
                    return post, topic
        raise _not_found()


def _not_found() -> Refused:
    return _errors(
        "The requested URL or resource could not be found.", status=404, kind="not_found"
    )


def limited(seconds: int) -> Answer:
    """Return the reply to a request too many."""
    return Answer(
        status=429,
        body={
            "errors": [f"You’ve performed this action too many times, wait {seconds} seconds."],
            "error_type": "rate_limit",
            "extras": {"wait_seconds": seconds},
        },
        headers={"Retry-After": str(seconds)},
    )


def _errors(*sentences: str, status: int = 422, kind: str | None = None) -> Refused:
    body: Json = {"errors": list(sentences)}
    if kind:
        body["error_type"] = kind
    if status == 422:
        body = {"action": "create_post", **body}
    return Refused(Answer(status=status, body=body))
