"""What Discourse refuses, with its default site settings.

The sentences are Discourse's own in English; the client must not depend on
them. Sources: `posts_controller.rb`, `post_validator.rb`, `topic.rb`,
`text_sentinel.rb` of discourse/discourse.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot.doubles.discourse_payloads import StoredTopic

MEMO_SECONDS = 120.0  # an identical API request within this time gets the first one's reply
UNIQUE_SECONDS = 300.0  # the same text again by the same user within this time is refused
TITLE_LENGTH = range(15, 256)
BODY_LENGTH = range(20, 32_001)  # of a first post; a reply may have 5
SHORTEST_REPLY = 5
LONGEST_TITLE_WORD = 30
CONSECUTIVE_REPLIES = 3
UPLOADS = frozenset({"jpg", "jpeg", "png", "gif", "heic", "heif", "webp"})
NEW_USER_LINKS = 2
NEW_USER_IMAGES = 1
_EXTERNAL_ID = re.compile(r"[\w-]+\Z", re.ASCII)
_IMAGE = re.compile(r"!\[[^\]]*\]\([^)]+\)")
_LINK = re.compile(r"https?://[^\s)]+")


@dataclass(frozen=True, kw_only=True, slots=True)
class Poster:
    """The user the API key belongs to."""

    name: str
    trust_level: int = 1  # 0 is a new user
    staff: bool = False


def signature(arguments: Mapping[str, object], user: str) -> str:
    """Return the key under which an identical request is remembered."""
    pairs = sorted((key, str(value)) for key, value in arguments.items())
    return hashlib.sha1(repr([*pairs, ("user", user)]).encode()).hexdigest()  # noqa: S324


def text_key(raw: str, user: str) -> str:
    """Return the key under which a text is remembered as just posted."""
    squeezed = re.sub(r"\s", "", raw)
    return hashlib.sha1(f"{user}:{squeezed}".encode()).hexdigest()  # noqa: S324


def title_faults(title: str, topics: Sequence[StoredTopic]) -> list[str]:
    """Return what is wrong with a topic's title."""
    faults = []
    if len(title) < TITLE_LENGTH.start:
        faults.append(f"Title is too short (minimum is {TITLE_LENGTH.start} characters)")
    if len(title) >= TITLE_LENGTH.stop:
        faults.append(f"Title is too long (maximum is {TITLE_LENGTH.stop - 1} characters)")
    if any(len(word) > LONGEST_TITLE_WORD for word in title.split()):
        faults.append("Title seems unclear, one or more words is very long?")
    same = title.strip().lower()
    if any(topic.title.strip().lower() == same and not topic.deleted for topic in topics):
        faults.append("Title has already been used")
    return faults


def body_faults(raw: str, poster: Poster, *, first: bool) -> list[str]:
    """Return what is wrong with a post's text."""
    faults = []
    shortest = BODY_LENGTH.start if first else SHORTEST_REPLY
    if len(raw.strip()) < shortest:
        faults.append(f"Body is too short (minimum is {shortest} characters)")
    if len(raw) >= BODY_LENGTH.stop:
        faults.append(
            f"Body is limited to {BODY_LENGTH.stop - 1} characters; you entered {len(raw)}."
        )
    if poster.trust_level == 0 and not poster.staff:
        if len(_IMAGE.findall(raw)) > NEW_USER_IMAGES:
            faults.append("Sorry, new users can only put one image in a post.")
        if len(_LINK.findall(raw)) > NEW_USER_LINKS:
            faults.append(f"Sorry, new users can only put {NEW_USER_LINKS} links in a post.")
    return faults


def external_id_faults(external_id: str, topics: Sequence[StoredTopic]) -> list[str]:
    """Return what is wrong with a topic's external_id; a deleted topic keeps its own."""
    if len(external_id) > 50 or not _EXTERNAL_ID.match(external_id):
        return ["External is invalid"]
    taken = {topic.external_id.lower() for topic in topics if topic.external_id}
    return ["External has already been taken"] if external_id.lower() in taken else []


def consecutive_faults(topic: StoredTopic, poster: Poster) -> list[str]:
    """Return a fault if the topic's last posts are all the poster's."""
    if poster.staff:
        return []
    last = [post for post in topic.posts if not post.deleted][-CONSECUTIVE_REPLIES:]
    if len(last) == CONSECUTIVE_REPLIES and all(post.user == poster.name for post in last):
        return [
            f"No more than {CONSECUTIVE_REPLIES} consecutive replies are allowed. Please edit "
            "your previous reply, or wait for someone to reply to you."
        ]
    return []


def upload_faults(name: str, kind: str | None) -> list[str]:
    """Return what is wrong with an upload."""
    if not kind:
        return ["param is missing or the value is empty: upload_type"]
    if name.rsplit(".", 1)[-1].lower() not in UPLOADS:
        return [
            "Sorry, the file you are trying to upload is not authorized (authorized extensions: "
            f"{', '.join(sorted(UPLOADS))})."
        ]
    return []
