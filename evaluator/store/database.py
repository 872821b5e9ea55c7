"""The database of runs: one SQLite file in the user's data folder."""

from __future__ import annotations

import os
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any

from evaluator.errors import StoreError
from evaluator.sqlite import Database, writing
from evaluator.store.records import FindingRecord, NewRun, RunRow

# Each entry takes the file from its position to the next; never edit one that was released.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE proposals (
            digest TEXT PRIMARY KEY, governor TEXT, proposal_id TEXT,
            title TEXT NOT NULL, description TEXT NOT NULL)""",
        """CREATE TABLE runs (
            number INTEGER PRIMARY KEY AUTOINCREMENT, finished TEXT NOT NULL,
            seconds REAL NOT NULL, chain_id INTEGER NOT NULL, chain_name TEXT NOT NULL,
            block INTEGER NOT NULL, verdict TEXT NOT NULL, reason TEXT NOT NULL,
            digest TEXT NOT NULL, folder TEXT NOT NULL,
            proposal TEXT NOT NULL REFERENCES proposals(digest))""",
        "CREATE INDEX runs_by_digest ON runs(digest)",
        """CREATE TABLE manifests (
            run INTEGER PRIMARY KEY REFERENCES runs(number), json TEXT NOT NULL)""",
        """CREATE TABLE reports (
            run INTEGER PRIMARY KEY REFERENCES runs(number), zlib BLOB NOT NULL)""",
        """CREATE TABLE metrics (
            run INTEGER NOT NULL REFERENCES runs(number), market TEXT NOT NULL,
            name TEXT NOT NULL, moment TEXT NOT NULL, value REAL NOT NULL,
            lower REAL NOT NULL, upper REAL NOT NULL, level REAL NOT NULL,
            samples INTEGER NOT NULL, unit TEXT NOT NULL,
            PRIMARY KEY (run, market, name, moment))""",
        """CREATE TABLE findings (
            run INTEGER NOT NULL REFERENCES runs(number), identifier TEXT NOT NULL,
            kind TEXT NOT NULL, severity TEXT NOT NULL, title TEXT NOT NULL,
            detail TEXT NOT NULL, source TEXT NOT NULL,
            PRIMARY KEY (run, identifier))""",
    ),
)
_MAX_REPORT = 64 * 1024 * 1024


def default_path() -> Path:
    """Return the database's path: SEATRIAL_HOME, else XDG_DATA_HOME, else ~/.local/share."""
    home = os.environ.get("SEATRIAL_HOME")
    if home:
        return Path(home).expanduser() / "seatrial.db"
    data = os.environ.get("XDG_DATA_HOME")
    base = Path(data).expanduser() if data else Path.home() / ".local" / "share"
    return base / "seatrial" / "seatrial.db"


class Store:
    """Saves and lists runs; a context manager.

    Raises StoreError when the file cannot be used, or is newer than this version.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or default_path()
        with self._translated("opened"):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(self.path, timeout=30.0)
            self._db = Database(connection)
            self._db.execute("PRAGMA foreign_keys = ON")
            self._migrate()
            self._db.enable_wal()
            self._db.execute("PRAGMA synchronous = NORMAL")

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def _translated(self, done: str) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as e:
            raise StoreError(
                f"the database of runs {self.path} cannot be {done} ({e}); name another folder "
                "with SEATRIAL_HOME, or move the file away"
            ) from e

    def _version(self) -> int:
        return int(self._db.execute("PRAGMA user_version").fetchone()[0])

    def _migrate(self) -> None:
        if self._version() > len(MIGRATIONS):
            raise StoreError(
                f"the database of runs {self.path} was written by a newer version of seatrial; "
                "install that version, or name another folder with SEATRIAL_HOME"
            )
        while self._version() < len(MIGRATIONS):
            with writing(self._db):
                version = self._version()  # another process may have been faster
                if version < len(MIGRATIONS):
                    for statement in MIGRATIONS[version]:
                        self._db.execute(statement)
                    self._db.execute(f"PRAGMA user_version = {version + 1}")

    def save(self, run: NewRun) -> int:
        """Save a run whole or not at all; return its number."""
        with self._translated("written"), writing(self._db):
            self._db.table("proposals").insert(asdict(run.proposal), pk="digest", replace=True)
            number = int(
                self._db.execute(
                    "INSERT INTO runs (finished, seconds, chain_id, chain_name, block, verdict,"
                    " reason, digest, folder, proposal) VALUES (?,?,?,?,?,?,?,?,?,?)"
                    " RETURNING number",
                    (
                        run.finished,
                        run.seconds,
                        run.chain_id,
                        run.chain_name,
                        run.block,
                        run.verdict,
                        run.reason,
                        run.digest,
                        run.folder,
                        run.proposal.digest,
                    ),
                ).fetchone()[0]
            )
            self._db.table("manifests").insert({"run": number, "json": run.manifest})
            blob = zlib.compress(run.report.encode())
            self._db.table("reports").insert({"run": number, "zlib": blob})
            self._db.table("metrics").insert_all({"run": number, **asdict(m)} for m in run.metrics)
            self._db.table("findings").insert_all(
                ({"run": number, **asdict(f)} for f in run.findings), ignore=True
            )
            return number

    _LIST = (
        "SELECT number, finished, seconds, chain_name, block, verdict, reason, runs.digest,"
        " folder, title, governor, proposal_id"
        " FROM runs JOIN proposals ON proposals.digest = runs.proposal"
    )

    @staticmethod
    def _row(row: tuple[Any, ...]) -> RunRow:
        return RunRow(
            number=row[0],
            finished=row[1],
            seconds=row[2],
            chain_name=row[3],
            block=row[4],
            verdict=row[5],
            reason=row[6],
            digest=row[7],
            folder=row[8],
            title=row[9],
            governor=row[10],
            proposal_id=row[11],
        )

    def runs(self, limit: int = 20) -> tuple[RunRow, ...]:
        """Return the latest runs, newest first."""
        with self._translated("read"):
            rows = self._db.execute(
                f"{self._LIST} ORDER BY number DESC LIMIT ?", (limit,)
            ).fetchall()
        return tuple(self._row(r) for r in rows)

    def run(self, number: int) -> RunRow:
        """Return one run. Raises StoreError if there is none with this number."""
        with self._translated("read"):
            row = self._db.execute(f"{self._LIST} WHERE number = ?", (number,)).fetchone()
        if row is None:
            raise StoreError(f"there is no run {number}; `seatrial runs` lists those there are")
        return self._row(row)

    def report(self, number: int) -> str:
        """Return the report of a run as JSON. Raises StoreError if there is none."""
        self.run(number)
        with self._translated("read"):
            row = self._db.execute("SELECT zlib FROM reports WHERE run = ?", (number,)).fetchone()
        try:
            return zlib.decompressobj().decompress(row[0], _MAX_REPORT).decode()
        except (zlib.error, UnicodeDecodeError) as e:
            raise StoreError(f"the report of run {number} in {self.path} is damaged ({e})") from e

    def manifest(self, number: int) -> str:
        """Return the manifest of a run as JSON. Raises StoreError if there is none."""
        self.run(number)
        with self._translated("read"):
            row = self._db.execute("SELECT json FROM manifests WHERE run = ?", (number,)).fetchone()
        return str(row[0])

    def finding(self, identifier: str) -> tuple[int, FindingRecord]:
        """Return a finding by its identifier or its beginning, with the latest run that has it.

        Raises StoreError if none or several match.
        """
        with self._translated("read"):
            rows = self._db.execute(
                "SELECT max(run), identifier, kind, severity, title, detail, source FROM findings"
                " WHERE substr(identifier, 1, ?) = ? GROUP BY identifier LIMIT 3",
                (len(identifier), identifier.lower()),
            ).fetchall()
        if len(rows) != 1:
            how = "no finding begins" if not rows else "several findings begin"
            raise StoreError(
                f"{how} with {identifier!r}; a report lists its findings with their identifiers"
            )
        run, *fields = rows[0]
        names = ("identifier", "kind", "severity", "title", "detail", "source")
        return run, FindingRecord(**dict(zip(names, fields, strict=True)))
