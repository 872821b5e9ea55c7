"""Proposals out of JSON files, before they are submitted."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from eth_utils.address import to_checksum_address

from evaluator.errors import MalformedProposal
from evaluator.governance.decoder import shared_decoder
from evaluator.governance.decoding.calls import RawAction
from evaluator.governance.proposal import ProposalDraft

MAX_FILE = 1 << 20  # bytes of a proposal file
MAX_ACTIONS = 256  # calls in one proposal; governors allow 10 to about 100
MAX_SIGNATURE = 4096  # bytes of a signature string

_REQUIRED = ("targets", "values", "calldatas", "description")
_OPTIONAL = ("signatures", "proposer", "governor", "chainId")


def load_proposal_file(path: Path | str) -> ProposalDraft:
    """Read a proposal from a JSON file.

    Keys: `targets` (addresses), `values` (wei, numbers or decimal strings),
    `calldatas` (0x hex), `description` (text); optional `signatures` (strings, "" for
    full calldata), `proposer`, `governor` (addresses), `chainId`. Raises
    `MalformedProposal` with the field and what was expected.
    """
    path = Path(path)
    return parse_proposal(_read(path), name=path.name)


def parse_proposal(content: bytes, *, name: str = "the proposal") -> ProposalDraft:
    """Read a proposal from JSON bytes; see `load_proposal_file`. `name` shows in errors."""
    if len(content) > MAX_FILE:
        raise MalformedProposal(f"{name} has {len(content):,} bytes; at most {MAX_FILE:,} are read")
    record = _parse_json(content, name)
    _check_keys(record, name)
    targets = _list(record, "targets", name)
    values = _list(record, "values", name)
    calldatas = _list(record, "calldatas", name)
    signatures = (
        _list(record, "signatures", name) if "signatures" in record else [""] * len(targets)
    )
    lengths = {
        "targets": len(targets),
        "values": len(values),
        "signatures": len(signatures),
        "calldatas": len(calldatas),
    }
    if len(set(lengths.values())) != 1:
        counts = ", ".join(f"{count} {field}" for field, count in lengths.items())
        raise MalformedProposal(f"{name} has {counts}: the lists must have the same length")
    if not targets:
        raise MalformedProposal(f"{name} has no actions: give at least one target")
    if len(targets) > MAX_ACTIONS:
        raise MalformedProposal(
            f"{name} has {len(targets)} actions; at most {MAX_ACTIONS} are read"
        )
    raw_actions = tuple(
        RawAction(
            target=_address(targets[i], f"targets[{i}]", name),
            value=_amount(values[i], f"values[{i}]", name),
            signature=_signature(signatures[i], f"signatures[{i}]", name),
            calldata=_hex(calldatas[i], f"calldatas[{i}]", name),
        )
        for i in range(len(targets))
    )
    return ProposalDraft(
        raw_actions=raw_actions,
        actions=shared_decoder().actions(raw_actions),
        description_bytes=_text(record["description"], "description", name),
        proposer=_optional_address(record, "proposer", name),
        governor=_optional_address(record, "governor", name),
        chain_id=_chain_id(record, name),
    )


def _read(path: Path) -> bytes:
    try:
        if not path.is_file():
            raise MalformedProposal(f"{path} is not a file: give a JSON file with a proposal")
        with path.open("rb") as file:
            return file.read(MAX_FILE + 1)
    except OSError as error:
        raise MalformedProposal(f"{path} cannot be read: {error.strerror}") from error


def _parse_json(content: bytes, name: str) -> dict[str, Any]:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        record = dict(pairs)
        if len(record) != len(pairs):
            twice = next(k for k, _ in pairs if sum(k == other for other, _ in pairs) > 1)
            raise MalformedProposal(f"{name} has the key {twice[:40]!r} twice")
        return record

    def refuse(constant: str) -> NoReturn:
        raise MalformedProposal(f"{name} has {constant}, which is no JSON")

    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise MalformedProposal(
            f"{name} is not UTF-8: {error.reason} at byte {error.start}"
        ) from error
    try:
        record = json.loads(text, object_pairs_hook=unique, parse_constant=refuse)
    except json.JSONDecodeError as error:
        raise MalformedProposal(
            f"{name} is not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        ) from error
    except (ValueError, RecursionError) as error:
        # Numbers of thousands of digits, brackets nested thousands deep.
        raise MalformedProposal(f"{name} is not a proposal: {error}") from error
    if not isinstance(record, dict):
        raise MalformedProposal(f"{name} holds a {_kind(record)}; an object was expected")
    return record


def _check_keys(record: dict[str, Any], name: str) -> None:
    for key in record:
        if key not in _REQUIRED and key not in _OPTIONAL:
            known = ", ".join((*_REQUIRED, *_OPTIONAL))
            raise MalformedProposal(f"{name} has the unknown key {key[:40]!r}; known are {known}")
    for key in _REQUIRED:
        if key not in record:
            raise MalformedProposal(f"{name} has no {key!r}; it needs {', '.join(_REQUIRED)}")


def _list(record: dict[str, Any], field: str, name: str) -> Sequence[Any]:
    value = record[field]
    if not isinstance(value, list):
        _refuse(name, field, value, "a list")
    return value


def _address(value: Any, field: str, name: str) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"0x[0-9a-fA-F]{40}", value):
        _refuse(name, field, value, "an address, 0x and 40 hex digits")
    correct = to_checksum_address(value.lower())
    mixed = value[2:] not in (value[2:].lower(), value[2:].upper())
    if mixed and value != correct:
        raise MalformedProposal(
            f"{name}: {field} is {value}, whose checksum is wrong; {correct} would be right:"
            " check that no digit is mistyped"
        )
    return value.lower()


def _optional_address(record: dict[str, Any], field: str, name: str) -> str | None:
    return _address(record[field], field, name) if record.get(field) is not None else None


def _amount(value: Any, field: str, name: str) -> int:
    number = _integer(value)
    if number is None or not 0 <= number < 1 << 256:
        _refuse(name, field, value, "an amount of wei, 0 or more and below 2^256")
    return number


def _chain_id(record: dict[str, Any], name: str) -> int | None:
    value = record.get("chainId")
    if value is None:
        return None
    number = _integer(value)
    if number is None or not 0 < number < 1 << 64:
        _refuse(name, "chainId", value, "a positive number")
    return number


def _integer(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,78}", value):
        return int(value)
    if isinstance(value, str) and re.fullmatch(r"0x[0-9a-fA-F]{1,64}", value):
        return int(value, 16)
    return None


def _signature(value: Any, field: str, name: str) -> bytes:
    encoded = _text(value, field, name)
    if len(encoded) > MAX_SIGNATURE:
        raise MalformedProposal(
            f"{name}: {field} has {len(encoded):,} bytes; at most {MAX_SIGNATURE:,} are read"
        )
    return encoded


def _text(value: Any, field: str, name: str) -> bytes:
    if not isinstance(value, str):
        _refuse(name, field, value, "text")
    try:
        return value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise MalformedProposal(f"{name}: {field} has half a character at {error.start}") from error


def _hex(value: Any, field: str, name: str) -> bytes:
    if not isinstance(value, str) or not re.fullmatch(r"0x([0-9a-fA-F]{2})*", value):
        _refuse(name, field, value, "calldata, 0x and an even number of hex digits")
    return bytes.fromhex(value[2:])


def _refuse(name: str, field: str, value: Any, expected: str) -> NoReturn:
    shown = json.dumps(value)
    if len(shown) > 80:
        shown = shown[:77] + "..."
    raise MalformedProposal(f"{name}: {field} is {shown}; {expected}, was expected")


def _kind(value: Any) -> str:
    names = {list: "list", str: "text", int: "number", float: "number", bool: "truth value"}
    return names.get(type(value), "null")
