"""Token metadata from hostile authors, and the classes of assets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluator.errors import IncompleteState
from evaluator.market import AssetClass
from evaluator.protocols.tokens import (
    SYMBOL_LIMIT,
    classify,
    decode_text,
    printable,
    read_tokens,
    unique_symbols,
)


def abi_string(raw, length=None, offset=32):
    size = len(raw) if length is None else length
    return offset.to_bytes(32, "big") + size.to_bytes(32, "big") + raw


@given(text=st.text(max_size=200))
def test_symbols_come_out_short_and_printable(text):
    shown = printable(text)
    assert len(shown) <= SYMBOL_LIMIT
    assert shown.isprintable()
    assert not set(shown) & set(" \t\n<>|*_`[](){}\"'&\\;,#@!\u202e\u200b") - {"_"}


@given(
    names=st.lists(
        st.tuples(
            st.sampled_from(["USDC", "usdc", "ＵＳＤＣ", "", "US\u200bDC", "X", "\x00"]),
            st.binary(min_size=20, max_size=20),
        ),
        max_size=8,
    )
)
def test_no_two_symbols_are_equal(names):
    symbols = unique_symbols([(s, "0x" + a.hex()) for s, a in names])
    assert len({s.casefold() for s in symbols}) == len(names)
    assert all(symbols)


def test_a_namesake_listed_later_renames_nobody():
    honest, fake = ("USDC", "0x" + "11" * 20), ("USDC", "0x" + "22" * 20)
    assert unique_symbols([honest]) == ("USDC",)
    assert unique_symbols([honest, fake]) == ("USDC", "USDC-222222")


@given(raw=st.binary(max_size=300))
def test_any_answer_decodes_to_bounded_text(raw):
    assert len(decode_text(raw)) <= 256


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (abi_string(b"WETH".ljust(32, b"\0"), 4), "WETH"),
        (b"MKR".ljust(32, b"\0"), "MKR"),
        (abi_string(b"A" * 4000), "A" * 256),
        (abi_string(b"ab", 2**255), "ab"),
        (abi_string(b"x", 1, offset=2**200), ""),
        (b"", ""),
        (None, ""),
        (abi_string(b"\xff\xfe", 2), "\ufffd\ufffd"),
    ],
)
def test_strings_and_bytes32_are_read(answer, text):
    assert decode_text(answer) == text


@pytest.mark.chain
def test_hostile_tokens_on_a_chain(sandbox, answering):
    honest, old, huge, mute = ("0x" + f"{i:02x}" * 20 for i in (0xA1, 0xA2, 0xA3, 0xA4))
    eighteen = (18).to_bytes(32, "big")
    sandbox.set_code(
        honest,
        answering({"symbol()": abi_string(b"W\x1b[31mETH\n"), "decimals()": eighteen}),
    )
    sandbox.set_code(old, answering({"symbol()": b"WETH".ljust(32, b"\0"), "decimals()": eighteen}))
    sandbox.set_code(
        huge, answering({"symbol()": abi_string(b"Z" * 20_000), "decimals()": eighteen})
    )
    sandbox.set_code(mute, answering({"decimals()": (6).to_bytes(32, "big")}))
    sandbox.mine()
    block = sandbox.block_number()
    tokens = read_tokens(sandbox, [honest, old, huge, mute], block=block)
    assert [t.symbol for t in tokens] == ["W31mETH", "WETH", "Z" * SYMBOL_LIMIT, "token-a4a4a4"]
    assert [t.decimals for t in tokens] == [18, 18, 18, 6]


@pytest.mark.chain
@pytest.mark.parametrize("decimals", [b"", (200).to_bytes(32, "big"), b"\xff" * 32])
def test_a_token_without_sane_decimals_is_refused(sandbox, answering, decimals):
    token = "0x" + "a5" * 20
    sandbox.set_code(token, answering({"symbol()": abi_string(b"X"), "decimals()": decimals}))
    sandbox.mine()
    with pytest.raises(IncompleteState, match=token):
        read_tokens(sandbox, [token], block=sandbox.block_number())


KNOWN = ("WETH", "wstETH", "WBTC", "USDC", "CRV")


@pytest.mark.parametrize(
    ("symbol", "price", "expected"),
    [
        ("WETH", 3000.0, (AssetClass.ETH, None)),
        ("wstETH", 3600.0, (AssetClass.LST, "WETH")),
        ("WBTC", 9e4, (AssetClass.BTC, None)),
        ("USDC", 1.0, (AssetClass.STABLE, "USD")),
        ("USDC.e", 0.99, (AssetClass.STABLE, "USD")),
        ("USDC", 40.0, (AssetClass.SMALL_ALT, None)),
        ("newUSDthing", 1.01, (AssetClass.STABLE, "USD")),
        ("newUSDthing", 0.5, (AssetClass.SMALL_ALT, None)),
        ("LINK", 20.0, (AssetClass.LARGE_ALT, None)),
        ("CRV", 0.9, (AssetClass.SMALL_ALT, None)),
        ("nobody", 1.0, (AssetClass.SMALL_ALT, None)),
    ],
)
def test_classes_follow_symbols_and_prices(symbol, price, expected):
    assert classify(symbol, price, KNOWN) == expected


def test_a_staked_coin_without_its_base_follows_nothing():
    assert classify("wstETH", 3600.0, ("wstETH", "USDC")) == (AssetClass.LST, None)
