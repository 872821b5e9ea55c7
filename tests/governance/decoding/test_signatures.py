"""Parsing of function and event signatures."""

from __future__ import annotations

import pytest
from eth_utils import keccak
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluator.governance.decoding.known_calls import known_calls
from evaluator.governance.decoding.known_events import known_events
from evaluator.governance.decoding.signatures import (
    MAX_NESTING,
    MalformedSignature,
    parse_signature,
)
from tests.governance.decoding.abi_strategies import parameter_lists


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("execute()", "execute()"),
        ("transfer(address,uint256)", "transfer(address,uint256)"),
        ("transfer( address to , uint amount )", "transfer(address,uint256)"),
        ("f((address target,bool allow,bytes data)[] calls)", "f((address,bool,bytes)[])"),
        ("f((uint,(int8,bytes)[2][])[],string)", "f((uint256,(int8,bytes)[2][])[],string)"),
        ("f(tuple(address payable a) x)", "f((address))"),
        (
            "Transfer(address indexed from, address indexed to, uint256)",
            "Transfer(address,address,uint256)",
        ),
        ("_setVotingDelay(uint256 newVotingDelay)", "_setVotingDelay(uint256)"),
    ],
)
def test_a_signature_has_its_canonical_form(text: str, canonical: str) -> None:
    fragment = parse_signature(text)
    assert fragment.signature == canonical
    assert fragment.selector == keccak(text=canonical)[:4]


def test_commas_inside_tuples_do_not_split_parameters() -> None:
    fragment = parse_signature("f((address a, uint256[3] b)[] pairs, bytes rest)")
    pairs, rest = fragment.parameters
    assert (pairs.name, rest.name) == ("pairs", "rest")
    assert [c.name for c in pairs.type.components] == ["a", "b"]
    assert [c.type.canonical for c in pairs.type.components] == ["address", "uint256[3]"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "f",
        "f(",
        "f)",
        "(uint256)",
        "f(uint256",
        "f(uint256))",
        "f(uint256) returns (uint256)",
        "f(uint256,)",
        "f(,uint256)",
        "f(uint7)",
        "f(uint264)",
        "f(bytes33)",
        "f(bytes0)",
        "f(uint08)",
        "f(money)",
        "f(())",
        "f(()[])",
        "f(uint256[0])",
        "f(uint256[-1])",
        "f(uint256[99999999999999999999])",
        "f(uint256[4096][4096])",
        "f(uint256 a b)",
        "f(uint256;)",
        "2f(uint256)",
        "f(" + "(" * 2000 + ")" * 2000 + ")",
        "f(" + "(" * (MAX_NESTING + 1) + "uint256" + ")" * (MAX_NESTING + 1) + ")",
        "f(uint256" + "[]" * 40 + ")",
        "f(" + "uint256," * 300 + "uint256)",
        "f(uint256)" + " " * 5000,
        "f(uint256\x00)",
        "f(\u202euint256)",
    ],
)
def test_what_is_no_signature_is_refused(text: str) -> None:
    with pytest.raises(MalformedSignature):
        parse_signature(text)


@settings(max_examples=150)
@given(parameter_lists)
def test_canonical_signatures_parse_to_themselves(types: list[str]) -> None:
    text = f"call({','.join(types)})"
    fragment = parse_signature(text)
    assert fragment.signature == text
    assert [p.type.canonical for p in fragment.parameters] == types


@settings(max_examples=300)
@given(st.text(alphabet="f(),[]uintbytes0123456789 addres\\", max_size=40))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        fragment = parse_signature(text)
    except MalformedSignature:
        return
    assert parse_signature(fragment.signature).signature == fragment.signature


def test_registries_have_no_two_readings_of_one_selector() -> None:
    calls = known_calls()
    assert len(calls) > 250
    assert all(selector == call.fragment.selector for selector, call in calls.items())
    for (topic, indexed), fragment in known_events().items():
        assert fragment.topic == topic
        assert sum(p.indexed for p in fragment.parameters) == indexed <= 3
