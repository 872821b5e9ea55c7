"""Parse interfaces: JSON ABIs and one-line signatures, into plain values.

A signature reads like Solidity: "function balanceOf(address) view returns
(uint256)", "event Transfer(address indexed from, address indexed to, uint256
value)", "error Unauthorized(address caller)", "constructor(address owner)".
Tuples are written "(uint256 id, address to)[] items".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from evaluator.errors import ConfigurationError

Kind = Literal["function", "event", "error", "constructor"]

_WORDS = frozenset({"memory", "calldata", "storage", "payable"})
_ALIAS = re.compile(r"^(u?int)(?=\[|$)")
_MUTABILITY = re.compile(r"\b(view|pure|payable|nonpayable)\b")
_HEAD = re.compile(r"^(function|event|error|constructor)?\s*([A-Za-z_$][\w$]*)?\s*\(")


@dataclass(frozen=True, kw_only=True)
class AbiParameter:
    """One input, output or field."""

    name: str  # "" if it has none
    type: str  # canonical: tuples as "(uint256,address)[]"
    components: tuple[AbiParameter, ...] = ()  # fields, if the base type is a tuple
    indexed: bool = False  # events: whether it is a topic


@dataclass(frozen=True, kw_only=True)
class AbiEntry:
    """A function, event, error or constructor."""

    kind: Kind
    name: str  # "" for a constructor
    inputs: tuple[AbiParameter, ...]
    outputs: tuple[AbiParameter, ...] = ()
    mutability: str = "nonpayable"  # view, pure, payable or nonpayable
    anonymous: bool = False  # events: has no topic of its own

    # Kept: agents encode the same call thousands of times a second.
    @cached_property
    def types(self) -> tuple[str, ...]:
        """Canonical types of the inputs."""
        return tuple(parameter.type for parameter in self.inputs)

    @cached_property
    def signature(self) -> str:
        """Name and canonical types, as in "transfer(address,uint256)"."""
        return f"{self.name}({','.join(self.types)})"


def parse_entry(entry: str | Mapping[str, Any]) -> AbiEntry | None:
    """Parse one ABI entry; None for kinds without a codec (fallback, receive).

    Raises ConfigurationError for text that is no signature.
    """
    if isinstance(entry, str):
        return _parse_text(entry)
    kind = entry.get("type", "function")
    if kind not in ("function", "event", "error", "constructor"):
        return None
    mutability = entry.get("stateMutability")
    if mutability is None:  # ABIs of compilers before 0.4.16
        mutability = "view" if entry.get("constant") else "nonpayable"
    return AbiEntry(
        kind=kind,
        name=str(entry.get("name", "")),
        inputs=tuple(_from_json(item) for item in entry.get("inputs", ())),
        outputs=tuple(_from_json(item) for item in entry.get("outputs", ())),
        mutability=str(mutability),
        anonymous=bool(entry.get("anonymous", False)),
    )


def parse_types(signature: str) -> tuple[str, tuple[str, ...]]:
    """Split "name(type,(type,type)[])" into its name and canonical types.

    Raises ConfigurationError for text that is no signature.
    """
    entry = _parse_text(f"function {signature.strip()}")
    return entry.name, tuple(parameter.type for parameter in entry.inputs)


def _from_json(item: Mapping[str, Any]) -> AbiParameter:
    kind = str(item["type"])
    components = tuple(_from_json(part) for part in item.get("components", ()))
    if kind.startswith("tuple"):
        kind = f"({','.join(part.type for part in components)}){kind[len('tuple') :]}"
    return AbiParameter(
        name=str(item.get("name", "")),
        type=kind,
        components=components,
        indexed=bool(item.get("indexed", False)),
    )


def _parse_text(text: str) -> AbiEntry:
    source = " ".join(text.strip().rstrip(";").split())
    head = _HEAD.match(source)
    if head is None:
        raise _bad(text, "it has no name and parenthesis")
    kind, name = head.group(1), head.group(2) or ""
    if kind is None and name == "constructor":
        kind, name = "constructor", ""
    kind = kind or "function"
    if not name and kind != "constructor":
        raise _bad(text, "it has no name")
    inside, rest = _parenthesis(source, head.end() - 1, text)
    outputs: tuple[AbiParameter, ...] = ()
    at = rest.find("returns")
    modifiers = rest if at < 0 else rest[:at]
    if at >= 0:
        opening = rest.find("(", at)
        if opening < 0:
            raise _bad(text, "its returns has no parenthesis")
        outputs = _parameters(_parenthesis(rest, opening, text)[0], text)
    mutability = _MUTABILITY.search(modifiers)
    return AbiEntry(
        kind=kind,  # type: ignore[arg-type]
        name=name,
        inputs=_parameters(inside, text),
        outputs=outputs,
        mutability=mutability.group(1) if mutability else "nonpayable",
        anonymous="anonymous" in modifiers.split(),
    )


def _parenthesis(text: str, opening: int, whole: str) -> tuple[str, str]:
    """Return what stands between the bracket at `opening` and its partner, and the rest."""
    depth = 0
    for at in range(opening, len(text)):
        depth += (text[at] == "(") - (text[at] == ")")
        if depth == 0:
            return text[opening + 1 : at], text[at + 1 :]
    raise _bad(whole, "a parenthesis is not closed")


def _parameters(text: str, whole: str) -> tuple[AbiParameter, ...]:
    """Split at the commas outside of any parenthesis and parse each part."""
    if not text.strip():
        return ()
    parts: list[str] = []
    depth = start = 0
    for at, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            parts.append(text[start:at])
            start = at + 1
    parts.append(text[start:])
    return tuple(_parameter(part.strip(), whole) for part in parts)


def _parameter(text: str, whole: str) -> AbiParameter:
    text = text.removeprefix("tuple")
    components: tuple[AbiParameter, ...] = ()
    if text.startswith("("):
        inside, rest = _parenthesis(text, 0, whole)
        components = _parameters(inside, whole)
        suffix, _, words = rest.partition(" ")
        kind = f"({','.join(part.type for part in components)}){suffix}"
    else:
        kind, _, words = text.partition(" ")
        kind = _ALIAS.sub(r"\g<1>256", kind)
    if not kind or not re.fullmatch(r"(?:\(.*\)|[a-z]+\d*(?:x\d+)?)(?:\[\d*\])*", kind):
        raise _bad(whole, f"{text!r} is no type")
    names = [word for word in words.split() if word not in _WORDS]
    indexed = "indexed" in names
    names = [word for word in names if word != "indexed"]
    return AbiParameter(
        name=names[0] if names else "", type=kind, components=components, indexed=indexed
    )


def _bad(text: str, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"{text[:200]!r} is no signature: {why}. Expected the like of "
        "'function balanceOf(address owner) view returns (uint256)'"
    )
