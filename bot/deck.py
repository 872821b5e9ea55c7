"""The parts of a running bot, and what joins it at the edge: a `Side` per target."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from bot.courier import Target
from bot.evaluations import EvaluationStore
from bot.follower import ChainFollower
from bot.jobs import JobQueue
from bot.outbox import Outbox
from bot.posts import Voice
from bot.scheduling import Scheduler
from bot.settings import Settings
from bot.surveyor import Surveyor
from bot.surveys import SurveyStore
from bot.workshop import Workshop
from evaluator import Database


@dataclass(frozen=True, kw_only=True, slots=True)
class Hold:
    """What exists before anything runs."""

    settings: Settings
    database: Database
    queue: JobQueue
    store: EvaluationStore
    outbox: Outbox
    surveys: SurveyStore


@dataclass(frozen=True, kw_only=True, slots=True)
class Deck:
    """Everything of a running bot that a side may use."""

    hold: Hold
    scheduler: Scheduler
    workshop: Workshop
    surveyor: Surveyor
    followers: Sequence[ChainFollower]
    on_posts: Callable[[], None]  # tells that the outbox has something new


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing `seatrial-bot check` looked at."""

    what: str  # a few words
    fault: str = ""  # a sentence, "" if all is well
    note: str = ""  # worth knowing, but no fault


class Side(Protocol):
    """A target with everything that belongs to it: the forum, Discord."""

    @property
    def voice(self) -> Voice:
        """Return what decides what is told there."""
        ...

    @property
    def targets(self) -> Sequence[Target]:
        """Return what posts are delivered to."""
        ...

    async def __aenter__(self) -> Self:
        """Get ready to deliver; may return before the service answers."""
        ...

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Let go of everything."""
        ...

    async def run(self, deck: Deck) -> None:
        """Serve until cancelled; return at once if there is nothing to serve."""
        ...

    def health(self) -> str:
        """Return what is wrong, "" if nothing is."""
        ...

    async def check(self) -> Sequence[Finding]:
        """Look whether the settings work, without changing anything."""
        ...
