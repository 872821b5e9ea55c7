"""JSON-RPC over HTTP to one or several endpoints of the same chain.

A client keeps to the endpoint that answered last. When that one is down, says
it is rate limited or answers garbage, the next is tried, after its chain id
(and the pinned block's hash, if a block was pinned) was compared; when all have
failed the client waits, longer each time, and starts over.
"""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from time import sleep
from typing import Any
from urllib.parse import urlsplit

import tenacity

from evaluator.chain.connection import Connection, NoReply, connect
from evaluator.chain.redaction import label, redact, register
from evaluator.chain.refusals import (
    LONGEST_WAIT,
    TryNext,
    classify,
    error_of,
    garbage,
    refusal,
    root_of,
    worst,
    worth_waiting,
)
from evaluator.errors import (
    ConfigurationError,
    RpcError,
    RpcRateLimited,
    RpcUnreachable,
    WrongChain,
)

_BACKOFF = tenacity.wait_exponential(multiplier=0.25, max=LONGEST_WAIT) + tenacity.wait_random(
    0, 0.25
)
_CHUNK = 1 << 18  # bytes read from a reply at once
# Methods whose repetition would do something twice.
_ONCE = ("eth_send", "evm_", "anvil_", "hardhat_")


@dataclass(frozen=True, kw_only=True)
class BlockRef:
    """One block, pinned so that later reads cannot drift from it."""

    number: int  # block number
    hash: str  # 0x-prefixed, 32 bytes
    timestamp: int  # seconds since the epoch


class RpcClient:
    """Speak JSON-RPC to the first healthy endpoint among `urls`.

    `timeout` is in seconds and bounds a whole reply; `retries` is the number of
    further rounds over all endpoints; `max_reply` bounds a reply in bytes.
    Safe to share between threads. Errors, `repr` and `label` show no keys.
    """

    def __init__(
        self,
        urls: Sequence[str] | str,
        *,
        timeout: float = 30.0,
        expected_chain_id: int | None = None,
        retries: int = 5,
        max_reply: int = 256 * 1024 * 1024,
        outage: Callable[[], Exception | None] = lambda: None,
    ) -> None:
        """Open no connection yet.

        `outage` may explain why a local node is gone; its error is raised in
        place of RpcUnreachable. Raises ConfigurationError for a URL that is not
        http(s).
        """
        self.urls = (urls,) if isinstance(urls, str) else tuple(urls)
        if not self.urls:
            raise ConfigurationError("no RPC URL was given: name at least one http(s) endpoint")
        for url in self.urls:
            try:
                urlsplit(url)
            except ValueError as error:  # not quoted: what cannot be read cannot be redacted
                raise ConfigurationError(f"an RPC URL cannot be read: {error}") from None
            if not url.lower().startswith(("http://", "https://")):
                raise ConfigurationError(
                    f"the RPC URL {label(url)!r} is not http:// or https://: Seatrial speaks "
                    "JSON-RPC over HTTP only"
                )
            register(url)
        self.timeout = timeout
        self.retries = retries
        self.max_reply = max_reply
        self._outage = outage
        self._expected = expected_chain_id
        self._chain_id: int | None = None
        self._pinned: BlockRef | None = None
        self._current = 0
        self._checked: set[int] = set()
        self._ids = itertools.count(1)
        self._local = threading.local()
        self._rounds = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(self.retries + 1),
            wait=_wait,
            retry=tenacity.retry_if_exception(worth_waiting),
            sleep=lambda seconds: sleep(seconds),
            reraise=True,
        )

    def __repr__(self) -> str:
        return f"RpcClient({', '.join(label(url) for url in self.urls)})"

    @property
    def label(self) -> str:
        """The endpoint in use, without its keys."""
        return label(self.urls[self._current])

    @property
    def chain_id(self) -> int:
        """The chain the endpoints serve; read once."""
        if self._chain_id is None:
            self.request("eth_chainId")
        if self._chain_id is None:
            raise RpcError(f"{self.label} did not say which chain it serves")
        return self._chain_id

    def request(self, method: str, params: Sequence[object] = ()) -> Any:
        """Make one call and return its result.

        Raises RpcError for the endpoint's own error, RpcRateLimited, RpcUnreachable
        or WrongChain when no endpoint could serve.
        """
        payload = {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": params}
        repeatable = not method.startswith(_ONCE)

        def ask(connection: Connection, url: str) -> Any:
            reply = _single(self._post(connection, url, payload, repeatable), url)
            if "error" in reply:
                raise classify(error_of(reply["error"], method), url)
            return reply["result"]

        return self._serve(ask)

    def batch(self, calls: Sequence[tuple[str, Sequence[object]]]) -> list[Any]:
        """Make several read calls in one HTTP request.

        Returns the results in order; a failed entry is an RpcError in its place.
        Endpoints without batches are asked one call at a time.
        """
        if not calls:
            return []
        first = next(self._ids)
        for _ in calls[1:]:
            next(self._ids)
        payload = [
            {"jsonrpc": "2.0", "id": first + i, "method": method, "params": params}
            for i, (method, params) in enumerate(calls)
        ]

        def ask(connection: Connection, url: str) -> list[Any] | None:
            reply = self._post(connection, url, payload, True)
            if isinstance(reply, dict):
                if "error" in reply:
                    failure = classify(error_of(reply["error"], "a batch"), url)
                    if isinstance(failure, TryNext):
                        raise failure
                return None
            if not isinstance(reply, list):
                raise garbage(url)
            return _in_order(reply, first, calls, url)

        results = self._serve(ask)
        if results is not None:
            return list(results)
        return [self._attempt(method, params) for method, params in calls]

    def pin(self, block: BlockRef) -> None:
        """Accept another endpoint from now on only if it knows `block` by the same hash."""
        self._pinned = block
        self._checked = {self._current}

    def _attempt(self, method: str, params: Sequence[object]) -> Any:
        try:
            return self.request(method, params)
        except (RpcUnreachable, RpcRateLimited, WrongChain):
            raise
        except RpcError as error:
            return error

    def _serve(self, ask: Callable[[Connection, str], Any]) -> Any:
        """Run `ask` on the endpoints in turn until one serves."""

        def one_round() -> Any:
            failures: list[TryNext] = []
            for index in self._order():
                connection = self._connection(index)
                try:
                    if index not in self._checked:
                        self._check(connection, index)
                    result = ask(connection, self.urls[index])
                except TryNext as failure:
                    failures.append(failure)
                    self._drop_connection(index)
                else:
                    self._current = index
                    return result
            raise worst(failures)

        try:
            return self._rounds(one_round)
        except TryNext as failure:
            error = failure.failure
        explained = self._outage() if isinstance(error, RpcUnreachable) else None
        raise explained if explained is not None else error

    def _order(self) -> Iterator[int]:
        count = len(self.urls)
        start = self._current
        return ((start + i) % count for i in range(count))

    def _check(self, connection: Connection, index: int) -> None:
        """Compare an endpoint's chain and pinned block before trusting it."""
        url = self.urls[index]
        found = int(str(self._ask(connection, url, "eth_chainId", [])), 16)
        wanted = self._chain_id if self._chain_id is not None else self._expected
        if wanted is not None and found != wanted:
            raise TryNext(
                WrongChain(
                    f"{label(url)} serves chain {found}, but chain {wanted} was expected: "
                    "check the RPC URL"
                )
            )
        if self._pinned is not None:
            block = self._ask(
                connection, url, "eth_getBlockByNumber", [hex(self._pinned.number), False]
            )
            if not isinstance(block, dict) or block.get("hash") != self._pinned.hash:
                raise TryNext(
                    WrongChain(
                        f"{label(url)} does not know block {self._pinned.number} by the hash "
                        f"{self._pinned.hash} that was pinned: it is behind or on a fork"
                    )
                )
        self._chain_id = found
        self._checked.add(index)

    def _ask(self, connection: Connection, url: str, method: str, params: list[object]) -> Any:
        payload = {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": params}
        reply = _single(self._post(connection, url, payload, True), url)
        if "error" in reply:
            error = error_of(reply["error"], method)
            failure = classify(error, url)
            raise failure if isinstance(failure, TryNext) else TryNext(error)
        return reply["result"]

    def _connection(self, index: int) -> Connection:
        connections: dict[int, Connection] = self._local.__dict__.setdefault("connections", {})
        if index not in connections:
            connections[index] = connect(self.urls[index])
        return connections[index]

    def _drop_connection(self, index: int) -> None:
        connections: dict[int, Connection] = self._local.__dict__.get("connections", {})
        connection = connections.pop(index, None)
        if connection is not None:
            connection.close()

    def _post(self, connection: Connection, url: str, payload: object, repeatable: bool) -> Any:
        """Send `payload` and return the parsed reply, bounded in size and time."""
        deadline = time.monotonic() + self.timeout
        cause: Exception | None = None
        wall: TryNext | None = None
        late = False
        try:
            with connection.post(json.dumps(payload).encode(), self.timeout) as reply:
                wall = refusal(reply.status, reply.headers, url)
                body = bytearray()
                # read1 returns what has come; read would wait for a full chunk, however long.
                while chunk := reply.read1(_CHUNK):
                    body += chunk
                    if len(body) > self.max_reply:
                        raise RpcError(
                            f"{label(url)} answered more than {self.max_reply:,} bytes: "
                            "ask for less at a time"
                        )
                    if time.monotonic() > deadline:
                        late = True
                        cause = TimeoutError(f"no end of the reply in {self.timeout:g} s")
                        connection.close()  # what is still to come is no reply to the next
                        break
                status = reply.status
        except NoReply as error:
            cause, late = ConnectionError(redact(root_of(error.cause))), error.late
        if cause is not None:
            what = f"in {self.timeout:g} s" if late else "at all"
            failure = RpcUnreachable(f"{label(url)} did not answer {what}: {cause}")
            # The library's own error quotes the whole URL, so it is not chained.
            failure.__cause__ = cause
            if not repeatable and late:
                raise failure
            raise TryNext(failure)
        try:
            parsed = json.loads(bytes(body))
        except (ValueError, RecursionError):
            raise wall or garbage(url, status) from None
        if wall is not None and not (
            isinstance(parsed, dict) and isinstance(parsed.get("error"), dict)
        ):
            raise wall
        if wall is not None and isinstance(wall.failure, RpcRateLimited):
            raise wall
        return parsed


def pin_block(rpc: RpcClient, block: int | str = "latest") -> BlockRef:
    """Turn a number, tag or hash into a block's number, hash and time.

    Later reads name the number, and a switch of endpoint checks the hash, so an
    evaluation never floats. Raises RpcError if there is no such block.
    """
    wanted = str(block).strip().lower()
    method = "eth_getBlockByNumber"
    if wanted in {"latest", "safe", "finalized", "earliest", "pending"}:
        tag = "latest" if wanted == "pending" else wanted
    elif wanted.startswith("0x") and len(wanted) == 66:
        method, tag = "eth_getBlockByHash", wanted
    else:
        try:
            number = int(wanted, 16 if wanted.startswith("0x") else 10)
        except ValueError:
            number = -1
        if number < 0:
            raise ConfigurationError(
                f"the block {block!r} is neither a number, a 32-byte hash nor one of latest, "
                "safe, finalized, earliest"
            )
        tag = hex(number)
    found = rpc.request(method, [tag, False])
    try:
        ref = BlockRef(
            number=int(found["number"], 16),
            hash=str(found["hash"]).lower(),
            timestamp=int(found["timestamp"], 16),
        )
    except (TypeError, KeyError, ValueError):
        raise RpcError(
            f"{rpc.label} has no block {block}: it may lie in the future, or the node may have "
            "pruned it"
        ) from None
    rpc.pin(ref)
    return ref


def _single(reply: object, url: str) -> dict[str, Any]:
    if isinstance(reply, dict) and ("result" in reply or "error" in reply):
        return reply
    raise garbage(url)


def _in_order(
    replies: list[Any], first: int, calls: Sequence[tuple[str, Sequence[object]]], url: str
) -> list[Any]:
    by_id = {reply.get("id"): reply for reply in replies if isinstance(reply, dict)}
    results: list[Any] = []
    for i, (method, _) in enumerate(calls):
        reply = by_id.get(first + i)
        if reply is None or ("result" not in reply and "error" not in reply):
            raise garbage(url)
        if "error" not in reply:
            results.append(reply["result"])
            continue
        failure = classify(error_of(reply["error"], method), url)
        if isinstance(failure, TryNext):
            raise failure
        results.append(failure)
    return results


def _wait(state: tenacity.RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after if isinstance(error, TryNext) else 0.0
    backoff = _BACKOFF(state)
    return max(asked, backoff)


def is_loopback(url: str) -> bool:
    """Say whether `url` leads to this machine."""
    host = url.split("//", 1)[-1]
    return host.startswith(("127.0.0.1", "localhost", "[::1]"))
