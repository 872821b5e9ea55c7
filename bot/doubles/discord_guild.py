"""What the local Discord service's one guild holds: channels, messages, files."""

from __future__ import annotations

import itertools
import json
import time
from typing import Any

from aiohttp import BodyPartReader, web

from bot.doubles import discord_payloads as payloads
from bot.doubles import discord_rules as rules
from bot.doubles.discord_gateway import Gateway
from bot.doubles.discord_payloads import CHANNEL_ID

Json = dict[str, Any]

EPOCH_MS = 1420070400000


def refusal(status: int, body: Json, headers: dict[str, str] | None = None) -> web.Response:
    """Return an error as Discord words it."""
    return reply(body, status=status, headers=headers)


def reply(body: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """Return JSON as Discord sends it."""
    # Discord sends no charset, and discord.py reads the body as text if there is one.
    return web.Response(
        body=json.dumps(body).encode(),
        status=status,
        headers={"Content-Type": "application/json", **(headers or {})},
    )


async def read_body(request: web.Request) -> tuple[Json, dict[str, bytes]]:
    """Return a request's payload and its files by name."""
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


class Guild:
    """One guild with channels, threads and the messages in them."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.url = ""  # of the service, once it listens
        self.channels: dict[str, Json] = {CHANNEL_ID: payloads.channel(CHANNEL_ID, "governance")}
        self.messages: dict[str, Json] = {}
        self.edits: list[tuple[float, str, Json]] = []
        self.files: dict[str, bytes] = {}
        self.pings: list[tuple[str, list[str]]] = []
        self._ids = itertools.count(1)

    def snowflake(self) -> str:
        """Return a new id, ascending like Discord's."""
        stamp = int(time.time() * 1000) - EPOCH_MS
        return str((stamp << 22) | (next(self._ids) & 0x3FFFFF))

    def payload(self) -> Json:
        """Return the guild as GUILD_CREATE has it."""
        return payloads.guild([c for c in self.channels.values() if c["type"] == 0])

    def store(self, channel_id: str, payload: Json, files: dict[str, bytes]) -> Json:
        """Make a message."""
        message_id = self.snowflake()
        message = payloads.message(message_id, channel_id, payload)
        self.messages[message_id] = message
        self.attach(message, payload, files)
        self.pings.append((message_id, rules.pinged(payload)))
        return message

    def attach(self, message: Json, payload: Json, files: dict[str, bytes]) -> None:
        """Bring a message's attachments to what a payload says."""
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

    async def edit(self, message: Json, request: web.Request) -> web.Response:
        """Change a message as a request says."""
        payload, files = await read_body(request)
        error = rules.check_message(payload, files, creating=False)
        if error:
            return refusal(400, error)
        if "content" in payload:
            message["content"] = payload["content"] or ""
        if "embeds" in payload:
            message["embeds"] = payloads.rich(payload)
        if "components" in payload:
            message["components"] = payload["components"] or []
        self.attach(message, payload, files)
        message["edited_timestamp"] = "2026-01-01T00:00:01+00:00"
        self.edits.append((time.monotonic(), message["id"], payload))
        return reply(message)
