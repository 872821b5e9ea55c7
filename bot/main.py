"""The command line of the bot: `seatrial-bot`."""

from __future__ import annotations

import asyncio
import datetime
import json
import logging
import sys
from pathlib import Path
from typing import Annotated

import typer

from bot.checks import check as check_settings
from bot.database import audit, back_up, claim, open_database
from bot.errors import ConfigurationError, SeatrialError
from bot.journal import Journal
from bot.logs import Redactor, set_up_logging
from bot.service import run_service
from bot.settings import Settings, load_settings
from evaluator import __version__, redact

log = logging.getLogger(__name__)

app = typer.Typer(
    name="seatrial-bot",
    help="Follows governors, evaluates their proposals, publishes the reports.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Config = Annotated[
    Path, typer.Option("--config", "-c", help="The settings file.", show_default=True)
]
DEFAULT_CONFIG = Path("bot.toml")


def _settings(config: Path) -> Settings:
    settings = load_settings(config)
    set_up_logging(
        secrets=settings.secrets(),
        style=settings.operation.log_format,
        level=settings.operation.log_level,
    )
    return settings


@app.command("run")
def run_bot(config: Config = DEFAULT_CONFIG) -> None:
    """Run the bot until it is stopped by SIGTERM or Ctrl-C."""
    settings = _settings(config)
    log.info("seatrial-bot %s starts with %s", __version__, config)
    asyncio.run(run_service(settings))


@app.command()
def check(config: Config = DEFAULT_CONFIG) -> None:
    """Look whether the settings work: endpoints, chain ids, contracts, permissions.

    Changes nothing but creating the database file. Exit code 1 if anything is wrong.
    """
    settings = load_settings(config)
    redactor = set_up_logging(secrets=settings.secrets(), level="WARNING")
    faults = asyncio.run(_check(settings, redactor))
    if faults:
        typer.echo(f"{faults} thing(s) must be mended")
        raise typer.Exit(1)
    typer.echo("all is well")


async def _check(settings: Settings, redactor: Redactor) -> int:
    faults = 0
    async for finding in check_settings(settings):
        if finding.fault:
            faults += 1
            line = f"FAULT  {finding.what}: {finding.fault}"
        else:
            line = f"ok     {finding.what}" + (f": {finding.note}" if finding.note else "")
        typer.echo(redactor.redact(line))
    return faults


@app.command()
def backup(
    target: Annotated[Path | None, typer.Argument(help="File or folder to write to.")] = None,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Copy the database to one file, also while the bot runs."""
    settings = _settings(config)
    path = settings.operation.database
    if not path.exists():
        raise ConfigurationError(f"there is no database at {path}")
    stamp = datetime.datetime.now(datetime.UTC).strftime("%Y%m%d-%H%M%S")
    name = f"{path.stem}-{stamp}{path.suffix}"
    target = path.parent / name if target is None else target
    if target.is_dir():
        target = target / name
    database = open_database(path)
    try:
        back_up(database, target)
    except OSError as error:
        raise ConfigurationError(f"{target} cannot be written: {error.strerror}") from error
    finally:
        database.close()
    typer.echo(str(target))


@app.command()
def rewind(
    chain: Annotated[str, typer.Argument(help="Name of the chain in the settings.")],
    block: Annotated[int, typer.Argument(help="The newest block to keep.", min=0)],
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Read a chain again from a block on, after a reorganisation below finality.

    Events above the block are withdrawn. The bot must be stopped.
    """
    settings = _settings(config)
    if chain not in {known.name for known in settings.chains}:
        raise ConfigurationError(f"the settings have no chain {chain!r}")
    with claim(settings.operation.database):
        database = open_database(settings.operation.database)
        try:
            with database.atomic():
                gone = Journal(database, chain).rewind(block)
                database.execute("DELETE FROM blocks WHERE chain = ?", [chain])
                audit(database, "operator", "rewind", json.dumps({"chain": chain, "block": block}))
        finally:
            database.close()
    typer.echo(f"{len(gone)} proposal(s) withdrawn; {chain} is read again from block {block + 1}")


@app.command()
def demo(
    out: Annotated[Path, typer.Option("--out", help="Folder for what was posted.")] = Path(
        "reports/demo-bot"
    ),
) -> None:
    """Run the whole bot on this machine, from a proposal on chain to forum and Discord.

    The embedded chain and local stand-ins for Discourse and Discord; ends by itself.
    """
    from bot.demonstration import Demonstration

    set_up_logging(secrets=(), level="WARNING")
    asyncio.run(Demonstration(out, typer.echo).run())


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


def run() -> None:
    """Run the command line; errors are one sentence on standard error."""
    try:
        app()
    except SeatrialError as error:
        print(f"seatrial-bot: {redact(str(error))}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    run()
