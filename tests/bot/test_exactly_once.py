"""A post is made once: the bot is killed 200 times at random under a forum that fails.

Real processes, SIGKILL, a real database and real HTTP. The forum's own
protection against doubles (its memory of identical requests and texts) is off,
so that nothing but the bot prevents them.
"""

from __future__ import annotations

import asyncio
import os
import random
import sqlite3
import sys
from collections import Counter
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "toys"))
from killing import kill, kill_among_requests

from bot.database import open_database, rows, scalar
from bot.doubles.discourse_forum import Forum
from bot.doubles.discourse_rules import Poster
from bot.doubles.discourse_service import CALM, DiscourseDouble, Weather
from bot.doubles.openapi import Description
from bot.evaluation import EvaluationOrder, JobKind
from bot.jobs import JobQueue, NewJob
from bot.settings import EvaluationSettings

ROOT = Path(__file__).parents[2]
TOYS = Path(__file__).parent / "toys"
KILLS = 200
PROPOSALS = 60
GOVERNOR = "0x" + "11" * 20
STORM = Weather(
    limited=0.03,
    failed=0.04,
    failed_after=0.04,
    dropped=0.04,
    lost=0.08,
    slow=0.02,
    late=0.02,
    delay=0.28,  # more than the client waits, less than the bot lets settle
    retry_after=0,
)


def _fill(path: Path, forum: Forum) -> None:
    """Queue three evaluations for each proposal; some proposals link to a topic of the DAO."""
    database = open_database(path)
    queue = JobQueue(database, EvaluationSettings(queue_limit=10_000))
    theirs = [forum.open_topic(f"The DAO's own topic number {n}") for n in range(PROPOSALS // 4)]
    for number in range(PROPOSALS):
        link = f"https://127.0.0.1/t/x/{theirs[number // 4].id}" if number % 4 == 0 else ""
        database["proposals"].insert(
            {"chain": "test", "governor": GOVERNOR, "number": str(number), "proposer": "0x0",
             "title": f"Proposal {number}", "description": link, "created_block": 1,
             "created_at": 1}
        )  # fmt: skip
        for seed in range(3):
            order = EvaluationOrder(
                kind=JobKind.EVALUATION, chain="test", chain_id=1, proposal=str(number), seed=seed
            )
            job = NewJob(
                key=f"{number}:{seed}",
                owner=f"o{number}",
                reason=("created", "active", "queued")[seed],
                order=order,
                proposal_id=number + 1,
            )
            queue.add(job)
    database.conn.close()


def _left(path: Path) -> tuple[int, int]:
    """Return how many jobs and posts are not done."""
    reader = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)
    try:
        return (
            reader.execute("SELECT count(*) FROM jobs WHERE state != 'done'").fetchone()[0],
            reader.execute("SELECT count(*) FROM outbox WHERE state != 'sent'").fetchone()[0],
        )
    finally:
        reader.close()


class Zygote:
    """The process that forks bots."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, path: Path, url: str) -> Zygote:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        return cls(
            await asyncio.create_subprocess_exec(
                sys.executable, str(TOYS / "crashing_bot.py"), str(path), url,
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, env=environment,
            )
        )  # fmt: skip

    async def bear(self) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(b"\n")
        return int(await asyncio.wait_for(self._process.stdout.readline(), 60))

    async def end(self) -> None:
        self._process.kill()
        await self._process.wait()


@pytest.mark.slow
async def test_no_post_is_lost_and_none_is_doubled(
    tmp_path: Path, discourse_document: Description | None
) -> None:
    path = tmp_path / "bot.db"
    forum = Forum(
        key="forumkey-0123456789abcdef",
        poster=Poster(name="seatrial", staff=True),
        requests_per_minute=10**9,
        memo_seconds=0.0,
        unique_seconds=0.0,
    )
    _fill(path, forum)
    description = Description(discourse_document.document) if discourse_document else None
    chance = random.Random(20240607)
    async with DiscourseDouble(forum, description=description, seed=1) as double:
        zygote = await Zygote.start(path, double.url)
        try:
            double.weather = STORM
            alive = 0
            for _ in range(KILLS):
                pid = await zygote.bear()
                alive += await kill_among_requests(pid, chance, lambda: double.arrived)
            assert alive == KILLS
            jobs_left, posts_left = _left(path)
            double.weather = CALM
            pid = await zygote.bear()
            for _ in range(600):
                if _left(path) == (0, 0):
                    break
                await asyncio.sleep(0.1)
            await kill(pid)
        finally:
            await zygote.end()
        assert double.faults == []

    database = open_database(path)
    outcomes = Counter(row["outcome"] for row in rows(database, "SELECT outcome FROM deliveries"))
    print(f"left after the storm: {jobs_left} jobs, {posts_left} posts; deliveries: {outcomes}")

    assert _left(path) == (0, 0)
    assert scalar(database, "SELECT count(*) FROM evaluations") == 3 * PROPOSALS
    assert scalar(database, "SELECT count(*) FROM outbox") == 5 * PROPOSALS
    ours = [post for post in forum.posts if post.user == "seatrial"]
    references = Counter(post.raw.rsplit("reference ", 1)[1].split("<")[0] for post in ours)
    assert set(references.values()) == {1}
    # One lasting post and two replies for each proposal, and the last word in the lasting post.
    assert len(ours) == 3 * PROPOSALS
    for number in range(PROPOSALS):
        words = f"## CAUTION: proposal-{number}-seed-2\n"
        lasting = [post for post in ours if post.raw.startswith(words)]
        assert len(lasting) == 1
        for news in ("from PASS to FAIL", "from FAIL to CAUTION"):
            told = [
                post for post in ours
                if news in post.raw and post.topic_id == lasting[0].topic_id
            ]  # fmt: skip
            assert len(told) == 1
    own = [topic for topic in forum.topics if topic.user == "seatrial"]
    assert len(own) == PROPOSALS - PROPOSALS // 4
    # The storm must have reached the paths that matter.
    assert outcomes["interrupted"] > 20
    assert outcomes["found"] > 5
    assert outcomes["uncertain"] > 20
    database.conn.close()
