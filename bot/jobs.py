"""The queue of evaluations: bounded, fair between owners, safe against dead workers.

queued ──► running ──► done
  ▲  │        │ ├────► failed       out of attempts, or pointless to repeat
  │  │        │ └────► cancelled
  │  └────────│──────► cancelled
  └───────────┘ retry, expired lease, shutdown
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from bot.database import audit, row, rows, scalar
from bot.errors import SeatrialError
from bot.evaluation import EvaluationOrder, JobKind
from bot.settings import EvaluationSettings
from evaluator import Database

USER = "user:"  # owners that begin so are people and have a limit of their own


class QueueFull(SeatrialError):
    """The queue takes no more jobs, in all or from this user."""


class LeaseLost(SeatrialError):
    """Another worker has taken the job up: this one's result does not count."""


class JobState(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


OPEN = (JobState.QUEUED, JobState.RUNNING)


@dataclass(frozen=True, kw_only=True, slots=True)
class NewJob:
    """A job to be."""

    key: str  # unique for ever: the same key is never queued twice
    owner: str  # "user:<id>" or "governor:<chain>:<address>"; owners take turns
    reason: str  # why now: "created", "active", "moved", "queued", "executed", "asked"
    order: EvaluationOrder
    proposal_id: int | None = None  # row of the proposal, None for a draft
    reply_to: Mapping[str, Any] = field(default_factory=dict)  # of the asking side, JSON
    delay: float = 0.0  # seconds before it may begin


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """A job as the database has it."""

    id: int
    key: str
    owner: str
    kind: JobKind
    reason: str
    proposal_id: int | None
    order: EvaluationOrder
    reply_to: Mapping[str, Any]
    state: JobState
    attempts: int  # begun so far, this one included
    stage: str  # of the evaluation, for people
    done: float  # fraction of the stage
    cancel_asked: bool
    error: str  # why the last attempt failed, a sentence
    created_at: float  # Unix seconds
    started_at: float | None
    finished_at: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Waiting:
    """What decides a queued job's turn."""

    id: int
    owner: str
    created_at: float


def turns(
    waiting: Sequence[Waiting], *, running: Mapping[str, int], last_start: Mapping[str, float]
) -> list[int]:
    """Return the ids of `waiting` jobs in the order they will be taken.

    Owners take turns: a job's round is the number of its owner's jobs that
    run or wait before it. Within a round the owner served longest ago is
    first, then the older job.
    """
    rounds: dict[str, int] = dict(running)
    order = []
    for job in sorted(waiting, key=lambda job: (job.created_at, job.id)):
        turn = rounds.get(job.owner, 0)
        rounds[job.owner] = turn + 1
        order.append((turn, last_start.get(job.owner, 0.0), job.created_at, job.id))
    return [entry[-1] for entry in sorted(order)]


class JobQueue:
    """The jobs table."""

    def __init__(
        self,
        database: Database,
        settings: EvaluationSettings,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._settings = settings
        self._clock = clock

    def add(self, job: NewJob) -> Job:
        """Queue a job and return it; a job with the same key is returned as it is.

        Raises QueueFull with a sentence for the user. May be called within a
        transaction of the caller's.
        """
        known = row(self._database, "SELECT * FROM jobs WHERE key = ?", [job.key])
        if known is not None:
            return _job(known)
        waiting = scalar(self._database, "SELECT count(*) FROM jobs WHERE state = 'queued'")
        if waiting >= self._settings.queue_limit:
            raise QueueFull(f"{waiting} evaluations are waiting already: try again later")
        if job.owner.startswith(USER):
            own = scalar(
                self._database,
                "SELECT count(*) FROM jobs WHERE owner = ? AND state IN ('queued', 'running')",
                [job.owner],
            )
            if own >= self._settings.user_limit:
                raise QueueFull(
                    f"you have {own} evaluations waiting or running: wait for one, or cancel it"
                )
        now = self._clock()
        self._database.execute(
            "INSERT INTO jobs (key, owner, kind, reason, proposal_id, request, reply_to, "
            "not_before, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                job.key,
                job.owner,
                job.order.kind.value,
                job.reason,
                job.proposal_id,
                job.order.to_json(),
                json.dumps(job.reply_to),
                now + job.delay,
                now,
            ],
        )
        return self._by("key", job.key)

    def get(self, job_id: int) -> Job | None:
        """Return a job, None if there is none."""
        found = row(self._database, "SELECT * FROM jobs WHERE id = ?", [job_id])
        return None if found is None else _job(found)

    def open_jobs(self) -> list[Job]:
        """Return the running jobs, then the queued ones in the order of their turns."""
        running = rows(
            self._database, "SELECT * FROM jobs WHERE state = 'running' ORDER BY started_at, id"
        )
        queued = {
            found["id"]: found
            for found in rows(self._database, "SELECT * FROM jobs WHERE state = 'queued'")
        }
        return [_job(found) for found in running] + [_job(queued[n]) for n in self._turns()]

    def place(self, job_id: int) -> int | None:
        """Return the job's place among the waiting ones, 1 is next; None if it does not wait."""
        order = self._turns()
        return order.index(job_id) + 1 if job_id in order else None

    def _turns(self, *, due_only: bool = False) -> list[int]:
        limit = self._clock() if due_only else float("inf")
        waiting = rows(
            self._database,
            "SELECT id, owner, created_at FROM jobs WHERE state = 'queued' AND not_before <= ?",
            [limit],
        )
        owners = rows(
            self._database,
            "SELECT owner, sum(state = 'running') AS running, max(started_at) AS last FROM jobs "
            "WHERE owner IN (SELECT owner FROM jobs WHERE state = 'queued') GROUP BY owner",
        )
        return turns(
            [Waiting(id=w["id"], owner=w["owner"], created_at=w["created_at"]) for w in waiting],
            running={found["owner"]: int(found["running"]) for found in owners},
            last_start={found["owner"]: found["last"] or 0.0 for found in owners},
        )

    def take(self, worker: str) -> Job | None:
        """Give the next due job to `worker` under a lease, None if nothing is due."""
        with self._database.atomic():
            order = self._turns(due_only=True)
            if not order:
                return None
            now = self._clock()
            self._database.execute(
                "UPDATE jobs SET state = 'running', attempts = attempts + 1, worker = ?, "
                "lease_until = ?, started_at = ?, stage = '', done = 0 WHERE id = ?",
                [worker, now + self._settings.lease, now, order[0]],
            )
            return self._by("id", order[0])

    def seconds_to_next(self) -> float | None:
        """Return how long until a queued job is due, None if none waits."""
        earliest = scalar(self._database, "SELECT min(not_before) FROM jobs WHERE state = 'queued'")
        return None if earliest is None else max(0.0, float(earliest) - self._clock())

    def heartbeat(self, job: Job, worker: str, *, stage: str, done: float) -> Job:
        """Renew the lease and note the progress; return the job as it is now.

        Look at its `cancel_asked`. Raises LeaseLost.
        """
        with self._database.atomic():
            self._own(job, worker)
            self._database.execute(
                "UPDATE jobs SET lease_until = ?, stage = ?, done = ? WHERE id = ?",
                [self._clock() + self._settings.lease, stage[:200], done, job.id],
            )
            return self._by("id", job.id)

    def finished(self, job: Job, worker: str) -> Job:
        """Mark the job done within the caller's transaction. Raises LeaseLost."""
        self._own(job, worker)
        self._end(job.id, JobState.DONE, "")
        return self._by("id", job.id)

    def failed(self, job: Job, worker: str, reason: str, *, permanent: bool = False) -> Job:
        """Queue the job again after a wait, or give it up. Raises LeaseLost."""
        with self._database.atomic():
            self._own(job, worker)
            self._failed(job.id, job.attempts, reason, permanent=permanent)
            return self._by("id", job.id)

    def _failed(self, job_id: int, attempts: int, reason: str, *, permanent: bool) -> None:
        if permanent or attempts >= self._settings.attempts:
            self._end(job_id, JobState.FAILED, reason)
        else:
            wait = self._settings.retry_after * 2.0 ** (attempts - 1)
            self._requeue(job_id, reason, wait=wait)

    def _requeue(self, job_id: int, reason: str, *, wait: float) -> None:
        self._database.execute(
            "UPDATE jobs SET state = 'queued', worker = NULL, lease_until = NULL, error = ?, "
            "not_before = ?, stage = '', done = 0 WHERE id = ?",
            [reason[:500], self._clock() + wait, job_id],
        )

    def released(self, job: Job, worker: str) -> None:
        """Put the job back as if it had not been taken: the bot is shutting down."""
        with self._database.atomic():
            self._own(job, worker)
            self._requeue(job.id, "", wait=0.0)
            self._database.execute("UPDATE jobs SET attempts = attempts - 1 WHERE id = ?", [job.id])

    def cancelled(self, job: Job, worker: str) -> Job:
        """Mark a running job as stopped on request. Raises LeaseLost."""
        with self._database.atomic():
            self._own(job, worker)
            self._end(job.id, JobState.CANCELLED, "cancelled")
            return self._by("id", job.id)

    def cancel(self, job_id: int, *, by: str) -> bool:
        """Ask for an end of the job; return whether there was something to end.

        A queued job ends at once, a running one at its worker's next heartbeat.
        """
        with self._database.atomic():
            found = row(self._database, "SELECT state FROM jobs WHERE id = ?", [job_id])
            if found is None or found["state"] not in OPEN:
                return False
            if found["state"] == JobState.QUEUED:
                self._end(job_id, JobState.CANCELLED, "cancelled")
            else:
                self._database.execute("UPDATE jobs SET cancel_asked = 1 WHERE id = ?", [job_id])
            audit(self._database, by, "cancel job", json.dumps({"job": job_id}))
            return True

    def retake_abandoned(self) -> int:
        """Queue all running jobs again, whatever their leases say; return how many there were.

        For the start of a process that has claimed the database: whoever held
        a lease is dead.
        """
        return self._retake(float("inf"))

    def retake_expired(self) -> int:
        """Queue the jobs of dead workers again; return how many there were."""
        return self._retake(self._clock())

    def _retake(self, now: float) -> int:
        with self._database.atomic():
            dead = rows(
                self._database,
                "SELECT id, attempts, cancel_asked FROM jobs "
                "WHERE state = 'running' AND lease_until < ?",
                [now],
            )
            for found in dead:
                if found["cancel_asked"]:
                    self._end(found["id"], JobState.CANCELLED, "cancelled")
                elif found["attempts"] >= self._settings.attempts:
                    said = f"its worker died, {found['attempts']} times in all"
                    self._end(found["id"], JobState.FAILED, said)
                else:
                    self._requeue(found["id"], "its worker died", wait=0.0)
            return len(dead)

    def counts(self) -> dict[str, int]:
        """Return the number of jobs by state."""
        return {
            found["state"]: int(found["n"])
            for found in rows(
                self._database, "SELECT state, count(*) AS n FROM jobs GROUP BY state"
            )
        }

    def _own(self, job: Job, worker: str) -> None:
        found = row(self._database, "SELECT state, worker FROM jobs WHERE id = ?", [job.id])
        if found is None or found["state"] != JobState.RUNNING or found["worker"] != worker:
            raise LeaseLost(f"job {job.id} is not {worker}'s any more")

    def _end(self, job_id: int, state: JobState, error: str) -> None:
        self._database.execute(
            "UPDATE jobs SET state = ?, error = ?, finished_at = ?, lease_until = NULL, "
            "worker = NULL WHERE id = ?",
            [state.value, error[:500], self._clock(), job_id],
        )

    def _by(self, column: str, value: object) -> Job:
        found = row(self._database, f"SELECT * FROM jobs WHERE {column} = ?", [value])  # noqa: S608
        if found is None:
            raise LeaseLost(f"job {value} has vanished")
        return _job(found)


def _job(found: sqlite3.Row) -> Job:
    return Job(
        id=found["id"],
        key=found["key"],
        owner=found["owner"],
        kind=JobKind(found["kind"]),
        reason=found["reason"],
        proposal_id=found["proposal_id"],
        order=EvaluationOrder.from_json(found["request"]),
        reply_to=json.loads(found["reply_to"]),
        state=JobState(found["state"]),
        attempts=found["attempts"],
        stage=found["stage"],
        done=found["done"],
        cancel_asked=bool(found["cancel_asked"]),
        error=found["error"],
        created_at=found["created_at"],
        started_at=found["started_at"],
        finished_at=found["finished_at"],
    )
