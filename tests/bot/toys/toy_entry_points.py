"""Entry points for the worker process: well behaved and otherwise."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from bot.evaluation import EvaluationOrder, FinishedEvaluation, Progress
from evaluator import ProposalError, RpcUnreachable

Note = Callable[[Progress], None]


def _finished(**changes: object) -> FinishedEvaluation:
    whole = {
        "verdict": "PASS",
        "headline": "it floats",
        "digest": "d1",
        "block": 7,
        "report": "{}",
        "markdown": "## PASS: it floats",
        "embed": "{}",
        "charts": {"survival": b"\x89PNG"},
    }
    return FinishedEvaluation(**{**whole, **changes})  # type: ignore[arg-type]


_before: list[int] = []  # address space before the worker was limited


def prepare() -> None:
    _before.append(resource.getrlimit(resource.RLIMIT_AS)[0])


def limited(*_: object) -> FinishedEvaluation:
    now = resource.getrlimit(resource.RLIMIT_AS)[0]
    return _finished(headline=json.dumps([_before, now]))


def good(
    order: EvaluationOrder, urls: tuple[str, ...], folder: Path, note: Note
) -> FinishedEvaluation:
    print("libraries print to standard output")
    note(Progress(stage="fork", detail="at block 7", done=0.0))
    note(Progress(stage="paths", done=0.5, seconds_left=3.0))
    (folder / "scratch").write_text("x")
    del urls  # what is stored must not hold them
    return _finished(report=order.to_json())


def telling(
    order: EvaluationOrder, urls: tuple[str, ...], folder: Path, note: Note
) -> FinishedEvaluation:
    """Report all that a worker is given, for a test that stores nothing."""
    given = {"order": json.loads(order.to_json()), "urls": urls, "env": dict(os.environ)}
    return replace(good(order, urls, folder, note), report=json.dumps(given))


def slow(*_: object) -> FinishedEvaluation:
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", "seatrial-grandchild"])
    time.sleep(600)
    return _finished()


def slow_with_note(
    order: EvaluationOrder, urls: tuple[str, ...], folder: Path, note: Note
) -> FinishedEvaluation:
    note(Progress(stage="paths", done=0.25))
    return slow()


def hungry(*_: object) -> FinishedEvaluation:
    return _finished(markdown=str(len(bytearray(64 << 30))))


def dying(*_: object) -> FinishedEvaluation:
    os.abort()


def refusing(*_: object) -> FinishedEvaluation:
    raise ProposalError("this is no proposal")


def unlucky(*_: object) -> FinishedEvaluation:
    raise RpcUnreachable("nobody answers")


def faulty(*_: object) -> FinishedEvaluation:
    raise KeyError("a fault of ours")


def judging(
    order: EvaluationOrder, urls: tuple[str, ...], folder: Path, note: Note
) -> FinishedEvaluation:
    return _finished(report=(folder / "prediction.json").read_text())
