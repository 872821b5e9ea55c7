"""`seatrial console`: a Brownie console on the chain an evaluation ran on."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from evaluator.cli.evaluation import Out, Rpc, endpoints, request_of
from evaluator.cli.progress import TerminalProgress
from evaluator.errors import ConfigurationError


def console(
    manifest: Annotated[
        Path, typer.Argument(help="manifest.json of a report, or the report's folder.")
    ],
    rpc: Rpc = None,
    before: Annotated[
        bool, typer.Option("--before", help="Stay at the evaluated block; execute nothing.")
    ] = False,
    command: Annotated[
        str | None, typer.Option("--command", "-c", help="Run this Python instead of a prompt.")
    ] = None,
    out: Out = Path("seatrial-report"),
) -> int:
    """Open a Brownie console on the fork of an evaluation, after the proposal was executed.

    Needs Brownie: pip install 'seatrial[brownie]'. Nothing done there leaves the fork.
    """
    from evaluator.chain.brownie_project import open_console, prepare_project
    from evaluator.evaluation import find_proposal, open_state
    from evaluator.report.files import read_manifest

    wanted = read_manifest(manifest)
    prepare_project()
    with (
        tempfile.TemporaryDirectory(prefix="seatrial-") as folder,
        TerminalProgress(Console(stderr=True), quiet=command is not None) as progress,
    ):
        request = request_of(wanted, Path(folder), endpoints(rpc), out)
        with open_state(request, progress) as state:
            if state.sandbox.block.hash != wanted.block_hash:
                raise ConfigurationError(
                    f"the manifest was made at block {wanted.block} with the hash "
                    f"{wanted.block_hash}, this chain has {state.sandbox.block.hash} there: "
                    "another version of Seatrial, or another chain"
                )
            if not before:
                governor, proposal = find_proposal(state, request, progress)
                progress.stage("execute", "carrying the proposal through its governor")
                governor.execute(state.sandbox, proposal)
            progress.stage("console", f"forking at block {state.sandbox.block_number()}")
            return open_console(state.sandbox.rpc.urls, commands=command)
