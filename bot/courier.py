"""Delivers the outbox: one loop per target, one attempt at a time.

A target is told nothing about retries or crashes. It must be able to do two
things: make a post, and find a post it may have made (`Target.find`) by the
target's own means: Discourse's external_id or the post's reference in the
topic, Discord's nonce and the reference in recent own messages.
"""

from __future__ import annotations

import asyncio
import logging
import random
from dataclasses import dataclass
from typing import Protocol

from bot.errors import DeliveryDelayed, DeliveryRefused, DeliveryUncertain, SeatrialError
from bot.outbox import EntryState, Held, Outbox, Placed, Post
from bot.settings import OutboxSettings

log = logging.getLogger(__name__)


class Target(Protocol):
    """A place posts are delivered to."""

    @property
    def name(self) -> str:
        """Return the name by which outbox entries call the target."""
        ...

    async def deliver(self, post: Post, placement: Placed | None) -> Placed | Held:
        """Make the post, or bring the subject's lasting post to this content.

        `placement` is the lasting post about the same subject, if one was
        made. A PUBLISH with a placement edits in place. For a NEWS post the
        return value is the message itself.

        Raises DeliveryDelayed (certainly not made, come back later),
        DeliveryRefused (never), DeliveryUncertain (the reply was lost). Any
        other exception counts as DeliveryUncertain.
        """
        ...

    async def find(self, post: Post, placement: Placed | None) -> Placed | Held | None:
        """Look for the post of an earlier attempt; None if it is certainly not there.

        Raises DeliveryUncertain or DeliveryDelayed when it cannot look.
        """
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Backoff:
    """How long to wait after the n-th failure."""

    first: float  # seconds
    most: float  # seconds

    def seconds(self, attempts: int) -> float:
        """Return the wait after `attempts` failures: doubled each time, jittered by a quarter."""
        wait = min(self.most, self.first * 2.0 ** min(attempts, 30))
        return wait * (0.75 + 0.5 * random.random())  # noqa: S311 - spreads load, guards nothing


class Courier:
    """Delivers the entries of one target until it is stopped."""

    def __init__(self, outbox: Outbox, target: Target, settings: OutboxSettings) -> None:
        self._outbox = outbox
        self._target = target
        self._settings = settings
        self._backoff = Backoff(first=settings.retry_after, most=settings.retry_at_most)
        self._wake = asyncio.Event()
        self._stopping = False

    @property
    def name(self) -> str:
        """Return the target's name."""
        return self._target.name

    def wake(self) -> None:
        """Tell that the outbox has something new."""
        self._wake.set()

    def stop(self) -> None:
        """End after the attempt under way."""
        self._stopping = True
        self._wake.set()

    async def run(self) -> None:
        """Deliver what is due, sleep until more is, until stopped."""
        while not self._stopping:
            if await self.step():
                continue
            wait = self._outbox.seconds_to_next(self._target.name)
            await self._sleep(60.0 if wait is None else min(60.0, wait))

    async def _sleep(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._wake.wait(), seconds)
        except TimeoutError:
            return
        finally:
            self._wake.clear()

    async def step(self) -> bool:
        """Work on one due entry; return whether there was one."""
        post = self._outbox.next_due(self._target.name)
        if post is None:
            return False
        placement = self._outbox.placement(post.target, post.subject)
        if post.state is EntryState.WAITING:
            await self._make(post, placement)
        else:
            await self._look(post, placement)
        return True

    async def _look(self, post: Post, placement: Placed | None) -> None:
        delivery = self._outbox.begin_look(post)
        try:
            found = await self._target.find(post, placement)
        except DeliveryDelayed as error:
            self._outbox.uncertain(post, delivery, str(error), delay=error.seconds)
            return
        except SeatrialError as error:
            self._doubt(post, delivery, str(error))
            return
        except Exception as error:  # a fault of ours in a target must not stop the others
            log.exception("looking for post %s at %s failed", post.reference, post.target)
            self._doubt(post, delivery, repr(error))
            return
        if isinstance(found, Placed):
            self._outbox.sent(post, delivery, found, outcome="found")
            log.info("post %s was there already: %s", post.reference, found.url)
        elif isinstance(found, Held):
            self._outbox.held(post, delivery, found, look_again=self._settings.held_poll)
        elif post.state is EntryState.HELD:
            self._outbox.refused(post, delivery, "a moderator did not accept the post")
            log.warning("post %s was not accepted by a moderator", post.reference)
        else:
            self._outbox.not_made(post, delivery, "it is not there", delay=0.0)

    async def _make(self, post: Post, placement: Placed | None) -> None:
        delivery = self._outbox.begin(post)
        try:
            result = await self._target.deliver(post, placement)
        except DeliveryDelayed as error:
            delay = max(error.seconds, 0.0)
            self._outbox.not_made(post, delivery, str(error), delay=delay)
            log.info("%s asks to wait %.0f s: %s", post.target, delay, error)
        except DeliveryRefused as error:
            self._outbox.refused(post, delivery, str(error))
            log.warning("%s refused post %s: %s", post.target, post.reference, error)
        except DeliveryUncertain as error:
            self._doubt(post, delivery, str(error))
        except Exception as error:
            log.exception("delivering post %s to %s failed", post.reference, post.target)
            self._doubt(post, delivery, repr(error))
        else:
            if isinstance(result, Placed):
                self._outbox.sent(post, delivery, result)
                log.info("post %s delivered to %s %s", post.reference, post.target, result.url)
            else:
                self._outbox.held(post, delivery, result, look_again=self._settings.held_poll)
                log.info("%s holds post %s: %s", post.target, post.reference, result.note)

    def _doubt(self, post: Post, delivery: int, reason: str) -> None:
        delay = max(self._settings.settle, self._backoff.seconds(post.attempts))
        self._outbox.uncertain(post, delivery, reason, delay=delay)
        log.warning(
            "nobody knows whether %s has post %s, looking in %.0f s: %s",
            post.target,
            post.reference,
            delay,
            reason,
        )
