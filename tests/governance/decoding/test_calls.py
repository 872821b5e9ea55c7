"""Decoding of actions: known ABIs, signature strings, raw bytes, and batches inside."""

from __future__ import annotations

import eth_abi
import pytest
from eth_utils import keccak

from evaluator.chain.deterministic import DEPLOYER as PROXY
from evaluator.chain.deterministic import address_of
from evaluator.governance.decoding.batches import MAX_CALLS
from evaluator.governance.decoding.calls import (
    DEPLOYER,
    MAX_DEPTH,
    Action,
    CallSource,
    RawAction,
    decode_actions,
)
from tests.governance.decoding.test_values import BOMB

TARGET = "0x" + "11" * 20
OTHER = "0x" + "22" * 20
ASSET = "0x" + "aa" * 20


def call(signature: str, *values) -> bytes:
    types = signature[signature.index("(") :]
    inner = eth_abi.encode([types], [values])
    # The encoding of one dynamic tuple starts with its offset.
    dynamic = eth_abi.is_encodable_type(types) and _dynamic(types)
    return keccak(text=signature)[:4] + (inner[32:] if dynamic else inner)


def _dynamic(types: str) -> bool:
    return "[]" in types or "string" in types or "bytes)" in types or "bytes," in types


def decode(calldata: bytes, *, signature: bytes = b"", target: str = TARGET) -> Action:
    return decode_actions(
        [RawAction(target=target, value=0, signature=signature, calldata=calldata)]
    )[0]


def test_a_known_function_is_named_with_its_arguments() -> None:
    action = decode(
        call(
            "configureReserveAsCollateral(address,uint256,uint256,uint256)",
            ASSET,
            7000,
            7250,
            10500,
        )
    )
    decoded = action.decoded
    assert decoded.source is CallSource.KNOWN
    assert decoded.kind == "Aave PoolConfigurator"
    assert {a.name: a.value for a in decoded.arguments} == {
        "asset": ASSET,
        "ltv": 7000,
        "liquidationThreshold": 7250,
        "liquidationBonus": 10500,
    }
    assert decoded.notes == ()


def test_a_signature_string_carries_arguments_alone() -> None:
    action = decode(
        eth_abi.encode(["address", "uint256"], [ASSET, 6 * 10**17]),
        signature=b"_setCollateralFactor(address,uint256)",
    )
    assert action.calldata[:4] == keccak(text="_setCollateralFactor(address,uint256)")[:4]
    assert action.decoded.name == "_setCollateralFactor"
    assert action.decoded.source is CallSource.KNOWN


def test_an_unknown_function_with_a_signature_string_is_decoded_from_it() -> None:
    action = decode(
        eth_abi.encode(["(uint256,address[])"], [(5, [ASSET])]),
        signature=b"setThing((uint256,address[]))",
    )
    assert action.decoded.source is CallSource.SIGNATURE
    assert action.decoded.arguments[0].value == (5, (ASSET,))


def test_the_selector_of_a_signature_is_the_hash_of_its_text_as_written() -> None:
    action = decode(eth_abi.encode(["uint256"], [1]), signature=b"setThing(uint)")
    assert action.calldata[:4] == keccak(b"setThing(uint)")[:4]
    assert "not canonical" in action.decoded.notes[0]


def test_a_signature_string_that_names_another_function_is_pointed_out() -> None:
    # Both hash to 0xa9059cbb: the second is what an attacker would write.
    disguise = b"join_tg_invmru_haha_fd06787(address,bool)"
    assert keccak(disguise)[:4] == keccak(b"transfer(address,uint256)")[:4]
    action = decode(eth_abi.encode(["address", "uint256"], [ASSET, 1]), signature=disguise)
    assert action.decoded.name == "transfer"
    assert "same selector" in action.decoded.notes[0]


def test_an_unknown_selector_stays_raw() -> None:
    action = decode(b"\xde\xad\xbe\xef" + b"\x01" * 32)
    assert action.decoded.source is CallSource.RAW
    assert action.decoded.selector == "0xdeadbeef"
    assert "not known" in action.decoded.error


def test_no_calldata_is_a_transfer() -> None:
    assert decode(b"").decoded.source is CallSource.EMPTY


def test_hidden_bytes_behind_the_arguments_are_noted() -> None:
    action = decode(call("setPoolPause(bool)", True) + b"\xff" * 20)
    assert action.decoded.notes == ("carries 20 bytes beside its arguments",)


INNER = call("setReserveFreeze(address,bool)", ASSET, True)
GRANT = call("grantRole(bytes32,address)", b"\0" * 32, OTHER)
SAFE = "execTransaction(address,uint256,bytes,uint8,uint256,uint256,uint256,address,address,bytes)"
ZERO = "0x" + "00" * 20


def safe(data: bytes, operation: int = 0) -> bytes:
    return call(SAFE, OTHER, 3, data, operation, 0, 0, 0, ZERO, ZERO, b"")


def multi_send(*parts: tuple[int, str, int, bytes]) -> bytes:
    packed = b"".join(
        bytes([op])
        + bytes.fromhex(to[2:])
        + value.to_bytes(32, "big")
        + len(d).to_bytes(32, "big")
        + d
        for op, to, value, d in parts
    )
    return call("multiSend(bytes)", packed)


@pytest.mark.parametrize(
    ("calldata", "children"),
    [
        (call("multicall(bytes[])", [INNER, GRANT]), [(TARGET, 0, INNER), (TARGET, 0, GRANT)]),
        (call("multicall(uint256,bytes[])", 1, [INNER]), [(TARGET, 0, INNER)]),
        (call("aggregate((address,bytes)[])", [(OTHER, INNER)]), [(OTHER, 0, INNER)]),
        (call("aggregate3((address,bool,bytes)[])", [(OTHER, True, INNER)]), [(OTHER, 0, INNER)]),
        (
            call("aggregate3Value((address,bool,uint256,bytes)[])", [(OTHER, True, 9, INNER)]),
            [(OTHER, 9, INNER)],
        ),
        (call("tryAggregate(bool,(address,bytes)[])", True, [(OTHER, INNER)]), [(OTHER, 0, INNER)]),
        (
            call(
                "schedule(address,uint256,bytes,bytes32,bytes32,uint256)",
                OTHER, 2, INNER, b"", b"", 9,
            ),
            [(OTHER, 2, INNER)],
        ),
        (
            call(
                "scheduleBatch(address[],uint256[],bytes[],bytes32,bytes32,uint256)",
                [OTHER, TARGET], [1, 2], [INNER, GRANT], b"", b"", 9,
            ),
            [(OTHER, 1, INNER), (TARGET, 2, GRANT)],
        ),
        (
            call(
                "executeBatch(address[],uint256[],bytes[],bytes32,bytes32)",
                [OTHER], [0], [GRANT], b"", b"",
            ),
            [(OTHER, 0, GRANT)],
        ),
        (
            call("queueTransaction(address,uint256,string,bytes,uint256)", OTHER, 0, "", INNER, 9),
            [(OTHER, 0, INNER)],
        ),
        (
            call(
                "executeTransaction(address,uint256,string,bytes,uint256)",
                OTHER, 0, "setReserveFreeze(address,bool)", INNER[4:], 9,
            ),
            [(OTHER, 0, INNER)],
        ),
        (
            call("propose(address[],uint256[],bytes[],string)", [OTHER], [0], [INNER], "more"),
            [(OTHER, 0, INNER)],
        ),
        (
            call(
                "propose(address[],uint256[],string[],bytes[],string)",
                [OTHER], [0], ["setReserveFreeze(address,bool)"], [INNER[4:]], "more",
            ),
            [(OTHER, 0, INNER)],
        ),
        (safe(INNER), [(OTHER, 3, INNER)]),
        (
            multi_send((0, OTHER, 5, INNER), (1, TARGET, 0, GRANT)),
            [(OTHER, 5, INNER), (TARGET, 0, GRANT)],
        ),
        (call("upgradeToAndCall(address,bytes)", OTHER, INNER), [(TARGET, 0, INNER)]),
        (call("upgradeAndCall(address,address,bytes)", ASSET, OTHER, INNER), [(ASSET, 0, INNER)]),
        (call("execute(address,uint256,bytes)", OTHER, 4, INNER), [(OTHER, 4, INNER)]),
    ],
)  # fmt: skip
def test_batches_are_unfolded(calldata: bytes, children: list[tuple[str, int, bytes]]) -> None:
    action = decode(calldata)
    assert [(c.target, c.value, c.calldata) for c in action.children] == children
    assert all(c.decoded.name in ("setReserveFreeze", "grantRole") for c in action.children)
    assert action.decoded.notes == ()


def test_a_safe_delegatecall_to_a_multi_send_is_unfolded_through_both() -> None:
    action = decode(safe(multi_send((1, ASSET, 0, GRANT)), operation=1))
    (batch,) = action.children
    assert batch.delegate
    (grant,) = batch.children
    assert grant.delegate
    assert grant.decoded.name == "grantRole"


def test_nesting_is_bounded() -> None:
    calldata = INNER
    for _ in range(MAX_DEPTH + 5):
        calldata = call("multicall(bytes[])", [calldata])
    action, depth = decode(calldata), 0
    while action.children:
        (action,) = action.children
        depth += 1
    assert depth == MAX_DEPTH
    assert "nested deeper" in action.decoded.notes[0]


def test_the_number_of_calls_is_bounded() -> None:
    action = decode(call("multicall(bytes[])", [INNER] * (MAX_CALLS + 500)))
    assert len(action.children) == MAX_CALLS - 1
    assert "more than" in action.decoded.notes[0]


@pytest.mark.parametrize(
    "calldata",
    [
        keccak(text="multicall(bytes[])")[:4] + BOMB,
        keccak(text="multicall(bytes[])")[:4] + b"\xff" * 64,
        keccak(text="setPoolPause(bool)")[:4] + (2).to_bytes(32, "big"),
        keccak(text="aggregate3((address,bool,bytes)[])")[:4],
        b"\x01",
        b"\x00" * (1 << 21),
    ],
)
def test_a_malformed_action_stays_raw_and_stops_nothing(calldata: bytes) -> None:
    bad, good = decode_actions(
        [
            RawAction(target=TARGET, value=0, signature=b"", calldata=calldata),
            RawAction(target=TARGET, value=0, signature=b"", calldata=INNER),
        ]
    )
    assert bad.decoded.source is CallSource.RAW
    assert bad.decoded.error
    assert bad.calldata == calldata
    assert good.decoded.name == "setReserveFreeze"


@pytest.mark.parametrize(
    "calldata",
    [
        call("multiSend(bytes)", b"\x00" * 84),
        call("multiSend(bytes)", b"\x07" + b"\x00" * 84),
        call("multiSend(bytes)", b"\x00" * 53 + b"\xff" * 32),
        safe(INNER, operation=2),
        call(
            "scheduleBatch(address[],uint256[],bytes[],bytes32,bytes32,uint256)",
            [OTHER], [1, 2], [INNER], b"", b"", 9,
        ),
    ],
)  # fmt: skip
def test_a_batch_that_cannot_be_unfolded_keeps_its_arguments(calldata: bytes) -> None:
    action = decode(calldata)
    assert action.children == ()
    assert action.decoded.arguments
    assert "could not be unfolded" in action.decoded.notes[0]


@pytest.mark.parametrize("signature", [b"\xff\xfe(uint256)", b"no brackets", b"f(" + b"(" * 3000])
def test_a_malformed_signature_string_stays_raw(signature: bytes) -> None:
    action = decode(b"\x00" * 32, signature=signature)
    assert action.decoded.source is CallSource.RAW
    assert "signature string is malformed" in action.decoded.error
    assert action.calldata[:4] == keccak(signature)[:4]


def test_a_creation_through_the_deterministic_proxy_says_what_it_creates():
    code = bytes.fromhex("600a600c600039600a6000f3602a60005260206000f3")
    raw = RawAction(target=DEPLOYER, value=0, signature=b"", calldata=bytes(32) + code)
    (action,) = decode_actions([raw])
    assert action.decoded.signature == "create2(bytes32,bytes)"
    arguments = {a.name: a.value for a in action.decoded.arguments}
    assert arguments["contract"] == address_of(code).lower()
    assert arguments["creationCode"] == "0x" + code.hex()
    # The package of the decoder imports nothing of ours, and so has the address itself.
    assert PROXY.lower() == DEPLOYER
