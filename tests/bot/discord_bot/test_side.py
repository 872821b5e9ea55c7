"""What `seatrial-bot check` says about Discord, over its wire."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import discord
import pytest
from pydantic import SecretStr

from bot.database import open_database
from bot.deck import Hold
from bot.discord_bot.permission import NEEDED, permissions_in
from bot.discord_bot.side import DiscordSide
from bot.discord_bot.subscriptions.store import Severity, SubscriptionStore
from bot.doubles.discord_payloads import CHANNEL_ID, GUILD_ID, ROLE_ID
from bot.doubles.discord_service import DiscordService, Fault
from bot.evaluations import EvaluationStore
from bot.jobs import JobQueue
from bot.outbox import Outbox
from bot.settings import DiscordSettings, Settings
from bot.surveys import SurveyStore

TOKEN = "bottoken-0123456789abcdef0123456789"
GOVERNOR = "0x" + "11" * 20
ALL = (1 << 50) - 1
SEND, EMBED = 1 << 11, 1 << 14  # of Discord's permission bits


@pytest.fixture
async def service(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[DiscordService]:
    monkeypatch.setattr(discord.http.Route, "BASE", discord.http.Route.BASE)
    monkeypatch.setattr(
        discord.gateway.DiscordWebSocket,
        "DEFAULT_GATEWAY",
        discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY,
    )
    service = DiscordService(TOKEN)
    await service.start()
    yield service
    await service.stop()


async def _faults(service: DiscordService, folder: Path, token: str = TOKEN) -> dict[str, str]:
    """Check with a subscription to the service's channel and to one that is not there."""
    settings = Settings.model_validate(
        {
            "chains": [{"name": "test", "chain_id": 1, "urls": ["http://127.0.0.1:1"]}],
            "governors": [{"chain": "test", "address": GOVERNOR, "name": "DAO"}],
            "discord": DiscordSettings(
                token=SecretStr(token), api_base=service.url, gateway=service.gateway_url
            ),
        }
    )
    database = open_database(folder / "bot.db")
    try:
        for channel in (CHANNEL_ID, "700000000000000009"):
            SubscriptionStore(database).put(
                guild=int(GUILD_ID), channel=int(channel), chain="test", governor=GOVERNOR,
                severity=Severity.PASS, role=None, by="test",
            )  # fmt: skip
        hold = Hold(
            settings=settings,
            database=database,
            queue=JobQueue(database, settings.evaluation),
            store=EvaluationStore(database),
            outbox=Outbox(database),
            surveys=SurveyStore(database),
        )
        async with DiscordSide(hold) as side:
            return {finding.what: finding.fault for finding in await side.check()}
    finally:
        database.close()


async def test_every_fault_is_named(service: DiscordService, tmp_path: Path) -> None:
    here, gone = f"Discord channel {CHANNEL_ID}", "Discord channel 700000000000000009"
    assert await _faults(service, tmp_path) == {
        "Discord": "",
        here: "",
        gone: "there is no such channel: /unsubscribe it",
    }
    service.channels[CHANNEL_ID]["permission_overwrites"] = [
        {"id": GUILD_ID, "type": 0, "allow": "0", "deny": str(SEND | EMBED)}
    ]
    found = await _faults(service, tmp_path)
    assert found[here] == "missing permissions: send messages, embed links"
    service.faults.append(Fault("GET", f"channels/{CHANNEL_ID}$", 403))
    assert "missing permission" in (await _faults(service, tmp_path))[here]
    assert service.commands == []  # a look changes nothing
    assert await _faults(service, tmp_path, token="another token, as long as the first") == {
        "Discord": "the token is refused"
    }


def _channel(*overwrites: tuple[str, int, int]) -> dict[str, object]:
    return {
        "permission_overwrites": [
            {"id": name, "allow": str(allow), "deny": str(deny)} for name, allow, deny in overwrites
        ]
    }


@pytest.mark.parametrize(
    ("base", "overwrites", "may_send"),
    [
        (ALL & ~(1 << 3), [], True),
        (0, [], False),
        (SEND, [(GUILD_ID, 0, SEND)], False),
        (0, [(ROLE_ID, SEND, 0)], True),
        (SEND, [(ROLE_ID, 0, SEND), ("9", SEND, 0)], True),
        (SEND, [("8", 0, SEND)], True),  # another member's
        (1 << 3, [(GUILD_ID, 0, SEND)], True),  # administrators see past overwrites
    ],
)
def test_permissions_are_those_discord_documents(
    base: int, overwrites: list[tuple[str, int, int]], may_send: bool
) -> None:
    guild = {
        "id": GUILD_ID,
        "owner_id": "1",
        "roles": [
            {"id": GUILD_ID, "permissions": str(base)},
            {"id": ROLE_ID, "permissions": "0"},
            {"id": "77", "permissions": str(ALL)},  # not the member's
        ],
    }
    member = {"user": {"id": "9"}, "roles": [ROLE_ID]}
    found = permissions_in(_channel(*overwrites), guild, member)
    assert found.send_messages is may_send


def test_what_is_needed_are_permissions_of_discord() -> None:
    assert set(NEEDED) <= set(discord.Permissions.VALID_FLAGS)
