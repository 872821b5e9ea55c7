"""Asks an endpoint what following a chain needs; every answer is checked and bounded.

The JSON-RPC client blocks, so each question runs in the chain's own thread.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Protocol, TypeVar

from bot.errors import FollowError, ProviderBehind
from bot.journal import Header
from bot.lifecycle import LATEST_ROUND_SELECTOR, STATE_SELECTOR, STATES, TOPICS, RawLog
from evaluator import RpcError, RpcRateLimited, WrongChain

BATCH = 50  # calls in one request
MAX_LOGS = 20_000  # in one answer
_HASH = re.compile(r"0x[0-9a-f]{64}")

T = TypeVar("T")


class JsonRpc(Protocol):
    """What is needed of the evaluator's RPC client."""

    def request(self, method: str, params: Sequence[object] = ()) -> Any:
        """Return the result of one call. Raises RpcError."""
        ...

    def batch(self, calls: Sequence[tuple[str, Sequence[object]]]) -> list[Any]:
        """Return results in order, an RpcError in place of a failed one."""
        ...


class RangeTooLarge(FollowError):
    """The endpoint does not answer for so many blocks at once."""


class ChainReader:
    """Reads one chain. `chain_id` is asked for and compared before anything else."""

    def __init__(self, rpc: JsonRpc, *, chain_id: int, name: str) -> None:
        self._rpc = rpc
        self._chain_id = chain_id
        self._name = name
        self._checked = False
        self._finality_tag = True
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"chain-{name}")

    def close(self) -> None:
        """End the thread; an answer under way is not waited for."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _ask(self, question: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, question)

    async def check(self) -> None:
        """Compare the chain id. Raises WrongChain."""
        if not self._checked:
            found = _integer(await self._request("eth_chainId"))
            if found != self._chain_id:
                raise WrongChain(
                    f"the endpoint of chain {self._name} serves chain {found}, "
                    f"the settings say {self._chain_id}"
                )
            self._checked = True

    async def _request(self, method: str, params: Sequence[object] = ()) -> Any:
        return await self._ask(lambda: self._rpc.request(method, params))

    async def _batch(self, calls: Sequence[tuple[str, Sequence[object]]]) -> list[Any]:
        results: list[Any] = []
        for start in range(0, len(calls), BATCH):
            part = calls[start : start + BATCH]
            answers = await self._ask(lambda part=part: self._rpc.batch(part))  # type: ignore[misc]
            if len(answers) != len(part):
                raise FollowError(f"{self._name}: {len(part)} questions, {len(answers)} answers")
            results += answers
        return results

    async def head(self) -> Header:
        """Return the newest block."""
        found = _header(await self._request("eth_getBlockByNumber", ["latest", False]))
        if found is None:
            raise ProviderBehind(f"{self._name}: the endpoint has no newest block")
        return found

    async def header(self, number: int) -> Header | None:
        """Return a block's header, None if the endpoint has no such block."""
        return _header(await self._request("eth_getBlockByNumber", [hex(number), False]))

    async def headers(self, numbers: Sequence[int]) -> list[Header]:
        """Return several blocks' headers. Raises ProviderBehind if one is missing."""
        answers = await self._batch([("eth_getBlockByNumber", [hex(n), False]) for n in numbers])
        found = []
        for number, answer in zip(numbers, answers, strict=True):
            header = None if isinstance(answer, RpcError) else _header(answer)
            if header is None or header.number != number:
                raise ProviderBehind(f"{self._name}: the endpoint has no block {number}")
            found.append(header)
        return found

    async def final(self, head: Header, *, tag: bool, depth: int) -> int:
        """Return the number of the newest final block.

        By the "finalized" tag, or `depth` blocks below the head where the
        chain or the settings have no tag.
        """
        counted = max(0, head.number - depth)
        if not tag or not self._finality_tag:
            return counted
        try:
            found = _header(await self._request("eth_getBlockByNumber", ["finalized", False]))
        except (RpcRateLimited, WrongChain):
            raise
        except RpcError as error:
            if error.code is None:
                raise  # nobody answered
            found = None
        if found is None:
            self._finality_tag = False
            return counted
        return min(found.number, head.number)

    async def logs_in_range(self, governors: Sequence[str], first: int, last: int) -> list[RawLog]:
        """Return the governors' logs of blocks `first` to `last`. Raises RangeTooLarge."""
        query = {
            "address": list(governors),
            "topics": [list(TOPICS)],
            "fromBlock": hex(first),
            "toBlock": hex(last),
        }
        try:
            answer = await self._request("eth_getLogs", [query])
        except (RpcRateLimited, WrongChain):
            raise
        except RpcError as error:
            # Providers tell "too much at once" by words that differ; any refusal of more
            # than one block is taken for it.
            if last > first:
                raise RangeTooLarge(str(error)) from error
            raise
        if isinstance(answer, list) and len(answer) > MAX_LOGS and last > first:
            raise RangeTooLarge(f"{len(answer)} logs")
        return [log for log in self._logs(answer, governors) if first <= log.block <= last]

    async def logs_of_blocks(
        self, governors: Sequence[str], blocks: Sequence[Header]
    ) -> list[RawLog]:
        """Return the governors' logs of exactly these blocks, asked for by hash."""
        answers = await self._batch(
            [
                (
                    "eth_getLogs",
                    [
                        {
                            "address": list(governors),
                            "topics": [list(TOPICS)],
                            "blockHash": block.hash,
                        }
                    ],
                )
                for block in blocks
            ]
        )
        found = []
        for block, answer in zip(blocks, answers, strict=True):
            if isinstance(answer, RpcError):
                raise ProviderBehind(
                    f"{self._name}: the endpoint has no logs of block {block.number}: {answer}"
                )
            for log in self._logs(answer, governors):
                if log.block_hash == block.hash:
                    found.append(replace(log, block=block.number))
        return found

    def _logs(self, answer: object, governors: Sequence[str]) -> list[RawLog]:
        if not isinstance(answer, list):
            raise FollowError(f"{self._name}: eth_getLogs was answered with {type(answer)}")
        known = set(governors)
        logs = [_log(entry) for entry in answer]
        return [log for log in logs if log is not None and log.address in known]

    async def states(self, proposals: Sequence[tuple[str, int]], at: int) -> list[str | None]:
        """Return the state of each (governor, id) at block `at`, None where it has none."""
        answers = await self._batch(
            [
                _call(governor, STATE_SELECTOR + number.to_bytes(32, "big"), at)
                for governor, number in proposals
            ]
        )
        return [_state(answer) for answer in answers]

    async def feed_answers(self, feeds: Sequence[str], at: int) -> Mapping[str, int]:
        """Return the latest answers of price feeds at block `at`; unreadable ones are left out."""
        answers = await self._batch([_call(feed, LATEST_ROUND_SELECTOR, at) for feed in feeds])
        found = {}
        for feed, answer in zip(feeds, answers, strict=True):
            data = _bytes(answer)
            if data is not None and len(data) >= 64:
                value = int.from_bytes(data[32:64], "big", signed=True)
                if value > 0:
                    found[feed] = value
        return found


def _call(to: str, data: bytes, at: int) -> tuple[str, Sequence[object]]:
    return "eth_call", [{"to": to, "data": "0x" + data.hex()}, hex(at)]


def _state(answer: object) -> str | None:
    data = _bytes(answer)
    if data is None or len(data) != 32:
        return None
    number = int.from_bytes(data, "big")
    return STATES[number] if number < len(STATES) else None


def _bytes(answer: object) -> bytes | None:
    if not isinstance(answer, str) or not answer.startswith("0x"):
        return None
    try:
        return bytes.fromhex(answer[2:])
    except ValueError:
        return None


def _integer(value: object) -> int:
    if isinstance(value, str) and value.startswith("0x") and len(value) <= 18:
        try:
            return int(value, 16)
        except ValueError:
            pass
    raise FollowError(f"the endpoint answered {value!r:.80} where a number was expected")


def _hash(value: object) -> str:
    if isinstance(value, str) and _HASH.fullmatch(value.lower()):
        return value.lower()
    raise FollowError(f"the endpoint answered {value!r:.80} where a hash was expected")


def _header(answer: object) -> Header | None:
    if answer is None:
        return None
    if not isinstance(answer, dict):
        raise FollowError("the endpoint answered a block that is none")
    return Header(
        number=_integer(answer.get("number")),
        hash=_hash(answer.get("hash")),
        parent_hash=_hash(answer.get("parentHash")),
        timestamp=_integer(answer.get("timestamp")),
    )


def _log(entry: object) -> RawLog | None:
    """Return a log, None for one that a reorganisation has removed."""
    if not isinstance(entry, dict):
        raise FollowError("the endpoint answered a log that is none")
    if entry.get("removed"):
        return None
    topics, data = entry.get("topics"), _bytes(entry.get("data"))
    if not isinstance(topics, list) or data is None:
        raise FollowError("the endpoint answered a log without topics or data")
    return RawLog(
        address=str(entry.get("address", "")).lower(),
        topics=tuple(_hash(topic) for topic in topics[:4]),
        data=data,
        block=_integer(entry.get("blockNumber")),
        block_hash=_hash(entry.get("blockHash")),
        tx_hash=_hash(entry.get("transactionHash")),
        index=_integer(entry.get("logIndex")),
    )
