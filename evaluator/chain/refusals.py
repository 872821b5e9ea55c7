"""Tell an endpoint's answers from its refusals.

A refusal (rate limit, outage, garbage) is worth another endpoint or another try;
an answer, even an error, is not.
"""

from __future__ import annotations

from evaluator.chain.connection import Headers
from evaluator.chain.redaction import label, redact
from evaluator.errors import RpcError, RpcRateLimited, RpcUnreachable

LONGEST_WAIT = 20.0  # seconds between two rounds over the endpoints
UNKNOWN_METHOD = -32601  # JSON-RPC 2.0
_RATE_CODES = frozenset({429, -32005, -32029, -32097})
_RATE_WORDS = (
    "rate limit",
    "ratelimit",
    "too many requests",
    "request limit",
    "compute units per second",
    "exceeded the quota",
    "throughput",
    "capacity exceeded",
)


class TryNext(Exception):
    """An endpoint could not serve; another one, or a later try, might."""

    def __init__(self, failure: RpcError, *, retry_after: float = 0.0) -> None:
        super().__init__(str(failure))
        self.failure = failure
        self.retry_after = retry_after  # seconds the endpoint asked to wait


def refusal(status: int, headers: Headers, url: str) -> TryNext | None:
    """Read the HTTP status: None if the reply is worth parsing."""
    if status < 400:
        return None
    if status == 429:
        return TryNext(
            RpcRateLimited(
                f"{label(url)} still refuses for rate (HTTP 429) after all retries: wait, or "
                "name a further RPC URL",
                code=429,
            ),
            retry_after=_retry_after(headers.get("Retry-After", "")),
        )
    if status in (401, 403):
        return TryNext(
            RpcError(f"{label(url)} refused the credentials (HTTP {status}): check its key")
        )
    return TryNext(RpcUnreachable(f"{label(url)} answered HTTP {status}"))


def _retry_after(header: str) -> float:
    try:
        asked = float(header)
    except ValueError:  # a date, or nothing: the usual backoff applies
        return 0.0
    return min(asked, LONGEST_WAIT) if asked > 0 else 0.0


def error_of(error: object, method: str) -> RpcError:
    """Read a JSON-RPC error, without the keys it may quote."""
    if not isinstance(error, dict):
        return RpcError(f"{method} failed: {redact(str(error))[:500]}")
    code = error.get("code")
    message = redact(str(error.get("message", "no message")))[:2000]
    return RpcError(
        f"{method} failed: {message}",
        code=code if isinstance(code, int) else None,
        data=error.get("data"),
    )


def classify(error: RpcError, url: str) -> Exception:
    """Tell an answer from a refusal for rate."""
    text = str(error).lower()
    if error.code in _RATE_CODES or (
        error.code != 3 and error.data is None and any(word in text for word in _RATE_WORDS)
    ):
        return TryNext(
            RpcRateLimited(
                f"{label(url)} still refuses for rate after all retries ({error}): wait, or name "
                "a further RPC URL",
                code=error.code,
            )
        )
    return error


def garbage(url: str, status: int = 200) -> TryNext:
    """Refuse an answer that is no JSON-RPC."""
    return TryNext(
        RpcUnreachable(
            f"{label(url)} answered something that is not JSON-RPC (HTTP {status}): check the URL"
        )
    )


def worth_waiting(error: BaseException) -> bool:
    """Say whether the same endpoint may serve later."""
    return isinstance(error, TryNext) and isinstance(error.failure, RpcUnreachable | RpcRateLimited)


def worst(failures: list[TryNext]) -> TryNext:
    """Choose which of the endpoints' failures to show and to wait for."""
    waiting = [failure for failure in failures if worth_waiting(failure)]
    limited = [f for f in waiting if isinstance(f.failure, RpcRateLimited)]
    return (limited or waiting or failures)[0]


def root_of(error: BaseException) -> str:
    """Say what an error of the library comes down to, as in "connection refused"."""
    inner: BaseException | None = error
    while inner is not None:
        error = inner
        wrapped = (getattr(error, "reason", None), error.__cause__, error.__context__, *error.args)
        inner = next((one for one in wrapped if isinstance(one, BaseException)), None)
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return f"{type(error).__name__}: {error}"
