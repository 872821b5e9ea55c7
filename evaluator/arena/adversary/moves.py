"""What an attacker can do, one primitive after the other, as plain values.

A sequence names tokens, pools and accounts by address and amounts by what they are
measured in, so that the same sequence can be made on another state: a share of what
is held is another number there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

from evaluator.errors import ConfigurationError

MOST_MOVES = 40  # of a sequence that is read from a report


class Basis(StrEnum):
    """What an amount is measured in."""

    USD = "USD at the fair price"
    UNITS = "base units"
    HELD = "share of what is held"
    CASH = "share of the reserve's cash"
    ROOM = "share of what may be borrowed"
    SUPPLIED = "share of what was supplied"
    OWED = "share of what is owed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Amount:
    """A quantity of a token, known only when the move is made."""

    basis: Basis  # what `value` counts
    value: float  # USD, base units, or a fraction

    @property
    def relative(self) -> bool:
        """Whether it is a share of something."""
        return self.basis not in (Basis.USD, Basis.UNITS)


class Kind(StrEnum):
    """The primitive moves."""

    FUND = "bring"  # flash loan, or capital of one's own
    SUPPLY = "supply"
    WITHDRAW = "withdraw"
    BORROW = "borrow"
    REPAY = "repay"
    LIQUIDATE = "liquidate"
    DONATE = "give"
    SWAP = "sell"
    WAIT = "wait"
    FOLLOW = "let the oracle follow the market"
    SHOCK = "the outside market moves"
    SET_PRICE = "set the price"
    EXECUTE = "execute the proposal"
    DELEGATE = "vote with"  # tokens that are held
    FORGE = "write an oracle of the attacker's own"
    PROPOSE = "propose"
    VOTE = "vote"  # once the vote is open
    QUEUE = "queue"  # once the vote is over
    ENACT = "execute the attacker's own proposal"  # once the timelock lets it through


# Steps of a proposal of the attacker's own, each of which waits until it is possible.
GOVERNING = (Kind.PROPOSE, Kind.VOTE, Kind.QUEUE, Kind.ENACT)
# Moves of the attacker's own contract, which fit into one transaction.
OWN = frozenset(
    {
        Kind.SUPPLY, Kind.WITHDRAW, Kind.BORROW, Kind.REPAY, Kind.LIQUIDATE, Kind.DONATE,
        Kind.SWAP, Kind.SET_PRICE,
    }
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Move:
    """One primitive move; fields that its kind has no use for are empty."""

    kind: Kind  # what is done
    asset: str = ""  # token moved, priced, sold or repaid: lower-case address
    amount: Amount | None = None  # of `asset`
    pool: str = ""  # SWAP: where it is sold, lower-case address
    then: str = ""  # SWAP: a second pool, where what the first paid is sold on
    debtor: str = ""  # LIQUIDATE: whose debt is repaid
    collateral: str = ""  # LIQUIDATE: token seized, lower-case address
    factor: float = 1.0  # SHOCK, SET_PRICE, FORGE: price over the price before
    seconds: int = 0  # WAIT: how long
    target: str = ""  # SET_PRICE: the contract called; DONATE: who gets it, "" for the reserve
    data: str = ""  # SET_PRICE: its calldata; steps of a proposal: its calls; hex with 0x
    second: bool = False  # whether the attacker's second account makes it
    may_fail: bool = False  # whether the rest is still made if this one reverts


@dataclass(frozen=True, kw_only=True, slots=True)
class Sequence:
    """Moves in order, and the pattern they grew from."""

    moves: tuple[Move, ...]  # first to last
    pattern: str  # the idea in a few words

    @property
    def atomic(self) -> bool:
        """Whether nothing but the attacker's own moves is needed, so that a loan can pay."""
        alone = {*OWN, Kind.FUND, Kind.EXECUTE}
        return all(m.kind in alone and not m.second for m in self.moves)

    @property
    def conditional(self) -> tuple[Move, ...]:
        """Moves of the outside market that nobody makes but that must happen first."""
        return tuple(m for m in self.moves if m.kind is Kind.SHOCK)

    @property
    def idea(self) -> frozenset[Kind]:
        """The kinds of its moves, whatever their order and number."""
        return frozenset(m.kind for m in self.moves)

    def with_amounts(self, values: Iterable[float]) -> Sequence:
        """Return the same moves with other amounts, in the order of `amounts`."""
        left = iter(values)
        moves = tuple(
            m if m.amount is None else replace(m, amount=replace(m.amount, value=next(left)))
            for m in self.moves
        )
        return replace(self, moves=moves)

    @property
    def amounts(self) -> tuple[Amount, ...]:
        """The amounts of those moves that have one."""
        return tuple(m.amount for m in self.moves if m.amount is not None)

    @property
    def tokens(self) -> tuple[str, ...]:
        """Every token named, in the order it is met."""
        named = (t for m in self.moves for t in (m.asset, m.collateral) if t)
        return tuple(dict.fromkeys(named))

    @property
    def pools(self) -> tuple[str, ...]:
        """Every pool traded on."""
        return tuple(dict.fromkeys(p for m in self.moves for p in (m.pool, m.then) if p))

    @property
    def debtors(self) -> tuple[str, ...]:
        """Everybody who is liquidated, accounts of the attacker's too."""
        return tuple(dict.fromkeys(m.debtor for m in self.moves if m.debtor))

    @property
    def seconded(self) -> bool:
        """Whether the attacker acts by a second account as well."""
        return any(m.second for m in self.moves)

    def to_json(self) -> str:
        """Write the sequence as one line of JSON; fields at their default are left out."""
        blank = asdict(Move(kind=Kind.WAIT))
        rows = [
            {k: v for k, v in asdict(m).items() if k == "kind" or v != blank[k]} for m in self.moves
        ]
        return json.dumps({"pattern": self.pattern, "moves": rows}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Sequence:
        """Read what `to_json` wrote. Raises ConfigurationError for anything else."""
        try:
            document = json.loads(text)
            rows = document["moves"]
            if len(rows) > MOST_MOVES:
                raise ConfigurationError(
                    f"a sequence of {len(rows)} moves was given; at most {MOST_MOVES} are read"
                )
            return cls(moves=tuple(_move(r) for r in rows), pattern=str(document["pattern"]))
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigurationError(
                "the sequence of moves in the report cannot be read: it was written by another "
                "version or changed by hand"
            ) from error


def _move(row: Mapping[str, Any]) -> Move:
    fields = dict(row)
    fields["kind"] = Kind(fields["kind"])
    amount = fields.get("amount")
    if amount is not None:
        fields["amount"] = Amount(basis=Basis(amount["basis"]), value=float(amount["value"]))
    return Move(**fields)


def usd(value: float) -> Amount:
    """An amount in USD at the fair price."""
    return Amount(basis=Basis.USD, value=value)


def held(share: float) -> Amount:
    """A share of what is held."""
    return Amount(basis=Basis.HELD, value=share)


def room(share: float) -> Amount:
    """A share of what may be borrowed."""
    return Amount(basis=Basis.ROOM, value=share)
