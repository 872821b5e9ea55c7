"""The whole bot as a process over Discord's real wire: HTTP and a gateway websocket.

The service enforces Discord's limits, deadlines, expiries and nonces; the chain
is a double, the evaluation runs in the real worker with a toy in its place.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from chain_double import GOVERNOR, ChainDouble

from bot.doubles.discord_payloads import CHANNEL_ID, ROLE_ID
from bot.doubles.discord_service import DiscordService, Fault

TESTS = Path(__file__).parents[1]

ROOT = Path(__file__).parents[3]
TOKEN = "bottoken-0123456789abcdef0123456789"
STRANGER = "600000000000000009"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

SETTINGS = """
[[chains]]
name = "test"
chain_id = 31337
urls = ["{chain}"]
confirmations = 1
poll = 0.1

[[governors]]
chain = "test"
address = "{governor}"
name = "Sea DAO"
start_block = 0

[evaluation]
survey_every = 0
entry_point = "discord_toy:steady"
seed = 1
policy = "{reports}/policy.toml"  # the worker gets nothing else; the toy looks beside it
at_once = 1
lease = 2.0
attempts = 2
retry_after = 0.1

[discord]
token = {{ env = "TEST_DISCORD_TOKEN" }}
api_base = "{service}/api/v10"
gateway = "{gateway}"
cooldown = 0.001
edit_every = 0.1

[outbox]
retry_after = 0.05
settle = 0.2

[operation]
database = "bot.db"
work = "work"
health_port = 0
log_level = "DEBUG"
"""


@pytest.fixture
async def chain() -> AsyncIterator[ChainDouble]:
    async with ChainDouble() as ready:
        ready.mine(3)
        yield ready


@pytest.fixture
async def service() -> AsyncIterator[DiscordService]:
    service = DiscordService(TOKEN, token_lifetime=900.0)
    await service.start()
    yield service
    await service.stop()


@asynccontextmanager
async def _running(
    folder: Path, reports: Path, chain: ChainDouble, service: DiscordService
) -> AsyncIterator[asyncio.subprocess.Process]:
    config = folder / "bot.toml"
    config.write_text(
        SETTINGS.format(
            chain=chain.url,
            reports=reports,
            governor=GOVERNOR,
            service=service.url,
            gateway=service.gateway_url,
        )
    )
    environment = {
        **os.environ,
        "PYTHONPATH": f"{ROOT}:{TESTS / 'toys'}",
        "TEST_DISCORD_TOKEN": TOKEN,
    }
    with (folder / "log.txt").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bot.main", "run", "--config", str(config),
            stderr=log, stdout=log, env=environment, cwd=folder,
        )  # fmt: skip
    try:
        await asyncio.wait_for(service.gateway.connected.wait(), 60)
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), 30)
        finally:
            if process.returncode is None:
                process.kill()


def _with(service: DiscordService, words: str) -> list[dict]:
    """Return the messages that show `words`."""
    return [
        m
        for m in service.messages.values()
        if words in m["content"] or any(words in str(e) for e in m["embeds"])
    ]


async def _proposal(service: DiscordService, words: str) -> str:
    """Type a few words and return the value of the first suggestion."""
    for _ in range(100):
        asked = await service.command("simulate", {"proposal": words}, focused="proposal")
        await asyncio.wait_for(asked.answered.wait(), 10)
        assert asked.response is not None
        choices = asked.response["data"]["choices"]
        if choices:
            return str(choices[0]["value"])
        await asyncio.sleep(0.1)
    raise AssertionError("nothing was suggested")


async def test_from_a_subscription_to_a_thread_and_from_a_command_to_a_verdict(
    tmp_path: Path, reports: Path, chain: ChainDouble, service: DiscordService
) -> None:
    async with _running(tmp_path, reports, chain, service) as process:
        names = {command["name"] for command in service.commands}
        assert names == {
            "simulate", "proposals", "report", "compare", "subscribe", "unsubscribe", "status",
            "help",
        }  # fmt: skip

        # A subscription with a role, then a proposal: a message, its thread, one ping on FAIL.
        governor = f"test:{GOVERNOR}"
        await service.command(
            "subscribe", {"channel": CHANNEL_ID, "governor": governor, "role": ROLE_ID}
        )
        await service.wait_until(lambda: bool(_with(service, "now hears")))
        service.faults.append(Fault("POST", "messages$", 429, retry_after=0.1))
        service.faults.append(Fault("POST", "threads$", 500))
        hostile = "# @everyone Raise `the` cap\n\ntext"
        chain.mine(logs=[chain.create(7, description=hostile)])
        chain.mine()

        def threads():
            return [c for c in service.channels.values() if c["type"] == 11]

        await service.wait_until(lambda: len(threads()) == 1, timeout=30)
        (thread,) = threads()
        await service.wait_until(
            lambda: any(m["channel_id"] == thread["id"] for m in service.messages.values()),
            timeout=20,
        )

        def said_in_thread():
            return [m for m in service.messages.values() if m["channel_id"] == thread["id"]]

        lasting = service.messages[thread["id"]]
        assert lasting["embeds"][0]["title"].startswith("FAIL")
        assert len(lasting["attachments"]) == 2
        assert lasting["content"] == f"<@&{ROLE_ID}>"
        assert set(service.buttons(lasting["id"])) == {
            "Full report", "Assumptions", "Re-run with a scenario", "Compare with today",
        }  # fmt: skip
        assert [mentions for _, mentions in service.pings if mentions] == [[f"<@&{ROLE_ID}>"]]

        # /simulate: progress by edits of one message, which becomes the verdict.
        chosen = await _proposal(service, "raise cap")
        before = len(service.messages)
        asked = await service.command("simulate", {"proposal": chosen, "paths": 1100, "seed": 4})
        await service.wait_until(lambda: asked.message_id is not None)
        number = str(asked.message_id)
        message = service.messages[number]
        await service.wait_until(lambda: "%" in message["content"])
        assert "1,100 price paths over 7 days" in message["content"]
        assert set(service.buttons(number)) == {"Cancel"}
        await service.wait_until(lambda: bool(message["embeds"]), timeout=30)
        assert message["embeds"][0]["title"].startswith("CAUTION")
        assert "price paths over" in message["content"]
        assert [a["filename"] for a in message["attachments"]] == [
            "survival-dark.png", "loss_exceedance-dark.png",
        ]  # fmt: skip
        shown = [p["content"] for _, m, p in service.edits if m == number and "%" in p["content"]]
        assert len(set(shown)) >= 2
        # What one user tried is a line of the history and does not replace what was published.
        await service.wait_until(
            lambda: any("because somebody asked" in m["content"] for m in said_in_thread())
        )
        assert len(said_in_thread()) == 2
        assert "seed 4" in said_in_thread()[-1]["content"]
        assert len(service.messages) == before + 2
        assert service.messages[thread["id"]]["embeds"][0]["title"].startswith("FAIL")

        # The full report comes as files; comparing needs the report room.
        await service.press(number, service.buttons(number)["Full report"])
        await service.wait_until(lambda: bool(_with(service, "The full report")), timeout=30)
        (sent,) = _with(service, "The full report")
        assert {Path(a["filename"]).suffix for a in sent["attachments"]} == {".html", ".json"}

        # A dropped socket is resumed, and the command sent meanwhile is answered.
        await service.gateway.drop()
        again = await service.command("simulate", {"proposal": chosen, "paths": 1100, "seed": 6})
        await service.wait_until(lambda: again.message_id is not None, timeout=20)
        assert service.gateway.resumed == 1
        assert service.gateway.identified == 1

        # The interaction's token dies while it runs; the same message gets the verdict.
        service.interactions.token_lifetime = 0.0
        last = str(again.message_id)
        await service.wait_until(lambda: bool(service.messages[last]["embeds"]), timeout=30)
        refused = [s for m, p, s in service.requests if m == "PATCH" and "/webhooks/" in p]
        assert 401 in refused
        service.interactions.token_lifetime = 900.0

        # Cancelling is for whoever asked; a draft that cannot be made is told in a sentence.
        third = await service.command("simulate", {"proposal": chosen, "seed": 8, "paths": 1200})
        await service.wait_until(
            lambda: third.message_id is not None and bool(service.buttons(third.message_id)),
            timeout=20,
        )
        cancel = service.buttons(str(third.message_id))["Cancel"]
        await service.press(str(third.message_id), cancel, user_id=STRANGER)
        await service.wait_until(lambda: bool(_with(service, "Only whoever asked")))
        await service.press(str(third.message_id), cancel)
        await service.wait_until(lambda: bool(_with(service, "was cancelled")), timeout=20)
        draft = await service.command("simulate", {"parameter": "aave_v3.X.ltv", "value": "0.8"})
        await service.wait_until(lambda: bool(_with(service, "This evaluation failed")), timeout=20)
        told = service.messages[str(draft.message_id)]["content"]
        assert "there is no parameter" in told
        assert "@everyone" not in told
        assert process.returncode is None
    assert process.returncode == 0
    log = (tmp_path / "log.txt").read_text()
    assert TOKEN not in log
    assert "Traceback" not in log
    # Nothing but the role on FAIL ever rang.
    assert [m for _, m in service.pings if m] == [[f"<@&{ROLE_ID}>"]]


async def test_a_restart_goes_on_with_the_same_message(
    tmp_path: Path, reports: Path, chain: ChainDouble, service: DiscordService
) -> None:
    chain.mine(logs=[chain.create(7, state=5)])  # queued: evaluated at once
    chain.mine()
    async with _running(tmp_path, reports, chain, service) as process:
        chosen = await _proposal(service, "title")
        asked = await service.command("simulate", {"proposal": chosen, "seed": 2, "paths": 1200})
        await service.wait_until(lambda: asked.message_id is not None)
        async with asyncio.timeout(30):
            while not (reports / "begun-2").exists():  # the worker is in the middle of it
                await asyncio.sleep(0.02)
        process.kill()
        await process.wait()
    number = str(asked.message_id)
    assert not service.messages[number]["embeds"]
    service.gateway.connected.clear()
    async with _running(tmp_path, reports, chain, service):
        await service.wait_until(lambda: bool(service.messages[number]["embeds"]), timeout=40)
        # Buttons made before the restart work after it.
        await service.press(number, service.buttons(number)["Assumptions"])
        await service.wait_until(lambda: bool(_with(service, "Assumptions of evaluation")))
    made = [i for i in service.messages.values() if i["embeds"] and i["id"] == number]
    assert len(made) == 1
