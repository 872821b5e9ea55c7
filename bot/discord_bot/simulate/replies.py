"""Keeps the messages of running evaluations up to date, across restarts of the bot."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from dataclasses import dataclass

import aiohttp
import discord

from bot.discord_bot.desk import Desk
from bot.discord_bot.publishing.pen import Pen
from bot.discord_bot.publishing.voice import ended_without_result, reply_address
from bot.discord_bot.simulate.buttons import progress_view
from bot.discord_bot.simulate.progress import progress_text
from bot.evaluation import JobKind, Progress
from bot.jobs import OPEN, Job

log = logging.getLogger(__name__)

DAY = 86_400.0  # seconds; an older evaluation's asker waits no more


@dataclass(slots=True)
class _Watched:
    """A message that shows the progress of a job."""

    channel: int
    message: int
    subject: str  # hostile text
    progress: Progress | None = None
    shown: str = ""


class LiveReplies:
    """Edits the messages of open jobs every few seconds, and sees that each gets its last word."""

    def __init__(self, desk: Desk, pen: Pen) -> None:
        self._desk = desk
        self._pen = pen
        self._watched: dict[int, _Watched] = {}
        self._nudged = asyncio.Event()

    def watch(self, job: Job) -> None:
        """Follow a job from now on."""
        where = reply_address(job.reply_to)
        if where is not None:
            self._watched[job.id] = _Watched(
                channel=where[0], message=where[1], subject=self._subject(job)
            )
            self.nudge()

    def _subject(self, job: Job) -> str:
        if job.kind is JobKind.DRAFT:
            draft = job.order.draft or {}
            return f"the draft {draft.get('parameter')} = {draft.get('value')}"
        proposal = None
        if job.proposal_id is not None:
            proposal = self._desk.deck.hold.store.proposal(job.proposal_id)
        return "a proposal" if proposal is None else self._desk.name_of(proposal, 200)

    def nudge(self) -> None:
        """Look at once."""
        self._nudged.set()

    def heard(self, job: Job, progress: Progress | None) -> None:
        """Hear from the workshop; see `bot.workshop.Listener`."""
        watched = self._watched.get(job.id)
        if watched is not None:
            watched.progress = progress
            if progress is None:
                self.nudge()

    async def run(self) -> None:
        """Keep the messages up to date until cancelled."""
        self._take_up()
        stop_listening = self._desk.deck.workshop.listen(self.heard)
        try:
            while True:
                await self.step()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._nudged.wait(), self._desk.settings.edit_every)
                    # Several changes at once make one edit.
                    await asyncio.sleep(0.05)
                self._nudged.clear()
        finally:
            stop_listening()

    def _take_up(self) -> None:
        """Go on with what an earlier process began."""
        for job in self._desk.open_answers():
            if job.id not in self._watched:
                self.watch(job)
        for job in self._desk.unanswered(since=time.time() - DAY):
            self._say_how_it_ended(job)

    async def step(self) -> None:
        """Bring every message up to date once."""
        await asyncio.gather(*(self._update(number) for number in list(self._watched)))

    async def _update(self, number: int) -> None:
        job = self._desk.deck.hold.queue.get(number)
        if job is None or job.state not in OPEN:
            self._watched.pop(number, None)
            if job is not None:
                self._say_how_it_ended(job)
            return
        watched = self._watched[number]
        text = progress_text(
            job,
            subject=watched.subject,
            place=self._desk.deck.hold.queue.place(number),
            progress=watched.progress,
            horizon=self._desk.horizon,
        )
        if text == watched.shown:
            return
        view = None if job.cancel_asked else progress_view(number)
        try:
            await self._pen.write(watched.channel, watched.message, content=text, view=view)
            watched.shown = text
        except (discord.NotFound, discord.Forbidden):
            log.info("the message of job %d cannot be edited any more", number)
            self._watched.pop(number, None)
        except (discord.HTTPException, aiohttp.ClientError, OSError) as error:
            # The next step shows it.
            log.warning("the progress of job %d was not shown: %s", number, type(error).__name__)

    def _say_how_it_ended(self, job: Job) -> None:
        """Put the last word into the outbox, unless the result's own is there already."""
        post = ended_without_result(job)
        if post is None:
            return
        hold = self._desk.deck.hold
        with hold.database.atomic():
            added = hold.outbox.add([post])
        if added:
            self._desk.deck.on_posts()
