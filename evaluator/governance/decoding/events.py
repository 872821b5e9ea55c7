"""Events: what a log's topics and data say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .calls import DecodedArgument
from .known_events import known_events
from .signatures import AbiType, Fragment
from .values import Allowance, Undecodable, Value, decode_values

MAX_EVENTS = 5000  # of one execution that are decoded


@dataclass(frozen=True, kw_only=True)
class RawEvent:
    """A log as the node gives it."""

    contract: str  # address that emitted it, lower-case
    topics: tuple[bytes, ...]  # 32 bytes each
    data: bytes  # unindexed part


@dataclass(frozen=True, kw_only=True)
class DecodedEvent:
    """A log with its name and arguments, or as raw bytes with the reason."""

    contract: str  # address that emitted it, lower-case
    name: str  # event name, "" if unknown
    signature: str  # canonical signature, "" if unknown
    arguments: tuple[DecodedArgument, ...]  # in the order of the signature
    topics: tuple[bytes, ...]  # 32 bytes each
    data: bytes  # unindexed part
    error: str  # why it could not be decoded, "" if it was

    def argument(self, name: str) -> Value | None:
        """Return the value of the argument called `name`, None if there is none."""
        return next((a.value for a in self.arguments if a.name == name), None)


def decode_events(events: Sequence[RawEvent]) -> tuple[DecodedEvent, ...]:
    """Decode logs. Never raises on their content."""
    decoded: list[DecodedEvent] = []
    for count, event in enumerate(events):
        if count >= MAX_EVENTS:
            decoded.append(raw_event(event, f"only the first {MAX_EVENTS:,} events are decoded"))
        else:
            decoded.append(_decode(event))
    return tuple(decoded)


def raw_event(event: RawEvent, error: str) -> DecodedEvent:
    """A log left as raw bytes, for the given reason."""
    return DecodedEvent(
        contract=event.contract,
        name="",
        signature="",
        arguments=(),
        topics=event.topics,
        data=event.data,
        error=error,
    )


def _decode(event: RawEvent) -> DecodedEvent:
    if not event.topics:
        return raw_event(event, "it has no topic")
    fragment = known_events().get((event.topics[0], len(event.topics) - 1))
    if fragment is None:
        return raw_event(event, "the event is not known")
    try:
        arguments = _arguments(fragment, event)
    except Undecodable as error:
        return raw_event(event, f"as {fragment.signature}: {error}")
    return DecodedEvent(
        contract=event.contract,
        name=fragment.name,
        signature=fragment.signature,
        arguments=arguments,
        topics=event.topics,
        data=event.data,
        error="",
    )


def _arguments(fragment: Fragment, event: RawEvent) -> tuple[DecodedArgument, ...]:
    plain = [p.type for p in fragment.parameters if not p.indexed]
    values = iter(decode_values(plain, event.data, Allowance()))
    topics = iter(event.topics[1:])
    found: list[DecodedArgument] = []
    for parameter in fragment.parameters:
        value = _topic(parameter.type, next(topics)) if parameter.indexed else next(values)
        found.append(
            DecodedArgument(name=parameter.name, type=parameter.type.canonical, value=value)
        )
    return tuple(found)


def _topic(kind: AbiType, topic: bytes) -> Value:
    if kind.dynamic or kind.dimensions or kind.base == "tuple":
        return "0x" + topic.hex()  # only the hash of such a value is kept in a topic
    return decode_values([kind], topic, Allowance())[0]
