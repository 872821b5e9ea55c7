"""The workshop: results stored with their posts, progress, cancel, shutdown."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from bot.database import open_database, scalar
from bot.errors import EvaluationFailed
from bot.evaluation import EvaluationOrder, FinishedEvaluation, JobKind, Progress
from bot.evaluations import EvaluationStore, StoredEvaluation
from bot.jobs import Job, JobQueue, JobState, NewJob
from bot.outbox import NewPost, Outbox, PostKind
from bot.settings import EvaluationSettings
from bot.workshop import Workshop, slots_for

Note = Callable[[Progress], None]
RESULT = FinishedEvaluation(
    verdict="FAIL",
    headline="it sinks",
    digest="d",
    block=3,
    report='{"a": 1}',
    markdown="## FAIL: it sinks",
    embed="{}",
    charts={"survival": b"png"},
)


class ScriptedEvaluator:
    """Does what the test says."""

    def __init__(self, script: Callable[[Note], Awaitable[FinishedEvaluation]]) -> None:
        self.script = script
        self.at_work = 0
        self.most_at_work = 0

    async def evaluate(self, order: EvaluationOrder, *, progress: Note) -> FinishedEvaluation:
        self.at_work += 1
        self.most_at_work = max(self.most_at_work, self.at_work)
        try:
            return await self.script(progress)
        finally:
            self.at_work -= 1


class OnePost:
    def posts(
        self, job: Job, stored: StoredEvaluation, result: FinishedEvaluation
    ) -> list[NewPost]:
        if result.headline == "this cannot be told":
            raise KeyError("a fault in the composer")
        return [
            NewPost(key=f"e{stored.id}", target="t", subject="s", kind=PostKind.PUBLISH, payload={})
        ]


class Bench:
    def __init__(self, path: Path) -> None:
        self.database = open_database(path)
        self.settings = EvaluationSettings(at_once=2, attempts=2, retry_after=0.01, lease=0.4)
        self.queue = JobQueue(self.database, self.settings)
        self.store = EvaluationStore(self.database)
        self.outbox = Outbox(self.database)
        self.heard: list[tuple[int, str, str | None]] = []

    def add(self, key: str) -> Job:
        order = EvaluationOrder(kind=JobKind.EVALUATION, chain="a", chain_id=1)
        return self.queue.add(NewJob(key=key, owner=f"o{key}", reason="created", order=order))

    def workshop(self, evaluator: ScriptedEvaluator) -> Workshop:
        made = Workshop(
            self.database,
            queue=self.queue,
            store=self.store,
            outbox=self.outbox,
            evaluator=evaluator,
            composer=OnePost(),
            settings=self.settings,
        )
        made.listen(lambda job, note: self.heard.append((job.id, job.state, note and note.stage)))
        return made

    async def until(self, workshop: Workshop, condition: Callable[[], bool]) -> None:
        """Run the workshop until `condition` holds, then stop it."""
        task = asyncio.create_task(workshop.run())
        try:
            async with asyncio.timeout(20):
                while not condition() and not task.done():
                    await asyncio.sleep(0.01)
        finally:
            workshop.stop()
            await task

    def state(self, job: Job) -> JobState:
        found = self.queue.get(job.id)
        assert found is not None
        return found.state


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    ready = Bench(tmp_path / "bot.db")
    yield ready
    ready.database.conn.close()


def test_one_at_a_time_per_two_cores() -> None:
    assert [slots_for(cores) for cores in (None, 1, 2, 3, 4, 16)] == [1, 1, 1, 1, 2, 8]


async def test_a_result_and_its_posts_are_stored_together(bench: Bench) -> None:
    async def script(note: Note) -> FinishedEvaluation:
        note(Progress(stage="paths", done=0.5))
        await asyncio.sleep(0.25)
        return RESULT

    jobs = [bench.add(str(n)) for n in range(4)]
    evaluator = ScriptedEvaluator(script)
    await bench.until(bench.workshop(evaluator), lambda: bench.queue.counts() == {JobState.DONE: 4})
    assert evaluator.most_at_work == 2
    assert scalar(bench.database, "SELECT count(*) FROM outbox") == 4
    stored = bench.store.of_job(jobs[0].id)
    assert stored is not None
    assert stored.verdict == "FAIL"
    assert bench.store.charts(stored.id) == {"survival": b"png"}
    assert bench.store.text(stored.id, "report") == '{"a": 1}'
    own = [(state, stage) for job, state, stage in bench.heard if job == jobs[0].id]
    assert own == [("running", None), ("running", "paths"), ("done", None)]


async def test_a_fault_while_storing_stores_nothing(bench: Bench) -> None:
    async def script(note: Note) -> FinishedEvaluation:
        return FinishedEvaluation(
            verdict="PASS", headline="this cannot be told", digest="d", block=1, report="{}",
            markdown="", embed="{}",
        )  # fmt: skip

    job = bench.add("k")
    await bench.until(
        bench.workshop(ScriptedEvaluator(script)), lambda: bench.state(job) is JobState.FAILED
    )
    assert scalar(bench.database, "SELECT count(*) FROM evaluations") == 0
    assert scalar(bench.database, "SELECT count(*) FROM charts") == 0
    assert scalar(bench.database, "SELECT count(*) FROM outbox") == 0


async def test_a_passing_failure_is_tried_again(bench: Bench) -> None:
    tries = 0

    async def script(note: Note) -> FinishedEvaluation:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise EvaluationFailed("nobody answers")
        return RESULT

    job = bench.add("k")
    await bench.until(
        bench.workshop(ScriptedEvaluator(script)), lambda: bench.state(job) is JobState.DONE
    )
    assert tries == 2


async def test_a_running_job_is_cancelled_and_a_long_one_keeps_its_lease(bench: Bench) -> None:
    async def script(note: Note) -> FinishedEvaluation:
        await asyncio.sleep(600)
        return RESULT

    job = bench.add("k")
    evaluator = ScriptedEvaluator(script)
    workshop = bench.workshop(evaluator)

    async def cancel_later() -> None:
        await asyncio.sleep(1.0)  # more than two leases
        assert bench.state(job) is JobState.RUNNING
        assert bench.queue.retake_expired() == 0
        bench.queue.cancel(job.id, by="user:a")

    canceller = asyncio.create_task(cancel_later())
    await bench.until(workshop, lambda: bench.state(job) is JobState.CANCELLED)
    await canceller
    assert evaluator.at_work == 0
    assert bench.heard[-1] == (job.id, "cancelled", None)


async def test_a_shutdown_puts_the_job_back(bench: Bench) -> None:
    begun = asyncio.Event()

    async def script(note: Note) -> FinishedEvaluation:
        begun.set()
        await asyncio.sleep(600)
        return RESULT

    job = bench.add("k")
    evaluator = ScriptedEvaluator(script)
    await bench.until(bench.workshop(evaluator), begun.is_set)
    assert evaluator.at_work == 0
    found = bench.queue.get(job.id)
    assert found is not None
    assert (found.state, found.attempts) == (JobState.QUEUED, 0)


async def test_a_broken_listener_stops_nothing(bench: Bench) -> None:
    async def script(note: Note) -> FinishedEvaluation:
        note(Progress(stage="paths"))
        return RESULT

    def broken(job: Job, progress: Progress | None) -> None:
        raise RuntimeError("a listener's fault")

    job = bench.add("k")
    workshop = bench.workshop(ScriptedEvaluator(script))
    workshop.listen(broken)
    await bench.until(workshop, lambda: bench.state(job) is JobState.DONE)
