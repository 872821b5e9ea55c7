"""Let the whole bot run through many proposals, reorganisations, faults and kills.

    python benchmarks/soak/soak.py --proposals 200 --kills 20

Chain, forum and Discord are local servers; the bot is a real process killed
with SIGKILL. Prints what was lost, what was doubled, and how memory grew.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from bot.database import open_database, rows
from bot.discord_bot.subscriptions.store import Severity, SubscriptionStore
from bot.doubles.discord_payloads import CHANNEL_ID, GUILD_ID
from bot.doubles.discord_service import DiscordService, Fault
from bot.doubles.discourse_forum import Forum
from bot.doubles.discourse_rules import Poster
from bot.doubles.discourse_service import CALM, DiscourseDouble, Weather

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "tests" / "bot" / "toys"))
from chain_double import GOVERNOR, ChainDouble  # noqa: E402 - found by the line above

TOKEN = "soaktoken-0123456789abcdef0123456789"
KEY = "soakkey-0123456789abcdef"
STORM = Weather(limited=0.03, failed=0.04, failed_after=0.03, dropped=0.03, lost=0.05,
                retry_after=0)  # fmt: skip
SETTINGS = """
[[chains]]
name = "soak"
chain_id = 31337
urls = ["{chain}"]
confirmations = 1
poll = 0.1
[[governors]]
chain = "soak"
address = "{governor}"
name = "Soak DAO"
start_block = 0
[evaluation]
survey_every = 0
entry_point = "quick_evaluator:run"
at_once = 2
lease = 5.0
attempts = 1000
retry_after = 0.1
queue_limit = 10000
[discourse]
url = "{forum}"
username = "seatrial"
api_key = {{ env = "SOAK_FORUM_KEY" }}
category = 5
requests_per_minute = 60000
timeout = 2.0
[discord]
token = {{ env = "SOAK_DISCORD_TOKEN" }}
api_base = "{discord}"
gateway = "{gateway}"
[outbox]
retry_after = 0.05
retry_at_most = 1.0
settle = 0.5
[operation]
database = "bot.db"
health_port = 0
log_level = "WARNING"
"""
THREADS_KEPT = 30  # Discord archives a thread after a week of silence, which is long for a soak


def resident(pid: int) -> int:
    """Return a process's resident memory in bytes, 0 if it is gone."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


class Soak:
    """One run."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.chance = random.Random(seed)
        self.chain = ChainDouble()
        self.forum = Forum(
            key=KEY, poster=Poster(name="seatrial", staff=True), requests_per_minute=10**9,
            memo_seconds=0.0, unique_seconds=0.0,
        )  # fmt: skip
        self.discord = DiscordService(TOKEN)
        self.reorganisations = self.kills = self.created = 0
        # Samples of (seconds, resident bytes, proposals so far); a list for each life of the bot.
        self.memory: list[list[tuple[float, int, int]]] = []

    async def start_bot(self) -> asyncio.subprocess.Process:
        path = f"{ROOT}:{HERE}"
        environment = {**os.environ, "PYTHONPATH": path, "SOAK_FORUM_KEY": KEY,
                       "SOAK_DISCORD_TOKEN": TOKEN}  # fmt: skip
        self.memory.append([])
        with (self.folder / "log.txt").open("ab") as log:
            return await asyncio.create_subprocess_exec(
                sys.executable, "-m", "bot.main", "run", "--config", "bot.toml",
                stdout=log, stderr=log, cwd=self.folder, env=environment,
            )  # fmt: skip

    def chain_moves(self) -> None:
        """Mine a proposal; sometimes replace the newest blocks and submit theirs again."""
        self.created += 1
        text = f"# Soak proposal {self.created}\n\nwords"
        self.chain.mine(logs=[self.chain.create(self.created, description=text)])
        if self.chance.random() < 0.15:
            lost = [log for block in self.chain.blocks[-2:] for log in block.logs]
            self.chain.reorganise(2)
            self.reorganisations += 1
            self.chain.mine(2)
            for log in lost:
                self.chain.mine(logs=[log])
        self.chain.mine()

    def discord_fails(self) -> None:
        """Inject a few failures into Discord."""
        kinds = (0, 429, 500)
        self.discord.faults = [
            Fault("POST", "messages$", self.chance.choice((0, 429)), retry_after=0.05),
            Fault("POST", "threads$", self.chance.choice(kinds), retry_after=0.05),
        ][: self.chance.randrange(3)]

    def posts(self) -> tuple[Counter[str], Counter[str]]:
        """Return how many topics and Discord messages there are by proposal."""
        topics = Counter(t.title.rsplit(" ", 1)[1] for t in self.forum.topics
                         if t.user == "seatrial")  # fmt: skip
        shown = Counter(
            m["embeds"][0]["title"].rsplit(" ", 1)[1]
            for m in self.discord.messages.values()
            if m["channel_id"] == CHANNEL_ID
            and m["embeds"]
            and m["embeds"][0]["title"].startswith("proposal ")
        )  # fmt: skip
        return topics, shown

    def sample(self, pid: int) -> None:
        """Note the bot's memory, at most once a second."""
        life, now = self.memory[-1], time.monotonic()
        if not life or now - life[-1][0] >= 1.0:
            life.append((now, resident(pid), self.created))

    def done(self) -> bool:
        """Tell whether every proposal is published at both places."""
        return all(len(found) >= self.created for found in self.posts())


async def soak(proposals: int, kills: int, seed: int, patience: float, pace: float) -> int:
    """Run and print; return the exit code."""
    with tempfile.TemporaryDirectory(prefix="seatrial-soak-") as name:
        run = Soak(Path(name), seed)
        database = open_database(run.folder / "bot.db")
        SubscriptionStore(database).put(
            guild=int(GUILD_ID), channel=int(CHANNEL_ID), chain="soak", governor=GOVERNOR,
            severity=Severity.PASS, role=None, by="soak",
        )  # fmt: skip
        database.close()
        began = time.monotonic()
        async with run.chain, DiscourseDouble(run.forum, seed=seed) as forum:
            await run.discord.start()
            (run.folder / "bot.toml").write_text(
                SETTINGS.format(chain=run.chain.url, governor=GOVERNOR, forum=forum.url,
                                discord=run.discord.url, gateway=run.discord.gateway_url)
            )  # fmt: skip
            run.chain.mine(3)
            forum.weather = STORM
            process = await run.start_bot()
            kill_at = time.monotonic() + run.chance.uniform(7.0, 14.0)
            # The storm lasts until all proposals are there and all kills are done.
            while run.created < proposals or (run.kills < kills and not run.done()):
                if run.created < proposals:
                    run.chain_moves()
                run.discord_fails()
                await run.discord.archive_threads(keep=THREADS_KEPT)
                await asyncio.sleep(run.chance.uniform(0.2, 1.8) * pace)
                run.sample(process.pid)
                if run.kills < kills and time.monotonic() > kill_at:
                    process.kill()
                    await process.wait()
                    run.kills += 1
                    process = await run.start_bot()
                    kill_at = time.monotonic() + run.chance.uniform(7.0, 14.0)
            forum.weather, run.discord.faults = CALM, []
            deadline = time.monotonic() + patience
            while not run.done() and time.monotonic() < deadline:
                run.sample(process.pid)
                await asyncio.sleep(0.2)
            process.send_signal(signal.SIGTERM)
            code = await asyncio.wait_for(process.wait(), 60)
            await run.discord.stop()
        topics, shown = run.posts()
        database = open_database(run.folder / "bot.db")
        outcomes = Counter(r["outcome"] for r in rows(database, "SELECT outcome FROM deliveries"))
        refused = rows(database, "SELECT error FROM outbox WHERE state = 'refused'")
        database.close()
    lost = 2 * run.created - len(topics) - len(shown)
    doubled = sum(n - 1 for n in [*topics.values(), *shown.values()])
    life = max(run.memory, key=len)
    life = [one for one in life if one[1]]
    print(f"proposals {run.created}, reorganisations {run.reorganisations}, kills {run.kills}, "
          f"{time.monotonic() - began:.0f} s")  # fmt: skip
    print(f"deliveries: {dict(sorted(outcomes.items()))}; refused: {len(refused)}")
    print(f"lost {lost}, doubled {doubled}; last bot ended with {code}")
    if len(life) >= 10:
        print("memory of the longest life, seconds: MiB resident (proposals so far)")
        for one in life[:: max(1, len(life) // 10)] + life[-1:]:
            print(f"  {one[0] - life[0][0]:6.0f}: {one[1] / 2**20:6.1f} ({one[2]})")
        later = life[len(life) // 2 :]
        grown, made = (later[-1][n] - later[0][n] for n in (1, 2))
        print(f"its later half: {grown / 2**20:+.1f} MiB over {later[-1][0] - later[0][0]:.0f} s "
              f"and {made} proposals")  # fmt: skip
    return 0 if lost == doubled == code == 0 else 1


def main() -> int:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--proposals", type=int, default=200)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--pace", type=float, default=0.45, help="mean seconds between proposals")
    parser.add_argument("--patience", type=float, default=900.0, help="seconds to end the backlog")
    arguments = parser.parse_args()
    return asyncio.run(
        soak(
            arguments.proposals,
            arguments.kills,
            arguments.seed,
            arguments.patience,
            arguments.pace,
        )
    )


if __name__ == "__main__":
    sys.exit(main())
