"""The bounded ABI reader against eth_abi, and against hostile bytes."""

from __future__ import annotations

import eth_abi
import pytest
from eth_abi.exceptions import DecodingError
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluator.governance.decoding.signatures import parse_signature
from evaluator.governance.decoding.values import (
    MAX_OCTETS,
    MAX_VALUES,
    Allowance,
    Undecodable,
    decode_values,
)
from tests.governance.decoding.abi_strategies import parameter_lists, shown, values


def kinds(types: list[str]):
    return [p.type for p in parse_signature(f"f({','.join(types)})").parameters]


def word(number: int) -> bytes:
    return number.to_bytes(32, "big")


@settings(max_examples=100)
@given(st.data(), parameter_lists)
def test_it_reads_what_eth_abi_writes(data, types: list[str]) -> None:
    given_values = [data.draw(values(kind)) for kind in types]
    encoded = eth_abi.encode(types, given_values)
    allowance = Allowance()
    assert decode_values(kinds(types), encoded, allowance) == tuple(
        shown(kind, value) for kind, value in zip(types, given_values, strict=True)
    )
    assert allowance.canonical == len(encoded)


@settings(max_examples=100)
@given(st.data(), parameter_lists)
def test_on_damaged_bytes_it_agrees_with_eth_abi_or_refuses(data, types: list[str]) -> None:
    encoded = bytearray(eth_abi.encode(types, [data.draw(values(kind)) for kind in types]))
    for _ in range(data.draw(st.integers(1, 3))):
        if encoded:
            at = data.draw(st.integers(0, len(encoded) - 1))
            encoded[at] = data.draw(st.sampled_from([0, 1, 0x20, 0x40, 0xFF]))
    damaged = bytes(encoded[: data.draw(st.integers(0, len(encoded)))])
    try:
        ours = decode_values(kinds(types), damaged)
    except Undecodable:
        ours = None
    try:
        # eth_abi must not see damaged text: one bad byte would lose it the whole call.
        theirs = eth_abi.decode([t.replace("string", "bytes") for t in types], damaged)
    except (DecodingError, OverflowError, ValueError):
        return
    hex_text = [t.replace("string", "bytes") for t in types]
    if ours is not None:
        assert [_without_text(t, v) for t, v in zip(types, ours, strict=True)] == [
            _without_text(t, shown(h, v)) for t, h, v in zip(types, hex_text, theirs, strict=True)
        ]
    else:
        # Strictly valid for eth_abi, refused by us: only because it is too much.
        with pytest.raises(Undecodable, match="more than"):
            decode_values(kinds(types), damaged)


def _without_text(kind: str, value):
    return None if "string" in kind else value


def test_bytes_past_the_arguments_show_in_the_canonical_size() -> None:
    allowance = Allowance()
    decode_values(kinds(["uint256"]), word(1) + b"hidden", allowance)
    assert allowance.canonical == 32


def test_invalid_utf8_is_shown_with_replacement_characters() -> None:
    encoded = word(32) + word(4) + b"a\xff\xfeb".ljust(32, b"\0")
    assert decode_values(kinds(["string"]), encoded) == ("a\ufffd\ufffdb",)


BOMB = (
    word(32)
    + word(5000)
    + word(32 * 5000) * 5000  # every element is the same string
    + word(40_000)
    + b"a" * 40_000
)


def nested_bomb(levels: int, width: int) -> bytes:
    """`uint256[][]...[]` in which every element of a level is the same one of the next."""
    body = word(width) + word(7) * width
    for _ in range(levels - 1):
        body = word(width) + word(32 * width) * width + body
    return word(32) + body


@pytest.mark.parametrize(
    ("types", "data"),
    [
        (["string[]"], BOMB),
        (["bytes[]"], BOMB),
        (["uint256[][][][][]"], nested_bomb(5, 100)),
        (["(uint256[][][][],bool)"], word(32) + word(64) + word(1) + nested_bomb(4, 200)[32:]),
        (["uint256[]"], word(32) + word(2**255)),
        (["bytes[]"], word(32) + word(2**256 - 1)),
        (["bytes"], word(32) + word(2**256 - 1) + b"x" * 32),
        (["bytes"], word(2**256 - 32) + word(1)),
        (["string"], word(10**9)),
        (["string"], b""),
        (["uint256"], b"\x01" * 31),
        (["uint8"], word(256)),
        (["int8"], word(128)),
        (["bool"], word(2)),
        (["address"], word(1 << 160)),
        (["bytes4"], b"\xff" * 32),
        (["(bytes,bytes)[]"], word(32) + word(1) + word(2**200)),
        (["uint256[4096]"], b"\x00" * 64),
    ],
)
def test_hostile_bytes_are_refused(types: list[str], data: bytes) -> None:
    with pytest.raises(Undecodable):
        decode_values(kinds(types), data)


def test_overlapping_arrays_are_counted_as_often_as_they_are_read() -> None:
    # Every word is offset and length at once: the same 64 KB are sixteen levels of arrays.
    with pytest.raises(Undecodable, match="more than"):
        decode_values(kinds(["uint256" + "[]" * 16]), word(32) * 2000)


def test_allowances_are_shared_between_the_parts_of_a_call() -> None:
    allowance = Allowance(values=3)
    with pytest.raises(Undecodable, match="values"):
        decode_values(kinds(["uint256", "uint256", "uint256", "uint256"]), word(1) * 4, allowance)
    assert MAX_VALUES > 1000
    assert MAX_OCTETS > 100_000
