"""Rows written and read at once are what eth_abi makes of them."""

from __future__ import annotations

from eth_abi import encode
from hypothesis import given
from hypothesis import strategies as st

from evaluator.chain.rows import plain_rows, read_rows

ADDRESS = st.binary(min_size=20, max_size=20)
ROWS = st.lists(st.tuples(ADDRESS, st.booleans(), st.binary(max_size=70)), max_size=5)


def word(value):
    return int(value).to_bytes(32, "big")


@given(ROWS)
def test_calls_are_written_as_eth_abi_writes_them(rows):
    text = [("0x" + a.hex(), flag, data) for a, flag, data in rows]
    heads = [(bytes(12) + a, word(flag)) for a, flag, _ in rows]
    wanted = encode(["(address,bool,bytes)[]"], [text])
    assert word(32) + plain_rows(heads, [d for *_, d in rows]) == wanted
    short = encode(["(address,bytes)[]"], [[(a, d) for a, _, d in text]])
    assert word(32) + plain_rows([h[:1] for h in heads], [d for *_, d in rows]) == short


@given(ROWS, st.integers(0, 400), st.integers(0, 255))
def test_answers_are_read_back_and_mangled_ones_are_left_alone(rows, place, value):
    answers = [(flag, data) for _, flag, data in rows]
    raw = encode(["uint256", "(bool,bytes)[]"], [7, answers])
    assert read_rows(raw, 32) == answers
    mangled = bytearray(raw)
    mangled[place % len(raw)] = value
    read = read_rows(bytes(mangled), 32)
    assert read is None or sum(len(d) for _, d in read) <= len(raw)


def test_rows_that_share_their_bytes_are_no_rows():
    item = word(1) + word(64) + word(96) + bytes(96)
    bomb = word(32) + word(40) + word(40 * 32) * 40 + item
    assert read_rows(bomb, 0) is None
