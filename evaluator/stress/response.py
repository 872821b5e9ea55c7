"""How borrowers and suppliers answer a proposal that gives them room.

Nobody knows how much of new room is used. The battery therefore reports a
range: the book as it is, and the book of this module, in which all of it is.

- A higher liquidation threshold, LTV or collateral factor: every borrower borrows more of
  what they already owe until their health factor, or the share of their borrowing power
  they use, is what it was (whichever lets them borrow more), within the new LTV, the cash
  in the reserve and the borrow cap.
- A higher supply or borrow cap: new positions fill the room, copies of the largest that hold
  or owe the asset today, with half of their unused borrowing power used as well.
- A higher debt ceiling of isolated collateral: the same, with as much of the collateral as the
  new ceiling's debt needs at its LTV.
- An asset that an efficiency mode takes in, or lends more against: as much of it as is supplied
  today comes in again, within the supply cap, and owes up to the mode's LTV of the asset of the
  mode that has most to lend.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from evaluator.market import Book, Market, Reserve, RiskParameters, SparseAmounts

FloatArray = NDArray[np.float64]

# New room is filled with copies of at most this many of the largest positions.
LARGEST_COPIED = 200
# Positions that enter an efficiency mode, of equal size.
IN_MODE = 20
# A cap that was lifted altogether is taken to double what is there.
UNCAPPED_GROWTH = 2.0
_TOLERANCE = 1e-9


@dataclass(frozen=True)
class _Power:
    """What each account's collateral supports, USD, shape (N,)."""

    borrow: FloatArray  # weighted by LTV
    liquidation: FloatArray  # weighted by liquidation thresholds
    debt: FloatArray  # owed


def _power(market: Market, book: Book) -> _Power:
    c, d, p = book.collateral, book.debt, market.prices
    n = len(book)

    def weighted(weights: FloatArray) -> FloatArray:
        value = c.amount * p[c.asset] * weights[book.emode[c.row], c.asset]
        return np.bincount(c.row, weights=value, minlength=n).astype(np.float64)

    debt = np.bincount(d.row, weights=d.amount * p[d.asset], minlength=n)
    return _Power(
        borrow=weighted(market.ltvs()),
        liquidation=weighted(market.liquidation_thresholds()),
        debt=debt.astype(np.float64),
    )


def responding_market(before: Market, after: Market) -> Market | None:
    """Return `after` with its new room used up; None when the proposal gives none."""
    levered = _relever(before, after)
    filled = _fill_caps(before, levered if levered is not None else after) or levered
    return _enter_modes(before, filled if filled is not None else after) or filled


def _relever(before: Market, after: Market) -> Market | None:
    if before.book.accounts != after.book.accounts:
        return None  # not the same borrowers: nothing to compare
    old, new = _power(before, before.book), _power(after, after.book)

    def gain(a: FloatArray, b: FloatArray) -> FloatArray:
        return np.divide(b, a, out=np.ones_like(b), where=a > 0.0)

    scale = np.maximum(gain(old.borrow, new.borrow), gain(old.liquidation, new.liquidation))
    target = np.minimum(new.debt * scale, new.borrow)
    growth = np.divide(target, new.debt, out=np.ones_like(target), where=new.debt > 0.0)
    growth = np.where(growth > 1.0 + _TOLERANCE, growth, 1.0)
    debt = after.book.debt
    extra = debt.amount * (growth[debt.row] - 1.0)
    room = np.array([_borrow_room(after, a) for a in range(len(after.reserves))])
    wanted = np.bincount(debt.asset, weights=extra, minlength=len(room))
    share = np.divide(np.minimum(room, wanted), wanted, out=np.zeros_like(room), where=wanted > 0.0)
    extra = extra * share[debt.asset]
    if not float(extra.sum()) > 0.0:
        return None
    lent = np.bincount(debt.asset, weights=extra, minlength=len(room))
    reserves = tuple(
        replace(r, borrowed=r.borrowed + float(x), cash=r.cash - float(x))
        for r, x in zip(after.reserves, lent, strict=True)
    )
    book = replace(after.book, debt=replace(debt, amount=debt.amount + extra))
    return replace(after, reserves=reserves, book=book)


def _borrow_room(market: Market, a: int) -> float:
    """Whole tokens of asset `a` that can be borrowed now."""
    r = market.reserves[a]
    p = r.parameters
    if not p.active or p.frozen or p.paused or not p.borrowing_enabled:
        return 0.0
    return max(min(r.cash, p.borrow_cap - r.borrowed), 0.0)


def _new_room(old_cap: float, new_cap: float, there: float) -> float:
    """Whole tokens of room that a change of a cap gives."""
    if math.isinf(old_cap) or not new_cap > old_cap:
        return 0.0
    return max(min(new_cap, UNCAPPED_GROWTH * max(there, old_cap)) - max(old_cap, there), 0.0)


def _isolated_room(then: RiskParameters, reserve: Reserve) -> float:
    """Whole tokens of isolated collateral that a higher debt ceiling lets be borrowed against."""
    p, price = reserve.parameters, reserve.asset.price
    room = _new_room(then.debt_ceiling, p.debt_ceiling, 0.0)
    if not room > 0.0 or not p.ltv > 0.0 or not price > 0.0:
        return 0.0
    return max(min(room / (p.ltv * price), p.supply_cap - reserve.supplied), 0.0)


def _fill_caps(before: Market, market: Market) -> Market | None:
    old = {r.asset.symbol: r.parameters for r in before.reserves}
    grown: Market | None = None
    for a, r in enumerate(market.reserves):
        p = r.parameters
        if r.asset.symbol not in old or not p.active or p.frozen or p.paused:
            continue
        then = old[r.asset.symbol]
        for side, room in (
            ("collateral", _new_room(then.supply_cap, p.supply_cap, r.supplied)),
            ("debt", _new_room(then.borrow_cap, p.borrow_cap, r.borrowed)),
            ("collateral", _isolated_room(then, r)),
        ):
            if room > 0.0:
                grown = _copy_positions(grown or market, market.book, a, side, room) or grown
    return grown


def _enter_modes(before: Market, market: Market) -> Market | None:
    """Add positions in every efficiency mode that lends more against an asset than before."""
    old, new = before.ltvs(), market.ltvs()
    then = {r.asset.symbol: a for a, r in enumerate(before.reserves)}
    grown: Market | None = None
    for mode in market.emodes:
        for a in market.members(mode):
            r = market.reserves[a]
            p, k = r.parameters, then.get(r.asset.symbol)
            ltv = float(new[mode.category, a])
            was = (
                float(old[mode.category, k]) if k is not None and mode.category < len(old) else 0.0
            )
            if not ltv > was + _TOLERANCE or not p.active or p.frozen or p.paused:
                continue
            now = grown or market
            room = min(r.supplied, max(p.supply_cap - now.reserves[a].supplied, 0.0))
            lent = [
                (_borrow_room(now, b) * now.reserves[b].asset.price, b)
                for b, other in enumerate(now.reserves)
                if b != a and other.parameters.emode_category == mode.category
            ]
            most, b = max(lent, default=(0.0, 0))
            value = min(room * r.asset.price, most / ltv)
            if value > 0.0:
                grown = _borrowing_in(now, mode.category, collateral=a, debt=b, usd=value, ltv=ltv)
    return grown


def _borrowing_in(
    market: Market, mode: int, *, collateral: int, debt: int, usd: float, ltv: float
) -> Market:
    """Add equal positions in a mode, `usd` of collateral in all, that use what it lends."""
    book, prices = market.book, market.prices
    n, A = IN_MODE, len(market.reserves)
    held = {collateral: usd / n / float(prices[collateral])}
    owed = [
        {debt: usd / n * ltv * (1.0 - 0.1 * i / n) / float(prices[debt])} for i in range(n)
    ]  # the most daring use all of it, the others up to a tenth less
    new_collateral = SparseAmounts.from_rows([held] * n)
    new_debt = SparseAmounts.from_rows(owed)
    supplied, borrowed = new_collateral.total(A), new_debt.total(A)
    symbol = market.reserves[collateral].asset.symbol
    return replace(
        market,
        reserves=tuple(
            replace(
                r,
                supplied=r.supplied + float(s),
                borrowed=r.borrowed + float(o),
                cash=max(r.cash + float(s) - float(o), 0.0),
            )
            for r, s, o in zip(market.reserves, supplied, borrowed, strict=True)
        ),
        book=Book(
            accounts=book.accounts + tuple(f"+{symbol}.emode.{mode}.{i}" for i in range(n)),
            collateral=_append(book.collateral, new_collateral),
            debt=_append(book.debt, new_debt),
            emode=np.concatenate([book.emode, np.full(n, mode)]),
        ),
    )


def _copy_positions(
    market: Market, pattern: Book, asset: int, side: str, room: float
) -> Market | None:
    """Add copies of positions with `asset` on `side`, `room` whole tokens of it in total."""
    amounts: SparseAmounts = getattr(pattern, side)
    mine = amounts.asset == asset
    rows, held = amounts.row[mine], amounts.amount[mine]
    largest = np.argsort(-held, kind="stable")[:LARGEST_COPIED]
    rows, held = rows[largest], held[largest]
    if len(rows) == 0:
        return None
    scale = room / float(held.sum())
    power = _power(market, pattern)
    spare = np.maximum(power.borrow - power.debt, 0.0)
    riskier = 1.0 + 0.5 * np.divide(
        spare, power.debt, out=np.zeros_like(spare), where=power.debt > 0.0
    )
    if side == "debt":
        # The cap bounds debt: the copies are riskier by having less collateral.
        new_collateral = _rows(pattern.collateral, rows, scale / riskier[rows])
        new_debt = _rows(pattern.debt, rows, np.full(len(rows), scale))
    else:
        new_collateral = _rows(pattern.collateral, rows, np.full(len(rows), scale))
        new_debt = _rows(pattern.debt, rows, scale * riskier[rows])
    A = len(market.reserves)
    supplied, owed = new_collateral.total(A), new_debt.total(A)
    reserves = tuple(
        replace(
            r,
            supplied=r.supplied + float(s),
            borrowed=r.borrowed + float(o),
            cash=max(r.cash + float(s) - float(o), 0.0),
        )
        for r, s, o in zip(market.reserves, supplied, owed, strict=True)
    )
    book = market.book
    symbol = market.reserves[asset].asset.symbol
    names = tuple(f"{pattern.accounts[i]}+{symbol}.{side}" for i in rows)
    grown = Book(
        accounts=book.accounts + names,
        collateral=_append(book.collateral, new_collateral),
        debt=_append(book.debt, new_debt),
        emode=np.concatenate([book.emode, pattern.emode[rows]]),
    )
    return replace(market, reserves=reserves, book=grown)


def _rows(amounts: SparseAmounts, rows: NDArray[np.int64], scale: FloatArray) -> SparseAmounts:
    return SparseAmounts.from_rows(
        [
            {
                int(amounts.asset[e]): float(amounts.amount[e] * k)
                for e in range(amounts.indptr[i], amounts.indptr[i + 1])
            }
            for i, k in zip(rows, scale, strict=True)
        ]
    )


def _append(first: SparseAmounts, second: SparseAmounts) -> SparseAmounts:
    return SparseAmounts(
        indptr=np.concatenate([first.indptr, first.indptr[-1] + second.indptr[1:]]),
        asset=np.concatenate([first.asset, second.asset]),
        amount=np.concatenate([first.amount, second.amount]),
    )
