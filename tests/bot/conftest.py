"""What the bot's tests share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from bot.discourse_client import DiscourseClient
from bot.doubles.discourse_forum import Forum
from bot.doubles.discourse_service import DiscourseDouble
from bot.doubles.openapi import Description

DESCRIPTION = Path(__file__).parents[2] / ".." / "shared" / "data" / "discourse-openapi.json"
FORUM_KEY = "forumkey-0123456789abcdef0123456789abcdef"


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
