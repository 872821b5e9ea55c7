"""An adversary's position in a thin asset, the path it waits for, and what both cost."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum

import numpy as np

from evaluator.errors import ConfigurationError
from evaluator.market import Market
from evaluator.market.book import Book, FloatArray

ADVERSARY = "0x5EA70000000000000000000000000000000000ee"
STEP = 1_800.0  # seconds between two looks at everything
# A position that costs this share of it on the state before is no work of the proposal.
OPEN_TODAY = 0.75
_KEY = "squeeze"  # what a squeeze is told from a sequence of moves by


class Side(StrEnum):
    """Which side of the position is thin."""

    BORROWED = "borrowed"
    SUPPLIED = "supplied"


@dataclass(frozen=True, kw_only=True, slots=True)
class SqueezePosition:
    """What the adversary puts into the book."""

    side: Side  # of the thin asset
    collateral: str  # symbol
    debt: str  # symbol
    supplied: float  # whole tokens of the collateral
    borrowed: float  # whole tokens of the debt


@dataclass(frozen=True, kw_only=True, slots=True)
class SqueezePath:
    """One price moved, the others as they are. Gives paths as a price process does."""

    column: int  # of the asset in the universe
    columns: int  # U, of the universe
    moves: tuple[tuple[float, float], ...]  # price reached over today's, hours it takes; by path

    name = "squeeze"

    # A price process has a seed; a squeeze leaves nothing to chance.
    def paths(self, *, seed: int, first: int, count: int, steps: int) -> FloatArray:  # noqa: ARG002
        """Return prices over those at the start, shape (count, steps + 1, U)."""
        seconds = STEP * np.arange(steps + 1)
        out = np.ones((count, steps + 1, self.columns))
        for p, (factor, hours) in enumerate(self.moves[first : first + count]):
            out[p, :, self.column] = factor ** np.clip(seconds / (3600.0 * hours), 0.0, 1.0)
        return out


@dataclass(frozen=True, kw_only=True, slots=True)
class Squeeze:
    """One position that leaves bad debt, and the same kind on the state before."""

    position: SqueezePosition  # the largest, or a smaller one that costs nearly as much
    factor: float  # price of the thin asset reached over today's
    hours: float  # it takes to get there
    capital_usd: float  # value of the collateral
    loss_after: float  # USD of bad debt beyond what the path costs anyway
    loss_before: float  # USD, the same with the largest position the state before allows
    profit: float  # USD, what the adversary has left less what it brought, at the new price
    depth_usd: float  # of the thin asset that can be bought until its pools are dry
    assumed_depth: bool  # that depth was assumed, not quoted from pools

    @property
    def thin(self) -> str:
        """Symbol of the thin asset."""
        p = self.position
        return p.debt if p.side is Side.BORROWED else p.collateral

    @property
    def open_today(self) -> bool:
        """Whether the state before allows about as much."""
        return self.loss_before >= OPEN_TODAY * self.loss_after

    @property
    def loss_usd(self) -> float:
        """Loss of the protocol that the state before does not allow, USD."""
        return 0.0 if self.open_today else max(self.loss_after - self.loss_before, 0.0)

    @property
    def gain_usd(self) -> float:
        """Gain at the protocol's cost, likewise."""
        return min(max(self.profit, 0.0), self.loss_usd)

    @property
    def moves(self) -> tuple[str, ...]:
        """The way step by step, in words."""
        p = self.position
        took = "rises" if self.factor > 1.0 else "falls"
        where = (
            f"{self.depth_usd:,.0f} USD of it can be bought before the pools are dry"
            if self.factor > 1.0
            else f"pools hold {self.depth_usd:,.0f} USD of it"
        )
        return (
            f"supply {p.supplied:,.0f} {p.collateral}",
            f"borrow {p.borrowed:,.0f} {p.debt}",
            f"the price of {self.thin} {took} to {self.factor:.2g} times today's within "
            f"{self.hours:g} hours",
            f"liquidators cannot trade as much ({where})",
        )

    @property
    def words(self) -> str:
        """The way in a sentence without its stop."""
        supplied, borrowed, moved, left = self.moves
        return f"{supplied}, {borrowed}; {moved}, and {left}"

    def to_json(self) -> str:
        """Write the squeeze as one line of JSON."""
        return json.dumps({_KEY: asdict(self)}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Squeeze | None:
        """Read what `to_json` wrote; None if it is no squeeze. Raises ConfigurationError."""
        try:
            document = json.loads(text)
            if not isinstance(document, dict) or _KEY not in document:
                return None
            fields = dict(document[_KEY])
            position = dict(fields.pop("position"))
            side = Side(position.pop("side"))
            return cls(position=SqueezePosition(side=side, **position), **fields)
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigurationError(
                "the squeeze in the report cannot be read: it was written by another version or "
                "changed by hand"
            ) from error


def with_position(market: Market, position: SqueezePosition, *, account: str = ADVERSARY) -> Market:
    """Return a market with the position opened by a new account."""
    c, d = market.index(position.collateral), market.index(position.debt)
    reserves = list(market.reserves)
    reserves[c] = replace(
        reserves[c],
        supplied=reserves[c].supplied + position.supplied,
        cash=reserves[c].cash + position.supplied,
    )
    reserves[d] = replace(
        reserves[d],
        borrowed=reserves[d].borrowed + position.borrowed,
        cash=reserves[d].cash - position.borrowed,
    )
    rows = rows_of(market, range(len(market.book)))
    book = Book.from_rows(
        (*market.book.accounts, account),
        [*(r[0] for r in rows), {c: position.supplied}],
        [*(r[1] for r in rows), {d: position.borrowed}],
        [*market.book.emode.tolist(), 0],
    )
    return replace(market, reserves=tuple(reserves), book=book)


def touching(market: Market, asset: int) -> Market:
    """Keep only the accounts that hold or owe an asset: nobody else feels its price."""
    book = market.book
    rows = np.union1d(
        book.collateral.row[book.collateral.asset == asset], book.debt.row[book.debt.asset == asset]
    ).tolist()
    kept = rows_of(market, rows)
    return replace(
        market,
        book=Book.from_rows(
            [book.accounts[i] for i in rows],
            [r[0] for r in kept],
            [r[1] for r in kept],
            book.emode[rows].tolist(),
        ),
    )


def rows_of(market: Market, rows: Sequence[int]) -> list[tuple[dict[int, float], dict[int, float]]]:
    out = []
    for i in rows:
        pair = []
        for side in (market.book.collateral, market.book.debt):
            first, end = int(side.indptr[i]), int(side.indptr[i + 1])
            pair.append(
                dict(
                    zip(
                        side.asset[first:end].tolist(), side.amount[first:end].tolist(), strict=True
                    )
                )
            )
        out.append((pair[0], pair[1]))
    return out
