"""One thread's way to one endpoint: straight for a node of this machine, else by `requests`.

An evaluation asks its local node about a thousand times. By `requests` (proxies, cookies,
adapters) a small request takes three times the processor time of a plain one, and a node
on loopback needs none of it.
"""

from __future__ import annotations

import http.client
import select
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import cached_property
from typing import Any, Protocol
from urllib.parse import urlsplit

_HEADERS = {"Content-Type": "application/json"}
_CONNECT_LIMIT = 10.0  # seconds to reach an endpoint, within the time of a reply


class Headers(Protocol):
    """Headers by name, in any letter case."""

    def get(self, name: str, failobj: str, /) -> str:
        """Return a header's value, or `failobj` if there is none."""
        ...


class Reply(Protocol):
    """What an endpoint answered, not read yet."""

    @property
    def status(self) -> int:
        """The HTTP status."""
        ...

    @property
    def headers(self) -> Headers:
        """The reply's headers."""
        ...

    def read1(self, amount: int, /) -> bytes:
        """Return what has come, `amount` bytes at most; empty at the end."""
        ...


class NoReply(Exception):
    """The endpoint could not be reached, broke off or was too slow."""

    def __init__(self, cause: BaseException, *, late: bool) -> None:
        super().__init__(str(cause))
        self.cause = cause  # what the library says
        self.late = late  # it was reached, and did not answer in time


class Connection(Protocol):
    """Sends request bodies to one endpoint, one after the other."""

    def post(self, body: bytes, timeout: float) -> AbstractContextManager[Reply]:
        """Send a body; `timeout` in seconds bounds each wait. Raises NoReply."""
        ...

    def close(self) -> None:
        """Let go of the endpoint; the next `post` connects again."""
        ...


def connect(url: str) -> Connection:
    """Return the way to an endpoint; nothing is opened yet."""
    parts = urlsplit(url)
    local = parts.hostname in ("127.0.0.1", "localhost", "::1")
    if local and parts.scheme == "http" and parts.username is None and url.isascii():
        # A port that is none is told by `requests` when something is sent.
        with suppress(ValueError):
            target = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
            return _Straight(parts.hostname or "", parts.port or 80, target)
    return _ByRequests(url, local=local)


class _Straight:
    """HTTP/1.1 over one connection that is kept."""

    def __init__(self, host: str, port: int, target: str) -> None:
        self._connection = http.client.HTTPConnection(host, port)
        self._target = target

    @contextmanager
    def post(self, body: bytes, timeout: float) -> Iterator[Reply]:
        line = self._connection
        try:
            if line.sock is not None and _ended(line.sock):
                line.close()  # an idle connection that the endpoint closed
            if line.sock is None:
                line.timeout = min(_CONNECT_LIMIT, timeout)
                line.connect()
            line.sock.settimeout(timeout)
            line.request("POST", self._target, body, _HEADERS)
            with line.getresponse() as reply:
                yield reply
        except (OSError, http.client.HTTPException) as error:
            line.close()
            raise NoReply(error, late=isinstance(error, TimeoutError)) from error
        except BaseException:
            line.close()  # what was not read would be taken for the next reply
            raise

    def close(self) -> None:
        self._connection.close()


def _ended(sock: Any) -> bool:
    """Whether there is something to read before anything was asked: the end."""
    watch = select.poll()
    watch.register(sock, select.POLLIN)
    return bool(watch.poll(0))


class _ByRequests:
    """By `requests`: proxies, certificates and credentials as its users know them."""

    def __init__(self, url: str, *, local: bool) -> None:
        # Imported here: who only speaks to a node of this machine never needs it.
        import requests

        self._url = url
        self._session = requests.Session()
        self._session.trust_env = not local  # proxies and .netrc are for other machines
        self._request = requests.Request("POST", url, data=b"{}", headers=_HEADERS)

    @cached_property
    def _prepared(self) -> tuple[Any, dict[str, Any]]:
        """What all requests share; raises for a URL that is none."""
        settings = self._session.merge_environment_settings(self._url, {}, True, None, None)
        return self._session.prepare_request(self._request), {**settings}

    @contextmanager
    def post(self, body: bytes, timeout: float) -> Iterator[Reply]:
        import requests
        import urllib3.exceptions

        limits = (min(_CONNECT_LIMIT, timeout), timeout)
        try:
            request, settings = self._prepared
            request.body = body
            request.headers["Content-Length"] = str(len(body))
            with self._session.send(request, timeout=limits, **settings) as reply:
                yield _Decoded(reply)
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            slow = isinstance(error, requests.Timeout | urllib3.exceptions.TimeoutError)
            raise NoReply(error, late=slow) from error

    def close(self) -> None:
        self._session.close()


class _Decoded:
    """A reply of `requests`, unpacked as it is read."""

    def __init__(self, reply: Any) -> None:
        self.status: int = reply.status_code
        self.headers: Headers = reply.headers
        self._raw = reply.raw

    def read1(self, amount: int, /) -> bytes:
        return bytes(self._raw.read1(amount, decode_content=True))
