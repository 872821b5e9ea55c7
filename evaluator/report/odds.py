"""The part of the report's model that holds one market's stress results."""

from __future__ import annotations

from pydantic import model_validator

from evaluator.market import Unit
from evaluator.report.part import Part, Text


class EstimateRow(Part):
    """A number with its interval, horizon, percentile and sample size."""

    value: float
    lower: float
    upper: float
    level: float  # confidence level of the interval, fraction
    percentile: float | None  # of the loss distribution, fraction
    horizon: float  # seconds after execution
    samples: int  # paths
    events: int  # paths on which the quantity is not zero
    unit: Text  # "fraction", "USD"


class OddsRow(Part):
    """One metric today and after, on the same paths."""

    name: Text  # "bad_debt_probability"
    label: Text  # for people
    today: EstimateRow
    after_static: EstimateRow  # same borrowers
    after_responding: EstimateRow | None  # borrowers use the room; None: no new room
    difference: EstimateRow  # paired, after_static less today
    difference_responding: EstimateRow | None  # paired, after_responding less today
    headline: bool = False  # shown on the first screen


class HurtRow(Part):
    """One account that becomes liquidatable at execution."""

    account: Text
    health_factor_before: float
    health_factor_after: float
    collateral_usd: float
    debt_usd: float


class HurtSection(Part):
    """Who is hurt at the moment of execution."""

    users: int  # made liquidatable, all of them
    debt_usd: float  # theirs
    share_of_debt: float  # of the market's debt
    rows: tuple[HurtRow, ...]  # the largest
    borrowers: int  # looked at


class ScenarioRow(Part):
    """The odds under one scenario."""

    name: Text
    what: Text  # in a sentence
    chance_today: EstimateRow
    chance_after: EstimateRow
    shortfall_today: EstimateRow | None
    shortfall_after: EstimateRow | None


class Series(Part):
    """A line with its band over a shared axis."""

    name: Text  # "today", "after, same borrowers", "after, borrowers use the room"
    value: tuple[float, ...]
    lower: tuple[float, ...] = ()  # empty: no band
    upper: tuple[float, ...] = ()


class Curves(Part):
    """Lines over one axis: survival, loss exceedance, liquidation map."""

    x: tuple[float, ...]
    series: tuple[Series, ...]
    level: float | None  # confidence level of the bands

    @model_validator(mode="after")
    def _same_length(self) -> Curves:
        for s in self.series:
            if any(len(v) not in (0, len(self.x)) for v in (s.lower, s.upper)) or len(
                s.value
            ) != len(self.x):
                raise ValueError(f"series {s.name!r} has another length than its axis")
        return self


class FanSeries(Part):
    """Quantiles of bad debt over time for one parameter set."""

    name: Text
    quantiles: tuple[tuple[float, ...], ...]  # one tuple over time for each level of the fan


class Fan(Part):
    """Bad debt over time: quantiles across paths."""

    time: tuple[float, ...]  # seconds after execution
    levels: tuple[float, ...]  # ascending quantile levels, fractions
    series: tuple[FanSeries, ...]
    samples: int | None = None  # paths; None in reports of before it was kept


class AssetOdds(Part):
    """Bad debt in one debt asset, what existed before execution included."""

    asset: Text
    rows: tuple[OddsRow, ...]


class FirstPassageRow(Part):
    """When bad debt first exceeds the threshold, for one parameter set."""

    name: Text
    events: int  # paths on which it does
    censored: int  # paths that reach the horizon without
    median: EstimateRow | None  # seconds, of the paths on which it does; None: none


class ToxicRow(Part):
    """How far the price may fall after liquidation begins before liquidations do harm."""

    asset: Text  # collateral, with its eMode category if it is not 0
    toxic: float  # LTV above which a liquidation raises LTV, after execution, fraction
    today: float  # fall of the price from liquidation to there, fraction
    after: float  # the same after execution


class HoldingRow(Part):
    """What it costs to hold an asset's price away from the rest of the market."""

    asset: Text
    factor: float  # price held over undisturbed price
    seconds: float  # it is held for
    opening: float  # USD lost in getting there
    holding: float  # USD lost to arbitrageurs after that
    capital: float  # USD at hand for the first trade
    measured: bool  # depth was measured, not assumed


class LiquidationMap(Part):
    """Debt that becomes liquidatable as one asset's price falls, all else equal."""

    asset: Text
    curves: Curves  # x: fall of the price, fraction; values: USD of debt


class SensitivityRow(Part):
    """How a metric moves when one assumption moves."""

    name: Text
    low_setting: Text
    high_setting: Text
    low: float  # metric at the low setting
    high: float  # metric at the high setting
    first_order: float | None = None  # Sobol index: share of the variance it explains alone
    first_order_error: float | None = None  # half width of its interval
    total: float | None = None  # Sobol index: share of the variance it has a part in
    total_error: float | None = None  # half width of its interval


class Sensitivity(Part):
    """A tornado: what drives the result, largest first."""

    metric: Text
    unit: Text
    base: float
    rows: tuple[SensitivityRow, ...]
    level: float | None = None  # confidence level of the errors
    horizon: float | None = None  # seconds
    samples: int | None = None  # price paths of each evaluation
    evaluations: int | None = None  # made


class SafeValueRow(Part):
    """The furthest value of a parameter that keeps today's odds."""

    path: Text
    label: Text
    unit: Unit
    today: float
    proposed: float
    safe: float
    confidence: float  # fraction
    beyond: bool  # the proposed value is


class GreekRow(Part):
    """A derivative of a metric, by common random numbers."""

    name: Text  # "delta"
    what: Text  # symbol or parameter
    per: Text  # what it is for, "+1% of the price"
    today: EstimateRow
    after: EstimateRow  # same borrowers


class RareRow(Part):
    """The chance of a loss too rare to be counted on plain paths."""

    state: Text  # "today" or "after, same borrowers"
    loss: float  # USD of new bad debt that is exceeded
    chance: EstimateRow  # of that within the horizon
    expected: EstimateRow  # USD of new bad debt, any size, from the same weighted paths
    relative_error: float | None  # standard error of the chance over the chance; None: no event
    effective: float  # plain paths that would give the same standard error
    drawn: int  # paths drawn in all, search included
    method: Text  # "importance sampling (cross-entropy)"


class ConformanceRow(Part):
    """One quantity of the model against the contracts."""

    quantity: Text
    compared: int
    largest_error: float  # relative


class ConformanceSection(Part):
    """The model held against real bytecode."""

    paths: int | None  # replayed with real transactions, None: only views were compared
    largest_error: float  # relative
    rows: tuple[ConformanceRow, ...]


class CalibrationRow(Part):
    """What the price process of one asset was fitted to."""

    asset: Text
    process: Text
    days: float  # of prices
    observations: int
    source: Text
    volatility: float | None  # per year
    share_of_book: float  # larger of its shares of collateral and debt
    thin: bool


class MarketSection(Part):
    """Everything about one market the proposal reaches; None where not computed."""

    name: Text  # "Aave V3"
    protocol: Text  # "aave_v3"
    address: Text
    supplied_usd: float
    debt_usd: float
    reserves_usd: float
    borrowers: int
    unchanged: bool
    hurt: HurtSection | None = None
    odds: tuple[OddsRow, ...] | None = None
    assets: tuple[AssetOdds, ...] | None = None  # those with bad debt on some path
    first_passage: tuple[FirstPassageRow, ...] | None = None
    scenarios: tuple[ScenarioRow, ...] | None = None
    survival: Curves | None = None  # x: seconds after execution; values: probability
    loss_exceedance: Curves | None = None  # x: USD; values: probability of more bad debt
    fan: Fan | None = None
    liquidation_maps: tuple[LiquidationMap, ...] | None = None
    toxic: tuple[ToxicRow, ...] | None = None
    holding: tuple[HoldingRow, ...] | None = None
    sensitivity: Sensitivity | None = None
    safe_values: tuple[SafeValueRow, ...] | None = None
    greeks: tuple[GreekRow, ...] | None = None
    conformance: ConformanceSection | None = None
    calibration: tuple[CalibrationRow, ...] | None = None
    plausible_loss: Text | None = None  # the most plausible way to a large loss, in words
    rare: tuple[RareRow, ...] | None = None  # losses too rare to be counted
