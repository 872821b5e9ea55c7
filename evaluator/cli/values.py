"""`seatrial recommend` and `seatrial sweep`: which values would be safe."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from evaluator.cli.evaluation import (
    Prices,
    Process,
    Quiet,
    Rpc,
    Scenario,
    block_of,
    check_law,
    endpoints,
)
from evaluator.cli.progress import TerminalProgress
from evaluator.errors import ConfigurationError
from evaluator.evaluation.request import EvaluationRequest

if TYPE_CHECKING:
    from evaluator.evaluation.values import ValueBench

_MOST_POINTS = 400
_PATHS = 2_000
_RARE_PATHS = 10_000

MarketOption = Annotated[
    list[str] | None,
    typer.Option("--market", help="Address of the pool or comptroller.", show_default=False),
]
Paths = Annotated[int, typer.Option("--paths", min=100, help="Price paths for each value.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Seed of the price paths.")]
Block = Annotated[str, typer.Option("--block", "-b", help="Block number or tag.")]


def recommend(
    parameter: Annotated[
        list[str],
        typer.Option(
            "--parameter",
            "-p",
            help="Parameter, or PARAMETER=VALUE to say towards which value; several move "
            "together, each towards its value.",
        ),
    ],
    keep: Annotated[
        str,
        typer.Option("--keep", "-k", help="Promise, such as 'P(insolvency) <= 0.001' or <= today."),
    ] = "P(insolvency) <= today",
    market: MarketOption = None,
    rpc: Rpc = None,
    block: Block = "latest",
    paths: Paths = _PATHS,
    seed: Seed = 0,
    process: Process = "jump_diffusion",
    prices: Prices = None,
    scenario: Scenario = None,
    quiet: Quiet = False,
) -> int:
    """Find the value of a parameter that keeps a promise with 95% confidence.

    With a value to move towards: the furthest one on the way that keeps it. Without:
    today's value if that keeps it, otherwise the nearest that does.
    """
    request = _request(rpc, block, paths, seed, process, prices, scenario)
    bench = _bench(request, market, quiet, [p.partition("=")[0] for p in parameter])
    with TerminalProgress(Console(stderr=True), quiet=quiet) as progress:
        progress.stage("recommend", f"{paths:,} paths for each value tried")
        found = bench.recommend(parameter, keep, progress=progress.advance)
    console = Console()
    table = Table("parameter", "today", "towards", "keeps the promise")
    for row in found.rows:
        table.add_row(*row)
    console.print(table)
    console.print(Text(found.sentence))
    return 0 if found.kept else 1


def sweep(
    parameter: Annotated[
        list[str],
        typer.Option("--parameter", "-p", help="PARAMETER=LOW:HIGH:POINTS; two make a surface."),
    ],
    metric: Annotated[
        str, typer.Option("--metric", help="Metric to show, as in a promise: P(insolvency), es99.")
    ] = "P(insolvency)",
    market: MarketOption = None,
    rpc: Rpc = None,
    block: Block = "latest",
    paths: Paths = _PATHS,
    seed: Seed = 0,
    process: Process = "jump_diffusion",
    prices: Prices = None,
    scenario: Scenario = None,
    to: Annotated[Path | None, typer.Option("--to", help="Also write a CSV file.")] = None,
    quiet: Quiet = False,
) -> int:
    """Show a metric over a range of values, every value on the same paths."""
    axes = [_axis(text) for text in parameter]
    count = 1
    for _, values in axes:
        count *= len(values)
    if count > _MOST_POINTS:
        raise ConfigurationError(
            f"{count:,} combinations were asked for; at most {_MOST_POINTS} are run at once"
        )
    request = _request(rpc, block, paths, seed, process, prices, scenario)
    bench = _bench(request, market, quiet, [path for path, _ in axes])
    with TerminalProgress(Console(stderr=True), quiet=quiet) as progress:
        progress.stage("sweep", f"{count} combinations, {paths:,} paths each")
        rows = bench.sweep(axes, metric)
    header = [*(path for path, _ in axes), f"{metric} same borrowers", "lower", "upper",
              "borrowers use the room"]  # fmt: skip
    table = Table(*header)
    for row in rows:
        table.add_row(*row)
    Console().print(table)
    if to is not None:
        lines = [",".join(header), *(",".join(row) for row in rows)]
        try:
            to.write_text("\n".join(lines) + "\n", encoding="utf-8")
        except OSError as error:
            raise ConfigurationError(f"{to} cannot be written: {error.strerror}") from error
    return 0


def rare(
    loss: Annotated[
        list[float],
        typer.Option("--loss", min=0.0, help="New bad debt, USD, that is exceeded; or several."),
    ],
    market: MarketOption = None,
    rpc: Rpc = None,
    block: Block = "latest",
    paths: Paths = _RARE_PATHS,
    seed: Seed = 0,
    process: Process = "jump_diffusion",
    prices: Prices = None,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    quiet: Quiet = False,
) -> int:
    """Show the chance of losses too rare to be counted, of a market as it stands.

    By importance sampling, which reaches chances of one in a million; the process must be
    a jump-diffusion (jump_diffusion, merton, gbm).
    """
    request = _request(rpc, block, paths, seed, process, prices, None)
    bench = _bench(request, market, quiet, [])
    with TerminalProgress(Console(stderr=True), quiet=quiet) as progress:
        progress.stage("rare losses", f"{paths:,} weighted paths for each")
        found = bench.rare(loss, progress=progress.advance)
    if json_:
        from evaluator.evaluation.studies import rare_row

        rows = [rare_row("today", one).model_dump(mode="json") for one in found]
        typer.echo(json.dumps(rows, indent=2))
        return 0
    table = Table("loss above, USD", "chance", "lower", "upper", "relative error", "plain paths")
    for one in found:
        p = one.probability
        table.add_row(
            f"{one.level:,.0f}",
            *(f"{x:.3g}" for x in (p.value, p.lower, p.upper)),
            f"{one.relative_error:.1%}" if math.isfinite(one.relative_error) else "no event",
            f"{one.effective_paths:,.0f}",
        )
    console = Console()
    console.print(table)
    console.print(Text(bench.rare_sentence(found)))
    return 0


def _axis(text: str) -> tuple[str, list[float]]:
    path, equals, span = text.partition("=")
    try:
        low, high, points = span.split(":")
        a, b, n = float(low), float(high), int(points)
    except ValueError:
        a = b = n = 0
    if not equals or n < 2:
        raise ConfigurationError(
            f"{text!r} is no range; write PARAMETER=LOW:HIGH:POINTS, such as "
            "aave_v3.WETH.liquidation_threshold=0.78:0.86:9"
        )
    return path.strip(), [a + (b - a) * k / (n - 1) for k in range(n)]


def _request(
    rpc: list[str] | None,
    block: str,
    paths: int,
    seed: int,
    process: str,
    prices: Path | None,
    scenario: str | None,
) -> EvaluationRequest:
    check_law(process, prices, scenario)
    return EvaluationRequest(
        urls=endpoints(rpc),
        block=block_of(block),
        paths=paths,
        seed=seed,
        process=process,
        prices=prices,
        scenario=scenario,
    )


def _bench(
    request: EvaluationRequest, market: list[str] | None, quiet: bool, names: list[str]
) -> ValueBench:
    from evaluator.evaluation.values import open_bench

    with TerminalProgress(Console(stderr=True), quiet=quiet) as progress:
        return open_bench(request, list(itertools.chain(market or ())), names, progress)
