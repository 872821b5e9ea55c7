"""Signatures of functions and events: `name(type name, (type, type)[] name, ...)`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from eth_hash.auto import keccak

MAX_SIGNATURE = 4096  # characters; the longest signature in use is below 1,000
MAX_NESTING = 16  # tuples inside tuples
MAX_PARAMETERS = 256  # in one signature, over all nesting levels
MAX_FIXED_LENGTH = 4096  # of a fixed array dimension such as uint256[3]

_TOKEN = re.compile(r"\s*([A-Za-z_$][A-Za-z0-9_$]*|[()\[\],]|[0-9]+)")
_IDENTIFIER = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*\Z")
_ALIASES = {"uint": "uint256", "int": "int256", "byte": "bytes1", "function": "bytes24"}
_LOCATIONS = frozenset({"memory", "calldata", "storage", "payable"})


class MalformedSignature(ValueError):
    """A text that is no signature of a function or event."""


@dataclass(frozen=True, kw_only=True)
class AbiType:
    """A Solidity ABI type, nested tuples and arrays included."""

    base: str  # elementary type such as "uint256", or "tuple"
    components: tuple[Parameter, ...] = ()  # members of a tuple, in order
    dimensions: tuple[int | None, ...] = ()  # array lengths, innermost first; None is dynamic

    @cached_property
    def canonical(self) -> str:
        """The type as it enters a selector, e.g. `(address,bytes)[]`."""
        inner = self.base
        if self.base == "tuple":
            inner = "(" + ",".join(c.type.canonical for c in self.components) + ")"
        return inner + "".join("[]" if d is None else f"[{d}]" for d in self.dimensions)

    @cached_property
    def item(self) -> AbiType:
        """The element type of an array."""
        return AbiType(base=self.base, components=self.components, dimensions=self.dimensions[:-1])

    @cached_property
    def dynamic(self) -> bool:
        """Whether values stand behind an offset."""
        if self.dimensions:
            return self.dimensions[-1] is None or self.item.dynamic
        if self.base == "tuple":
            return any(c.type.dynamic for c in self.components)
        return self.base in ("bytes", "string")

    @cached_property
    def head(self) -> int:
        """Bytes taken in the head of the enclosing value."""
        if self.dynamic:
            return 32
        if self.dimensions:
            length = self.dimensions[-1]
            return (length or 0) * self.item.head
        if self.base == "tuple":
            return sum(c.type.head for c in self.components)
        return 32


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One parameter of a function, event or tuple."""

    type: AbiType  # its type
    name: str = ""  # its name, "" if unnamed
    indexed: bool = False  # whether an event keeps it in a topic


@dataclass(frozen=True, kw_only=True)
class Fragment:
    """A function or event with its parameters."""

    name: str  # identifier
    parameters: tuple[Parameter, ...]  # in order

    @cached_property
    def signature(self) -> str:
        """The canonical signature, e.g. `transfer(address,uint256)`."""
        return f"{self.name}({','.join(p.type.canonical for p in self.parameters)})"

    @cached_property
    def topic(self) -> bytes:
        """The Keccak-256 hash of the signature, 32 bytes."""
        return keccak(self.signature.encode())

    @property
    def selector(self) -> bytes:
        """The first four bytes of `topic`."""
        return self.topic[:4]


def parse_signature(text: str) -> Fragment:
    """Parse a function or event signature, with or without parameter names.

    Tuples may be nested; `indexed` and data locations are understood. Raises
    `MalformedSignature` for anything else, and for signatures past the bounds
    at the top of this module.
    """
    if len(text) > MAX_SIGNATURE:
        raise MalformedSignature(f"{len(text)} characters; at most {MAX_SIGNATURE} are read")
    name, bracket, rest = text.partition("(")
    name = name.strip()
    if not bracket or not _IDENTIFIER.match(name):
        raise MalformedSignature(f"{text[:80]!r} is not of the form name(type,...)")
    parser = _Parser("(" + rest)
    parser.expect("(")
    parameters = parser.parameters(0)
    if parser.next is not None:
        raise MalformedSignature(f"text follows the parameters in {text[:80]!r}")
    return Fragment(name=name, parameters=parameters)


class _Parser:
    """Recursive descent over the tokens of a parameter list."""

    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._at = 0
        self._seen = 0

    @property
    def next(self) -> str | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def take(self) -> str:
        token = self.next
        if token is None:
            raise MalformedSignature("the signature ends too early")
        self._at += 1
        return token

    def expect(self, wanted: str) -> None:
        taken = self.take()
        if taken != wanted:
            raise MalformedSignature(f"{taken!r} stands where {wanted!r} was expected")

    def parameters(self, depth: int) -> tuple[Parameter, ...]:
        """The parameters up to the closing bracket, whose opening one is taken."""
        if depth > MAX_NESTING:
            raise MalformedSignature(f"tuples are nested deeper than {MAX_NESTING}")
        found: list[Parameter] = []
        if self.next == ")":
            self.take()
            return ()
        while True:
            found.append(self._parameter(depth))
            self._seen += 1
            if self._seen > MAX_PARAMETERS:
                raise MalformedSignature(f"more than {MAX_PARAMETERS} parameters")
            taken = self.take()
            if taken == ")":
                return tuple(found)
            if taken != ",":
                raise MalformedSignature(f"{taken!r} stands where ',' or ')' was expected")

    def _parameter(self, depth: int) -> Parameter:
        base, components = self._base(depth)
        dimensions: list[int | None] = []
        while self.next == "[":
            self.take()
            if self.next == "]":
                dimensions.append(None)
            else:
                dimensions.append(_length(self.take()))
            self.expect("]")
        if len(dimensions) > MAX_NESTING:
            raise MalformedSignature(f"arrays are nested deeper than {MAX_NESTING}")
        kind = AbiType(base=base, components=components, dimensions=tuple(dimensions))
        if not kind.dynamic and kind.head > 32 * MAX_FIXED_LENGTH:
            raise MalformedSignature(f"a fixed value of {kind.head} bytes")
        indexed, name = False, ""
        while self.next is not None and self.next not in ",()[]":
            word = self.take()
            if word == "indexed":
                indexed = True
            elif word not in _LOCATIONS:
                if name or not _IDENTIFIER.match(word):
                    raise MalformedSignature(f"{word!r} stands after a parameter")
                name = word
        return Parameter(type=kind, name=name, indexed=indexed)

    def _base(self, depth: int) -> tuple[str, tuple[Parameter, ...]]:
        taken = self.take()
        if taken == "tuple" and self.next == "(":
            taken = self.take()
        if taken == "(":
            components = self.parameters(depth + 1)
            if not components:
                # An empty tuple takes no bytes, so an array of them would have
                # any length for nothing; Solidity has no such type.
                raise MalformedSignature("an empty tuple is not a type")
            return "tuple", components
        base = _ALIASES.get(taken, taken)
        if not _is_elementary(base):
            raise MalformedSignature(f"{taken!r} is not an ABI type")
        return base, ()


def _tokens(text: str) -> list[str]:
    tokens: list[str] = []
    text, at = text.rstrip(), 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise MalformedSignature(f"{text[at : at + 20]!r} cannot be part of a signature")
        tokens.append(match.group(1))
        at = match.end()
    return tokens


def _length(text: str) -> int:
    if not text.isdigit() or not 1 <= len(text) <= 5 or not 1 <= int(text) <= MAX_FIXED_LENGTH:
        raise MalformedSignature(
            f"an array length of {text[:20]!r}; 1 to {MAX_FIXED_LENGTH} allowed"
        )
    return int(text)


def _is_elementary(base: str) -> bool:
    if base in ("address", "bool", "bytes", "string"):
        return True
    match = re.fullmatch(r"(uint|int|bytes)([1-9][0-9]{0,2})", base)
    if match is None:
        return False
    size = int(match.group(2))
    if match.group(1) == "bytes":
        return size <= 32
    return size <= 256 and size % 8 == 0
