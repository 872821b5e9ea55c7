"""Lists of calls and of answers in the contract ABI, written and read at once.

Reading a month of a feed's rounds is some thousand calls in one; eth_abi takes most of
that time for their encoding. What does not read as the contracts write it is left to
eth_abi and to its errors.
"""

from __future__ import annotations

from collections.abc import Sequence


def plain_rows(heads: Sequence[Sequence[bytes]], tails: Sequence[bytes]) -> bytes:
    """Encode an array of structs of some words each (32 bytes) and bytes at their end."""
    items = []
    for words, data in zip(heads, tails, strict=True):
        offset = 32 * (len(words) + 1)
        padded = data + bytes(-len(data) % 32)
        items.append(b"".join((*words, _word(offset), _word(len(data)), padded)))
    at, places = 32 * len(items), []
    for item in items:
        places.append(_word(at))
        at += len(item)
    return b"".join((_word(len(items)), *places, *items))


def read_rows(data: bytes, at: int) -> list[tuple[bool, bytes]] | None:
    """Read an array of (bool, bytes) whose offset stands in byte `at`.

    None if anything among it is not as it should be.
    """
    start = _number(data, at)
    count = None if start is None else _number(data, start)
    if start is None or count is None or 32 * count > len(data):
        return None
    first = start + 32
    out: list[tuple[bool, bytes]] = []
    for i in range(count):
        offset = _number(data, first + 32 * i)
        item = None if offset is None else first + offset
        success = None if item is None else _number(data, item)
        inner = None if item is None else _number(data, item + 32)
        if item is None or success not in (0, 1) or inner is None:
            return None
        length = _number(data, item + inner)
        begin = item + inner + 32
        if length is None or begin + length > len(data):
            return None
        out.append((success == 1, data[begin : begin + length]))
    # Rows that share their bytes could be many times as large together as what was sent.
    return out if sum(len(d) for _, d in out) <= len(data) else None


def _number(data: bytes, at: int) -> int | None:
    """One word, None beyond the end or if it is no place within `data`."""
    value = int.from_bytes(data[at : at + 32], "big")
    return value if at + 32 <= len(data) and value <= len(data) else None


def _word(value: int) -> bytes:
    return value.to_bytes(32, "big")
