"""The short way of encoding gives what eth_abi gives, or leaves it to eth_abi."""

from __future__ import annotations

import pytest
from eth_abi import encode
from hypothesis import given
from hypothesis import strategies as st

from evaluator.chain.abi import Abi
from evaluator.chain.plain_encoding import encode_plain
from evaluator.errors import ConfigurationError

ADDRESS = st.binary(min_size=20, max_size=20).map(lambda b: "0x" + b.hex())
PLAIN = {
    "address": ADDRESS,
    "bool": st.booleans(),
    "uint256": st.integers(0, 2**256 - 1),
    "uint8": st.integers(0, 255),
    "int256": st.integers(-(2**255), 2**255 - 1),
    "int24": st.integers(-(2**23), 2**23 - 1),
    "bytes32": st.binary(min_size=32, max_size=32),
    "bytes": st.binary(max_size=100),
}
LISTS = {f"{k}[]": st.lists(v, max_size=4) for k, v in PLAIN.items() if k != "bytes"}
ANY = st.sampled_from(sorted({**PLAIN, **LISTS})).flatmap(
    lambda kind: st.tuples(st.just(kind), {**PLAIN, **LISTS}[kind])
)


@given(st.lists(ANY, max_size=6))
def test_it_is_what_eth_abi_makes(arguments):
    types, values = [t for t, _ in arguments], [v for _, v in arguments]
    assert encode_plain(types, values) == encode(types, values)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("uint8", 256),
        ("uint256", -1),
        ("int8", 128),
        ("uint256", True),
        ("uint256", 1.0),
        ("bool", 1),
        ("address", "0x" + "00" * 19),
        ("address", "0x" + "0 " * 20),
        ("address", "0xAbcdefabcdefabcdefabcdefabcdefabcdefabcd"),
        ("bytes32", b"short"),
        ("bytes", "0x00"),
        ("string", "text"),
        ("(uint256,uint256)", (1, 2)),
        ("uint256[2]", (1, 2)),
        ("uint256[][]", ((1,), (2,))),
        ("bytes[]", (b"",)),
        ("uint256[]", 5),
        ("uint256[]", (1, "2")),
    ],
)
def test_what_is_not_plain_is_left_alone(kind, value):
    assert encode_plain([kind], [value]) is None


def test_errors_are_still_told_by_the_codec():
    abi = Abi.parse(["function f(uint8 a)", "function g((uint256 x, address y)[] rows)"])
    with pytest.raises(ConfigurationError, match="do not fit"):
        abi.encode("f", 256)
    rows = [(1, "0x" + "11" * 20)]
    assert abi.encode("g", rows)[4:] == encode(["(uint256,address)[]"], [rows])
