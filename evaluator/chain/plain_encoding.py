"""Arguments of the plainest kinds, encoded at once.

Most calls carry addresses, numbers and lists of them. eth_abi takes some fifty times as
long for them as the arithmetic does, which counts where agents send thousands a second.
What is not plain, or not certain to be valid, is left to eth_abi and to its errors.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence

_Encoder = Callable[[object], bytes | None]
_INTEGER = re.compile(r"(u?)int([0-9]{1,3})")


def encode_plain(types: Sequence[str], values: Sequence[object]) -> bytes | None:
    """Encode `values` by the contract ABI; None if anything among them is not plain."""
    heads: list[bytes | None] = []
    tails: list[bytes] = []
    for kind, value in zip(types, values, strict=True):
        dynamic, encoder = _encoder(kind)
        word = None if encoder is None else encoder(value)
        if word is None:
            return None
        heads.append(None if dynamic else word)
        tails.append(word if dynamic else b"")
    # Every plain static value is one word, as is the offset of a dynamic one.
    at = 32 * len(heads)
    out = []
    for head, tail in zip(heads, tails, strict=True):
        out.append(at.to_bytes(32, "big") if head is None else head)
        at += len(tail)
    return b"".join((*out, *tails))


@functools.lru_cache(maxsize=4096)
def _encoder(kind: str) -> tuple[bool, _Encoder | None]:
    """Whether a type is dynamic, and what encodes it; None if it is not plain."""
    if kind.endswith("[]"):
        _, inner = _encoder(kind[:-2]) if not kind[:-2].endswith("]") else (True, None)
        if inner is None or kind == "bytes[]":
            return True, None
        return True, functools.partial(_list, inner)
    if kind == "address":
        return False, _address
    if kind == "bool":
        return False, _bool
    if kind == "bytes32":
        return False, _bytes32
    if kind == "bytes":
        return True, _bytes
    integer = _INTEGER.fullmatch(kind)
    if integer is None:
        return False, None
    bits = int(integer[2])
    if bits % 8 or not 8 <= bits <= 256:
        return False, None
    low, high = (0, 2**bits) if integer[1] else (-(2 ** (bits - 1)), 2 ** (bits - 1))
    return False, functools.partial(_number, low, high)


def _address(value: object) -> bytes | None:
    return _address_word(value) if isinstance(value, str) and len(value) == 42 else None


@functools.lru_cache(maxsize=65536)
def _address_word(value: str) -> bytes | None:
    # Mixed case carries a checksum, which eth_abi verifies.
    if value != value.lower():
        return None
    if not value.startswith("0x") or not value[2:].isalnum():
        return None
    try:
        return bytes(12) + bytes.fromhex(value[2:])
    except ValueError:
        return None


def _bool(value: object) -> bytes | None:
    return (b"\x01" if value else b"\0").rjust(32, b"\0") if isinstance(value, bool) else None


def _bytes32(value: object) -> bytes | None:
    return value if isinstance(value, bytes) and len(value) == 32 else None


def _bytes(value: object) -> bytes | None:
    if not isinstance(value, bytes):
        return None
    padded = value.ljust(-(-len(value) // 32) * 32, b"\0")
    return len(value).to_bytes(32, "big") + padded


def _number(low: int, high: int, value: object) -> bytes | None:
    if type(value) is not int or not low <= value < high:
        return None
    return value.to_bytes(32, "big", signed=low < 0)


def _list(inner: _Encoder, value: object) -> bytes | None:
    if not isinstance(value, list | tuple):
        return None
    words = [inner(v) for v in value]
    if any(w is None for w in words):
        return None
    return len(words).to_bytes(32, "big") + b"".join(w for w in words if w is not None)
