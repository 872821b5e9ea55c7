"""`seatrial gallery`: the disasters, each evaluated as an ordinary proposal."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from evaluator.cli.progress import TerminalProgress
from evaluator.errors import SetupError
from evaluator.report import inert

if TYPE_CHECKING:
    from gallery.case import Case
    from gallery.runner import Result

_DEFAULT_PATHS = 500
_WIDTH = 120
_STYLES = {"caught": "green", "clean": "green", "missed": "bold red", "false alarm": "bold red"}


def gallery(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[CASE]...", help="Cases to run; all without any."),
    ] = None,
    listed: Annotated[bool, typer.Option("--list", help="List the cases and stop.")] = False,
    paths: Annotated[
        int, typer.Option("--paths", min=1, help="Price paths of each battery.")
    ] = _DEFAULT_PATHS,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of every random stream.")] = 0,
    json: Annotated[
        Path | None, typer.Option("--json", help="File to write the results to.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")] = False,
) -> int:
    """Evaluate known disasters and their benign twins, rebuilt on the embedded chain.

    Each is an ordinary proposal; the evaluation is the same that a user gets. A
    disaster is caught if the verdict is FAIL for its own kind of harm; a twin that
    FAILs is a false alarm.
    Exit code: 0 if all are caught and no alarm is false, 1 if not.
    """
    try:
        from gallery.cases import chosen
        from gallery.runner import run, write
        from gallery.score import all_good
    except ImportError as error:
        raise SetupError(
            f"the gallery is not installed ({error.name} is missing): install seatrial again"
        ) from error
    cases = chosen(names or ())
    console = Console()
    if not console.is_terminal:
        console = Console(width=_WIDTH)  # a file or a pipe has no width of its own
    if listed:
        console.print(_contents(cases))
        return 0
    began = time.monotonic()
    done: list[Result] = []
    errors = Console(stderr=True)

    def finished(result: Result) -> None:
        done.append(result)
        if not quiet:
            style = _STYLES[result.outcome]
            errors.print(Text.assemble(f"  {result.case}: ", (result.outcome.value, style)))

    try:
        with TerminalProgress(errors, quiet=quiet) as progress:
            run(cases, paths=paths, seed=seed, progress=progress, finished=finished)
    finally:
        # What is done is shown even if the rest was stopped.
        if done:
            console.print(_results(done))
            for r in done:
                if not r.outcome.good:
                    console.print(Text.assemble((f"{r.case}: ", "bold"), inert.line(r.because)))
        if done and json is not None:
            write(done, json)
    console.print(_summary(done, time.monotonic() - began))
    return 0 if all_good(r.outcome for r in done) else 1


def _contents(cases: Sequence[Case]) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in ("case", "what the proposal does", "what happened, or why it is harmless"):
        table.add_column(column, overflow="fold")
    for case in cases:
        style = "bold" if case.harmful else "dim"
        name = case.name if case.harmful else f"  {case.name}"
        table.add_row(Text(name, style=style), Text(case.title), Text(case.source, style="dim"))
    return table


def _results(results: Sequence[Result]) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in ("case", "outcome", "verdict", "seen"):
        table.add_column(column, no_wrap=True)
    for column in ("least capital", "atomic", "loss found", "time"):
        table.add_column(column, justify="right", no_wrap=True)
    for r in results:
        table.add_row(
            Text(f"  {r.case}" if r.twin_of else r.case, style="" if r.twin_of else "bold"),
            Text(r.outcome, style=_STYLES[r.outcome]),
            r.verdict,
            ", ".join(r.seen) or "–",
            _money(r.capital_usd),
            "–" if r.atomic is None else "yes" if r.atomic else "no",
            _money(r.loss_usd),
            f"{r.seconds:.1f} s",
        )
    return table


def _summary(results: Sequence[Result], seconds: float) -> Text:
    count = {name: sum(r.outcome == name for r in results) for name in _STYLES}
    disasters = count["caught"] + count["missed"]
    twins = count["clean"] + count["false alarm"]
    return Text(
        f"{count['caught']} of {disasters} disasters caught, {count['missed']} missed; "
        f"{count['false alarm']} of {twins} benign twins failed; {seconds:.0f} s",
        style="bold",
    )


def _money(usd: float | None) -> str:
    from evaluator.verdict.figures import money

    return "–" if usd is None else money(usd)
