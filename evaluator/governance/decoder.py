"""The decoding worker seen from the parent: one small process, reused, killed when it overstays.

Decoding itself is bounded (see `decoding.values`); the process is the second
fence, for what a bound forgot: its memory is limited by the kernel and it is
killed after a time limit. Then each part is tried on its own, so that one
malformed part loses only itself.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from evaluator.governance.decoding.calls import Action, RawAction, raw_action
from evaluator.governance.decoding.events import DecodedEvent, RawEvent, raw_event
from evaluator.governance.decoding.values import Value
from evaluator.governance.decoding.wire import (
    action_from_json,
    event_from_json,
    raw_action_to_json,
    raw_event_to_json,
    value_from_json,
)

MEMORY = 256 << 20  # bytes of address space the worker may use, interpreter included
SECONDS = 10.0  # one request may take
MAX_FAILURES = 3  # killed workers in one call before the rest is left raw

# The package is loaded by its path under a name of its own: importing it as a part
# of `evaluator` would bring in numpy and web3, a hundred times its size and start.
_START = """
import importlib.util, sys
path, memory = sys.argv[1], int(sys.argv[2])
spec = importlib.util.spec_from_file_location(
    "decoding", path + "/__init__.py", submodule_search_locations=[path])
sys.modules["decoding"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(sys.modules["decoding"])
from decoding.worker import serve
serve(memory)
"""

_Raw = TypeVar("_Raw")
_Decoded = TypeVar("_Decoded")


class DecodingFailed(Exception):
    """The worker could not decode a request; the message says why."""


class Decoder:
    """A handle on one worker process. Safe to share between threads.

    `memory` bounds its address space in bytes, `seconds` the time of one request.
    """

    def __init__(self, *, memory: int = MEMORY, seconds: float = SECONDS) -> None:
        self._memory = memory
        self._seconds = seconds
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0

    def actions(self, actions: Sequence[RawAction]) -> tuple[Action, ...]:
        """Decode and unfold the actions of a proposal; what cannot be decoded stays raw."""
        return self._each(
            "actions",
            actions,
            raw_action_to_json,
            lambda _, item: action_from_json(item),
            raw_action,
        )

    def events(self, events: Sequence[RawEvent]) -> tuple[DecodedEvent, ...]:
        """Decode logs; what cannot be decoded stays raw."""
        return self._each("events", events, raw_event_to_json, event_from_json, raw_event)

    def values(self, types: str, data: bytes) -> tuple[Value, ...]:
        """Decode a parameter list, e.g. `"address[] targets, bytes description"`.

        Raises `DecodingFailed`.
        """
        value = value_from_json(self._request("values", [types, data.hex()]))
        assert isinstance(value, tuple)
        return value

    def close(self) -> None:
        """Stop the worker; the next request starts another."""
        with self._lock:
            self._stop()

    def _each(
        self,
        operation: str,
        raws: Sequence[_Raw],
        encode: Callable[[_Raw], Any],
        decode: Callable[[_Raw, Any], _Decoded],
        leave_raw: Callable[[_Raw, str], _Decoded],
    ) -> tuple[_Decoded, ...]:
        """All parts in one request; if that fails, each in its own."""
        if not raws:
            return ()
        try:
            items = self._request(operation, [encode(raw) for raw in raws])
            return tuple(decode(raw, item) for raw, item in zip(raws, items, strict=True))
        except DecodingFailed as failure:
            if len(raws) == 1:
                return (leave_raw(raws[0], _undecodable(str(failure))),)
        found: list[_Decoded] = []
        failures = 0
        for raw in raws:
            if failures >= MAX_FAILURES:
                found.append(leave_raw(raw, _undecodable("too many parts before it failed")))
                continue
            try:
                found.append(decode(raw, self._request(operation, [encode(raw)])[0]))
            except DecodingFailed as failure:
                failures += 1
                found.append(leave_raw(raw, _undecodable(str(failure))))
        return tuple(found)

    def _request(self, operation: str, payload: Any) -> Any:
        message = json.dumps([operation, payload]).encode()
        with self._lock:
            process = self._running()
            deadline = time.monotonic() + self._seconds
            try:
                assert process.stdin is not None
                process.stdin.write(len(message).to_bytes(4, "big") + message)
                process.stdin.flush()
                size = int.from_bytes(self._read(process, 4, deadline), "big")
                verdict, result = json.loads(self._read(process, size, deadline))
            except TimeoutError:
                self._stop()
                raise DecodingFailed(f"it takes longer than {self._seconds:g} s") from None
            except (EOFError, BrokenPipeError, OSError):
                self._stop()
                raise DecodingFailed(
                    f"the decoder died of it (memory limit {self._memory >> 20} MB)"
                ) from None
        if verdict != "ok":
            raise DecodingFailed(str(result))
        return result

    def _read(self, process: subprocess.Popen[bytes], size: int, deadline: float) -> bytes:
        assert process.stdout is not None
        pieces = bytearray()
        while len(pieces) < size:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([process.stdout], [], [], left)[0]:
                raise TimeoutError
            piece = os.read(process.stdout.fileno(), min(size - len(pieces), 1 << 20))
            if not piece:
                raise EOFError
            pieces += piece
        return bytes(pieces)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is not None and (
            self._owner != os.getpid() or self._process.poll() is not None
        ):
            if self._owner == os.getpid():
                self._stop()
            # After a fork the pipe belongs to the parent: leave it alone, start our own.
            self._process = None
        if self._process is None:
            package = Path(__file__).with_name("decoding")
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", _START, str(package), str(self._memory)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            self._owner = os.getpid()
        return self._process

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None or self._owner != os.getpid():
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:
                    continue  # unsent bytes of a request that a dead worker cannot take


@cache
def shared_decoder() -> Decoder:
    """Return the decoder of this process; it is stopped at exit."""
    decoder = Decoder()
    atexit.register(decoder.close)
    return decoder


def _undecodable(reason: str) -> str:
    return f"raw bytes, could not be decoded: {reason}"
