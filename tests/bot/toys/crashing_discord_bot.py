"""A bot with Discord alone that is killed and started again, over and over.

    python crashing_discord_bot.py DATABASE SERVICE_URL GATEWAY_URL REPORTS

imports everything once, then forks a bot for every line it reads and answers
with its process id.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import discord_toy
from pydantic import SecretStr

from bot.courier import Courier
from bot.database import claim, open_database
from bot.discord_bot.client import SeatrialClient, use_service
from bot.discord_bot.publishing.target import DiscordTarget
from bot.discord_bot.publishing.voice import DiscordVoice
from bot.discord_bot.simulate.buttons import result_view
from bot.discord_bot.subscriptions.store import SubscriptionStore
from bot.evaluation import EvaluationOrder, FinishedEvaluation, Progress
from bot.evaluations import EvaluationStore
from bot.jobs import JobQueue
from bot.outbox import Outbox
from bot.posts import Chorus
from bot.settings import DiscordSettings, Settings
from bot.workshop import Workshop

TOKEN = "bottoken-0123456789abcdef0123456789"
GOVERNOR = "0x" + "11" * 20
SETTINGS = Settings.model_validate(
    {
        "chains": [{"name": "test", "chain_id": 1, "urls": ["http://127.0.0.1:1"]}],
        "governors": [{"chain": "test", "address": GOVERNOR, "name": "DAO"}],
        "evaluation": {"attempts": 10_000, "lease": 0.5, "retry_after": 0.01, "at_once": 2},
        "outbox": {"retry_after": 0.02, "retry_at_most": 0.2, "settle": 0.3, "held_poll": 0.2},
    }
)


class QuickEvaluator:
    """Needs a moment; verdict and digest depend on the seed alone."""

    def __init__(self, reports: Path) -> None:
        self._reports = reports

    async def evaluate(
        self, order: EvaluationOrder, *, progress: Callable[[Progress], None]
    ) -> FinishedEvaluation:
        progress(Progress(stage="paths"))
        await asyncio.sleep(0.01)
        return discord_toy.finished(order, self._reports)


async def run(path: Path, url: str, gateway: str, reports: Path) -> None:
    use_service(DiscordSettings(token=SecretStr(TOKEN), api_base=url, gateway=gateway))
    with claim(path):
        database = open_database(path)
        queue = JobQueue(database, SETTINGS.evaluation)
        outbox = Outbox(database)
        store = EvaluationStore(database)
        queue.retake_abandoned()
        outbox.resume(settle=SETTINGS.outbox.settle)
        client = SeatrialClient()
        target = DiscordTarget(client, client.pen, view_of=result_view)
        courier = Courier(outbox, target, SETTINGS.outbox)
        voice = DiscordVoice(SETTINGS, database, SubscriptionStore(database))
        workshop = Workshop(
            database,
            queue=queue,
            store=store,
            outbox=outbox,
            evaluator=QuickEvaluator(reports),
            composer=Chorus(store, [voice]),
            settings=SETTINGS.evaluation,
            on_posts=courier.wake,
        )
        async with asyncio.TaskGroup() as group:
            group.create_task(workshop.run())
            group.create_task(client.login(TOKEN))  # posts wait until it is in
            group.create_task(courier.run())


def main() -> None:
    path, url, gateway, reports = Path(sys.argv[1]), *sys.argv[2:4], Path(sys.argv[4])
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    logging.basicConfig(level=logging.CRITICAL)
    for _ in sys.stdin:
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            try:
                asyncio.run(run(path, url, gateway, reports))
            finally:
                os._exit(1)
        print(child, flush=True)


if __name__ == "__main__":
    main()
