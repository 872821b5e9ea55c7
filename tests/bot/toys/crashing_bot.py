"""A bot without chain and Discord that is killed and started again, over and over.

    python crashing_bot.py DATABASE FORUM_URL

imports everything once, then forks a bot for every line it reads and answers
with its process id: a fresh process costs milliseconds, and SIGKILL is real.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from pydantic import SecretStr

from bot.courier import Courier
from bot.database import claim, open_database
from bot.discourse_client import DiscourseClient
from bot.discourse_target import DiscourseTarget
from bot.discourse_voice import DiscourseVoice
from bot.evaluation import EvaluationOrder, FinishedEvaluation, Progress
from bot.evaluations import EvaluationStore
from bot.jobs import JobQueue
from bot.outbox import Outbox
from bot.posts import Chorus
from bot.settings import Settings
from bot.workshop import Workshop

KEY = "forumkey-0123456789abcdef"
GOVERNOR = "0x" + "11" * 20
SETTINGS = Settings.model_validate(
    {
        "chains": [{"name": "test", "chain_id": 1, "urls": ["http://127.0.0.1:1"]}],
        "governors": [
            {
                "chain": "test",
                "address": GOVERNOR,
                "name": "DAO",
                "forum_topics": {},
            }
        ],
        "evaluation": {"attempts": 10_000, "lease": 0.5, "retry_after": 0.01, "at_once": 2},
        # Longer than a forum of the test may take to do what it was asked.
        "outbox": {"retry_after": 0.02, "retry_at_most": 0.2, "settle": 0.3, "held_poll": 0.2},
    }
)


class QuickEvaluator:
    """Needs a moment and returns what depends on the order alone."""

    async def evaluate(
        self, order: EvaluationOrder, *, progress: Callable[[Progress], None]
    ) -> FinishedEvaluation:
        progress(Progress(stage="paths"))
        await asyncio.sleep(0.01)
        verdict = ("PASS", "FAIL", "CAUTION")[order.seed % 3]
        mark = f"proposal-{order.proposal}-seed-{order.seed}"
        return FinishedEvaluation(
            verdict=verdict,
            headline=f"headline of {mark}",
            digest=mark,
            block=order.seed,
            report="{}",
            markdown=f"## {verdict}: {mark}\n\n![Survival](chart:survival)",
            embed="{}",
            charts={"survival": b"\x89PNG" + mark.encode()},
        )


async def run(path: Path, url: str) -> None:
    with claim(path):
        database = open_database(path)
        queue = JobQueue(database, SETTINGS.evaluation)
        outbox = Outbox(database)
        store = EvaluationStore(database)
        queue.retake_abandoned()
        outbox.resume(settle=SETTINGS.outbox.settle)
        async with DiscourseClient(
            SecretStr(url),
            username="seatrial",
            api_key=SecretStr(KEY),
            requests_per_minute=600_000,
            timeout=0.25,
        ) as client:
            discourse = _forum_settings(url)
            voice = DiscourseVoice(SETTINGS, discourse, host=client.host)
            courier = Courier(outbox, DiscourseTarget(client, discourse), SETTINGS.outbox)
            workshop = Workshop(
                database,
                queue=queue,
                store=store,
                outbox=outbox,
                evaluator=QuickEvaluator(),
                composer=Chorus(store, [voice]),
                settings=SETTINGS.evaluation,
                on_posts=courier.wake,
            )
            async with asyncio.TaskGroup() as group:
                group.create_task(workshop.run())
                group.create_task(courier.run())


def _forum_settings(url: str):  # type: ignore[no-untyped-def]
    from bot.settings import DiscourseSettings

    return DiscourseSettings(url=url, username="seatrial", api_key=SecretStr(KEY), category=5)


def main() -> None:
    path, url = Path(sys.argv[1]), sys.argv[2]
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    logging.basicConfig(level=logging.CRITICAL)
    for _ in sys.stdin:
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            try:
                asyncio.run(run(path, url))
            finally:
                os._exit(1)
        print(child, flush=True)


if __name__ == "__main__":
    main()
