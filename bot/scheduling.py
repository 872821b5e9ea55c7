"""When a proposal is evaluated: `reason_for` decides, `Scheduler` acts.

At its creation, when voting begins, when it is queued, after its execution (a
scorecard), and in between whenever the state moved much: prices, positions,
parameters, or the queue of proposals that are executed before it. What happened
long ago, before the bot looked, is not evaluated.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from bot.database import row, rows, scalar
from bot.evaluation import EvaluationOrder, JobKind
from bot.evaluations import EvaluationStore, Proposal
from bot.jobs import JobQueue, NewJob, QueueFull
from bot.lifecycle import ENDED
from bot.outbox import NewPost, Outbox
from bot.posts import ASKED
from bot.settings import Settings
from bot.surveys import Survey, SurveyStore, what_moved
from evaluator import Database

log = logging.getLogger(__name__)

# Reasons in the order in which a later one makes an earlier one pointless.
RANK = {"created": 0, "active": 1, "queued": 2, "executed": 3}


@dataclass(frozen=True, kw_only=True, slots=True)
class Happening:
    """An event that was not acted upon yet."""

    id: int  # row of the event
    key: str
    proposal_id: int
    kind: str  # ChangeKind
    block: int  # where it happened


class Herald(Protocol):
    """Says what is told about a proposal taken back; `bot.posts.Chorus` is one."""

    def withdrawn(self, proposal: Proposal, event_id: int) -> Sequence[NewPost]:
        """Return the posts."""
        ...


def reason_for(kinds: Iterable[str], *, state: str, evaluated: bool) -> str | None:
    """Return why a proposal is evaluated now, None if it is not.

    `kinds` are the new events, `state` is the proposal's state now,
    `evaluated` tells whether there is an earlier evaluation. Of several
    reasons at once the latest in the proposal's life counts: they would all
    look at the same state. An ended proposal has no future to evaluate; an
    executed one gets a scorecard if there is a prediction to judge.
    """
    reasons = [kind for kind in kinds if kind in RANK]
    if state == "executed" or "executed" in reasons:
        return "executed" if "executed" in reasons and evaluated else None
    if not reasons or state in ENDED or state in {"unknown", "unreadable"}:
        return None
    return max(reasons, key=RANK.__getitem__)


def has_moved(before: Mapping[str, int], now: Mapping[str, int], *, fraction: float) -> bool:
    """Tell whether any feed's answer moved by at least `fraction` since `before`."""
    return any(
        before.get(feed) and abs(answer / before[feed] - 1.0) >= fraction
        for feed, answer in now.items()
    )


class Scheduler:
    """Turns events into jobs; implements `bot.follower.Aftermath` for all chains."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        *,
        queue: JobQueue,
        store: EvaluationStore,
        outbox: Outbox,
        surveys: SurveyStore,
        herald: Herald,
        on_jobs: Callable[[], None] = lambda: None,
        on_posts: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._settings = settings
        self._queue = queue
        self._store = store
        self._outbox = outbox
        self._surveys = surveys
        self._herald = herald
        self._on_jobs = on_jobs
        self._on_posts = on_posts
        self._clock = clock

    def order_for(
        self, proposal: Proposal, *, kind: JobKind = JobKind.EVALUATION
    ) -> EvaluationOrder:
        """Return the order that evaluates a proposal with the settings' defaults."""
        chain = next(c for c in self._settings.chains if c.name == proposal.chain)
        evaluation = self._settings.evaluation
        return EvaluationOrder(
            kind=kind,
            chain=chain.name,
            chain_id=chain.chain_id,
            governor=proposal.governor,
            proposal=proposal.number,
            paths=evaluation.paths,
            seed=evaluation.seed,
            policy=str(evaluation.policy) if evaluation.policy else None,
        )

    def withdrawn(self, proposal_id: int, event_id: int) -> None:
        """Cancel the proposal's jobs and say at every target that it is gone."""
        for found in rows(
            self._database,
            "SELECT id FROM jobs WHERE proposal_id = ? AND state IN ('queued', 'running')",
            [proposal_id],
        ):
            self._queue.cancel(found["id"], by="reorganisation")
        proposal = self._store.proposal(proposal_id)
        was_told = scalar(
            self._database, "SELECT 1 FROM evaluations WHERE proposal_id = ?", [proposal_id]
        )
        if proposal is not None and was_told and self._is_followed(proposal):
            self._outbox.add(self._herald.withdrawn(proposal, event_id))
            self._on_posts()

    def caught_up(self, chain: str, *, block: int, feeds: Mapping[str, int]) -> None:
        """Queue what new events and moved markets call for."""
        try:
            unhandled = self._unhandled(chain)
            self._disturb(unhandled)
            for proposal_id, happenings in unhandled.items():
                self._handle(proposal_id, happenings, feeds)
            self._follow_state(chain, block, feeds)
        except QueueFull as error:
            # The events stay unhandled; the next step tries again.
            log.warning("evaluations of chain %s must wait: %s", chain, error)

    def _unhandled(self, chain: str) -> dict[int, list[Happening]]:
        found: dict[int, list[Happening]] = {}
        for one in rows(
            self._database,
            "SELECT id, key, proposal_id, kind, block FROM events "
            "WHERE handled = 0 AND withdrawn_at IS NULL AND chain = ? ORDER BY id",
            [chain],
        ):
            happening = Happening(
                id=one["id"],
                key=one["key"],
                proposal_id=one["proposal_id"],
                kind=one["kind"],
                block=one["block"],
            )
            found.setdefault(happening.proposal_id, []).append(happening)
        return found

    def _disturb(self, unhandled: Mapping[int, Sequence[Happening]]) -> None:
        """Mark the other evaluated proposals of a governor whose queue became another one.

        An evaluation executes what is queued before its proposal. What was executed
        left the queue as it was foreseen.
        """
        for proposal_id, happenings in unhandled.items():
            kinds = {happening.kind for happening in happenings}
            left = kinds & {"canceled", "expired"} and self._was_queued(proposal_id)
            if "queued" not in kinds and not left:
                continue
            with self._database.atomic():
                self._database.execute(
                    "UPDATE proposals SET disturbed = 1 WHERE id != :id AND evaluated_at "
                    "IS NOT NULL AND (chain, governor) = "
                    "(SELECT chain, governor FROM proposals WHERE id = :id)",
                    {"id": proposal_id},
                )

    def _was_queued(self, proposal_id: int) -> bool:
        found = scalar(
            self._database,
            "SELECT 1 FROM events WHERE proposal_id = ? AND kind = 'queued' "
            "AND withdrawn_at IS NULL LIMIT 1",
            [proposal_id],
        )
        return found is not None

    def _handle(
        self, proposal_id: int, happenings: Sequence[Happening], feeds: Mapping[str, int]
    ) -> None:
        proposal = self._store.proposal(proposal_id)
        if proposal is None or not self._is_followed(proposal):
            return
        if proposal.state == "unknown":
            return  # its state is asked for in one of the next steps
        predictions = [
            one
            for one in self._store.history(proposal_id)
            if one.kind == JobKind.EVALUATION and one.reason != ASKED
        ]
        reason = reason_for(
            (happening.kind for happening in happenings),
            state=proposal.state,
            evaluated=bool(predictions),
        )
        with self._database.atomic():
            if reason is not None:
                last = [happening for happening in happenings if happening.kind == reason][-1]
                order = self.order_for(proposal)
                if reason == "executed":
                    order = replace(
                        order,
                        kind=JobKind.SCORECARD,
                        prediction=predictions[-1].id,
                        block=last.block,
                    )
                self._queue_job(proposal, reason, f"event:{last.key}", feeds, order)
            for happening in happenings:
                self._database.execute("UPDATE events SET handled = 1 WHERE id = ?", [happening.id])

    def _queue_job(
        self,
        proposal: Proposal,
        reason: str,
        key: str,
        feeds: Mapping[str, int],
        order: EvaluationOrder,
    ) -> None:
        late = order.kind is JobKind.SCORECARD
        job = self._queue.add(
            NewJob(
                key=key,
                owner=f"governor:{proposal.chain}:{proposal.governor}",
                reason=reason,
                order=order,
                proposal_id=proposal.id,
                # A scorecard compares with what came after the execution: let it come.
                delay=self._settings.evaluation.scorecard_after if late else 0.0,
            )
        )
        own = {feed: feeds[feed] for feed in self._feeds_of(proposal) if feed in feeds}
        survey = self._surveys.of(proposal.chain, proposal.governor)
        self._database.execute(
            "UPDATE proposals SET feed_answers = ?, surveyed = ?, evaluated_at = ?, disturbed = 0 "
            "WHERE id = ?",
            [
                json.dumps(own),
                "" if survey is None else survey.to_json(),
                self._clock(),
                proposal.id,
            ],
        )
        log.info(
            "job %d: proposal %s of %s, %s", job.id, proposal.number, proposal.governor, reason
        )
        self._on_jobs()

    def _follow_state(self, chain: str, block: int, feeds: Mapping[str, int]) -> None:
        """Queue evaluations of open proposals whose state moved, or whose time has come."""
        evaluation = self._settings.evaluation
        for found in rows(
            self._database,
            "SELECT id, feed_answers, evaluated_at, surveyed, disturbed FROM proposals AS p "
            "WHERE chain = ? AND withdrawn = 0 "
            "AND state IN ('pending', 'active', 'succeeded', 'queued') "
            "AND evaluated_at IS NOT NULL AND NOT EXISTS (SELECT 1 FROM jobs "
            "WHERE jobs.proposal_id = p.id AND jobs.state IN ('queued', 'running'))",
            [chain],
        ):
            proposal = self._store.proposal(found["id"])
            if proposal is None or not self._is_followed(proposal):
                continue
            own = {feed: feeds[feed] for feed in self._feeds_of(proposal) if feed in feeds}
            moved = has_moved(
                json.loads(found["feed_answers"]), own, fraction=evaluation.reevaluate_move
            ) or self._survey_moved(proposal, found["surveyed"])
            every = evaluation.reevaluate_every
            due = every is not None and self._clock() - found["evaluated_at"] >= every
            if moved or due or found["disturbed"]:
                reason = "moved" if moved or due else "neighbours"
                with self._database.atomic():
                    key = f"{reason}:{proposal.subject}:{block}"
                    self._queue_job(proposal, reason, key, feeds, self.order_for(proposal))

    def _survey_moved(self, proposal: Proposal, surveyed: str) -> bool:
        """Compare the newest survey with the one that stood at the last evaluation."""
        now = self._surveys.of(proposal.chain, proposal.governor)
        if now is None:
            return False
        if not surveyed:
            # The first survey came after the evaluation: the next one is compared with it.
            with self._database.atomic():
                self._database.execute(
                    "UPDATE proposals SET surveyed = ? WHERE id = ?", [now.to_json(), proposal.id]
                )
            return False
        evaluation = self._settings.evaluation
        moved = what_moved(
            Survey.from_json(surveyed),
            now,
            price=evaluation.reevaluate_move,
            positions=evaluation.reevaluate_positions,
        )
        if moved:
            log.info("proposal %s: the state moved: %s", proposal.number, moved)
        return bool(moved)

    def _is_followed(self, proposal: Proposal) -> bool:
        return any(
            governor.address == proposal.governor
            for governor in self._settings.governors_of(proposal.chain)
        )

    def _feeds_of(self, proposal: Proposal) -> Sequence[str]:
        for governor in self._settings.governors_of(proposal.chain):
            if governor.address == proposal.governor:
                return governor.feeds
        return ()

    def ask_again(self, proposal_id: int, *, owner: str, key: str, order: EvaluationOrder) -> int:
        """Queue an evaluation that a person asked for; return the job's row. Raises QueueFull."""
        found = row(self._database, "SELECT 1 FROM proposals WHERE id = ?", [proposal_id])
        if found is None:
            raise LookupError(f"there is no proposal {proposal_id}")
        job = self._queue.add(
            NewJob(key=key, owner=owner, reason="asked", order=order, proposal_id=proposal_id)
        )
        self._on_jobs()
        return job.id
