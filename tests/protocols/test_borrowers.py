"""Borrowers from events, through endpoints that refuse, and the cache across forks."""

from __future__ import annotations

import sqlite3
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluator.chain.receipts import Log
from evaluator.errors import ConfigurationError, IncompleteState, RpcError, RpcUnreachable
from evaluator.protocols.borrower_cache import CURSORS, NOBODY, BorrowerCache
from evaluator.protocols.borrowers import BorrowEvents, find_borrowers, scan_logs

ROOT = "0x" + "01" * 20
EVENTS = BorrowEvents(addresses=(ROOT,), topics=(), account=lambda log: log.tx_hash)


class LimitedChain:
    """An endpoint's border: logs at given blocks, refused above a number of blocks or logs."""

    def __init__(self, at, *, blocks=10**9, logs=10**9, fork=10**9, salt="a"):
        self.at, self.most_blocks, self.most_logs, self.salt = sorted(at), blocks, logs, salt
        self.block = SimpleNamespace(number=fork, hash=self.hash(fork))
        self.chain_id, self.upstream, self.rpc = 1, None, self
        self.asked = []

    def hash(self, number):
        return f"0x{self.salt if number > 50 else 'common'}{number}"

    def request(self, method, params):
        assert method == "eth_getBlockByNumber"
        return {"hash": self.hash(int(params[0], 16))}

    def get_code(self, address, *, block):
        return b"\x01" if block >= 0 else b""

    def logs(self, *, address, topics, from_block, to_block):
        self.asked.append((from_block, to_block))
        found = [n for n in self.at if from_block <= n <= to_block]
        if to_block - from_block + 1 > self.most_blocks or len(found) > self.most_logs:
            raise RpcError("query returned more than it may", code=-32005)
        return [
            Log(
                address=ROOT,
                topics=(),
                data=b"",
                block=n,
                tx_hash=f"0x{n:040x}",
                index=0,
                block_hash="",
            )
            for n in found
        ]


@given(
    at=st.lists(st.integers(0, 300_000), unique=True, max_size=60),
    blocks=st.integers(1_000, 400_000),
    logs=st.integers(1, 50),
    fork=st.integers(0, 300_000),
)
def test_every_log_is_read_once_whatever_the_limits(at, blocks, logs, fork):
    chain = LimitedChain(at, blocks=blocks, logs=logs, fork=fork)
    read = [
        log.block
        for part in scan_logs(chain, EVENTS, from_block=0, to_block=300_000)
        for log in part
    ]
    assert read == sorted(at)
    for first, last in chain.asked:
        assert not first <= fork < last


def test_an_endpoint_that_refuses_one_block_is_named():
    chain = LimitedChain([7], logs=0)
    with pytest.raises(IncompleteState, match="block 7"):
        list(scan_logs(chain, EVENTS, from_block=0, to_block=20))


def test_an_endpoint_that_is_gone_is_not_asked_for_ever():
    chain = LimitedChain([])
    chain.logs = lambda **_: (_ for _ in ()).throw(RpcUnreachable("gone"))
    with pytest.raises(RpcUnreachable):
        list(scan_logs(chain, EVENTS, from_block=0, to_block=10**6))


@pytest.fixture
def cache(tmp_path):
    return BorrowerCache(tmp_path / "deep" / "cache.sqlite")


def test_only_new_blocks_are_searched(cache):
    chain = LimitedChain([3, 60], fork=100)
    assert len(find_borrowers(chain, ROOT, [EVENTS], block=100, cache=cache)) == 2
    later = LimitedChain([3, 60, 120], fork=130)
    assert len(find_borrowers(later, ROOT, [EVENTS], block=130, cache=cache)) == 3
    assert later.asked == [(101, 130)]


def test_blocks_of_the_sandbox_alone_are_not_kept(cache):
    chain = LimitedChain([3, 120], fork=100)
    assert len(find_borrowers(chain, ROOT, [EVENTS], block=150, cache=cache)) == 2
    assert cache.load(1, ROOT, chain.hash).accounts == (f"0x{3:040x}",)


def test_another_fork_of_the_chain_falls_back_to_the_common_past(cache):
    first = LimitedChain([3], fork=40)
    find_borrowers(first, ROOT, [EVENTS], block=40, cache=cache)
    find_borrowers(LimitedChain([3, 60], fork=100), ROOT, [EVENTS], block=100, cache=cache)
    other = LimitedChain([3, 70], fork=100, salt="b")
    found = find_borrowers(other, ROOT, [EVENTS], block=100, cache=cache)
    assert found == (f"0x{3:040x}", f"0x{70:040x}")
    assert other.asked == [(41, 100)]
    assert cache.load(1, ROOT, other.hash).accounts == found


def test_chains_and_roots_do_not_mix(cache):
    cache.save(1, ROOT, [("0xAA", 1)], block=5, block_hash="h", above=-1)
    assert cache.load(2, ROOT, lambda _: "h") == NOBODY
    assert cache.load(1, "0x" + "02" * 20, lambda _: "h") == NOBODY
    assert cache.load(1, ROOT.upper().replace("0X", "0x"), lambda _: "h").accounts == ("0xaa",)
    assert cache.load(1, ROOT, lambda _: None) == NOBODY


def test_cursors_are_bounded_and_survive_reopening(tmp_path):
    path = tmp_path / "cache.sqlite"
    cache = BorrowerCache(path)
    for n in range(CURSORS + 20):
        cache.save(1, ROOT, [(f"0x{n:x}", n)], block=n, block_hash=f"h{n}", above=n - 1)
    cache.close()
    again = BorrowerCache(path)
    known = again.load(1, ROOT, lambda n: f"h{n}")
    assert known.block == CURSORS + 19
    assert len(known.accounts) == CURSORS + 20
    with sqlite3.connect(path) as db:
        assert db.execute("select count(*) from cursor").fetchone() == (CURSORS,)


def test_a_file_that_is_no_database_is_a_clear_error(tmp_path):
    path = tmp_path / "cache.sqlite"
    path.write_text("this is not a database, but long enough to be read as one" * 50)
    with pytest.raises(ConfigurationError, match="borrower cache"):
        BorrowerCache(path)
