"""The charts of a report, drawn on two cores.

Drawing takes a fifth of an evaluation of a thousand paths and never leaves the
interpreter's lock, so that a thread would not help. A forked process has the
charts already, closures and all, and sends back what it drew.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from evaluator.report.drawing import Chart, Theme, page_svg, to_png

_FEW = 4  # charts that are not worth a process
_DARK = "survival"  # the chart that Discord shows, on a dark ground as well


@dataclass(frozen=True, kw_only=True, slots=True)
class Artwork:
    """A chart in every form that a report's files have it in."""

    png: bytes  # on a light ground
    dark_png: bytes | None
    svg: str  # with placeholders for its colours, see `page_svg`


def _drawn(chart: Chart) -> Artwork:
    return Artwork(
        png=to_png(chart, Theme.LIGHT),
        dark_png=to_png(chart, Theme.DARK) if chart.name == _DARK else None,
        svg=page_svg(chart),
    )


def _send(line: Connection, charts: Sequence[Chart]) -> None:
    # Whoever interrupts the evaluation interrupts the parent, which then ends this.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    line.send([_drawn(chart) for chart in charts])


def draw_charts(charts: Sequence[Chart]) -> list[Artwork]:
    """Draw every chart, the same bytes on one core as on two."""
    few = len(charts) < _FEW or (os.cpu_count() or 1) < 2
    if few or sys.platform != "linux":
        return [_drawn(chart) for chart in charts]
    ours, theirs = charts[::2], charts[1::2]
    fork: Any = multiprocessing.get_context("fork")
    line, far_end = fork.Pipe(duplex=False)
    beside = fork.Process(target=_send, args=(far_end, theirs), daemon=True)
    with warnings.catch_warnings():
        # Threads of ours that wait for work hold no lock that drawing takes.
        warnings.simplefilter("ignore", DeprecationWarning)
        beside.start()
    far_end.close()
    try:
        first = [_drawn(chart) for chart in ours]
        try:
            second = line.recv()
        except (EOFError, OSError):  # it was killed, for want of memory perhaps
            second = [_drawn(chart) for chart in theirs]
    finally:
        line.close()
        beside.kill()
        beside.join()
    turns = iter(first), iter(second)
    return [next(turns[i % 2]) for i in range(len(charts))]
