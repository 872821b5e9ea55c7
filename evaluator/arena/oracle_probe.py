"""Find out by running it where a price comes from and who can move it.

Four questions, put to the real bytecode in bundles that are forgotten, none of them
answered by a name or an address:

1. which answers at the ends of the price call the price depends on, and whether it
   follows them when they are scaled far down and up: if not, there is a floor or a cap;
2. whether it moves when an exchange pool on the way is traded in, or when tokens are
   sent to an account whose balance is read;
3. whether a stranger's call to one of the contracts on the way changes it
   (evaluator.arena.open_setters);
4. of what time the answer says it is.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from evaluator.arena.bundles import BLOCK_GAS, BundleEngine, open_engine
from evaluator.arena.families import lending_of
from evaluator.arena.funds import balance_slot, funding
from evaluator.arena.lending import TOKEN, Lending
from evaluator.arena.open_setters import open_setters
from evaluator.arena.oracle_findings import (
    LEVELS,
    MOVED,
    GiftSource,
    OracleProbe,
    PoolSource,
    PriceLeaf,
)
from evaluator.arena.price_trace import Exchange, PriceTrace, trace_price
from evaluator.chain.abi import selector
from evaluator.chain.receipts import ZERO
from evaluator.chain.sandbox import Sandbox
from evaluator.chain.simulation import SimulatedBlock, SimulatedCall, StateOverride
from evaluator.chain.solidity import load_contract
from evaluator.errors import ConfigurationError, RpcError
from evaluator.market import Market
from evaluator.protocols.interfaces import FEED
from evaluator.protocols.oracles import read_code
from evaluator.protocols.pools import Pool, PoolKind, open_pools

TRADER = "0x5ea70000000000000000000000000000000000bb"
_NUDGE = 1.01  # of an answer, to see whether the price depends on it
_LEAST = 100  # smaller words cannot be scaled by a hundredth
_FELT = 1e-3  # relative; a price that moves by more was moved
_SWING = 1.2  # of the pool's price, by the swap that is tried
_WAITS = (0, 60, 1800)  # seconds after the swap at which the price is looked at
_ENDS = 24  # answers that are scaled one by one
_ROUND, _BALANCE = FEED.encode("latestRoundData"), selector("balanceOf(address)")
_PAST, _FUTURE = 10 * 365 * 86_400, 86_400  # seconds around now that make a word a time


def probe_oracles(
    sandbox: Sandbox,
    market: Market,
    *,
    reserves: Collection[int] | None = None,
    kept: Collection[str] = (),
    setters: bool = True,
) -> tuple[OracleProbe, ...]:
    """Probe the prices of `reserves` (by index; None: all) at the sandbox's head.

    `kept` are contracts whose setters are left out, such as feeds that a test chain
    keeps open. Where the node cannot trace, or a price is not told, the reserve is left
    out. Raises UnknownProtocol, IncompleteState and RpcError; the head stays as it was.
    """
    lending = lending_of(sandbox, market)
    prober = _Prober(
        sandbox=sandbox,
        engine=open_engine(sandbox),
        lending=lending,
        kept=frozenset(a.lower() for a in kept),
        with_setters=setters and sandbox.has_simulate,
    )
    asked = range(len(market.reserves)) if reserves is None else sorted(reserves)
    found = (prober.probe(a) for a in asked)
    return tuple(p for p in found if p is not None)


@dataclass(kw_only=True)
class _Prober:
    sandbox: Sandbox
    engine: BundleEngine
    lending: Lending
    kept: frozenset[str]
    with_setters: bool
    codes: dict[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.market = self.lending.market
        self.time = self.sandbox.timestamp() + 12
        self.tokens = {r.asset.address.lower(): r.asset for r in self.market.reserves}
        receipts = {r.receipt_token.lower() for r in self.market.reserves if r.receipt_token}
        self.plain = receipts | set(self.tokens)

    def probe(self, a: int) -> OracleProbe | None:
        question = self.lending.price(a)
        trace = trace_price(self.sandbox, question)
        if trace is None or trace.raw <= 0:
            return None
        asset = self.market.reserves[a].asset
        leaves = self._leaves(question, trace)
        posted = not leaves and self._posted(question, trace)
        floor, cap, refuses = (
            (0.0, math.inf, ()) if posted else self._bounds(question, trace, leaves, asset.price)
        )
        pools = self._pools(question, trace, asset.address.lower())
        skipped = self.plain | {p.pool for p in pools} | self.kept
        setters = (
            open_setters(
                self.engine,
                question,
                trace,
                codes={c: self.code(c) for c in trace.contracts},
                skipped=skipped,
                named=(asset.address, self.market.reserves[a].receipt_token),
                symbol=asset.symbol,
                timestamp=self.time,
            )
            if self.with_setters
            else ()
        )
        times = self._times(trace, leaves)
        return OracleProbe(
            reserve=a,
            asset=asset.symbol,
            token=asset.address.lower(),
            price=asset.price,
            trace=trace,
            leaves=leaves,
            posted=posted,
            floor=floor,
            cap=cap,
            refuses=refuses,
            pools=pools,
            gifts=self._gifts(question, trace),
            setters=setters,
            updated_at=min(times) if times else None,
        )

    def _times(self, trace: PriceTrace, leaves: Sequence[PriceLeaf]) -> list[int]:
        """When the rounds that were read, or stand behind what was read, were made."""
        rounds = {e.to: e.answer for e in trace.exchanges if e.data == _ROUND}
        asked = [c for c in dict.fromkeys(leaf.contract for leaf in leaves) if c not in rounds]
        answers = self.sandbox.call_many([(c, _ROUND) for c in asked])
        rounds |= {c: a for c, a in zip(asked, answers, strict=True) if isinstance(a, bytes)}
        times = (int.from_bytes(a[96:128], "big") for a in rounds.values() if len(a) == 160)
        return [t for t in times if self._is_time(t)]

    def code(self, address: str) -> bytes:
        if address not in self.codes:
            self.codes[address] = self.sandbox.get_code(address)
        return self.codes[address]

    def ask(self, question: SimulatedCall, overrides: Sequence[StateOverride]) -> float | None:
        """The price under `overrides`, in the oracle's unit; None if it tells none."""
        try:
            (block,) = self.engine.run(
                [
                    SimulatedBlock(
                        calls=(question,),
                        timestamp=self.time,
                        gas_limit=BLOCK_GAS,
                        overrides=tuple(overrides),
                    )
                ]
            )
        except RpcError:
            return None
        return _told(block.calls[0].succeeded, block.calls[0].return_data)

    # ------------------------------------------------------------------ leaves and bounds

    def _leaves(self, question: SimulatedCall, trace: PriceTrace) -> tuple[PriceLeaf, ...]:
        out = []
        for end in [e for e in trace.ends if e.to != trace.oracle][:_ENDS]:
            # Code that reads no storage says the same for ever.
            if not read_code(self.code(end.code)).reads_state:
                continue
            for word, value in enumerate(end.words[:8]):
                if not _LEAST <= value < 2**255 or self._is_time(value):
                    continue
                answer = end.with_word(word, round(value * _NUDGE))
                told = self._with(question, trace, {end.to: {end.data: answer}})
                if told is None:
                    continue
                moved = told / trace.raw - 1.0
                if abs(moved) > _FELT:
                    out.append(
                        PriceLeaf(
                            contract=end.to,
                            data=end.data,
                            word=word,
                            answer=value,
                            elasticity=math.log1p(moved) / math.log(_NUDGE),
                        )
                    )
        return tuple(out) or self._together(question, trace)

    def _together(self, question: SimulatedCall, trace: PriceTrace) -> tuple[PriceLeaf, ...]:
        """Answers that matter only together, as those a median is taken of."""
        rounds = [e for e in trace.ends if e.data == _ROUND and len(e.answer) == 160]
        if len(rounds) < 2:
            return ()
        leaves = tuple(
            PriceLeaf(contract=e.to, data=e.data, word=1, answer=e.words[1], elasticity=1.0)
            for e in rounds
            if _LEAST <= e.words[1] < 2**255
        )
        told = self._scaled(question, trace, leaves, _NUDGE)
        return leaves if told is not None and abs(told / trace.raw - 1.0) > _FELT else ()

    def _posted(self, question: SimulatedCall, trace: PriceTrace) -> bool:
        """Whether a word in the oracle's own storage moves the price."""
        request = {"from": ZERO, "to": question.to, "data": "0x" + question.data.hex()}
        try:
            listed = self.sandbox.rpc.request("eth_createAccessList", [request, "latest"])
        except RpcError:
            return False
        for account in listed.get("accessList", ()):
            if str(account["address"]).lower() != trace.oracle:
                continue
            for key in account.get("storageKeys", ())[:_ENDS]:
                slot = int(key, 16)
                value = int.from_bytes(self.sandbox.get_storage(trace.oracle, slot), "big")
                if not _LEAST <= value < 2**255:
                    continue
                nudged = ((slot, round(value * _NUDGE)),)
                told = self.ask(question, [StateOverride(address=trace.oracle, storage=nudged)])
                if told is not None and abs(told / trace.raw - 1.0) > _FELT:
                    return True
        return False

    def _bounds(
        self,
        question: SimulatedCall,
        trace: PriceTrace,
        leaves: Sequence[PriceLeaf],
        price: float,
    ) -> tuple[float, float, tuple[float, ...]]:
        """Scale everything it depends on, and see how far the price follows."""
        # A ratio or an inverse goes the other way: only what moves it upward is scaled.
        upward = [leaf for leaf in leaves if leaf.elasticity > 0.0]
        if not upward:
            return (price, price, ()) if not leaves else (0.0, math.inf, ())
        probed = self._scaled(question, trace, upward, _NUDGE)
        if probed is None or probed <= trace.raw:
            return 0.0, math.inf, ()
        strength = math.log(probed / trace.raw) / math.log(_NUDGE)
        floor, cap, refuses = 0.0, math.inf, []
        for level in LEVELS:
            told = self._scaled(question, trace, upward, level)
            wanted = float(trace.raw * level**strength)
            if told is None:
                refuses.append(level)
            elif level < 1.0 and told > 1.5 * wanted and told > 10.0:
                floor = max(floor, price * told / trace.raw)
            elif level > 1.0 and told < wanted / 1.5:
                cap = min(cap, price * told / trace.raw)
        return floor, cap, tuple(refuses)

    def _scaled(
        self,
        question: SimulatedCall,
        trace: PriceTrace,
        leaves: Sequence[PriceLeaf],
        times: float,
    ) -> float | None:
        changed: dict[str, dict[bytes, bytes]] = {}
        asked = {(e.to, e.data): e for e in trace.ends}
        for leaf in leaves:
            mine = changed.setdefault(leaf.contract, {})
            exchange = asked[leaf.contract, leaf.data]
            base = mine.get(leaf.data, exchange.answer)
            value = max(round(leaf.answer * times), 1)
            now = Exchange(
                to=leaf.contract, code=leaf.contract, data=leaf.data, answer=base, end=True
            )
            mine[leaf.data] = now.with_word(leaf.word, value)
        return self._with(question, trace, changed)

    def _with(
        self,
        question: SimulatedCall,
        trace: PriceTrace,
        changed: Mapping[str, Mapping[bytes, bytes]],
    ) -> float | None:
        try:
            return self.ask(question, [trace.stand_in(c, a) for c, a in changed.items()])
        except ConfigurationError:
            return None  # it was asked more than a stand-in can answer

    def _is_time(self, value: int) -> bool:
        return self.time - _PAST < value < self.time + _FUTURE

    # ------------------------------------------------------------------ pools and gifts

    def _pools(
        self, question: SimulatedCall, trace: PriceTrace, token: str
    ) -> tuple[PoolSource, ...]:
        near = dict.fromkeys(trace.contracts)
        for e in trace.exchanges:
            near.update(dict.fromkeys(e.named))
        asked = [a for a in near if a not in self.tokens]
        if not asked:
            return ()
        out = []
        for pool in open_pools(self.sandbox, asked, block=self.sandbox.block_number()):
            bought = token if token in (pool.token0, pool.token1) else pool.token0
            for side in dict.fromkeys((bought, pool.other(bought))):
                found = self._traded(question, trace, pool, side)
                if found is not None:
                    out.append(found)
                    break
        return tuple(out)

    def _traded(
        self, question: SimulatedCall, trace: PriceTrace, pool: Pool, bought: str
    ) -> PoolSource | None:
        """Buy in a pool, and look at the price in the same block and later ones."""
        paid = pool.other(bought)
        held = pool.reserve1 if paid == pool.token1 else pool.reserve0
        fee = pool.fee / 1e6
        units = int(held * (math.sqrt(_SWING) - 1.0) / (1.0 - fee))
        place = balance_slot(self.sandbox, paid, TRADER)
        if place is None or units <= 0:
            return None
        attacker = load_contract("Attacker")
        route = [(pool.address, pool.kind is PoolKind.UNISWAP_V3)]
        swap = SimulatedCall(
            sender=ZERO, to=TRADER, data=attacker.abi.encode("sell", paid, units, route)
        )
        code = StateOverride(address=TRADER, code=bytes.fromhex(attacker.runtime))
        blocks = [
            SimulatedBlock(
                calls=(swap, question) if k == 0 else (question,),
                timestamp=self.time + wait,
                gas_limit=BLOCK_GAS,
                overrides=(*funding([(place, units)]), code) if k == 0 else (),
            )
            for k, wait in enumerate(_WAITS)
        ]
        try:
            results = self.engine.run(blocks)
        except RpcError:
            return None
        if not results[0].calls[0].succeeded:
            return None
        prices = [_told(b.calls[-1].succeeded, b.calls[-1].return_data) for b in results]
        moves = [0.0 if p is None else p / trace.raw - 1.0 for p in prices]
        most = max(moves, key=abs)
        if abs(most) < 0.01:
            return None
        # An average follows late: what counts is when most of the move has arrived.
        delay = next(w for w, m in zip(_WAITS, moves, strict=True) if 2.0 * abs(m) >= abs(most))
        traded = self._worth(pool, paid, held) * (math.sqrt(1.0 + MOVED) - 1.0)
        return PoolSource(
            pool=pool.address,
            token=bought,
            moved=most,
            delay=delay,
            fee=fee,
            depth_usd=self._worth(pool, paid, held),
            capital_usd=traded,
            cost_usd=2.0 * fee * traded,
        )

    def _worth(self, pool: Pool, token: str, units: int) -> float:
        """What base units on one side of a pool are worth, USD; nan if neither side is known."""
        asset = self.tokens.get(token)
        if asset is not None:
            return float(units / 10**asset.decimals * asset.price)
        other = self.tokens.get(pool.other(token))
        if other is None:
            return math.nan
        # At a pool's own price both of its sides are worth the same.
        held = pool.reserve0 if pool.other(token) == pool.token0 else pool.reserve1
        return float(held / 10**other.decimals * other.price)

    def _gifts(self, question: SimulatedCall, trace: PriceTrace) -> tuple[GiftSource, ...]:
        out = []
        for end in trace.ends:
            if end.data[:4] != _BALANCE or len(end.named) != 1 or not end.words[0]:
                continue
            holder, gift = end.named[0], end.words[0] // 10 + 1
            place = balance_slot(self.sandbox, end.to, TRADER)
            if place is None:
                continue
            send = SimulatedCall(
                sender=TRADER, to=end.to, data=TOKEN.encode("transfer", holder, gift)
            )
            try:
                (block,) = self.engine.run(
                    [
                        SimulatedBlock(
                            calls=(send, question),
                            timestamp=self.time,
                            gas_limit=BLOCK_GAS,
                            overrides=funding([(place, gift)]),
                        )
                    ]
                )
            except RpcError:
                continue
            told = _told(block.calls[1].succeeded, block.calls[1].return_data)
            if block.calls[0].succeeded and told is not None:
                moved = told / trace.raw - 1.0
                if abs(moved) > 0.01:
                    out.append(GiftSource(token=end.to, holder=holder, moved=moved))
        return tuple(out)


def _told(succeeded: bool, data: bytes) -> float | None:
    value = int.from_bytes(data[:32], "big") if succeeded and len(data) >= 32 else 0
    return float(value) if value > 0 else None
