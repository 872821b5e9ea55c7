"""Where the prices of a market come from, found by tracing, and how they are moved.

The call for a price is traced. The contracts at its ends that answer as feeds do are
its leaves: what an honest keeper writes to. Everything between them and the protocol
(floors, averages, ratios) is left as it is, so that it does to a moved price what it
would do on the chain. How a leaf is written to is found by trying.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from evaluator.arena.adversary.ground import Ground
from evaluator.arena.board import Answer, board_code
from evaluator.arena.lending import view
from evaluator.arena.pricing import FEED
from evaluator.chain.abi import Abi
from evaluator.chain.receipts import ZERO
from evaluator.chain.simulation import SimulatedBlock, SimulatedCall, StateOverride
from evaluator.errors import RpcError, TransactionReverted

_ANSWER, _ROUND = FEED.encode("latestAnswer"), FEED.encode("latestRoundData")
_POOL_READS = frozenset(
    Abi.parse(
        [
            "function slot0()",
            "function getReserves()",
            "function observe(uint32[])",
            "function price0CumulativeLast()",
            "function price1CumulativeLast()",
            "function get_virtual_price()",
            "function get_dy(int128,int128,uint256)",
            "function price_oracle()",
        ]
    ).selectors
)
# What keepers of feeds that can be written to on a test chain call.
_PUSHES = Abi.parse(["function push(int256)", "function updateAnswer(int256)"])
_UP = 1.01  # a floor does not stand in the way of a price that rises
_DEEP = 24  # calls within calls that are followed
_SLOTS = 16  # storage slots of a leaf that are tried


@dataclass(frozen=True, kw_only=True, slots=True)
class Leaf:
    """A contract that holds a price which somebody outside writes."""

    address: str  # lower-case
    selector: bytes  # of the question it was asked in the trace
    answer: int  # as it stands
    writer: str  # who pushes, lower-case; "" if it takes no push
    push: str  # the function pushed by, "" likewise
    slot: tuple[int, int, int, int] | None  # slot, its word, first byte and length of the answer


@dataclass(frozen=True, kw_only=True, eq=False)
class Source:
    """Where the price of one reserve comes from."""

    leaves: tuple[str, ...]  # leaf feeds, lower-case
    pools: tuple[str, ...]  # exchange pools that are read, lower-case
    touched: tuple[str, ...]  # every contract on the way, the oracle first
    fixed: bool  # nothing on the way reads anything that could move


@dataclass(frozen=True, kw_only=True, eq=False)
class Leaves:
    """The feeds of a market and who shares them."""

    sources: Mapping[str, Source]  # by token
    leaves: Mapping[str, Leaf]  # by address
    bounds: Mapping[str, tuple[float, float]]  # ratios a token's feed may report, by token

    def movable(self, token: str) -> bool:
        """Whether it is known what the price of a token does when the market moves."""
        source = self.sources.get(token)
        if source is None:
            return False
        return source.fixed or self._mine(token) is not None

    def followed(self, token: str) -> bool:
        """Whether keepers bring what the market makes of a token, and of no other, to its feed."""
        return self._mine(token) is not None and self.moved_with(token) == (token,)

    def moved_with(self, token: str) -> tuple[str, ...]:
        """Tokens priced by the same feed, which move when it does; the token itself first."""
        leaf = self._mine(token)
        if leaf is None:
            return (token,)
        others = (t for t, s in self.sources.items() if leaf.address in s.leaves and t != token)
        return (token, *others)

    def scaled(
        self, ratios: Mapping[str, float], *, timestamp: int
    ) -> tuple[list[SimulatedCall], list[StateOverride]]:
        """Have keepers report the prices of tokens times these ratios, as far as feeds can.

        A token whose price nothing can move stays as it is; see `movable`.
        """
        calls: list[SimulatedCall] = []
        overrides: list[StateOverride] = []
        for token, ratio in ratios.items():
            leaf = self._mine(token)
            if leaf is None:
                continue
            low, high = self.bounds.get(token, (0.0, float("inf")))
            answer = max(round(leaf.answer * min(max(ratio, low), high)), 1)
            call, override = written(leaf, answer, timestamp)
            calls += [call] if call is not None else []
            overrides += [override] if override is not None else []
        return calls, overrides

    def _mine(self, token: str) -> Leaf | None:
        """The leaf that a token's price follows: its own, or the only one it has.

        Of a token that is priced by a ratio and by its anchor's feed the ratio is its own.
        An anchor, whose only feed others are priced by as well, takes them along; see
        `moved_with`.
        """
        source = self.sources.get(token)
        if source is None or not source.leaves or source.pools:
            return None
        users = {a: sum(a in s.leaves for s in self.sources.values()) for a in source.leaves}
        own = [a for a in source.leaves if a in self.leaves and users[a] == 1]
        if not own and len(source.leaves) == 1:
            return self.leaves.get(source.leaves[0])
        return self.leaves[own[0]] if len(own) == 1 else None


def find_leaves(ground: Ground, *, fixed: Collection[str] = ()) -> Leaves:
    """Trace the price of every reserve of a ground; `fixed` are tokens whose price never moves.

    Raises RpcError.
    """
    sources, asked = {}, {}
    for a, reserve in enumerate(ground.market.reserves):
        call = ground.lending.price(a)
        frame = trace(ground, call)
        if frame is None:
            continue
        token = reserve.asset.address.lower()
        source, found = _source(frame, fixed=token in fixed)
        sources[token] = source
        asked.update(found)
    leaves = {}
    for address, (selector, answer) in asked.items():
        leaf = _leaf(ground, address, selector, answer)
        if leaf is not None:
            leaves[address] = leaf
    bounds = {
        r.asset.address.lower(): (r.oracle.floor / r.asset.price, r.oracle.cap / r.asset.price)
        for r in ground.market.reserves
        if r.asset.price > 0.0
    }
    return Leaves(sources=sources, leaves=leaves, bounds=bounds)


def trace(ground: Ground, call: SimulatedCall) -> dict[str, Any] | None:
    """Return the tree of calls of a view, None if it reverts or the node cannot trace."""
    request = {"from": ZERO, "to": call.to, "data": "0x" + call.data.hex()}
    try:
        frame = ground.sandbox.rpc.request(
            "debug_traceCall",
            [request, hex(ground.sandbox.block_number()), {"tracer": "callTracer"}],
        )
    except RpcError:
        return None
    return frame if isinstance(frame, dict) and not frame.get("error") else None


def _walk(frame: Mapping[str, Any], depth: int = 0) -> Iterator[tuple[dict[str, Any], bool]]:
    """Every call of a tree with whether it asks nobody else; delegation is no asking."""
    children = frame.get("calls") or []
    asks = any(_asks(c) for c in children)
    yield dict(frame), not asks
    if depth < _DEEP:
        for child in children:
            yield from _walk(child, depth + 1)


def _asks(frame: Mapping[str, Any]) -> bool:
    if frame.get("type") != "DELEGATECALL":
        return True
    return any(_asks(c) for c in frame.get("calls") or [])


def _source(frame: dict[str, Any], *, fixed: bool) -> tuple[Source, dict[str, tuple[bytes, int]]]:
    found: dict[str, tuple[bytes, int]] = {}
    pools: dict[str, None] = {}
    touched: dict[str, None] = {}
    for one, last in _walk(frame):
        to = str(one.get("to", "")).lower()
        touched[to] = None
        data = bytes.fromhex(str(one.get("input", "0x"))[2:])[:4]
        output = bytes.fromhex(str(one.get("output", "0x"))[2:])
        if data in _POOL_READS:
            pools[to] = None
        elif last and data == _ANSWER and len(output) == 32:
            found[to] = (data, int.from_bytes(output, "big", signed=True))
        elif last and data == _ROUND and len(output) == 160:
            found[to] = (data, int.from_bytes(output[32:64], "big", signed=True))
    return (
        Source(
            # What says a constant is no feed that keepers could write to.
            leaves=() if fixed else tuple(a for a, (_, answer) in found.items() if answer > 0),
            pools=tuple(pools),
            touched=tuple(touched),
            fixed=fixed,
        ),
        {} if fixed else {a: x for a, x in found.items() if x[1] > 0},
    )


def _leaf(ground: Ground, address: str, selector: bytes, answer: int) -> Leaf | None:
    """Find out how a leaf is written to; None if no way works."""
    wanted = round(answer * _UP)
    candidates: list[Leaf] = []
    owner = _owner(ground, address)
    for name in _PUSHES.functions:
        candidates.append(
            Leaf(address=address, selector=selector, answer=answer, writer=owner, push=name,
                 slot=None)
        )  # fmt: skip
    for slot in _slots(ground, address, selector, answer):
        candidates.append(
            Leaf(address=address, selector=selector, answer=answer, writer="", push="", slot=slot)
        )
    candidates.append(
        Leaf(address=address, selector=selector, answer=answer, writer="", push="", slot=None)
    )
    at = ground.timestamp + 12
    for leaf in candidates:
        call, override = written(leaf, wanted, at)
        block = SimulatedBlock(
            calls=(*(() if call is None else (call,)), view(address, selector)),
            overrides=() if override is None else (override,),
            timestamp=at,
        )
        try:
            (result,) = ground.engine.run([block])
        except RpcError:
            continue
        last = result.calls[-1]
        word = last.return_data[32:64] if selector == _ROUND else last.return_data[:32]
        if last.succeeded and int.from_bytes(word, "big", signed=True) == wanted:
            return leaf
    return None


def _owner(ground: Ground, address: str) -> str:
    try:
        answer = ground.sandbox.call(address, FEED.encode("owner"))
    except (TransactionReverted, RpcError):
        return ZERO
    return "0x" + answer[12:32].hex() if len(answer) == 32 else ZERO


def _slots(
    ground: Ground, address: str, selector: bytes, answer: int
) -> list[tuple[int, int, int, int]]:
    """Storage words of a leaf in which the answer is written as bytes."""
    request = {"from": ZERO, "to": address, "data": "0x" + selector.hex()}
    try:
        listed = ground.sandbox.rpc.request("eth_createAccessList", [request, "latest"])
    except RpcError:
        return []
    digits = answer.to_bytes(max((answer.bit_length() + 7) // 8, 1), "big")
    out = []
    for account in listed.get("accessList", ()):
        if str(account["address"]).lower() != address or len(digits) < 2:
            continue
        for key in account.get("storageKeys", ())[:_SLOTS]:
            word = ground.sandbox.get_storage(address, int(key, 16))
            at = word.find(digits)
            if at >= 0:
                # The answer's field begins further left: its leading bytes are zeros.
                first = at
                while first > 0 and word[first - 1] == 0:
                    first -= 1
                out.append(
                    (int(key, 16), int.from_bytes(word, "big"), first, at + len(digits) - first)
                )
    return out


def written(
    leaf: Leaf, answer: int, timestamp: int
) -> tuple[SimulatedCall | None, StateOverride | None]:
    """What makes a leaf report `answer`: a keeper's transaction or a change of its state."""
    if leaf.push:
        data = _PUSHES.encode(leaf.push, answer)
        return SimulatedCall(sender=leaf.writer, to=leaf.address, data=data), None
    if leaf.slot is not None:
        slot, word, first, length = leaf.slot
        raw = bytearray(word.to_bytes(32, "big"))
        raw[first : first + length] = answer.to_bytes(length, "big")
        changed = ((slot, int.from_bytes(raw, "big")),)
        return None, StateOverride(address=leaf.address, storage=changed)
    word32, time, one = (v.to_bytes(32, "big") for v in (answer, timestamp, 1))
    answers = [
        Answer(selector=_ANSWER, data=word32),
        Answer(selector=_ROUND, data=one + word32 + time + time + one),
    ]
    return None, StateOverride(address=leaf.address, code=board_code(answers))
