"""The settings file: TOML, checked whole at start, secrets by reference.

A secret is written as `{ env = "NAME" }` or `{ file = "path" }`. URLs that hold
no key may be written plainly.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)

from bot.errors import ConfigurationError

MAX_BYTES = 1 << 20
MAX_SECRET_BYTES = 64 << 10
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")


def _secret(value: object, *, plain_allowed: bool) -> object:
    if isinstance(value, SecretStr):
        return value
    if isinstance(value, str):
        if plain_allowed:
            return value
        raise ValueError(
            'a secret is not written into the settings file: use { env = "NAME" } '
            'or { file = "path" }'
        )
    if isinstance(value, dict) and len(value) == 1:
        ((kind, where),) = value.items()
        if kind == "env" and isinstance(where, str):
            found = os.environ.get(where)
            if not found:
                raise ValueError(f"the environment variable {where} is not set")
            return found
        if kind == "file" and isinstance(where, str):
            return _read_secret(Path(where))
    raise ValueError('expected { env = "NAME" } or { file = "path" }')


def _read_secret(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_SECRET_BYTES:
            raise ValueError(f"the secret file {path} is larger than {MAX_SECRET_BYTES} bytes")
        found = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise ValueError(f"the secret file {path} cannot be read: {reason}") from error
    if not found:
        raise ValueError(f"the secret file {path} is empty")
    return found


def _checked_url(schemes: tuple[str, ...]) -> Callable[[SecretStr], SecretStr]:
    def check(value: SecretStr) -> SecretStr:
        parts = urlsplit(value.get_secret_value())
        if parts.scheme not in schemes or not parts.hostname:
            raise ValueError(f"expected a URL starting with {' or '.join(schemes)}://")
        return value

    return check


def _address(value: str) -> str:
    if not _ADDRESS.fullmatch(value):
        raise ValueError(f"expected an address of 0x and 40 hexadecimal digits, got {value!r}")
    return value.lower()


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError(
            f"expected a short name of lower case letters, digits, - and _, got {value!r}"
        )
    return value


Secret = Annotated[SecretStr, BeforeValidator(lambda v: _secret(v, plain_allowed=False))]
HttpUrl = Annotated[
    SecretStr,
    BeforeValidator(lambda v: _secret(v, plain_allowed=True)),
    AfterValidator(_checked_url(("http", "https"))),
]
WebSocketUrl = Annotated[
    SecretStr,
    BeforeValidator(lambda v: _secret(v, plain_allowed=True)),
    AfterValidator(_checked_url(("ws", "wss"))),
]
Address = Annotated[str, AfterValidator(_address)]
Name = Annotated[str, AfterValidator(_name)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ChainSettings(_Section):
    """One chain that is followed."""

    name: Name  # how people and the database call the chain
    chain_id: Count  # checked against every endpoint
    urls: Annotated[tuple[HttpUrl, ...], Field(min_length=1)]  # JSON-RPC, tried in order
    websocket: WebSocketUrl | None = None  # newHeads only wakes the follower
    confirmations: Annotated[int, Field(ge=0)] = 2  # blocks on top before a block is read
    finality: Literal["tag", "depth"] = "tag"  # ask for "finalized", or count blocks
    finality_depth: Count = 64  # blocks, where finality = "depth" or the tag is unknown
    poll: Seconds = 12.0  # seconds between looks at the head
    largest_range: Count = 10_000  # blocks in one eth_getLogs
    timeout: Seconds = 30.0  # seconds per request


class GovernorSettings(_Section):
    """One governor whose proposals are evaluated."""

    chain: Name  # name of a chain above
    address: Address
    name: Annotated[str, Field(min_length=1, max_length=60)]  # shown to people
    start_block: Annotated[int, Field(ge=0)] | None = None  # None: from the first head seen
    feeds: tuple[Address, ...] = ()  # aggregators whose move means "state moved"
    markets: tuple[Address, ...] = ()  # pools or comptrollers that drafts may change
    forum_topics: dict[str, Count] = Field(default_factory=dict)  # proposal id -> topic id
    category: Count | None = None  # Discourse category, None: the one of [discourse]


class EvaluationSettings(_Section):
    """When and how proposals are evaluated."""

    entry_point: str = "bot.evaluator_entry:run"  # module:function run in the worker process
    paths: Count = 10_000  # price paths of the battery
    seed: Annotated[int, Field(ge=0)] = 0
    policy: Path | None = None  # policy.toml, None: the default policy
    at_once: Count | None = None  # evaluations at a time, None: one per two cores
    memory: Count = 8 << 30  # bytes of address space of one worker
    time_limit: Seconds = 3600.0  # seconds of one evaluation
    attempts: Count = 3  # tries of one job before it is given up
    retry_after: Seconds = 60.0  # seconds before the second try, doubled each time
    lease: Seconds = 60.0  # seconds without heartbeat after which a job is taken up again
    queue_limit: Count = 200  # jobs waiting in all
    user_limit: Count = 3  # jobs waiting or running per Discord user
    reevaluate_move: Annotated[float, Field(gt=0, lt=10)] = 0.05  # fraction a price must move
    scorecard_after: Annotated[float, Field(ge=0)] = 86_400.0  # seconds after an execution
    reevaluate_positions: Annotated[float, Field(gt=0, lt=10)] = 0.2  # fraction of a reserve
    survey_every: Annotated[float, Field(ge=0)] = 3600.0  # seconds, of the markets; 0: never
    reevaluate_every: Seconds | None = None  # seconds, None: only when the state moved


class DiscourseSettings(_Section):
    """The forum reports are published to."""

    url: HttpUrl
    username: Annotated[str, Field(min_length=1)]
    api_key: Secret
    category: Count  # id of the category of new topics
    tags: tuple[str, ...] = ()
    follow_links: bool = True  # reply in the topic the proposal's text links to
    report_url: str | None = None  # where full reports are, "{evaluation}" and "{digest}" filled in
    post_length: Count = 32_000  # characters a post may have there
    title_length: Annotated[int, Field(ge=40, le=255)] = 255  # characters
    requests_per_minute: Count = 50  # the usual limit of a key is 60
    timeout: Seconds = 30.0


class DiscordGuildSettings(_Section):
    """What may be done in one Discord server."""

    id: Count  # of the server
    simulate: bool = True  # whether evaluations may be asked for there
    simulate_roles: tuple[int, ...] = ()  # role ids that may ask for them; none: everybody
    subscribe_roles: tuple[int, ...] = ()  # role ids that may subscribe, beside Manage Server


class DiscordSettings(_Section):
    """The Discord application."""

    token: Secret
    api_base: HttpUrl | None = None  # e.g. a compatible server; None: Discord
    gateway: WebSocketUrl | None = None  # None: Discord's
    operator_roles: tuple[int, ...] = ()  # role ids that may cancel others' jobs
    cooldown: Seconds = 10.0  # seconds between two evaluations one user asks for
    hourly: Count = 20  # evaluations one user may ask for in an hour
    most_paths: Count = 100_000  # paths one user may ask for
    edit_every: Seconds = 2.5  # seconds between two edits of a message that shows progress
    guilds: tuple[DiscordGuildSettings, ...] = ()  # servers with rules of their own


class OutboxSettings(_Section):
    """How posts are delivered."""

    retry_after: Seconds = 5.0  # seconds after the first failure, doubled each time
    retry_at_most: Seconds = 900.0  # seconds between tries at most
    settle: Seconds = 20.0  # seconds to let a lost request end before looking for its post
    held_poll: Seconds = 300.0  # seconds between looks at a post awaiting moderation


class OperationSettings(_Section):
    """The bot as a process."""

    database: Path = Path("seatrial-bot.db")
    work: Path | None = None  # folder of running evaluations, None: the system's temporary one
    health_host: Literal["127.0.0.1", "::1", "localhost"] = "127.0.0.1"
    health_port: Annotated[int, Field(ge=0, le=65535)] = 9464  # 0: any free port
    log_format: Literal["text", "json"] = "text"
    log_level: Literal["DEBUG", "INFO", "WARNING"] = "INFO"
    stop_grace: Seconds = 20.0  # seconds a shutdown waits for deliveries under way


class Settings(_Section):
    """Everything the bot is told by its operator."""

    chains: Annotated[tuple[ChainSettings, ...], Field(min_length=1)]
    governors: Annotated[tuple[GovernorSettings, ...], Field(min_length=1)]
    evaluation: EvaluationSettings = EvaluationSettings()
    outbox: OutboxSettings = OutboxSettings()
    operation: OperationSettings = OperationSettings()
    discourse: DiscourseSettings | None = None
    discord: DiscordSettings | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Settings:
        names = [chain.name for chain in self.chains]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two chains are called {name!r}: give each its own name")
        seen: set[tuple[str, str]] = set()
        for governor in self.governors:
            if governor.chain not in names:
                raise ValueError(
                    f"the governor {governor.name!r} names the chain {governor.chain!r}, "
                    f"known are: {', '.join(names)}"
                )
            key = (governor.chain, governor.address)
            if key in seen:
                raise ValueError(f"the governor {governor.address} is listed twice")
            seen.add(key)
        return self

    def governors_of(self, chain: str) -> tuple[GovernorSettings, ...]:
        """Return the governors on the chain called `chain`."""
        return tuple(governor for governor in self.governors if governor.chain == chain)

    def secrets(self) -> Iterator[str]:
        """Yield every secret value, for the log filter."""
        yield from _secrets_in(self)


def _secrets_in(value: object) -> Iterator[str]:
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _secrets_in(getattr(value, name))
    elif isinstance(value, tuple):
        for item in value:
            yield from _secrets_in(item)


def load_settings(path: Path) -> Settings:
    """Read and check the settings file.

    Relative paths in it (secret files, database, policy) are taken from the
    file's own folder. Raises ConfigurationError naming every fault at once.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ConfigurationError(
                f"{path} is larger than {MAX_BYTES} bytes: not a settings file"
            )
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(
            f"the settings file {path} cannot be read: {error.strerror}. "
            "docs/operate.md shows a complete one"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is not TOML: {error}") from error
    _anchor(raw, path.resolve().parent)
    try:
        return Settings.model_validate(raw)
    except ValidationError as error:
        raise ConfigurationError(_plain(path, error)) from error


def _anchor(raw: Any, folder: Path) -> None:
    """Make relative paths in `raw` relative to `folder`, in place."""
    if isinstance(raw, dict):
        for key, value in raw.items():
            if key in {"file", "database", "work", "policy"} and isinstance(value, str):
                raw[key] = str(folder / Path(value).expanduser())
            else:
                _anchor(value, folder)
    elif isinstance(raw, list):
        for value in raw:
            _anchor(value, folder)


def _plain(path: Path, error: ValidationError) -> str:
    """Say each fault in a line of its own; never the value given, it may be a secret."""
    lines = []
    faults = error.errors(include_url=False, include_context=False, include_input=False)
    places = [fault["loc"] for fault in faults]
    for fault in faults:
        inside = len(fault["loc"])
        if any(len(place) > inside and place[:inside] == fault["loc"] for place in places):
            continue  # a consequence of the fault further in
        where = ".".join(str(part) for part in fault["loc"]) or "the file"
        if fault["type"] == "extra_forbidden":
            said = "there is no such setting (see docs/operate.md)"
        elif fault["type"] == "missing":
            said = "is missing"
        else:
            said = fault["msg"].removeprefix("Value error, ")
        lines.append(f"  {where}: {said}")
    return f"{path} has {len(lines)} fault(s):\n" + "\n".join(lines)
