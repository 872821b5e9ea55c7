"""Pure values and arithmetic of lending markets; imports nothing of ours but errors.

Units everywhere: prices in USD per whole token, amounts in whole tokens
(float64), ratios as fractions, times in seconds, rates per year of 365 days.
Shapes: A assets, N positions, K eMode categories plus one (category 0 is none).
"""

from evaluator.market.asset import Asset, AssetClass
from evaluator.market.book import Book, SparseAmounts
from evaluator.market.health import health_factors, liquidity
from evaluator.market.liquidation import (
    NOTHING,
    Liquidation,
    aave_v3_liquidation,
    close_factor,
    compound_v2_liquidation,
    largest_liquidation,
)
from evaluator.market.liquidity import LiquidityCurve
from evaluator.market.market import EMode, Family, Market, Reserve
from evaluator.market.oracle import OracleKind, OracleSpec, PriceHistory
from evaluator.market.parameters import (
    Parameter,
    ParameterChange,
    RiskParameters,
    Unit,
    parameter_changes,
)
from evaluator.market.rates import RateCurve

__all__ = [
    "NOTHING",
    "Asset",
    "AssetClass",
    "Book",
    "EMode",
    "Family",
    "Liquidation",
    "LiquidityCurve",
    "Market",
    "OracleKind",
    "OracleSpec",
    "Parameter",
    "ParameterChange",
    "PriceHistory",
    "RateCurve",
    "Reserve",
    "RiskParameters",
    "SparseAmounts",
    "Unit",
    "aave_v3_liquidation",
    "close_factor",
    "compound_v2_liquidation",
    "health_factors",
    "largest_liquidation",
    "liquidity",
    "parameter_changes",
]
