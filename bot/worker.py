"""Runs evaluations in processes of their own, with limits of memory and time."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bot.errors import EvaluationFailed
from bot.evaluation import (
    MAX_CHART_BYTES,
    MAX_CHARTS,
    MAX_TEXT_BYTES,
    EvaluationOrder,
    FinishedEvaluation,
    Progress,
)
from bot.evaluation_process import TEXTS
from bot.settings import EvaluationSettings

log = logging.getLogger(__name__)

MAX_LINE = 1 << 20  # bytes of one line from the worker
TAIL_BYTES = 8192  # of the worker's standard error that are logged when it fails
# The environment holds the bot's secrets; the worker reads hostile input and gets none of it.
PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "XDG_CACHE_HOME", "VIRTUAL_ENV")
PASSED_ON_PREFIXES = ("SEATRIAL_ANVIL", "SEATRIAL_CACHE", "NUMBA_", "OMP_", "MPL", "PYTHON")


def worker_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the part of the environment that a worker may see."""
    return {
        name: value
        for name, value in environment.items()
        if name in PASSED_ON or name.startswith(PASSED_ON_PREFIXES)
    }


class SubprocessEvaluator:
    """Carries out each order in a new process; implements `bot.evaluation.Evaluator`.

    `urls` maps a chain's name to its endpoints.
    """

    def __init__(
        self,
        settings: EvaluationSettings,
        *,
        urls: Mapping[str, Sequence[str]],
        work: Path | None = None,
        report: Callable[[int], str] | None = None,
    ) -> None:
        """`report` returns the JSON report of an evaluation, for scorecards."""
        self._settings = settings
        self._urls = urls
        self._work = work
        self._report = report

    async def evaluate(
        self, order: EvaluationOrder, *, progress: Callable[[Progress], None]
    ) -> FinishedEvaluation:
        """Evaluate in a process that ends with this task; see `bot.evaluation.Evaluator`."""
        if self._work is not None:
            self._work.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix="seatrial-evaluation-", dir=self._work))
        try:
            if order.prediction is not None and self._report is not None:
                (folder / "work").mkdir()
                (folder / "work" / "prediction.json").write_text(
                    self._report(order.prediction), encoding="utf-8"
                )
            return await self._evaluate(order, folder, progress)
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    async def _evaluate(
        self, order: EvaluationOrder, folder: Path, progress: Callable[[Progress], None]
    ) -> FinishedEvaluation:
        task = {
            "entry_point": self._settings.entry_point,
            "order": order.to_json(),
            "urls": list(self._urls.get(order.chain, ())),
            "folder": str(folder),
            "memory": self._settings.memory,
            "cpu_seconds": max(1, int(self._settings.time_limit * max(1, os.cpu_count() or 1))),
            "parent": os.getpid(),
        }
        async with _process(folder) as (process, complaints):
            try:
                async with asyncio.timeout(self._settings.time_limit):
                    answer = await _converse(process, task, progress)
            except TimeoutError as error:
                raise EvaluationFailed(
                    f"the evaluation took longer than {self._settings.time_limit:.0f} s"
                ) from error
            if answer is None:
                code = await process.wait()
                log.error("the worker ended with %s: %s", code, _tail(complaints))
                raise EvaluationFailed(f"the worker {_ended(code)} without a result")
            if "error" in answer:
                said = answer["error"]
                log.warning("the evaluation failed: %s; %s", said, _tail(complaints))
                raise EvaluationFailed(str(said["message"]), permanent=bool(said["permanent"]))
            return await asyncio.to_thread(_read_result, answer["result"], folder)


@contextlib.asynccontextmanager
async def _process(folder: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, Path]]:
    """Start the worker in a session of its own; kill the whole session at the end."""
    complaints = folder / "stderr"
    with complaints.open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "bot.evaluation_process",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            env=worker_environment(os.environ),
            start_new_session=True,
            limit=MAX_LINE,
        )
    try:
        yield process, complaints
    finally:
        # The group outlives its leader: an anvil of a dead worker is ended as well.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await asyncio.shield(process.wait())


async def _converse(
    process: asyncio.subprocess.Process,
    task: Mapping[str, Any],
    progress: Callable[[Progress], None],
) -> dict[str, Any] | None:
    """Send the task, hear the progress, return the result or error; None if there is none."""
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("the worker has no pipes")
    with contextlib.suppress(ConnectionError):
        process.stdin.write(json.dumps(task).encode() + b"\n")
        await process.stdin.drain()
    while True:
        try:
            line = await process.stdout.readline()
        except ValueError:
            return None  # a line beyond MAX_LINE: not our protocol
        if not line:
            return None
        try:
            said = json.loads(line)
        except ValueError:
            return None
        if "progress" in said:
            progress(Progress(**said["progress"]))
        else:
            return said if isinstance(said, dict) else None


def _read_result(said: Mapping[str, Any], folder: Path) -> FinishedEvaluation:
    texts = {}
    for name, file in TEXTS.items():
        path = folder / file
        if path.stat().st_size > MAX_TEXT_BYTES:
            raise EvaluationFailed(f"the evaluation's {file} is too large", permanent=True)
        texts[name] = path.read_text(encoding="utf-8")
    charts = {}
    for name in list(said["charts"])[:MAX_CHARTS]:
        path = folder / "charts" / f"{Path(name).name}.png"
        if path.stat().st_size <= MAX_CHART_BYTES:
            charts[str(name)] = path.read_bytes()
    return FinishedEvaluation(
        verdict=str(said["verdict"]),
        headline=str(said["headline"]),
        digest=str(said["digest"]),
        block=said["block"],
        charts=charts,
        **texts,
    )


def _ended(code: int) -> str:
    if code >= 0:
        return f"ended with code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"


def _tail(complaints: Path) -> str:
    try:
        with complaints.open("rb") as file:
            file.seek(max(0, complaints.stat().st_size - TAIL_BYTES))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""
