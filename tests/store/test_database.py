import sqlite3
import subprocess
import sys
from dataclasses import replace

import pytest

from evaluator.errors import StoreError
from evaluator.store import (
    FindingRecord,
    MetricRecord,
    NewRun,
    ProposalRecord,
    Store,
    database,
    default_path,
)

RUN = NewRun(
    finished="2025-06-15T12:00:00+00:00",
    seconds=12.5,
    chain_id=31337,
    chain_name="embedded chain",
    block=1024,
    verdict="CAUTION",
    reason="because",
    digest="aa" * 32,
    folder="reports",
    proposal=ProposalRecord(
        digest="bb" * 32, governor="0x1", proposal_id="7", title="Título ☃", description="x" * 9
    ),
    manifest='{"a":1}',
    report='{"r":"' + "y" * 10_000 + '"}',
    metrics=(
        MetricRecord(
            market="m",
            name="n",
            moment="today",
            value=0.1,
            lower=0.0,
            upper=0.2,
            level=0.95,
            samples=10,
            unit="fraction",
        ),
    ),
    findings=(
        FindingRecord(
            identifier="abcdef012345",
            kind="note",
            severity="low",
            title="t",
            detail="d",
            source="s",
        ),
    ),
)


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "home" / "seatrial.db") as s:
        yield s


def test_a_run_comes_back_whole(store):
    assert store.save(RUN) == 1
    assert store.save(replace(RUN, verdict="PASS")) == 2
    newest, oldest = store.runs()
    assert (newest.number, newest.verdict, oldest.verdict) == (2, "PASS", "CAUTION")
    assert oldest.title == "Título ☃"
    assert store.run(1).seconds == 12.5
    assert store.report(1) == RUN.report
    assert store.manifest(2) == RUN.manifest
    assert store.finding("abcdef") == (2, RUN.findings[0])
    assert store.runs(limit=1) == (newest,)


def test_what_is_not_there_is_said(store):
    for ask in (store.run, store.report, store.manifest):
        with pytest.raises(StoreError, match="no run 9"):
            ask(9)
    with pytest.raises(StoreError, match="no finding begins"):
        store.finding("zz")
    store.save(replace(RUN, findings=(*RUN.findings, replace(RUN.findings[0], identifier="abff"))))
    with pytest.raises(StoreError, match="several"):
        store.finding("ab")


def test_a_failing_save_leaves_nothing(store):
    twice = RUN.metrics * 2  # violates the primary key after the run row was written
    with pytest.raises(StoreError, match="cannot be written"):
        store.save(replace(RUN, metrics=twice))
    assert store.runs() == ()
    with sqlite3.connect(store.path) as raw:
        for table in ("proposals", "runs", "manifests", "reports", "metrics", "findings"):
            assert raw.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)


def test_reopening_keeps_everything_and_wal_is_on(tmp_path):
    path = tmp_path / "s.db"
    with Store(path) as s:
        s.save(RUN)
    with Store(path) as s:
        assert len(s.runs()) == 1
        assert s._db.journal_mode == "wal"


def test_migrations_run_in_order_and_newer_files_are_refused(tmp_path, monkeypatch):
    path = tmp_path / "s.db"
    with Store(path) as s:
        s.save(RUN)
    more = (*database.MIGRATIONS, ("ALTER TABLE runs ADD COLUMN note TEXT",))
    monkeypatch.setattr(database, "MIGRATIONS", more)
    with Store(path) as s:
        assert s._version() == len(more)
        assert s.run(1).verdict == "CAUTION"
    monkeypatch.undo()
    with pytest.raises(StoreError, match="newer version"):
        Store(path)


def test_a_failing_migration_leaves_the_old_version(tmp_path, monkeypatch):
    path = tmp_path / "s.db"
    Store(path).close()
    bad = (*database.MIGRATIONS, ("ALTER TABLE runs ADD COLUMN note TEXT", "NONSENSE"))
    monkeypatch.setattr(database, "MIGRATIONS", bad)
    with pytest.raises(StoreError, match="cannot be opened"):
        Store(path)
    monkeypatch.undo()
    with Store(path) as s:
        assert s._version() == len(database.MIGRATIONS)
        assert "note" not in s._db["runs"].columns_dict


def test_a_file_that_is_no_database_is_an_error_in_a_sentence(tmp_path):
    (tmp_path / "s.db").write_bytes(b"not a database" * 100)
    with pytest.raises(StoreError, match="cannot be opened"):
        Store(tmp_path / "s.db")
    (tmp_path / "f").write_text("")
    with pytest.raises(StoreError, match="SEATRIAL_HOME"):
        Store(tmp_path / "f" / "s.db")


def test_home_moves_the_file(tmp_path, monkeypatch):
    monkeypatch.setenv("SEATRIAL_HOME", str(tmp_path / "a"))
    assert default_path() == tmp_path / "a" / "seatrial.db"
    monkeypatch.delenv("SEATRIAL_HOME")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "b"))
    assert default_path() == tmp_path / "b" / "seatrial" / "seatrial.db"


def test_two_processes_save_at_once(tmp_path):
    path = tmp_path / "s.db"
    code = (
        "import sys\nfrom pathlib import Path\nfrom evaluator.store import *\n"
        "p = ProposalRecord(digest='d', governor=None, proposal_id=None, title='',"
        " description='')\n"
        "r = NewRun(finished='', seconds=0, chain_id=1, chain_name='', block=1, verdict='PASS',"
        " reason='', digest='', folder='', proposal=p, manifest='', report='', metrics=(),"
        " findings=())\n"
        "with Store(Path(sys.argv[1])) as s:\n    [s.save(r) for _ in range(20)]\n"
    )
    both = [subprocess.Popen([sys.executable, "-c", code, str(path)]) for _ in range(2)]
    assert [p.wait(60) for p in both] == [0, 0]
    with Store(path) as s:
        assert len(s.runs(limit=100)) == 40
