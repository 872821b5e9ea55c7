"""Progress in a terminal: one line for each stage, with rate and time left."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from evaluator.report import inert


class _Rate(ProgressColumn):
    """Shows done, total and rate of a stage that counts."""

    def render(self, task: Task) -> Text:
        if task.total is None or task.total <= 1:
            return Text("")
        speed = task.finished_speed or task.speed
        rate = f", {speed:,.0f}/s" if speed and speed >= 1 else ""
        return Text(f"{task.completed:,.0f} of {task.total:,.0f}{rate}", style="dim")


class TerminalProgress:
    """Shows stages live in a terminal, and one plain line for each stage elsewhere.

    A context manager; satisfies `evaluator.evaluation.request.Progress`.
    """

    def __init__(self, console: Console, *, quiet: bool = False) -> None:
        self._console = console
        self._quiet = quiet
        self._live = console.is_terminal and not quiet
        self._began = time.monotonic()
        self._name = ""
        self._detail = ""
        self._task: TaskID | None = None
        self._bars = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            _Rate(),
            TimeRemainingColumn(compact=True),
            console=console,
            transient=True,
        )

    def __enter__(self) -> TerminalProgress:
        if self._live:
            self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end(succeeded=kind is None)
        if self._live:
            self._bars.stop()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """End the stage and keep the terminal free, for questions."""
        self._end()
        if self._live:
            self._bars.stop()
        try:
            yield
        finally:
            if self._live:
                self._bars.start()

    def _end(self, *, succeeded: bool = True) -> None:
        if not self._name or self._quiet:
            return
        took = time.monotonic() - self._began
        mark = "✓" if succeeded else "✗"
        line = Text(
            f"{mark} {self._name}: {self._detail}" if self._detail else f"{mark} {self._name}"
        )
        line.append(f"  {took:.1f} s", style="dim")
        self._console.print(line)
        self._name = ""

    def stage(self, name: str, detail: str = "") -> None:
        """Begin a stage; the one before is marked done with the time it took.

        The same name again is the same stage, further on.
        """
        name, detail = inert.line(name, 40), inert.line(detail, 120)
        if name != self._name:
            self._end()
            self._began = time.monotonic()
            if self._live:
                if self._task is not None:
                    self._bars.remove_task(self._task)
                self._task = self._bars.add_task(name, total=None)
        self._name, self._detail = name, detail
        if self._live and self._task is not None:
            self._bars.update(self._task, description=f"{name}: {detail}" if detail else name)

    def advance(self, done: int, total: int) -> None:
        """Show that `done` of `total` units of the stage are done."""
        if self._live and self._task is not None:
            self._bars.update(self._task, completed=done, total=max(total, 1))
