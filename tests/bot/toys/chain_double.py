"""A chain behind a JSON-RPC server: blocks, logs, reorganisations, and a provider's moods."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from eth_abi.abi import encode
from eth_utils.crypto import keccak

CREATED = [
    "uint256",
    "address",
    "address[]",
    "uint256[]",
    "string[]",
    "bytes[]",
    "uint256",
    "uint256",
    "string",
]
GOVERNOR = "0x" + "11" * 20


def topic(signature: str) -> str:
    return "0x" + keccak(text=signature).hex()


CREATED_TOPIC = topic(f"ProposalCreated({','.join(CREATED)})")


def created(
    number: int, description: str | bytes = "# A title\n\nand text", *, actions: int = 1
) -> bytes:
    """Return the data of ProposalCreated."""
    raw = description.encode() if isinstance(description, str) else description
    types = [*CREATED[:-1], "bytes"]  # a string's encoding, free to hold anything
    return encode(
        types,
        [
            number,
            "0x" + "aa" * 20,
            ["0x" + "22" * 20] * actions,
            [0] * actions,
            [""] * actions,
            [b"\x01\x02\x03\x04"] * actions,
            100,
            200,
            raw,
        ],
    )


@dataclass
class Log:
    address: str
    topics: list[str]
    data: bytes


@dataclass
class Block:
    number: int
    hash: str
    parent: str
    timestamp: int
    logs: list[Log] = field(default_factory=list)


class ChainDouble:
    """`mine` grows the chain, `reorganise` replaces its end; `states` answers state(id)."""

    def __init__(self, *, chain_id: int = 31337) -> None:
        self.chain_id = chain_id
        self.fork = 0
        self.blocks = [Block(0, self._hash(0), "0x" + "00" * 32, 1_700_000_000)]
        self.finalized: int | None = 0  # None: the tag is unknown
        self.states: dict[int, int] = {}  # id -> number of the state; absent: reverts
        self.feeds: dict[str, int] = {}
        self.range_limit: int | None = None
        self.range_error: dict[str, Any] = {"code": -32602, "message": "block range too large"}
        self.by_hash_missing = False
        self.visible: int | None = None  # the provider lags and shows no block above
        self.calls: list[tuple[str, list[Any]]] = []
        self.down = False
        self.code: set[str] = set()  # addresses of contracts, as eth_getCode tells
        self.url = ""
        self._runner: web.AppRunner | None = None

    def _hash(self, number: int) -> str:
        text = f"{self.chain_id}:{self.fork}:{number}"
        return "0x" + hashlib.sha256(text.encode()).hexdigest()

    def mine(self, count: int = 1, *, logs: list[Log] | None = None) -> Block:
        """Append blocks; the last one carries `logs`."""
        for position in range(count):
            parent = self.blocks[-1]
            number = parent.number + 1
            block = Block(number, self._hash(number), parent.hash, parent.timestamp + 12)
            if position == count - 1:
                block.logs = logs or []
            self.blocks.append(block)
        return self.blocks[-1]

    def reorganise(self, depth: int) -> None:
        """Remove the newest `depth` blocks; what is mined next has other hashes."""
        self.fork += 1
        del self.blocks[-depth:]

    def create(self, number: int, *, state: int = 0, **more: Any) -> Log:
        """Return the log of a new proposal and let the governor know it."""
        self.states[number] = state
        return Log(GOVERNOR, [CREATED_TOPIC], created(number, **more))

    def happen(self, name: str, number: int, *, state: int, eta: int | None = None) -> Log:
        """Return the log of a later event and move the state."""
        self.states[number] = state
        words = "uint256,uint256" if eta is not None else "uint256"
        data = number.to_bytes(32, "big") + (b"" if eta is None else eta.to_bytes(32, "big"))
        return Log(GOVERNOR, [topic(f"{name}({words})")], data)

    async def __aenter__(self) -> ChainDouble:
        app = web.Application(client_max_size=1 << 24)
        app.router.add_post("/{tail:.*}", self._serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/"
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _serve(self, request: web.Request) -> web.Response:
        if self.down:
            return web.Response(status=502)
        asked = json.loads(await request.text())
        if isinstance(asked, list):
            return web.json_response([self._answer(one) for one in asked])
        return web.json_response(self._answer(asked))

    def _answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        method, params = asked["method"], asked.get("params", [])
        self.calls.append((method, params))
        answer = {
            "eth_chainId": self._chain_id,
            "eth_getBlockByNumber": self._block,
            "eth_getLogs": self._logs,
            "eth_call": self._call,
            "eth_getCode": lambda address, _: "0x01" if address in self.code else "0x",
        }[method](*params)
        key = (
            "error" if isinstance(answer, dict) and set(answer) == {"code", "message"} else "result"
        )
        return {"jsonrpc": "2.0", "id": asked["id"], key: answer}

    def _seen(self) -> list[Block]:
        return self.blocks if self.visible is None else self.blocks[: self.visible + 1]

    def _chain_id(self) -> str:
        return hex(self.chain_id)

    def _block(self, tag: str, _: bool) -> Any:
        seen = self._seen()
        if tag == "finalized":
            if self.finalized is None:
                return {"code": -39001, "message": "unknown block tag"}
            number = self.finalized
        else:
            number = seen[-1].number if tag == "latest" else int(tag, 16)
        if number >= len(seen):
            return None
        block = seen[number]
        return {
            "number": hex(block.number),
            "hash": block.hash,
            "parentHash": block.parent,
            "timestamp": hex(block.timestamp),
        }

    def _logs(self, query: dict[str, Any]) -> Any:
        if "blockHash" in query:
            chosen = [block for block in self._seen() if block.hash == query["blockHash"]]
            if not chosen or self.by_hash_missing:
                return {"code": -32000, "message": "unknown block"}
        else:
            first, last = int(query["fromBlock"], 16), int(query["toBlock"], 16)
            if self.range_limit is not None and last - first + 1 > self.range_limit:
                return self.range_error
            chosen = self._seen()[first : last + 1]
        return [
            {
                "address": log.address,
                "topics": log.topics,
                "data": "0x" + log.data.hex(),
                "blockNumber": hex(block.number),
                "blockHash": block.hash,
                "transactionHash": "0x" + hashlib.sha256(log.data + b"%d" % index).hexdigest(),
                "logIndex": hex(index),
                "removed": False,
            }
            for block in chosen
            for index, log in enumerate(block.logs)
            if log.address in query["address"] and log.topics[0] in query["topics"][0]
        ]

    def _call(self, call: dict[str, str], _: str) -> Any:
        data = bytes.fromhex(call["data"][2:])
        if data[:4] == keccak(text="latestRoundData()")[:4]:
            words = [1, self.feeds[call["to"]], 0, 0, 1]
            return "0x" + b"".join(word.to_bytes(32, "big") for word in words).hex()
        state = self.states.get(int.from_bytes(data[4:36], "big"))
        if state is None:
            return {"code": 3, "message": "execution reverted"}
        return "0x" + state.to_bytes(32, "big").hex()
