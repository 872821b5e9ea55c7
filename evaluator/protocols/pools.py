"""Exchange pools: found, opened and quoted through their own contracts."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from evaluator.chain.abi import selector
from evaluator.chain.receipts import unhex
from evaluator.chain.sandbox import Sandbox
from evaluator.protocols.interfaces import UNISWAP
from evaluator.protocols.reading import address_in, checksum, node_at, read_raw

MOST_POOLS = 400
V3_FEES = (100, 500, 3000, 10_000)  # hundredths of a basis point
_V2_FEE = 3000
_MILLION = 10**6
_QUOTES_AT_ONCE = 100  # in one HTTP request
_Q96 = 2**96
_QUOTE_V2 = "quoteExactInputSingle((address,address,uint256,uint24,uint160))"
_QUOTE_V1 = "quoteExactInputSingle(address,address,uint24,uint256,uint160)"


class PoolKind(StrEnum):
    """Whose formula a pool follows."""

    UNISWAP_V2 = "Uniswap V2"
    UNISWAP_V3 = "Uniswap V3"


@dataclass(frozen=True, kw_only=True, slots=True)
class Venues:
    """Where to look for pools."""

    pools: tuple[str, ...] = ()  # pairs and pools by address
    v2_factories: tuple[str, ...] = ()  # asked for a pair of every two tokens
    v3_factories: tuple[str, ...] = ()  # asked for a pool of every two tokens and fee
    v3_quoter: str = ""  # Quoter or QuoterV2; without one V3 pools are left out
    wrapped_native: str = ""  # token that stands for the native coin, "" if none


# The exchanges' own deployments, as their documentation lists them.
KNOWN_VENUES = {
    1: Venues(
        v2_factories=(
            "0x5c69bee701ef814a2b6a3edd4b1652cb9cc5aa6f",  # Uniswap
            "0xc0aee478e3658e2610c5f7a4a2e1777ce9e4f2ac",  # SushiSwap
        ),
        v3_factories=("0x1f98431c8ad98523631ae4a59f267346ea31f984",),
        v3_quoter="0x61ffe014ba17989e743c5f6cb21bf9697530b21e",
        wrapped_native="0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2",
    ),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Pool:
    """A pool of two tokens as it stands."""

    address: str  # lower-case
    kind: PoolKind
    token0: str  # lower-case
    token1: str  # lower-case
    fee: int  # hundredths of a basis point
    spot: float  # base units of token1 for one of token0, fee aside
    reserve0: int  # base units of token0 behind the price; V3: virtual, of the present range
    reserve1: int  # base units of token1

    def other(self, token: str) -> str:
        """Return the token that `token` is traded for."""
        return self.token1 if token == self.token0 else self.token0

    def price(self, token: str) -> float:
        """Return base units of the other token for one base unit of `token`, fee aside."""
        return self.spot if token == self.token0 else 1.0 / self.spot


def find_pools(
    sandbox: Sandbox, tokens: Sequence[str], hubs: Sequence[str], venues: Venues, *, block: int
) -> tuple[Pool, ...]:
    """Open the pools named by `venues` and those of its factories.

    Factories are asked for every pair of a token of `tokens` and one of
    `hubs`, all lower-case. What is no pool, or trades none of `tokens`, is left out.
    """
    pairs = sorted({tuple(sorted(p)) for p in itertools.product(tokens, hubs) if p[0] != p[1]})
    calls = [
        (f, UNISWAP.encode("getPair", a, b)) for f in venues.v2_factories for a, b in pairs
    ] + [
        (f, UNISWAP.encode("getPool(address,address,uint24)", a, b, fee))
        for f in venues.v3_factories
        for a, b in pairs
        for fee in V3_FEES
    ]
    made = [address_in(answer) for answer in read_raw(sandbox, calls, block=block)]
    addresses = dict.fromkeys((*(p.lower() for p in venues.pools), *filter(None, made)))
    opened = open_pools(sandbox, list(addresses)[:MOST_POOLS], block=block)
    wanted = set(tokens)
    return tuple(p for p in opened if p.token0 in wanted and p.token1 in wanted)


def open_pools(sandbox: Sandbox, addresses: Sequence[str], *, block: int) -> tuple[Pool, ...]:
    """Read what each pool trades and at what price; what is no pool is left out."""
    fns = ("token0", "token1", "getReserves", "slot0", "liquidity", "fee")
    answers = read_raw(
        sandbox, [(a, UNISWAP.encode(fn)) for a in addresses for fn in fns], block=block
    )
    out = []
    for i, address in enumerate(addresses):
        token0, token1 = (address_in(a) for a in answers[6 * i : 6 * i + 2])
        reserves, slot0, liquidity, fee = answers[6 * i + 2 : 6 * i + 6]
        if token0 is None or token1 is None:
            continue
        kind, cost = PoolKind.UNISWAP_V2, _V2_FEE
        spot, reserve0, reserve1 = 0.0, 0, 0
        if reserves is not None and len(reserves) >= 64:
            reserve0, reserve1 = _words(reserves)[:2]
            spot = reserve1 / reserve0 if reserve0 and reserve1 else 0.0
        elif None not in (slot0, liquidity, fee):
            root, depth = _words(slot0)[0], _words(liquidity)[0]
            kind, cost = PoolKind.UNISWAP_V3, _words(fee)[0]
            if root and depth:
                reserve0, reserve1 = depth * _Q96 // root, depth * root // _Q96
                spot = (root / _Q96) ** 2
        if spot > 0.0 and 0 <= cost < _MILLION:
            out.append(
                Pool(
                    address=address,
                    kind=kind,
                    token0=token0,
                    token1=token1,
                    fee=cost,
                    spot=spot,
                    reserve0=reserve0,
                    reserve1=reserve1,
                )
            )
    return tuple(out)


def quote(
    sandbox: Sandbox,
    venues: Venues,
    orders: Sequence[tuple[Pool, str, Sequence[int]]],
    *,
    block: int,
) -> list[list[int | None]]:
    """Quote each (pool, token sold, amounts sold), in base units; None where a pool refuses.

    V3 pools are quoted by the quoter through eth_call, pairs by the formula of
    UniswapV2Library.getAmountOut on their reserves.
    """
    version = _quoter_version(sandbox, venues, orders, block)
    calls: list[tuple[str, bytes]] = []
    out: list[list[int | None]] = []
    for pool, token, amounts in orders:
        for amount in amounts:
            if pool.kind is PoolKind.UNISWAP_V3 and version:
                calls.append((venues.v3_quoter, _quote_call(version, pool, token, amount)))
    answers = iter(_ask(sandbox, calls, block))
    for pool, token, amounts in orders:
        if pool.kind is PoolKind.UNISWAP_V2:
            out.append([_pair_quote(pool, token, amount) for amount in amounts])
        elif version:
            row = [next(answers) for _ in amounts]
            out.append([_words(a)[0] if a and len(a) >= 32 else None for a in row])
        else:
            out.append([None for _ in amounts])
    return out


def describe(pools: Sequence[Pool]) -> str:
    """Name pools for a report, the first few by address."""
    named = [f"{p.kind} {checksum(p.address)}" for p in pools[:6]]
    more = f" and {len(pools) - 6} more" if len(pools) > 6 else ""
    return f"{', '.join(named)}{more}"


def _quoter_version(
    sandbox: Sandbox,
    venues: Venues,
    orders: Sequence[tuple[Pool, str, Sequence[int]]],
    block: int,
) -> str:
    """Find out which of the two quoter interfaces answers; "" for neither."""
    for pool, token, amounts in orders:
        if pool.kind is PoolKind.UNISWAP_V3 and venues.v3_quoter and amounts:
            tried = [
                (venues.v3_quoter, _quote_call(fn, pool, token, amounts[0]))
                for fn in (_QUOTE_V2, _QUOTE_V1)
            ]
            for fn, answer in zip((_QUOTE_V2, _QUOTE_V1), _ask(sandbox, tried, block), strict=True):
                if answer is not None and len(answer) >= 32:
                    return fn
    return ""


def _ask(sandbox: Sandbox, calls: Sequence[tuple[str, bytes]], block: int) -> list[bytes | None]:
    """Call a quoter. It swaps and reverts inside, which no view call through another allows."""
    node, out = node_at(sandbox, block), []
    for start in range(0, len(calls), _QUOTES_AT_ONCE):
        asked = [
            ("eth_call", [{"to": to, "data": "0x" + data.hex()}, hex(block)])
            for to, data in calls[start : start + _QUOTES_AT_ONCE]
        ]
        out += [unhex(r) if isinstance(r, str) else None for r in node.batch(asked)]
    return out


def _quote_call(fn: str, pool: Pool, token: str, amount: int) -> bytes:
    # (tokenIn, tokenOut, then amount and fee in the order of the version, no price limit)
    last = (amount, pool.fee) if fn == _QUOTE_V2 else (pool.fee, amount)
    words = (int(token, 16), int(pool.other(token), 16), *last, 0)
    return selector(fn) + b"".join(word.to_bytes(32, "big") for word in words)


def _pair_quote(pool: Pool, token: str, amount: int) -> int:
    held, other = pool.reserve0, pool.reserve1
    if token != pool.token0:
        held, other = other, held
    paid = amount * (_MILLION - pool.fee)
    return paid * other // (held * _MILLION + paid)


def _words(data: bytes | None) -> list[int]:
    data = data or b""
    return [int.from_bytes(data[i : i + 32], "big") for i in range(0, len(data) - 31, 32)]
