"""Let a protocol believe given prices: pushed into its feeds, or put in their place.

Three ways, the first that proves to work for every reserve at once:

1. the feed's own `push`, sent by its owner;
2. a board (see evaluator.arena.board) in place of the feed's code;
3. a board in place of the protocol's oracle, when feeds are shared or derived.

What works is found by trying: every price is set to another multiple of itself and
read back through the protocol's oracle.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from evaluator.arena.board import Answer, board_code
from evaluator.arena.bundles import BundleEngine
from evaluator.arena.lending import Lending, view
from evaluator.chain.abi import Abi
from evaluator.chain.receipts import ZERO
from evaluator.chain.sandbox import Sandbox
from evaluator.chain.simulation import SimulatedBlock, SimulatedCall, StateOverride
from evaluator.errors import IncompleteState, TransactionReverted
from evaluator.market.book import FloatArray

FEED = Abi.parse(
    [
        "function push(int256 answer)",
        "function owner() view returns (address)",
        "function latestAnswer() view returns (int256)",
        "function latestRound() view returns (uint256)",
        "function latestTimestamp() view returns (uint256)",
        "function latestRoundData() view returns (uint80 roundId, int256 answer,"
        " uint256 startedAt, uint256 updatedAt, uint80 answeredInRound)",
        "function decimals() view returns (uint8)",
        "function description() view returns (string)",
        "function version() view returns (uint256)",
        "function aggregator() view returns (address)",
    ]
)
# Asked of a feed as it is and answered so by what stands in for it.
_CONSTANTS = ("decimals", "description", "version", "aggregator")
_TRIED = 1e-6  # relative; a price within it was set


class PriceWay(StrEnum):
    """How a protocol is made to believe a price."""

    PUSH = "pushed into the feeds by their owners"
    FEED = "answered in place of the feeds"
    ORACLE = "answered in place of the protocol's oracle"


@dataclass(frozen=True, kw_only=True, slots=True)
class Feed:
    """The feed of one reserve, as it stands."""

    address: str  # lower-case
    owner: str  # who may push, ZERO if anybody
    answer: int  # as it stands
    constants: tuple[Answer, ...]  # what it answers whatever the price


@dataclass(frozen=True, kw_only=True, eq=False)
class PriceSetting:
    """How to set the prices of every reserve of a market in one block."""

    way: PriceWay
    lending: Lending  # the market's
    prices: FloatArray  # shape (A,); USD per whole token as they stand
    raw: tuple[int, ...]  # A; the same as the protocol's oracle says it
    feeds: tuple[Feed, ...]  # A; () for PriceWay.ORACLE

    def put(
        self, prices: FloatArray, *, timestamp: int
    ) -> tuple[tuple[SimulatedCall, ...], tuple[StateOverride, ...]]:
        """Return what makes the protocol believe `prices` (A,), USD, in a block at `timestamp`.

        Transactions to send first in the block, and overrides of the block. A price is
        rounded to the oracle's own unit, and is at least one of it.
        """
        times = np.asarray(prices, dtype=np.float64) / self.prices
        if self.way is PriceWay.ORACLE:
            raw = [max(round(r * float(t)), 1) for r, t in zip(self.raw, times, strict=True)]
            address, answers = self.lending.oracle_answers(raw)
            code = board_code(
                [
                    Answer(
                        selector=asked[:4],
                        argument=asked[4:36] if len(asked) >= 36 else None,
                        data=data,
                    )
                    for asked, data in answers
                ]
            )
            return (), (StateOverride(address=address, code=code),)
        answers_now = [
            max(round(f.answer * float(t)), 1) for f, t in zip(self.feeds, times, strict=True)
        ]
        if self.way is PriceWay.PUSH:
            calls = dict.fromkeys(
                SimulatedCall(sender=f.owner, to=f.address, data=FEED.encode("push", answer))
                for f, answer in zip(self.feeds, answers_now, strict=True)
            )
            return tuple(calls), ()
        overrides = {
            f.address: StateOverride(address=f.address, code=_feed_code(f, answer, timestamp))
            for f, answer in zip(self.feeds, answers_now, strict=True)
        }
        return (), tuple(overrides.values())


def price_setting(sandbox: Sandbox, engine: BundleEngine, lending: Lending) -> PriceSetting:
    """Find out how prices can be set. Raises IncompleteState when no way works."""
    reserves = lending.market.reserves
    asked = [lending.price(a) for a in range(len(reserves))]
    answers = sandbox.call_many([(c.to, c.data) for c in asked])
    raw = []
    for reserve, answer in zip(reserves, answers, strict=True):
        value = 0 if isinstance(answer, TransactionReverted) else int.from_bytes(answer, "big")
        if value <= 0:
            raise IncompleteState(
                f"the protocol's oracle does not tell a price of {reserve.asset.symbol}: prices "
                "cannot be set from what they are"
            )
        raw.append(value)
    feeds = tuple(_feed(sandbox, r.oracle.source) for r in reserves)
    known = tuple(f for f in feeds if f is not None)
    whole = len(known) == len(reserves)
    for way in PriceWay:
        if way is not PriceWay.ORACLE and not whole:
            continue
        setting = PriceSetting(
            way=way,
            lending=lending,
            prices=lending.market.prices,
            raw=tuple(raw),
            feeds=known if whole else (),
        )
        if _works(sandbox, engine, setting):
            return setting
    raise IncompleteState(
        f"no way was found to set the prices of {lending.market.address}: its feeds take no push "
        "and answers in place of its feeds or its oracle do not arrive"
    )


def _works(sandbox: Sandbox, engine: BundleEngine, setting: PriceSetting) -> bool:
    """Set every price to another multiple of itself and read all back."""
    lending = setting.lending
    times = 1.0 + 0.01 * np.arange(1, len(setting.prices) + 1)
    at = sandbox.timestamp() + 12
    calls, overrides = setting.put(setting.prices * times, timestamp=at)
    asked = tuple(lending.price(a) for a in range(len(setting.prices)))
    (block,) = engine.run(
        [SimulatedBlock(calls=(*calls, *asked), timestamp=at, overrides=overrides)]
    )
    for result, was, multiple in zip(block.calls[len(calls) :], setting.raw, times, strict=True):
        said = int.from_bytes(result.return_data, "big") if result.succeeded else 0
        # One unit in the price's last place is the most that rounding can do.
        if abs(said - was * multiple) > max(_TRIED * was, 1.0):
            return False
    return True


def _feed(sandbox: Sandbox, source: str) -> Feed | None:
    """Read a feed as it stands; None if it does not answer as one."""
    fns = ("latestAnswer", "latestRoundData", "owner", *_CONSTANTS)
    answers = sandbox.call_many([(source, FEED.encode(fn)) for fn in fns])
    said = {
        fn: answer
        for fn, answer in zip(fns, answers, strict=True)
        if not isinstance(answer, TransactionReverted) and answer
    }
    if len(said.get("latestAnswer", b"")) == 32:
        answer = int.from_bytes(said["latestAnswer"], "big", signed=True)
    elif len(said.get("latestRoundData", b"")) == 160:
        answer = int.from_bytes(said["latestRoundData"][32:64], "big", signed=True)
    else:
        return None
    if answer <= 0:
        return None
    owner = said.get("owner", b"")
    return Feed(
        address=source.lower(),
        owner="0x" + owner[12:32].hex() if len(owner) == 32 else ZERO,
        answer=answer,
        constants=tuple(
            Answer(selector=FEED.encode(fn), data=said[fn]) for fn in _CONSTANTS if fn in said
        ),
    )


def _feed_code(feed: Feed, answer: int, timestamp: int) -> bytes:
    """Code that answers `answer` in a round of `timestamp`."""
    word, time, one = (v.to_bytes(32, "big") for v in (answer, timestamp, 1))
    return board_code(
        [
            Answer(selector=FEED.encode("latestAnswer"), data=word),
            Answer(selector=FEED.encode("latestRoundData"), data=one + word + time + time + one),
            Answer(selector=FEED.encode("latestRound"), data=one),
            Answer(selector=FEED.encode("latestTimestamp"), data=time),
            *feed.constants,
        ]
    )


def read_prices(lending: Lending) -> tuple[SimulatedCall, ...]:
    """Ask the protocol's oracle for every reserve's price, in its own unit."""
    return tuple(
        view(c.to, c.data) for c in (lending.price(a) for a in range(len(lending.market.reserves)))
    )
