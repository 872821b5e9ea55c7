"""Decoded calls and events as JSON, for the pipe between the worker and its parent."""

from __future__ import annotations

from typing import Any

from .calls import Action, CallSource, DecodedArgument, DecodedCall, RawAction
from .events import DecodedEvent, RawEvent
from .values import Value

Json = Any


def raw_action_to_json(raw: RawAction) -> Json:
    return [raw.target, raw.value, raw.signature.hex(), raw.calldata.hex()]


def raw_action_from_json(item: Json) -> RawAction:
    target, value, signature, calldata = item
    return RawAction(
        target=target,
        value=value,
        signature=bytes.fromhex(signature),
        calldata=bytes.fromhex(calldata),
    )


def raw_event_to_json(raw: RawEvent) -> Json:
    return [raw.contract, [t.hex() for t in raw.topics], raw.data.hex()]


def raw_event_from_json(item: Json) -> RawEvent:
    contract, topics, data = item
    return RawEvent(
        contract=contract,
        topics=tuple(bytes.fromhex(t) for t in topics),
        data=bytes.fromhex(data),
    )


def action_to_json(action: Action) -> Json:
    decoded = action.decoded
    return [
        action.target,
        action.value,
        action.signature,
        action.calldata.hex(),
        action.delegate,
        None
        if decoded is None
        else [
            decoded.selector,
            decoded.name,
            decoded.signature,
            decoded.source.value,
            decoded.kind,
            _arguments_to_json(decoded.arguments),
            decoded.error,
            list(decoded.notes),
        ],
        [action_to_json(child) for child in action.children],
    ]


def action_from_json(item: Json) -> Action:
    target, value, signature, calldata, delegate, decoded, children = item
    return Action(
        target=target,
        value=value,
        signature=signature,
        calldata=bytes.fromhex(calldata),
        delegate=delegate,
        decoded=None
        if decoded is None
        else DecodedCall(
            selector=decoded[0],
            name=decoded[1],
            signature=decoded[2],
            source=CallSource(decoded[3]),
            kind=decoded[4],
            arguments=_arguments_from_json(decoded[5]),
            error=decoded[6],
            notes=tuple(decoded[7]),
        ),
        children=tuple(action_from_json(child) for child in children),
    )


def event_to_json(event: DecodedEvent) -> Json:
    return [event.name, event.signature, _arguments_to_json(event.arguments), event.error]


def event_from_json(raw: RawEvent, item: Json) -> DecodedEvent:
    name, signature, arguments, error = item
    return DecodedEvent(
        contract=raw.contract,
        name=name,
        signature=signature,
        arguments=_arguments_from_json(arguments),
        topics=raw.topics,
        data=raw.data,
        error=error,
    )


def value_from_json(item: Json) -> Value:
    """Lists back into tuples."""
    if isinstance(item, list):
        return tuple(value_from_json(part) for part in item)
    value: Value = item
    return value


def _arguments_to_json(arguments: tuple[DecodedArgument, ...]) -> Json:
    return [[a.name, a.type, a.value] for a in arguments]


def _arguments_from_json(items: Json) -> tuple[DecodedArgument, ...]:
    return tuple(
        DecodedArgument(name=name, type=kind, value=value_from_json(value))
        for name, kind, value in items
    )
