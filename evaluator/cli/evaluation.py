"""`seatrial evaluate`, `seatrial demo` and `seatrial replay`."""

from __future__ import annotations

import json
import os
import re
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text

from evaluator.cli.progress import TerminalProgress
from evaluator.errors import ConfigurationError, ReplayMismatch
from evaluator.evaluation.request import DEFAULT_PATHS, EvaluationRequest

if TYPE_CHECKING:
    from evaluator.report.manifest import Manifest
    from evaluator.report.model import ReportModel

_MOST_PATHS = 10_000_000
_DEMO_PATHS = 1_000  # enough to show the form within seconds

Rpc = Annotated[
    list[str] | None,
    typer.Option(
        "--rpc",
        help="JSON-RPC URL of a node; give several for failover. Without one, SEATRIAL_RPC is "
        "taken (URLs separated by spaces), and without that the embedded chain.",
        show_default=False,
    ),
]
Out = Annotated[Path, typer.Option("--out", help="Folder the report is written to.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]


Scenario = Annotated[
    str | None, typer.Option("--scenario", help="Scenario laid over the price process.")
]
Process = Annotated[
    str,
    typer.Option(
        "--process", help="Price process: gbm, merton, heston, t_copula, best, or a plugin's."
    ),
]
Prices = Annotated[
    Path | None,
    typer.Option(
        "--prices",
        help="CSV or Parquet file of prices to fit the process to, instead of feed rounds.",
    ),
]


def endpoints(given: list[str] | None) -> tuple[str, ...]:
    """Return the RPC URLs given, or those of SEATRIAL_RPC."""
    urls = tuple(given or os.environ.get("SEATRIAL_RPC", "").split())
    for url in urls:
        if not re.match(r"https?://", url):
            # The URL may hold a key and is not repeated.
            raise ConfigurationError(
                "an RPC URL must begin with http:// or https://; give one like "
                "--rpc http://localhost:8545"
            )
    return urls


def address(text: str | None) -> str | None:
    if text is not None and not re.fullmatch(r"0x[0-9a-fA-F]{40}", text):
        raise ConfigurationError(
            f"{text[:60]!r} is not an address; --governor takes 0x and 40 hex digits"
        )
    return text


def block_of(text: str) -> int | str:
    if text in ("latest", "safe", "finalized", "earliest", "pending"):
        return text
    try:
        number = int(text.replace(",", "").replace("_", ""), 0)
    except ValueError:
        number = -1
    if number < 0:
        raise ConfigurationError(
            f"--block {text[:40]!r} is neither a block number nor latest, safe or finalized"
        )
    return number


def _proposal_id(text: str | None) -> int | None:
    from evaluator.governance.proposal import parse_proposal_id

    return None if text is None else parse_proposal_id(text)


def run_evaluation(request: EvaluationRequest, *, quiet: bool) -> ReportModel:
    """Evaluate, write the report, save the run and print the first screen."""
    # Heavy imports wait until the arguments were found good; those of charts and of the
    # database until the evaluation loaded them beside its other work.
    from evaluator.evaluation.evaluation import evaluate

    began = time.monotonic()
    with TerminalProgress(Console(stderr=True), quiet=quiet) as progress:
        evaluation = evaluate(request, progress)
        progress.stage("report", f"writing to {request.out}")
        seconds = time.monotonic() - began
        from evaluator.cli.publication import publish, show_result

        files, run = publish(evaluation.report, seconds=seconds, folder=request.out)
    console = Console()
    total = time.monotonic() - began
    show_result(console, evaluation.report, files, run=run, seconds=total)
    return evaluation.report


def evaluate(
    proposal: Annotated[
        str | None,
        typer.Option("--proposal", "-p", help="Id of a submitted proposal, decimal or 0x hex."),
    ] = None,
    governor: Annotated[
        str | None, typer.Option("--governor", "-g", help="Address of its governor.")
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", "-f", help="proposal.json of a proposal that is not submitted yet."),
    ] = None,
    rpc: Rpc = None,
    block: Annotated[
        str, typer.Option("--block", "-b", help="Block number, or latest, safe, finalized.")
    ] = "latest",
    paths: Annotated[
        int, typer.Option("--paths", min=1, max=_MOST_PATHS, help="Price paths of the battery.")
    ] = DEFAULT_PATHS,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of every random stream.")] = 0,
    policy: Annotated[
        Path | None,
        typer.Option("--policy", help="Policy file (TOML); see templates/policy.toml."),
    ] = None,
    scenario: Scenario = None,
    scheduler: Annotated[
        str | None,
        typer.Option(
            "--scheduler", help="Dask scheduler, tcp://HOST:PORT, to run the paths on its workers."
        ),
    ] = None,
    attack_sequences: Annotated[
        int | None,
        typer.Option(
            "--attack-sequences",
            min=0,
            max=100_000,
            help="Attack sequences tried on each market that changes; 0 leaves the search out. "
            "Without it, what the policy says.",
            show_default=False,
        ),
    ] = None,
    most_paths: Annotated[
        int | None,
        typer.Option(
            "--most-paths",
            min=1,
            max=_MOST_PATHS,
            help="Paths to go on to while more may settle the verdict; ten times --paths "
            "unless given.",
        ),
    ] = None,
    process: Process = "jump_diffusion",
    prices: Prices = None,
    sampling: Annotated[
        str,
        typer.Option(
            "--sampling",
            help="How paths are drawn: independent, antithetic (mirrored pairs) or sobol (sixteen "
            "scrambled sequences); intervals follow.",
        ),
    ] = "independent",
    full: Annotated[
        bool,
        typer.Option(
            "--full",
            help="Greeks, what drives the result, the most plausible large loss and the chances "
            "of rare ones as well; takes a minute or more.",
        ),
    ] = False,
    out: Out = Path("seatrial-report"),
    quiet: Quiet = False,
) -> int:
    """Execute a proposal on a fork, stress the protocol before and after, and report the odds.

    The proposal is named by --governor and --proposal, or by --file.
    Exit code: 0 PASS, 1 FAIL, 2 CAUTION or INCONCLUSIVE, above that an error.
    """
    if file is None and (proposal is None or governor is None):
        missing = "--governor ADDRESS" if proposal is not None else "--proposal ID"
        if proposal is None and governor is None:
            missing = "--governor ADDRESS and --proposal ID, or --file proposal.json"
        raise ConfigurationError(f"no proposal was named: give {missing}")
    if file is not None and proposal is not None:
        raise ConfigurationError("--file and --proposal name two proposals: give one of them")
    if file is not None and not file.is_file():
        raise ConfigurationError(f"there is no file {file}; --file takes a proposal.json")
    if policy is not None:
        from evaluator.verdict.policy import Policy

        Policy.load(policy)  # a bad policy is told before anything slow is begun
    check_law(process, prices, scenario)
    if sampling not in ("independent", "antithetic", "sobol"):
        raise ConfigurationError(
            f"--sampling {sampling[:40]!r} is none of independent, antithetic and sobol"
        )
    request = EvaluationRequest(
        governor=address(governor),
        proposal_id=_proposal_id(proposal),
        file=file,
        urls=endpoints(rpc),
        block=block_of(block),
        paths=paths,
        seed=seed,
        policy=policy,
        scenario=scenario,
        scheduler=scheduler,
        most_paths=most_paths,
        process=process,
        prices=prices,
        sampling=sampling,
        full=full,
        attack_sequences=attack_sequences,
        out=out,
    )
    report = run_evaluation(request, quiet=quiet)
    from evaluator.cli.publication import exit_code

    return exit_code(report)


def check_law(process: str, prices: Path | None, scenario: str | None) -> None:
    """Tell about a bad process, scenario or file of prices before anything slow is begun."""
    from evaluator.stress.price_process import process_by_name

    process_by_name(process)
    if scenario is not None:
        from evaluator.stress.scenarios.library import find_scenario

        find_scenario(scenario)
    if prices is not None:
        from evaluator.stress.calibration.price_files import read_prices

        read_prices(prices)


def demo(
    out: Out = Path("seatrial-report"),
    paths: Annotated[
        int, typer.Option("--paths", min=1, max=_MOST_PATHS, help="Price paths of the battery.")
    ] = _DEMO_PATHS,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of every random stream.")] = 0,
    quiet: Quiet = False,
) -> int:
    """Evaluate a real proposal on the embedded chain (real bytecode, seeded state).

    Whatever the verdict is, the exit code is 0 when the report was written.
    """
    request = EvaluationRequest(paths=paths, seed=seed, attack_sequences=0, out=out)
    run_evaluation(request, quiet=quiet)
    return 0


def request_of(
    manifest: Manifest,
    folder: Path,
    urls: tuple[str, ...],
    out: Path,
    prices: Path | None = None,
) -> EvaluationRequest:
    """Turn a manifest back into what was asked for; files it needs are put into `folder`."""
    source = manifest.source
    file = None
    if source.proposal_id is None:
        file = folder / "proposal.json"
        document: dict[str, object] = {
            "governor": source.governor,
            "targets": [a.target for a in source.actions],
            "values": [a.value for a in source.actions],
            "signatures": [a.signature for a in source.actions],
            "calldatas": [a.calldata for a in source.actions],
            "description": source.description or "",
        }
        if source.proposer is not None:
            document["proposer"] = source.proposer
        file.write_text(json.dumps(document), encoding="utf-8")
    policy = None
    if manifest.policy_document:
        policy = folder / "policy.json"
        policy.write_text(json.dumps(manifest.policy_document), encoding="utf-8")
    if manifest.prices_digest is not None and prices is None:
        raise ConfigurationError(
            "the manifest was made with a file of prices (sha256 "
            f"{manifest.prices_digest[:16]}…): give it again with --prices FILE"
        )
    if not manifest.embedded and not urls:
        raise ConfigurationError(
            f"the manifest was made on {manifest.chain_name} (chain {manifest.chain_id}) at block "
            f"{manifest.block}; give --rpc URL of a node that serves it"
        )
    return EvaluationRequest(
        governor=source.governor if file is None else None,
        proposal_id=None if source.proposal_id is None else _proposal_id(source.proposal_id),
        file=file,
        urls=urls,
        block=manifest.block if urls else "latest",
        paths=manifest.paths,
        most_paths=manifest.paths if manifest.most_paths is None else manifest.most_paths,
        seed=manifest.seed,
        policy=policy,
        scenario=manifest.scenario,
        process=manifest.process,
        prices=prices,
        sampling=manifest.sampling,
        full=manifest.full,
        attack_sequences=manifest.attack_sequences,
        out=out,
    )


def replay(
    manifest: Annotated[
        Path, typer.Argument(help="manifest.json of a report, or the report's folder.")
    ],
    rpc: Rpc = None,
    prices: Annotated[
        Path | None,
        typer.Option("--prices", help="The file of prices, if one was given to the evaluation."),
    ] = None,
    out: Out = Path("seatrial-replay"),
    quiet: Quiet = False,
) -> int:
    """Evaluate again what a manifest says and compare every digest, bit for bit.

    Exit code 0 if they are the same; 15 if not, naming the first input that differs.
    """
    from evaluator.report.files import read_manifest

    wanted = read_manifest(manifest)
    with tempfile.TemporaryDirectory(prefix="seatrial-") as folder:
        request = request_of(wanted, Path(folder), endpoints(rpc), out, prices)
        report = run_evaluation(request, quiet=quiet)
    differences = wanted.differences(report.reproduce.manifest)
    if differences:
        raise ReplayMismatch(
            f"the replay differs from {manifest} in {len(differences)} place"
            f"{'' if len(differences) == 1 else 's'}, first of all in {differences[0]}"
            + "".join(f"\n  {d}" for d in differences[1:10])
        )
    Console().print(Text(f"the same digest as the manifest: {wanted.digest}", style="bold"))
    return 0
