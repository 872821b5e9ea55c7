"""Proposal ids, states and digests."""

from __future__ import annotations

import eth_abi
import pytest
from eth_utils import keccak
from hypothesis import given
from hypothesis import strategies as st

from evaluator.errors import MalformedProposal
from evaluator.governance.decoding.calls import RawAction
from evaluator.governance.proposal import ProposalState, content_digest, parse_proposal_id

TARGET = "0x" + "11" * 20


def action(calldata: bytes = b"", *, value: int = 0, signature: bytes = b"", target: str = TARGET):
    return RawAction(target=target, value=value, signature=signature, calldata=calldata)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("42", 42),
        (7, 7),
        ("0x2a", 42),
        ("0X2A", 42),
        (" 42 ", 42),
        (str(2**256 - 1), 2**256 - 1),
    ],
)
def test_ids_are_decimal_or_hex(text: str | int, number: int) -> None:
    assert parse_proposal_id(text) == number


@pytest.mark.parametrize(
    "text", ["", "abc", "0x", "-1", "1.5", str(2**256), "0x" + "1" * 65, -1, 2**256, "4_2", "٤"]
)
def test_what_is_no_id_is_refused(text: str | int) -> None:
    with pytest.raises(MalformedProposal, match="is not a proposal id"):
        parse_proposal_id(text)


def test_states_follow_the_governors_numbers() -> None:
    names = [
        "pending",
        "active",
        "canceled",
        "defeated",
        "succeeded",
        "queued",
        "expired",
        "executed",
    ]
    assert [ProposalState.from_number(n).value for n in range(8)] == names
    with pytest.raises(MalformedProposal, match="gives 8"):
        ProposalState.from_number(8)


def test_the_digest_does_not_change_between_versions() -> None:
    # Reports and manifests name proposals by it: a new value here breaks every old one.
    assert content_digest([action(b"\x01\x02", value=3)], b"text") == (
        "f09eb0b84970772ea97efc21d54c8a80dcbcf301c88480fc148c925b9e21498b"
    )


def test_a_signature_string_and_full_calldata_have_the_same_digest() -> None:
    arguments = eth_abi.encode(["address", "uint256"], [TARGET, 1])
    split = action(arguments, signature=b"transfer(address,uint256)")
    full = action(keccak(b"transfer(address,uint256)")[:4] + arguments)
    assert content_digest([split], b"") == content_digest([full], b"")


def test_the_case_of_an_address_does_not_matter() -> None:
    upper = action(target="0x" + "aB" * 20)
    lower = action(target="0x" + "ab" * 20)
    assert content_digest([upper], b"") == content_digest([lower], b"")


calls = st.builds(
    action,
    st.binary(max_size=8),
    value=st.integers(0, 3),
    target=st.sampled_from([TARGET, "0x" + "22" * 20]),
)
contents = st.tuples(st.lists(calls, max_size=3), st.binary(max_size=8))


@given(contents, contents)
def test_different_contents_have_different_digests(one, other) -> None:
    assert (content_digest(*one) == content_digest(*other)) == (one == other)
