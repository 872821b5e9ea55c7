"""One market at one block with what an attacker finds around it: tokens, pools, prices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from evaluator.arena.adversary.moves import Move
from evaluator.arena.adversary.past import Past
from evaluator.arena.adversary.polity import Polity, earlier, open_polity
from evaluator.arena.bundles import BundleEngine, open_engine
from evaluator.arena.families import lending_of
from evaluator.arena.funds import BalanceSlot, balance_slot
from evaluator.arena.lending import TOKEN, Lending
from evaluator.chain.abi import Abi
from evaluator.chain.artifacts import Artifact
from evaluator.chain.sandbox import Sandbox
from evaluator.chain.simulation import SimulatedCall
from evaluator.chain.solidity import load_contract
from evaluator.errors import TransactionReverted
from evaluator.governance.adapter import GovernorAdapter
from evaluator.governance.terms import read_terms
from evaluator.market import Market, OracleKind
from evaluator.protocols.pools import Pool, Venues, find_pools, open_pools
from evaluator.protocols.reading import address_in, read_raw

ATTACKER = "0x5ea70000000000000000000000000000000000aa"
SECOND = "0x5ea70000000000000000000000000000000000ab"  # another account of the attacker's
LEAST_HOLDING = 1_000.0  # USD; less in a treasury is not worth a vote
# A pool with less than this of the other token tells no price, USD.
LEAST_DEPTH = 10_000.0
# From a pool that is this deep the market price is taken if the oracle is far off.
_TRUSTED_DEPTH = 100_000.0
_FAR_OFF = 0.10  # relative
_PLACE = Abi.parse(
    [
        "function factory() view returns (address)",
        "function decimals() view returns (uint8)",
        "function symbol() view returns (string)",
    ]
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Token:
    """A token that can be held, with or without a reserve of the market."""

    address: str  # lower-case
    symbol: str  # for people
    decimals: int  # base units per whole token, as a power of ten
    fair: float  # USD per whole token, what it is worth outside; 0 if nothing tells
    reserve: int | None  # index among the market's reserves, None if it has none
    native: bool  # the chain's own coin, which has no contract


@dataclass(eq=False)
class Ground:
    """A state on which sequences are tried; its sandbox's head is the state."""

    sandbox: Sandbox  # not changed by trying
    market: Market  # as read there
    lending: Lending  # its user actions
    engine: BundleEngine  # how bundles run
    tokens: Mapping[str, Token]  # by lower-case address
    pools: Mapping[str, Pool]  # by lower-case address
    attacker: Artifact  # the Attacker contract, put at ATTACKER
    timestamp: int  # of the head, seconds
    height: int  # of the head, block number
    execution: tuple[SimulatedCall, ...] = ()  # that execute the proposal; () if it is done
    by_anyone: bool = False  # whether the attacker's own contract may make them
    polity: Polity | None = None  # who governs, if votes can be had; None: not looked at, or not
    slots: dict[str, BalanceSlot | None] = field(default_factory=dict)  # found so far, by token
    encoded: dict[Move, tuple[SimulatedCall, ...]] = field(default_factory=dict)  # found so far
    views: dict[tuple[str, ...], tuple[SimulatedCall, ...]] = field(default_factory=dict)  # same

    def slot(self, token: str) -> BalanceSlot | None:
        """Where the attacker's balance of a token is kept; None if no slot was found."""
        if token not in self.slots:
            self.slots[token] = balance_slot(self.sandbox, token, ATTACKER)
        return self.slots[token]

    def index(self, token: str) -> int | None:
        """Return the reserve of a token, None if the market has none."""
        known = self.tokens.get(token)
        return None if known is None else known.reserve

    def units(self, token: str, usd: float, fair: Mapping[str, float]) -> int:
        """Return what `usd` buys of a token at `fair` prices, base units."""
        price = fair.get(token, 0.0)
        return int(usd / price * 10 ** self.tokens[token].decimals) if price > 0.0 else 0

    def pools_of(self, token: str) -> tuple[Pool, ...]:
        """The pools that trade a token, the one with most of the other token first."""
        mine = [p for p in self.pools.values() if token in (p.token0, p.token1)]
        return tuple(sorted(mine, key=lambda p: -self.depth(p, token)))

    def depth(self, pool: Pool, token: str) -> float:
        """What lies behind a pool's price on the side of the other token, USD."""
        other = self.tokens[pool.other(token)]
        held = pool.reserve1 if token == pool.token0 else pool.reserve0
        return float(held / 10**other.decimals * other.fair)


def open_ground(
    sandbox: Sandbox,
    market: Market,
    *,
    venues: Venues | None,
    today: Market | None = None,
    governor: GovernorAdapter | None = None,
) -> Ground:
    """Look around a market at the sandbox's head.

    `today` is the reading whose prices count as fair where it has the asset; by default
    `market` itself. `governor` is looked at if its votes can be bought or borrowed.
    Raises the ProtocolError and ChainError trees.
    """
    block = sandbox.block_number()
    lending = lending_of(sandbox, market)
    tokens = {
        r.asset.address.lower(): Token(
            address=r.asset.address.lower(),
            symbol=r.asset.symbol,
            decimals=r.asset.decimals,
            fair=r.asset.price,
            reserve=a,
            native=lending.pays_in_native(a),
        )
        for a, r in enumerate(market.reserves)
    }
    terms = None if governor is None else read_terms(sandbox, governor)
    traded = [t for t in tokens if not tokens[t].native]
    if terms is not None and terms.token not in tokens:
        traded.append(terms.token)
    pools = _pools_near(sandbox, market, traded, venues, block)
    for address in dict.fromkeys(t for p in pools for t in (p.token0, p.token1)):
        if address not in tokens:
            tokens[address] = _stranger(sandbox, address, block)
    known = _fair(tokens, pools, market if today is None else today)
    polity = None
    if governor is not None and terms is not None and terms.token in known:
        polity = open_polity(sandbox, governor, known, least=LEAST_HOLDING)
    return Ground(
        sandbox=sandbox,
        market=market,
        lending=lending,
        engine=open_engine(sandbox),
        tokens=known,
        pools={p.address: p for p in pools},
        attacker=load_contract("Attacker"),
        timestamp=sandbox.timestamp(),
        height=block,
        polity=polity,
    )


def ground_before(
    after: Ground, past: Past, market: Market, execution: Sequence[SimulatedCall]
) -> Ground:
    """The same surroundings with the market as it was read before the execution.

    `execution` is what executes the proposal there. Raises the ProtocolError and
    ChainError trees.
    """
    lending = lending_of(past, market)
    rows = {r.asset.address.lower(): a for a, r in enumerate(market.reserves)}
    return replace(
        after,
        sandbox=past,
        market=market,
        lending=lending,
        engine=past.engine(),
        tokens={a: replace(t, reserve=rows.get(a)) for a, t in after.tokens.items()},
        timestamp=past.timestamp(),
        height=past.block_number(),
        polity=earlier(after.polity, past),
        execution=tuple(execution),
        by_anyone=bool(execution) and callable_by_anyone(past, execution),
        encoded={},
        views={},
    )


def _pools_near(
    sandbox: Sandbox, market: Market, tokens: Sequence[str], venues: Venues | None, block: int
) -> tuple[Pool, ...]:
    """Pools of known venues, those that oracles read, and what their factories made."""
    read = tuple(
        r.oracle.pool.lower()
        for r in market.reserves
        if r.oracle.kind is OracleKind.POOL and r.oracle.pool
    )
    named = (*(() if venues is None else (p.lower() for p in venues.pools)), *read)
    opened = {p.address: p for p in open_pools(sandbox, list(dict.fromkeys(named)), block=block)}
    asked = [(p, _PLACE.encode("factory")) for p in opened]
    made = {address_in(a) for a in read_raw(sandbox, asked, block=block)} - {None}
    factories = sorted(a for a in made if a is not None)
    wider = Venues(
        v2_factories=tuple(
            dict.fromkeys((*(() if venues is None else venues.v2_factories), *factories))
        ),
        v3_factories=tuple(
            dict.fromkeys((*(() if venues is None else venues.v3_factories), *factories))
        ),
    )
    more = find_pools(sandbox, tokens, tokens, wider, block=block)
    opened.update({p.address: p for p in more})
    traded = set(tokens)
    return tuple(p for p in opened.values() if p.token0 in traded or p.token1 in traded)


def _stranger(sandbox: Sandbox, address: str, block: int) -> Token:
    """A token without a reserve, on the other side of a pool."""
    answers = read_raw(
        sandbox,
        [(address, _PLACE.encode("decimals")), (address, TOKEN.encode("totalSupply"))],
        block=block,
    )
    decimals = int.from_bytes(answers[0], "big") if answers[0] and len(answers[0]) == 32 else 18
    return Token(
        address=address,
        symbol=f"{address[:6]}…{address[-4:]}",
        decimals=min(decimals, 36),
        fair=0.0,
        reserve=None,
        native=False,
    )


def _fair(tokens: dict[str, Token], pools: Sequence[Pool], today: Market) -> dict[str, Token]:
    """Say what each token is worth outside the protocol.

    Today's oracle price, unless the deepest pool of a token contradicts it by more than
    a tenth over real depth; for a token without one, the deepest pool's price.
    """
    prices = {r.asset.address.lower(): r.asset.price for r in today.reserves if r.asset.price > 0.0}
    seen = dict(prices)
    for _ in range(2):  # twice, for a token that is traded against a stranger
        for address, token in tokens.items():
            if token.native:
                continue
            best = (0.0, 0.0)  # depth, price
            for pool in pools:
                if address not in (pool.token0, pool.token1):
                    continue
                other = tokens[pool.other(address)]
                if seen.get(other.address, 0.0) <= 0.0:
                    continue
                usd = seen[other.address]
                held = pool.reserve1 if address == pool.token0 else pool.reserve0
                depth = held / 10**other.decimals * usd
                price = pool.price(address) * 10.0 ** (token.decimals - other.decimals) * usd
                best = max(best, (depth, price))
            depth, price = best
            said = prices.get(address)
            wrong = said is not None and abs(price / said - 1.0) > _FAR_OFF
            if (said is None and depth >= LEAST_DEPTH) or (wrong and depth >= _TRUSTED_DEPTH):
                seen[address] = price
    return {
        a: Token(
            address=a,
            symbol=t.symbol,
            decimals=t.decimals,
            fair=seen.get(a, t.fair),
            reserve=t.reserve,
            native=t.native,
        )
        for a, t in tokens.items()
    }


def callable_by_anyone(sandbox: Sandbox, calls: Sequence[SimulatedCall]) -> bool:
    """Whether the one transaction that executes the proposal may come from the attacker."""
    if len(calls) != 1:
        return False
    try:
        sandbox.call(calls[0].to, calls[0].data, sender=ATTACKER)
    except TransactionReverted:
        return False
    return calls[0].value == 0
