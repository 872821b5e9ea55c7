"""The bot's one SQLite file: opening, migrating, backing up.

One process writes it (`claim` makes sure); others may read it while the bot
runs. Transactions are `database.atomic()` and nothing else: `with db.conn`
does not roll back what sqlite-utils inserted.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bot.errors import ConfigurationError
from bot.schema import MIGRATIONS
from evaluator import Database

BUSY_TIMEOUT = 5000  # milliseconds to wait for a reader's lock


def open_database(path: Path) -> Database:
    """Open the file at `path`, create or migrate it, and return it ready for use.

    Raises ConfigurationError when the file cannot be opened, is not a
    database, or was written by a newer version. A file that needs migrating
    is copied beside itself first.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, isolation_level=None)
    except (OSError, sqlite3.Error) as error:
        raise ConfigurationError(f"the database {path} cannot be opened: {error}") from error
    try:
        database = _configured(connection)
        _bring_up_to_date(database, path)
    except sqlite3.Error as error:
        connection.close()
        raise ConfigurationError(f"{path} is not a usable database: {error}") from error
    except BaseException:
        connection.close()
        raise
    return database


def _bring_up_to_date(database: Database, path: Path) -> None:
    version = schema_version(database)
    if version > len(MIGRATIONS):
        raise ConfigurationError(
            f"the database {path} has version {version}, this program knows versions up to "
            f"{len(MIGRATIONS)}: run the newer program, or restore a backup"
        )
    if 0 < version < len(MIGRATIONS):
        back_up(database, path.with_name(f"{path.name}.before-v{len(MIGRATIONS)}"))
    migrate(database, MIGRATIONS)


def _configured(connection: sqlite3.Connection) -> Database:
    connection.row_factory = sqlite3.Row
    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    return Database(connection)


def schema_version(database: Database) -> int:
    """Return how many migrations the file has seen."""
    return int(database.execute("PRAGMA user_version").fetchone()[0])


def migrate(database: Database, migrations: Sequence[Sequence[str]]) -> None:
    """Apply the migrations the file lacks, each in a transaction of its own."""
    for number in range(schema_version(database), len(migrations)):
        with database.atomic():
            for statement in migrations[number]:
                database.execute(statement)
            database.execute(f"PRAGMA user_version = {number + 1}")


def back_up(database: Database, target: Path) -> None:
    """Write a consistent copy of the database to `target`, while it is in use.

    The copy is checked and then moved into place; an existing file is replaced.
    """
    draft = target.with_name(target.name + ".part")
    draft.unlink(missing_ok=True)
    with contextlib.closing(sqlite3.connect(draft)) as copy:
        database.conn.backup(copy, pages=1024)
        # A copy in WAL mode would need its side files; one file is easier to keep.
        copy.execute("PRAGMA journal_mode = DELETE")
        verdict = copy.execute("PRAGMA integrity_check").fetchone()[0]
    if verdict != "ok":
        draft.unlink(missing_ok=True)
        raise ConfigurationError(f"the copy failed its integrity check: {verdict}")
    descriptor = os.open(draft, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    draft.replace(target)


@contextlib.contextmanager
def claim(path: Path) -> Iterator[None]:
    """Hold the database for this process; ConfigurationError if another one holds it.

    The lock is the operating system's: it ends with the process, however it ends.
    """
    lock = path.with_name(path.name + ".lock")
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ConfigurationError(
                f"another seatrial-bot is running on {path}; stop it first"
            ) from error
        yield


def rows(database: Database, sql: str, arguments: Sequence[object] = ()) -> list[sqlite3.Row]:
    """Return all rows of a query."""
    return database.execute(sql, list(arguments)).fetchall()


def row(database: Database, sql: str, arguments: Sequence[object] = ()) -> sqlite3.Row | None:
    """Return the first row of a query, or None."""
    found: sqlite3.Row | None = database.execute(sql, list(arguments)).fetchone()
    return found


def scalar(database: Database, sql: str, arguments: Sequence[object] = ()) -> Any:
    """Return the first column of the first row, or None."""
    found = database.execute(sql, list(arguments)).fetchone()
    return None if found is None else found[0]


def audit(database: Database, actor: str, action: str, detail: str = "{}") -> None:
    """Note who did what; `detail` is JSON text."""
    database.table("audit").insert(
        {"at": time.time(), "actor": actor, "action": action, "detail": detail}
    )
