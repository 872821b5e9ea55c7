"""Stated fallbacks per asset class, used where prices are too few to estimate.

Free assets: volatilities lie between those of calm years and of 2020 and 2021,
when hours of ETH gave 1.0, of BTC 0.8 and of other large coins 1.4 to 1.9 a
year; market-wide routs come a few times a year and strike smaller coins harder.
Crashes are rarer than any history is long, so their prior is never replaced:
once in three years on average, a third of ETH's price at once. Of days before
2020, nine of BTC since 2011 and four of ETH since 2016 lost more than 22%, so
this is not read off the crashes of 2020 and 2021 alone. Pegs: a half-life and a
noise of calm months, and a depeg every other year of the size of the milder ones
on record (stETH and USDC lost about 6% and 12% at worst). They are assumptions,
not estimates, and every report says where they are used.
"""

from __future__ import annotations

from dataclasses import dataclass

from evaluator.market import AssetClass


@dataclass(frozen=True, kw_only=True, slots=True)
class FreePrior:
    """Assumed law of an asset that moves freely."""

    volatility: float  # of the diffusion, per sqrt(year)
    jump_intensity: float  # own events per year
    jump_mean: float  # of an own jump's logarithm
    jump_deviation: float  # standard deviation of an own jump's logarithm
    common_mean: float  # of a market-wide jump's logarithm
    common_deviation: float  # standard deviation of a market-wide jump's logarithm
    crash_mean: float  # of a crash's logarithm
    crash_deviation: float  # standard deviation of a crash's logarithm
    market_loading: float  # correlation with the market factor; two assets' is the product


@dataclass(frozen=True, kw_only=True, slots=True)
class PegPrior:
    """Assumed law of a pegged asset's ratio to its anchor."""

    reversion: float  # per year
    volatility: float  # per sqrt(year)
    jump_intensity: float  # depegs per year
    jump_mean: float  # of a depeg's logarithm
    jump_deviation: float  # standard deviation of a depeg's logarithm
    common_mean: float  # of what a market-wide event does to the ratio's logarithm
    common_deviation: float  # its standard deviation
    crash_mean: float  # of what a crash does to the ratio's logarithm
    crash_deviation: float  # its standard deviation


COMMON_INTENSITY = 6.0  # market-wide events per year
CRASH_INTENSITY = 0.33  # crashes per year
COMMON_CORRELATION = 0.8  # of two assets' sizes in one market-wide event

_FREE = {
    AssetClass.ETH: FreePrior(
        volatility=0.85,
        jump_intensity=4.0,
        jump_mean=0.0,
        jump_deviation=0.05,
        common_mean=-0.10,
        common_deviation=0.08,
        crash_mean=-0.35,
        crash_deviation=0.15,
        market_loading=0.92,
    ),
    AssetClass.BTC: FreePrior(
        volatility=0.65,
        jump_intensity=4.0,
        jump_mean=0.0,
        jump_deviation=0.04,
        common_mean=-0.08,
        common_deviation=0.07,
        crash_mean=-0.28,
        crash_deviation=0.15,
        market_loading=0.88,
    ),
    AssetClass.LARGE_ALT: FreePrior(
        volatility=1.10,
        jump_intensity=6.0,
        jump_mean=0.0,
        jump_deviation=0.08,
        common_mean=-0.13,
        common_deviation=0.10,
        crash_mean=-0.42,
        crash_deviation=0.18,
        market_loading=0.80,
    ),
    AssetClass.SMALL_ALT: FreePrior(
        volatility=1.40,
        jump_intensity=12.0,
        jump_mean=-0.02,
        jump_deviation=0.12,
        common_mean=-0.15,
        common_deviation=0.12,
        crash_mean=-0.50,
        crash_deviation=0.20,
        market_loading=0.70,
    ),
}
_FIAT = FreePrior(
    volatility=0.08,
    jump_intensity=0.0,
    jump_mean=0.0,
    jump_deviation=0.0,
    common_mean=0.0,
    common_deviation=0.0,
    crash_mean=0.0,
    crash_deviation=0.0,
    market_loading=0.0,
)

# ln 2 times 365 over the half-life in days.
_STABLE = PegPrior(
    reversion=253.0,
    volatility=0.0225,
    jump_intensity=0.5,
    jump_mean=-0.05,
    jump_deviation=0.05,
    common_mean=0.0,
    common_deviation=0.003,
    crash_mean=0.0,
    crash_deviation=0.01,
)
_STAKED = PegPrior(
    reversion=50.6,
    volatility=0.02,
    jump_intensity=0.5,
    jump_mean=-0.03,
    jump_deviation=0.02,
    common_mean=-0.005,
    common_deviation=0.005,
    crash_mean=-0.02,
    crash_deviation=0.02,
)
_WRAPPED = PegPrior(
    reversion=253.0,
    volatility=0.0225,
    jump_intensity=0.2,
    jump_mean=-0.02,
    jump_deviation=0.02,
    common_mean=0.0,
    common_deviation=0.002,
    crash_mean=0.0,
    crash_deviation=0.005,
)


def free_prior(asset_class: AssetClass | None) -> FreePrior:
    """Return the prior of a free asset; None stands for a foreign currency.

    A class that is normally pegged but moves freely here gets the large
    alternative coin's.
    """
    if asset_class is None:
        return _FIAT
    return _FREE.get(asset_class, _FREE[AssetClass.LARGE_ALT])


def peg_prior(asset_class: AssetClass) -> PegPrior:
    """Return the prior of a pegged asset's ratio to its anchor."""
    return {AssetClass.STABLE: _STABLE, AssetClass.LST: _STAKED}.get(asset_class, _WRAPPED)
