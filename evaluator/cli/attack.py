"""`seatrial attack`: the attacks of a report, shown or made again."""

from __future__ import annotations

import tempfile
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text

from evaluator.cli.evaluation import Quiet, Rpc, endpoints, request_of
from evaluator.cli.progress import TerminalProgress
from evaluator.cli.reports import Which, open_report
from evaluator.errors import ReplayMismatch
from evaluator.report import inert

if TYPE_CHECKING:
    from evaluator.evaluation.attack_replay import RepeatedAttack
    from evaluator.report.model import AttackRow


class AttackAction(StrEnum):
    """What is done with the attacks of a report."""

    SHOW = "show"
    REPLAY = "replay"


def attack(
    action: Annotated[
        AttackAction, typer.Argument(help="show, or replay: make them again on a fresh sandbox.")
    ],
    report: Which,
    finding: Annotated[
        str | None,
        typer.Argument(help="The first digits of an attack's finding; without it, all of them."),
    ] = None,
    rpc: Rpc = None,
    quiet: Quiet = False,
) -> int:
    """Show the attacks that an evaluation found, or repeat them with mined transactions.

    A replay executes the proposal on a fresh sandbox, as the report's manifest says, and
    prints each transaction, what became of it and what it cost whom. Exit code 0 if every
    attack costs what the report says, 15 if not.
    """
    # Heavy imports wait until the arguments were found good.
    from evaluator.evaluation.attack_replay import attacks_of, replay_attacks

    path = Path(report)
    # A manifest stands beside its report.
    beside = path.with_name("report.json") if path.name == "manifest.json" else path
    model = open_report(str(beside))
    rows = attacks_of(model, finding)
    console = Console()
    if action is AttackAction.SHOW:
        for row in rows:
            _show(console, row)
        return 0
    manifest = model.reproduce.manifest
    with tempfile.TemporaryDirectory(prefix="seatrial-") as folder:
        request = request_of(manifest, Path(folder), endpoints(rpc), Path(folder))
        with TerminalProgress(Console(stderr=True), quiet=quiet) as progress:
            made = replay_attacks(rows, request, progress)
    for one in made:
        _show(console, one.row)
        _result(console, one)
    failed = [one.row.identifier for one in made if not one.holds]
    if failed:
        raise ReplayMismatch(
            f"{len(failed)} of {len(made)} attacks did not cost what the report says: "
            f"{', '.join(failed)}"
        )
    return 0


def _show(console: Console, row: AttackRow) -> None:
    console.print(
        Text(f"{row.identifier}  {inert.terminal(row.market, 80)}: "
             f"{inert.terminal(row.pattern, 120)}", style="bold")
    )  # fmt: skip
    for number, move in enumerate(row.moves, start=1):
        console.print(Text(f"  {number:2}. {inert.terminal(move, 300)}"))
    today = ", possible today as well" if row.open_today else ""
    console.print(
        Text(
            f"  protocol {row.protocol_loss_usd:,.0f} USD, users {row.user_harm_usd:,.0f} USD, "
            f"profit {row.profit_usd:,.0f} USD with {row.capital_usd:,.0f} USD; today "
            f"{row.before_loss_usd:,.0f} USD{today}"
        )
    )
    if row.paid_by:
        console.print(Text(f"  paid by {inert.terminal(row.paid_by, 200)}"))


def _result(console: Console, one: RepeatedAttack) -> None:
    for t in one.confirmation.transactions:
        became = "done" if not t.reason else f"reverted: {inert.terminal(t.reason, 200)}"
        console.print(Text(f"  → {t.to}  {t.gas_used:,} gas  {became}"))
        console.print(Text(f"    {inert.terminal(t.what, 600)}", style="dim"))
    outcome = one.confirmation.outcome
    if not outcome.made:
        console.print(Text(f"  not made: {inert.terminal(outcome.reason, 300)}", style="red"))
        return
    how = "on borrowed money" if one.borrowed else f"with {outcome.capital:,.0f} USD"
    console.print(
        Text(
            f"  {'as reported' if one.holds else 'NOT as reported'}: the protocol lost "
            f"{outcome.protocol:,.0f} USD, users {outcome.users:,.0f} USD; the attacker gained "
            f"{outcome.profit:,.0f} USD {how}"
        )
    )
