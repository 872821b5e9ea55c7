"""What one liquidation repays and seizes, as each family's contracts decide it.

The scalar rules come first, then `largest_liquidation`, which reads their
arguments from a `Market`. Rounding to base units is left out: it is below
1e-15 of a position of ordinary size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from evaluator.market.book import FloatArray
from evaluator.market.health import health_factors
from evaluator.market.market import Family, Market


@dataclass(frozen=True, kw_only=True, slots=True)
class Liquidation:
    """What one liquidation moves; all zero when it is not allowed."""

    repaid: float  # whole tokens of the debt asset that the liquidator pays
    seized: float  # whole tokens of collateral that the borrower loses, fee included
    protocol_fee: float  # whole tokens of `seized` that the protocol keeps

    @property
    def received(self) -> float:
        """Whole tokens of collateral that the liquidator gets."""
        return self.seized - self.protocol_fee


NOTHING = Liquidation(repaid=0.0, seized=0.0, protocol_fee=0.0)


def close_factor(market: Market, health_factor: float) -> float:
    """Return the largest share of one debt that one liquidation may repay.

    Aave V3 allows all of it at a health factor of `full_close_below` and under
    (LiquidationLogic._calculateDebt), Compound V2 knows no such step.
    """
    if market.full_close_below > 0.0 and health_factor <= market.full_close_below:
        return 1.0
    return market.close_factor


def aave_v3_liquidation(
    *,
    repay: float,
    debt: float,
    collateral: float,
    debt_price: float,
    collateral_price: float,
    bonus: float,
    protocol_fee: float,
    close_factor: float,
) -> Liquidation:
    """Apply Aave V3's rule to an offer to repay `repay` of a borrower's `debt`.

    Amounts in whole tokens of their asset, prices in USD, `bonus` net,
    `protocol_fee` as a share of the bonus. What exceeds the close factor is
    not taken; when the collateral is too small all of it is seized and the
    repayment is recomputed from it.

    Source: Aave core-v3 1.19.3, LiquidationLogic._calculateDebt and
    ._calculateAvailableCollateralToLiquidate.
    """
    repaid = min(repay, debt * close_factor)
    if repaid <= 0.0 or collateral <= 0.0:
        return NOTHING
    seized = repaid * debt_price / collateral_price * (1.0 + bonus)
    if seized > collateral:
        seized = collateral
        repaid = collateral * collateral_price / debt_price / (1.0 + bonus)
    fee = (seized - seized / (1.0 + bonus)) * protocol_fee
    return Liquidation(repaid=repaid, seized=seized, protocol_fee=fee)


def compound_v2_liquidation(
    *,
    repay: float,
    debt: float,
    collateral: float,
    debt_price: float,
    collateral_price: float,
    bonus: float,
    protocol_fee: float,
    close_factor: float,
) -> Liquidation:
    """Apply Compound V2's rule to an offer to repay `repay` of a borrower's `debt`.

    Arguments as in `aave_v3_liquidation`, but `bonus` is the liquidation
    incentive less 1 and `protocol_fee` a share of all that is seized. The
    contracts reject what is above the close factor or would seize more than
    there is; a liquidator therefore offers the largest amount they accept,
    and this is what is returned.

    Source: Venus 0.7.0, Comptroller.liquidateBorrowAllowed,
    ComptrollerLens.liquidateCalculateSeizeTokens, VToken.liquidateBorrowFresh;
    the share kept is Compound's CToken.seizeInternal.
    """
    incentive = 1.0 + bonus
    accepted = collateral * collateral_price / (debt_price * incentive)
    repaid = min(repay, debt * close_factor, accepted)
    if repaid <= 0.0:
        return NOTHING
    # All of it where that is what bounds the offer: rounding must not leave a grain behind.
    seized = (
        collateral
        if repaid >= accepted
        else min(repaid * incentive * debt_price / collateral_price, collateral)
    )
    return Liquidation(repaid=repaid, seized=seized, protocol_fee=seized * protocol_fee)


def largest_liquidation(
    market: Market,
    position: int,
    *,
    collateral_asset: int,
    debt_asset: int,
    prices: FloatArray | None = None,
    repay: float = math.inf,
) -> Liquidation:
    """Return the most that one liquidation of a position can move between two assets.

    `prices` has shape (A,), USD per whole token, and defaults to the oracle's;
    `repay` bounds the liquidator's offer in whole tokens of the debt asset.
    `NOTHING` for a healthy position, a paused or inactive reserve, collateral
    without a threshold of its own (Aave), or an asset the account does not have.
    """
    book, p = market.book, market.prices if prices is None else prices
    reserve_in, reserve_out = market.reserves[debt_asset], market.reserves[collateral_asset]
    for r in (reserve_in, reserve_out):
        if r.parameters.paused or not r.parameters.active:
            return NOTHING
    aave = market.family is Family.AAVE_V3
    if aave and reserve_out.parameters.liquidation_threshold <= 0.0:
        return NOTHING
    health = float(health_factors(market, prices)[position])
    if not health < 1.0:
        return NOTHING
    debt_price, collateral_price = float(p[debt_asset]), float(p[collateral_asset])
    category = int(book.emode[position])
    emode = next((e for e in market.emodes if e.category == category), None)
    if prices is None and emode is not None and emode.price > 0.0:
        debt_price = emode.price
        if collateral_asset in market.members(emode):
            collateral_price = emode.price
    rule = aave_v3_liquidation if aave else compound_v2_liquidation
    return rule(
        repay=repay,
        debt=book.debt.get(position, debt_asset),
        collateral=book.collateral.get(position, collateral_asset),
        debt_price=debt_price,
        collateral_price=collateral_price,
        bonus=float(market.liquidation_bonuses()[category, collateral_asset]),
        protocol_fee=reserve_out.parameters.protocol_fee,
        close_factor=close_factor(market, health),
    )
