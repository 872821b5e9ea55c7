"""Keep the keys of RPC endpoints out of everything that is shown.

Providers put keys into a URL's path, query or user part. Two nets catch them:
`register` remembers the secret parts of every URL in use, so that they are
found in texts that quote a path without its host (urllib3 does), and a pattern
finds whole URLs that were never registered.
"""

from __future__ import annotations

import logging
import re
import threading
from urllib.parse import parse_qsl, unquote, urlsplit

_MASK = "***"
_URL = re.compile(r"\b(?:https?|wss?)://[^\s\"'<>`\\]+", re.IGNORECASE)
# Path segments that name a service and hold no key.
_PLAIN_SEGMENT = re.compile(
    r"v\d{1,2}|rpc|api|json-?rpc|mainnet|ethereum|eth|bsc|bnb|polygon|arbitrum|optimism|base"
    r"|avalanche|sepolia|holesky|evm|ext|bc|C|http|https|jsonrpc",
    re.IGNORECASE,
)
# Random-looking segments: long, letters and digits mixed, not words joined by hyphens.
_KEY_LIKE = re.compile(
    r"(?=[^/]*\d)(?=[^/]*[A-Za-z])(?![a-z0-9]{1,15}(?:-[a-z0-9]{1,15})+$)[\w-]{16,}"
)
_ANYTHING = re.compile(r".*", re.DOTALL)
_SHORTEST_SECRET = 6  # characters; shorter parts would mask ordinary words

_lock = threading.Lock()
_secrets: set[str] = set()


def register(url: str) -> None:
    """Remember the secret parts of `url`, so that `redact` masks them anywhere."""
    found = {part for part in _secret_parts(url) if len(part) >= _SHORTEST_SECRET}
    with _lock:
        _secrets.update(found)


def label(url: str) -> str:
    """Name an endpoint for display: scheme, host and port, every other part masked."""
    return _redact_url(url, _ANYTHING)


def redact(text: str) -> str:
    """Mask URL credentials and keys within `text`."""
    masked = _URL.sub(lambda match: _redact_url(match.group(), _KEY_LIKE), text)
    with _lock:
        known = sorted(_secrets, key=len, reverse=True)
    for secret in known:
        masked = masked.replace(secret, _MASK)
    return masked


def redact_logs() -> None:
    """Mask keys in every log record made from now on, whoever logs it.

    Works on the record factory, because filters of one logger do not see what
    its children propagate.
    """
    inner = logging.getLogRecordFactory()
    if getattr(inner, "redacts", False):
        return

    def factory(*args: object, **kwargs: object) -> logging.LogRecord:
        record = inner(*args, **kwargs)
        record.msg, record.args = redact(record.getMessage()), ()
        if record.exc_info and record.exc_info[0] is not None:
            record.exc_text = redact(logging.Formatter().formatException(record.exc_info))
        return record

    factory.redacts = True  # type: ignore[attr-defined]
    logging.setLogRecordFactory(factory)


def _redact_url(url: str, masked: re.Pattern[str]) -> str:
    tail = url[len(url.rstrip(".,;:)]}")) :]
    try:
        parts = urlsplit(url[: len(url) - len(tail)])
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return _MASK
    segments = [
        _MASK
        if segment and not _PLAIN_SEGMENT.fullmatch(segment) and masked.fullmatch(segment)
        else segment
        for segment in parts.path.split("/")
    ]
    credentials = f"{_MASK}@" if "@" in parts.netloc else ""
    query = f"?{_MASK}" if parts.query else ""
    return f"{parts.scheme}://{credentials}{host}{port}{'/'.join(segments)}{query}{tail}"


def _secret_parts(url: str) -> set[str]:
    try:
        parts = urlsplit(url)
        found = {parts.username or "", parts.password or ""}
    except ValueError:
        return set()
    found.update(
        segment for segment in parts.path.split("/") if not _PLAIN_SEGMENT.fullmatch(segment)
    )
    found.update(value for _, value in parse_qsl(parts.query))
    if "=" not in parts.query:
        found.add(parts.query)
    return found | {unquote(part) for part in found}
