"""Weak points of a market that can be told without an attack.

Which reserves a proposal opens, whether one is listed without supply, and what the
probes of their prices (evaluator.arena.oracle_probe) amount to. Nothing here says that
somebody gains by it: that is the adversary search's to find.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum

from evaluator.arena.oracle_findings import OracleProbe, PoolSource
from evaluator.arena.statics_tokens import token_behaviour
from evaluator.chain.abi import Abi
from evaluator.chain.sandbox import Sandbox
from evaluator.errors import ChainError
from evaluator.market import Family, Market, Reserve

EMPTY_BELOW = 10_000  # base units of shares; rounding then takes less than a ten-thousandth
FLOOR_IS_NEAR = 0.1  # of today's price: a fall to it has happened to many tokens
FLOOR_IS_FAR = 0.01  # likewise
OLD = 2 * 86_400  # seconds, longer than the longest heartbeat in use
_ROUNDING = 1e-9  # of a transfer
_SHARES = Abi.parse(["function totalSupply() view returns (uint256)"])
_MOVE_OF_MANIPULATION = 2.0  # price factor a manipulation aims at, at the least


class Weight(IntEnum):
    """How much a weak point weighs."""

    NOTE = 0
    DOUBT = 1
    DANGER = 2


class WeakKind(StrEnum):
    """What kind of weak point."""

    EMPTY = "listed without supply"
    FLOOR = "price with a floor"
    CAP = "price with a cap"
    STUCK = "price that nothing moves"
    POOL = "price of an exchange pool"
    GIFT = "price of a balance"
    SETTER = "price that anybody can set"
    REFUSES = "price that goes missing"
    STALE = "old price"
    KEEPS = "token that keeps a part of what is sent"
    HOOKS = "token that calls whom it is sent to"


class Opening(StrEnum):
    """How a proposal opens a reserve to more than before."""

    LISTED = "listed by this proposal"
    COLLATERAL = "made collateral by this proposal"
    BORROWABLE = "made borrowable by this proposal"
    SOURCE = "given a new price source by this proposal"
    INSIDE = "priced by contracts that this proposal changes"
    WIDER = "given more room by this proposal"


@dataclass(frozen=True, kw_only=True, slots=True)
class WeakPoint:
    """One weak point of one reserve."""

    kind: WeakKind
    weight: Weight  # as if the proposal alone were to answer for it
    asset: str  # symbol
    what: str  # a sentence without its stop
    detail: str  # the numbers
    opening: Opening  # why the reserve was looked at

    @property
    def new(self) -> bool:
        """Whether it is this proposal that brings the price or the reserve into use."""
        return self.opening is not Opening.WIDER


def opened_reserves(before: Market, after: Market) -> dict[int, Opening]:
    """Return the reserves of `after`, by index, that allow more than they did `before`.

    Reserves are matched by receipt token. One that nobody can use is left out.
    """
    known = {r.receipt_token.lower(): r for r in before.reserves}
    out = {}
    for a, reserve in enumerate(after.reserves):
        if not _usable(reserve):
            continue
        opening = _opening(known.get(reserve.receipt_token.lower()), reserve)
        if opening is not None:
            out[a] = opening
    return out


def _usable(reserve: Reserve) -> bool:
    p = reserve.parameters
    return p.active and not p.paused and (is_collateral(reserve) or p.borrowing_enabled)


def is_collateral(reserve: Reserve) -> bool:
    """Whether anything can be borrowed against it."""
    return max(reserve.parameters.ltv, reserve.parameters.liquidation_threshold) > 0.0


def _opening(was: Reserve | None, now: Reserve) -> Opening | None:
    if was is None:
        return Opening.LISTED
    p, q = was.parameters, now.parameters
    if not is_collateral(was) and is_collateral(now):
        return Opening.COLLATERAL
    if q.borrowing_enabled and not (p.borrowing_enabled and p.active and not p.paused):
        return Opening.BORROWABLE
    if was.oracle.source.lower() != now.oracle.source.lower():
        return Opening.SOURCE
    wider = (
        q.ltv > p.ltv
        or q.supply_cap > p.supply_cap
        or q.borrow_cap > p.borrow_cap
        or (p.frozen and not q.frozen)
    )
    return Opening.WIDER if wider else None


def changed_inside(
    ways: Mapping[int, Collection[str]], changed: Collection[str]
) -> tuple[int, ...]:
    """Return the reserves whose price is told by a contract that execution changed.

    `ways` are the contracts on the way of each price, `changed` those whose storage or
    code is not as it was, but for the market's own; all lower-case.
    """
    return tuple(a for a, contracts in ways.items() if set(changed) & set(contracts))


def empty_listings(
    sandbox: Sandbox, market: Market, opened: Mapping[int, Opening]
) -> tuple[WeakPoint, ...]:
    """Find opened reserves that count as collateral and of which next to nothing is supplied."""
    out = []
    for a, opening in opened.items():
        reserve = market.reserves[a]
        if not reserve.receipt_token or reserve.parameters.ltv <= 0.0 or reserve.parameters.frozen:
            continue
        try:
            answer = sandbox.call(reserve.receipt_token, _SHARES.encode("totalSupply"))
        except ChainError:
            continue
        shares = int.from_bytes(answer[:32], "big")
        if shares >= EMPTY_BELOW:
            continue
        inflated = market.family is Family.COMPOUND_V2
        out.append(
            WeakPoint(
                kind=WeakKind.EMPTY,
                # Where shares are worth cash over supply, a gift makes a few of them dear.
                weight=Weight.DANGER if inflated else Weight.DOUBT,
                asset=reserve.asset.symbol,
                what=f"{reserve.asset.symbol} counts as collateral with nothing supplied",
                detail=f"{shares:,} base units of shares exist at an LTV of "
                f"{reserve.parameters.ltv:.0%}; "
                + (
                    "whoever holds a few can make them dear by sending the market tokens"
                    if inflated
                    else "the first supplier decides what a share is worth"
                ),
                opening=opening,
            )
        )
    return tuple(out)


def weak_tokens(
    sandbox: Sandbox, market: Market, opened: Mapping[int, Opening]
) -> tuple[WeakPoint, ...]:
    """Find listed tokens that do not arrive whole, or call others when they are sent."""
    out = []
    for a, opening in opened.items():
        asset = market.reserves[a].asset
        seen = token_behaviour(sandbox, asset.address) if opening is Opening.LISTED else None
        if seen is not None and abs(seen.kept) > _ROUNDING:
            out.append(
                WeakPoint(
                    kind=WeakKind.KEEPS,
                    weight=Weight.DANGER,
                    asset=asset.symbol,
                    what=f"{asset.symbol} does not arrive whole when it is sent",
                    detail=f"of a transfer {seen.kept:.4%} is missing; a market that books what it "
                    "was told has less than it owes",
                    opening=opening,
                )
            )
        if seen is not None and seen.calls_parties:
            out.append(
                WeakPoint(
                    kind=WeakKind.HOOKS,
                    weight=Weight.DANGER,
                    asset=asset.symbol,
                    what=f"{asset.symbol} calls its sender or receiver when it is sent",
                    detail="they can act in the middle of the market's own transaction, before "
                    "its books are closed",
                    opening=opening,
                )
            )
    return tuple(out)


def weak_prices(
    market: Market, probes: Sequence[OracleProbe], opened: Mapping[int, Opening], *, forked_at: int
) -> tuple[WeakPoint, ...]:
    """Return what the probes of opened reserves amount to; `forked_at` is in seconds."""
    out: list[WeakPoint] = []
    for probe in probes:
        reserve = market.reserves[probe.reserve]
        opening = opened.get(probe.reserve)
        if opening is None:
            continue

        def point(
            kind: WeakKind,
            weight: Weight,
            what: str,
            detail: str,
            *,
            asset: str = probe.asset,
            opening: Opening = opening,
        ) -> None:
            out.append(
                WeakPoint(
                    kind=kind, weight=weight, asset=asset, what=what, detail=detail, opening=opening
                )
            )

        for setter in probe.setters:
            point(
                WeakKind.SETTER,
                Weight.DANGER,
                f"anybody can {'set' if setter.ratio > 0.0 else 'break'} the price of "
                f"{probe.asset}",
                f"function {setter.selector} of {setter.contract}, called by a stranger, makes it "
                f"{setter.ratio:,.4g} times today's {probe.price:,.6g} USD",
            )
        for pool in probe.pools:
            point(
                WeakKind.POOL,
                _pool_weight(market, reserve, pool),
                f"the price of {probe.asset} follows trades on a pool "
                + ("in the same block" if pool.delay == 0 else f"after {pool.delay} seconds"),
                f"pool {pool.pool}: moving it by a tenth takes {_usd(pool.capital_usd)} USD of "
                f"trading and {_usd(pool.cost_usd)} USD of fees",
            )
        for gift in probe.gifts:
            point(
                WeakKind.GIFT,
                Weight.DANGER,
                f"the price of {probe.asset} is computed from a balance that anybody can add to",
                f"a gift of a tenth to {gift.holder} (token {gift.token}) moves it by "
                f"{gift.moved:.1%}",
            )
        if probe.stuck:
            point(
                WeakKind.STUCK,
                Weight.DANGER if is_collateral(reserve) else Weight.DOUBT,
                f"nothing moves the price of {probe.asset}",
                f"it stays {probe.price:,.6g} USD whatever the contracts it asks answer",
            )
        elif probe.floor > 0.0:
            near = probe.floor / probe.price
            weight = (
                Weight.NOTE
                if near < FLOOR_IS_FAR or not is_collateral(reserve)
                else Weight.DANGER
                if near >= FLOOR_IS_NEAR
                else Weight.DOUBT
            )
            point(
                WeakKind.FLOOR,
                weight,
                f"the price of {probe.asset} has a floor at {near:.0%} of today's",
                f"it stays at {probe.floor:,.6g} USD when its sources fall further; whoever buys "
                "below it borrows at it",
            )
        if not probe.stuck and math.isfinite(probe.cap) and reserve.parameters.borrowing_enabled:
            point(
                WeakKind.CAP,
                Weight.NOTE,
                f"the price of {probe.asset} has a cap at {probe.cap / probe.price:.0%} of today's",
                f"debts are not counted above {probe.cap:,.6g} USD a token",
            )
        if any(level < 1.0 for level in probe.refuses):
            most = max(level for level in probe.refuses if level < 1.0)
            point(
                WeakKind.REFUSES,
                Weight.DOUBT,
                f"no price of {probe.asset} is told once its sources fall to {most:.0%}",
                "nobody could be liquidated then",
            )
        age = 0 if probe.updated_at is None else forked_at - probe.updated_at
        if age > OLD:
            point(
                WeakKind.STALE,
                Weight.DANGER,
                f"the price of {probe.asset} is old",
                f"its last round was {age / 86_400:.1f} days before the state that was forked",
            )
    return tuple(out)


def _pool_weight(market: Market, reserve: Reserve, pool: PoolSource) -> Weight:
    """Weigh what a manipulation would cost against what could be borrowed by it."""
    if pool.delay > 60:
        return Weight.DOUBT  # it has to be held against arbitrageurs
    prize = sum(
        r.cash * r.asset.price
        for r in market.reserves
        if r is not reserve and r.parameters.borrowing_enabled and not r.parameters.frozen
    )
    p = reserve.parameters
    if is_collateral(reserve) and math.isfinite(p.supply_cap):
        prize = min(prize, p.supply_cap * reserve.asset.price * _MOVE_OF_MANIPULATION * p.ltv)
    elif not is_collateral(reserve):
        prize = min(reserve.cash, p.borrow_cap) * reserve.asset.price
    cost = 2.0 * pool.fee * pool.depth_usd * (math.sqrt(_MOVE_OF_MANIPULATION) - 1.0)
    # Of a pool whose worth is not known, the worst is assumed.
    return Weight.DOUBT if cost > prize else Weight.DANGER


def _usd(value: float) -> str:
    return "an unknown number of" if math.isnan(value) else f"{value:,.0f}"
