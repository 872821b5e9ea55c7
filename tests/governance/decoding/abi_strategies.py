"""Hypothesis strategies for ABI types and values, written for eth_abi's conventions."""

from __future__ import annotations

from eth_utils import to_checksum_address
from hypothesis import strategies as st

elementary = st.one_of(
    st.sampled_from(["address", "bool", "bytes", "string", "uint256", "int256", "bytes32"]),
    st.integers(1, 32).map(lambda n: f"uint{8 * n}"),
    st.integers(1, 32).map(lambda n: f"int{8 * n}"),
    st.integers(1, 32).map(lambda n: f"bytes{n}"),
)


def _containers(inner):
    return st.one_of(
        inner.map(lambda t: t + "[]"),
        st.tuples(inner, st.integers(1, 3)).map(lambda p: f"{p[0]}[{p[1]}]"),
        st.lists(inner, min_size=1, max_size=3).map(lambda ts: "(" + ",".join(ts) + ")"),
    )


types = st.recursive(elementary, _containers, max_leaves=6)
parameter_lists = st.lists(types, max_size=4)


def split(text: str) -> list[str]:
    """Split a comma-separated list outside of brackets."""
    parts, depth, part = [], 0, ""
    for c in text:
        depth += (c == "(") - (c == ")")
        if c == "," and depth == 0:
            parts.append(part)
            part = ""
        else:
            part += c
    return [*parts, part] if part else parts


def values(kind: str):
    """Values of an ABI type as eth_abi encodes them."""
    if kind.endswith("]"):
        inner, _, length = kind[:-1].rpartition("[")
        if length:
            return st.lists(values(inner), min_size=int(length), max_size=int(length)).map(tuple)
        return st.lists(values(inner), max_size=3).map(tuple)
    if kind.startswith("("):
        return st.tuples(*[values(k) for k in split(kind[1:-1])])
    if kind == "address":
        return st.binary(min_size=20, max_size=20).map(to_checksum_address)
    if kind == "bool":
        return st.booleans()
    if kind == "string":
        return st.text(max_size=70)
    if kind == "bytes":
        return st.binary(max_size=70)
    if kind.startswith("bytes"):
        return st.binary(min_size=int(kind[5:]), max_size=int(kind[5:]))
    if kind.startswith("uint"):
        return st.integers(0, 2 ** int(kind[4:]) - 1)
    bits = int(kind[3:])
    return st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def shown(kind: str, value):
    """An eth_abi value in the form Seatrial shows it."""
    if kind.endswith("]"):
        inner = kind[: kind.rindex("[")]
        return tuple(shown(inner, v) for v in value)
    if kind.startswith("("):
        return tuple(shown(k, v) for k, v in zip(split(kind[1:-1]), value, strict=True))
    if kind == "address":
        return value.lower()
    if kind.startswith("bytes"):
        return "0x" + bytes(value).hex()
    return value
