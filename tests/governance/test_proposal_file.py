"""Proposals out of files, and what is said about malformed ones."""

# ruff: noqa: E501 - one malformed field and its message to a line

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from evaluator.errors import MalformedProposal
from evaluator.governance.proposal_file import MAX_FILE, load_proposal_file, parse_proposal

TARGET = "0x" + "11" * 20
GOOD = {
    "targets": [TARGET],
    "values": [0],
    "signatures": ["_setCloseFactor(uint256)"],
    "calldatas": ["0x" + "00" * 31 + "05"],
    "description": "Set the close factor",
}


def parse(**changes):
    record = {**GOOD, **changes}
    return parse_proposal(
        json.dumps({k: v for k, v in record.items() if v is not ...}).encode(), name="p.json"
    )


def test_a_file_becomes_a_draft(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    path.write_text(
        json.dumps(
            {
                **GOOD,
                "proposer": TARGET,
                "governor": TARGET,
                "chainId": 1,
            }
        )
    )
    draft = load_proposal_file(path)
    assert draft.actions[0].decoded.name == "_setCloseFactor"
    assert draft.actions[0].decoded.arguments[0].value == 5
    assert (draft.proposer, draft.governor, draft.chain_id) == (TARGET, TARGET, 1)
    assert draft.description == "Set the close factor"
    assert re.fullmatch(r"[0-9a-f]{64}", draft.digest)


def test_what_is_not_said_is_left_open() -> None:
    draft = parse(signatures=..., calldatas=["0x"])
    assert (draft.proposer, draft.governor, draft.chain_id) == (None, None, None)
    assert draft.raw_actions[0].signature == b""


@pytest.mark.parametrize("value", [5, "5", "0x5"])
def test_values_are_numbers_or_text(value: int | str) -> None:
    assert parse(values=[value]).raw_actions[0].value == 5


def test_values_keep_all_their_digits() -> None:
    assert parse(values=[2**255 + 1]).raw_actions[0].value == 2**255 + 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"values": []}, "p.json has 1 targets, 0 values, 1 signatures, 1 calldatas: the lists must have the same length"),
        ({"targets": [], "values": [], "signatures": [], "calldatas": []}, "has no actions"),
        ({"targets": TARGET}, 'targets is "0x1111111111111111111111111111111111111111"; a list, was expected'),
        ({"targets": ["0x12"]}, 'targets[0] is "0x12"; an address, 0x and 40 hex digits, was expected'),
        ({"targets": [None]}, "targets[0] is null; an address"),
        ({"targets": ["0xAb" + "11" * 19]}, "whose checksum is wrong"),
        ({"values": [-1]}, "values[0] is -1; an amount of wei, 0 or more and below 2^256, was expected"),
        ({"values": [2**256]}, "below 2^256"),
        ({"values": [1.5]}, "values[0] is 1.5"),
        ({"values": [True]}, "values[0] is true"),
        ({"values": ["1e18"]}, 'values[0] is "1e18"'),
        ({"calldatas": ["0x123"]}, 'calldatas[0] is "0x123"; calldata, 0x and an even number of hex digits, was expected'),
        ({"calldatas": ["12"]}, "calldatas[0]"),
        ({"calldatas": ["0xzz"]}, "calldatas[0]"),
        ({"signatures": [5]}, "signatures[0] is 5; text, was expected"),
        ({"signatures": ["f" * 5000]}, "signatures[0] has 5,000 bytes"),
        ({"description": None}, "description is null; text, was expected"),
        ({"description": "\ud800"}, "description has half a character at 0"),
        ({"description": ...}, "p.json has no 'description'"),
        ({"targets": ...}, "p.json has no 'targets'"),
        ({"target": []}, "unknown key 'target'"),
        ({"proposer": "me"}, 'proposer is "me"; an address'),
        ({"governor": "0x1"}, "governor is"),
        ({"chainId": 0}, "chainId is 0; a positive number, was expected"),
        ({"chainId": "x"}, "chainId is"),
        ({k: v * 300 for k, v in GOOD.items() if isinstance(v, list)}, "has 300 actions; at most 256"),
    ],
)  # fmt: skip
def test_a_malformed_field_is_named(changes, message: str) -> None:
    with pytest.raises(MalformedProposal, match=re.escape(message)):
        parse(**changes)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not JSON: Expecting value at line 1, column 1"),
        (b"{", "is not JSON"),
        (b"[]", "holds a list; an object was expected"),
        (b"null", "holds a null; an object was expected"),
        (b"\xff\xfe", "is not UTF-8: invalid start byte at byte 0"),
        (b'{"description": NaN}', "has NaN, which is no JSON"),
        (b'{"targets": [], "targets": []}', "has the key 'targets' twice"),
        (b"[" * 200_000, "is not a proposal"),
        (b'{"values": [' + b"9" * 10_000 + b"]}", "is not a proposal"),
        (b" " * (MAX_FILE + 1), "has 1,048,577 bytes; at most 1,048,576 are read"),
    ],
)
def test_what_is_no_proposal_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(MalformedProposal, match=re.escape(message)):
        parse_proposal(content, name="p.json")


def test_no_file_and_a_folder_are_told_apart_from_files(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.json", tmp_path):
        with pytest.raises(MalformedProposal, match="is not a file"):
            load_proposal_file(path)


def test_an_oversized_file_is_not_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "huge.json"
    with path.open("wb") as file:
        file.truncate(1 << 40)  # sparse: a terabyte that takes no room
    with pytest.raises(MalformedProposal, match="at most 1,048,576 are read"):
        load_proposal_file(path)


def test_undecodable_calldata_is_kept_raw() -> None:
    draft = parse(signatures=["f(string[])"], calldatas=["0x" + "ff" * 64])
    assert "could not be decoded" in draft.actions[0].decoded.error
