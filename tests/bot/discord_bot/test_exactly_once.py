"""A message is made once: the bot is killed at random under a Discord that fails.

Real processes, SIGKILL, a real database and real HTTP. Discord's own memory of
nonces is off, so that nothing but the bot prevents doubles.
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
from killing import kill, kill_among_requests

from bot.database import open_database, rows, scalar
from bot.discord_bot.subscriptions.store import Severity, SubscriptionStore
from bot.doubles import discord_channels
from bot.doubles.discord_payloads import CHANNEL_ID, GUILD_ID, ROLE_ID
from bot.doubles.discord_service import DiscordService, Fault
from bot.evaluation import EvaluationOrder, JobKind
from bot.jobs import JobQueue, NewJob
from bot.settings import EvaluationSettings

ROOT = Path(__file__).parents[3]
TOYS = Path(__file__).parents[1] / "toys"
TOKEN = "bottoken-0123456789abcdef0123456789"
GOVERNOR = "0x" + "11" * 20
KILLS = 30
PROPOSALS = 16


def _fill(path: Path) -> None:
    """Queue three evaluations for each proposal: FAIL, CAUTION and FAIL again."""
    database = open_database(path)
    queue = JobQueue(database, EvaluationSettings(queue_limit=10_000))
    SubscriptionStore(database).put(
        guild=int(GUILD_ID), channel=int(CHANNEL_ID), chain="test", governor=GOVERNOR,
        severity=Severity.PASS, role=int(ROLE_ID), by="test",
    )  # fmt: skip
    for number in range(PROPOSALS):
        database["proposals"].insert(
            {"chain": "test", "governor": GOVERNOR, "number": str(number), "proposer": "0x0",
             "title": f"Proposal {number}", "description": "", "created_block": 1,
             "created_at": 1}
        )  # fmt: skip
        for seed in (1, 2, 3):
            order = EvaluationOrder(
                kind=JobKind.EVALUATION, chain="test", chain_id=1, proposal=str(number), seed=seed
            )
            reason = ("created", "active", "queued")[seed - 1]
            queue.add(
                NewJob(key=f"{number}:{seed}", owner=f"o{number}", reason=reason, order=order,
                       proposal_id=number + 1)
            )  # fmt: skip
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


@pytest.mark.slow
async def test_no_message_is_lost_and_none_is_doubled(
    tmp_path: Path, reports: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(discord_channels, "NONCE_SECONDS", 0.0)
    path = tmp_path / "bot.db"
    _fill(path)
    service = DiscordService(TOKEN)
    await service.start()
    chance = random.Random(20261121)
    zygote = await asyncio.create_subprocess_exec(
        sys.executable, str(TOYS / "crashing_discord_bot.py"), str(path), service.url,
        service.gateway_url, str(reports), stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip

    async def bear() -> int:
        assert zygote.stdin is not None
        assert zygote.stdout is not None
        zygote.stdin.write(b"\n")
        return int(await asyncio.wait_for(zygote.stdout.readline(), 60))

    try:
        service.latency = 0.06  # so that a kill often meets a message whose reply is on its way
        for _ in range(KILLS):
            service.faults = [
                Fault("POST", "messages$", chance.choice((0, 0, 429)), retry_after=0.05),
                Fault("POST", "threads$", chance.choice((0, 500, 429)), retry_after=0.05),
                Fault("PATCH", "messages/", chance.choice((0, 429)), retry_after=0.05),
            ][: chance.randrange(4)]
            pid = await bear()
            await kill_among_requests(pid, chance, lambda: service.arrived)
        left = _left(path)
        service.faults, service.latency = [], 0.0
        pid = await bear()
        for _ in range(400):
            if _left(path) == (0, 0):
                break
            await asyncio.sleep(0.1)
        await kill(pid)
    finally:
        zygote.kill()
        await zygote.wait()
        await service.stop()

    database = open_database(path)
    outcomes = Counter(row["outcome"] for row in rows(database, "SELECT outcome FROM deliveries"))
    print(f"left after the storm: {left}; deliveries: {outcomes}")
    assert _left(path) == (0, 0)
    assert outcomes["interrupted"] >= 10
    assert outcomes["found"] >= 5
    assert scalar(database, "SELECT count(*) FROM evaluations") == 3 * PROPOSALS
    # A lasting message, three lines of history and two changed verdicts for each proposal.
    threads = [c for c in service.channels.values() if c["type"] == 11]
    assert len(threads) == PROPOSALS
    shown = Counter(m["channel_id"] for m in service.messages.values())
    assert all(shown[thread["id"]] == 3 for thread in threads)
    assert shown[CHANNEL_ID] == 3 * PROPOSALS
    for thread in threads:
        lasting = service.messages[thread["id"]]
        assert lasting["embeds"][0]["title"].startswith("FAIL")
    # The role is pinged by the first FAIL and when it came back, never twice for one.
    rings = [m for _, m in service.pings if m]
    assert rings == [[f"<@&{ROLE_ID}>"]] * (2 * PROPOSALS)
    database.conn.close()
