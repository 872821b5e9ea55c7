"""Calls by which a stranger changes a price, found by making them.

Function selectors are taken out of the bytecode of every contract on the way of the
price, and each is called by an account without any right, with the arguments such
functions take. What counts is what the price says afterwards.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from evaluator.arena.board import Answer, board_code
from evaluator.arena.bundles import BLOCK_GAS, BundleEngine
from evaluator.arena.price_trace import PriceTrace
from evaluator.chain.simulation import SimulatedBlock, SimulatedCall, StateOverride
from evaluator.errors import RpcError
from evaluator.protocols.interfaces import FEED

STRANGER = "0x5ea70000000000000000000000000000000000cc"
STRANGERS_FEED = "0x5ea70000000000000000000000000000000000dd"  # a contract of the stranger's
MOST_SELECTORS = 160  # of one contract that are called
MOST_FOUND = 4  # of one contract that are told
_TIMES = 2.0  # what the price is set to, of today's
_FELT = 1e-3  # relative
_GAS = 1_000_000  # units offered to one call
_CODE_LIMIT = 49_152  # bytes
_PUSH1, _PUSH4, _PUSH32 = 0x60, 0x63, 0x7F
_IN_A_BUNDLE = 2_000  # calls that are tried in one request
_DECIMALS = 8  # of the stranger's feed
_MOST_ROUNDS = 48  # bundles for one contract


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenSetter:
    """A call that anybody may make and that changes a price, or breaks it."""

    contract: str  # lower-case
    data: bytes  # calldata that changes the price, to its double where `at` is known
    at: int | None  # byte of `data` where the value stands; None: it can only be made as it is
    value: int  # in the contract's own unit that means today's price
    ratio: float  # price afterwards over today's; 0: none is told any more

    @property
    def selector(self) -> str:
        """The function called, 0x and eight hex digits."""
        return "0x" + self.data[:4].hex()

    def encode(self, ratio: float) -> bytes:
        """Return calldata that sets the price to `ratio` times today's, if `at` is known."""
        if self.at is None:
            return self.data
        word = max(round(self.value * ratio), 1).to_bytes(32, "big")
        return self.data[: self.at] + word + self.data[self.at + 32 :]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Attempt:
    contract: str
    data: bytes
    at: int | None
    value: int


def selectors_in(code: bytes) -> tuple[bytes, ...]:
    """Return four-byte constants that `code` compares, in order, at most MOST_SELECTORS."""
    found: dict[bytes, None] = {}
    at, end = 0, min(len(code), _CODE_LIMIT)
    while at < end:
        op = code[at]
        if op == _PUSH4:
            found[code[at + 1 : at + 5]] = None
        at += 1 + (op - _PUSH1 + 1 if _PUSH1 <= op <= _PUSH32 else 0)
    found.pop(b"\xff\xff\xff\xff", None)
    return tuple(s for s in found if len(s) == 4)[:MOST_SELECTORS]


def open_setters(
    engine: BundleEngine,
    question: SimulatedCall,
    trace: PriceTrace,
    *,
    codes: Mapping[str, bytes],
    skipped: Collection[str],
    named: Sequence[str],
    symbol: str,
    timestamp: int,
) -> tuple[OpenSetter, ...]:
    """Try every function of the contracts of `trace` that are not `skipped`.

    `codes` is keyed by lower-case address, `named` are addresses by which the asset may
    be meant, `timestamp` is that of the block. Raises nothing: what cannot be tried is
    not found.
    """
    out: list[OpenSetter] = []
    # A proxy runs another contract's functions on its own storage.
    behind: dict[str, dict[str, None]] = {trace.oracle: {trace.oracle: None}}
    for e in trace.exchanges:
        behind.setdefault(e.to, {e.to: None})[e.code] = None
    for contract, bodies in behind.items():
        if contract in skipped:
            continue
        found = dict.fromkeys(s for body in bodies for s in selectors_in(codes.get(body, b"")))
        value = _unit(trace, contract)
        attempts = [
            _Attempt(contract=contract, data=data, at=at, value=value)
            for s in found
            for data, at in _calls(s, value, named, symbol, timestamp)
        ]
        out += _tried(engine, question, trace, attempts, value, timestamp)
    return tuple(out)


def _unit(trace: PriceTrace, contract: str) -> int:
    """Today's price as the contract itself says it."""
    for e in trace.exchanges:
        if e.to == contract and e.answer:
            word = 1 if len(e.answer) == 160 else 0
            if len(e.words) > word and 100 <= e.words[word] < 2**255:
                return e.words[word]
    return trace.raw


def _tried(
    engine: BundleEngine,
    question: SimulatedCall,
    trace: PriceTrace,
    attempts: Sequence[_Attempt],
    value: int,
    timestamp: int,
) -> list[OpenSetter]:
    """Make the attempts one after the other; after each that counts, go on from a fresh state."""
    best: dict[bytes, OpenSetter] = {}
    left = list(attempts)
    feed = StateOverride(address=STRANGERS_FEED, code=_feed(round(value * _TIMES), timestamp))
    for _ in range(_MOST_ROUNDS):
        batch = left[:_IN_A_BUNDLE]
        if not batch or len(best) == MOST_FOUND:
            break
        calls = []
        for one in batch:
            calls += [
                SimulatedCall(sender=STRANGER, to=one.contract, data=one.data, gas=_GAS),
                question,
            ]
        block = SimulatedBlock(
            calls=tuple(calls), timestamp=timestamp, gas_limit=BLOCK_GAS, overrides=(feed,)
        )
        try:
            (result,) = engine.run([block])
        except RpcError:
            break
        ratios = (
            int.from_bytes(c.return_data[:32], "big") / trace.raw if c.succeeded else 0.0
            for c in result.calls[1::2]
        )
        hit = next(((k, r) for k, r in enumerate(ratios) if abs(r - 1.0) > _FELT), None)
        if hit is None:
            left = left[len(batch) :]
            continue
        k, ratio = hit
        one, function = batch[k], batch[k].data[:4]
        meant = abs(ratio / _TIMES - 1.0) < _FELT
        if meant or function not in best:
            best[function] = OpenSetter(
                contract=one.contract,
                data=one.data,
                at=one.at if meant else None,
                value=one.value,
                ratio=ratio,
            )
        # Other arguments of the same function may set what they are meant to.
        left = [a for a in left[k + 1 :] if not meant or a.data[:4] != function]
    return list(best.values())


def _calls(
    selector: bytes, value: int, named: Sequence[str], symbol: str, timestamp: int
) -> Iterator[tuple[bytes, int | None]]:
    """Calldata for one function, and where in it the value stands."""

    def data(*words: int | bytes) -> bytes:
        return selector + b"".join(
            w.ljust(32, b"\0") if isinstance(w, bytes) else w.to_bytes(32, "big") for w in words
        )

    new = round(value * _TIMES)
    assets = list(dict.fromkeys(int(a, 16) for a in named if a))
    name = symbol.encode()[:32]
    feed = int(STRANGERS_FEED, 16)
    yield data(new, timestamp, timestamp, timestamp, timestamp), 4
    # (value[], time[])
    yield data(0x40, 0x80, 1, new, 1, timestamp), 4 + 3 * 32
    yield data(feed, feed, feed), None
    # (name, value) and (bytes32, value)
    yield data(0x40, new, len(name), name), 4 + 32
    yield data(0x40, feed, len(name), name), None
    yield data(name, new, timestamp), 4 + 32
    for asset in assets:
        yield data(asset, new, timestamp, timestamp), 4 + 32
        yield data(new, asset, timestamp), 4
        yield data(0x40, 0x80, 1, asset, 1, new), 4 + 5 * 32
        yield data(asset, feed, 1, 1), None
        yield data(0x40, 0x80, 1, asset, 1, feed), None


def _feed(value: int, timestamp: int) -> bytes:
    word, time, one = (v.to_bytes(32, "big") for v in (value, timestamp, 1))
    return board_code(
        [
            Answer(selector=FEED.encode("latestAnswer"), data=word),
            Answer(selector=FEED.encode("latestRoundData"), data=one + word + time + time + one),
            Answer(selector=FEED.encode("decimals"), data=_DECIMALS.to_bytes(32, "big")),
        ]
    )
