"""Structured logs without secrets.

Every record passes `RedactingFilter` on the handler, after formatting of its
arguments and its traceback, so that libraries' records are covered as well.
"""

from __future__ import annotations

import datetime
import json
import logging
import re
import sys
import traceback
from collections.abc import Iterable
from typing import TextIO
from urllib.parse import parse_qsl, quote, urlsplit

HIDDEN = "[hidden]"
SHORTEST_SECRET = 8  # characters; shorter parts would hide ordinary words

# Their DEBUG (and for some INFO) records print URLs with keys, interaction tokens or every frame.
NOISY = {
    "aiohttp.access": logging.WARNING,
    "asyncio": logging.WARNING,
    "discord": logging.INFO,
    "discord.client": logging.INFO,
    "discord.gateway": logging.INFO,
    "discord.http": logging.INFO,
    "discord.webhook": logging.INFO,
    "matplotlib": logging.WARNING,
    "numba": logging.WARNING,
    "requests": logging.INFO,
    "urllib3": logging.INFO,
    "web3": logging.INFO,
    "websockets": logging.INFO,
    "websockets.client": logging.INFO,
}

_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    # user:password@ in any URL
    (re.compile(r"(?P<head>\b[a-z][a-z0-9+.-]*://)[^\s/@'\"]+@"), rf"\g<head>{HIDDEN}@"),
    # ?apikey=... and the like
    (
        re.compile(
            r"(?P<head>[?&](?:api[-_]?key|key|token|access[-_]?token|auth|secret|password)=)"
            r"[^&\s'\"]+",
            re.IGNORECASE,
        ),
        rf"\g<head>{HIDDEN}",
    ),
    # a long opaque path segment: providers put keys there (/v3/<key>); a topic's slug is not one
    (
        re.compile(
            r"(?P<head>\b(?:https?|wss?)://[^\s'\"]*?/)(?!0x)(?=(?:[^\s/]*\d){3})[A-Za-z0-9_-]{24,}"
        ),
        rf"\g<head>{HIDDEN}",
    ),
    # Discord's interaction and webhook tokens
    (
        re.compile(r"(?P<head>/(?:webhooks|interactions)/\d+/)[A-Za-z0-9._-]{20,}"),
        rf"\g<head>{HIDDEN}",
    ),
    # headers as printed by clients
    (
        re.compile(
            r"(?P<head>\b(?:api-key|authorization|x-api-key)\b['\"]?\s*[:=]\s*['\"]?"
            r"(?:(?:bot|bearer|basic)\s+)?)[^\s'\",}]{8,}",
            re.IGNORECASE,
        ),
        rf"\g<head>{HIDDEN}",
    ),
    # a Discord bot token: id, time and signature in base64
    (re.compile(r"\b[A-Za-z0-9_-]{23,28}\.[A-Za-z0-9_-]{6,7}\.[A-Za-z0-9_-]{27,}\b"), HIDDEN),
)


class Redactor:
    """Replaces known secrets, and what looks like one, in text.

    A secret that is a URL hides its user, password, path segments and query
    values wherever they turn up; its host stays readable.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        parts: set[str] = set()
        for secret in secrets:
            parts.update(_telling_parts(secret))
        ordered = sorted(parts, key=lambda part: (-len(part), part))
        self._known = re.compile("|".join(map(re.escape, ordered))) if ordered else None

    def redact(self, text: str) -> str:
        """Return `text` without secrets."""
        if self._known is not None:
            text = self._known.sub(HIDDEN, text)
        for pattern, replacement in _PATTERNS:
            text = pattern.sub(replacement, text)
        return text

    def __repr__(self) -> str:
        return "Redactor()"


def _telling_parts(secret: str) -> set[str]:
    url = urlsplit(secret)
    if url.scheme in {"http", "https", "ws", "wss"} and url.netloc:
        found = {url.username or "", url.password or ""}
        found.update(url.path.split("/"))
        found.update(value for _, value in parse_qsl(url.query))
        found = {part for part in found if len(part) >= SHORTEST_SECRET}
    else:
        found = {secret} if len(secret) >= 4 else set()
    return found | {quote(part, safe="") for part in found}


class RedactingFilter(logging.Filter):
    """Rewrites a record so that no handler behind it sees a secret."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redactor = redactor

    def filter(self, record: logging.LogRecord) -> bool:
        """Redact message, arguments and traceback; keep every record."""
        try:
            message = record.getMessage()
        except (TypeError, ValueError):
            message = f"{record.msg!r} with arguments {record.args!r}"
        record.msg = self._redactor.redact(message)
        record.args = None
        if record.exc_info and record.exc_info[0] is not None:
            record.exc_text = self._redactor.redact(
                "".join(traceback.format_exception(*record.exc_info)).rstrip()
            )
            record.exc_info = None
        elif record.exc_text:
            record.exc_text = self._redactor.redact(record.exc_text)
        if record.stack_info:
            record.stack_info = self._redactor.redact(record.stack_info)
        fields = getattr(record, "fields", None)
        if isinstance(fields, dict):
            record.fields = {
                key: self._redactor.redact(value) if isinstance(value, str) else value
                for key, value in fields.items()
            }
        return True


class TextFormatter(logging.Formatter):
    """One line for people: time, level, logger, message, fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, control characters escaped, then the traceback if any."""
        when = datetime.datetime.fromtimestamp(record.created, datetime.UTC)
        message = _printable(record.getMessage())
        fields = "".join(f" {key}={value}" for key, value in _fields(record).items())
        line = f"{when:%Y-%m-%d %H:%M:%S} {record.levelname:<7} {record.name}: {message}"
        tail = f"\n{record.exc_text}" if record.exc_text else ""
        return line + _printable(fields) + tail


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        when = datetime.datetime.fromtimestamp(record.created, datetime.UTC)
        entry: dict[str, object] = {
            "time": when.isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **_fields(record),
        }
        if record.exc_text:
            entry["traceback"] = record.exc_text
        return json.dumps(entry, ensure_ascii=False, default=str)


def _fields(record: logging.LogRecord) -> dict[str, object]:
    fields = getattr(record, "fields", None)
    return fields if isinstance(fields, dict) else {}


def _printable(text: str) -> str:
    """Escape control characters: hostile text must not forge log lines."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def set_up_logging(
    *,
    secrets: Iterable[str] = (),
    style: str = "text",
    level: str = "INFO",
    stream: TextIO | None = None,
) -> Redactor:
    """Send all logs to `stream` (standard error), redacted; return the redactor.

    `style` is "text" or "json". Loggers known to print secrets or floods are
    pinned, whatever `level` says.
    """
    redactor = Redactor(secrets)
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter() if style == "json" else TextFormatter())
    handler.addFilter(RedactingFilter(redactor))
    root = logging.getLogger()
    for old in list(root.handlers):
        if getattr(old, "seatrial", False):
            root.removeHandler(old)
    handler.seatrial = True  # type: ignore[attr-defined]
    root.addHandler(handler)
    root.setLevel(level)
    pin_noisy_loggers()
    logging.captureWarnings(True)
    return redactor


def pin_noisy_loggers() -> None:
    """Keep loggers that print secrets or floods from going below their pinned level."""
    for name, level in NOISY.items():
        logging.getLogger(name).setLevel(max(level, logging.getLogger().level))
