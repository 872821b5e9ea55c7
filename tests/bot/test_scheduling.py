"""When proposals are evaluated, and what the forum is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.database import open_database, rows
from bot.discourse_voice import DiscourseVoice
from bot.evaluation import FinishedEvaluation, JobKind
from bot.evaluations import EvaluationStore
from bot.jobs import Job, JobQueue
from bot.outbox import NewPost, Outbox, PostKind
from bot.posts import Chorus
from bot.scheduling import Scheduler, has_moved, reason_for
from bot.settings import Settings
from bot.surveys import Survey, SurveyedParameter, SurveyedReserve, SurveyStore

GOVERNOR = "0x" + "11" * 20
FEED = "0x" + "44" * 20
SETTINGS = Settings.model_validate(
    {
        "chains": [{"name": "test", "chain_id": 1, "urls": ["http://127.0.0.1:1"]}],
        "governors": [
            {
                "chain": "test",
                "address": GOVERNOR,
                "name": "Sea DAO",
                "feeds": [FEED],
                "forum_topics": {"7": 77},
            }
        ],
        "evaluation": {"queue_limit": 3, "reevaluate_every": 1000.0, "scorecard_after": 50.0},
        "discourse": {
            "url": "https://forum.example.org",
            "username": "seatrial",
            "api_key": {"env": "PATH"},  # any secret does
            "category": 5,
            "report_url": "https://reports.example.org/{evaluation}/{digest}",
        },
    }
)


@pytest.mark.parametrize(
    ("kinds", "state", "evaluated", "reason"),
    [
        (["created"], "pending", False, "created"),
        (["created"], "queued", False, "created"),
        (["created", "active"], "active", False, "active"),
        (["active", "created"], "active", False, "active"),
        (["queued"], "queued", True, "queued"),
        (["succeeded"], "succeeded", True, None),
        (["created"], "defeated", False, None),
        (["created"], "canceled", False, None),
        (["created", "executed"], "executed", False, None),
        (["executed"], "executed", True, "executed"),
        (["queued", "executed"], "executed", True, "executed"),
        (["created"], "unreadable", False, None),
        (["created"], "unknown", False, None),
        ([], "active", True, None),
    ],
)
def test_reasons(kinds: list[str], state: str, evaluated: bool, reason: str | None) -> None:
    assert reason_for(kinds, state=state, evaluated=evaluated) == reason


def test_a_feed_moves_in_both_directions() -> None:
    assert has_moved({"a": 100}, {"a": 105}, fraction=0.05)
    assert has_moved({"a": 100, "b": 7}, {"a": 95, "b": 7}, fraction=0.05)
    assert not has_moved({"a": 100}, {"a": 104}, fraction=0.05)
    assert not has_moved({}, {"a": 104}, fraction=0.05)
    assert not has_moved({"a": 0}, {"a": 104}, fraction=0.05)


class Bench:
    def __init__(self, path: Path) -> None:
        self.now = 1000.0
        self.database = open_database(path)
        clock = lambda: self.now  # noqa: E731
        self.queue = JobQueue(self.database, SETTINGS.evaluation, clock=clock)
        self.outbox = Outbox(self.database, clock=clock)
        self.store = EvaluationStore(self.database, clock=clock)
        self.surveys = SurveyStore(self.database, clock=clock)
        assert SETTINGS.discourse is not None
        voice = DiscourseVoice(SETTINGS, SETTINGS.discourse, host="forum.example.org")
        self.chorus = Chorus(self.store, [voice])
        self.scheduler = Scheduler(
            self.database,
            SETTINGS,
            queue=self.queue,
            store=self.store,
            outbox=self.outbox,
            surveys=self.surveys,
            herald=self.chorus,
            clock=clock,
        )
        self.events = 0

    def proposal(self, number: int, *, state: str = "pending", text: str = "") -> int:
        self.database["proposals"].insert(
            {"chain": "test", "governor": GOVERNOR, "number": str(number), "proposer": "0x0",
             "title": f"Title {number}", "description": text, "created_block": 1,
             "created_at": 1, "state": state}
        )  # fmt: skip
        return int(self.database.execute("SELECT max(id) FROM proposals").fetchone()[0])

    def event(self, proposal: int, kind: str, *, state: str) -> None:
        self.events += 1
        self.database["events"].insert(
            {"key": f"k{self.events}", "proposal_id": proposal, "kind": kind, "chain": "test",
             "block": self.events, "block_hash": "0x", "tx_hash": "0x", "log_index": 0,
             "timestamp": 1, "seen_at": self.now}
        )  # fmt: skip
        self.database["proposals"].update(proposal, {"state": state})

    def look(self, block: int = 100, price: int = 2000) -> list[str]:
        """Let the scheduler look; return the reasons of the new jobs."""
        before = {row["id"] for row in rows(self.database, "SELECT id FROM jobs")}
        self.scheduler.caught_up("test", block=block, feeds={FEED: price})
        jobs = rows(self.database, "SELECT id, reason FROM jobs ORDER BY id")
        return [row["reason"] for row in jobs if row["id"] not in before]

    def conclude(self, verdict: str) -> tuple[Job, list[NewPost]]:
        """End the next job with `verdict`; return it and the posts."""
        job = self.queue.take("w")
        assert job is not None
        result = FinishedEvaluation(
            verdict=verdict, headline=f"a sentence about {verdict}", digest="d1g", block=9,
            report="{}", markdown=f"## {verdict}", embed="{}",
        )  # fmt: skip
        with self.database.atomic():
            done = self.queue.finished(job, "w")
            stored = self.store.add(job, result)
            posts = list(self.chorus.posts(job, stored, result))
            self.outbox.add(posts, evaluation_id=stored.id)
        return done, posts


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    ready = Bench(tmp_path / "bot.db")
    yield ready
    ready.database.conn.close()


def test_a_life_with_its_evaluations_and_posts(bench: Bench) -> None:
    proposal = bench.proposal(3)
    bench.event(proposal, "created", state="pending")
    assert bench.look() == ["created"]
    assert bench.look() == []
    _, posts = bench.conclude("PASS")
    assert [(post.kind, post.subject) for post in posts] == [
        (PostKind.PUBLISH, f"test:{GOVERNOR}:3")
    ]
    assert posts[0].payload["title"] == "Seatrial: Sea DAO proposal 3 – Title 3"
    assert posts[0].payload["changes"] == []
    assert posts[0].payload["more"] == "[The full report](https://reports.example.org/1/d1g)."

    bench.event(proposal, "active", state="active")
    assert bench.look() == ["active"]
    _, posts = bench.conclude("PASS")
    assert [post.kind for post in posts] == [PostKind.PUBLISH]  # the same verdict is no news

    assert bench.look(price=2050) == []
    assert bench.look(block=101, price=2101) == ["moved"]
    assert bench.look(block=102, price=2300) == []  # one is on its way already
    _, posts = bench.conclude("FAIL")
    assert [post.kind for post in posts] == [PostKind.PUBLISH, PostKind.NEWS]
    assert "from PASS to FAIL" in posts[1].payload["markdown"]
    assert [line[1].replace("\\", "").split(",")[0] for line in posts[0].payload["changes"]] == [
        "PASS",
        "PASS",
        "FAIL (was PASS)",
    ]

    bench.event(proposal, "succeeded", state="succeeded")
    bench.event(proposal, "queued", state="queued")
    assert bench.look(price=2101) == ["queued"]
    bench.conclude("FAIL")
    bench.now += 1001
    assert bench.look(block=103, price=2101) == ["moved"]  # time has passed
    bench.conclude("FAIL")

    bench.event(proposal, "executed", state="executed")
    assert bench.look(price=2101) == ["executed"]
    assert bench.queue.take("w") is None  # a scorecard lets the future come first
    bench.now += 50
    job, posts = bench.conclude("SCORED")
    assert job.kind is JobKind.SCORECARD
    assert job.order.prediction == 5
    assert job.order.block == bench.events  # where it was executed
    assert [post.kind for post in posts] == [PostKind.NEWS]
    assert bench.look(price=9000) == []


def _survey(**changes: float) -> Survey:
    whole = {"price": 2000.0, "supplied": 8e8, "borrowed": 4e8, "utilisation": 0.5}
    return Survey(
        block=1,
        parameters=(SurveyedParameter(path="p", label="p", shown="1"),),
        reserves=(SurveyedReserve(path="aave_v3.WETH", **{**whole, **changes}),),
    )


def test_positions_that_moved_are_a_reason(bench: Bench) -> None:
    proposal = bench.proposal(3)
    bench.event(proposal, "created", state="pending")
    assert bench.look() == ["created"]
    bench.conclude("PASS")
    bench.surveys.put("test", GOVERNOR, _survey())  # the first one is what others are held against
    assert bench.look() == []
    bench.surveys.put("test", GOVERNOR, _survey(borrowed=4.7e8, utilisation=0.59))
    assert bench.look() == []
    bench.surveys.put("test", GOVERNOR, _survey(borrowed=4.9e8, utilisation=0.61))
    assert bench.look(block=101) == ["moved"]
    bench.conclude("PASS")
    assert bench.look(block=102) == []  # it was evaluated with these
    bench.event(proposal, "executed", state="executed")
    bench.look(block=103)
    bench.surveys.put("test", GOVERNOR, _survey())
    assert bench.look(block=104) == []  # its life is over


def test_a_queue_that_changed_is_a_reason_for_the_others(bench: Bench) -> None:
    first, second = bench.proposal(1), bench.proposal(2)
    for proposal in (first, second):
        bench.event(proposal, "created", state="pending")
    assert bench.look() == ["created", "created"]
    bench.conclude("PASS")
    bench.conclude("PASS")
    bench.event(first, "queued", state="queued")
    assert bench.look(block=101) == ["queued", "neighbours"]
    bench.conclude("PASS")
    bench.conclude("PASS")
    assert bench.look(block=102) == []

    bench.event(second, "canceled", state="canceled")  # it never was in the queue
    assert bench.look(block=103) == []
    third = bench.proposal(3)
    bench.event(third, "created", state="active")
    assert bench.look(block=104) == ["created"]
    bench.conclude("PASS")
    bench.event(first, "canceled", state="canceled")
    assert bench.look(block=105) == ["neighbours"]
    job, _ = bench.conclude("FAIL")
    assert job.proposal_id == third

    # What is executed was foreseen, and two that are queued at once disturb each other once.
    fourth = bench.proposal(4)
    bench.event(fourth, "created", state="active")
    assert bench.look(block=106) == ["created"]
    bench.conclude("PASS")
    for proposal in (third, fourth):
        bench.event(proposal, "queued", state="queued")
    assert bench.look(block=107) == ["queued", "queued"]
    bench.conclude("FAIL")
    bench.conclude("PASS")
    assert bench.look(block=108) == []
    bench.event(third, "executed", state="executed")
    assert bench.look(block=109) == ["executed"]


def test_history_before_the_bot_is_left_alone(bench: Bench) -> None:
    old = bench.proposal(1)
    bench.event(old, "created", state="executed")
    bench.event(old, "executed", state="executed")
    assert bench.look() == []
    unknown = bench.proposal(2)
    bench.event(unknown, "created", state="unknown")
    assert bench.look() == []
    bench.database["proposals"].update(unknown, {"state": "active"})
    assert bench.look() == ["created"]


def test_a_full_queue_delays_and_loses_nothing(bench: Bench) -> None:
    for number in range(5):
        bench.event(bench.proposal(number), "created", state="pending")
    assert len(bench.look()) == 3
    assert bench.look() == []
    bench.conclude("PASS")
    bench.conclude("PASS")
    assert len(bench.look()) == 2
    assert bench.database.execute("SELECT sum(handled) FROM events").fetchone()[0] == 5


def test_the_daos_topics_come_from_the_mapping_then_from_the_text(bench: Bench) -> None:
    link = "discussed in https://forum.example.org/t/raise-it/512/3"
    for number, expected in ((7, [77]), (8, [512]), (9, [])):
        text = link if number < 9 else "https://evil.example.org/t/raise-it/512"
        bench.event(bench.proposal(number, text=text), "created", state="pending")
        bench.look()
        _, posts = bench.conclude("PASS")
        assert posts[0].payload["topics"] == expected


def test_a_proposal_taken_back_is_said_where_it_was_told(bench: Bench) -> None:
    told, untold = bench.proposal(1), bench.proposal(2)
    bench.event(told, "created", state="pending")
    bench.look()
    bench.conclude("PASS")
    bench.event(untold, "created", state="pending")
    bench.look()
    with bench.database.atomic():
        bench.scheduler.withdrawn(told, 1)
        bench.scheduler.withdrawn(untold, 2)
    posts = rows(bench.database, "SELECT * FROM outbox ORDER BY id")
    assert len(posts) == 2
    assert "taken this proposal back" in json.loads(posts[1]["payload"])["markdown"]
    assert posts[1]["subject"] == posts[0]["subject"]
    assert bench.queue.counts() == {"done": 1, "cancelled": 1}
