"""The worker process: limits, progress, and every way to end."""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from bot.errors import EvaluationFailed
from bot.evaluation import EvaluationOrder, FinishedEvaluation, JobKind, Progress
from bot.settings import EvaluationSettings
from bot.worker import SubprocessEvaluator, worker_environment

ROOT = Path(__file__).parents[2]
ORDER = EvaluationOrder(kind=JobKind.EVALUATION, chain="test", chain_id=1, proposal=str(2**255))


@pytest.fixture(autouse=True)
def _paths(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}:{ROOT / 'tests' / 'bot' / 'toys'}")


def _evaluator(toy: str, work: Path, **settings: object) -> SubprocessEvaluator:
    return SubprocessEvaluator(
        EvaluationSettings.model_validate({"entry_point": f"toy_entry_points:{toy}", **settings}),
        urls={"test": ["http://user:rpcsecret123@localhost:1/"]},
        work=work,
    )


async def _run(toy: str, work: Path, **settings: object) -> FinishedEvaluation:
    return await _evaluator(toy, work, **settings).evaluate(ORDER, progress=lambda _: None)


def test_an_order_survives_json() -> None:
    assert EvaluationOrder.from_json(ORDER.to_json()) == ORDER


async def test_result_progress_and_urls_cross_the_border(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEATRIAL_DISCORD_TOKEN", "a-token-the-worker-must-not-see")
    heard: list[Progress] = []
    result = await _evaluator("telling", tmp_path).evaluate(ORDER, progress=heard.append)
    assert [note.stage for note in heard] == ["fork", "paths"]
    assert heard[1].seconds_left == 3.0
    assert (result.verdict, result.block) == ("PASS", 7)
    assert result.charts == {"survival": b"\x89PNG"}
    seen = json.loads(result.report)
    assert seen["order"]["proposal"] == str(2**255)
    assert seen["urls"] == ["http://user:rpcsecret123@localhost:1/"]
    assert "a-token-the-worker-must-not-see" not in json.dumps(seen["env"])
    assert list(tmp_path.iterdir()) == []


async def test_a_scorecards_prediction_reaches_the_worker(tmp_path: Path) -> None:
    evaluator = SubprocessEvaluator(
        EvaluationSettings(entry_point="toy_entry_points:judging"),
        urls={},
        work=tmp_path,
        report=lambda evaluation: f"the report of evaluation {evaluation}",
    )
    order = replace(ORDER, kind=JobKind.SCORECARD, prediction=17, block=99)
    result = await evaluator.evaluate(order, progress=lambda _: None)
    assert result.report == "the report of evaluation 17"


async def test_what_an_evaluation_needs_is_prepared_before_the_limits(tmp_path: Path) -> None:
    result = await _run("limited", tmp_path, memory=3 << 30)
    before, after = json.loads(result.headline)
    assert before == [resource.getrlimit(resource.RLIMIT_AS)[0]]
    assert after == 3 << 30


def test_the_environment_is_a_short_list() -> None:
    given = {"PATH": "p", "SEATRIAL_CACHE": "c", "SEATRIAL_DISCORD_TOKEN": "t", "AWS_KEY": "k"}
    assert worker_environment(given) == {"PATH": "p", "SEATRIAL_CACHE": "c"}


@pytest.mark.parametrize(
    ("toy", "said", "permanent"),
    [
        ("hungry", "more memory than allowed", True),
        ("dying", "was killed by SIGABRT without a result", False),
        ("refusing", "this is no proposal", True),
        ("unlucky", "nobody answers", False),
        ("faulty", "an internal error: KeyError", False),
        ("absent", "cannot be loaded", True),
    ],
)
async def test_every_bad_end_is_said_plainly(
    tmp_path: Path, toy: str, said: str, permanent: bool
) -> None:
    with pytest.raises(EvaluationFailed, match=said) as caught:
        await _run(toy, tmp_path)
    assert caught.value.permanent is permanent


def _grandchildren() -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if "seatrial-grandchild" in process.cmdline() and process.status() != "zombie":
                found.append(process)
        except psutil.Error:
            continue
    return found


async def _gone() -> bool:
    for _ in range(100):
        if not _grandchildren():
            return True
        await asyncio.sleep(0.05)
    return False


async def test_too_long_is_ended_with_its_children(tmp_path: Path) -> None:
    with pytest.raises(EvaluationFailed, match="took longer than 2 s"):
        await _run("slow", tmp_path, time_limit=2.0)
    assert await _gone()
    assert list(tmp_path.iterdir()) == []


async def test_cancelling_ends_the_process_and_its_children(tmp_path: Path) -> None:
    started = asyncio.Event()
    evaluator = _evaluator("slow_with_note", tmp_path)
    task = asyncio.create_task(evaluator.evaluate(ORDER, progress=lambda _: started.set()))
    await asyncio.wait_for(started.wait(), 30)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await _gone()


async def test_a_worker_dies_with_the_bot(tmp_path: Path) -> None:
    """A bot that is killed leaves no worker behind."""
    program = (
        "import asyncio, sys\n"
        "from pathlib import Path\n"
        "from bot.evaluation import EvaluationOrder\n"
        "from bot.settings import EvaluationSettings\n"
        "from bot.worker import SubprocessEvaluator\n"
        "settings = EvaluationSettings(entry_point='toy_entry_points:slow_with_note')\n"
        "evaluator = SubprocessEvaluator(settings, urls={}, work=Path(sys.argv[2]))\n"
        "order = EvaluationOrder.from_json(sys.argv[1])\n"
        "def note(p): print('begun', flush=True)\n"
        "asyncio.run(evaluator.evaluate(order, progress=note))\n"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        program,
        ORDER.to_json(),
        str(tmp_path),
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    assert process.stdout is not None
    assert await asyncio.wait_for(process.stdout.readline(), 30) == b"begun\n"
    workers = psutil.Process(process.pid).children()
    assert workers
    process.kill()
    await process.wait()
    deadline = time.monotonic() + 10
    while any(worker.is_running() and worker.status() != "zombie" for worker in workers):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
    for left in _grandchildren():  # of the toy, which sets no death signal of its own
        left.kill()
