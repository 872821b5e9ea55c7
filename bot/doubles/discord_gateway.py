"""The gateway half of the local Discord service: a v10 websocket.

Speaks HELLO, IDENTIFY, READY, HEARTBEAT, RESUME and dispatch with zlib-stream
compression, keeps what was dispatched so that a resumed session gets what it
missed, and can drop its sockets on demand.
"""

from __future__ import annotations

import asyncio
import json
import zlib
from typing import Any

from aiohttp import WSMsgType, web

Json = dict[str, Any]

DISPATCH, HEARTBEAT, IDENTIFY, RESUME, RECONNECT = 0, 1, 2, 6, 7
INVALID_SESSION, HELLO, ACK = 9, 10, 11


class Session:
    """One identified session; it outlives its socket until it is resumed or replaced."""

    def __init__(self, session_id: str) -> None:
        self.session_id = session_id
        self.sequence = 0
        self.sent: list[Json] = []
        self.socket: Connection | None = None


class Connection:
    """One websocket with its compression stream."""

    def __init__(self, socket: web.WebSocketResponse, compressed: bool) -> None:
        self.socket = socket
        self._deflate = zlib.compressobj() if compressed else None

    async def send(self, payload: Json) -> None:
        """Send one payload; a closed socket is no error, the session will be resumed."""
        if self.socket.closed:
            return
        text = json.dumps(payload)
        try:
            if self._deflate is None:
                await self.socket.send_str(text)
            else:
                data = self._deflate.compress(text.encode()) + self._deflate.flush(
                    zlib.Z_SYNC_FLUSH
                )
                await self.socket.send_bytes(data)
        except ConnectionError:
            return


class Gateway:
    """Websocket sessions of the one bot that the service knows."""

    def __init__(self, token: str, *, heartbeat_interval: float = 41.25) -> None:
        self._token = token
        self._heartbeat_interval = heartbeat_interval
        self._sessions: dict[str, Session] = {}
        self.ready_payload: Json = {}
        self.guild_payloads: list[Json] = []
        self.identified = 0
        self.resumed = 0
        self.connected = asyncio.Event()

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        """Serve one websocket from HELLO to its end."""
        socket = web.WebSocketResponse(max_msg_size=1 << 16)
        await socket.prepare(request)
        connection = Connection(socket, request.query.get("compress") == "zlib-stream")
        interval = int(self._heartbeat_interval * 1000)
        await connection.send({"op": HELLO, "d": {"heartbeat_interval": interval}, "s": None})
        async for message in socket:
            if message.type is not WSMsgType.TEXT:
                continue
            payload = json.loads(message.data)
            if payload["op"] == HEARTBEAT:
                await connection.send({"op": ACK})
            elif payload["op"] == IDENTIFY:
                await self._identify(connection, payload["d"])
            elif payload["op"] == RESUME:
                await self._resume(connection, payload["d"])
        return socket

    async def _identify(self, connection: Connection, data: Json) -> None:
        if data.get("token") != self._token:
            await connection.socket.close(code=4004, message=b"Authentication failed.")
            return
        self.identified += 1
        session = Session(f"session-{self.identified}")
        session.socket = connection
        self._sessions[session.session_id] = session
        ready = {**self.ready_payload, "session_id": session.session_id}
        await self._send(session, "READY", ready)
        for guild in self.guild_payloads:
            await self._send(session, "GUILD_CREATE", guild)
        self.connected.set()

    async def _resume(self, connection: Connection, data: Json) -> None:
        session = self._sessions.get(data.get("session_id", ""))
        if session is None or data.get("token") != self._token:
            await connection.send({"op": INVALID_SESSION, "d": False})
            return
        session.socket = connection
        self.resumed += 1
        for payload in session.sent:
            if payload["s"] > data["seq"]:
                await connection.send(payload)
        await self._send(session, "RESUMED", {})
        self.connected.set()

    async def _send(self, session: Session, event: str, data: Json) -> None:
        session.sequence += 1
        payload = {"op": DISPATCH, "t": event, "s": session.sequence, "d": data}
        session.sent.append(payload)
        if session.socket is not None:
            await session.socket.send(payload)

    async def dispatch(self, event: str, data: Json) -> None:
        """Send an event to the newest session, or keep it until that one resumes."""
        if self._sessions:
            await self._send(list(self._sessions.values())[-1], event, data)

    async def drop(self, *, invalidate: bool = False) -> None:
        """Close every socket without a farewell; `invalidate` forgets the sessions as well."""
        self.connected.clear()
        for session in self._sessions.values():
            if session.socket is not None and not session.socket.socket.closed:
                await session.socket.socket.close(code=4000)
            session.socket = None
        if invalidate:
            self._sessions.clear()
