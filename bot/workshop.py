"""Works the queue off: a few evaluations at a time, each result stored with its posts."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import socket
from collections.abc import Callable, Sequence
from typing import Protocol

from bot.errors import EvaluationFailed
from bot.evaluation import Evaluator, FinishedEvaluation, Progress
from bot.evaluations import EvaluationStore, StoredEvaluation
from bot.jobs import Job, JobQueue, JobState, LeaseLost
from bot.outbox import NewPost, Outbox
from bot.settings import EvaluationSettings
from evaluator import Database

log = logging.getLogger(__name__)

LONGEST_BEAT = 2.0  # seconds between looks at a running job


class Composer(Protocol):
    """Decides what is told to whom about a result."""

    def posts(
        self, job: Job, stored: StoredEvaluation, result: FinishedEvaluation
    ) -> Sequence[NewPost]:
        """Return the posts; called within the transaction that stores the result."""
        ...


# Hears of every change of a job; progress is None when the job changed its state.
Listener = Callable[[Job, Progress | None], None]


def slots_for(cores: int | None) -> int:
    """Return how many evaluations run at a time by default: one per two cores."""
    return max(1, (cores or 1) // 2)


class Workshop:
    """Runs jobs until stopped."""

    def __init__(
        self,
        database: Database,
        *,
        queue: JobQueue,
        store: EvaluationStore,
        outbox: Outbox,
        evaluator: Evaluator,
        composer: Composer,
        settings: EvaluationSettings,
        on_posts: Callable[[], None] = lambda: None,
    ) -> None:
        self._database = database
        self._queue = queue
        self._store = store
        self._outbox = outbox
        self._evaluator = evaluator
        self._composer = composer
        self._settings = settings
        self._on_posts = on_posts
        self._listeners: list[Listener] = []
        self._wake = asyncio.Event()
        self._stopping = asyncio.Event()
        self.slots = settings.at_once or slots_for(os.cpu_count())

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` on every change of a job; return a function that ends it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def wake(self) -> None:
        """Tell that the queue has something new."""
        self._wake.set()

    def stop(self) -> None:
        """Put running jobs back into the queue and end."""
        self._stopping.set()
        self._wake.set()

    async def run(self) -> None:
        """Work until stopped."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._take_up_dead_jobs())
            for slot in range(self.slots):
                group.create_task(self._slot(slot))

    async def _take_up_dead_jobs(self) -> None:
        while not self._stopping.is_set():
            taken = self._queue.retake_expired()
            if taken:
                log.warning("%d job(s) of a dead worker are taken up again", taken)
                self._wake.set()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), self._settings.lease / 2)

    async def _slot(self, slot: int) -> None:
        worker = f"{socket.gethostname()}:{os.getpid()}:{slot}:{secrets.token_hex(4)}"
        while not self._stopping.is_set():
            job = self._queue.take(worker)
            if job is not None:
                await self._work(job, worker)
                continue
            wait = self._queue.seconds_to_next()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), 60.0 if wait is None else min(60.0, wait))
            self._wake.clear()

    async def _work(self, job: Job, worker: str) -> None:
        log.info("job %d begins: %s, %s, try %d", job.id, job.kind, job.reason, job.attempts)
        self._tell(job, None)
        latest = Progress(stage="starting")

        def note(progress: Progress) -> None:
            nonlocal latest
            latest = progress
            self._tell(job, progress)

        task = asyncio.create_task(self._evaluator.evaluate(job.order, progress=note))
        stopping = asyncio.create_task(self._stopping.wait())
        beat = min(LONGEST_BEAT, self._settings.lease / 4)
        try:
            while not task.done():
                await asyncio.wait(
                    {task, stopping}, timeout=beat, return_when=asyncio.FIRST_COMPLETED
                )
                if task.done():
                    break
                if self._stopping.is_set():
                    await _ended(task)
                    self._queue.released(job, worker)
                    log.info("job %d goes back into the queue", job.id)
                    return
                current = self._queue.heartbeat(job, worker, stage=latest.stage, done=latest.done)
                if current.cancel_asked:
                    await _ended(task)
                    self._tell(self._queue.cancelled(job, worker), None)
                    log.info("job %d was cancelled", job.id)
                    return
            self._conclude(job, worker, task)
        except LeaseLost as error:
            log.warning("%s", error)
        finally:
            stopping.cancel()
            await _ended(task)

    def _conclude(self, job: Job, worker: str, task: asyncio.Task[FinishedEvaluation]) -> None:
        try:
            result = task.result()
        except EvaluationFailed as error:
            ended = self._queue.failed(job, worker, str(error), permanent=error.permanent)
        except Exception as error:
            log.exception("job %d failed", job.id)
            ended = self._queue.failed(job, worker, f"an internal error: {type(error).__name__}")
        else:
            try:
                with self._database.atomic():
                    ended = self._queue.finished(job, worker)
                    stored = self._store.add(job, result)
                    posts = self._composer.posts(job, stored, result)
                    self._outbox.add(posts, evaluation_id=stored.id)
            except LeaseLost:
                raise
            except Exception as error:
                # Nothing was stored: the transaction took the half result back.
                log.exception("the result of job %d cannot be stored", job.id)
                ended = self._queue.failed(job, worker, f"not stored: {type(error).__name__}")
            else:
                self._on_posts()
        if ended.state is JobState.QUEUED:
            log.warning("job %d is tried again later: %s", job.id, ended.error)
        else:
            log.info("job %d ended as %s %s", job.id, ended.state, ended.error)
        self._tell(ended, None)

    def _tell(self, job: Job, progress: Progress | None) -> None:
        for listener in list(self._listeners):
            try:
                listener(job, progress)
            except Exception:
                log.exception("a listener failed on job %d", job.id)


async def _ended(task: asyncio.Task[FinishedEvaluation]) -> None:
    """Cancel a task and wait until it is over, whatever its outcome."""
    task.cancel()
    await asyncio.wait({task})
