"""Many view calls at one block, answered together or named as missing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from eth_utils.address import to_checksum_address

from evaluator.chain.abi import Abi
from evaluator.chain.receipts import unhex
from evaluator.chain.rpc import RpcClient
from evaluator.chain.sandbox import Sandbox
from evaluator.errors import ChainError, IncompleteState, TransactionReverted

BATCH = 2_000  # calls handed to the chain at once, which bounds memory
# More than this a single answer to a view call of ours never needs.
ANSWER_LIMIT = 1 << 20  # bytes
_NODE_BATCH = 50  # requests in one HTTP request

Progress = Callable[[int, int], None]  # (done, total) calls or blocks
NULL_ADDRESS = "0x" + "00" * 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Query:
    """One view call."""

    to: str  # contract that is asked
    abi: Abi  # interface that knows `fn`
    fn: str  # name, or signature if overloaded
    args: tuple[object, ...] = ()  # arguments of the call
    optional: bool = False  # True: a failure answers None, otherwise IncompleteState


def read_all(
    sandbox: Sandbox, queries: Sequence[Query], *, block: int, progress: Progress | None = None
) -> list[Any]:
    """Answer `queries` in order, as they stand at `block`.

    Raises IncompleteState that names the first call that failed.
    """
    answers: list[Any] = []
    for start in range(0, len(queries), BATCH):
        part = queries[start : start + BATCH]
        calls = [(q.to, q.abi.encode(q.fn, *q.args)) for q in part]
        results = sandbox.call_many(calls, block=block)
        answers += [_decoded(q, r, block) for q, r in zip(part, results, strict=True)]
        if progress is not None:
            progress(len(answers), len(queries))
    return answers


def read_one(
    sandbox: Sandbox, abi: Abi, to: str, fn: str, *args: object, block: int, optional: bool = False
) -> Any:
    """Answer one call; None if it is optional and fails."""
    query = Query(to=to, abi=abi, fn=fn, args=args, optional=optional)
    return read_all(sandbox, [query], block=block)[0]


def read_raw(
    sandbox: Sandbox, calls: Sequence[tuple[str, bytes]], *, block: int, small: bool = False
) -> list[bytes | None]:
    """Answer calls with raw return data; None for a failed or an oversized one.

    `small` as for `Sandbox.call_many`.
    """
    out: list[bytes | None] = []
    for start in range(0, len(calls), BATCH):
        part = calls[start : start + BATCH]
        for result in sandbox.call_many(part, block=block, small=small):
            if isinstance(result, TransactionReverted) or len(result) > ANSWER_LIMIT:
                out.append(None)
            else:
                out.append(result)
    return out


def read_words(
    sandbox: Sandbox,
    calls: Sequence[tuple[str, bytes]],
    *,
    what: str,
    block: int,
) -> list[int]:
    """Answer calls that return one unsigned word each, without the detour of an ABI.

    For the many balances of a book. Raises IncompleteState, saying `what` was read.
    """
    out: list[int] = []
    answers = read_raw(sandbox, calls, block=block, small=True)
    for (to, data), answer in zip(calls, answers, strict=True):
        if answer is None or len(answer) != 32:
            raise IncompleteState(
                f"{what} could not be read at block {block}: {to} did not answer the call "
                f"0x{data.hex()}; check that the node serves this block"
            )
        out.append(int.from_bytes(answer, "big"))
    return out


def node_at(sandbox: Sandbox, block: int) -> RpcClient:
    """The node to ask about `block`: up to the forked one that is the endpoint itself."""
    if sandbox.upstream is not None and block <= sandbox.block.number:
        return sandbox.upstream
    return sandbox.rpc


def read_codes(sandbox: Sandbox, addresses: Sequence[str], *, block: int) -> list[bytes]:
    """Return the code of each address, b"" where there is none. Raises IncompleteState."""
    asked = [("eth_getCode", [a, hex(block)]) for a in addresses]
    return _batch(sandbox, asked, [f"the code of {a}" for a in addresses], block)


def read_slots(sandbox: Sandbox, slots: Sequence[tuple[str, int]], *, block: int) -> list[bytes]:
    """Return the 32 bytes of each (address, slot). Raises IncompleteState."""
    asked = [("eth_getStorageAt", [a, hex(s), hex(block)]) for a, s in slots]
    found = _batch(sandbox, asked, [f"slot {s:#x} of {a}" for a, s in slots], block)
    return [word.rjust(32, b"\0") for word in found]


@lru_cache(maxsize=1 << 16)
def checksum(address: str) -> str:
    """Return an address in the mixed case that people compare.

    It takes a hash, and the addresses of a book are read again and again.
    """
    return str(to_checksum_address(address))


def address_in(word: bytes | None) -> str | None:
    """Return the address a 32-byte word holds; None if it can be none."""
    if word is None or len(word) != 32 or any(word[:12]):
        return None
    # Small integers are words too; no real address starts with so many zeros.
    return None if not any(word[12:18]) else "0x" + word[12:].hex()


def _decoded(query: Query, result: bytes | TransactionReverted, block: int) -> Any:
    reason = ""
    if isinstance(result, TransactionReverted):
        reason = result.reason or "it reverted without a reason"
    elif len(result) > ANSWER_LIMIT:
        reason = f"the answer has {len(result)} bytes, more than {ANSWER_LIMIT}"
    else:
        try:
            return query.abi.decode_output(query.fn, result)
        except ChainError as error:
            reason = str(error)
    if query.optional:
        return None
    shown = ", ".join(str(a) for a in query.args)
    raise IncompleteState(
        f"{query.fn.partition('(')[0]}({shown}) of {query.to} could not be read at block "
        f"{block}: {reason}; check that the node serves this block and that the contract is whole"
    )


def _batch(
    sandbox: Sandbox, asked: Sequence[tuple[str, Sequence[object]]], what: Sequence[str], block: int
) -> list[bytes]:
    node, out = node_at(sandbox, block), []
    for start in range(0, len(asked), _NODE_BATCH):
        replies = node.batch(asked[start : start + _NODE_BATCH])
        for name, reply in zip(what[start : start + _NODE_BATCH], replies, strict=True):
            if not isinstance(reply, str):
                raise IncompleteState(f"{name} could not be read at block {block}: {reply}")
            out.append(unhex(reply))
    return out
