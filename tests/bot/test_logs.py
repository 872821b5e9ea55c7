"""Logs: structured, and without secrets whoever writes them."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.logs import HIDDEN, Redactor, set_up_logging

RPC = "https://user:hunter2hunter2@rpc.example.org/v2/Zk3yAbcdefgh0123?apikey=Qq1234567890"
KEY = "discoursekey0123456789"


@pytest.fixture(autouse=True)
def _restore() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def _logged(style: str, *, secrets: tuple[str, ...] = (RPC, KEY)) -> io.StringIO:
    stream = io.StringIO()
    logging.getLogger().handlers.clear()  # pytest's own would stumble over the faulty records
    set_up_logging(secrets=secrets, style=style, level="DEBUG", stream=stream)
    return stream


@pytest.mark.parametrize("style", ["text", "json"])
def test_known_secrets_never_reach_the_stream(style: str) -> None:
    stream = _logged(style)
    log = logging.getLogger("some.library")
    log.info("asking %s with %r", RPC, {"Api-Key": KEY})
    log.warning("wrong arguments %d", KEY)
    log.info("fields", extra={"fields": {"url": RPC}})
    failure = ConnectionError(f"cannot reach {RPC}")
    log.error("it failed", exc_info=failure, stack_info=True)
    text = stream.getvalue()
    assert text.count("\n") >= 4
    for part in ("Zk3yAbcdefgh0123", "hunter2", "Qq1234567890", KEY):
        assert part not in text
    assert "rpc.example.org" in text
    assert "ConnectionError" in text


def test_what_looks_like_a_secret_is_hidden_though_unknown() -> None:
    redact = Redactor().redact
    bot_token = "MTA5NzEyMzQ1Njc4OTAxMjM0NQ." + "Gabcde." + "x" * 38
    for text, part in [
        ("GET https://mainnet.example.io/v3/0123456789abcdef0123456789abcdef", "0123456789abcdef"),
        ("wss://a:bcd@host/", "bcd"),
        ("https://x.org/rpc?foo=1&api_key=shortone", "shortone"),
        (
            "POST /api/v10/interactions/123/aW50ZXJhY3Rpb246dG9rZW4tdGhhdC1pcy1sb25n/callback",
            "aW50",
        ),
        (f"Authorization: Bot {bot_token}", bot_token),
        (f"token {bot_token} refused", bot_token),
        ("headers {'Api-Key': 'abcdefgh12345678'}", "abcdefgh12345678"),
    ]:
        assert part not in redact(text), text
        assert HIDDEN in redact(text)


def test_addresses_and_hashes_stay_readable() -> None:
    tx = "0x" + "ab" * 32
    text = f"executed {tx}, see https://etherscan.io/tx/{tx} and /t/title-of-a-topic/512"
    assert Redactor([KEY]).redact(text) == text


@given(
    st.text(alphabet=st.characters(blacklist_categories=("Cs",)), min_size=8, max_size=40),
    st.text(),
    st.text(),
)
def test_a_known_secret_is_hidden_in_any_surroundings(secret: str, head: str, tail: str) -> None:
    if secret.startswith(("http:", "https:", "ws:", "wss:")):
        return
    assert secret not in Redactor([secret]).redact(head + secret + tail).replace(HIDDEN, "\0")


def test_json_lines_are_json_and_text_cannot_be_forged() -> None:
    stream = _logged("json")
    logging.getLogger("bot").info("line\nbreak", extra={"fields": {"job": 7}})
    entry = json.loads(stream.getvalue())
    assert entry["message"] == "line\nbreak"
    assert entry["job"] == 7
    assert entry["level"] == "INFO"

    stream = _logged("text")
    logging.getLogger("bot").info("title: a\n2026-01-01 CRITICAL bot: all is lost\x1b[2J")
    assert stream.getvalue().count("\n") == 1
    assert "\x1b" not in stream.getvalue()


def test_noisy_loggers_stay_pinned_at_debug() -> None:
    stream = _logged("text")
    for name in ("discord.http", "discord.gateway", "web3", "urllib3", "websockets.client"):
        logging.getLogger(name).debug("the token is abc")
    assert stream.getvalue() == ""
    logging.getLogger("bot.follower").debug("kept")
    assert "kept" in stream.getvalue()


def test_setting_up_twice_does_not_double_lines() -> None:
    _logged("text")
    stream = _logged("text")
    logging.getLogger("bot").info("once")
    assert stream.getvalue().count("once") == 1
