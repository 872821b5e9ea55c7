"""The command line: `seatrial COMMAND`; errors become one sentence and an exit code."""

from __future__ import annotations

import atexit
import gc
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from types import FrameType
from typing import Annotated, NoReturn

import typer
from typer.exceptions import Abort, TyperException

import evaluator
from evaluator.chain.redaction import redact_logs
from evaluator.cli import (
    attack,
    console,
    doctor,
    draft,
    evaluation,
    gallery,
    preparation,
    reports,
    values,
)
from evaluator.errors import SeatrialError

USAGE = 64  # a wrong argument; 2 means CAUTION
UNEXPECTED = 70
INTERRUPTED = 130

app = typer.Typer(
    name="seatrial",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="Take a governance proposal to sea before it sails: execute it on a fork, stress the "
    "protocol before and after, and report the odds.",
    epilog="Begin with: seatrial demo",
)


def _version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"seatrial {evaluator.__version__}\n")
        raise typer.Exit


@app.callback()
def _options(
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the stack trace of an error.")
    ] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


_EVALUATE, _REPORTS, _MACHINE = "Evaluate", "Read reports", "This machine"
app.command(rich_help_panel=_EVALUATE)(evaluation.evaluate)
app.command(rich_help_panel=_EVALUATE)(evaluation.demo)
app.command(rich_help_panel=_EVALUATE)(draft.draft)
app.command(rich_help_panel=_EVALUATE)(evaluation.replay)
app.command(rich_help_panel=_EVALUATE)(console.console)
app.command(rich_help_panel=_EVALUATE)(values.recommend)
app.command(rich_help_panel=_EVALUATE)(values.sweep)
app.command(rich_help_panel=_EVALUATE)(values.rare)
app.command(rich_help_panel=_EVALUATE)(gallery.gallery)
app.command(rich_help_panel=_EVALUATE)(attack.attack)
app.command(rich_help_panel=_REPORTS)(reports.show)
app.command(rich_help_panel=_REPORTS)(reports.runs)
app.command(rich_help_panel=_REPORTS)(reports.verify)
app.command(rich_help_panel=_REPORTS)(reports.explain)
app.command(rich_help_panel=_REPORTS)(reports.compare)
app.command(rich_help_panel=_MACHINE)(doctor.doctor)
app.command(rich_help_panel=_MACHINE)(preparation.setup)


def _say(text: str) -> None:
    sys.stderr.write(f"seatrial: {text}\n")


def _usage(error: TyperException) -> str:
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "seatrial"
    return f"{error.format_message().rstrip('.')} (see {command} --help)"


def main(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; nothing but SystemExit escapes."""
    given = list(arguments)
    # --debug is welcome before and after the command.
    debug = "--debug" in given or os.environ.get("SEATRIAL_DEBUG") == "1"
    given = [a for a in given if a != "--debug"]
    try:
        code = app(args=given, prog_name="seatrial", standalone_mode=False)
        sys.stdout.flush()
    except SeatrialError as e:
        if debug:
            traceback.print_exc()
        _say(str(e))
        return e.exit_code
    except TyperException as e:
        if e.format_message():
            _say(_usage(e))
        return USAGE
    except (KeyboardInterrupt, Abort):
        _say("stopped")
        return INTERRUPTED
    except BrokenPipeError:
        # The reader went away; Python would complain again while closing.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as e:
        if debug:
            traceback.print_exc()
        _say(
            f"unexpected error, which is a defect of seatrial: {type(e).__name__}. Run it again "
            "with --debug and report what it prints"
        )
        return UNEXPECTED
    if code == INTERRUPTED:
        _say("stopped")
    return code if isinstance(code, int) else 0


def _terminate(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001
    # As Ctrl-C, so that context managers stop what they started.
    raise KeyboardInterrupt


def run() -> NoReturn:
    """Run `seatrial` as a program."""
    signal.signal(signal.SIGTERM, _terminate)
    # Most of what a command makes lives until it ends: collecting it now and then, and
    # all of it at the end, would take a tenth of the time of a short command.
    gc.set_threshold(50_000, 20, 20)
    atexit.register(gc.freeze)
    redact_logs()
    sys.exit(main(sys.argv[1:]))


if __name__ == "__main__":
    run()
