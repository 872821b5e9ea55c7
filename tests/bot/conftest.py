"""What the bot's tests share."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from bot.discourse_client import DiscourseClient
from bot.doubles.discourse_forum import Forum
from bot.doubles.discourse_service import DiscourseDouble
from bot.doubles.openapi import Description

DESCRIPTION = Path(__file__).parents[2] / ".." / "shared" / "data" / "discourse-openapi.json"
FORUM_KEY = "forumkey-0123456789abcdef0123456789abcdef"


# Every secret that a test of this room hands to the bot. Whatever the bot logs while the
# tests run, at any level and before any filter, must hold none of them.
SECRETS = (
    FORUM_KEY,
    "forumkey-0123456789abcdef",
    "rpcsecret123",
    "Zk3yAbcdefgh0123456789Qq",
    "discoursekey0123456789",
    "rpckey0123456789abcdef",
)


class _Search(logging.Handler):
    """Looks for secrets in everything that is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = 0
        self.leaks: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.seen += 1
        text = logging.Formatter().format(record)
        self.leaks += [f"{record.name}: {text}" for secret in SECRETS if secret in text]


@pytest.fixture(scope="session")
def _log_search() -> Iterator[_Search]:
    search = _Search()
    loggers = [logging.getLogger(name) for name in ("bot", "evaluator", "aiohttp", "websockets")]
    for logger in loggers:
        logger.addHandler(search)
    logging.getLogger("bot").setLevel(logging.DEBUG)
    yield search
    for logger in loggers:
        logger.removeHandler(search)


@pytest.fixture(autouse=True)
def _no_secret_is_logged(_log_search: _Search) -> Iterator[None]:
    """Fail the very test during which a secret was logged."""
    _log_search.leaks.clear()
    yield
    assert _log_search.leaks == []


@pytest.fixture(scope="session")
def discourse_document() -> Description | None:
    """Return the published description of Discourse's API, None where it is not at hand."""
    return Description.load(DESCRIPTION) if DESCRIPTION.exists() else None


@pytest.fixture
def forum() -> Forum:
    return Forum(key=FORUM_KEY, requests_per_minute=100_000)


@pytest.fixture
async def discourse(
    forum: Forum, discourse_document: Description | None
) -> AsyncIterator[DiscourseDouble]:
    """Serve `forum`; every request and reply must agree with the published description."""
    description = Description(discourse_document.document) if discourse_document else None
    async with DiscourseDouble(forum, description=description) as double:
        yield double
        assert double.faults == []


@pytest.fixture
async def client(discourse: DiscourseDouble) -> AsyncIterator[DiscourseClient]:
    async with DiscourseClient(
        SecretStr(discourse.url),
        username="seatrial",
        api_key=SecretStr(FORUM_KEY),
        requests_per_minute=60_000,
        timeout=2.0,
    ) as ready:
        yield ready
