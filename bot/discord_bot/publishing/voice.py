"""What Discord is told: a message per proposal and channel, its history in a thread."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bot.database import row
from bot.discord_bot.publishing.payloads import (
    AlertPayload,
    AnswerPayload,
    HistoryPayload,
    LastingPayload,
    Payload,
    dumped,
)
from bot.discord_bot.subscriptions.store import Subscription, SubscriptionStore
from bot.discord_bot.words import (
    CONTENT_LIMIT,
    THREAD_NAME_LIMIT,
    limited,
    plain,
    report_basis,
    short_number,
    spoken,
)
from bot.evaluations import Proposal, StoredEvaluation
from bot.jobs import Job, JobState
from bot.outbox import NewPost, PostKind
from bot.posts import REASONS, Telling, moment
from bot.settings import Settings
from evaluator import Database

TARGET = "discord"
REPLY = "discord"  # key in a job's reply_to
# In the order they are shown; a report without odds has none of them.
CHARTS = ("survival-dark", "loss_exceedance-dark")


def lane(channel: int, proposal: Proposal) -> str:
    """Return the outbox subject of a proposal's posts in a channel."""
    return f"{channel}|{proposal.subject}"


def reply_address(reply_to: Mapping[str, Any]) -> tuple[int, int] | None:
    """Return channel and message that a job answers to, None if it is nobody's on Discord."""
    where = reply_to.get(REPLY)
    if not isinstance(where, dict):
        return None
    return int(where["channel"]), int(where["message"])


class DiscordVoice:
    """Writes for Discord; implements `bot.posts.Voice`."""

    def __init__(
        self, settings: Settings, database: Database, subscriptions: SubscriptionStore
    ) -> None:
        self._settings = settings
        self._database = database
        self._subscriptions = subscriptions

    def told(self, telling: Telling) -> Sequence[NewPost]:
        """Return the answer to whoever asked, and what the proposal's channels hear."""
        return [*self._answer(telling), *self._published(telling)]

    def _answer(self, telling: Telling) -> Iterator[NewPost]:
        where = reply_address(telling.job.reply_to)
        if where is None:
            return
        payload = AnswerPayload(
            channel=where[0],
            message=where[1],
            content=f"Evaluation {telling.evaluation.id} is done: {self._basis(telling)}.",
            embed=json.loads(telling.result.embed),
            charts=charts_of(telling.result.charts),
            evaluation=telling.evaluation.id,
        )
        yield _answer_post(telling.job, "done", where, payload)

    def _published(self, telling: Telling) -> Iterator[NewPost]:
        proposal = telling.proposal
        if proposal is None:
            return
        for subscription in self._subscriptions.of_governor(proposal.chain, proposal.governor):
            known = self._was_told(lane(subscription.channel, proposal))
            if telling.is_private:
                if known:
                    yield self._noted(telling, proposal, subscription)
                continue
            if not known and not subscription.hears(telling.evaluation.verdict):
                continue
            yield from self._to_channel(telling, proposal, subscription, known=known)

    def _noted(self, telling: Telling, proposal: Proposal, subscription: Subscription) -> NewPost:
        """Return a line of the thread: what somebody tried belongs to the history, no more."""
        line = HistoryPayload(content=self._history_line(telling))
        key = f"discord:{subscription.channel}:{telling.evaluation.id}:history"
        return _post(key, lane(subscription.channel, proposal), PostKind.NEWS, line)

    def _to_channel(
        self, telling: Telling, proposal: Proposal, subscription: Subscription, *, known: bool
    ) -> Iterator[NewPost]:
        evaluation = telling.evaluation
        subject = lane(subscription.channel, proposal)
        key = f"discord:{subscription.channel}:{evaluation.id}"
        failed = evaluation.verdict == "FAIL" and not telling.is_scorecard
        if not telling.is_scorecard:
            payload = LastingPayload(
                guild=subscription.guild,
                channel=subscription.channel,
                thread=self._thread_name(proposal),
                embed=json.loads(telling.result.embed),
                charts=charts_of(telling.result.charts),
                evaluation=evaluation.id,
                role=subscription.role if failed and not known else None,
            )
            yield _post(f"{key}:publish", subject, PostKind.PUBLISH, payload)
        elif not known:
            return  # a scorecard has nothing to be added to
        line = HistoryPayload(content=self._history_line(telling))
        yield _post(f"{key}:history", subject, PostKind.NEWS, line)
        if known and telling.is_news and telling.verdict_before is not None:
            if not subscription.hears(evaluation.verdict):
                return
            said = (
                f"**{spoken(telling.verdict_before, 20)} → {spoken(evaluation.verdict, 20)}**: "
                f"{spoken(proposal.title or 'untitled', 200)}\n"
                f"{spoken(evaluation.headline, 800)}\n-# {self._basis(telling)}"
            )
            alert = AlertPayload(
                content=limited(said, CONTENT_LIMIT - 100),
                role=subscription.role if failed else None,
            )
            yield _post(f"{key}:alert", subject, PostKind.NEWS, alert)

    def withdrawn(self, proposal: Proposal, event_id: int) -> Sequence[NewPost]:
        """Return edits that say so, wherever the proposal was published."""
        embed = {
            "title": limited(f"WITHDRAWN: {short_number(proposal.number)}", 90),
            "description": (
                "The block that held this proposal's creation was replaced by another one (a "
                "chain reorganisation), and the new chain does not hold it so far."
            ),
            "color": 0x6E7781,
        }
        posts = []
        for subscription in self._subscriptions.of_governor(proposal.chain, proposal.governor):
            subject = lane(subscription.channel, proposal)
            if not self._was_told(subject):
                continue
            payload = LastingPayload(
                guild=subscription.guild,
                channel=subscription.channel,
                thread=self._thread_name(proposal),
                embed=embed,
            )
            key = f"discord:{subscription.channel}:withdrawn:{event_id}"
            posts.append(_post(key, subject, PostKind.PUBLISH, payload))
        return posts

    def _was_told(self, subject: str) -> bool:
        found = row(
            self._database,
            "SELECT 1 FROM outbox WHERE target = ? AND subject = ? LIMIT 1",
            [TARGET, subject],
        )
        return found is not None

    def _thread_name(self, proposal: Proposal) -> str:
        governor = next(
            (
                known.name
                for known in self._settings.governors_of(proposal.chain)
                if known.address == proposal.governor
            ),
            proposal.governor,
        )
        title = proposal.title or "untitled"
        return plain(f"{governor} {short_number(proposal.number)}: {title}", THREAD_NAME_LIMIT)

    def _history_line(self, telling: Telling) -> str:
        evaluation, order = telling.evaluation, telling.job.order
        tried = ""
        if telling.is_private:
            tried = f" · {plain(order.scenario or 'calibrated prices', 40)} · seed {order.seed}"
        return limited(
            f"**{spoken(evaluation.verdict, 20)}** {_when(evaluation)}\n"
            f"{spoken(evaluation.headline, 1200)}\n-# {self._basis(telling)}{tried}",
            CONTENT_LIMIT - 100,
        )

    def _basis(self, telling: Telling) -> str:
        return f"{report_basis(telling.result.report)} · digest {telling.result.digest[:16]}"


def _when(evaluation: StoredEvaluation) -> str:
    at = "" if evaluation.block is None else f" on block {evaluation.block:,}"
    why = REASONS.get(evaluation.reason, evaluation.reason)
    return f"{moment(evaluation.created_at)} UTC{at}, {why}"


def charts_of(charts: Mapping[str, bytes]) -> tuple[str, ...]:
    """Return the names of the charts that a message shows."""
    return tuple(name for name in CHARTS if name in charts)


def ended_without_result(job: Job) -> NewPost | None:
    """Return the answer to a job that failed or was cancelled, None if nobody waits for one.

    Its key is the job's: adding it twice adds it once.
    """
    where = reply_address(job.reply_to)
    if where is None or job.state not in (JobState.FAILED, JobState.CANCELLED):
        return None
    if job.state is JobState.CANCELLED:
        content = "This evaluation was cancelled; nothing was measured."
    else:
        content = f"This evaluation failed: {spoken(job.error or 'no reason was given', 600)}"
    payload = AnswerPayload(channel=where[0], message=where[1], content=content)
    return _answer_post(job, "ended", where, payload)


def _answer_post(job: Job, how: str, where: tuple[int, int], payload: AnswerPayload) -> NewPost:
    return _post(
        f"discord:answer:{job.id}:{how}",
        f"answer|{where[0]}|{where[1]}|{job.id}",
        PostKind.PUBLISH,
        payload,
    )


def _post(key: str, subject: str, kind: PostKind, payload: Payload) -> NewPost:
    return NewPost(key=key, target=TARGET, subject=subject, kind=kind, payload=dumped(payload))
