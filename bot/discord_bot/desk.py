"""What the commands do, without Discord: a thin layer over the bot's database and queue."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from bot.database import row, rows
from bot.deck import Deck
from bot.discord_bot.permission import Asker, refusal_for_pace
from bot.discord_bot.publishing.voice import REPLY
from bot.discord_bot.subscriptions.store import SubscriptionStore
from bot.discord_bot.suggestions import LOOKED_AT, PARAMETER, Suggestions, proposal_name
from bot.errors import SeatrialError
from bot.evaluation import EvaluationOrder, JobKind
from bot.evaluations import Proposal, StoredEvaluation
from bot.jobs import Job, NewJob
from bot.posts import ASKED
from bot.settings import DiscordSettings, GovernorSettings
from evaluator import Battery, scenario_names

HOUR = 3600.0  # seconds
_VALUE = re.compile(r"[\w.%+-]{1,40}")
FEWEST_PATHS = 100


class Refusal(SeatrialError):
    """What a user asked for is not done; the message is for them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """What /simulate was asked for: a proposal, or a parameter with a new value."""

    proposal: str | None = None  # row of the proposal, or the governor's id
    parameter: str | None = None
    value: str | None = None
    governor: str | None = None  # "chain:address" for a draft, None: the first one
    scenario: str | None = None
    paths: int | None = None  # None: the operator's setting
    seed: int | None = None  # likewise


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """Where the answer to a wish is shown."""

    key: str  # of the job, unique for ever
    channel: int
    message: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Links:
    """Where a proposal's report is published; "" for nowhere."""

    forum: str
    thread: str  # a Discord channel's id, or ""


class Desk:
    """Answers the commands' questions. Every method is quick but `scenarios` at its first call."""

    def __init__(
        self,
        deck: Deck,
        settings: DiscordSettings,
        subscriptions: SubscriptionStore,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.deck = deck
        self.settings = settings
        self.subscriptions = subscriptions
        self.suggestions = Suggestions(deck.hold)
        self._clock = clock

    @property
    def horizon(self) -> float:
        """Return the horizon of the battery in seconds."""
        return Battery().horizon

    # What there is.

    def name_of(self, proposal: Proposal, longest: int) -> str:
        """Return a proposal's name for people, not escaped."""
        return proposal_name(self.deck.hold.settings, proposal, longest)

    def proposal(self, wanted: str) -> Proposal:
        """Return the proposal chosen, by its row or by the governor's id. Raises Refusal."""
        text = wanted.strip()
        store = self.deck.hold.store
        if text.isascii() and text.isdigit() and len(text) <= 78:
            if len(text) <= 15:
                found = store.proposal(int(text))
                if found is not None and not found.withdrawn:
                    return found
            for proposal in store.proposals(limit=LOOKED_AT):
                if proposal.number == text:
                    return proposal
        raise Refusal("There is no such proposal here: choose one of the suggestions.")

    def evaluation(self, wanted: str) -> StoredEvaluation:
        """Return the evaluation chosen. Raises Refusal."""
        text = wanted.strip().lstrip("#")
        if text.isascii() and text.isdigit() and len(text) <= 15:
            found = self.deck.hold.store.get(int(text))
            if found is not None:
                return found
        raise Refusal("There is no such evaluation here: choose one of the suggestions.")

    def newest(self, proposal: Proposal) -> StoredEvaluation | None:
        """Return the newest evaluation that was not made on somebody's wish, else the newest."""
        history = [
            one
            for one in self.deck.hold.store.history(proposal.id)
            if one.kind == JobKind.EVALUATION
        ]
        published = [one for one in history if one.reason != ASKED]
        found = published or history
        return found[-1] if found else None

    def links(self, proposal_id: int | None, channel: int | None = None) -> Links:
        """Return where the proposal is published; `channel` prefers the thread begun there."""
        proposal = None if proposal_id is None else self.deck.hold.store.proposal(proposal_id)
        if proposal is None:
            return Links(forum="", thread="")
        forum = self.deck.hold.outbox.placement("discourse", proposal.subject)
        threads = []
        for one in rows(
            self.deck.hold.database,
            "SELECT remote FROM placements WHERE target = 'discord' AND subject LIKE ? ESCAPE '!'",
            ["%|" + proposal.subject.replace("_", "!_").replace("%", "!%")],
        ):
            remote = json.loads(one["remote"])
            if remote.get("thread") is not None:
                threads.append((remote["channel"] != channel, str(remote["thread"])))
        return Links(
            forum=forum.url if forum is not None else "",
            thread=min(threads)[1] if threads else "",
        )

    # What is done.

    def must_not_wait(self, asker: Asker) -> None:
        """Raise Refusal if the asker asks too quickly or too often."""
        now = self._clock()
        found = row(
            self.deck.hold.database,
            "SELECT max(created_at) AS last, count(*) AS n FROM jobs "
            "WHERE owner = ? AND created_at > ?",
            [asker.owner, now - HOUR],
        )
        last = None if found is None or found["last"] is None else now - float(found["last"])
        reason = refusal_for_pace(
            since_last=last, last_hour=0 if found is None else found["n"], settings=self.settings
        )
        if reason:
            raise Refusal(reason)

    def order(self, wish: Wish) -> tuple[EvaluationOrder, Proposal | None]:
        """Return the order for a wish, and the proposal it is about. Raises Refusal."""
        if (wish.proposal is None) == (wish.parameter is None):
            raise Refusal("Choose a proposal, or a parameter with its new value: one of the two.")
        proposal = None
        if wish.proposal is not None:
            proposal = self.proposal(wish.proposal)
            if proposal.state in ("executed", "canceled", "defeated", "expired"):
                raise Refusal(
                    f"This proposal is {proposal.state}: there is nothing left to try. "
                    "/report shows what was found."
                )
            order = self.deck.scheduler.order_for(proposal)
        else:
            order = self._draft(wish)
        return self._varied(order, wish), proposal

    def _draft(self, wish: Wish) -> EvaluationOrder:
        parameter, value = (wish.parameter or "").strip(), (wish.value or "").strip()
        if not value:
            raise Refusal("Say the parameter's new value as well.")
        if not PARAMETER.fullmatch(parameter) or not _VALUE.fullmatch(value):
            raise Refusal("A draft is a parameter like aave_v3.WETH.ltv and a value like 0.8.")
        governor = self._governor(wish.governor)
        hold = self.deck.hold
        chain = next(c for c in hold.settings.chains if c.name == governor.chain)
        evaluation = hold.settings.evaluation
        return EvaluationOrder(
            kind=JobKind.DRAFT,
            chain=chain.name,
            chain_id=chain.chain_id,
            governor=governor.address,
            draft={"parameter": parameter, "value": value},
            markets=self._roots(governor),
            paths=evaluation.paths,
            seed=evaluation.seed,
            policy=str(evaluation.policy) if evaluation.policy else None,
        )

    def _roots(self, governor: GovernorSettings) -> tuple[str, ...]:
        """Return the markets that drafts may change: the settings' own and those reported on."""
        known = self.deck.hold.surveys.roots(governor.chain, governor.address)
        return tuple(dict.fromkeys((*governor.markets, *known)))

    def _governor(self, wanted: str | None) -> GovernorSettings:
        governors = self.deck.hold.settings.governors
        if wanted is None:
            return governors[0]
        for governor in governors:
            if f"{governor.chain}:{governor.address}" == wanted:
                return governor
        raise Refusal("No such governor is followed here: choose one of the suggestions.")

    def governor(self, wanted: str) -> GovernorSettings:
        """Return the governor chosen. Raises Refusal."""
        return self._governor(wanted)

    def _varied(self, order: EvaluationOrder, wish: Wish) -> EvaluationOrder:
        if wish.scenario is not None and wish.scenario not in scenario_names():
            raise Refusal("There is no such scenario: choose one of the suggestions.")
        paths = order.paths if wish.paths is None else wish.paths
        if not FEWEST_PATHS <= paths <= max(self.settings.most_paths, order.paths):
            raise Refusal(f"Ask for between {FEWEST_PATHS} and {self.settings.most_paths:,} paths.")
        seed = order.seed if wish.seed is None else wish.seed
        if not 0 <= seed < 2**63:
            raise Refusal("A seed is a whole number from 0 to 2^63 - 1.")
        return replace(order, scenario=wish.scenario, paths=paths, seed=seed)

    def repeated(self, evaluation: StoredEvaluation, scenario: str) -> tuple[EvaluationOrder, str]:
        """Return the order of an evaluation with another scenario, and its subject's name.

        Raises Refusal.
        """
        job = self.deck.hold.queue.get(evaluation.job_id)
        if job is None or job.kind is JobKind.SCORECARD:
            raise Refusal("This cannot be run again.")
        wish = Wish(scenario=scenario)
        return self._varied(job.order, wish), self.subject_of(evaluation)

    def subject_of(self, evaluation: StoredEvaluation) -> str:
        """Return the name of what was evaluated, not escaped."""
        proposal = None
        if evaluation.proposal_id is not None:
            proposal = self.deck.hold.store.proposal(evaluation.proposal_id)
        return "a draft" if proposal is None else self.name_of(proposal, 200)

    def ask(
        self, asker: Asker, order: EvaluationOrder, proposal_id: int | None, reply: Reply
    ) -> Job:
        """Queue an evaluation for a user. Raises QueueFull."""
        where: Mapping[str, Any] = {"channel": reply.channel, "message": reply.message}
        job = self.deck.hold.queue.add(
            NewJob(
                key=reply.key,
                owner=asker.owner,
                reason=ASKED,
                order=order,
                proposal_id=proposal_id,
                reply_to={REPLY: where},
            )
        )
        self.deck.workshop.wake()
        return job

    def cancel(self, job: Job, asker: Asker) -> bool:
        """End a job; return whether there was something to end."""
        return self.deck.hold.queue.cancel(job.id, by=asker.owner)

    def open_answers(self) -> list[Job]:
        """Return the open jobs that somebody on Discord waits for."""
        return [job for job in self.deck.hold.queue.open_jobs() if REPLY in job.reply_to]

    def unanswered(self, *, since: float) -> list[Job]:
        """Return the jobs asked for on Discord that ended without a result after `since`."""
        found = rows(
            self.deck.hold.database,
            "SELECT id FROM jobs WHERE state IN ('failed', 'cancelled') AND finished_at > ? "
            "AND json_extract(reply_to, '$.discord') IS NOT NULL ORDER BY id",
            [since],
        )
        jobs = (self.deck.hold.queue.get(one["id"]) for one in found)
        return [job for job in jobs if job is not None]
