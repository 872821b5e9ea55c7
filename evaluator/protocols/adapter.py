"""What Seatrial asks of a lending protocol, and the adapters that answer."""

from __future__ import annotations

import functools
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Protocol

import numpy as np

from evaluator.chain.sandbox import Sandbox
from evaluator.errors import SetupError
from evaluator.market import Market, Parameter, health_factors, liquidity
from evaluator.market.health import collateral_value, debt_value
from evaluator.protocols.borrower_cache import BorrowerCache
from evaluator.protocols.reading import Progress

# Accounts that a reading compares with the protocol's own view.
SAMPLE = 100
# Disagreement above which a reading says so; dust positions show rounding of 1e-8 USD.
AGREES = 1e-6
ENTRY_POINT_GROUP = "seatrial.protocols"


@dataclass(frozen=True, kw_only=True, slots=True)
class AccountView:
    """One account as the protocol itself sees it."""

    account: str  # checksummed address
    health_factor: float  # inf without debt; nan if the protocol has no such notion
    liquidity: float  # USD of weighted collateral less debt; negative is a shortfall


class ProtocolAdapter(Protocol):
    """Reads one family of lending protocols. Stateless and safe to share."""

    name: str  # prefix of parameter paths, "aave_v3"

    def discover(self, sandbox: Sandbox, seeds: Collection[str]) -> tuple[str, ...]:
        """Return the market roots (pool, comptroller) that `seeds` belong to, lower-case.

        `seeds` are addresses a proposal touches; what belongs to no market of
        this family is passed over. Never raises for a seed that is not a
        contract or answers nonsense.
        """
        ...

    def read(
        self,
        sandbox: Sandbox,
        root: str,
        *,
        cache: BorrowerCache | None = None,
        progress: Progress | None = None,
    ) -> Market:
        """Read the market at `root` with every borrower, as of the sandbox's head.

        Depth is assumed by asset class until `measure_liquidity` replaces it.
        The forked block is read from the node that was forked: after a cheat
        on it (set_code, set_storage) mine a block first.
        Raises IncompleteState naming what could not be read.
        """
        ...

    def outline(self, sandbox: Sandbox, root: str) -> Market:
        """Read the market at `root` without its borrowers: reserves, settings, totals.

        For what needs no positions; a few hundred calls on any chain, where `read` may
        have to search years of logs. Raises IncompleteState.
        """
        ...

    def parameters(self, market: Market) -> tuple[Parameter, ...]:
        """Name every parameter of a market that this adapter read, ordered by path."""
        ...

    def accrue(self, sandbox: Sandbox, market: Market) -> None:
        """Book interest up to now, as anybody may, where balances wait for that.

        A reading tells what the contracts have booked; after days of governance
        that would be days of interest short.
        """
        ...

    def account_views(
        self, sandbox: Sandbox, market: Market, accounts: Sequence[str]
    ) -> tuple[AccountView, ...]:
        """Ask the protocol itself for `accounts`, at the block `market` was read at."""
        ...


def disagreement(market: Market, views: Sequence[AccountView]) -> float:
    """Return how far `market` is from the protocol's own word, at worst over `views`.

    Relative error of the health factor, and error of the liquidity relative to
    the collateral value; 0 without views. KeyError for an account not in the book.
    """
    rows = {a: i for i, a in enumerate(market.book.accounts)}
    at = np.array([rows[v.account] for v in views], dtype=np.int64)
    own_health = np.array([v.health_factor for v in views])
    own_liquidity = np.array([v.liquidity for v in views])
    scale = np.maximum(collateral_value(market), debt_value(market))[at]
    errors = np.abs(liquidity(market)[at] - own_liquidity) / np.maximum(scale, 1e-300)
    health = health_factors(market)[at]
    known = np.isfinite(own_health) & (own_health > 0.0)
    errors[known] = np.maximum(errors[known], np.abs(health[known] / own_health[known] - 1.0))
    return float(errors.max(initial=0.0))


def sample(accounts: Sequence[str], size: int = SAMPLE) -> tuple[str, ...]:
    """Return at most `size` of `accounts`, evenly spread."""
    return tuple(accounts[:: -(-len(accounts) // size)]) if accounts else ()


@functools.cache
def adapters() -> tuple[ProtocolAdapter, ...]:
    """Return one adapter of each registered family, ordered by name.

    Raises SetupError for a plugin that cannot be imported.
    """
    out: list[ProtocolAdapter] = []
    for point in sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda p: p.name):
        try:
            out.append(point.load()())
        except Exception as error:
            raise SetupError(
                f"the protocol adapter {point.name} ({point.value}) cannot be loaded: {error}; "
                "repair or uninstall the package that registers it"
            ) from error
    return tuple(out)
