"""Price feeds of the Chainlink kind: their rounds, and what the rounds show."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evaluator.chain.sandbox import Sandbox
from evaluator.errors import IncompleteState
from evaluator.market import OracleKind, PriceHistory, Reserve
from evaluator.market.book import FloatArray, IntArray
from evaluator.protocols.interfaces import FEED
from evaluator.protocols.reading import Progress, read_raw
from evaluator.protocols.tokens import decode_text, printable

MOST_ROUNDS = 20_000
# Fewer rounds than this say nothing of a feed's triggers.
LEAST_ROUNDS = 8
# Intervals operators choose; an estimate this near to one of them is that one.
USUAL_HEARTBEATS = (60, 300, 600, 900, 1200, 1800, 3600, 7200, 10800, 14400, 21600, 43200, 86400)
_SNAP = 0.05
# The phase of a Chainlink proxy stands above bit 64 of its round ids.
_PHASE_BITS = 64


@dataclass(frozen=True, kw_only=True, eq=False)
class FeedRounds:
    """Answers of a feed, oldest first."""

    timestamp: IntArray  # shape (T,); seconds since the epoch, strictly ascending
    price: FloatArray  # shape (T,); answers in whole units of the feed, > 0
    decimals: int  # of the feed's answers


@dataclass(frozen=True, kw_only=True, slots=True)
class Triggers:
    """When a feed is updated, as its rounds suggest."""

    deviation: float | None  # relative move that triggers an update; None: none was seen to
    heartbeat: float  # longest time between updates, seconds


def read_rounds(
    sandbox: Sandbox, feed: str, *, count: int, block: int, progress: Progress | None = None
) -> FeedRounds:
    """Read the last `count` rounds of a feed, of its present phase, as of `block`.

    Rounds that revert, have no time or no positive answer are left out. Raises
    IncompleteState if `feed` is no feed.
    """
    latest_raw, decimals_raw = read_raw(
        sandbox,
        [(feed, FEED.encode("latestRoundData")), (feed, FEED.encode("decimals"))],
        block=block,
    )
    latest = _round(latest_raw)
    decimals = int.from_bytes(decimals_raw, "big") if decimals_raw else -1
    if latest is None or not 0 <= decimals <= 36:
        raise IncompleteState(f"{feed} does not answer as a price feed does at block {block}")
    last = latest[0]
    phase = last >> _PHASE_BITS << _PHASE_BITS
    first = max(last - min(count, MOST_ROUNDS) + 1, phase + 1 if phase else 0)
    found = {latest[2]: latest[1]}
    ids = range(last - 1, first - 1, -1)
    asked = FEED.encode("getRoundData", 0)[:4]
    step = 1_000
    for start in range(0, len(ids), step):
        part = ids[start : start + step]
        calls = [(feed, asked + i.to_bytes(32, "big")) for i in part]
        answers = [_round(raw) for raw in read_raw(sandbox, calls, block=block, small=True)]
        for answer in answers:
            if answer is not None:
                found.setdefault(answer[2], answer[1])
        if progress is not None:
            progress(start + len(part), len(ids))
        if not any(answers):
            break  # older rounds are gone, or ids are not consecutive
    times = sorted(found)
    return FeedRounds(
        timestamp=np.array(times, dtype=np.int64),
        price=np.array([found[t] / 10**decimals for t in times], dtype=np.float64),
        decimals=decimals,
    )


def price_history(
    sandbox: Sandbox,
    reserve: Reserve,
    *,
    rounds: int = 5_000,
    block: int | None = None,
    progress: Progress | None = None,
) -> PriceHistory:
    """Return what an asset's own feed said in its last `rounds` rounds, in USD.

    Raises IncompleteState if the asset has no feed, or one that is not in USD:
    its last answer must be within a tenth of the protocol's price.
    """
    symbol, oracle = reserve.asset.symbol, reserve.oracle
    if oracle.kind is not OracleKind.FEED:
        raise IncompleteState(
            f"{symbol} is priced by {oracle.source}, a {oracle.kind} oracle without rounds; give "
            "a price history file for it"
        )
    block = sandbox.block_number() if block is None else block
    read = read_rounds(sandbox, oracle.source, count=rounds, block=block, progress=progress)
    if abs(read.price[-1] / reserve.asset.price - 1.0) > 0.1:
        raise IncompleteState(
            f"the feed {oracle.source} says {read.price[-1]:.6g} and the protocol prices {symbol} "
            f"at {reserve.asset.price:.6g} USD: its rounds are no prices of it in USD"
        )
    (said,) = read_raw(sandbox, [(oracle.source, FEED.encode("description"))], block=block)
    name = " ".join(filter(None, (printable(w, 40) for w in decode_text(said).split()[:8])))
    return PriceHistory(
        symbol=symbol,
        timestamp=read.timestamp,
        price=read.price,
        source=f"feed {oracle.source}{f' ({name})' if name else ''}, {len(read.price)} rounds",
    )


def estimate_triggers(timestamp: IntArray, price: FloatArray) -> Triggers | None:
    """Estimate a feed's heartbeat and deviation threshold from its rounds.

    The heartbeat is the 98th percentile of the gaps, taken as the usual
    interval within 5% of it if there is one. Updates that came clearly before
    it were triggered by a move: their moves lie at the threshold or a little
    beyond, so the threshold is the 10th percentile of them. None for fewer
    than LEAST_ROUNDS rounds.
    """
    if len(timestamp) < LEAST_ROUNDS:
        return None
    gaps = np.diff(timestamp).astype(np.float64)
    moves = np.abs(np.diff(price) / price[:-1])
    heartbeat = float(np.quantile(gaps, 0.98, method="higher"))
    for usual in USUAL_HEARTBEATS:
        if abs(heartbeat / usual - 1.0) <= _SNAP:
            heartbeat = float(usual)
    early = moves[(gaps < 0.9 * heartbeat) & (moves > 0.0)]
    if len(early) < LEAST_ROUNDS // 2:
        return Triggers(deviation=None, heartbeat=heartbeat)
    return Triggers(deviation=float(np.quantile(early, 0.1)), heartbeat=heartbeat)


def _round(raw: bytes | None) -> tuple[int, int, int] | None:
    """(id, answer, time) of one answer; None if it is no usable round."""
    # Thousands of rounds are read, and each is five plain words.
    if raw is None or len(raw) < 5 * 32:
        return None
    number, _, _, updated, _ = (int.from_bytes(raw[k : k + 32], "big") for k in range(0, 160, 32))
    answer = int.from_bytes(raw[32:64], "big", signed=True)
    if answer <= 0 or not 0 < updated < 2**40 or number >= 2**80:
        return None
    return number, answer, updated
