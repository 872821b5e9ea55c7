"""The worker process: runs one evaluation under limits and dies.

    python -m bot.evaluation_process

reads one JSON object from standard input and writes JSON lines to standard
output: progress, then a result or an error. Whatever the evaluation itself
prints goes to standard error. Charts and long texts go through files in the
folder it was given.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import json
import os
import resource
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from bot.evaluation import EntryPoint, EvaluationOrder, FinishedEvaluation, Progress
from evaluator import (
    ConfigurationError,
    ProposalError,
    ProtocolError,
    SeatrialError,
)

# Trying again does not help: the input is at fault, not the moment.
PERMANENT = (ConfigurationError, ProposalError, ProtocolError)
TEXTS = {"report": "report.json", "markdown": "report.md", "embed": "embed.json"}
_PR_SET_PDEATHSIG = 1


def limit_resources(*, memory: int, cpu_seconds: int) -> None:
    """Bound this process and its children: address space, processor time, no core dumps."""
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + 10))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when the bot dies; exit if it has died already."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def load_entry_point(name: str) -> EntryPoint:
    """Return the function called `module:function`; ConfigurationError if there is none."""
    module, _, function = name.partition(":")
    try:
        found = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigurationError(
            f"the entry point {name!r} of [evaluation] cannot be loaded: {error}"
        ) from error
    if not callable(found):
        raise ConfigurationError(f"the entry point {name!r} is not a function")
    return found  # type: ignore[no-any-return]


def prepare_for(name: str) -> None:
    """Call `prepare()` of a loaded entry point's module, if it has one.

    For what takes more than an evaluation may have; nothing hostile was read yet.
    """
    prepare = getattr(sys.modules[name.partition(":")[0]], "prepare", None)
    if callable(prepare):
        prepare()


def write_result(result: FinishedEvaluation, folder: Path) -> dict[str, Any]:
    """Write the long parts into `folder` and return the rest as a JSON object."""
    for name, file in TEXTS.items():
        (folder / file).write_text(getattr(result, name), encoding="utf-8")
    charts = folder / "charts"
    charts.mkdir(exist_ok=True)
    for name, png in result.charts.items():
        (charts / f"{name}.png").write_bytes(png)
    return {
        "verdict": result.verdict,
        "headline": result.headline,
        "digest": result.digest,
        "block": result.block,
        "charts": sorted(result.charts),
    }


def _say(line: IO[str], kind: str, content: object) -> None:
    line.write(json.dumps({kind: content}) + "\n")
    line.flush()


def serve(task: dict[str, Any], say: Callable[[str, object], None]) -> int:
    """Carry out one task; return the exit code."""
    folder = Path(task["folder"])

    def report(progress: Progress) -> None:
        say(
            "progress",
            {
                "stage": progress.stage,
                "detail": progress.detail,
                "done": progress.done,
                "seconds_left": progress.seconds_left,
            },
        )

    try:
        run = load_entry_point(task["entry_point"])
        prepare_for(task["entry_point"])
        limit_resources(memory=task["memory"], cpu_seconds=task["cpu_seconds"])
        order = EvaluationOrder.from_json(task["order"])
        work = folder / "work"
        work.mkdir(exist_ok=True)
        result = run(order, tuple(task["urls"]), work, report)
        say("result", write_result(result, folder))
    except MemoryError:
        say("error", {"message": "it needs more memory than allowed", "permanent": True})
        return 3
    except SeatrialError as error:
        say("error", {"message": str(error), "permanent": isinstance(error, PERMANENT)})
        return 2
    except Exception as error:
        traceback.print_exc()
        say("error", {"message": f"an internal error: {type(error).__name__}", "permanent": False})
        return 1
    return 0


def probe(name: str) -> int:
    """Load the entry point and say what is wrong with it on standard error."""
    try:
        load_entry_point(name)
    except ConfigurationError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def main() -> int:
    """Run the worker process."""
    if len(sys.argv) == 3 and sys.argv[1] == "--probe":
        return probe(sys.argv[2])
    task = json.loads(sys.stdin.readline())
    die_with_parent(task["parent"])
    # Libraries print; the protocol keeps a channel of its own.
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    with contextlib.suppress(BrokenPipeError):
        return serve(task, lambda kind, content: _say(channel, kind, content))
    return 1


if __name__ == "__main__":
    sys.exit(main())
