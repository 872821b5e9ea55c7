"""`seatrial draft`: from words a person would type to a proposal file."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from eth_utils.address import is_address
from rich.console import Console
from rich.prompt import Prompt
from rich.table import Table
from rich.text import Text

from evaluator.cli.evaluation import Out, Quiet, Rpc, address, block_of, endpoints, run_evaluation
from evaluator.cli.progress import TerminalProgress
from evaluator.errors import ConfigurationError
from evaluator.evaluation.request import DEFAULT_PATHS, EvaluationRequest

if TYPE_CHECKING:
    from evaluator.evaluation.drafting import DraftMarket
    from evaluator.market import Parameter


def draft(
    assignments: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            "-s",
            help="PARAMETER=VALUE, such as aave_v3.WETH.liquidation_threshold=0.80; several "
            "times for several. Without one you are asked.",
            show_default=False,
        ),
    ] = None,
    governor: Annotated[
        str | None, typer.Option("--governor", "-g", help="Address of the governor it is for.")
    ] = None,
    market: Annotated[
        list[str] | None,
        typer.Option("--market", help="Address of the pool or comptroller.", show_default=False),
    ] = None,
    description: Annotated[
        str | None, typer.Option("--description", help="Markdown; written for you if left out.")
    ] = None,
    to: Annotated[Path, typer.Option("--to", help="File to write.")] = Path("proposal.json"),
    safe: Annotated[
        bool, typer.Option("--safe", help="Also write PROPOSAL.safe.json for Safe's builder.")
    ] = False,
    parameters: Annotated[
        bool, typer.Option("--list", help="List the parameters with today's values and stop.")
    ] = False,
    evaluate: Annotated[
        bool, typer.Option("--evaluate", help="Evaluate the draft at once.")
    ] = False,
    rpc: Rpc = None,
    block: Annotated[str, typer.Option("--block", "-b", help="Block number or tag.")] = "latest",
    paths: Annotated[int, typer.Option("--paths", min=1)] = DEFAULT_PATHS,
    seed: Annotated[int, typer.Option("--seed", min=0)] = 0,
    out: Out = Path("seatrial-report"),
    quiet: Quiet = False,
) -> int:
    """Draft a proposal that changes parameters, as real calldata for the governor at hand.

    The calls are tried against the protocol from the governor's executor before the
    file is written. `evaluate --file` reads it, and so do governance front ends.
    """
    from evaluator.evaluation import open_state
    from evaluator.evaluation.drafting import draft as write_draft
    from evaluator.evaluation.drafting import outline_markets, sets_nothing

    request = EvaluationRequest(
        governor=address(governor), urls=endpoints(rpc), block=block_of(block)
    )
    console = Console()
    if not (assignments or parameters or (console.is_terminal and sys.stdin.isatty())):
        raise ConfigurationError(
            "nothing to set: give --set PARAMETER=VALUE, or --list to see the parameters"
        )
    # What can be told to be wrong without a chain is told before one is started.
    roots = market or []
    for root in roots:
        if not is_address(root):
            raise ConfigurationError(
                f"--market {root[:60]!r} is not an address; it takes 0x and 40 hex digits"
            )
    for text in assignments or ():
        if "=" not in text:
            raise sets_nothing(text)
    with (
        TerminalProgress(Console(stderr=True), quiet=quiet) as progress,
        open_state(request, progress) as state,
    ):
        markets = outline_markets(state, roots, progress)
        if parameters:
            console.print(parameter_table(markets))
            return 0
        if assignments:
            chosen = assignments
        else:
            with progress.aside():
                chosen = choose(console, markets)
        progress.stage("draft", "writing and trying the calls")
        made = write_draft(
            state, markets, chosen, governor=request.governor, description=description
        )
    made.write(to)
    console.print(Text(f"wrote {to}: {made.description.splitlines()[0].lstrip('# ')}"))
    if safe:
        other = to.with_suffix(".safe.json")
        made.write(other, safe=True)
        console.print(Text(f"wrote {other} for Safe's transaction builder"))
    if not evaluate:
        console.print(Text(f"evaluate it: seatrial evaluate --file {to}", style="dim"))
        return 0
    from evaluator.cli.publication import exit_code

    evaluation = EvaluationRequest(
        file=to, urls=request.urls, block=request.block, paths=paths, seed=seed, out=out
    )
    return exit_code(run_evaluation(evaluation, quiet=quiet))


def parameter_table(markets: Sequence[DraftMarket], paths: Collection[str] | None = None) -> Table:
    """Return parameters with today's value and where they are set; all without `paths`."""
    from evaluator.report import inert
    from evaluator.verdict import figures

    table = Table("parameter", "today", "set by")
    for one in markets:
        for p in one.parameters:
            if paths is not None and p.path not in paths:
                continue
            table.add_row(
                inert.terminal(p.path),
                inert.terminal(figures.setting(p.value, p.unit)),
                inert.terminal(p.settable_by),
            )
    return table


def choose(console: Console, markets: Sequence[DraftMarket]) -> list[str]:
    """Ask which parameters to set and to what, and return them as `--set` takes them.

    A part of a name lists what contains it; an empty line ends the choice. Raises
    ConfigurationError when standard input ends before.
    """
    from evaluator.evaluation.drafting import can_be_drafted, parse_settings
    from evaluator.verdict import figures

    known = {p.path: p for m in markets for p in m.parameters if can_be_drafted(m, p)}
    console.print(f"{len(known)} parameters can be drafted. Type a part of a name to see them.")
    chosen: list[str] = []
    while True:
        what = "another parameter, Enter when done" if chosen else "parameter"
        path = _answer(console, what)
        if not path and chosen:
            return chosen
        if path not in known:
            console.print(_matching(markets, known, path))
            continue
        today = figures.setting(known[path].value, known[path].unit)
        value = _answer(console, f"{path} is {today} today; to")
        try:
            parse_settings(markets, [*chosen, f"{path}={value}"])
        except ConfigurationError as error:
            console.print(Text(str(error)))
            continue
        chosen.append(f"{path}={value}")


def _answer(console: Console, question: str) -> str:
    try:
        said = Prompt.ask(Text(question), console=console, default="", show_default=False)
    except EOFError as error:
        raise ConfigurationError("the choice was ended before anything was drafted") from error
    return said.strip()


def _matching(
    markets: Sequence[DraftMarket], known: Mapping[str, Parameter], part: str
) -> Table | Text:
    found = {path for path in known if part.lower() in path.lower()}
    if part and not found:
        return Text(f"no parameter that can be drafted has {part!r} in its name")
    if not part:
        names = dict.fromkeys(f"{p.protocol}.{p.asset}" for p in known.values() if p.asset)
        return Text("Type a part of a name, such as " + ", ".join(list(names)[:12]))
    return parameter_table(markets, found)
