"""What an outbox entry says to Discord."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from bot.errors import DeliveryRefused
from bot.outbox import Post


class _Payload(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class LastingPayload(_Payload):
    """A proposal's message in a channel, edited in place, with a thread of its own."""

    form: Literal["lasting"] = "lasting"
    guild: int
    channel: int
    thread: str  # name of the thread
    embed: dict[str, Any]
    charts: tuple[str, ...] = ()  # names of the evaluation's charts to attach
    evaluation: int | None = None  # for the buttons, None: no buttons
    role: int | None = None  # to ping when the message is made; an edit pings nobody


class HistoryPayload(_Payload):
    """One more line of a proposal's history, in the thread of its message."""

    form: Literal["history"] = "history"
    content: str


class AlertPayload(_Payload):
    """A message in the channel of the proposal's message: the verdict became another."""

    form: Literal["alert"] = "alert"
    content: str
    role: int | None = None  # to ping


class AnswerPayload(_Payload):
    """The end of an evaluation somebody asked for: their message, edited."""

    form: Literal["answer"] = "answer"
    channel: int
    message: int
    content: str
    embed: dict[str, Any] | None = None
    charts: tuple[str, ...] = ()
    evaluation: int | None = None


Payload = Annotated[
    LastingPayload | HistoryPayload | AlertPayload | AnswerPayload, Field(discriminator="form")
]
_ADAPTER: TypeAdapter[Payload] = TypeAdapter(Payload)


def dumped(payload: Payload) -> Mapping[str, Any]:
    """Return a payload as the outbox keeps it."""
    return payload.model_dump(mode="json")


def payload_of(post: Post) -> Payload:
    """Read an outbox entry. Raises DeliveryRefused if it is not for Discord."""
    try:
        return _ADAPTER.validate_python(dict(post.payload))
    except ValidationError as error:
        raise DeliveryRefused(f"outbox entry {post.id} is not for Discord: {error}") from error
