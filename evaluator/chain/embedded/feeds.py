"""The price feeds' round history: seeded, and labelled so.

The prices are a stand-in for a past that this chain does not have: correlated
Student-t returns with volatility that clusters, without trend, beginning and
ending at the price each token has at the head. wstETH follows WETH at a slowly
growing rate, and stablecoins swing around a dollar.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from evaluator.chain.contract import Contract
from evaluator.chain.embedded.assets import TOKENS, TokenSpec
from evaluator.chain.embedded.deployer import Deployer
from evaluator.chain.solidity import load_contract

FEED_DECIMALS = 8
HISTORY_HOURS = 32 * 24
HISTORY_LABEL = "seeded history"

_HOUR = 3600
# Between rounds. Pegged prices too: with fewer of them than the law of a peg is fitted to,
# every evaluation of this chain would rest on a prior for half of its book.
_ROUND_HOURS = 1
_HOURS_PER_YEAR = 8760.0
_FREEDOM = 4.0  # Student's degrees of freedom, about what hourly crypto returns show
_PERSISTENCE = 0.98  # of log volatility, an hour
_VOLATILITY_OF_VOLATILITY = 0.08  # of log volatility, an hour
_STAKING_YIELD = 0.03  # a year, by which wstETH grows against WETH
_PEG_PULL = 0.05  # of a stablecoin's distance to its peg, an hour


def feed_description(token: TokenSpec) -> str:
    """Return what the feed says of itself."""
    return f"{token.symbol} / USD ({HISTORY_LABEL})"


def hourly_prices(*, seed: int, hours: int = HISTORY_HOURS) -> Mapping[str, NDArray[np.float64]]:
    """Return prices by symbol, shape (hours + 1,) each, oldest first, USD per whole token.

    The last is the token's head price; the same seed gives the same prices.
    """
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(3,)))
    volatility = _clustered_volatility(rng, hours)
    common = _student(rng, hours)
    prices: dict[str, NDArray[np.float64]] = {}
    for token in TOKENS:
        own = _student(rng, hours)
        if token.pegged_to == "USD":
            prices[token.symbol] = _pegged(own, token)
        elif token.pegged_to:
            ago = np.arange(hours, -1, -1, dtype=np.float64)
            rate = np.exp(-_STAKING_YIELD * ago / _HOURS_PER_YEAR + 2e-4 * _bridge(own, 0.2))
            followed = prices[token.pegged_to]
            prices[token.symbol] = token.price * followed / followed[-1] * rate
        else:
            shock = token.beta * common + np.sqrt(1.0 - token.beta**2) * own
            step = token.volatility / np.sqrt(_HOURS_PER_YEAR) * volatility * shock
            # No trend: a drift drawn over a month would say more than a seed should.
            prices[token.symbol] = token.price * np.exp(_walk(step - step.mean()))
    return prices


def rounds(prices: NDArray[np.float64], *, head: int) -> tuple[list[int], list[int]]:
    """Return a feed's answers, 8 decimals, and their times, seconds, the last at `head`."""
    hours = len(prices) - 1
    kept = range(hours % _ROUND_HOURS, hours + 1, _ROUND_HOURS)
    answers = [max(round(float(prices[i]) * 10**FEED_DECIMALS), 1) for i in kept]
    return answers, [head - _HOUR * (hours - i) for i in kept]


class SeededFeeds:
    """The feeds while the chain is built: the first round early, the others at the end.

    The others' times lie after the first blocks: whoever works out the age of an answer,
    as Venus's oracle does, would fail on them.
    """

    def __init__(self, deployer: Deployer, *, seed: int, head: int) -> None:
        """Deploy a feed for every token with its oldest round; the newest is for `head`.

        The deployer owns them, so that nobody else may push; a feed that anybody writes to
        would be a hole in every market of this chain.
        """
        prices = hourly_prices(seed=seed)
        artifact = load_contract("PriceFeed")
        self._deployer = deployer
        self._later: list[tuple[Contract, list[int], list[int]]] = []
        self.addresses: dict[str, str] = {}
        for token in TOKENS:
            feed = deployer.deploy_artifact(
                artifact, FEED_DECIMALS, feed_description(token), deployer.account
            )
            answers, times = rounds(prices[token.symbol], head=head)
            deployer.send(feed, "load", answers[:1], times[:1])
            self._later.append((feed, answers[1:], times[1:]))
            self.addresses[token.symbol] = feed.address

    def load_history(self) -> None:
        """Load the rounds after the first."""
        for feed, answers, times in self._later:
            self._deployer.send(feed, "load", answers, times)


def _student(rng: np.random.Generator, n: int) -> NDArray[np.float64]:
    """Student-t draws of unit variance."""
    scale = np.sqrt((_FREEDOM - 2.0) / _FREEDOM)
    draws: NDArray[np.float64] = rng.standard_t(_FREEDOM, size=n) * scale
    return draws


def _clustered_volatility(rng: np.random.Generator, n: int) -> NDArray[np.float64]:
    """A multiplier of volatility with mean square 1: the exponential of an autoregression."""
    out = np.empty(n)
    level = 0.0
    for i, shock in enumerate(rng.standard_normal(n)):
        level = _PERSISTENCE * level + _VOLATILITY_OF_VOLATILITY * float(shock)
        out[i] = level
    multiplier = np.exp(out)
    return np.asarray(multiplier / np.sqrt(np.mean(multiplier**2)))


def _walk(steps: NDArray[np.float64]) -> NDArray[np.float64]:
    """The sums of the first 0, 1, ... steps less the sum of all, so that it ends at 0."""
    path = np.concatenate(([0.0], np.cumsum(steps)))
    out: NDArray[np.float64] = path - path[-1]
    return out


def _bridge(shocks: NDArray[np.float64], pull: float) -> NDArray[np.float64]:
    """A process pulled back to 0, from 0 to 0, one longer than its shocks."""
    path = np.zeros(len(shocks) + 1)
    for i, shock in enumerate(shocks):
        path[i + 1] = (1.0 - pull) * path[i] + float(shock)
    out: NDArray[np.float64] = path - path[-1] * np.linspace(0.0, 1.0, len(path))
    return out


def _pegged(shocks: NDArray[np.float64], token: TokenSpec) -> NDArray[np.float64]:
    """A stablecoin's price around its head price."""
    sd = token.volatility / np.sqrt(_HOURS_PER_YEAR) * 4.0
    return np.asarray(token.price * (1.0 + sd * _bridge(shocks, _PEG_PULL)))
