"""A local server that speaks enough of Discord's API v10 for a whole bot.

It stands in for Discord in tests and in the demonstration, and enforces what
Discord enforces: limits of messages and commands, three seconds to acknowledge
an interaction, interaction tokens that expire, one acknowledgement per
interaction, nonces, rate limits with `Retry-After` and `Via`, permissions of
the token. `faults` injects failures; what users would see is in `messages`.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from bot.doubles import discord_payloads as payloads
from bot.doubles import discord_rules as rules
from bot.doubles.discord_channels import ChannelApi
from bot.doubles.discord_gateway import Gateway
from bot.doubles.discord_guild import Guild, refusal, reply
from bot.doubles.discord_interactions import Interaction, InteractionApi
from bot.doubles.discord_payloads import CHANNEL_ID, GUILD_ID, USER_ID

Json = dict[str, Any]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Fault:
    """One failure to inject: how, on which requests, how often."""

    method: str  # "POST", or "*" for any
    path: str  # regular expression searched in the path
    status: int  # 429, 500, ...; 0 means the request is done but its reply is lost
    times: int = 1  # how many requests it hits
    retry_after: float = 0.2  # seconds, for 429


class DiscordService:
    """One guild with channels, threads and users, and one bot application."""

    def __init__(
        self,
        token: str,
        *,
        acknowledge_within: float = 3.0,
        token_lifetime: float = 900.0,
        heartbeat_interval: float = 41.25,
    ) -> None:
        self._token = token
        self.gateway = Gateway(token, heartbeat_interval=heartbeat_interval)
        self.guild = Guild(self.gateway)
        self.interactions = InteractionApi(
            self.guild, acknowledge_within=acknowledge_within, token_lifetime=token_lifetime
        )
        self._channel_api = ChannelApi(self.guild)
        self.channels, self.messages = self.guild.channels, self.guild.messages
        self.edits, self.files, self.pings = self.guild.edits, self.guild.files, self.guild.pings
        self.commands: list[Json] = []
        self.synced = asyncio.Event()
        self.faults: list[Fault] = []
        self.latency = 0.0  # seconds between what a request does and its reply
        self.requests: list[tuple[str, str, int]] = []
        self.arrived = 0  # requests about channels begun, also those without an answer
        self._runner: web.AppRunner | None = None
        self.url = ""
        self.changed = asyncio.Condition()

    # -- life ---------------------------------------------------------------

    async def start(self, *, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen; `url` is where afterwards."""
        app = web.Application(middlewares=[self._guard], client_max_size=64 * 1024 * 1024)
        api = "/api/v10"
        app.add_routes(
            [
                web.get("/gateway", self.gateway.handle),
                web.get("/gateway/", self.gateway.handle),
                web.get("/files/{name}", self._file),
                web.get(f"{api}/users/@me", self._me),
                web.get(f"{api}/oauth2/applications/@me", self._application),
                web.get(f"{api}/applications/{{app}}/commands", self._list_commands),
                web.put(f"{api}/applications/{{app}}/commands", self._sync),
                web.put(f"{api}/applications/{{app}}/guilds/{{guild}}/commands", self._sync),
                web.get(f"{api}/guilds/{{guild}}", self._guild_info),
                web.get(f"{api}/guilds/{{guild}}/members/{{user}}", self._member),
                *self._channel_api.routes(api),
                *self.interactions.routes(api),
            ]
        )
        self._runner = web.AppRunner(app, shutdown_timeout=0.2)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        await site.start()
        server = site._server
        bound = server.sockets[0].getsockname()[1] if server is not None else port  # type: ignore[attr-defined]
        self.url = self.guild.url = f"http://{host}:{bound}"
        self.gateway.ready_payload = {
            "v": 10,
            "user": payloads.user(payloads.BOT_ID),
            "private_channels": [],
            "relationships": [],
            "guilds": [{"id": GUILD_ID, "unavailable": True}],
            "resume_gateway_url": self.gateway_url,
            "application": {"id": payloads.APPLICATION_ID, "flags": 0},
        }
        self.gateway.guild_payloads = [self.guild.payload()]

    @property
    def gateway_url(self) -> str:
        """Where the websocket is."""
        return self.url.replace("http://", "ws://") + "/gateway"

    async def stop(self) -> None:
        """Close sockets and stop listening."""
        await self.gateway.drop()
        if self._runner is not None:
            await self._runner.cleanup()

    # -- what users do ------------------------------------------------------

    async def command(
        self, name: str, options: dict[str, Any] | None = None, *, focused: str | None = None,
        user_id: str = USER_ID, roles: tuple[str, ...] = (), channel_id: str = CHANNEL_ID,
    ) -> Interaction:  # fmt: skip
        """Let a user run a command; with `focused` ask for that option's autocompletion."""
        known = {c["name"]: c for c in self.commands}
        if name not in known:
            raise KeyError(f"the bot registered no command {name!r}, only {sorted(known)}")
        types = {o["name"]: o["type"] for o in known[name].get("options") or []}
        values = []
        for key, value in (options or {}).items():
            item: Json = {"name": key, "type": types[key], "value": value}
            if key == focused:
                item["focused"] = True
            values.append(item)
        data = {
            "id": known[name]["id"], "name": name, "type": 1, "options": values,
            "resolved": self._resolved(values),
        }  # fmt: skip
        kind = 4 if focused else 2
        return await self._interact(kind, data, user_id, roles, channel_id, None)

    def _resolved(self, values: list[Json]) -> Json:
        """Return the objects that options of types channel (7) and role (8) name."""
        channels = {v["value"]: self.channels[v["value"]] for v in values if v["type"] == 7}
        roles = {role["id"]: role for role in self.guild.payload()["roles"]}
        return {
            "channels": {
                number: {**channel, "permissions": payloads.ALL_PERMISSIONS}
                for number, channel in channels.items()
            },
            "roles": {v["value"]: roles[v["value"]] for v in values if v["type"] == 8},
        }

    async def press(
        self, message_id: str, custom_id: str, *, user_id: str = USER_ID,
        roles: tuple[str, ...] = (),
    ) -> Interaction:  # fmt: skip
        """Let a user press a button of a message."""
        message = self.messages[message_id]
        data = {"custom_id": custom_id, "component_type": 2}
        return await self._interact(3, data, user_id, roles, message["channel_id"], message)

    async def archive_threads(self, *, keep: int) -> None:
        """Archive all but the newest threads, as Discord does with those in which nobody writes."""
        threads = [channel for channel in self.channels.values() if channel["type"] == 11]
        for thread in threads[: max(0, len(threads) - keep)]:
            if not thread["thread_metadata"]["archived"]:
                thread["thread_metadata"]["archived"] = True
                await self.gateway.dispatch("THREAD_UPDATE", thread)

    async def wait_until(self, condition: Callable[[], bool], *, timeout: float = 10.0) -> None:
        """Wait until what users see fulfils `condition`; TimeoutError otherwise."""

        async def watch() -> None:
            async with self.changed:
                await self.changed.wait_for(condition)

        await asyncio.wait_for(watch(), timeout)

    def buttons(self, message_id: str) -> dict[str, str]:
        """Return the custom ids of a message's enabled buttons by label."""
        rows = self.messages[message_id].get("components") or []
        parts = [p for row in rows for p in row.get("components") or []]
        return {
            p["label"]: p["custom_id"] for p in parts if "custom_id" in p and not p.get("disabled")
        }

    async def _interact(
        self, kind: int, data: Json, user_id: str, roles: tuple[str, ...], channel_id: str,
        message: Json | None,
    ) -> Interaction:  # fmt: skip
        interaction = Interaction(
            interaction_id=self.guild.snowflake(), token=f"itoken-{self.guild.snowflake()}",
            kind=kind, channel_id=channel_id, created=time.monotonic(),
        )  # fmt: skip
        self.interactions.known[interaction.token] = interaction
        by, where = payloads.member(user_id, roles), self.channels[channel_id]
        payload = payloads.interaction(
            interaction.interaction_id, interaction.token, kind, data, by, where
        )
        if message is not None:
            payload["message"] = message
        await self.gateway.dispatch("INTERACTION_CREATE", payload)
        return interaction

    # -- requests -----------------------------------------------------------

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if not request.path.startswith("/api/"):
            return await handler(request)
        self.arrived += "/channels/" in request.path
        secret = re.match(r"/api/v10/(interactions|webhooks)/", request.path)
        if not secret and request.headers.get("Authorization") != f"Bot {self._token}":
            return self._log(request, refusal(401, {"code": 0, "message": "401: Unauthorized"}))
        for fault in self.faults:
            hit = fault.method in ("*", request.method) and re.search(fault.path, request.path)
            if fault.times > 0 and hit:
                fault.times -= 1
                if fault.status == 0:
                    await handler(request)
                    if request.transport is not None:
                        request.transport.close()
                    return self._log(request, web.Response(status=500))
                if fault.status == 429:
                    body = {"message": "You are being rate limited.", "global": False,
                            "retry_after": fault.retry_after}  # fmt: skip
                    headers = {"Via": "1.1 google", "Retry-After": str(fault.retry_after),
                               "X-RateLimit-Scope": "user"}  # fmt: skip
                    return self._log(request, refusal(429, body, headers))
                return self._log(request, refusal(fault.status, {"code": 0, "message": "fault"}))
        response = await handler(request)
        if self.latency:
            await asyncio.sleep(self.latency)
        async with self.changed:
            self.changed.notify_all()
        return self._log(request, response)

    def _log(self, request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
        self.requests.append((request.method, request.path, response.status))
        return response

    async def _file(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in self.files:
            return web.Response(status=404)
        return web.Response(body=self.files[name])

    async def _me(self, _: web.Request) -> web.Response:
        return reply(payloads.user(payloads.BOT_ID))

    async def _application(self, _: web.Request) -> web.Response:
        return reply(payloads.application())

    async def _list_commands(self, _: web.Request) -> web.Response:
        return reply(self.commands)

    async def _sync(self, request: web.Request) -> web.Response:
        commands = await request.json()
        error = rules.check_commands(commands)
        if error:
            return refusal(400, error)
        self.commands = [
            {
                "version": "1", "application_id": payloads.APPLICATION_ID,
                "default_member_permissions": None, **c, "id": self.guild.snowflake(),
            }
            for c in commands
        ]  # fmt: skip
        self.synced.set()
        return reply(self.commands)

    async def _guild_info(self, request: web.Request) -> web.Response:
        if request.match_info["guild"] != GUILD_ID:
            return refusal(404, {"code": 10004, "message": "Unknown Guild"})
        return reply(self.guild.payload())

    async def _member(self, request: web.Request) -> web.Response:
        known = self.guild.payload()["members"]
        found = [m for m in known if m["user"]["id"] == request.match_info["user"]]
        if request.match_info["guild"] != GUILD_ID or not found:
            return refusal(404, {"code": 10007, "message": "Unknown Member"})
        return reply(found[0])
