"""`seatrial draft`: from words a person would type to a proposal file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
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
    from evaluator.evaluation.drafting import outline_markets

    request = EvaluationRequest(
        governor=address(governor), urls=endpoints(rpc), block=block_of(block)
    )
    console = Console()
    with (
        TerminalProgress(Console(stderr=True), quiet=quiet) as progress,
        open_state(request, progress) as state,
    ):
        markets = outline_markets(state, market or (), progress)
        progress.stage("draft", "writing and trying the calls")
        if parameters:
            console.print(parameter_table(markets))
            return 0
        chosen = assignments or _ask(console, markets)
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


def parameter_table(markets: Sequence[DraftMarket]) -> Table:
    """Return every parameter with today's value and where it is set."""
    from evaluator.report import inert
    from evaluator.verdict import figures

    table = Table("parameter", "today", "set by")
    for one in markets:
        for p in one.parameters:
            table.add_row(
                inert.terminal(p.path),
                inert.terminal(figures.setting(p.value, p.unit)),
                inert.terminal(p.settable_by),
            )
    return table


def _ask(console: Console, markets: Sequence[DraftMarket]) -> list[str]:
    if not console.is_terminal:
        raise ConfigurationError(
            "nothing to set: give --set PARAMETER=VALUE, or --list to see the parameters"
        )
    console.print(parameter_table(markets))
    path = Prompt.ask("parameter", console=console)
    value = Prompt.ask("new value", console=console)
    return [f"{path}={value}"]
