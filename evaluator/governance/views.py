"""Reading views of contracts that may be anything at all.

A governor's address comes from a user: nothing behind it is trusted to answer
with what its interface says. One word is read as one word, an empty or short
answer is no answer, and anything longer is decoded by the bounded decoder.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

from eth_abi.abi import encode

from evaluator.chain.sandbox import Sandbox
from evaluator.errors import NotAGovernor, TransactionReverted
from evaluator.governance.decoder import DecodingFailed, shared_decoder
from evaluator.governance.decoding.signatures import Fragment, parse_signature
from evaluator.governance.decoding.values import Value

Block = int | str


def encode_call(signature: str, *arguments: object) -> bytes:
    """Encode calldata for a function of ours to call, e.g. `state(uint256)`."""
    fragment = _fragment(signature)
    types = [p.type.canonical for p in fragment.parameters]
    return fragment.selector + encode(types, arguments)


def read(
    sandbox: Sandbox, address: str, signature: str, *arguments: object, block: Block = "latest"
) -> bytes | None:
    """Return a view's raw answer; None if it reverted or answered less than a word."""
    try:
        answer = sandbox.call(address, encode_call(signature, *arguments), block=block)
    except TransactionReverted:
        return None
    # A fallback function accepts any call and answers nothing.
    return answer if len(answer) >= 32 else None


def number(
    sandbox: Sandbox, address: str, signature: str, *arguments: object, block: Block = "latest"
) -> int | None:
    """Return a view's first word as a number; None if there is no answer."""
    answer = read(sandbox, address, signature, *arguments, block=block)
    return None if answer is None else int.from_bytes(answer[:32], "big")


def address(
    sandbox: Sandbox, contract: str, signature: str, *arguments: object, block: Block = "latest"
) -> str | None:
    """Return a view's first word as an address, lower-case; None if it is none or zero."""
    word = number(sandbox, contract, signature, *arguments, block=block)
    return None if word is None else word_address(word)


def text(sandbox: Sandbox, contract: str, signature: str) -> str | None:
    """Return a view's answer as text of at most 200 characters; None if it is none."""
    answer = read(sandbox, contract, signature)
    if answer is None:
        return None
    try:
        (value,) = shared_decoder().values("string", answer)
    except DecodingFailed:
        return None
    return str(value)[:200]


def values(
    sandbox: Sandbox, contract: str, types: str, signature: str, *arguments: object
) -> tuple[Value, ...] | None:
    """Return a view's answer decoded as `types` by the bounded decoder; None if it is none."""
    answer = read(sandbox, contract, signature, *arguments)
    if answer is None:
        return None
    try:
        return shared_decoder().values(types, answer)
    except DecodingFailed:
        return None


def words(
    sandbox: Sandbox, calls: Sequence[tuple[str, bytes]], *, block: Block = "latest"
) -> list[int | None]:
    """Return the first word of many views; None where there is no answer."""
    answers = sandbox.call_many(calls, block=block)
    return [
        int.from_bytes(answer[:32], "big")
        if isinstance(answer, bytes) and len(answer) >= 32
        else None
        for answer in answers
    ]


def word_address(word: int) -> str | None:
    """Read a word as an address, lower-case; None if it is zero or too large for one."""
    return f"0x{word:040x}" if 0 < word < 1 << 160 else None


def check_address(text: str) -> str:
    """Return an address in lower case. Raises `NotAGovernor` if it is none."""
    if not re.fullmatch(r"0x[0-9a-fA-F]{40}", text):
        raise NotAGovernor(
            f"{text[:100]!r} is not an address: expected 0x and 40 hex digits of a governor"
        )
    return text.lower()


@cache
def _fragment(signature: str) -> Fragment:
    return parse_signature(signature)
