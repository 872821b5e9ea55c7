import contextlib

import pytest
from eth_abi import encode as eth_encode
from hypothesis import given
from hypothesis import strategies as st

from evaluator.chain.abi import Abi, selector, topic
from evaluator.chain.receipts import Log
from evaluator.chain.signatures import parse_types
from evaluator.errors import ChainError, ConfigurationError

ALICE = "0x" + "11" * 20
BOB = "0x" + "22" * 20

TOKEN = Abi.parse(
    [
        "function balanceOf(address owner) view returns (uint256)",
        "function transfer(address to, uint amount) returns (bool)",
        "function getReserves() view returns (uint112 reserve0, uint112 reserve1, uint32 last)",
        "function rows() view returns ((uint256 id, (address to, bytes data)[] calls)[] list)",
        "event Transfer(address indexed from, address indexed to, uint256 value)",
        "event Said(string indexed topic, string text)",
        "error Unauthorized(address caller)",
        "constructor(string name, address owner)",
    ]
)


def log(topics, data, address=ALICE):
    return Log(
        address=address, topics=tuple(topics), data=data, block=1, tx_hash="0x00", index=0,
        block_hash="0x00",
    )  # fmt: skip


def test_known_selectors():
    """Values from the ERC-20 standard and Solidity's documentation."""
    assert TOKEN.encode("balanceOf", ALICE)[:4].hex() == "70a08231"
    assert selector("transfer(address,uint256)").hex() == "a9059cbb"
    assert topic("Transfer(address,address,uint256)").hex().startswith("ddf252ad1be2c89b")


def test_one_value_comes_back_as_it_is_and_several_by_name():
    assert TOKEN.decode_output("balanceOf", eth_encode(["uint256"], [7])) == 7
    reserves = TOKEN.decode_output("getReserves", eth_encode(["uint112"] * 3, [1, 2, 3]))
    assert (reserves.reserve0, reserves.reserve1, reserves.last) == (1, 2, 3)
    assert reserves == (1, 2, 3)


def test_nested_structs_are_named():
    kind = "(uint256,(address,bytes)[])[]"
    data = eth_encode([kind], [[(5, [(BOB, b"\x01"), (ALICE, b"")])]])
    [row] = TOKEN.decode_output("rows", data)
    assert row.id == 5
    assert row.calls[0].to == BOB
    assert row.calls[1].data == b""


def test_calldata_and_errors_read_back():
    call = TOKEN.decode_input(TOKEN.encode("transfer", BOB, 5))
    assert (call.signature, call["to"], call["amount"]) == ("transfer(address,uint256)", BOB, 5)
    assert TOKEN.decode_input(b"\x00\x01\x02\x03") is None
    assert TOKEN.decode_input(b"") is None
    raised = TOKEN.decode_error(selector("Unauthorized(address)") + eth_encode(["address"], [BOB]))
    assert raised["caller"] == BOB
    with pytest.raises(KeyError):
        call["nonsense"]


def test_logs_join_topics_and_data_in_order():
    word = lambda address: bytes(12) + bytes.fromhex(address[2:])  # noqa: E731
    key = topic("Transfer(address,address,uint256)")
    event = TOKEN.decode_log(log([key, word(ALICE), word(BOB)], (9).to_bytes(32, "big")))
    assert [argument.name for argument in event.arguments] == ["from", "to", "value"]
    assert (event["from"], event["to"], event["value"]) == (ALICE, BOB, 9)
    assert event.address == ALICE
    # An ERC-721 transfer has the same topic but indexes its third argument.
    assert TOKEN.decode_log(log([key, word(ALICE), word(BOB), bytes(32)], b"")) is None
    assert TOKEN.decode_log(log([], b"")) is None


def test_indexed_text_is_its_hash_and_bad_utf8_is_replaced():
    data = eth_encode(["bytes"], [b"ok \xff\xfe"])
    event = TOKEN.decode_log(log([topic("Said(string,string)"), b"\x07" * 32], data))
    assert event["topic"] == b"\x07" * 32
    assert event["text"] == "ok ��"


def test_data_that_does_not_fit_is_an_error_of_ours():
    with pytest.raises(ChainError, match="do not decode"):
        TOKEN.decode_output("balanceOf", b"\x01")
    with pytest.raises(ChainError, match="do not decode"):
        TOKEN.decode_output("rows", (2**255).to_bytes(32, "big"))
    with pytest.raises(ChainError, match="no such contract"):
        TOKEN.decode_output("balanceOf", b"")


def test_overloads_are_told_apart():
    abi = Abi.parse(["function f(uint256)", "function f(uint256,bool)", "function f(address)"])
    assert abi.encode("f", 1, True)[:4] == selector("f(uint256,bool)")
    assert abi.encode("f(address)", BOB)[:4] == selector("f(address)")
    with pytest.raises(ConfigurationError, match="2 fit"):
        abi.encode("f", 1)
    with pytest.raises(ConfigurationError, match="0 fit"):
        abi.encode("g")
    assert "f(address)" in abi
    assert "f" in abi
    assert "f(bytes)" not in abi


@pytest.mark.parametrize("args", [(), (1, 2), ("nonsense",), (None,), (-1,)])
def test_arguments_that_do_not_fit_are_an_error_of_ours(args):
    with pytest.raises(ConfigurationError):
        TOKEN.encode("balanceOf", *args)


@pytest.mark.parametrize(
    ("text", "signature", "mutability"),
    [
        ("function f()", "f()", "nonpayable"),
        ("f(uint a, int[] b)", "f(uint256,int256[])", "nonpayable"),
        ("function f(tuple(uint a,(bool b)[2] c)[] d) external payable;",
         "f((uint256,(bool)[2])[])", "payable"),
        ("function f(bytes32[3][] memory x) pure returns (bool)", "f(bytes32[3][])", "pure"),
    ],
)  # fmt: skip
def test_signatures_are_read_like_solidity(text, signature, mutability):
    [entry] = Abi.parse([text]).entries
    assert entry.signature == signature
    assert entry.mutability == mutability


@pytest.mark.parametrize("text", ["", "f", "f(", "function (uint)", "f(a b c, )"])
def test_what_is_no_signature_is_refused(text):
    with pytest.raises(ConfigurationError):
        Abi.parse([text])


def test_types_of_a_bravo_signature_with_commas_in_a_tuple():
    assert parse_types("set((address,uint256)[],bytes)") == (
        "set",
        ("(address,uint256)[]", "bytes"),
    )


def test_json_and_text_give_the_same():
    entry = {
        "type": "function", "name": "f", "stateMutability": "view",
        "inputs": [{"name": "p", "type": "tuple[]", "components": [
            {"name": "a", "type": "uint256"}, {"name": "b", "type": "address"}]}],
        "outputs": [{"name": "", "type": "bool"}],
    }  # fmt: skip
    [from_json] = Abi.parse([entry, {"type": "fallback"}]).entries
    [from_text] = Abi.parse(["function f((uint256 a, address b)[] p) view returns (bool)"]).entries
    assert from_json == from_text


def test_two_interfaces_join():
    joined = TOKEN + Abi.parse(["function implementation() view returns (address)"])
    assert "implementation" in joined
    assert "balanceOf" in joined
    assert len((joined + TOKEN).entries) == len(joined.entries)


@given(
    st.lists(st.tuples(st.integers(0, 2**256 - 1), st.binary(max_size=40), st.text(max_size=20))),
    st.booleans(),
)
def test_what_is_encoded_decodes_to_itself(rows, flag):
    abi = Abi.parse(["function f((uint256 n, bytes b, string s)[] rows, bool flag)"])
    call = abi.decode_input(abi.encode("f", rows, flag))
    assert call["rows"] == tuple(rows)
    assert call["flag"] is flag


@given(st.binary(max_size=300))
def test_hostile_calldata_never_escapes_as_a_foreign_error(data):
    abi = Abi.parse(["function f((uint256 n, bytes b)[] rows, string[] texts)"])
    with contextlib.suppress(ChainError):
        abi.decode_input(selector("f((uint256,bytes)[],string[])") + data)


def test_what_is_decoded_cannot_be_changed():
    """Equal answers are decoded once, so that whoever asks again gets the same object."""
    data = eth_encode(["(uint256,(address,bytes)[])[]"], [[(1, [(ALICE, b"x")]), (2, [])]])
    rows = TOKEN.decode_output("rows", data)
    assert TOKEN.decode_output("rows", bytes(bytearray(data))) is rows
    assert isinstance(hash(rows), int)  # lists, in whatever depth, have none
    long = eth_encode(["(uint256,(address,bytes)[])[]"], [[(1, [(ALICE, b"x" * 2000)])]])
    assert TOKEN.decode_output("rows", long) == TOKEN.decode_output("rows", long)
    assert TOKEN.decode_output("rows", long) is not TOKEN.decode_output("rows", long)
