"""The whole bot as a process: settings in, forum topic out, health, orderly end.

The chain and the forum are doubles over real HTTP, the evaluation runs in the
real worker process with a toy in the evaluator's place.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from bot.checks import check
from bot.database import open_database, rows
from bot.doubles.discourse_forum import Forum
from bot.doubles.discourse_service import DiscourseDouble
from bot.settings import load_settings

sys.path.insert(0, str(Path(__file__).parent / "toys"))
from chain_double import GOVERNOR, ChainDouble

ROOT = Path(__file__).parents[2]
FORUM_KEY = "forumkey-0123456789abcdef0123456789abcdef"  # as in conftest.py
RPC_KEY = "Zk3yAbcdefgh0123456789Qq"

pytestmark = pytest.mark.slow

SETTINGS = """
[[chains]]
name = "test"
chain_id = 31337
urls = [{{ env = "TEST_RPC_URL" }}]
confirmations = 1
poll = 0.1

[[governors]]
chain = "test"
address = "{governor}"
name = "Sea DAO"
start_block = 0

[evaluation]
survey_every = 0
entry_point = "toy_entry_points:{toy}"
lease = 2.0

[discourse]
url = "{forum}"
username = "seatrial"
api_key = {{ file = "forum.key" }}
category = 5
requests_per_minute = 6000

[outbox]
retry_after = 0.05
settle = 0.2

[operation]
database = "state/bot.db"
work = "work"
health_port = 0
log_format = "json"
log_level = "DEBUG"
"""


class Bot:
    """A running `seatrial-bot` and what it wrote."""

    def __init__(self, process: asyncio.subprocess.Process, folder: Path) -> None:
        self.process = process
        self.folder = folder
        self.lines: list[str] = []
        self._reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            self.lines.append(line.decode())

    async def said(self, words: str) -> str:
        async with asyncio.timeout(60):
            while True:
                for line in self.lines:
                    if words in line:
                        return line
                assert self.process.returncode is None, "".join(self.lines)
                await asyncio.sleep(0.02)

    async def url(self) -> str:
        line = json.loads(await self.said("health is served on"))
        return str(line["message"].removeprefix("health is served on ").removesuffix("/healthz"))

    async def end(self, number: int = signal.SIGTERM) -> int:
        if self.process.returncode is None:
            self.process.send_signal(number)
        code = await asyncio.wait_for(self.process.wait(), 40)
        await self._reader
        return code


def _environment(chain: ChainDouble) -> dict[str, str]:
    return {
        **os.environ,
        "PYTHONPATH": f"{ROOT}:{Path(__file__).parent / 'toys'}",
        "TEST_RPC_URL": f"{chain.url}v2/{RPC_KEY}",
    }


def _write_settings(folder: Path, forum: str, toy: str = "good") -> Path:
    (folder / "forum.key").write_text(FORUM_KEY + "\n")
    path = folder / "bot.toml"
    path.write_text(SETTINGS.format(governor=GOVERNOR, forum=forum, toy=toy))
    return path


@asynccontextmanager
async def _running(folder: Path, chain: ChainDouble, config: Path) -> AsyncIterator[Bot]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot.main", "run", "--config", str(config),
        stderr=asyncio.subprocess.PIPE, env=_environment(chain), cwd=folder, limit=1 << 22,
    )  # fmt: skip
    bot = Bot(process, folder)
    try:
        yield bot
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _run(folder: Path, chain: ChainDouble, *arguments: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot.main", *arguments,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        env=_environment(chain), cwd=folder,
    )  # fmt: skip
    said, _ = await asyncio.wait_for(process.communicate(), 120)
    return process.returncode or 0, said.decode()


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.02)


@pytest.fixture
async def chain() -> AsyncIterator[ChainDouble]:
    async with ChainDouble() as ready:
        ready.mine(3)
        yield ready


async def test_from_the_chain_to_the_forum_and_an_orderly_end(
    tmp_path: Path, chain: ChainDouble, discourse: DiscourseDouble, forum: Forum
) -> None:
    config = _write_settings(tmp_path, discourse.url)
    async with _running(tmp_path, chain, config) as bot:
        url = await bot.url()
        chain.mine(logs=[chain.create(2**200, description="# Raise the cap\n\nsince it is low")])
        chain.mine()
        await _until(lambda: len(forum.topics) == 1)
        (topic,) = forum.topics
        assert "Sea DAO proposal" in topic.title
        assert topic.title.endswith("Raise the cap")
        assert topic.posts[0].raw.startswith("## PASS: it floats")

        async with aiohttp.ClientSession() as session:
            async with session.get(f"{url}/healthz") as reply:
                assert reply.status == 200
                health = await reply.json()
            async with session.get(f"{url}/metrics") as reply:
                figures = await reply.text()
        assert health["status"] == "ok"
        assert health["jobs"] == {"done": 1}
        assert health["chains"][0]["head"] == 5
        assert 'seatrial_jobs{state="done"} 1.0' in figures
        assert 'seatrial_chain_read_block{chain="test"} 4.0' in figures
        assert 'seatrial_outbox_entries{state="sent",target="discourse"}' in figures

        code, said = await _run(tmp_path, chain, "backup", "--config", str(config), str(tmp_path))
        assert code == 0, said
        copy = open_database(next(tmp_path.glob("bot-*.db")))
        assert len(rows(copy, "SELECT * FROM evaluations")) == 1
        copy.conn.close()
        code, said = await _run(tmp_path, chain, "run", "--config", str(config))
        assert code == 64
        assert "another seatrial-bot is running" in said

        assert await bot.end() == 0
        log = "".join(bot.lines)
    assert "the bot has stopped" in log
    for line in bot.lines:
        json.loads(line)
    for secret in (FORUM_KEY, RPC_KEY):
        assert secret not in log
    assert list((tmp_path / "work").iterdir()) == []


async def test_a_stop_in_the_middle_of_an_evaluation_is_taken_up_again(
    tmp_path: Path, chain: ChainDouble, discourse: DiscourseDouble, forum: Forum
) -> None:
    config = _write_settings(tmp_path, discourse.url, toy="slow_with_note")
    chain.mine(logs=[chain.create(1)])
    chain.mine()
    async with _running(tmp_path, chain, config) as bot:
        await bot.said("job 1 begins")
        await _until(lambda: any((tmp_path / "work").glob("*/work")))
        assert await bot.end() == 0
    assert list((tmp_path / "work").iterdir()) == []
    config = _write_settings(tmp_path, discourse.url, toy="good")
    async with _running(tmp_path, chain, config) as bot:
        await _until(lambda: len(forum.topics) == 1)
        await bot.end()
    database = open_database(tmp_path / "state" / "bot.db")
    (job,) = rows(database, "SELECT * FROM jobs")
    assert (job["state"], job["attempts"]) == ("done", 1)
    database.conn.close()


async def test_a_chain_that_broke_its_finality_is_unhealthy(
    tmp_path: Path, chain: ChainDouble, discourse: DiscourseDouble
) -> None:
    chain.mine(20)
    chain.finalized = 15
    config = _write_settings(tmp_path, discourse.url)
    async with _running(tmp_path, chain, config) as bot:
        url = await bot.url()
        await _until(lambda: any(method == "eth_getLogs" for method, _ in chain.calls))
        await asyncio.sleep(0.5)
        chain.reorganise(12)
        chain.mine(20)
        await bot.said("which was final")
        async with aiohttp.ClientSession() as session, session.get(f"{url}/healthz") as reply:
            assert reply.status == 503
            assert "replaced block 15" in (await reply.json())["troubles"][0]
        await bot.end()
    code, said = await _run(tmp_path, chain, "rewind", "test", "5", "--config", str(config))
    assert code == 0
    assert "read again from block 6" in said
    chain.mine(logs=[chain.create(9)])
    chain.mine()
    async with _running(tmp_path, chain, config) as bot:
        await bot.said("job 1 begins")
        await bot.end()


async def _faults(config: Path) -> list[str]:
    """Look at the settings as `seatrial-bot check` does, without a process of its own."""
    return [f"{f.what}: {f.fault}" async for f in check(load_settings(config)) if f.fault]


async def test_check_names_every_fault(
    tmp_path: Path,
    chain: ChainDouble,
    discourse: DiscourseDouble,
    forum: Forum,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = _write_settings(tmp_path, discourse.url)
    for name, value in _environment(chain).items():
        monkeypatch.setenv(name, value)
    assert await _faults(config) == [
        f"chain test, endpoint 1, governor Sea DAO: there is no contract at {GOVERNOR} on chain "
        "31337"
    ]

    chain.code.add(GOVERNOR)
    code, said = await _run(tmp_path, chain, "check", "--config", str(config))
    assert (code, said.splitlines()[-1]) == (0, "all is well")
    assert "ok     forum 127.0.0.1, category 5" in said
    assert "ok     evaluator toy_entry_points:good" in said

    chain.chain_id = 5
    forum.key = "another key entirely, 0123456789"
    config.write_text(config.read_text().replace(":good", ":absent"))
    code, said = await _run(tmp_path, chain, "check", "--config", str(config))
    assert code == 1
    assert "serves chain 5" in said
    assert "the API key is refused" in said
    assert "cannot be loaded" in said
    assert RPC_KEY not in said

    forum.key, forum.categories = FORUM_KEY, {5: 3}
    assert any("missing permission" in fault for fault in await _faults(config))
