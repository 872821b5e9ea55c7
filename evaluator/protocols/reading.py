"""Many view calls at one block, answered together or named as missing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from eth_utils.address import to_checksum_address

from evaluator.chain.abi import Abi
from evaluator.chain.sandbox import Sandbox
from evaluator.errors import ChainError, IncompleteState, TransactionReverted

BATCH = 2_000  # calls handed to the chain at once, which bounds memory
# More than this a single answer to a view call of ours never needs.
ANSWER_LIMIT = 1 << 20  # bytes

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
    sandbox: Sandbox, calls: Sequence[tuple[str, bytes]], *, block: int
) -> list[bytes | None]:
    """Answer calls with raw return data; None for a failed or an oversized one."""
    out: list[bytes | None] = []
    for start in range(0, len(calls), BATCH):
        for result in sandbox.call_many(calls[start : start + BATCH], block=block):
            if isinstance(result, TransactionReverted) or len(result) > ANSWER_LIMIT:
                out.append(None)
            else:
                out.append(result)
    return out


def checksum(address: str) -> str:
    """Return an address in the mixed case that people compare."""
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
