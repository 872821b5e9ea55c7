"""Decides what is told about a result: pure, called while the result is stored.

Each place that is told things has a `Voice`. What happens to a proposal comes
to it as a `Telling`; it answers with the posts to be.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from bot.evaluation import FinishedEvaluation, JobKind
from bot.evaluations import EvaluationStore, Proposal, StoredEvaluation
from bot.jobs import Job
from bot.outbox import NewPost

# Why an evaluation was made, for people.
REASONS = {
    "created": "at its creation",
    "active": "when voting began",
    "moved": "after the market had moved",
    "neighbours": "after another proposal had entered or left the queue",
    "queued": "when it was queued, with the other queued proposals",
    "executed": "after its execution",
    "asked": "because somebody asked",
}
ASKED = "asked"


@dataclass(frozen=True, kw_only=True, slots=True)
class Telling:
    """A new result and what was known before it."""

    job: Job
    proposal: Proposal | None  # None for a draft
    evaluation: StoredEvaluation
    result: FinishedEvaluation
    earlier: tuple[StoredEvaluation, ...]  # this proposal's results before, oldest first

    @property
    def is_private(self) -> bool:
        """Tell whether a person asked for it: with seed, paths and scenario of their choice.

        It answers that person and never replaces the verdict that was published.
        """
        return self.evaluation.reason == ASKED

    @property
    def is_scorecard(self) -> bool:
        """Tell whether the result compares a prediction with what came."""
        return self.evaluation.kind == JobKind.SCORECARD

    @property
    def verdict_before(self) -> str | None:
        """Return the verdict people know so far, None if there is none."""
        known = [
            one.verdict
            for one in self.earlier
            if one.kind == JobKind.EVALUATION and one.reason != ASKED
        ]
        return known[-1] if known else None

    @property
    def is_news(self) -> bool:
        """Tell whether the verdict is not the one people know."""
        return not self.is_scorecard and self.verdict_before != self.evaluation.verdict


class Voice(Protocol):
    """Speaks at one target."""

    def told(self, telling: Telling) -> Sequence[NewPost]:
        """Return the posts about a new result."""
        ...

    def withdrawn(self, proposal: Proposal, event_id: int) -> Sequence[NewPost]:
        """Return the posts about a proposal whose creation the chain has taken back.

        `event_id` is the orphaned event, for the posts' keys.
        """
        ...


class Chorus:
    """All voices together; implements `bot.workshop.Composer`."""

    def __init__(self, store: EvaluationStore, voices: Iterable[Voice]) -> None:
        self._store = store
        self._voices = tuple(voices)

    def posts(
        self, job: Job, stored: StoredEvaluation, result: FinishedEvaluation
    ) -> Sequence[NewPost]:
        """Return what every voice says about a result."""
        proposal = None
        earlier: tuple[StoredEvaluation, ...] = ()
        if job.proposal_id is not None:
            proposal = self._store.proposal(job.proposal_id)
            history = self._store.history(job.proposal_id)
            earlier = tuple(one for one in history if one.id < stored.id)
        telling = Telling(
            job=job, proposal=proposal, evaluation=stored, result=result, earlier=earlier
        )
        return [post for voice in self._voices for post in voice.told(telling)]

    def withdrawn(self, proposal: Proposal, event_id: int) -> Sequence[NewPost]:
        """Return what every voice says about a proposal taken back."""
        return [post for voice in self._voices for post in voice.withdrawn(proposal, event_id)]


def moment(seconds: float) -> str:
    """Return a Unix time as date and minute in UTC."""
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%d %H:%M")


def change_lines(evaluations: Sequence[StoredEvaluation]) -> list[tuple[str, str]]:
    """Return the changelog of a post that shows these results: when, what."""
    lines = []
    before: str | None = None
    for one in evaluations:
        at = "" if one.block is None else f" on block {one.block:,}"
        why = REASONS.get(one.reason, one.reason)
        if one.kind == JobKind.SCORECARD:
            text = f"scorecard{at}: {one.headline}"
        else:
            was = f" (was {before})" if before not in (None, one.verdict) else ""
            text = f"{one.verdict}{was}, evaluated{at} {why}"
            before = one.verdict
        lines.append((moment(one.created_at), text))
    return lines
