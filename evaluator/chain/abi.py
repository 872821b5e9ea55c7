"""Encode and decode calls, results, events and errors by a contract's interface.

Addresses are lower-case hex with 0x throughout the chain room; they are
checksummed only where a person reads them. Structs and several results come
back as named tuples. Text that is not UTF-8 is decoded with replacement
characters, because a hostile string must not stop a reader.
"""

from __future__ import annotations

import functools
from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eth_abi.codec import ABICodec
from eth_abi.decoding import StringDecoder
from eth_abi.encoding import TextStringEncoder
from eth_abi.exceptions import DecodingError, EncodingError, ParseError
from eth_abi.registry import BaseEquals
from eth_abi.registry import registry as _default_registry
from eth_utils.crypto import keccak

from evaluator.chain.plain_encoding import encode_plain
from evaluator.chain.receipts import Log
from evaluator.chain.signatures import AbiEntry, AbiParameter, parse_entry
from evaluator.errors import ChainError, ConfigurationError

_registry = _default_registry.copy()  # type: ignore[no-untyped-call]
_registry.unregister("string")
_registry.register(
    BaseEquals("string", with_sub=False),  # type: ignore[no-untyped-call]
    TextStringEncoder,
    StringDecoder(handle_string_errors="replace"),  # type: ignore[no-untyped-call]
    label="string",
)
_codec = ABICodec(_registry)
_SMALL = 1024  # bytes of a result that is worth keeping


@dataclass(frozen=True, kw_only=True)
class DecodedArgument:
    """One named value of a call or an event."""

    name: str  # "" if the interface names it not
    type: str  # canonical ABI type
    value: Any  # int, bool, str (addresses lower-case), bytes or nested tuples


@dataclass(frozen=True, kw_only=True)
class DecodedCall:
    """A call read back from its calldata."""

    name: str  # function name
    signature: str  # "transfer(address,uint256)"
    arguments: tuple[DecodedArgument, ...]

    def __getitem__(self, name: str) -> Any:
        return _named(self.arguments, name)


@dataclass(frozen=True, kw_only=True)
class DecodedEvent:
    """A log read by its event's interface."""

    name: str  # event name
    signature: str  # "Transfer(address,address,uint256)"
    arguments: tuple[DecodedArgument, ...]  # in order of declaration
    log: Log  # the log it was read from

    @property
    def address(self) -> str:
        """The contract that emitted it."""
        return self.log.address

    def __getitem__(self, name: str) -> Any:
        return _named(self.arguments, name)


class Abi:
    """A contract's interface with its codecs."""

    def __init__(self, entries: Iterable[AbiEntry]) -> None:
        """Index `entries` by name, selector and topic."""
        self.entries = tuple(entries)
        self.functions: dict[str, list[AbiEntry]] = {}
        self.selectors: dict[bytes, AbiEntry] = {}
        self.errors: dict[bytes, AbiEntry] = {}
        self.topics: dict[bytes, list[AbiEntry]] = {}
        self.constructor: AbiEntry | None = None
        for entry in self.entries:
            if entry.kind == "function":
                self.functions.setdefault(entry.name, []).append(entry)
                self.selectors[selector(entry.signature)] = entry
            elif entry.kind == "error":
                self.errors[selector(entry.signature)] = entry
            elif entry.kind == "event":
                self.topics.setdefault(topic(entry.signature), []).append(entry)
            else:
                self.constructor = entry

    @classmethod
    def parse(cls, source: Iterable[str | Mapping[str, Any]]) -> Abi:
        """Parse JSON ABI entries and one-line signatures, in any mix.

        Raises ConfigurationError for text that is no signature.
        """
        if isinstance(source, str):
            source = [source]
        return cls(entry for entry in map(parse_entry, source) if entry is not None)

    def __add__(self, other: Abi) -> Abi:
        """Join two interfaces, as of a proxy and its implementation."""
        return Abi(dict.fromkeys((*self.entries, *other.entries)))

    def __contains__(self, fn: object) -> bool:
        """Say whether a function of this name or signature is known."""
        if not isinstance(fn, str):
            return False
        return bool(self.functions.get(fn)) or any(
            entry.signature == fn for entry in self.functions.get(fn.partition("(")[0], ())
        )

    def function(self, fn: str, count: int | None = None) -> AbiEntry:
        """Find a function by name, or by signature if the name is overloaded.

        `count` is the number of arguments, which may settle an overload. Raises
        ConfigurationError if none or several fit.
        """
        name = fn.partition("(")[0]
        found = self.functions.get(name, [])
        if "(" in fn:
            found = [entry for entry in found if entry.signature == fn.replace(" ", "")]
        elif len(found) > 1 and count is not None:
            found = [entry for entry in found if len(entry.inputs) == count]
        if len(found) != 1:
            known = ", ".join(entry.signature for entry in self.functions.get(name, [])) or "none"
            raise ConfigurationError(
                f"the function {fn!r} was asked for and {len(found)} fit; of that name the "
                f"interface has: {known}"
            )
        return found[0]

    def encode(self, fn: str, *args: object) -> bytes:
        """Encode a call: selector and arguments. Raises ConfigurationError."""
        entry = self.function(fn, len(args))
        return selector(entry.signature) + encode_values(entry, args)

    def encode_constructor(self, *args: object) -> bytes:
        """Encode constructor arguments. Raises ConfigurationError."""
        entry = self.constructor or AbiEntry(kind="constructor", name="", inputs=())
        return encode_values(entry, args)

    def decode_output(self, fn: str, data: bytes) -> Any:
        """Decode a result: the value, or a named tuple if there are several.

        Raises ChainError if `data` does not fit the interface.
        """
        return decode_result(self.function(fn), data)

    def decode_input(self, data: bytes) -> DecodedCall | None:
        """Decode calldata; None if the selector is unknown.

        Raises ChainError if the arguments do not fit.
        """
        entry = self.selectors.get(data[:4])
        if entry is None:
            return None
        values = decode_values(entry.inputs, data[4:])
        return DecodedCall(
            name=entry.name,
            signature=entry.signature,
            arguments=_arguments(entry.inputs, values),
        )

    def decode_error(self, data: bytes) -> DecodedCall | None:
        """Decode revert data by the errors of this interface; None if unknown."""
        entry = self.errors.get(data[:4])
        if entry is None:
            return None
        values = decode_values(entry.inputs, data[4:])
        return DecodedCall(
            name=entry.name,
            signature=entry.signature,
            arguments=_arguments(entry.inputs, values),
        )

    def decode_log(self, log: Log) -> DecodedEvent | None:
        """Decode a log; None if no event of this interface fits it.

        Indexed strings, bytes, arrays and structs come back as their 32-byte hash.
        Raises ChainError if topic and count of topics fit but the data does not.
        """
        if not log.topics:
            return None
        for entry in self.topics.get(log.topics[0], ()):
            indexed = [parameter for parameter in entry.inputs if parameter.indexed]
            if len(indexed) != len(log.topics) - 1:
                continue
            plain = [parameter for parameter in entry.inputs if not parameter.indexed]
            data = iter(decode_values(plain, log.data))
            topics = iter(log.topics[1:])
            values = [
                _topic_value(parameter, next(topics)) if parameter.indexed else next(data)
                for parameter in entry.inputs
            ]
            return DecodedEvent(
                name=entry.name,
                signature=entry.signature,
                arguments=_arguments(entry.inputs, values),
                log=log,
            )
        return None

    def event_topic(self, name: str) -> bytes:
        """The topic of the event `name`. Raises ConfigurationError if unknown or overloaded."""
        found = [key for key, entries in self.topics.items() if entries[0].name == name]
        if len(found) != 1:
            raise ConfigurationError(f"the interface has {len(found)} events named {name!r}")
        return found[0]


@functools.lru_cache(maxsize=65536)
def selector(signature: str) -> bytes:
    """The first four bytes of a signature's hash."""
    return bytes(keccak(text=signature)[:4])


@functools.lru_cache(maxsize=65536)
def topic(signature: str) -> bytes:
    """The 32-byte hash of an event's signature."""
    return bytes(keccak(text=signature))


def encode_values(entry: AbiEntry, args: Sequence[object]) -> bytes:
    """Encode `args` by the inputs of `entry`. Raises ConfigurationError."""
    if len(args) != len(entry.inputs):
        raise ConfigurationError(
            f"{entry.signature} takes {len(entry.inputs)} arguments and was given {len(args)}"
        )
    plain = encode_plain(entry.types, args)
    if plain is not None:
        return plain
    try:
        return bytes(_codec.encode(entry.types, list(args)))
    except (EncodingError, ParseError, TypeError, ValueError, AttributeError) as error:
        raise ConfigurationError(f"the arguments do not fit {entry.signature}: {error}") from error


def decode_values(parameters: Sequence[AbiParameter], data: bytes) -> tuple[Any, ...]:
    """Decode `data`, structs as named tuples. Raises ChainError."""
    try:
        values = _codec.decode([parameter.type for parameter in parameters], data, strict=False)
    except (DecodingError, ParseError, OverflowError, ValueError, RecursionError) as error:
        types = ",".join(parameter.type for parameter in parameters)
        raise ChainError(f"{len(data)} bytes do not decode as ({types}): {error}") from error
    return tuple(
        _shape(parameter)(value) for parameter, value in zip(parameters, values, strict=True)
    )


def decode_result(entry: AbiEntry, data: bytes) -> Any:
    """Decode what a function returned: one value, a named tuple, or None."""
    if not entry.outputs:
        return None
    if not data:
        raise ChainError(
            f"{entry.signature} returned nothing: there is probably no such contract at this "
            "address and block"
        )
    return _small_result(entry, data) if len(data) <= _SMALL else _result(entry, data)


def _result(entry: AbiEntry, data: bytes) -> Any:
    values = decode_values(entry.outputs, data)
    if len(values) == 1:
        return values[0]
    return _record(tuple(parameter.name for parameter in entry.outputs))(*values)


# A market is read several times, and most of its answers are the same; values are immutable.
_small_result = functools.lru_cache(maxsize=4096)(_result)


@functools.lru_cache(maxsize=4096)
def _shape(parameter: AbiParameter) -> Callable[[Any], Any]:
    """Build the function that names the fields of a decoded value."""
    if not parameter.components:
        return _as_is
    if parameter.type.endswith("]"):
        inner = AbiParameter(
            name="",
            type=parameter.type[: parameter.type.rindex("[")],
            components=parameter.components,
        )
        shape = _shape(inner)
        return lambda values: tuple(shape(value) for value in values)
    record = _record(tuple(part.name for part in parameter.components))
    shapes = [_shape(part) for part in parameter.components]
    return lambda values: record(*(shape(v) for shape, v in zip(shapes, values, strict=True)))


def _as_is(value: Any) -> Any:
    return value


@functools.lru_cache(maxsize=4096)
def _record(names: tuple[str, ...]) -> Callable[..., tuple[Any, ...]]:
    """A named tuple; fields without a usable name are called _0, _1 and so on."""
    return namedtuple("Record", names, rename=True)


def _topic_value(parameter: AbiParameter, word: bytes) -> Any:
    dynamic = parameter.type in ("string", "bytes") or parameter.type.endswith((")", "]"))
    return word if dynamic else decode_values((parameter,), word)[0]


def _arguments(
    parameters: Sequence[AbiParameter], values: Sequence[Any]
) -> tuple[DecodedArgument, ...]:
    return tuple(
        DecodedArgument(name=parameter.name, type=parameter.type, value=value)
        for parameter, value in zip(parameters, values, strict=True)
    )


def _named(arguments: tuple[DecodedArgument, ...], name: str) -> Any:
    for argument in arguments:
        if argument.name == name:
            return argument.value
    raise KeyError(name)
