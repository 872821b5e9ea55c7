"""Draw the borrowers and suppliers of the embedded chain from a seed.

Health factors follow the shape seen on Aave V3 in 2023: a median near 1.8, one
in twenty below 1.15, looped stakers in eMode close to 1.1, and a thin edge of
accounts within a few percent of liquidation. Sizes are lognormal with a heavy
tail, so that a handful of accounts hold most of the value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from eth_utils.crypto import keccak

from evaluator.chain.embedded.assets import base_units, token
from evaluator.chain.embedded.listings import (
    AAVE_RESERVES,
    EMODES,
    ETH_EMODE,
    STABLE_EMODE,
    VENUS_MARKETS,
)

# Health factors start here, so that the interest of the opening blocks and
# Aave's rounding of the average threshold leave every account above 1.01.
_LOWEST_HEALTH = 1.0125
_SMALLEST_USD = 2_000.0
_LARGEST_USD = 300_000_000.0
_ROOM_UNDER_CAP = 0.80  # fraction of a cap that the seeded book may fill
_EDGE_SHARE = 0.08  # of the plain accounts, opened near liquidation


@dataclass(frozen=True, kw_only=True, slots=True)
class SeededAmount:
    """An amount of one asset."""

    symbol: str  # of the underlying
    units: int  # base units, > 0


@dataclass(frozen=True, kw_only=True, slots=True)
class SeededAccount:
    """An account as it will be opened."""

    address: str  # lower-case, derived from seed, purpose and number
    collateral: tuple[SeededAmount, ...]  # supplied and enabled as collateral
    idle: tuple[SeededAmount, ...]  # supplied and not enabled as collateral
    debt: tuple[SeededAmount, ...]  # borrowed; empty for a supplier
    emode: int  # Aave category, 0 for none


@dataclass(frozen=True, kw_only=True, slots=True)
class SeededBook:
    """Everybody on one protocol."""

    borrowers: tuple[SeededAccount, ...]
    suppliers: tuple[SeededAccount, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Listing:
    """What the draw has to know of a listed asset."""

    symbol: str
    threshold: float  # health weight of collateral, fraction
    supply_cap: float  # whole tokens
    borrow_cap: float  # whole tokens
    utilisation: float
    collateral_weight: float
    debt_weight: float


@dataclass(slots=True)
class _Draft:
    """An account while it is drawn; whole tokens by symbol."""

    collateral: dict[str, float]
    debt_shares: dict[str, float]  # of the debt's value, adding up to 1
    health: float
    emode: int
    idle: dict[str, float]


def account_address(seed: int, purpose: str, number: int) -> str:
    """Return the address of the `number`-th account of a purpose; nobody has its key."""
    return "0x" + keccak(text=f"seatrial/{seed}/{purpose}/{number}")[-20:].hex()


def aave_book(*, seed: int, borrowers: int) -> SeededBook:
    """Draw the Aave V3 book; the same seed gives the same book."""
    listings = [
        _Listing(
            symbol=r.symbol,
            threshold=r.liquidation_threshold / 1e4,
            supply_cap=float(r.supply_cap),
            borrow_cap=float(r.borrow_cap) if r.borrowing else 0.0,
            utilisation=r.utilisation,
            collateral_weight=r.collateral_weight,
            debt_weight=r.debt_weight,
        )
        for r in AAVE_RESERVES
    ]
    emode_thresholds = {
        (e.category, r.symbol): e.liquidation_threshold / 1e4
        for e in EMODES
        for r in AAVE_RESERVES
        if r.emode == e.category
    }
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1,)))
    drafts = [_aave_draft(rng, listings) for _ in range(borrowers)]
    return _close(
        "aave", seed=seed, drafts=drafts, listings=listings, emode_thresholds=emode_thresholds
    )


def venus_book(*, seed: int, borrowers: int) -> SeededBook:
    """Draw the Compound V2 family's book; the same seed gives the same book."""
    listings = [
        _Listing(
            symbol=m.symbol,
            threshold=m.collateral_factor,
            supply_cap=float(m.supply_cap),
            borrow_cap=float(m.borrow_cap),
            utilisation=m.utilisation,
            collateral_weight=m.collateral_weight,
            debt_weight=m.debt_weight,
        )
        for m in VENUS_MARKETS
    ]
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(2,)))
    drafts = [
        _plain_draft(rng, listings, most_debts=2, median_usd=400_000) for _ in range(borrowers)
    ]
    return _close("venus", seed=seed, drafts=drafts, listings=listings, emode_thresholds={})


def _aave_draft(rng: np.random.Generator, listings: Sequence[_Listing]) -> _Draft:
    kind = rng.random()
    if kind < 0.12:
        size = _size(rng, median_usd=2_500_000, sigma=1.8)
        held = {"wstETH": 1.0} if rng.random() < 0.8 else {"wstETH": 0.75, "WETH": 0.25}
        return _Draft(
            collateral={s: share * size / token(s).price for s, share in held.items()},
            debt_shares={"WETH": 1.0},
            health=_LOWEST_HEALTH + 0.09 * float(np.exp(0.9 * rng.standard_normal())),
            emode=ETH_EMODE,
            idle={},
        )
    if kind < 0.15:
        size = _size(rng, median_usd=1_000_000, sigma=1.5)
        held_symbol = "USDC" if rng.random() < 0.6 else "DAI"
        return _Draft(
            collateral={held_symbol: size / token(held_symbol).price},
            debt_shares={"USDT": 1.0},
            health=_LOWEST_HEALTH + 0.025 * float(np.exp(0.7 * rng.standard_normal())),
            emode=STABLE_EMODE,
            idle={},
        )
    return _plain_draft(rng, listings, most_debts=3, median_usd=600_000)


def _plain_draft(
    rng: np.random.Generator,
    listings: Sequence[_Listing],
    *,
    most_debts: int,
    median_usd: float,
) -> _Draft:
    size = _size(rng, median_usd=median_usd, sigma=1.9)
    count = 1 + int(rng.choice(4, p=[0.55, 0.27, 0.12, 0.06]))
    held = _choose(rng, listings, [x.collateral_weight for x in listings], count)
    shares = rng.dirichlet(np.full(len(held), 2.0))
    owed_weights = [0.0 if x in held else x.debt_weight for x in listings]
    debts = 1 + int(rng.choice(3, p=[0.72, 0.21, 0.07]))
    owed = _choose(rng, listings, owed_weights, min(debts, most_debts))
    debt_shares = rng.dirichlet(np.full(len(owed), 2.0))
    if rng.random() < _EDGE_SHARE:
        health = float(rng.uniform(_LOWEST_HEALTH, 1.10))
    else:
        health = _LOWEST_HEALTH + 0.8 * float(np.exp(1.1 * rng.standard_normal()))
    idle: dict[str, float] = {}
    if rng.random() < 0.05:
        rest = [0.0 if x in held or x in owed else x.collateral_weight for x in listings]
        for x in _choose(rng, listings, rest, 1):
            idle[x.symbol] = 0.02 * size / token(x.symbol).price
    return _Draft(
        collateral={
            x.symbol: float(share) * size / token(x.symbol).price
            for x, share in zip(held, shares, strict=True)
        },
        debt_shares={x.symbol: float(s) for x, s in zip(owed, debt_shares, strict=True)},
        # Nobody keeps a position for dust: past this a debt is hardly worth its gas.
        health=min(health, 25.0),
        emode=0,
        idle=idle,
    )


def _size(rng: np.random.Generator, *, median_usd: float, sigma: float) -> float:
    drawn = median_usd * float(np.exp(sigma * rng.standard_normal()))
    return float(np.clip(drawn, _SMALLEST_USD, _LARGEST_USD))


def _choose(
    rng: np.random.Generator, listings: Sequence[_Listing], weights: Sequence[float], count: int
) -> list[_Listing]:
    w = np.asarray(weights)
    picked = rng.choice(len(w), size=min(count, int((w > 0).sum())), replace=False, p=w / w.sum())
    return [listings[i] for i in sorted(int(i) for i in picked)]


def _close(
    protocol: str,
    *,
    seed: int,
    drafts: Sequence[_Draft],
    listings: Sequence[_Listing],
    emode_thresholds: Mapping[tuple[int, str], float],
) -> SeededBook:
    """Fit the drafts under the caps, size the debts and add the suppliers."""
    supplied = _total([d.collateral for d in drafts])
    squeeze = {
        x.symbol: min(1.0, _ROOM_UNDER_CAP * 0.5 * x.supply_cap / supplied[x.symbol])
        for x in listings
        if supplied.get(x.symbol, 0.0) > 0.0
    }
    thresholds = {x.symbol: x.threshold for x in listings}
    held = [{s: q * squeeze[s] for s, q in d.collateral.items()} for d in drafts]
    owed = []
    for draft, amounts in zip(drafts, held, strict=True):
        weighted = sum(
            q * token(s).price * emode_thresholds.get((draft.emode, s), thresholds[s])
            for s, q in amounts.items()
        )
        owed.append(
            {
                s: share * weighted / draft.health / token(s).price
                for s, share in draft.debt_shares.items()
            }
        )
    borrowed = _total(owed)
    ease = {
        x.symbol: min(1.0, _ROOM_UNDER_CAP * x.borrow_cap / borrowed[x.symbol])
        for x in listings
        if borrowed.get(x.symbol, 0.0) > 0.0
    }
    owed = [{s: q * ease[s] for s, q in row.items()} for row in owed]
    accounts = tuple(
        SeededAccount(
            address=account_address(seed, f"{protocol} borrower", i),
            collateral=_amounts(held[i]),
            idle=_amounts(drafts[i].idle),
            debt=_amounts(owed[i]),
            emode=drafts[i].emode,
        )
        for i in range(len(drafts))
    )
    return SeededBook(
        borrowers=accounts,
        suppliers=_suppliers(
            protocol, seed=seed, listings=listings, supplied=_total(held), borrowed=_total(owed)
        ),
    )


def _suppliers(
    protocol: str,
    *,
    seed: int,
    listings: Sequence[_Listing],
    supplied: Mapping[str, float],
    borrowed: Mapping[str, float],
) -> tuple[SeededAccount, ...]:
    """Three suppliers an asset, bringing it to its utilisation or to what its cap allows."""
    out: list[SeededAccount] = []
    for x in listings:
        wanted = borrowed.get(x.symbol, 0.0) / x.utilisation if x.utilisation > 0.0 else 0.0
        floor = 2_000_000.0 / token(x.symbol).price
        there = supplied.get(x.symbol, 0.0)
        most = _ROOM_UNDER_CAP * x.supply_cap - there
        extra = min(max(wanted - there, floor), most)
        for share in (0.6, 0.3, 0.1):
            out.append(
                SeededAccount(
                    address=account_address(seed, f"{protocol} supplier", len(out)),
                    collateral=_amounts({x.symbol: share * extra}),
                    idle=(),
                    debt=(),
                    emode=0,
                )
            )
    return tuple(out)


def _amounts(row: Mapping[str, float]) -> tuple[SeededAmount, ...]:
    return tuple(SeededAmount(symbol=s, units=base_units(s, q)) for s, q in row.items())


def _total(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    out: dict[str, float] = {}
    for row in rows:
        for symbol, amount in row.items():
            out[symbol] = out.get(symbol, 0.0) + amount
    return out
