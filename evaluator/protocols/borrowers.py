"""Find every account that ever borrowed, from a protocol's events."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from evaluator.chain.receipts import Log
from evaluator.chain.sandbox import Sandbox
from evaluator.errors import (
    IncompleteState,
    RpcError,
    RpcRateLimited,
    RpcUnreachable,
    WrongChain,
)
from evaluator.protocols.borrower_cache import NOBODY, BorrowerCache
from evaluator.protocols.reading import Progress

FIRST_SPAN = 50_000  # blocks asked for at first
LARGEST_SPAN = 2_000_000  # blocks asked for at most
GROWTH = 1.25  # of the span after each success
# A range that times out may be too large, or the node may be gone: so often it is retried.
PATIENCE = 3
MOST_ACCOUNTS = 5_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class BorrowEvents:
    """Where a market's borrows are written."""

    addresses: tuple[str, ...]  # emitting contracts
    topics: tuple[tuple[bytes, ...] | None, ...]  # alternatives at each place, None for any
    account: Callable[[Log], str | None]  # the borrower a log names, lower-case


def find_borrowers(
    sandbox: Sandbox,
    root: str,
    events: Sequence[BorrowEvents],
    *,
    block: int,
    cache: BorrowerCache | None = None,
    progress: Progress | None = None,
) -> tuple[str, ...]:
    """Return every account that borrowed at or before `block`, in the order found.

    Blocks that `cache` covers are not searched again; what is found up to the
    forked block is added to it (later blocks exist on this sandbox only).
    `progress` counts blocks. Raises IncompleteState if the endpoint refuses
    even a single block, RpcError if it is gone.
    """
    known = NOBODY
    if cache is not None:
        known = cache.load(sandbox.chain_id, root, lambda n: block_hash(sandbox, n))
    if known.block > block:  # found later than the block asked for: harmless, they have no debt yet
        return known.accounts
    start = known.block + 1
    if known is NOBODY:
        start = first_block_with_code(sandbox, root, block)
    fresh: dict[str, int] = {}
    for source in events:
        for logs in scan_logs(sandbox, source, from_block=start, to_block=block, progress=progress):
            for log in logs:
                account = source.account(log)
                if account is not None:
                    fresh.setdefault(account, log.block)
            if len(fresh) > MOST_ACCOUNTS:
                raise IncompleteState(
                    f"more than {MOST_ACCOUNTS} accounts have borrowed from {root}; that many "
                    "cannot be read on one machine"
                )
    shared = min(block, sandbox.block.number)
    if cache is not None and shared > known.block:
        hash_ = block_hash(sandbox, shared)
        if hash_ is not None:
            cache.save(
                sandbox.chain_id,
                root,
                [(a, n) for a, n in fresh.items() if n <= shared],
                block=shared,
                block_hash=hash_,
                above=known.block,
            )
    return tuple(dict.fromkeys((*known.accounts, *fresh)))


def scan_logs(
    sandbox: Sandbox,
    events: BorrowEvents,
    *,
    from_block: int,
    to_block: int,
    progress: Progress | None = None,
) -> Iterator[list[Log]]:
    """Yield the logs of a range of blocks, piece by piece.

    A piece that the endpoint refuses is halved; after a success the next one
    is a little larger. Pieces never straddle the forked block, because the two
    sides are asked of different nodes.
    """
    fork = sandbox.block.number
    span, at, failures = float(FIRST_SPAN), from_block, 0
    while at <= to_block:
        end = min(to_block, at + int(span) - 1)
        if at <= fork < end:
            end = fork
        try:
            logs = sandbox.logs(
                address=events.addresses, topics=events.topics, from_block=at, to_block=end
            )
        except WrongChain:
            raise
        except RpcError as error:
            gone = isinstance(error, RpcUnreachable | RpcRateLimited)
            failures += 1
            if gone and failures > PATIENCE:
                raise
            if end == at:
                raise IncompleteState(
                    f"the logs of block {at} could not be read: {error}; use an endpoint that "
                    "serves eth_getLogs for the whole history"
                ) from error
            span = max(1.0, (end - at + 1) / 2.0)
            continue
        yield logs
        failures = 0
        at = end + 1
        span = min(span * GROWTH, LARGEST_SPAN)
        if progress is not None:
            progress(at - from_block, to_block - from_block + 1)


def first_block_with_code(sandbox: Sandbox, address: str, block: int) -> int:
    """Return the block `address` was deployed at, or 0 if old states are not served."""
    low, high = 0, block
    try:
        while low < high:
            middle = (low + high) // 2
            if sandbox.get_code(address, block=middle):
                high = middle
            else:
                low = middle + 1
    except RpcError:
        return 0
    return low


def block_hash(sandbox: Sandbox, number: int) -> str | None:
    """Return the hash of a block of this chain, None if it has no such block."""
    if number == sandbox.block.number:
        return sandbox.block.hash
    node = sandbox.rpc
    if number < sandbox.block.number and sandbox.upstream is not None:
        node = sandbox.upstream
    try:
        found = node.request("eth_getBlockByNumber", [hex(number), False])
    except (RpcUnreachable, RpcRateLimited, WrongChain):
        raise
    except RpcError:
        return None
    return str(found["hash"]).lower() if isinstance(found, dict) and "hash" in found else None
