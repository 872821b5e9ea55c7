"""Evaluations and proposals as the database keeps them."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from bot.database import row, rows
from bot.evaluation import FinishedEvaluation
from bot.jobs import Job
from evaluator import Database


@dataclass(frozen=True, kw_only=True, slots=True)
class Proposal:
    """A proposal that the bot follows."""

    id: int  # row
    chain: str  # name of the chain
    governor: str  # address, lower case
    number: str  # the governor's id, decimal
    proposer: str
    title: str  # hostile text, one line
    description: str = field(repr=False)  # hostile text
    created_block: int
    created_at: int  # Unix seconds, time of the block
    vote_start: int | None  # block number or Unix seconds, as the governor counts
    vote_end: int | None
    eta: int | None  # Unix seconds
    state: str  # "pending", "active", ..., "unknown" before it was asked for
    withdrawn: bool  # its creation was orphaned

    @property
    def subject(self) -> str:
        """Return the key of the proposal's posts: chain, governor and id."""
        return f"{self.chain}:{self.governor}:{self.number}"


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredEvaluation:
    """An evaluation without its long parts."""

    id: int  # row
    job_id: int
    proposal_id: int | None
    kind: str  # JobKind
    reason: str  # of its job
    verdict: str
    headline: str
    digest: str
    block: int | None
    created_at: float  # Unix seconds


_SHORT = "id, job_id, proposal_id, kind, reason, verdict, headline, digest, block, created_at"


class EvaluationStore:
    """The evaluations, charts and proposals tables, for reading and for results."""

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock

    def add(self, job: Job, result: FinishedEvaluation) -> StoredEvaluation:
        """Store a result within the caller's transaction."""
        cursor = self._database.execute(
            "INSERT INTO evaluations (job_id, proposal_id, kind, reason, verdict, headline, "
            "digest, block, report, markdown, embed, created_at) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                job.id,
                job.proposal_id,
                job.kind.value,
                job.reason,
                result.verdict,
                result.headline,
                result.digest,
                result.block,
                result.report,
                result.markdown,
                result.embed,
                self._clock(),
            ],
        )
        evaluation_id = int(cursor.lastrowid or 0)
        for name, png in result.charts.items():
            self._database.execute(
                "INSERT INTO charts (evaluation_id, name, png) VALUES (?, ?, ?)",
                [evaluation_id, name, png],
            )
        stored = self.get(evaluation_id)
        if stored is None:
            raise LookupError(f"evaluation {evaluation_id} was not stored")
        return stored

    def get(self, evaluation_id: int) -> StoredEvaluation | None:
        """Return an evaluation, None if there is none."""
        found = row(
            self._database,
            f"SELECT {_SHORT} FROM evaluations WHERE id = ?",  # noqa: S608
            [evaluation_id],
        )
        return None if found is None else _evaluation(found)

    def of_job(self, job_id: int) -> StoredEvaluation | None:
        """Return the evaluation a job ended with."""
        found = row(
            self._database,
            f"SELECT {_SHORT} FROM evaluations WHERE job_id = ?",  # noqa: S608
            [job_id],
        )
        return None if found is None else _evaluation(found)

    def history(self, proposal_id: int) -> list[StoredEvaluation]:
        """Return a proposal's evaluations, oldest first."""
        found = rows(
            self._database,
            f"SELECT {_SHORT} FROM evaluations WHERE proposal_id = ? ORDER BY id",  # noqa: S608
            [proposal_id],
        )
        return [_evaluation(one) for one in found]

    def text(self, evaluation_id: int, part: str) -> str:
        """Return a long part: "report" (JSON), "markdown" or "embed" (JSON)."""
        if part not in {"report", "markdown", "embed"}:
            raise ValueError(f"an evaluation has no part {part!r}")
        found = row(
            self._database,
            f"SELECT {part} AS text FROM evaluations WHERE id = ?",  # noqa: S608
            [evaluation_id],
        )
        if found is None:
            raise LookupError(f"there is no evaluation {evaluation_id}")
        return str(found["text"])

    def charts(self, evaluation_id: int) -> dict[str, bytes]:
        """Return the evaluation's charts as PNG by name."""
        found = rows(
            self._database,
            "SELECT name, png FROM charts WHERE evaluation_id = ? ORDER BY name",
            [evaluation_id],
        )
        return {one["name"]: bytes(one["png"]) for one in found}

    def proposal(self, proposal_id: int) -> Proposal | None:
        """Return a proposal by its row, None if there is none."""
        found = row(self._database, "SELECT * FROM proposals WHERE id = ?", [proposal_id])
        return None if found is None else _proposal(found)

    def proposals(self, *, limit: int = 100) -> list[Proposal]:
        """Return proposals that still stand, newest first."""
        found = rows(
            self._database,
            "SELECT * FROM proposals WHERE withdrawn = 0 ORDER BY created_at DESC, id DESC LIMIT ?",
            [limit],
        )
        return [_proposal(one) for one in found]


def _evaluation(found: sqlite3.Row) -> StoredEvaluation:
    return StoredEvaluation(**{name: found[name] for name in found.keys()})  # noqa: SIM118


def _proposal(found: sqlite3.Row) -> Proposal:
    return Proposal(
        id=found["id"],
        chain=found["chain"],
        governor=found["governor"],
        number=found["number"],
        proposer=found["proposer"],
        title=found["title"],
        description=found["description"],
        created_block=found["created_block"],
        created_at=found["created_at"],
        vote_start=found["vote_start"],
        vote_end=found["vote_end"],
        eta=found["eta"],
        state=found["state"],
        withdrawn=bool(found["withdrawn"]),
    )
