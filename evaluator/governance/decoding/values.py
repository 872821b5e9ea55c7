"""ABI values out of untrusted bytes, bounded in number and size while they are read.

`eth_abi.decode` has no bound on what it produces: 164 KB of offsets that all
point at one long string become 200 MB of text, and one bad UTF-8 byte loses the
whole call. This reader counts what it produces against an allowance and keeps
what it cannot read as text visible; the tests hold it to `eth_abi` on everything
both accept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .signatures import AbiType

Value = int | bool | str | tuple["Value", ...]
"""A decoded value: numbers as int, truth as bool, addresses in lower case, text as
it reads, byte strings as 0x hex, arrays and tuples as tuples."""

MAX_VALUES = 20_000  # values read out of one call or event
MAX_OCTETS = 2_000_000  # bytes of text and byte strings read out of one call or event


class Undecodable(ValueError):
    """Bytes that are no encoding of the type, or stand for more than is allowed."""


@dataclass
class Allowance:
    """What one decoding may still produce; shared by everything decoded from one proposal."""

    values: int = MAX_VALUES  # values left
    octets: int = MAX_OCTETS  # bytes of text and byte strings left
    canonical: int = 0  # bytes the canonical encoding of everything read so far takes

    def take_values(self, count: int) -> None:
        if count > self.values:
            raise Undecodable(f"it stands for more than the {MAX_VALUES:,} values that are shown")
        self.values -= count

    def take_octets(self, count: int) -> None:
        if count > self.octets:
            raise Undecodable(f"it stands for more than the {MAX_OCTETS:,} bytes that are shown")
        self.octets -= count


def decode_values(
    types: Sequence[AbiType], data: bytes, allowance: Allowance | None = None
) -> tuple[Value, ...]:
    """Decode the ABI encoding of a parameter list. Raises `Undecodable`.

    `allowance.canonical` grows by the bytes the values need; data that is longer
    carries something beside its arguments.
    """
    allowance = Allowance() if allowance is None else allowance
    allowance.canonical += sum(t.head for t in types)
    return _sequence(types, data, 0, allowance)


def _sequence(
    types: Sequence[AbiType], data: bytes, start: int, allowance: Allowance
) -> tuple[Value, ...]:
    """Values that stand side by side from `start`, where their offsets count from."""
    values: list[Value] = []
    at = start
    for kind in types:
        if kind.dynamic:
            offset = _word(data, at)
            if offset > len(data) - start:
                raise Undecodable(f"the offset at byte {at} points past the end")
            values.append(_value(kind, data, start + offset, allowance))
        else:
            values.append(_value(kind, data, at, allowance))
        at += kind.head
    return tuple(values)


def _value(kind: AbiType, data: bytes, at: int, allowance: Allowance) -> Value:
    allowance.take_values(1)
    if kind.dimensions:
        length = kind.dimensions[-1]
        if length is None:
            length = _word(data, at)
            at += 32
        if length * kind.item.head > len(data) - at:
            raise Undecodable(f"an array of {length:,} elements at byte {at} does not fit the data")
        if length > allowance.values:
            allowance.take_values(length)
        if kind.dynamic:
            lead = 32 if kind.dimensions[-1] is None else 0
            allowance.canonical += lead + length * kind.item.head
        return _sequence([kind.item] * length, data, at, allowance)
    if kind.base == "tuple":
        if kind.dynamic:
            allowance.canonical += sum(c.type.head for c in kind.components)
        return _sequence([c.type for c in kind.components], data, at, allowance)
    if kind.dynamic:
        length = _word(data, at)
        if length > len(data) - at - 32:
            raise Undecodable(f"{length:,} bytes of {kind.base} at byte {at} run past the end")
        allowance.take_octets(length)
        allowance.canonical += 32 + (length + 31) // 32 * 32
        octets = data[at + 32 : at + 32 + length]
        return _text(octets) if kind.base == "string" else "0x" + octets.hex()
    return _elementary(kind.base, data, at)


def _text(octets: bytes) -> str:
    """Text; where it is no UTF-8 each bad byte becomes the replacement character."""
    return octets.decode("utf-8", errors="replace")


def _word(data: bytes, at: int) -> int:
    if at + 32 > len(data):
        raise Undecodable(f"the data ends at byte {len(data)}, inside the word at byte {at}")
    return int.from_bytes(data[at : at + 32], "big")


def _elementary(base: str, data: bytes, at: int) -> Value:
    word = _word(data, at)
    if base == "address":
        if word >> 160:
            raise Undecodable(f"the address at byte {at} has more than 20 bytes")
        return "0x" + word.to_bytes(20, "big").hex()
    if base == "bool":
        if word > 1:
            raise Undecodable(f"the bool at byte {at} is neither 0 nor 1")
        return bool(word)
    if base.startswith("uint"):
        if word >> int(base[4:]):
            raise Undecodable(f"the {base} at byte {at} is too large")
        return word
    if base.startswith("int"):
        bits = int(base[3:])
        number = word - (1 << 256) if word >> 255 else word
        if not -(1 << (bits - 1)) <= number < 1 << (bits - 1):
            raise Undecodable(f"the {base} at byte {at} is out of range")
        return number
    size = int(base[5:])
    octets = data[at : at + 32]
    if any(octets[size:]):
        raise Undecodable(f"the {base} at byte {at} has bytes past its end")
    return "0x" + octets[:size].hex()
