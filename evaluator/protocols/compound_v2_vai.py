"""VAI, the stablecoin that Venus lets accounts mint against their collateral."""

from __future__ import annotations

import math

from evaluator.market import (
    Asset,
    AssetClass,
    OracleKind,
    OracleSpec,
    RateCurve,
    Reserve,
    RiskParameters,
)
from evaluator.protocols.assumed_depth import assumed_depth
from evaluator.protocols.compound_v2_markets import ComptrollerState
from evaluator.protocols.reading import checksum


def vai_reserve(state: ComptrollerState, minted: float) -> Reserve:
    """Return the reserve that VAI owed stands in: debt only, one dollar each by decree.

    VAIController.liquidateVAIFresh takes VAI at 1e18, with the Comptroller's
    close factor and incentive. It is minted, not lent, so nobody's withdrawal
    hangs on its cash.
    """
    taken = {r.asset.symbol for r in state.reserves}
    asset = Asset(
        symbol="VAI" if "VAI" not in taken else "VAI-minted",
        address=checksum(state.vai_controller),
        decimals=18,
        price=1.0,
        asset_class=AssetClass.STABLE,
        pegged_to="USD",
    )
    return Reserve(
        asset=asset,
        parameters=RiskParameters(
            ltv=0.0,
            liquidation_threshold=0.0,
            liquidation_bonus=state.incentive,
            protocol_fee=0.0,
            reserve_factor=0.0,
            supply_cap=0.0,
            borrow_cap=math.inf,
            debt_ceiling=math.inf,
            active=True,
            frozen=False,
            paused=False,
            borrowing_enabled=True,
        ),
        supplied=0.0,
        borrowed=minted,
        cash=minted,
        reserves=0.0,
        rate_curve=RateCurve(base=0.0, slope1=0.0, slope2=0.0, optimal=1.0),
        oracle=OracleSpec(source=checksum(state.vai_controller), kind=OracleKind.FIXED),
        liquidity=assumed_depth(asset),
        receipt_token=checksum(state.vai_controller),
    )
