"""Known ideas of attackers, as sequences that a search starts from.

Each is written over what a market of any family offers (reserves, factors, cash, where
a price comes from), never over names or addresses of a case. Amounts are first guesses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from evaluator.arena.adversary.governing import bought_votes
from evaluator.arena.adversary.ground import ATTACKER, SECOND
from evaluator.arena.adversary.knowledge import (
    ALL,
    DEBTS,
    Knowledge,
    borrow_all,
    borrowable,
    collaterals,
    debts,
    fund,
    ltv,
    room_below_cap,
    sizes_of,
    spend,
    supply,
    takings,
)
from evaluator.arena.adversary.moves import Amount, Basis, Kind, Move, held, room, usd
from evaluator.arena.adversary.moves import Sequence as Moves
from evaluator.arena.adversary.refill import OUTSIDE
from evaluator.market import health_factors
from evaluator.market.health import debt_value

_TINY = 1e-3  # of the capital: a reserve with less supply counts as empty
_TOXIC = 1.0  # factor times one and the bonus, from which a liquidation leaves bad debt
_GAPS = (3_600, 30 * 86_400)  # seconds until a position at its limit is beyond it
_ROUNDS = 3  # liquidations of the whole close factor, one after the other
_LIQUIDATED = 4  # accounts that are tried


def seeds(knowledge: Knowledge) -> list[list[Moves]]:
    """Return the sequences of every pattern, each pattern's most promising first."""
    patterns: tuple[Callable[[Knowledge], Iterator[Moves]], ...] = (
        overborrowing,
        donation,
        pushed_collateral,
        pushed_debt,
        given_balance,
        stuck_collateral,
        stuck_debt,
        written_price,
        pumped_collateral,
        bought_votes,
        liquidation,
        own_liquidation,
        pushed_liquidation,
    )
    return [list(pattern(knowledge)) for pattern in patterns]


def overborrowing(k: Knowledge) -> Iterator[Moves]:
    """Supply, and borrow more than it is worth outside."""
    for token in collaterals(k):
        most = min(k.capital, room_below_cap(k, token) * 0.98)
        for value in (min(most, 1.2 * takings(k, token)), 0.02 * most):
            if value > 0.0 and not k.ground.tokens[token].native:
                yield Moves(
                    pattern="borrow more than the collateral is worth",
                    moves=(fund(token, value), supply(token, held(1.0)), *borrow_all(k, token)),
                )


def donation(k: Knowledge) -> Iterator[Moves]:
    """Own an empty reserve's shares, make each worth a fortune by a gift, borrow on them."""
    for token in collaterals(k):
        asset = k.ground.index(token)
        assert asset is not None  # collaterals have reserves
        supplied = k.usd(token, k.ground.market.reserves[asset].supplied)
        if supplied > _TINY * k.capital or k.ground.tokens[token].native:
            continue
        targets = debts(k, token)[:DEBTS]
        sizes = [k.usd(t, borrowable(k, t)) for t in targets]
        for exponent in (8, 9, 10, 0, 4):
            for n in (len(targets), 1):
                gift = min(sum(sizes[:n]) / max(ltv(k, token), 0.01) / 0.42, k.capital)
                yield Moves(
                    pattern="inflate the shares of an empty reserve by a gift",
                    moves=(
                        fund(token, gift),
                        supply(token, Amount(basis=Basis.UNITS, value=4.0 * 10**exponent)),
                        Move(kind=Kind.DONATE, asset=token, amount=held(1.0)),
                        *(
                            Move(
                                kind=Kind.BORROW, asset=t,
                                # Of two shares one is given back: half the room must stay.
                                amount=room(0.45), may_fail=n > 1,
                            )
                            for t in targets[:n]
                        ),
                        Move(
                            kind=Kind.WITHDRAW, asset=token,
                            amount=Amount(basis=Basis.SUPPLIED, value=1.0 - 1e-6),
                        ),
                    ),
                )  # fmt: skip


def pushed_collateral(k: Knowledge) -> Iterator[Moves]:
    """Push the pool that prices a collateral up, borrow at that price, come back."""
    for token, pool, wait in k.sounding.pool_priced:
        other = pool.other(token)
        if token not in collaterals(k):
            continue
        up = Move(kind=Kind.SWAP, asset=other, pool=pool.address, amount=held(1.0))
        down = Move(kind=Kind.SWAP, asset=token, pool=pool.address, amount=held(1.0))
        pause = (Move(kind=Kind.WAIT, seconds=wait),) if wait else ()
        for size in sizes_of(k, pool, token):
            bought = supply(token, held(1.0))
            yield Moves(
                pattern="push the pool that prices a collateral",
                moves=(
                    fund(other, size), up, *pause, bought, *borrow_all(k, token, first=other),
                ),
            )  # fmt: skip
            stock = min(size, 0.9 * room_below_cap(k, token))
            if stock > 0.0:
                yield Moves(
                    pattern="push the pool that prices a collateral",
                    moves=(
                        fund(token, stock), supply(token, held(1.0)), fund(other, size), up,
                        *pause, *borrow_all(k, token), down,
                    ),
                )  # fmt: skip


def pushed_debt(k: Knowledge) -> Iterator[Moves]:
    """Push the pool that prices a debt down, borrow it cheaply, come back."""
    for token, pool, wait in k.sounding.pool_priced:
        other = pool.other(token)
        if token not in debts(k):
            continue
        down = Move(kind=Kind.SWAP, asset=token, pool=pool.address, amount=held(1.0))
        up = Move(kind=Kind.SWAP, asset=other, pool=pool.address, amount=held(1.0))
        pause = (Move(kind=Kind.WAIT, seconds=wait),) if wait else ()
        backing = [t for t in reversed(collaterals(k)) if t not in (token, other)]
        for size in sizes_of(k, pool, token)[:3]:
            for c in backing[:2]:
                asset = k.ground.index(token)
                assert asset is not None  # debts have reserves
                yield Moves(
                    pattern="push the pool that prices a debt",
                    moves=(
                        fund(c, min(0.3 * k.capital, 0.5 * takings(k, c))),
                        supply(c, held(1.0)),
                        fund(token, size), down, *pause,
                        Move(kind=Kind.BORROW, asset=token, amount=room(ALL)),
                        Move(kind=up.kind, asset=up.asset, pool=up.pool, amount=held(1.0)),
                    ),
                )  # fmt: skip


def given_balance(k: Knowledge) -> Iterator[Moves]:
    """Add to the balance that a collateral's price is computed from, borrow at that price."""
    for gift in k.sounding.gifts:
        token = gift.priced
        if token not in collaterals(k) or k.ground.tokens[gift.given].native:
            continue
        stock = min(0.3 * k.capital, 0.9 * room_below_cap(k, token))
        for share in (0.3, 0.03):
            yield Moves(
                pattern="add to the balance that prices a collateral",
                moves=(
                    fund(token, stock), supply(token, held(1.0)),
                    fund(gift.given, share * k.capital),
                    Move(
                        kind=Kind.DONATE, asset=gift.given, target=gift.holder, amount=held(1.0)
                    ),
                    *borrow_all(k, token),
                ),
            )  # fmt: skip


def stuck_collateral(k: Knowledge) -> Iterator[Moves]:
    """The market falls through what the feed can say; supply at the feed's price."""
    for token, factor in k.sounding.stuck:
        if factor >= 1.0 or token not in collaterals(k):
            continue
        for share in (1.0, 0.1):
            worth = min(k.capital, 1.3 * takings(k, token) / max(ltv(k, token), 0.05)) * share
            cap = 0.98 * room_below_cap(k, token) * factor
            yield Moves(
                pattern="buy what fell through the floor of its feed",
                moves=(
                    Move(kind=Kind.SHOCK, asset=token, factor=factor),
                    fund(token, min(worth * factor, cap)),
                    supply(token, held(1.0)),
                    *borrow_all(k, token),
                ),
            )


def stuck_debt(k: Knowledge) -> Iterator[Moves]:
    """The market rises above what the feed can say; borrow at the feed's price."""
    for token, factor in k.sounding.stuck:
        if factor <= 1.0 or token not in debts(k):
            continue
        for c in [t for t in reversed(collaterals(k)) if t != token][:2]:
            yield Moves(
                pattern="borrow what rose above the cap of its feed",
                moves=(
                    Move(kind=Kind.SHOCK, asset=token, factor=factor),
                    fund(c, min(0.5 * k.capital, 2.0 * k.usd(token, borrowable(k, token)))),
                    supply(c, held(1.0)),
                    Move(kind=Kind.BORROW, asset=token, amount=room(ALL)),
                ),
            )


def written_price(k: Knowledge) -> Iterator[Moves]:
    """Write the price oneself, where anybody may."""
    for setter in k.sounding.setters:
        token = setter.token
        write = Move(
            kind=Kind.SET_PRICE, asset=token, target=setter.target,
            data="0x" + setter.data.hex(), factor=setter.ratio,
        )  # fmt: skip
        if setter.ratio > 1.0 and token in collaterals(k):
            worth = min(k.capital, 1.3 * takings(k, token) / max(ltv(k, token), 0.05))
            for value in (worth / setter.ratio, 10.0 * worth / setter.ratio):
                yield Moves(
                    pattern="write the price oneself",
                    moves=(
                        fund(token, min(value, 0.98 * room_below_cap(k, token))),
                        supply(token, held(1.0)), write, *borrow_all(k, token),
                    ),
                )  # fmt: skip
        elif setter.ratio < 1.0 and token in debts(k):
            for c in [t for t in reversed(collaterals(k)) if t != token][:2]:
                worth = k.usd(token, borrowable(k, token)) * setter.ratio
                yield Moves(
                    pattern="write the price oneself",
                    moves=(
                        fund(c, min(k.capital, 2.0 * worth + 1_000.0)),
                        supply(c, held(1.0)), write,
                        Move(kind=Kind.BORROW, asset=token, amount=room(ALL)),
                    ),
                )  # fmt: skip


def pumped_collateral(k: Knowledge) -> Iterator[Moves]:
    """Buy a thin collateral on all its pools, let the oracle follow, borrow, leave."""
    for token in collaterals(k):
        pools = [
            p for p in k.ground.pools_of(token)
            if k.ground.depth(p, token) > 0.0 and not k.ground.tokens[p.other(token)].native
        ][:3]  # fmt: skip
        depths = [k.ground.depth(p, token) for p in pools]
        most = k.capital / OUTSIDE
        if not pools or sum(depths) > most or not k.sounding.leaves.followed(token):
            continue
        for multiple in (2.0, 4.0, 1.0):
            total = min(multiple * sum(depths), most)
            cap = room_below_cap(k, token)
            amounts = [held(1.0)]
            if np.isfinite(cap) and cap < 2.0 * sum(depths):
                amounts = [usd(0.98 * cap)]
            for amount in amounts:
                yield Moves(
                    pattern="pump a thin collateral and let the oracle follow",
                    moves=(
                        *(
                            fund(p.other(token), total * d / sum(depths))
                            for p, d in zip(pools, depths, strict=True)
                        ),
                        *spend(pools, depths, token),
                        Move(kind=Kind.FOLLOW, asset=token),
                        supply(token, amount),
                        *borrow_all(k, token),
                    ),
                )


def _vulnerable(k: Knowledge, collateral: str = "") -> list[tuple[str, str, str]]:
    """(debtor, debt, collateral) of the least healthy accounts, by their largest amounts."""
    market = k.ground.market
    health, owed = health_factors(market), debt_value(market)
    wanted = None if not collateral else k.ground.index(collateral)
    order = np.argsort(health) if not collateral else np.argsort(-owed)
    out = []
    for n in order.tolist():
        if owed[n] <= 0.0 or (not collateral and health[n] >= 1.0):
            continue
        rows = []
        for side in (market.book.debt, market.book.collateral):
            first, end = int(side.indptr[n]), int(side.indptr[n + 1])
            pairs = zip(
                side.asset[first:end].tolist(), side.amount[first:end].tolist(), strict=True
            )
            rows.append([(x * market.reserves[a].asset.price, a) for a, x in pairs])
        if not rows[0] or not rows[1]:
            continue
        debt, seized = max(rows[0])[1], max(rows[1])[1]
        if wanted is not None and seized != wanted:
            continue
        names = [market.reserves[a].asset.address.lower() for a in (debt, seized)]
        out.append((market.book.accounts[n].lower(), names[0], names[1]))
        if len(out) == _LIQUIDATED:
            break
    return out


def _liquidations(k: Knowledge, rows: Sequence[tuple[str, str, str]]) -> tuple[Move, ...]:
    return tuple(
        Move(
            kind=Kind.LIQUIDATE, asset=debt, debtor=who, collateral=seized, may_fail=len(rows) > 1,
            amount=Amount(basis=Basis.OWED, value=min(k.ground.market.close_factor, 0.5)),
        )
        for who, debt, seized in rows
    )  # fmt: skip


def liquidation(k: Knowledge) -> Iterator[Moves]:
    """Liquidate those that the state leaves liquidatable."""
    rows = _vulnerable(k)
    for chosen in ([rows] if rows else []) + [[r] for r in rows[:2]]:
        yield Moves(
            pattern="liquidate users",
            moves=(
                *(fund(t, 0.2 * k.capital) for t in dict.fromkeys(d for _, d, _ in chosen)),
                *_liquidations(k, chosen),
            ),
        )


def own_liquidation(k: Knowledge) -> Iterator[Moves]:
    """Owe all that is allowed, and have a second account take more than it repays.

    It pays where what may be borrowed and the bonus on top exceed the collateral: each
    liquidation leaves a worse position, and in the end a debt without any collateral.
    """
    for token in collaterals(k):
        asset = k.ground.index(token)
        assert asset is not None  # collaterals have reserves
        p = k.ground.market.reserves[asset].parameters
        others = [t for t in debts(k, token) if not k.ground.tokens[t].native][:2]
        if p.ltv * (1.0 + p.liquidation_bonus) < _TOXIC or k.ground.tokens[token].native:
            continue
        for debt in others:
            worth = k.usd(debt, borrowable(k, debt)) / max(p.ltv, 0.01)
            value = min(k.capital, worth, 0.98 * room_below_cap(k, token))
            # The gap between what may be borrowed and what is liquidatable fills with interest.
            for wait in _GAPS if p.liquidation_threshold > p.ltv else _GAPS[:1]:
                yield Moves(
                    pattern="liquidate oneself by a second account",
                    moves=(
                        fund(token, value), supply(token, held(1.0)),
                        Move(kind=Kind.BORROW, asset=debt, amount=room(1.0)),
                        Move(kind=Kind.DONATE, asset=debt, target=SECOND, amount=held(1.0)),
                        Move(kind=Kind.WAIT, seconds=wait),
                        *(
                            Move(
                                kind=Kind.LIQUIDATE, asset=debt, debtor=ATTACKER, collateral=token,
                                amount=Amount(basis=Basis.OWED, value=share), second=True,
                                may_fail=True,
                            )
                            # As often as the close factor allows, then what collateral is left.
                            for share in (*([_part(k)] * _ROUNDS), 0.2, 0.1, 0.05)
                        ),
                    ),
                )  # fmt: skip


def _part(k: Knowledge) -> float:
    """What one liquidation may repay, a hair less for rounding."""
    return 0.999999 * min(k.ground.market.close_factor, 1.0)


def pushed_liquidation(k: Knowledge) -> Iterator[Moves]:
    """Push the pool that prices users' collateral down and liquidate them."""
    for token, pool, wait in k.sounding.pool_priced:
        rows = _vulnerable(k, token)
        if not rows:
            continue
        pause = (Move(kind=Kind.WAIT, seconds=wait),) if wait else ()
        for size in sizes_of(k, pool, token)[:3]:
            yield Moves(
                pattern="push a pool to liquidate users",
                moves=(
                    fund(token, size),
                    *(fund(t, 0.2 * k.capital) for t in dict.fromkeys(d for _, d, _ in rows)),
                    Move(kind=Kind.SWAP, asset=token, pool=pool.address, amount=held(1.0)),
                    *pause,
                    *_liquidations(k, rows),
                ),
            )
