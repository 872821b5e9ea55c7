"""Interactions of the local Discord service: acknowledged in time, once, with a token that dies."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from bot.doubles import discord_rules as rules
from bot.doubles.discord_guild import Guild, read_body, refusal, reply

Json = dict[str, Any]


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


class InteractionApi:
    """Answers requests about interactions and the messages that answer them."""

    def __init__(self, guild: Guild, *, acknowledge_within: float, token_lifetime: float) -> None:
        self._guild = guild
        self.acknowledge_within = acknowledge_within  # seconds
        self.token_lifetime = token_lifetime  # seconds
        self.known: dict[str, Interaction] = {}  # by token

    def routes(self, api: str) -> list[web.RouteDef]:
        """Return the routes below `api`."""
        webhook = api + "/webhooks/{app}/{token}"
        message = webhook + "/messages/{message}"
        return [
            web.post(api + "/interactions/{id}/{token}/callback", self._callback),
            web.post(webhook, self._followup),
            web.get(message, self._webhook_message),
            web.patch(message, self._webhook_message),
            web.delete(message, self._webhook_message),
        ]

    async def _callback(self, request: web.Request) -> web.Response:
        interaction = self.known.get(request.match_info["token"])
        payload, files = await read_body(request)
        age = time.monotonic() - interaction.created if interaction else 0.0
        if interaction is None or (interaction.response is None and age > self.acknowledge_within):
            return refusal(404, {"code": 10062, "message": "Unknown interaction"})
        if interaction.response is not None:
            body = {"code": 40060, "message": "Interaction has already been acknowledged."}
            return refusal(400, body)
        kind, data = payload["type"], payload.get("data") or {}
        if kind == 8:
            error = rules.check_choices(data.get("choices") or [])
            if error:
                return refusal(400, error)
        if kind in (4, 7):
            error = rules.check_message(data, files, creating=kind == 4)
            if error:
                return refusal(400, error)
        interaction.response = payload
        resource = None
        if kind in (4, 5):
            message = self._guild.store(interaction.channel_id, data, files)
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
        return reply({"interaction": about, "resource": resource})

    def _alive(self, token: str) -> Interaction | web.Response:
        interaction = self.known.get(token)
        if interaction is None or interaction.response is None:
            return refusal(404, {"code": 10015, "message": "Unknown Webhook"})
        if time.monotonic() - interaction.created > self.token_lifetime:
            return refusal(401, {"code": 50027, "message": "Invalid Webhook Token"})
        return interaction

    async def _followup(self, request: web.Request) -> web.Response:
        found = self._alive(request.match_info["token"])
        if isinstance(found, web.Response):
            return found
        payload, files = await read_body(request)
        error = rules.check_message(payload, files, creating=True)
        if error:
            return refusal(400, error)
        return reply(self._guild.store(found.channel_id, payload, files))

    async def _webhook_message(self, request: web.Request) -> web.Response:
        found = self._alive(request.match_info["token"])
        if isinstance(found, web.Response):
            return found
        message_id = request.match_info["message"]
        if message_id == "@original":
            message_id = found.message_id or ""
        message = self._guild.messages.get(message_id)
        if message is None:
            return refusal(404, {"code": 10008, "message": "Unknown Message"})
        if request.method == "GET":
            return reply(message)
        if request.method == "DELETE":
            del self._guild.messages[message_id]
            return web.Response(status=204)
        message["flags"] &= ~128
        return await self._guild.edit(message, request)
