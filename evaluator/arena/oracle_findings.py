"""What running an oracle tells of a price: what it depends on, and who can move it."""

from __future__ import annotations

from dataclasses import dataclass

from evaluator.arena.open_setters import OpenSetter
from evaluator.arena.price_trace import PriceTrace

LEVELS = (0.01, 0.1, 0.5, 2.0, 10.0)  # of today's answers, at which a price is asked for
MOVED = 0.10  # move of a pool's price that its cost is told for


@dataclass(frozen=True, kw_only=True, slots=True)
class PriceLeaf:
    """An answer that a price depends on."""

    contract: str  # lower-case
    data: bytes  # what it was asked
    word: int  # of its answer that matters
    answer: int  # that word as it stands, unsigned
    elasticity: float  # relative move of the price over relative move of the word


@dataclass(frozen=True, kw_only=True, slots=True)
class PoolSource:
    """An exchange pool whose trades move the price."""

    pool: str  # lower-case
    token: str  # bought in the trial, lower-case
    moved: float  # relative move of the price by a swap that moves the pool by a fifth
    delay: int  # seconds after the swap until half of that is seen; 0: in the same block
    fee: float  # of the pool, fraction of a trade
    depth_usd: float  # USD behind the price on one side; nan: worth not known
    capital_usd: float  # USD to be traded to move the pool by MOVED; nan likewise
    cost_usd: float  # USD of fees to move it there and back; nan likewise


@dataclass(frozen=True, kw_only=True, slots=True)
class GiftSource:
    """A balance that the price is computed from and anybody can add to."""

    token: str  # lower-case
    holder: str  # whose balance, lower-case
    moved: float  # relative move of the price by a gift of a tenth of the balance


@dataclass(frozen=True, kw_only=True, eq=False)
class OracleProbe:
    """What was found about one reserve's price."""

    reserve: int  # index in the market
    asset: str  # symbol
    token: str  # address of the asset, lower-case
    price: float  # USD per whole token as the protocol has it
    trace: PriceTrace  # of the price call
    leaves: tuple[PriceLeaf, ...]  # answers the price depends on
    posted: bool  # it is kept in the oracle's own storage, where somebody put it
    floor: float  # USD below which it does not fall when its sources do; 0: none was met
    cap: float  # USD above which it does not rise; inf: none was met
    refuses: tuple[float, ...]  # of LEVELS at which no price was told any more
    pools: tuple[PoolSource, ...]
    gifts: tuple[GiftSource, ...]
    setters: tuple[OpenSetter, ...]  # calls by which a stranger changes it
    updated_at: int | None  # time of the oldest round that was read, seconds; None: none was

    @property
    def stuck(self) -> bool:
        """Whether nothing that was found moves it."""
        return not self.leaves and not self.posted

    @property
    def sources(self) -> tuple[str, ...]:
        """Contracts it depends on, lower-case."""
        return tuple(dict.fromkeys(leaf.contract for leaf in self.leaves))
