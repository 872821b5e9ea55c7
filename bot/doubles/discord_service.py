"""A local server that speaks enough of Discord's API v10 for a whole bot.

It stands in for Discord in tests and in the demonstration, and enforces what
Discord enforces: limits of messages and commands, three seconds to acknowledge
an interaction, interaction tokens that expire, one acknowledgement per
interaction, nonces, rate limits with `Retry-After` and `Via`, permissions of
the token. `faults` injects failures; what users would see is in `messages`.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import BodyPartReader, web

from bot.doubles import discord_payloads as payloads
from bot.doubles import discord_rules as rules
from bot.doubles.discord_gateway import Gateway
from bot.doubles.discord_payloads import CHANNEL_ID, GUILD_ID, USER_ID

Json = dict[str, Any]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

EPOCH_MS = 1420070400000
# Discord forgets a nonce "after a few minutes".
NONCE_SECONDS = 300.0


@dataclass
class Fault:
    """One failure to inject: how, on which requests, how often."""

    method: str  # "POST", or "*" for any
    path: str  # regular expression searched in the path
    status: int  # 429, 500, ...; 0 means the request is done but its reply is lost
    times: int = 1  # how many requests it hits
    retry_after: float = 0.2  # seconds, for 429


@dataclass
class Interaction:
    """One interaction from its creation to its expiry."""

    interaction_id: str
    token: str
    kind: int  # 2 command, 3 component, 4 autocomplete
    channel_id: str
    created: float
    response: Json | None = None  # what the bot acknowledged with
    message_id: str | None = None  # the original response
    answered: asyncio.Event = field(default_factory=asyncio.Event)


def _error(status: int, body: Json, headers: dict[str, str] | None = None) -> web.Response:
    return _json(body, status=status, headers=headers)


def _json(body: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    # Discord sends no charset, and discord.py reads the body as text if there is one.
    return web.Response(
        body=json.dumps(body).encode(),
        status=status,
        headers={"Content-Type": "application/json", **(headers or {})},
    )


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
        self._acknowledge_within = acknowledge_within
        self._token_lifetime = token_lifetime
        self._ids = itertools.count(1)
        self.gateway = Gateway(token, heartbeat_interval=heartbeat_interval)
        self.channels: dict[str, Json] = {CHANNEL_ID: payloads.channel(CHANNEL_ID, "governance")}
        self.messages: dict[str, Json] = {}
        self.edits: list[tuple[float, str, Json]] = []
        self.files: dict[str, bytes] = {}
        self.commands: list[Json] = []
        self.synced = asyncio.Event()
        self.interactions: dict[str, Interaction] = {}
        self.pings: list[tuple[str, list[str]]] = []
        self.faults: list[Fault] = []
        self.latency = 0.0  # seconds between what a request does and its reply
        self.requests: list[tuple[str, str, int]] = []
        self.arrived = 0  # requests about channels begun, also those without an answer
        self._nonces: dict[tuple[str, str], tuple[float, str]] = {}
        self._runner: web.AppRunner | None = None
        self.url = ""
        self.changed = asyncio.Condition()

    def snowflake(self) -> str:
        """Return a new id, ascending like Discord's."""
        stamp = int(time.time() * 1000) - EPOCH_MS
        return str((stamp << 22) | (next(self._ids) & 0x3FFFFF))

    # -- life ---------------------------------------------------------------

    async def start(self, *, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen; `url` is where afterwards."""
        app = web.Application(middlewares=[self._guard], client_max_size=64 * 1024 * 1024)
        api = "/api/v10"
        webhook = api + "/webhooks/{app}/{token}"
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
                web.get(f"{api}/channels/{{channel}}", self._channel),
                web.patch(f"{api}/channels/{{channel}}", self._channel),
                web.get(f"{api}/channels/{{channel}}/messages", self._list_messages),
                web.post(f"{api}/channels/{{channel}}/messages", self._post_message),
                web.get(f"{api}/channels/{{channel}}/messages/{{message}}", self._get_message),
                web.patch(f"{api}/channels/{{channel}}/messages/{{message}}", self._edit_message),
                web.delete(
                    f"{api}/channels/{{channel}}/messages/{{message}}", self._delete_message
                ),
                web.post(f"{api}/channels/{{channel}}/messages/{{message}}/threads", self._thread),
                web.post(f"{api}/channels/{{channel}}/threads", self._thread),
                web.post(f"{api}/interactions/{{id}}/{{token}}/callback", self._callback),
                web.post(webhook, self._followup),
                web.get(webhook + "/messages/{message}", self._webhook_message),
                web.patch(webhook + "/messages/{message}", self._webhook_message),
                web.delete(webhook + "/messages/{message}", self._webhook_message),
            ]
        )
        self._runner = web.AppRunner(app, shutdown_timeout=0.2)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        await site.start()
        server = site._server
        bound = server.sockets[0].getsockname()[1] if server is not None else port  # type: ignore[attr-defined]
        self.url = f"http://{host}:{bound}"
        self.gateway.ready_payload = {
            "v": 10,
            "user": payloads.user(payloads.BOT_ID),
            "private_channels": [],
            "relationships": [],
            "guilds": [{"id": GUILD_ID, "unavailable": True}],
            "resume_gateway_url": self.gateway_url,
            "application": {"id": payloads.APPLICATION_ID, "flags": 0},
        }
        self.gateway.guild_payloads = [self._guild()]

    def _guild(self) -> Json:
        return payloads.guild([c for c in self.channels.values() if c["type"] == 0])

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
        roles = {role["id"]: role for role in self._guild()["roles"]}
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
            interaction_id=self.snowflake(), token=f"itoken-{self.snowflake()}", kind=kind,
            channel_id=channel_id, created=time.monotonic(),
        )  # fmt: skip
        self.interactions[interaction.token] = interaction
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
            return self._log(request, _error(401, {"code": 0, "message": "401: Unauthorized"}))
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
                    return self._log(request, _error(429, body, headers))
                return self._log(request, _error(fault.status, {"code": 0, "message": "fault"}))
        response = await handler(request)
        if self.latency:
            await asyncio.sleep(self.latency)
        async with self.changed:
            self.changed.notify_all()
        return self._log(request, response)

    def _log(self, request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
        self.requests.append((request.method, request.path, response.status))
        return response

    async def _body(self, request: web.Request) -> tuple[Json, dict[str, bytes]]:
        if not request.content_type.startswith("multipart/"):
            return (await request.json() if request.can_read_body else {}), {}
        payload: Json = {}
        files: dict[str, bytes] = {}
        async for part in await request.multipart():
            if not isinstance(part, BodyPartReader):
                continue
            data = bytes(await part.read(decode=False))
            if part.name == "payload_json":
                payload = json.loads(data)
            else:
                files[part.filename or "file"] = data
        return payload, files

    async def _file(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in self.files:
            return web.Response(status=404)
        return web.Response(body=self.files[name])

    async def _me(self, _: web.Request) -> web.Response:
        return _json(payloads.user(payloads.BOT_ID))

    async def _application(self, _: web.Request) -> web.Response:
        return _json(payloads.application())

    async def _list_commands(self, _: web.Request) -> web.Response:
        return _json(self.commands)

    async def _sync(self, request: web.Request) -> web.Response:
        commands = await request.json()
        error = rules.check_commands(commands)
        if error:
            return _error(400, error)
        self.commands = [
            {
                "version": "1", "application_id": payloads.APPLICATION_ID,
                "default_member_permissions": None, **c, "id": self.snowflake(),
            }
            for c in commands
        ]  # fmt: skip
        self.synced.set()
        return _json(self.commands)

    async def _guild_info(self, request: web.Request) -> web.Response:
        if request.match_info["guild"] != GUILD_ID:
            return _error(404, {"code": 10004, "message": "Unknown Guild"})
        return _json(self._guild())

    async def _channel(self, request: web.Request) -> web.Response:
        channel = self.channels.get(request.match_info["channel"])
        if channel is None:
            return _error(404, {"code": 10003, "message": "Unknown Channel"})
        if request.method == "PATCH":
            channel.update(await request.json())
        return _json(channel)

    def _store(self, channel_id: str, payload: Json, files: dict[str, bytes]) -> Json:
        message_id = self.snowflake()
        message = payloads.message(message_id, channel_id, payload)
        self.messages[message_id] = message
        self._attach(message, payload, files)
        self.pings.append((message_id, rules.pinged(payload)))
        return message

    def _attach(self, message: Json, payload: Json, files: dict[str, bytes]) -> None:
        kept = {str(a.get("id")) for a in payload.get("attachments") or []}
        if "attachments" in payload:
            message["attachments"] = [a for a in message["attachments"] if a["id"] in kept]
        for name, data in files.items():
            file_id = self.snowflake()
            self.files[f"{file_id}-{name}"] = data
            url = f"{self.url}/files/{file_id}-{name}"
            message["attachments"].append(
                {"id": file_id, "filename": name, "size": len(data), "url": url, "proxy_url": url}
            )

    def _unknown_channel(self, channel_id: str) -> web.Response | None:
        if channel_id in self.channels:
            return None
        return _error(404, {"code": 10003, "message": "Unknown Channel"})

    async def _post_message(self, request: web.Request) -> web.Response:
        channel_id = request.match_info["channel"]
        missing = self._unknown_channel(channel_id)
        if missing:
            return missing
        payload, files = await self._body(request)
        error = rules.check_message(payload, files, creating=True)
        if error:
            return _error(400, error)
        nonce = str(payload.get("nonce") or "")
        now = time.monotonic()
        if nonce and payload.get("enforce_nonce"):
            seen = self._nonces.get((channel_id, nonce))
            if seen and now - seen[0] < NONCE_SECONDS and seen[1] in self.messages:
                return _json(self.messages[seen[1]])
        message = self._store(channel_id, payload, files)
        if nonce:
            self._nonces[channel_id, nonce] = (now, message["id"])
        return _json(message)

    async def _list_messages(self, request: web.Request) -> web.Response:
        channel_id = request.match_info["channel"]
        missing = self._unknown_channel(channel_id)
        if missing:
            return missing
        found = [m for m in self.messages.values() if m["channel_id"] == channel_id]
        before = request.query.get("before")
        if before:
            found = [m for m in found if int(m["id"]) < int(before)]
        found.sort(key=lambda m: int(m["id"]), reverse=True)
        return _json(found[: int(request.query.get("limit", "50"))])

    def _find(self, request: web.Request) -> Json | None:
        message = self.messages.get(request.match_info["message"])
        if message is None or message["channel_id"] != request.match_info["channel"]:
            return None
        return message

    async def _get_message(self, request: web.Request) -> web.Response:
        message = self._find(request)
        if message is None:
            return _error(404, {"code": 10008, "message": "Unknown Message"})
        return _json(message)

    async def _edit_message(self, request: web.Request) -> web.Response:
        message = self._find(request)
        if message is None:
            return _error(404, {"code": 10008, "message": "Unknown Message"})
        return await self._edit(message, request)

    async def _edit(self, message: Json, request: web.Request) -> web.Response:
        payload, files = await self._body(request)
        error = rules.check_message(payload, files, creating=False)
        if error:
            return _error(400, error)
        if "content" in payload:
            message["content"] = payload["content"] or ""
        if "embeds" in payload:
            message["embeds"] = payloads.rich(payload)
        if "components" in payload:
            message["components"] = payload["components"] or []
        self._attach(message, payload, files)
        message["edited_timestamp"] = "2026-01-01T00:00:01+00:00"
        self.edits.append((time.monotonic(), message["id"], payload))
        return _json(message)

    async def _delete_message(self, request: web.Request) -> web.Response:
        message = self._find(request)
        if message is None:
            return _error(404, {"code": 10008, "message": "Unknown Message"})
        del self.messages[message["id"]]
        return web.Response(status=204)

    async def _thread(self, request: web.Request) -> web.Response:
        channel_id = request.match_info["channel"]
        missing = self._unknown_channel(channel_id)
        if missing:
            return missing
        payload = await request.json()
        if not 1 <= len(payload.get("name", "")) <= 100:
            return _error(400, rules.invalid_form("name", "BASE_TYPE_BAD_LENGTH", "1 to 100"))
        # A thread begun at a message has that message's id, and there is only one.
        thread_id = request.match_info.get("message") or self.snowflake()
        if thread_id in self.channels:
            body = {"code": 160004, "message": "A thread has already been created"}
            return _error(400, body)
        self.channels[thread_id] = payloads.thread(thread_id, channel_id, payload["name"])
        await self.gateway.dispatch("THREAD_CREATE", self.channels[thread_id])
        return _json(self.channels[thread_id], status=201)

    # -- interactions -------------------------------------------------------

    async def _callback(self, request: web.Request) -> web.Response:
        interaction = self.interactions.get(request.match_info["token"])
        payload, files = await self._body(request)
        age = time.monotonic() - interaction.created if interaction else 0.0
        if interaction is None or (interaction.response is None and age > self._acknowledge_within):
            return _error(404, {"code": 10062, "message": "Unknown interaction"})
        if interaction.response is not None:
            body = {"code": 40060, "message": "Interaction has already been acknowledged."}
            return _error(400, body)
        kind, data = payload["type"], payload.get("data") or {}
        if kind == 8:
            error = rules.check_choices(data.get("choices") or [])
            if error:
                return _error(400, error)
        if kind in (4, 7):
            error = rules.check_message(data, files, creating=kind == 4)
            if error:
                return _error(400, error)
        interaction.response = payload
        resource = None
        if kind in (4, 5):
            message = self._store(interaction.channel_id, data, files)
            if kind == 5:
                message["flags"] |= 128
            interaction.message_id = message["id"]
            resource = {"type": kind, "message": message}
        interaction.answered.set()
        if request.query.get("with_response") not in ("1", "true", "True"):
            return web.Response(status=204)
        about: Json = {
            "id": interaction.interaction_id, "type": interaction.kind,
            "activity_instance_id": None, "response_message_id": interaction.message_id,
            "response_message_loading": kind == 5,
            "response_message_ephemeral": bool((data.get("flags") or 0) & 64),
        }  # fmt: skip
        return _json({"interaction": about, "resource": resource})

    def _alive(self, token: str) -> Interaction | web.Response:
        interaction = self.interactions.get(token)
        if interaction is None or interaction.response is None:
            return _error(404, {"code": 10015, "message": "Unknown Webhook"})
        if time.monotonic() - interaction.created > self._token_lifetime:
            return _error(401, {"code": 50027, "message": "Invalid Webhook Token"})
        return interaction

    async def _followup(self, request: web.Request) -> web.Response:
        found = self._alive(request.match_info["token"])
        if isinstance(found, web.Response):
            return found
        payload, files = await self._body(request)
        error = rules.check_message(payload, files, creating=True)
        if error:
            return _error(400, error)
        return _json(self._store(found.channel_id, payload, files))

    async def _webhook_message(self, request: web.Request) -> web.Response:
        found = self._alive(request.match_info["token"])
        if isinstance(found, web.Response):
            return found
        message_id = request.match_info["message"]
        if message_id == "@original":
            message_id = found.message_id or ""
        message = self.messages.get(message_id)
        if message is None:
            return _error(404, {"code": 10008, "message": "Unknown Message"})
        if request.method == "GET":
            return _json(message)
        if request.method == "DELETE":
            del self.messages[message_id]
            return web.Response(status=204)
        message["flags"] &= ~128
        return await self._edit(message, request)
