"""Channels, messages and threads of the local Discord service, as its API has them."""

from __future__ import annotations

import time
from typing import Any

from aiohttp import web

from bot.doubles import discord_payloads as payloads
from bot.doubles import discord_rules as rules
from bot.doubles.discord_guild import Guild, read_body, refusal, reply

Json = dict[str, Any]

# Discord forgets a nonce "after a few minutes".
NONCE_SECONDS = 300.0


class ChannelApi:
    """Answers requests about channels and what is in them."""

    def __init__(self, guild: Guild) -> None:
        self._guild = guild
        self._nonces: dict[tuple[str, str], tuple[float, str]] = {}

    def routes(self, api: str) -> list[web.RouteDef]:
        """Return the routes below `api`."""
        channel = api + "/channels/{channel}"
        message = channel + "/messages/{message}"
        return [
            web.get(channel, self._channel),
            web.patch(channel, self._channel),
            web.get(channel + "/messages", self._list_messages),
            web.post(channel + "/messages", self._post_message),
            web.get(message, self._get_message),
            web.patch(message, self._edit_message),
            web.delete(message, self._delete_message),
            web.post(message + "/threads", self._thread),
            web.post(channel + "/threads", self._thread),
        ]

    async def _channel(self, request: web.Request) -> web.Response:
        channel = self._guild.channels.get(request.match_info["channel"])
        if channel is None:
            return refusal(404, {"code": 10003, "message": "Unknown Channel"})
        if request.method == "PATCH":
            channel.update(await request.json())
        return reply(channel)

    def _unknown(self, channel_id: str) -> web.Response | None:
        if channel_id in self._guild.channels:
            return None
        return refusal(404, {"code": 10003, "message": "Unknown Channel"})

    async def _post_message(self, request: web.Request) -> web.Response:
        channel_id = request.match_info["channel"]
        missing = self._unknown(channel_id)
        if missing:
            return missing
        payload, files = await read_body(request)
        error = rules.check_message(payload, files, creating=True)
        if error:
            return refusal(400, error)
        nonce = str(payload.get("nonce") or "")
        now = time.monotonic()
        if nonce and payload.get("enforce_nonce"):
            seen = self._nonces.get((channel_id, nonce))
            if seen and now - seen[0] < NONCE_SECONDS and seen[1] in self._guild.messages:
                return reply(self._guild.messages[seen[1]])
        message = self._guild.store(channel_id, payload, files)
        if nonce:
            self._nonces[channel_id, nonce] = (now, message["id"])
        return reply(message)

    async def _list_messages(self, request: web.Request) -> web.Response:
        channel_id = request.match_info["channel"]
        missing = self._unknown(channel_id)
        if missing:
            return missing
        found = [m for m in self._guild.messages.values() if m["channel_id"] == channel_id]
        before = request.query.get("before")
        if before:
            found = [m for m in found if int(m["id"]) < int(before)]
        found.sort(key=lambda m: int(m["id"]), reverse=True)
        return reply(found[: int(request.query.get("limit", "50"))])

    def _find(self, request: web.Request) -> Json | None:
        message = self._guild.messages.get(request.match_info["message"])
        if message is None or message["channel_id"] != request.match_info["channel"]:
            return None
        return message

    async def _get_message(self, request: web.Request) -> web.Response:
        message = self._find(request)
        if message is None:
            return refusal(404, {"code": 10008, "message": "Unknown Message"})
        return reply(message)

    async def _edit_message(self, request: web.Request) -> web.Response:
        message = self._find(request)
        if message is None:
            return refusal(404, {"code": 10008, "message": "Unknown Message"})
        return await self._guild.edit(message, request)

    async def _delete_message(self, request: web.Request) -> web.Response:
        message = self._find(request)
        if message is None:
            return refusal(404, {"code": 10008, "message": "Unknown Message"})
        del self._guild.messages[message["id"]]
        return web.Response(status=204)

    async def _thread(self, request: web.Request) -> web.Response:
        channel_id = request.match_info["channel"]
        missing = self._unknown(channel_id)
        if missing:
            return missing
        payload = await request.json()
        if not 1 <= len(payload.get("name", "")) <= 100:
            return refusal(400, rules.invalid_form("name", "BASE_TYPE_BAD_LENGTH", "1 to 100"))
        # A thread begun at a message has that message's id, and there is only one.
        thread_id = request.match_info.get("message") or self._guild.snowflake()
        if thread_id in self._guild.channels:
            body = {"code": 160004, "message": "A thread has already been created"}
            return refusal(400, body)
        self._guild.channels[thread_id] = payloads.thread(thread_id, channel_id, payload["name"])
        await self._guild.gateway.dispatch("THREAD_CREATE", self._guild.channels[thread_id])
        return reply(self._guild.channels[thread_id], status=201)
