"""Looking for logs without knowing where: in chunks of blocks, newest or oldest first.

Providers refuse a range for its number of blocks or of results, each in its own
words. A refused range is halved; after an accepted one the next may grow.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from evaluator.chain.receipts import Log
from evaluator.chain.sandbox import Sandbox
from evaluator.errors import RpcError, RpcRateLimited, RpcUnreachable, WrongChain

FIRST_CHUNK = 10_000  # blocks asked for at first
LARGEST_CHUNK = 640_000  # blocks asked for at once
MAX_REQUESTS = 500  # requests of one scan
PATIENCE = 16  # accepted ranges in a row before a size that was refused is tried again

Topics = Sequence[bytes | Sequence[bytes] | None]


def newest_first(
    sandbox: Sandbox,
    *,
    address: str | Sequence[str] | None,
    topics: Topics,
    newest: int,
    oldest: int = 0,
) -> Iterator[list[Log]]:
    """Yield the logs of chunk after chunk, from block `newest` down to `oldest`.

    Without an `address` those of every contract. Within a chunk the newest log is first.
    Raises `RpcError` if a single block is
    refused, or when the scan takes more than MAX_REQUESTS requests.
    """
    for logs in _scan(sandbox, address, topics, first=newest, last=oldest):
        yield sorted(logs, key=lambda log: (log.block, log.index), reverse=True)


def oldest_first(
    sandbox: Sandbox,
    *,
    address: str | Sequence[str],
    topics: Topics,
    oldest: int,
    newest: int,
) -> Iterator[list[Log]]:
    """Yield the logs of chunk after chunk, from block `oldest` up to `newest`.

    Within a chunk the oldest log is first. Raises as `newest_first` does.
    """
    for logs in _scan(sandbox, address, topics, first=oldest, last=newest):
        yield sorted(logs, key=lambda log: (log.block, log.index))


def _scan(
    sandbox: Sandbox,
    address: str | Sequence[str] | None,
    topics: Topics,
    *,
    first: int,
    last: int,
) -> Iterator[list[Log]]:
    """Walk from `first` to `last`, in whichever direction that is, both included."""
    step = 1 if last >= first else -1
    at, size, requests = first, FIRST_CHUNK, 0
    ceiling, accepted = LARGEST_CHUNK, 0
    while (last - at) * step >= 0:
        requests += 1
        if requests > MAX_REQUESTS:
            raise RpcError(
                f"looking for logs of {address} took more than {MAX_REQUESTS} requests and came"
                f" as far as block {at}: use an endpoint that serves larger ranges"
            )
        end = at + step * (size - 1)
        if (last - end) * step < 0:
            end = last
        try:
            logs = sandbox.logs(
                address=address, topics=topics, from_block=min(at, end), to_block=max(at, end)
            )
        except (RpcUnreachable, RpcRateLimited, WrongChain):
            raise
        except RpcError:
            if size == 1:
                raise
            size = ceiling = max(1, min(size, abs(end - at) + 1) // 2)
            accepted = 0
            continue
        yield logs
        at = end + step
        accepted += 1
        if accepted % PATIENCE == 0:
            ceiling = min(ceiling * 2, LARGEST_CHUNK)
        size = min(size * 2, ceiling)
