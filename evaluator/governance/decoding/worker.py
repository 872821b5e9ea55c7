"""The worker process: requests in on standard input, answers out on standard output.

A message is four bytes of length, big-endian, and that many bytes of JSON. A
request is `[operation, payload]`, an answer `["ok", result]` or `["error", why]`.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from .calls import decode_actions
from .events import decode_events
from .signatures import parse_signature
from .values import Allowance, Undecodable, decode_values
from .wire import action_to_json, event_to_json, raw_action_from_json, raw_event_from_json

MAX_MESSAGE = 64 << 20  # bytes of one message


def serve(memory: int) -> None:
    """Answer requests until standard input closes. `memory` bounds the address space, bytes."""
    _limit(memory)
    source, sink = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    while True:
        head = source.read(4)
        if len(head) < 4:
            return
        request = json.loads(source.read(int.from_bytes(head, "big")))
        try:
            answer = json.dumps(["ok", _answer(request[0], request[1])]).encode()
        except MemoryError:
            answer = json.dumps(["error", f"it needs more than {memory >> 20} MB"]).encode()
        except (Undecodable, RecursionError) as error:
            answer = json.dumps(["error", str(error)]).encode()
        if len(answer) > MAX_MESSAGE:
            answer = json.dumps(["error", f"it decodes to {len(answer):,} bytes"]).encode()
        sink.write(len(answer).to_bytes(4, "big") + answer)
        sink.flush()


def _answer(operation: str, payload: Any) -> Any:
    if operation == "actions":
        return [
            action_to_json(a) for a in decode_actions([raw_action_from_json(p) for p in payload])
        ]
    if operation == "events":
        return [event_to_json(e) for e in decode_events([raw_event_from_json(p) for p in payload])]
    if operation == "values":
        types, data = payload
        kinds = [p.type for p in parse_signature(f"values({types})").parameters]
        return decode_values(
            kinds, bytes.fromhex(data), Allowance(values=200_000, octets=8_000_000)
        )
    raise Undecodable(f"unknown operation {operation!r}")


def _limit(memory: int) -> None:
    try:
        import resource
    except ImportError:  # no such limits on this platform; the time limit stays
        return
    # A lower limit already set by the environment cannot be raised: it stays.
    for what, limit in ((resource.RLIMIT_AS, memory), (resource.RLIMIT_CORE, 0)):
        hard = resource.getrlimit(what)[1]
        ceiling = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(what, (ceiling, ceiling))
