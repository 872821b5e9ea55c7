"""The local Discord service, tried with the real discord.py client and with plain HTTP."""

import asyncio
import io

import aiohttp
import discord
import pytest
import yarl
from discord.ext import commands

from bot.doubles.discord_payloads import CHANNEL_ID, ROLE_ID
from bot.doubles.discord_rules import check_commands, pinged
from bot.doubles.discord_service import DiscordService, Fault

TOKEN = "a-bot-token"


class Greeter(commands.Bot):
    async def setup_hook(self):
        @self.tree.command(name="hello", description="Greet somebody")
        async def hello(interaction: discord.Interaction, name: str):
            await interaction.response.defer()
            await interaction.edit_original_response(
                content=f"hello {name}",
                attachments=[discord.File(io.BytesIO(b"abc"), "greeting.txt")],
            )
            message = await interaction.original_response()
            thread = await interaction.channel.create_thread(
                name="Greetings", message=discord.Object(message.id)
            )
            await thread.send("in the thread")

        @self.tree.command(name="slow", description="Answer too late")
        async def slow(interaction: discord.Interaction):
            await asyncio.sleep(0.6)
            await interaction.response.defer()

        await self.tree.sync()


@pytest.fixture
async def service(monkeypatch):
    service = DiscordService(TOKEN, acknowledge_within=0.5, token_lifetime=30.0)
    await service.start()
    monkeypatch.setattr(discord.http.Route, "BASE", service.url + "/api/v10")
    gateway = yarl.URL(service.gateway_url)
    monkeypatch.setattr(discord.gateway.DiscordWebSocket, "DEFAULT_GATEWAY", gateway)
    yield service
    await service.stop()


@pytest.fixture
async def client(service):
    bot = Greeter("!", intents=discord.Intents.default(), guild_ready_timeout=0.0)
    task = asyncio.create_task(bot.start(TOKEN))
    await asyncio.wait_for(service.gateway.connected.wait(), 10)
    await asyncio.wait_for(bot.wait_until_ready(), 10)
    yield bot
    await bot.close()
    await task


@pytest.fixture
async def http(service):
    headers = {"Authorization": f"Bot {TOKEN}"}
    base = service.url + "/api/v10/"
    async with aiohttp.ClientSession(base, headers=headers) as session:
        yield session


async def test_a_command_is_deferred_edited_and_continued_in_a_thread(service, client):
    await service.command("hello", {"name": "delegate"})
    await service.wait_until(lambda: len(service.messages) == 2)
    answer, inside = service.messages.values()
    assert answer["content"] == "hello delegate"
    assert answer["flags"] & 128 == 0
    assert [a["filename"] for a in answer["attachments"]] == ["greeting.txt"]
    assert service.channels[inside["channel_id"]]["name"] == "Greetings"
    assert inside["channel_id"] == answer["id"]


async def test_a_dropped_socket_is_resumed_and_gets_what_it_missed(service, client):
    await service.gateway.drop()
    await service.command("hello", {"name": "again"})
    await service.wait_until(lambda: len(service.messages) == 2, timeout=20)
    assert service.gateway.resumed == 1
    assert service.gateway.identified == 1


async def test_an_acknowledgement_after_the_deadline_is_refused(service, client):
    interaction = await service.command("slow")
    callback = f"/interactions/{interaction.interaction_id}/"
    await service.wait_until(lambda: any(callback in path for _, path, _ in service.requests))
    assert [status for _, path, status in service.requests if callback in path] == [404]
    assert interaction.response is None


async def test_a_rate_limit_is_retried_by_the_client(service, client):
    service.faults.append(Fault("POST", "messages$", 429, retry_after=0.05))
    channel = client.get_channel(int(CHANNEL_ID))
    await channel.send("after a while")
    statuses = [s for m, path, s in service.requests if m == "POST" and path.endswith("messages")]
    assert statuses == [429, 200]
    assert [m["content"] for m in service.messages.values()] == ["after a while"]


async def test_an_enforced_nonce_makes_one_message(service, http):
    body = {"content": "once", "nonce": "n-1", "enforce_nonce": True}
    path = f"channels/{CHANNEL_ID}/messages"
    first = await (await http.post(path, json=body)).json()
    second = await (await http.post(path, json=body)).json()
    assert first["id"] == second["id"]
    assert len(service.messages) == 1


async def test_a_lost_reply_leaves_the_message_behind(service, http):
    service.faults.append(Fault("POST", "messages$", 0))
    with pytest.raises(aiohttp.ClientError):
        await http.post(f"channels/{CHANNEL_ID}/messages", json={"content": "kept"})
    assert [m["content"] for m in service.messages.values()] == ["kept"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, 50006),
        ({"content": "x" * 2001}, 50035),
        ({"embeds": [{"title": "x" * 257}]}, 50035),
        ({"embeds": [{"description": "x" * 4097}]}, 50035),
        ({"embeds": [{"fields": [{"name": "n", "value": "x" * 1025}]}]}, 50035),
        ({"embeds": [{"fields": [{"name": "n", "value": "v"}] * 26}]}, 50035),
        ({"embeds": [{"description": "x" * 3001}, {"description": "x" * 3000}]}, 50035),
        ({"content": "x", "nonce": "n" * 26}, 50035),
    ],
)
async def test_messages_beyond_a_limit_are_refused(service, http, body, code):
    reply = await http.post(f"channels/{CHANNEL_ID}/messages", json=body)
    assert reply.status == 400
    assert (await reply.json())["code"] == code
    assert service.messages == {}


async def test_a_wrong_token_is_refused(service):
    async with aiohttp.ClientSession(headers={"Authorization": "Bot other"}) as session:
        reply = await session.get(service.url + "/api/v10/users/@me")
    assert reply.status == 401


def test_commands_with_faults_are_refused():
    good = {"name": "simulate", "description": "Simulate"}
    assert check_commands([good]) is None
    assert check_commands([good, good]) is not None
    assert check_commands([{**good, "name": "Simulate"}]) is not None
    optional = {"name": "a", "description": "d"}
    required = {"name": "b", "description": "d", "required": True}
    assert check_commands([{**good, "options": [required, optional]}]) is None
    assert check_commands([{**good, "options": [optional, required]}]) is not None


def test_only_allowed_mentions_ring():
    text = f"@everyone <@&{ROLE_ID}> <@1>"
    assert pinged({"content": text}) == ["@everyone", f"<@&{ROLE_ID}>", "<@1>"]
    assert pinged({"content": text, "allowed_mentions": {"parse": []}}) == []
    allowed = {"parse": [], "roles": [ROLE_ID]}
    assert pinged({"content": text, "allowed_mentions": allowed}) == [f"<@&{ROLE_ID}>"]
