"""Read many contracts at one block in few requests.

The local anvil takes JSON-RPC batches of calls that do much as fast as anything; many that
do little it takes twice as fast in one `eth_call`. A remote endpoint counts and
bills each call of a batch, so there many reads travel in one `eth_call`: through
Multicall3 where it is deployed, else through our Lens put in place by a state
override, else as a batch after all.
"""

from __future__ import annotations

from collections.abc import Sequence

from evaluator.chain.abi import Abi, selector
from evaluator.chain.receipts import ZERO, unhex
from evaluator.chain.reverts import ErrorBook
from evaluator.chain.rows import plain_rows, read_rows
from evaluator.chain.rpc import RpcClient
from evaluator.chain.solidity import load_contract
from evaluator.errors import ChainError, RpcError, SetupError, TransactionReverted

MULTICALL3 = "0xca11bde05977b3631167028862be2a173976ca11"
_MULTICALL3 = Abi.parse(
    [
        "function aggregate3((address target, bool allowFailure, bytes callData)[] calls) payable"
        " returns ((bool success, bytes returnData)[] results)"
    ]
)
_AGGREGATE3 = selector(_MULTICALL3.function("aggregate3").signature)
_TRUE = (1).to_bytes(32, "big")
_RESULTS_AT = 32  # the lens answers the block's number first
_LENS_ADDRESS = "0x5ea7000000000000000000000000000000001e45"
_GAS_EACH = 3_000_000  # gas a read may take in the lens
_MOST_BYTES = 65_536  # bytes of an answer the lens keeps
_LOCAL_CHUNK = 400  # calls in a batch to a local node
_WORTH_A_LENS = 16  # small calls to a local node
_REMOTE_CHUNK = 150  # calls in one eth_call
_BATCH_CHUNK = 50  # calls in a batch to a remote endpoint

Call = tuple[str, bytes]  # target address, calldata
Answer = bytes | TransactionReverted


class BatchReader:
    """Read through one endpoint in the best way it offers; found out once."""

    def __init__(self, rpc: RpcClient, *, local: bool, errors: ErrorBook) -> None:
        """`local` says that the endpoint is an anvil of ours."""
        self._rpc = rpc
        self._local = local
        self._errors = errors
        self._way: str | None = "batch" if local else None

    def read(self, calls: Sequence[Call], block: str, *, small: bool = False) -> list[Answer]:
        """Answers in order; a reverted call is a TransactionReverted in its place.

        `block` is a number in hex or a tag; `small` says that every call is cheap and answers
        little. Raises RpcError if the endpoint fails.
        """
        if self._way is None:
            self._way = self._find_way(block)
        way, chunk = self._way, _REMOTE_CHUNK
        if self._local and small and len(calls) >= _WORTH_A_LENS:
            way, chunk = "lens", _LOCAL_CHUNK
        elif way == "batch":
            chunk = _LOCAL_CHUNK if self._local else _BATCH_CHUNK
        answers: list[Answer] = []
        for start in range(0, len(calls), chunk):
            answers += self._chunk(calls[start : start + chunk], block, way)
        return answers

    def _find_way(self, block: str) -> str:
        code = self._rpc.request("eth_getCode", [MULTICALL3, block])
        if len(code) > 2:
            return "multicall3"
        try:
            self._lens([(_LENS_ADDRESS, b"")], block)
        except (ChainError, SetupError):
            return "batch"
        return "lens"

    def _chunk(self, calls: Sequence[Call], block: str, way: str) -> list[Answer]:
        if way == "batch":
            return self._batch(calls, block)
        try:
            if way == "multicall3":
                return self._multicall3(calls, block)
            return self._lens(calls, block)
        except ChainError:
            # Out of gas, or more than the endpoint returns: halve it.
            if len(calls) == 1:
                return self._batch(calls, block)
            half = len(calls) // 2
            return self._chunk(calls[:half], block, way) + self._chunk(calls[half:], block, way)

    def _batch(self, calls: Sequence[Call], block: str) -> list[Answer]:
        requests = [("eth_call", [_request(to, data), block]) for to, data in calls]
        answers: list[Answer] = []
        for (to, _), answer in zip(calls, self._rpc.batch(requests), strict=True):
            if not isinstance(answer, RpcError):
                answers.append(unhex(answer))
                continue
            reverted = self._errors.reverted(answer, to)
            if reverted is None:
                raise answer
            answers.append(reverted)
        return answers

    def _multicall3(self, calls: Sequence[Call], block: str) -> list[Answer]:
        rows = plain_rows([(_address(to), _TRUE) for to, _ in calls], [d for _, d in calls])
        data = _AGGREGATE3 + _word(32) + rows
        raw = unhex(self._rpc.request("eth_call", [_request(MULTICALL3, data), block]))
        results = read_rows(raw, 0)
        if results is None:
            results = _MULTICALL3.decode_output("aggregate3", raw)
        return self._sorted(calls, results)

    def _lens(self, calls: Sequence[Call], block: str) -> list[Answer]:
        lens = load_contract("Lens")
        rows = plain_rows([(_address(to),) for to, _ in calls], [d for _, d in calls])
        read = selector(lens.abi.function("read").signature)
        data = read + _word(_GAS_EACH) + _word(_MOST_BYTES) + _word(96) + rows
        override = {_LENS_ADDRESS: {"code": "0x" + lens.runtime}}
        raw = self._rpc.request("eth_call", [_request(_LENS_ADDRESS, data), block, override])
        answer = unhex(raw)
        results = read_rows(answer, _RESULTS_AT)
        if results is None:
            results = lens.abi.decode_output("read", answer).results
        return self._sorted(calls, results)

    def _sorted(self, calls: Sequence[Call], results: Sequence[tuple[bool, bytes]]) -> list[Answer]:
        if len(results) != len(calls):
            raise ChainError(f"{len(calls)} reads were sent and {len(results)} came back")
        return [
            data if success else TransactionReverted(self._errors.reason(data), data=data, to=to)
            for (to, _), (success, data) in zip(calls, results, strict=True)
        ]


def _request(to: str, data: bytes) -> dict[str, str]:
    return {"from": ZERO, "to": to, "data": "0x" + data.hex()}


def _address(text: str) -> bytes:
    return bytes.fromhex(text[2:]).rjust(32, b"\0")


def _word(value: int) -> bytes:
    return value.to_bytes(32, "big")
