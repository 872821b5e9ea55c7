"""Chunked log searches against endpoints that refuse ranges."""

from __future__ import annotations

import pytest

from evaluator.chain.receipts import Log
from evaluator.errors import RpcError, RpcUnreachable
from evaluator.governance import log_scan
from evaluator.governance.log_scan import newest_first, oldest_first

ADDRESS = "0x" + "11" * 20


def log(block: int, index: int = 0) -> Log:
    return Log(
        address=ADDRESS, topics=(), data=b"", block=block, tx_hash="", index=index, block_hash=""
    )


class Endpoint:
    """Logs at some blocks, served in ranges up to a limit and with so many results at most."""

    def __init__(self, blocks: list[int], *, limit: int = 10**9, results: int = 10**9) -> None:
        self.logs_at = [log(b) for b in blocks]
        self.limit, self.results = limit, results
        self.asked: list[tuple[int, int]] = []

    def logs(self, *, address, topics, from_block: int, to_block: int) -> list[Log]:
        self.asked.append((from_block, to_block))
        if to_block - from_block + 1 > self.limit:
            raise RpcError("block range too large", code=-32602)
        found = [log for log in self.logs_at if from_block <= log.block <= to_block]
        if len(found) > self.results:
            raise RpcError("query returned more results than allowed", code=-32005)
        return found


def blocks_of(chunks) -> list[int]:
    return [log.block for chunk in chunks for log in chunk]


@pytest.mark.parametrize("limit", [1, 7, 100, 10_000, 10**9])
def test_every_log_is_found_once_in_order_whatever_the_limit(limit: int) -> None:
    wanted = [0, 1, 50, 51, 52, 299]
    options = {"address": ADDRESS, "topics": [], "newest": 300, "oldest": 0}
    assert blocks_of(newest_first(Endpoint(wanted, limit=limit), **options)) == wanted[::-1]
    assert blocks_of(oldest_first(Endpoint(wanted, limit=limit), **options)) == wanted


def test_too_many_results_halve_the_range() -> None:
    endpoint = Endpoint(list(range(100)), results=10)
    assert blocks_of(newest_first(endpoint, address=ADDRESS, topics=[], newest=99)) == list(
        range(99, -1, -1)
    )


def test_a_limit_once_met_is_kept_to() -> None:
    endpoint = Endpoint([], limit=10_000)
    list(newest_first(endpoint, address=ADDRESS, topics=[], newest=999_999))
    refused = [1 for low, high in endpoint.asked if high - low + 1 > 10_000]
    assert len(endpoint.asked) - len(refused) == 100
    assert len(refused) < 10


def test_accepted_ranges_grow() -> None:
    endpoint = Endpoint([])
    list(newest_first(endpoint, address=ADDRESS, topics=[], newest=2_000_000))
    assert len(endpoint.asked) < 12
    sizes = [high - low + 1 for low, high in endpoint.asked]
    assert max(sizes) == log_scan.LARGEST_CHUNK
    assert sum(sizes) == 2_000_001


def test_a_search_that_found_enough_asks_no_more() -> None:
    endpoint = Endpoint([500_000])
    for logs in newest_first(endpoint, address=ADDRESS, topics=[], newest=500_000):
        if logs:
            break
    assert endpoint.asked == [(490_001, 500_000)]


def test_within_a_block_the_index_counts() -> None:
    endpoint = Endpoint([])
    endpoint.logs_at = [log(5, 2), log(5, 0), log(5, 1)]
    (chunk,) = newest_first(endpoint, address=ADDRESS, topics=[], newest=10)
    assert [entry.index for entry in chunk] == [2, 1, 0]


def test_a_block_that_is_refused_on_its_own_is_an_error() -> None:
    with pytest.raises(RpcError, match="too large"):
        list(newest_first(Endpoint([], limit=0), address=ADDRESS, topics=[], newest=10))


def test_an_endpoint_that_is_gone_is_not_asked_for_less() -> None:
    class Gone(Endpoint):
        def logs(self, **_):
            self.asked.append((0, 0))
            raise RpcUnreachable("gone")

    endpoint = Gone([])
    with pytest.raises(RpcUnreachable):
        list(newest_first(endpoint, address=ADDRESS, topics=[], newest=10))
    assert len(endpoint.asked) == 1


def test_a_search_is_bounded_in_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_scan, "MAX_REQUESTS", 20)
    with pytest.raises(RpcError, match="more than 20 requests"):
        list(newest_first(Endpoint([], limit=3), address=ADDRESS, topics=[], newest=10**6))
