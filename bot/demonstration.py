"""`seatrial-bot demo`: the whole bot on one machine, from a proposal on chain to its posts.

Chain, forum and Discord are real servers on loopback; the last two are the
local stand-ins of `bot.doubles`. Nothing leaves the machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from bot.demonstration_files import save_discord, save_forum
from bot.doubles.discord_interactions import Interaction
from bot.doubles.discord_payloads import CHANNEL_ID, ROLE_ID
from bot.doubles.discord_service import DiscordService
from bot.doubles.discourse_forum import Forum
from bot.doubles.discourse_service import DiscourseDouble
from bot.errors import SeatrialError
from bot.service import Service
from bot.settings import Settings
from evaluator import (
    EmbeddedChain,
    propose_weth_threshold_cut,
    start_compiling,
    start_embedded,
)

PATIENCE = 600.0  # seconds for one step, on a slow machine
Say = Callable[[str], None]


class DemonstrationFailed(SeatrialError):
    """A step of the demonstration did not happen in time."""


def demo_settings(
    chain: EmbeddedChain,
    *,
    forum: str,
    discord: DiscordService,
    token: str,
    key: str,
    folder: Path,
    entry_point: str,
) -> Settings:
    """Return the settings of a bot that knows nothing but the local servers."""
    return Settings.model_validate(
        {
            "chains": [
                {
                    "name": "embedded",
                    "chain_id": chain.sandbox.chain_id,
                    "urls": [chain.url],
                    "confirmations": 0,
                    "poll": 0.5,
                }
            ],
            "governors": [
                {
                    "chain": "embedded",
                    "address": chain.deployment.openzeppelin.governor,
                    "name": "Demo DAO",
                }
            ],
            "evaluation": {
                "paths": 2_000,
                "at_once": 1,
                "lease": 30.0,
                "entry_point": entry_point,
            },
            "discourse": {
                "url": forum,
                "username": "seatrial",
                "api_key": SecretStr(key),
                "category": 5,
                "requests_per_minute": 600,
            },
            "discord": {
                "token": SecretStr(token),
                "api_base": discord.url,
                "gateway": discord.gateway_url,
                # Its only user asks twice at once, and an evaluation may be quick.
                "cooldown": 0.001,
            },
            "operation": {
                "database": folder / "bot.db",
                "health_port": 0,
            },
        }
    )


class Demonstration:
    """One run of the bot among local servers; what they hold at the end goes to `out`."""

    def __init__(
        self, out: Path, say: Say, *, entry_point: str = "bot.evaluator_entry:run"
    ) -> None:
        self._out = out
        self._say = say
        self._entry_point = entry_point
        self._began = time.monotonic()
        self._stage = ""
        self._token = f"demo-{secrets.token_hex(16)}"
        self._key = secrets.token_hex(32)
        self.forum = Forum(key=self._key, requests_per_minute=10_000)
        # Client and server share a loop here: late heartbeats of a busy machine mean nothing.
        self.discord = DiscordService(self._token, heartbeat_interval=PATIENCE)

    def _tell(self, words: str) -> None:
        self._say(f"{time.monotonic() - self._began:6.1f} s  {words}")

    async def run(self) -> None:
        """Run from the proposal to the answered command. Raises DemonstrationFailed."""
        # Once per version and half a minute: it runs beside the chain's and the bot's start.
        compiler = await asyncio.to_thread(start_compiling)
        try:
            await self._with_servers(compiler)
        finally:
            if compiler is not None:
                compiler.kill()
                await asyncio.to_thread(compiler.wait)

    async def _with_servers(self, compiler: subprocess.Popen[bytes] | None) -> None:
        chain = await asyncio.to_thread(start_embedded, progress=self._built)
        try:
            self._tell(f"chain   {chain.url} ({chain.label})")
            async with DiscourseDouble(self.forum) as discourse:
                await self.discord.start()
                try:
                    self._tell(f"forum   {discourse.url}")
                    self._tell(f"Discord {self.discord.url}, gateway {self.discord.gateway_url}")
                    with tempfile.TemporaryDirectory(prefix="seatrial-demo-") as folder:
                        await self._with_bot(chain, discourse.url, Path(folder), compiler)
                finally:
                    await self.discord.stop()
        finally:
            await asyncio.to_thread(chain.close)

    def _built(self, stage: str, done: int, total: int) -> None:
        """Tell of a stage of the chain's construction; it is kept for the next time."""
        if stage != self._stage:
            self._stage = stage
            self._tell(f"        building the chain, {done} of {total}: {stage}")

    async def _with_bot(
        self,
        chain: EmbeddedChain,
        forum: str,
        folder: Path,
        compiler: subprocess.Popen[bytes] | None,
    ) -> None:
        service = Service(
            demo_settings(
                chain,
                forum=forum,
                discord=self.discord,
                token=self._token,
                key=self._key,
                folder=folder,
                entry_point=self._entry_point,
            )
        )
        running = asyncio.create_task(service.run())
        try:
            story = asyncio.create_task(self._story(chain, service, compiler))
            watch = asyncio.create_task(self._watch(folder / "bot.db"))
            try:
                await asyncio.wait({running, story}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                watch.cancel()
            if not story.done():
                story.cancel()
                await running  # raises what the bot failed with
                raise DemonstrationFailed("the bot ended before the demonstration did")
            await story
        finally:
            service.stop()
            await asyncio.wait({running})
            self._tell("the bot has stopped")

    async def _watch(self, database: Path) -> None:
        """Tell what the running evaluation does, as the bot's own database has it."""
        told = ""
        while True:
            await asyncio.sleep(0.5)
            stage = await asyncio.to_thread(_running_stage, database)
            if stage and stage != told:
                self._tell(f"        {stage}")
            told = stage

    async def _story(
        self, chain: EmbeddedChain, service: Service, compiler: subprocess.Popen[bytes] | None
    ) -> None:
        await self._until("the bot is connected", self.discord.gateway.connected.is_set)
        self._tell(f"bot     http://127.0.0.1:{service.health_port}/healthz and /metrics")
        governor = chain.deployment.openzeppelin.governor
        await self.discord.command(
            "subscribe",
            {"channel": CHANNEL_ID, "governor": f"embedded:{governor.lower()}", "role": ROLE_ID},
        )
        await self._until("the channel is subscribed", lambda: self._message("now hears"))
        if compiler is not None and compiler.poll() is None:
            self._tell("        compiling the simulation, once per version")
            await asyncio.to_thread(compiler.wait)
        # The follower begins at the head it sees first; the proposal must come after.
        await asyncio.sleep(2.0)
        proposed = await asyncio.to_thread(
            propose_weth_threshold_cut, chain.sandbox, chain.deployment
        )
        await asyncio.to_thread(chain.sandbox.mine)
        submitted = time.monotonic()
        self._tell(f"proposal {str(proposed.proposal_id)[:8]}… is submitted on chain")
        await self._until("the forum has a topic", lambda: self.forum.topics)
        topic = self.forum.topics[0]
        self._tell(f"topic   {topic.title}")
        await self._until("Discord has a thread", self._threads)
        thread = self._threads()[0]
        await self._until(
            "the thread has a message",
            lambda: any(m["channel_id"] == thread["id"] for m in self.discord.messages.values()),
        )
        self._tell(f"thread  {thread['name']}")
        self._tell(f"published {time.monotonic() - submitted:.0f} s after the proposal")
        proposal = await self._suggested("proposal", "WETH")
        await self._simulate(
            {"proposal": proposal["value"], "scenario": "black_thursday", "seed": 1},
            f"proposal:{proposal['name'][:50]} scenario:black_thursday seed:1",
        )
        parameter = await self._suggested("parameter", "weth liquidation_threshold")
        await self._simulate(
            {"parameter": parameter["value"], "value": "84%", "paths": 500},
            f"parameter:{parameter['name']} value:84% paths:500",
        )
        await asyncio.to_thread(self._save)

    async def _suggested(self, option: str, typed: str) -> dict[str, Any]:
        """Type into an option of /simulate and return the first suggestion."""
        asked = await self.discord.command("simulate", {option: typed}, focused=option)
        await asyncio.wait_for(asked.answered.wait(), PATIENCE)
        choices: list[dict[str, Any]] = (asked.response or {})["data"]["choices"]
        if not choices:
            raise DemonstrationFailed(f"nothing is suggested for {typed!r} as {option}")
        return choices[0]

    async def _simulate(self, options: dict[str, Any], said: str) -> None:
        answer = await self.discord.command("simulate", options)
        self._tell(f"/simulate {said}")
        await self._until("the command has a message", lambda: answer.message_id)
        await self._until(
            "/simulate is answered",
            lambda: self._answered(answer),
        )
        message = self.discord.messages[str(answer.message_id)]
        edits = sum(1 for _, number, _ in self.discord.edits if number == message["id"])
        self._tell(f"answer  {message['content']} ({edits} edits of one message)")
        if message["embeds"]:
            self._tell(f"verdict {message['embeds'][0]['title']}")

    def _answered(self, answer: Interaction) -> bool:
        message = self.discord.messages.get(str(answer.message_id)) or {}
        if "failed" in message.get("content", ""):
            raise DemonstrationFailed(message["content"])
        return bool(message.get("embeds"))

    def _message(self, words: str) -> bool:
        return any(words in message["content"] for message in self.discord.messages.values())

    def _threads(self) -> list[dict[str, Any]]:
        return [channel for channel in self.discord.channels.values() if channel["type"] == 11]

    async def _until(self, what: str, condition: Callable[[], object]) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                while not condition():
                    await asyncio.sleep(0.1)
        except TimeoutError as error:
            raise DemonstrationFailed(f"within {PATIENCE:.0f} s not: {what}") from error

    def _save(self) -> None:
        """Write what people would see on the forum and on Discord, and say where."""
        topic, talk = save_forum(self.forum, self._out), save_discord(self.discord, self._out)
        self._tell("Look at what was posted; charts lie beside it:")
        self._say(f"    the forum  {topic.resolve()}")
        self._say(f"    Discord    {talk.resolve()}")


def _running_stage(database: Path) -> str:
    """Return what the running evaluation does, "" if none runs."""
    try:
        with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as reader:
            found = reader.execute(
                "SELECT stage FROM jobs WHERE state = 'running' ORDER BY id LIMIT 1"
            ).fetchone()
    except sqlite3.Error:
        return ""  # it is being made, or written
    return "" if found is None else str(found[0])
