"""The database: durable settings, migrations, backups, one owner."""

from __future__ import annotations

import json
import multiprocessing
import sqlite3
from pathlib import Path

import pytest

from bot import schema
from bot.database import back_up, claim, migrate, open_database, rows, scalar, schema_version
from bot.errors import ConfigurationError
from bot.evaluation import JobKind
from bot.evaluations import EvaluationStore
from bot.jobs import JobQueue
from bot.settings import EvaluationSettings


def test_a_new_file_is_durable_and_strict(tmp_path: Path) -> None:
    database = open_database(tmp_path / "state" / "bot.db")
    assert scalar(database, "PRAGMA journal_mode") == "wal"
    assert scalar(database, "PRAGMA synchronous") == 2  # FULL
    assert scalar(database, "PRAGMA foreign_keys") == 1
    assert scalar(database, "PRAGMA busy_timeout") == 5000
    assert schema_version(database) == len(schema.MIGRATIONS)
    with pytest.raises(sqlite3.IntegrityError):
        database["cursors"].insert(
            {"chain": "a", "governor": "b", "next_block": "not a number", "updated_at": 0}
        )


def test_an_exception_rolls_back_everything_in_the_block(tmp_path: Path) -> None:
    database = open_database(tmp_path / "bot.db")
    entry = {"at": 1.0, "actor": "x", "action": "y"}

    def fail_half_way() -> None:
        with database.atomic():
            database["audit"].insert(entry)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert scalar(database, "SELECT count(*) FROM audit") == 0
    with database.atomic():
        database["audit"].insert(entry)
    database.conn.close()
    again = open_database(tmp_path / "bot.db")
    assert scalar(again, "SELECT count(*) FROM audit") == 1


def test_a_migration_is_all_or_nothing_and_keeps_a_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "bot.db"
    database = open_database(path)
    database["audit"].insert({"at": 1.0, "actor": "x", "action": "y"})
    broken = (*schema.MIGRATIONS, ("CREATE TABLE extra (a INTEGER)", "CREATE NONSENSE"))
    with pytest.raises(sqlite3.OperationalError):
        migrate(database, broken)
    assert schema_version(database) == len(schema.MIGRATIONS)
    assert "extra" not in database.table_names()
    database.conn.close()

    good = (*schema.MIGRATIONS, ("CREATE TABLE extra (a INTEGER)",))
    monkeypatch.setattr("bot.database.MIGRATIONS", good)
    database = open_database(path)
    assert "extra" in database.table_names()
    copy = sqlite3.connect(tmp_path / f"bot.db.before-v{len(good)}")
    assert copy.execute("SELECT actor FROM audit").fetchall() == [("x",)]
    database.conn.close()

    monkeypatch.setattr("bot.database.MIGRATIONS", schema.MIGRATIONS)
    with pytest.raises(ConfigurationError, match="run the newer program"):
        open_database(path)


def test_a_database_of_the_first_version_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "bot.db"
    monkeypatch.setattr("bot.database.MIGRATIONS", schema.MIGRATIONS[:1])
    old = open_database(path)
    old["proposals"].insert(
        {"chain": "test", "governor": "0x1", "number": "7", "proposer": "0x0", "title": "kept",
         "description": "", "created_block": 1, "created_at": 1, "state": "active"}
    )  # fmt: skip
    order = {"kind": "draft", "chain": "test", "chain_id": 1, "with_queued": False,
             "draft": {"parameter": "p", "value": "1", "markets": ["0x2"]}}  # fmt: skip
    old["jobs"].insert(
        {"key": "k", "owner": "user:1", "kind": "draft", "reason": "asked", "not_before": 0,
         "request": json.dumps(order), "created_at": 0}
    )  # fmt: skip
    old.close()

    monkeypatch.setattr("bot.database.MIGRATIONS", schema.MIGRATIONS)
    now = open_database(path)
    assert schema_version(now) == len(schema.MIGRATIONS)
    assert (tmp_path / f"bot.db.before-v{len(schema.MIGRATIONS)}").exists()
    (proposal,) = EvaluationStore(now).proposals()
    assert proposal.title == "kept"
    job = JobQueue(now, EvaluationSettings()).take("w")
    assert job is not None
    assert job.order.kind is JobKind.DRAFT
    assert job.order.draft == order["draft"]
    now.close()


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "bot.db"
    path.write_text("these are not the pages you are looking for" * 100)
    with pytest.raises(ConfigurationError, match="not a usable database"):
        open_database(path)


def test_a_backup_is_one_consistent_file_taken_while_writing(tmp_path: Path) -> None:
    database = open_database(tmp_path / "bot.db")
    for n in range(50):
        database["audit"].insert({"at": float(n), "actor": "x", "action": "y"})
    database.conn.execute("BEGIN")
    database["audit"].insert({"at": 99.0, "actor": "uncommitted", "action": "y"})
    reader = open_database(tmp_path / "bot.db")
    back_up(reader, tmp_path / "copy.db")
    database.conn.execute("COMMIT")
    copy = sqlite3.connect(tmp_path / "copy.db")
    assert copy.execute("SELECT count(*) FROM audit").fetchone() == (50,)
    assert not list(tmp_path.glob("copy.db-*"))
    assert not list(tmp_path.glob("*.part"))
    assert len(rows(open_database(tmp_path / "copy.db"), "SELECT * FROM audit")) == 50


def _try_to_claim(path: Path, answer: multiprocessing.SimpleQueue[str]) -> None:
    try:
        with claim(path):
            answer.put("held")
    except ConfigurationError as error:
        answer.put(str(error))


def test_a_second_process_is_turned_away(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    answer = context.SimpleQueue()
    for expected in ("another seatrial-bot is running", "held"):
        if expected == "held":
            process = context.Process(target=_try_to_claim, args=(tmp_path / "bot.db", answer))
            process.start()
        else:
            with claim(tmp_path / "bot.db"):
                process = context.Process(target=_try_to_claim, args=(tmp_path / "bot.db", answer))
                process.start()
                process.join(10)
        process.join(10)
        assert expected in answer.get()
