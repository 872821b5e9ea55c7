"""Measured depth: quotes of real pools, made into one curve per asset.

Each pool is quoted at growing sizes in both directions. Knots of w = 1 /
sqrt(p / p0) follow from the quotes one after the other: between two of them
the proceeds are p0 dq / (w_a w_b), so w_b = dq / (dP w_a), exact for pools
whose w is linear between knots. Pools of the same two tokens stand side by
side: at one price their quantities add up. A pool for another token of the
market comes before that token's own way to dollars: quantities chain and w
multiplies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from evaluator.chain.sandbox import Sandbox
from evaluator.market import LiquidityCurve, Market, Reserve
from evaluator.market.book import FloatArray
from evaluator.market.liquidity import DRY
from evaluator.protocols.compound_v2_markets import NATIVE_ADDRESS
from evaluator.protocols.pools import Pool, PoolKind, Venues, describe, find_pools, quote

FIRST_SIZE = 1_000.0  # USD of the smallest quote
LAST_SIZE = 2e10  # USD of the largest quote
GROWTH = 2.0  # of one quote's size to the next
# A pool priced further than this from the oracle is stale or bait, not depth.
MISPRICED = 0.05
LEAST_DEPTH = 10_000.0  # USD on each side; a smaller pool is left out
# Levels of w at which the curve of an asset has its knots.
_SOLD_LEVELS = 1.0 + np.geomspace(1e-3, 4.0, 28)
_BOUGHT_LEVELS = 1.0 - np.geomspace(1e-3, 1.0 - 1.2 * DRY, 28)[::-1]
# What a quote moves w by less than this is rounding.
_FLAT = 1e-5
# A change of slope by more than this factor (its logarithm) shows the end of a range.
_BEND = 0.1
_NOISE = 1e-4  # of w - 1, from rounding to base units
_FAR = 2.0  # in w, beyond which no more care is taken
_CLOSER = 4  # further sizes inside each interval at a bend
# How near to the bounds of its range a fitted w may come, as a share of the range.
_MARGIN = 0.05


@dataclass(frozen=True, kw_only=True, eq=False)
class _Leg:
    """One pool as a curve for the token sold into it, in whole tokens."""

    pool: Pool
    token: str  # sold, lower-case
    other: str  # received, lower-case
    price: float  # whole tokens of `other` for one of `token`, undisturbed
    curve: LiquidityCurve  # of `token`


def measure_liquidity(
    sandbox: Sandbox, market: Market, venues: Venues, *, block: int | None = None
) -> Market:
    """Return `market` with the curves that the pools of `venues` show at `block`.

    `block` defaults to the market's. An asset without a way to a US dollar
    stablecoin through at most two pools keeps its assumed curve.
    """
    at = market.block if block is None else block
    tokens = _traded_tokens(market, venues)
    known = {t: r for t, r in zip(tokens, market.reserves, strict=True) if r.asset.price > 0.0}
    pools = find_pools(sandbox, list(known), list(known), venues, block=at)
    legs = _legs(sandbox, venues, known, pools, block=at)
    direct: dict[str, _Route] = {}
    for token in known:
        route = _side_by_side([x for x in legs if x.token == token and _to_dollars(x, known)])
        if route is not None:
            direct[token] = route
    reserves = []
    for token, reserve in zip(tokens, market.reserves, strict=True):
        curve = _whole_curve(token, legs, direct, known) if token in known else None
        reserves.append(reserve if curve is None else replace(reserve, liquidity=curve))
    return replace(market, reserves=tuple(reserves))


def share_liquidity(source: Market, target: Market) -> Market:
    """Return `target` with the curves of `source` for the assets both have.

    For the reading after execution, so that depth is measured once and is the
    same on both sides of a comparison.
    """
    curves = {r.asset.address: r.liquidity for r in source.reserves}
    return replace(
        target,
        reserves=tuple(
            replace(r, liquidity=curves.get(r.asset.address, r.liquidity)) for r in target.reserves
        ),
    )


def fit_curve(sizes: FloatArray, proceeds: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Fit knots of w to what growing trades pay, in units of the undisturbed price.

    Sales: `sizes` ascend from above 0 and so do `proceeds`. Purchases: both
    are negative and descend. Shapes (K,); returns quantities and w, shapes (M,),
    M <= K + 1, the first being (0, 1). Trades that do not move the average
    price in the right direction are rounding, or a pool run dry, and are left out.
    """
    q, total = [0.0], [0.0]
    averages: list[float] = []
    for size, paid in zip(sizes.tolist(), proceeds.tolist(), strict=True):
        dq, dp = size - q[-1], paid - total[-1]
        if dq == 0.0 or dp / dq <= 0.0:
            continue
        average, before = dp / dq, averages[-1] if averages else 1.0
        worse = average < before * (1.0 - _FLAT) if size > 0.0 else average > before * (1.0 + _FLAT)
        if worse:
            q.append(size)
            total.append(paid)
            averages.append(average)
    w = [1.0]
    for k, average in enumerate(averages):
        exact = 1.0 / (average * w[-1])
        # The marginal price at a knot lies between the averages on its two
        # sides; kept off the ends, so that w ascends strictly whatever the pool.
        near = average**-0.5
        last = k + 1 == len(averages)
        far = exact if last else averages[k + 1] ** -0.5
        low = near + _MARGIN * (far - near)
        high = far if last else far - _MARGIN * (far - near)
        w.append(float(np.clip(exact, min(low, high), max(low, high))))
    return np.array(q), np.array(w)


def _traded_tokens(market: Market, venues: Venues) -> list[str]:
    """Address by which each reserve trades: the wrapped token for the native coin."""
    native = {NATIVE_ADDRESS}
    out = []
    for r in market.reserves:
        address = r.asset.address.lower()
        out.append(
            venues.wrapped_native.lower()
            if address in native and venues.wrapped_native
            else address
        )
    return out


def _to_dollars(leg: _Leg, known: Mapping[str, Reserve]) -> bool:
    return known[leg.other].asset.pegged_to == "USD"


def _legs(
    sandbox: Sandbox,
    venues: Venues,
    known: Mapping[str, Reserve],
    pools: Sequence[Pool],
    *,
    block: int,
) -> list[_Leg]:
    """Quote every usable pool in both directions and fit a curve for each of its tokens."""
    growth = np.geomspace(
        FIRST_SIZE, LAST_SIZE, 1 + int(np.ceil(np.log(LAST_SIZE / FIRST_SIZE) / np.log(GROWTH)))
    )
    sizes = tuple(growth.tolist())
    directions = [(p, token) for p in pools if _usable(p, known) for token in (p.token0, p.token1)]
    trades = _quoted(sandbox, venues, known, [(p, t, sizes) for p, t in directions], block)
    # Where a V3 range ends the price bends between two sizes: those are looked at closer.
    closer = [(t.pool, t.token, _sizes_at_bends(t, known)) for t in trades]
    for trade, more in zip(trades, _quoted(sandbox, venues, known, closer, block), strict=True):
        merged = dict(zip(trade.sold, trade.paid, strict=True))
        merged.update(zip(more.sold, more.paid, strict=True))
        order = sorted(merged)
        trade.sold[:] = order
        trade.paid[:] = [merged[x] for x in order]
    legs = []
    for i, trade in enumerate(trades):
        leg = _leg(trade, trades[i ^ 1], known)
        if leg is not None:
            legs.append(leg)
    return legs


@dataclass(frozen=True, kw_only=True, eq=False)
class _Trades:
    """What a pool pays for growing amounts of one of its tokens, in whole tokens."""

    pool: Pool
    token: str  # sold, lower-case
    sold: list[float]  # ascending
    paid: list[float]  # of the other token


def _quoted(
    sandbox: Sandbox,
    venues: Venues,
    known: Mapping[str, Reserve],
    asked: Sequence[tuple[Pool, str, Sequence[float]]],
    block: int,
) -> list[_Trades]:
    """Quote sales of the given sizes in USD; what a pool refuses is left out."""
    orders = []
    for pool, token, sizes in asked:
        asset = known[token].asset
        unit = 10**asset.decimals / asset.price
        orders.append((pool, token, sorted({max(int(usd * unit), 1) for usd in sizes})))
    out = []
    for (pool, token, amounts), row in zip(
        orders, quote(sandbox, venues, orders, block=block), strict=True
    ):
        mine, theirs = known[token].asset.decimals, known[pool.other(token)].asset.decimals
        done = [(a, b) for a, b in zip(amounts, row, strict=True) if b]
        out.append(
            _Trades(
                pool=pool,
                token=token,
                sold=[a / 10**mine for a, _ in done],
                paid=[b / 10**theirs for _, b in done],
            )
        )
    return out


def _sizes_at_bends(trades: _Trades, known: Mapping[str, Reserve]) -> tuple[float, ...]:
    """Sizes in USD inside those intervals of `trades` where the slope of w changes."""
    if trades.pool.kind is PoolKind.UNISWAP_V2 or len(trades.sold) < 3:
        return ()
    price = trades.pool.price(trades.token) * _scale(trades.pool, trades.token, known)
    kept = 1.0 - trades.pool.fee / 1e6
    q, w = fit_curve(np.array(trades.sold), np.array(trades.paid) / (price * kept))
    if len(q) < 3:
        return ()
    slope = np.diff(w) / np.diff(q)
    middle = w[1:-1]
    bends = (np.abs(np.log(slope[1:] / slope[:-1])) > _BEND) & (np.abs(middle - 1.0) > _NOISE)
    bends &= (middle > 1.0 / _FAR) & (middle < _FAR)
    usd = known[trades.token].asset.price
    sizes: list[float] = []
    for k in np.flatnonzero(bends).tolist():
        for low, high in ((q[k], q[k + 1]), (q[k + 1], q[k + 2])):
            sizes += (usd * np.linspace(low, high, _CLOSER + 2)[1:-1]).tolist()
    return tuple(sizes)


def _scale(pool: Pool, token: str, known: Mapping[str, Reserve]) -> float:
    """From a price in base units to one in whole tokens."""
    return float(10.0 ** (known[token].asset.decimals - known[pool.other(token)].asset.decimals))


def _usable(pool: Pool, known: Mapping[str, Reserve]) -> bool:
    a, b = known[pool.token0].asset, known[pool.token1].asset
    implied = pool.spot * 10.0 ** (a.decimals - b.decimals) * b.price
    deep = pool.reserve0 / 10**a.decimals * a.price
    return abs(implied / a.price - 1.0) <= MISPRICED and deep >= LEAST_DEPTH


def _leg(sales: _Trades, returns: _Trades, known: Mapping[str, Reserve]) -> _Leg | None:
    """Fit the curve of a token to its sales and to sales of the other token for it."""
    pool, token = sales.pool, sales.token
    price = pool.price(token) * _scale(pool, token, known)
    kept = 1.0 - pool.fee / 1e6
    if len(sales.sold) < 2 or len(returns.sold) < 2:
        return None
    up_q, up_w = fit_curve(np.array(sales.sold), np.array(sales.paid) / (price * kept))
    down_q, down_w = fit_curve(-np.array(returns.paid), -np.array(returns.sold) * kept / price)
    if len(up_q) < 2 or len(down_q) < 2:
        return None
    return _Leg(
        pool=pool,
        token=token,
        other=pool.other(token),
        price=price,
        curve=LiquidityCurve(
            quantity=np.concatenate([down_q[:0:-1], up_q]),
            inverse_root=np.concatenate([down_w[:0:-1], up_w]),
            measured=True,
            source=describe([pool]),
            fee=pool.fee / 1e6,
        ),
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Route:
    """A way from a token to dollars, or to another token, over one or more pools."""

    curve: LiquidityCurve
    pools: tuple[Pool, ...]


def _side_by_side(legs: Sequence[_Leg]) -> _Route | None:
    return _joined([_Route(curve=leg.curve, pools=(leg.pool,)) for leg in legs])


def _joined(routes: Sequence[_Route]) -> _Route | None:
    """Add up the quantities of parallel routes at each level of w."""
    if not routes:
        return None
    levels = np.concatenate([_BOUGHT_LEVELS, [1.0], _SOLD_LEVELS])
    quantity = np.zeros(len(levels))
    for route in routes:
        quantity += _quantities_at(route.curve, levels)
    quantity[len(_BOUGHT_LEVELS)] = 0.0
    # What can be sold before the price is two percent lower weighs a route's fee.
    weight = [float(_quantities_at(r.curve, np.array([0.98**-0.5]))[0]) for r in routes]
    fee = float(np.average([r.curve.fee for r in routes], weights=weight))
    pools = tuple(dict.fromkeys(p for r in routes for p in r.pools))
    curve = LiquidityCurve(
        quantity=quantity,
        inverse_root=levels,
        measured=True,
        source=describe(pools),
        fee=fee,
    )
    return _Route(curve=curve, pools=pools)


def _quantities_at(curve: LiquidityCurve, levels: FloatArray) -> FloatArray:
    """Net quantity sold at which a curve reaches each w of `levels`; its end segments go on."""
    x, y = curve.quantity, curve.inverse_root
    k = np.clip(np.searchsorted(y, levels, side="right") - 1, 0, len(y) - 2)
    return np.asarray(x[k] + (levels - y[k]) * (x[k + 1] - x[k]) / (y[k + 1] - y[k]))


def _in_series(first: Sequence[_Leg], then: _Route) -> _Route | None:
    """Sell through the pools of `first`, then what they pay through `then`."""
    joined = _side_by_side(first)
    if joined is None:
        return None
    front = joined.curve
    price = float(np.mean([leg.price for leg in first]))
    # What selling up to each knot pays, from one knot to the next; 0 at quantity 0.
    steps = np.diff(front.quantity) / (front.inverse_root[:-1] * front.inverse_root[1:])
    paid = np.concatenate([[0.0], np.cumsum(steps)])
    received = price * (paid - paid[np.searchsorted(front.quantity, 0.0)])
    w = front.inverse_root * np.array([then.curve.w(h) for h in received.tolist()])
    keep = np.concatenate([[True], np.diff(w) > 1e-12]) & (w > DRY * 1e-3)
    return _Route(
        curve=LiquidityCurve(
            quantity=front.quantity[keep],
            inverse_root=w[keep],
            measured=True,
            source="",
            fee=front.fee + then.curve.fee,
        ),
        pools=(*joined.pools, *then.pools),
    )


def _whole_curve(
    token: str,
    legs: Sequence[_Leg],
    direct: Mapping[str, _Route],
    known: Mapping[str, Reserve],
) -> LiquidityCurve | None:
    """All ways of one token to dollars, directly and over one hub each."""
    routes = [direct[token]] if token in direct else []
    for hub in direct:
        through = [leg for leg in legs if leg.token == token and leg.other == hub]
        if hub != token and through and known[hub].asset.pegged_to != "USD":
            route = _in_series(through, direct[hub])
            if route is not None:
                routes.append(route)
    joined = _joined(routes)
    return None if joined is None else joined.curve
