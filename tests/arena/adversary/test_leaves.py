"""Feeds that several prices come from take all of them along."""

from __future__ import annotations

from evaluator.arena.adversary.leaves import Leaf, Leaves, Source

ETH, STAKED, OTHER, FIXED, POOLED = ("0x" + d * 40 for d in "abcde")
ETH_FEED, RATIO, OTHER_FEED, UNKNOWN = ("0x" + d * 40 for d in "1234")


def leaf(address):
    return Leaf(
        address=address, selector=bytes(4), answer=100, writer="0x" + "00" * 20, push="push",
        slot=None,
    )  # fmt: skip


def source(*leaves, pools=(), fixed=False):
    return Source(leaves=leaves, pools=pools, touched=(), fixed=fixed)


LEAVES = Leaves(
    sources={
        ETH: source(ETH_FEED),
        STAKED: source(ETH_FEED, RATIO),
        OTHER: source(OTHER_FEED),
        FIXED: source(fixed=True),
        POOLED: source(OTHER_FEED + "5", pools=("0xpool",)),
    },
    leaves={a: leaf(a) for a in (ETH_FEED, RATIO, OTHER_FEED)},
    bounds={ETH: (0.5, 2.0)},
)


def test_an_anchor_takes_what_is_priced_by_it_along_and_a_ratio_moves_alone():
    assert LEAVES.moved_with(ETH) == (ETH, STAKED)
    assert LEAVES.moved_with(STAKED) == (STAKED,)
    assert LEAVES.moved_with(OTHER) == (OTHER,)
    assert LEAVES.moved_with(FIXED) == (FIXED,)
    assert [t for t in (ETH, STAKED, OTHER, FIXED, POOLED) if LEAVES.movable(t)] == [
        ETH, STAKED, OTHER, FIXED,
    ]  # fmt: skip


def test_keepers_follow_one_market_where_a_feed_is_one_token_s_own():
    assert LEAVES.followed(STAKED)
    assert LEAVES.followed(OTHER)
    assert not LEAVES.followed(ETH)
    assert not LEAVES.followed(FIXED)


def test_a_shared_feed_is_written_within_what_it_may_report():
    (call,), overrides = LEAVES.scaled({ETH: 10.0}, timestamp=1)
    assert call.to == ETH_FEED
    assert int.from_bytes(call.data[4:], "big") == 200
    assert overrides == []
