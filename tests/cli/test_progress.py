import io

import pytest
from rich.console import Console

from evaluator.cli.progress import TerminalProgress
from evaluator.evaluation.request import Progress


def shown(terminal, quiet=False):
    stream = io.StringIO()
    console = Console(file=stream, width=100, force_terminal=terminal)
    with TerminalProgress(console, quiet=quiet) as bars:
        progress: Progress = bars
        progress.stage("fork", "pinning block 7")
        progress.stage("fork", "pinned [red]\x1b[31m")
        progress.advance(1, 3)
        progress.stage("stress", "9 paths")
        progress.advance(0, 0)
        progress.advance(9, 9)
    return stream.getvalue()


def test_without_a_terminal_one_line_for_each_stage():
    lines = shown(terminal=False).splitlines()
    assert [line.split("  ")[0] for line in lines] == [
        "✓ fork: pinned [red][31m",
        "✓ stress: 9 paths",
    ]


def test_in_a_terminal_the_finished_stages_stay():
    text = shown(terminal=True)
    assert "✓ fork" in text
    assert "9 of 9" in text


def test_quiet_says_nothing():
    assert shown(terminal=True, quiet=True) == shown(terminal=False, quiet=True) == ""


def test_a_failing_stage_is_not_ticked():
    stream = io.StringIO()
    console = Console(file=stream, width=80)

    def run():
        with TerminalProgress(console) as progress:
            progress.stage("execute")
            progress.advance(1 // 0, 1)

    with pytest.raises(ZeroDivisionError):
        run()
    assert "✗ execute" in stream.getvalue()
