"""A loopback door through which anvil reaches the endpoints it forks.

anvil knows one upstream and prints its URL in the process list. Given this door
instead, it gets the client's failover, backoff and checks, and no key leaves
this process.
"""

from __future__ import annotations

import contextlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from evaluator.chain.rpc import RpcClient
from evaluator.errors import AnvilError, RpcError

_INTERNAL = -32603
_AT_ONCE = 16  # requests in flight to the endpoints
_LARGEST = 8 * 1024 * 1024  # bytes of a request; anvil's are far smaller


class Forwarder:
    """Serve JSON-RPC on a loopback port of its own, answered through `rpc`."""

    def __init__(self, rpc: RpcClient) -> None:
        """Start to serve; `stop` ends it."""
        slots = threading.BoundedSemaphore(_AT_ONCE)

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Small replies must not wait for an acknowledgement.
            disable_nagle_algorithm = True

            def log_message(self, *args: object) -> None:
                """Stay silent: requests are not the user's business."""

            def do_POST(self) -> None:
                """Relay one request or batch."""
                length = self.headers.get("Content-Length", "")
                if not length.isdigit() or int(length) > _LARGEST:
                    self.send_error(413)
                    return
                body = self.rfile.read(int(length))
                with slots:
                    answer = _relay(rpc, body)
                with contextlib.suppress(OSError):  # anvil may be gone
                    self.send_response(200)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(answer)))
                    self.end_headers()
                    self.wfile.write(answer)

        try:
            self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        except OSError as error:
            raise AnvilError(f"no loopback port can be opened for the fork: {error}") from error
        self._server.daemon_threads = True
        threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="fork-forwarder", daemon=True
        ).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End serving. May be called twice."""
        self._server.shutdown()
        self._server.server_close()


def _relay(rpc: RpcClient, body: bytes) -> bytes:
    try:
        asked = json.loads(body)
        calls = asked if isinstance(asked, list) else [asked]
        wanted = [(str(call["method"]), call.get("params") or []) for call in calls]
        identifiers = [call.get("id") for call in calls]
    except (ValueError, TypeError, KeyError, AttributeError):
        return json.dumps(_failure(None, RpcError("not JSON-RPC", code=-32600))).encode()
    try:
        results = rpc.batch(wanted) if isinstance(asked, list) else [rpc.request(*wanted[0])]
    except RpcError as error:
        results = [error] * len(wanted)
    answers = [
        _failure(identifier, result)
        if isinstance(result, RpcError)
        else {"jsonrpc": "2.0", "id": identifier, "result": result}
        for identifier, result in zip(identifiers, results, strict=True)
    ]
    return json.dumps(answers if isinstance(asked, list) else answers[0]).encode()


def _failure(identifier: object, error: RpcError) -> dict[str, Any]:
    content: dict[str, object] = {
        "code": error.code if error.code is not None else _INTERNAL,
        "message": str(error),
    }
    if error.data is not None:
        content["data"] = error.data
    return {"jsonrpc": "2.0", "id": identifier, "error": content}
