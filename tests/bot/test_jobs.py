"""The queue: turns, limits, leases, retries."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.database import open_database, rows
from bot.evaluation import EvaluationOrder, JobKind
from bot.jobs import JobQueue, JobState, LeaseLost, NewJob, QueueFull, Waiting, turns
from bot.settings import EvaluationSettings

SETTINGS = EvaluationSettings(attempts=3, retry_after=10.0, lease=60.0, queue_limit=6, user_limit=2)


class Bench:
    def __init__(self, path: Path) -> None:
        self.now = 1000.0
        self.database = open_database(path)
        self.queue = JobQueue(self.database, SETTINGS, clock=lambda: self.now)

    def add(self, key: str, owner: str = "governor:a:0x1") -> int:
        self.now += 1
        order = EvaluationOrder(kind=JobKind.EVALUATION, chain="a", chain_id=1)
        return self.queue.add(NewJob(key=key, owner=owner, reason="created", order=order)).id

    def state(self, job_id: int) -> JobState:
        job = self.queue.get(job_id)
        assert job is not None
        return job.state


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    ready = Bench(tmp_path / "bot.db")
    yield ready
    ready.database.conn.close()


def test_owners_take_turns(bench: Bench) -> None:
    first = [bench.add(f"a{n}", "user:a") for n in range(2)]
    second = [bench.add(f"g{n}", "governor:x") for n in range(2)]
    third = bench.add("b0", "user:b")
    expected = [first[0], second[0], third, first[1], second[1]]
    assert [bench.queue.place(job) for job in expected] == [1, 2, 3, 4, 5]
    taken = []
    while job := bench.queue.take("w"):
        taken.append(job.id)
    assert taken == expected
    assert bench.queue.place(expected[0]) is None


def test_who_was_served_waits_for_the_others(bench: Bench) -> None:
    bench.add("a0", "user:a")
    job = bench.queue.take("w")
    assert job is not None
    with bench.database.atomic():
        bench.queue.finished(job, "w")
    again = bench.add("a1", "user:a")
    other = bench.add("b0", "user:b")
    assert [job.id for job in bench.queue.open_jobs()] == [other, again]


OWNERS = st.lists(st.sampled_from("abcd"), max_size=30)


@given(OWNERS, st.dictionaries(st.sampled_from("abcd"), st.integers(0, 3)))
def test_turns_are_fair_and_complete(owners: list[str], running: dict[str, int]) -> None:
    waiting = [Waiting(id=n, owner=owner, created_at=float(n)) for n, owner in enumerate(owners)]
    order = turns(waiting, running=running, last_start={})
    assert sorted(order) == list(range(len(owners)))
    served = dict.fromkeys("abcd", 0) | running
    for position, job in enumerate(order):
        owner = owners[job]
        later = {owners[other] for other in order[position + 1 :]}
        assert all(served[owner] <= served[other] for other in later)
        served[owner] += 1
    for owner in "abcd":  # an owner's own jobs keep their order
        own = [job for job in order if owners[job] == owner]
        assert own == sorted(own)


def test_the_same_key_is_queued_once(bench: Bench) -> None:
    assert bench.add("k") == bench.add("k")
    assert bench.queue.counts() == {"queued": 1}


def test_limits_are_said_in_a_sentence(bench: Bench) -> None:
    for n in range(2):
        bench.add(f"u{n}", "user:a")
    with pytest.raises(QueueFull, match="you have 2 evaluations waiting or running"):
        bench.add("u2", "user:a")
    for n in range(4):
        bench.add(f"g{n}")
    with pytest.raises(QueueFull, match="6 evaluations are waiting already"):
        bench.add("v", "user:b")


def test_a_dead_workers_job_is_taken_up_again_and_its_result_refused(bench: Bench) -> None:
    job_id = bench.add("k")
    for attempt in (1, 2, 3):
        job = bench.queue.take(f"w{attempt}")
        assert job is not None
        assert job.attempts == attempt
        bench.now += 59
        assert bench.queue.retake_expired() == 0
        bench.queue.heartbeat(job, f"w{attempt}", stage="paths", done=0.5)
        bench.now += 59
        assert bench.queue.retake_expired() == 0
        bench.now += 2
        assert bench.queue.retake_expired() == 1
        with pytest.raises(LeaseLost), bench.database.atomic():
            bench.queue.finished(job, f"w{attempt}")
    assert bench.state(job_id) is JobState.FAILED
    failed = bench.queue.get(job_id)
    assert failed is not None
    assert failed.error == "its worker died, 3 times in all"


def test_failures_are_tried_again_after_growing_waits(bench: Bench) -> None:
    job_id = bench.add("k")
    for wait in (10.0, 20.0):
        job = bench.queue.take("w")
        assert job is not None
        assert bench.queue.failed(job, "w", "nobody answers").state is JobState.QUEUED
        assert bench.queue.take("w") is None
        assert bench.queue.seconds_to_next() == wait
        bench.now += wait
    job = bench.queue.take("w")
    assert job is not None
    assert bench.queue.failed(job, "w", "nobody answers").state is JobState.FAILED
    assert bench.state(job_id) is JobState.FAILED


def test_a_pointless_repetition_is_not_made(bench: Bench) -> None:
    bench.add("k")
    job = bench.queue.take("w")
    assert job is not None
    assert bench.queue.failed(job, "w", "no proposal", permanent=True).state is JobState.FAILED


def test_a_shutdown_costs_no_attempt(bench: Bench) -> None:
    bench.add("k")
    job = bench.queue.take("w")
    assert job is not None
    bench.queue.released(job, "w")
    again = bench.queue.take("w")
    assert again is not None
    assert again.attempts == 1


def test_cancelling(bench: Bench) -> None:
    queued, running = bench.add("q"), bench.add("r", "user:a")
    assert bench.queue.take("w").id == queued  # type: ignore[union-attr]
    queued, running = running, queued
    assert bench.queue.cancel(queued, by="user:a")
    assert bench.state(queued) is JobState.CANCELLED
    assert not bench.queue.cancel(queued, by="user:a")
    assert not bench.queue.cancel(4040, by="user:a")

    assert bench.queue.cancel(running, by="user:b")
    job = bench.queue.get(running)
    assert job is not None
    assert job.state is JobState.RUNNING
    assert bench.queue.heartbeat(job, "w", stage="", done=0).cancel_asked
    assert bench.queue.cancelled(job, "w").state is JobState.CANCELLED
    noted = rows(bench.database, "SELECT actor FROM audit ORDER BY id")
    assert [row["actor"] for row in noted] == ["user:a", "user:b"]


def test_a_cancelled_job_of_a_dead_worker_is_not_begun_again(bench: Bench) -> None:
    job_id = bench.add("k")
    bench.queue.take("w")
    bench.queue.cancel(job_id, by="user:a")
    bench.now += 100
    bench.queue.retake_expired()
    assert bench.state(job_id) is JobState.CANCELLED
