"""Positions in a thin asset that a move of its price turns into bad debt.

An adversary borrows as much of a thin asset as caps, cash and its capital allow, against
good collateral, and its price rises (CRV on Aave, November 2022): liquidators must buy
it back along the depth of its pools, and what they cannot buy in time is left when the
collateral is gone. Or it supplies a thin asset, borrows what is good, and the price
falls while liquidators cannot sell.

An asset is thin when all that may be borrowed of it exceeds all that can be bought, or
when half of what its pools hold may be supplied; a market with caps within depth is left
alone. Of others the battery itself is asked: the adversary's position is put into the
book, and the engine is run on a path on which the asset's price moves over some hours and stays.
What the same path costs without the position is taken off. The same is done with the
largest such position that the state before allows: what was possible then is not the
proposal's doing.

Assumed: nobody but liquidators acts; pools refill by half of what is missing in
`Battery.refill_half_life`; how far a price may run within hours goes by the class of the
asset (FACTORS); the adversary brings its collateral itself, a thin one only as far as it
can be bought. Whether somebody makes the
price move or the market does is not asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from evaluator.arena.squeeze_position import (
    STEP,
    Side,
    Squeeze,
    SqueezePath,
    SqueezePosition,
    touching,
    with_position,
)
from evaluator.market import AssetClass, Market, Reserve
from evaluator.market.book import FloatArray
from evaluator.stress.battery import Battery
from evaluator.stress.engine import engine_named
from evaluator.stress.ledger import existing_bad_debt
from evaluator.stress.universe import Universe

ENGINE = "certificate"  # see evaluator.stress.engine
# Prices over today's that are reached, by class; a fall goes to the inverse. What moves
# only with the whole market is left to the battery's own paths.
FACTORS = {AssetClass.SMALL_ALT: (1.5, 2.0), AssetClass.LARGE_ALT: (1.5,)}
HOURS = (6.0, 24.0)  # the price takes to get there
STAYS = 24 * 3600.0  # seconds it stays there
LEAST_LOSS = 1_000.0  # USD; less is rounding and interest
_FULL = 0.999  # of what may be borrowed; rounding and interest eat the rest
_NEARLY = 0.9  # of the loss that less capital must still bring
_HALVINGS = 7  # steps of the search for that
_WITHIN = 0.5  # of the depth: less collateral than that can be sold off


@dataclass(frozen=True, kw_only=True, slots=True)
class SqueezeSearch:
    """What was tried on one market."""

    tried: int  # positions on paths, on the state after execution
    found: tuple[Squeeze, ...]  # that leave bad debt, the costliest first


def squeezes(
    before: Market, after: Market, *, capital: float, battery: Battery | None = None
) -> SqueezeSearch:
    """Try positions in every asset of which `after` allows more than `before`.

    `capital` is USD; `battery` says how liquidators behave and pools refill, its horizon
    and step are this module's. The costliest first; one for each asset and side.
    """
    behaviour = Battery() if battery is None else battery
    known = {r.receipt_token.lower(): a for a, r in enumerate(before.reserves)}
    found, tried = [], 0
    for a, reserve in enumerate(after.reserves):
        then = known.get(reserve.receipt_token.lower())
        was = None if then is None else before.reserves[then]
        factors = FACTORS.get(reserve.asset.asset_class, ())
        for side in Side:
            if not (factors and _wider(side, was, reserve) and is_thin(reserve, side)):
                continue
            moves = tuple(
                (f if side is Side.BORROWED else 1.0 / f, hours) for f in factors for hours in HOURS
            )
            largest = largest_position(after, a, side, capital=capital)
            if largest is None:
                continue
            tried += len(moves)
            earlier = (
                None if then is None else largest_position(before, then, side, capital=capital)
            )
            loss_before = (
                0.0
                if earlier is None or then is None
                else float(position_losses(before, earlier, then, moves, behaviour).max())
            )
            one = _worst(after, a, largest, moves, loss_before, behaviour)
            if one is not None:
                found.append(one)
    return SqueezeSearch(tried=tried, found=tuple(sorted(found, key=lambda s: -s.loss_usd)))


def _wider(side: Side, was: Reserve | None, now: Reserve) -> bool:
    """Whether more of a position in an asset can be built than before."""
    if not _open(now):
        return False
    p, q = None if was is None else was.parameters, now.parameters
    if side is Side.BORROWED:
        return q.borrowing_enabled and (
            p is None
            or was is None
            or not _open(was)
            or not p.borrowing_enabled
            or q.borrow_cap > p.borrow_cap
        )
    return q.ltv > 0.0 and (
        p is None or was is None or not _open(was) or p.ltv == 0.0 or q.supply_cap > p.supply_cap
    )


def _open(reserve: Reserve) -> bool:
    p = reserve.parameters
    return p.active and not p.frozen and not p.paused


def _worst(
    after: Market,
    a: int,
    largest: SqueezePosition,
    moves: Sequence[tuple[float, float]],
    loss_before: float,
    battery: Battery,
) -> Squeeze | None:
    """The move that costs most, with the least position that costs nearly as much."""
    reserve, side = after.reserves[a], largest.side
    losses = position_losses(after, largest, a, moves, battery)
    worst = int(np.argmax(losses))
    factor, hours = moves[worst]
    loss, position = float(losses[worst]), largest
    if loss < LEAST_LOSS:
        return None
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        share = 0.5 * (low + high)
        smaller = replace(
            largest, supplied=share * largest.supplied, borrowed=share * largest.borrowed
        )
        less = float(position_losses(after, smaller, a, moves[worst : worst + 1], battery)[0])
        if less < _NEARLY * losses[worst]:
            low = share
        else:
            high, position, loss = share, smaller, less
    curve, price = reserve.liquidity, reserve.asset.price
    brought = position.supplied * after.prices[after.index(position.collateral)]
    taken = position.borrowed * after.prices[after.index(position.debt)]
    # What was supplied is given up, what was borrowed is kept, each at the new price.
    kept = taken * factor if side is Side.BORROWED else taken
    given_up = brought if side is Side.BORROWED else brought * factor
    return Squeeze(
        position=position,
        factor=factor,
        hours=hours,
        capital_usd=float(brought),
        loss_after=loss,
        loss_before=loss_before,
        profit=float(kept - given_up),
        depth_usd=float(-curve.dry_quantity * price),
        assumed_depth=not curve.measured,
    )


def is_thin(reserve: Reserve, side: Side) -> bool:
    """Whether more of an asset may be owed, or supplied as collateral, than can be traded."""
    p, depth = reserve.parameters, -reserve.liquidity.dry_quantity
    if side is Side.BORROWED:
        return min(p.borrow_cap, reserve.borrowed + reserve.cash) > depth
    return p.supply_cap - reserve.supplied > _WITHIN * depth


def largest_position(
    market: Market, thin: int, side: Side, *, capital: float
) -> SqueezePosition | None:
    """Return the largest position in asset `thin` that a market allows; None for none.

    `capital` bounds the value of the collateral, USD.
    """
    best: tuple[float, SqueezePosition] | None = None
    for other in range(len(market.reserves)):
        if other == thin:
            continue
        c, d = (other, thin) if side is Side.BORROWED else (thin, other)
        collateral, debt = market.reserves[c], market.reserves[d]
        p, q = collateral.parameters, debt.parameters
        if not (_open(collateral) and _open(debt) and p.ltv > 0.0 and q.borrowing_enabled):
            continue
        if p.debt_ceiling < float("inf") or q.siloed or p.liquidation_threshold <= 0.0:
            continue
        in_room = _FULL * max(p.supply_cap - collateral.supplied, 0.0)
        most_in = min(in_room * collateral.asset.price, capital)
        if side is Side.SUPPLIED:
            buyable = -collateral.liquidity.dry_quantity * collateral.asset.price
            most_in = min(most_in, buyable)
        most_out = max(min(debt.cash, q.borrow_cap - debt.borrowed), 0.0) * debt.asset.price
        lent = min(_FULL * most_out, _FULL * p.ltv * most_in)
        if lent <= 0.0:
            continue
        position = SqueezePosition(
            side=side,
            collateral=collateral.asset.symbol,
            debt=debt.asset.symbol,
            supplied=lent / (_FULL * p.ltv) / collateral.asset.price,
            borrowed=lent / debt.asset.price,
        )
        # Of equal positions the one on what moves least is the better test of the thin one.
        score = lent * (1.0 + 1e-3 * (market.reserves[other].asset.asset_class is _CALM))
        if best is None or score > best[0]:
            best = (score, position)
    return None if best is None else best[1]


_CALM = AssetClass.STABLE


def position_losses(
    market: Market,
    position: SqueezePosition,
    thin: int,
    moves: Sequence[tuple[float, float]],
    battery: Battery,
) -> FloatArray:
    """Return what each move costs with a position in the book beyond without it, USD.

    `moves` are prices reached over today's and the hours it takes; shape (P,).
    """
    mine = touching(market, thin)
    alone = _bad_debt(mine, thin, moves, battery)
    return _bad_debt(with_position(mine, position), thin, moves, battery) - alone


def squeeze_battery(battery: Battery) -> Battery:
    """Return the battery with the horizon and step of a squeeze."""
    return replace(battery, horizon=3600.0 * max(HOURS) + STAYS, step=STEP)


def _bad_debt(
    market: Market, thin: int, moves: Sequence[tuple[float, float]], battery: Battery
) -> FloatArray:
    settings = squeeze_battery(battery)
    universe = Universe.of(market, market)
    path = SqueezePath(
        column=int(universe.after[thin]), columns=len(universe.assets), moves=tuple(moves)
    )
    model = engine_named(ENGINE)(
        market,
        columns=universe.after,
        universe=universe,
        battery=settings,
        existing=existing_bad_debt(market, universe.base[universe.before]),
    )
    relative = path.paths(seed=0, first=0, count=len(moves), steps=settings.steps)
    return model.simulate(relative).bad_debt
