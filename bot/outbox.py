"""Posts to be made: written with the result they tell of, delivered exactly once.

An entry is added in the transaction that stores the evaluation, so that a
result without its posts cannot exist. Entries about one subject form a lane and
are delivered in order.

    waiting ──► sending ──► sent          the post is there
       ▲           │  ├──► held ──► sent  a moderator has it; never posted again
       └───────────┘  │      └───► refused
     certainly not    └──► refused        the target will never take it
         made

`sending` is committed before the request leaves. Whoever finds an entry in that
state (after a crash, after a lost reply) must look for the post at the target
before making it again.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from bot.database import row, rows, scalar
from evaluator import Database

MAX_ERROR = 500  # characters kept of what a target said

# The oldest open entry of each lane of a target.
_HEADS_OF_LANES = """
    FROM outbox AS entry
    WHERE target = ? AND state NOT IN ('sent', 'refused')
      AND NOT EXISTS (
        SELECT 1 FROM outbox AS earlier
        WHERE earlier.target = entry.target AND earlier.subject = entry.subject
          AND earlier.id < entry.id AND earlier.state NOT IN ('sent', 'refused'))
"""


class PostKind(StrEnum):
    """What a post is to its subject."""

    PUBLISH = "publish"  # the lasting post: made the first time, edited in place later
    NEWS = "news"  # a further message beside it


class EntryState(StrEnum):
    """Where an outbox entry stands."""

    WAITING = "waiting"
    SENDING = "sending"
    HELD = "held"
    SENT = "sent"
    REFUSED = "refused"


@dataclass(frozen=True, kw_only=True, slots=True)
class NewPost:
    """A post to be, as the composing side hands it over."""

    key: str  # unique for ever: the same key is never added twice
    target: str  # name of the target, e.g. "discourse"
    subject: str  # what the post is about at the target; entries of one subject keep their order
    kind: PostKind
    payload: Mapping[str, Any]  # JSON object, understood by the target alone


@dataclass(frozen=True, kw_only=True, slots=True)
class Post:
    """An entry of the outbox on its way to a target."""

    id: int  # row in the outbox
    key: str
    target: str
    subject: str
    kind: PostKind
    payload: Mapping[str, Any]
    evaluation_id: int | None  # the evaluation it tells of
    attempts: int  # attempts before this one
    state: EntryState  # when it was picked up
    created_at: float  # Unix seconds
    charts: Mapping[str, bytes] = field(default_factory=dict, repr=False)  # name -> PNG

    @property
    def reference(self) -> str:
        """Return the mark that finds this post again at its target: `st` and 16 hex digits.

        The same for every attempt, different for every entry.
        """
        return "st" + hashlib.sha256(self.key.encode()).hexdigest()[:16]


@dataclass(frozen=True, kw_only=True, slots=True)
class Placed:
    """A post that exists at its target."""

    remote: Mapping[str, Any]  # ids by which the target addresses it, JSON object
    url: str = ""  # where people see it


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """A post that the target took and shows to moderators only."""

    note: str


class Outbox:
    """The outbox table and its neighbours `deliveries` and `placements`."""

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock

    def add(self, posts: Iterable[NewPost], *, evaluation_id: int | None = None) -> int:
        """Add `posts` within the caller's transaction; return how many were new.

        A post whose key is known already is left as it is.
        """
        added = 0
        for post in posts:
            cursor = self._database.execute(
                "INSERT OR IGNORE INTO outbox "
                "(key, target, subject, kind, payload, evaluation_id, not_before, created_at) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    post.key,
                    post.target,
                    post.subject,
                    post.kind.value,
                    json.dumps(post.payload),
                    evaluation_id,
                    self._clock(),
                    self._clock(),
                ],
            )
            added += cursor.rowcount
        return added

    def next_due(self, target: str) -> Post | None:
        """Return the entry to work on now: due, and the oldest open one of its lane."""
        found = row(
            self._database,
            f"SELECT * {_HEADS_OF_LANES} AND not_before <= ? ORDER BY not_before, id LIMIT 1",
            [target, self._clock()],
        )
        if found is None:
            return None
        charts = rows(
            self._database,
            "SELECT name, png FROM charts WHERE evaluation_id = ? ORDER BY name",
            [found["evaluation_id"]],
        )
        return Post(
            id=found["id"],
            key=found["key"],
            target=found["target"],
            subject=found["subject"],
            kind=PostKind(found["kind"]),
            payload=json.loads(found["payload"]),
            evaluation_id=found["evaluation_id"],
            attempts=found["attempts"],
            state=EntryState(found["state"]),
            created_at=found["created_at"],
            charts={chart["name"]: bytes(chart["png"]) for chart in charts},
        )

    def seconds_to_next(self, target: str) -> float | None:
        """Return how long until an entry of `target` can be due, None if none is open."""
        earliest = scalar(self._database, f"SELECT min(not_before) {_HEADS_OF_LANES}", [target])
        return None if earliest is None else max(0.0, float(earliest) - self._clock())

    def placement(self, target: str, subject: str) -> Placed | None:
        """Return where the lasting post about `subject` is, None if there is none yet."""
        found = row(
            self._database,
            "SELECT remote, url FROM placements WHERE target = ? AND subject = ?",
            [target, subject],
        )
        if found is None:
            return None
        return Placed(remote=json.loads(found["remote"]), url=found["url"])

    def begin(self, post: Post) -> int:
        """Commit that an attempt is about to leave; return the delivery's row."""
        with self._database.atomic():
            self._database.execute(
                "UPDATE outbox SET state = 'sending', attempts = attempts + 1 WHERE id = ?",
                [post.id],
            )
            return self._open_delivery(post, "making")

    def begin_look(self, post: Post) -> int:
        """Commit that the post is looked for; the entry's state stays. Return the delivery."""
        with self._database.atomic():
            return self._open_delivery(post, "looking")

    def _open_delivery(self, post: Post, outcome: str) -> int:
        cursor = self._database.execute(
            "INSERT INTO deliveries (outbox_id, attempt, started_at, outcome) VALUES (?, ?, ?, ?)",
            [post.id, post.attempts + 1, self._clock(), outcome],
        )
        return int(cursor.lastrowid or 0)

    def sent(self, post: Post, delivery: int, placed: Placed, *, outcome: str = "sent") -> None:
        """Record that the post exists; a PUBLISH also moves the subject's placement."""
        now = self._clock()
        with self._database.atomic():
            self._close(post, delivery, EntryState.SENT, outcome, placed.url, finished=now)
            if post.kind is PostKind.PUBLISH:
                self._database.execute(
                    "INSERT INTO placements (target, subject, remote, url, updated_at) "
                    "VALUES (?, ?, ?, ?, ?) ON CONFLICT (target, subject) DO UPDATE SET "
                    "remote = excluded.remote, url = excluded.url, "
                    "updated_at = excluded.updated_at",
                    [post.target, post.subject, json.dumps(placed.remote), placed.url, now],
                )

    def held(self, post: Post, delivery: int, held: Held, *, look_again: float) -> None:
        """Record that a moderator has the post; look again in `look_again` seconds."""
        with self._database.atomic():
            self._close(post, delivery, EntryState.HELD, "held", held.note, delay=look_again)

    def refused(self, post: Post, delivery: int, reason: str) -> None:
        """Record that the target will never take the post."""
        with self._database.atomic():
            self._close(
                post, delivery, EntryState.REFUSED, "refused", reason, finished=self._clock()
            )

    def not_made(self, post: Post, delivery: int, reason: str, *, delay: float) -> None:
        """Record that the post was certainly not made; it may be tried in `delay` seconds."""
        with self._database.atomic():
            self._close(post, delivery, EntryState.WAITING, "not made", reason, delay=delay)

    def uncertain(self, post: Post, delivery: int, reason: str, *, delay: float) -> None:
        """Record that nobody knows; look for the post in `delay` seconds.

        A held entry stays held: it must not be posted again.
        """
        state = EntryState.HELD if post.state is EntryState.HELD else EntryState.SENDING
        with self._database.atomic():
            self._close(post, delivery, state, "uncertain", reason, delay=delay)

    def _close(
        self,
        post: Post,
        delivery: int,
        state: EntryState,
        outcome: str,
        said: str,
        *,
        delay: float = 0.0,
        finished: float | None = None,
    ) -> None:
        now = self._clock()
        self._database.execute(
            "UPDATE outbox SET state = ?, not_before = ?, finished_at = ?, error = ? WHERE id = ?",
            [
                state.value,
                now + delay,
                finished,
                "" if state is EntryState.SENT else said[:MAX_ERROR],
                post.id,
            ],
        )
        self._database.execute(
            "UPDATE deliveries SET finished_at = ?, outcome = ?, said = ? WHERE id = ?",
            [now, outcome, said[:MAX_ERROR], delivery],
        )

    def resume(self, *, settle: float) -> int:
        """Prepare for work after a start: give the dead process's last requests time to end.

        Returns how many entries were left in doubt. Call it once, before any
        courier works.
        """
        now = self._clock()
        with self._database.atomic():
            cursor = self._database.execute(
                "UPDATE outbox SET not_before = max(not_before, ?) WHERE state = 'sending' "
                "AND id IN (SELECT outbox_id FROM deliveries WHERE outcome = 'making')",
                [now + settle],
            )
            self._database.execute(
                "UPDATE deliveries SET outcome = 'interrupted', finished_at = ? "
                "WHERE outcome IN ('making', 'looking')",
                [now],
            )
            return int(cursor.rowcount)

    def counts(self) -> dict[tuple[str, str], int]:
        """Return the number of entries by (target, state)."""
        return {
            (found["target"], found["state"]): int(found["n"])
            for found in rows(
                self._database,
                "SELECT target, state, count(*) AS n FROM outbox GROUP BY target, state",
            )
        }

    def oldest_open(self) -> float | None:
        """Return the age in seconds of the oldest entry that is neither sent, refused nor held."""
        created = scalar(
            self._database,
            "SELECT min(created_at) FROM outbox WHERE state IN ('waiting', 'sending')",
        )
        return None if created is None else self._clock() - float(created)
