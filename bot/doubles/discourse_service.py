"""A local server that speaks the part of Discourse's API that the bot uses.

It stands in for a forum in tests and in the demonstration: the forum itself and
its rules are in `discourse_forum`; here every request and reply is checked
against the published API description, if one is given, and failures are
injected.

    python -m bot.doubles.discourse_service --port 4200 --key secret --user seatrial
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
from dataclasses import dataclass
from pathlib import Path

from aiohttp import BodyPartReader, web

from bot.doubles.discourse_forum import Answer, Forum, Json, Request, limited
from bot.doubles.discourse_rules import Poster
from bot.doubles.openapi import Description


@dataclass(frozen=True, kw_only=True, slots=True)
class Weather:
    """How often requests fail, as fractions; the rest go through."""

    limited: float = 0.0  # 429 before anything is done
    failed: float = 0.0  # 500 before anything is done
    failed_after: float = 0.0  # 502 though it was done
    dropped: float = 0.0  # the connection breaks before anything is done
    lost: float = 0.0  # it is done, the connection breaks before the reply
    slow: float = 0.0  # it is done at once, the reply comes after `delay`
    late: float = 0.0  # it is done only after `delay`, whoever still listens
    delay: float = 1.0  # seconds
    retry_after: int = 1  # seconds, of a 429
    methods: tuple[str, ...] = ()  # HTTP methods it is about; none means all


CALM = Weather()
_HAPPENINGS = ("limited", "failed", "failed_after", "dropped", "lost", "slow", "late")


class DiscourseDouble:
    """Serves a forum over HTTP; an async context manager.

    `faults` are violations of the published description, `requests` what was
    asked: method, path and status, 0 where no reply was sent.
    """

    def __init__(
        self, forum: Forum | None = None, *, description: Description | None = None, seed: int = 0
    ) -> None:
        self.forum = forum or Forum()
        self.weather = CALM
        self.requests: list[tuple[str, str, int]] = []
        self.url = ""
        self.arrived = 0  # requests begun, also those without an answer
        self._description = description
        self._random = random.Random(seed)  # noqa: S311 - weather, not secrets
        self._runner: web.AppRunner | None = None
        self._late: set[asyncio.Task[Answer]] = set()

    @property
    def faults(self) -> list[str]:
        """Return the violations of the published description so far."""
        return self._description.faults if self._description else []

    async def __aenter__(self) -> DiscourseDouble:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self, *, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen; `url` says where."""
        app = web.Application(client_max_size=16 << 20)
        app.router.add_route("*", "/{tail:.*}", self._serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        await site.start()
        self.url = f"http://{host}:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        """Stop listening, after requests that are done late."""
        if self._late:
            await asyncio.wait(self._late, timeout=5)
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _serve(self, http: web.Request) -> web.StreamResponse:
        self.arrived += 1
        try:
            request = await _read(http)
        except ConnectionError:  # the client died while it sent
            return self._hang_up(http)
        if self._description is not None:
            self._description.check_request(
                request.method, request.path, http.content_type, request.body, request.headers
            )
        weather = self.weather
        happens = self._happening(weather, request.method)
        if happens == "limited":
            return self._reply(request, limited(weather.retry_after))
        if happens == "failed":
            return self._reply(request, Answer(status=500, body={"errors": ["it broke"]}))
        if happens == "dropped":
            return self._hang_up(http)
        if happens == "late":
            task = asyncio.ensure_future(self._later(request, weather.delay))
            self._late.add(task)
            task.add_done_callback(self._late.discard)
            return self._reply(request, await asyncio.shield(task))
        answer = self.forum.answer(request)
        if happens == "lost":
            return self._hang_up(http)
        if happens == "failed_after":
            return self._reply(request, Answer(status=502, body={"errors": ["bad gateway"]}))
        if happens == "slow":
            await asyncio.sleep(weather.delay)
        return self._reply(request, answer)

    def _happening(self, weather: Weather, method: str) -> str | None:
        if weather.methods and method not in weather.methods:
            return None
        chance = self._random.random()
        for name in _HAPPENINGS:
            chance -= getattr(weather, name)
            if chance < 0:
                return name
        return None

    async def _later(self, request: Request, delay: float) -> Answer:
        await asyncio.sleep(delay)
        return self.forum.answer(request)

    def _hang_up(self, http: web.Request) -> web.StreamResponse:
        self.requests.append((http.method, http.path, 0))
        if http.transport is not None:
            http.transport.abort()
        return web.Response(status=500)

    def _reply(self, request: Request, answer: Answer) -> web.StreamResponse:
        self.requests.append((request.method, request.path, answer.status))
        # The description tells of posts that are made, not of posts that wait for a moderator.
        waiting = isinstance(answer.body, dict) and answer.body.get("action") == "enqueued"
        if self._description is not None and not waiting:
            self._description.check_reply(request.method, request.path, answer.status, answer.body)
        return web.json_response(answer.body, status=answer.status, headers=dict(answer.headers))


async def _read(http: web.Request) -> Request:
    body: object = None
    data = b""
    if http.content_type.startswith("multipart/"):
        form: Json = {}
        async for part in await http.multipart():
            if not isinstance(part, BodyPartReader) or part.name is None:
                continue
            if part.name == "file":
                data = bytes(await part.read())
                form["file"] = part.filename or ""
            else:
                text = await part.text()
                form[part.name] = {"true": True, "false": False}.get(text, text)
        body = form
    elif http.can_read_body:
        try:
            body = json.loads(await http.text())
        except ValueError:
            body = None
    return Request(
        method=http.method,
        path=http.path,
        query=list(http.query.items()),
        headers=dict(http.headers),
        body=body,
        file=data,
    )


async def _run(arguments: argparse.Namespace) -> None:
    description = Description.load(arguments.description) if arguments.description else None
    forum = Forum(key=arguments.key, poster=Poster(name=arguments.user))
    double = DiscourseDouble(forum, description=description)
    await double.start(port=arguments.port)
    print(f"a stand-in for a Discourse forum listens on {double.url}", flush=True)
    await asyncio.Event().wait()


def main() -> None:
    """Run the double by itself."""
    parser = argparse.ArgumentParser(description="A stand-in for a Discourse forum")
    parser.add_argument("--port", type=int, default=4200)
    parser.add_argument("--key", default="test-key")
    parser.add_argument("--user", default="seatrial")
    parser.add_argument("--description", type=Path, help="OpenAPI description to check against")
    asyncio.run(_run(parser.parse_args()))


if __name__ == "__main__":
    main()
