"""What needs no sampling: room before liquidations do harm, cost of holding a price."""

from __future__ import annotations

from evaluator.market import AssetClass, Market
from evaluator.report.odds import HoldingRow, ToxicRow
from evaluator.stress.battery import Battery
from evaluator.stress.manipulation import manipulation_cost
from evaluator.stress.toxicity import toxic_rooms

# A third up or down is more than most liquidation thresholds leave.
_FACTORS = (0.7, 1.3)
_SECONDS = 6 * 3600.0


def toxic_rows(before: Market, after: Market) -> tuple[ToxicRow, ...]:
    """Return the room of every collateral that both readings have, the narrowest first."""
    today = {(r.symbol, r.category): r for r in toxic_rooms(before)}
    return tuple(
        ToxicRow(
            asset=r.symbol if r.category == 0 else f"{r.symbol}, eMode {r.category}",
            toxic=r.toxic,
            today=today[r.symbol, r.category].fall,
            after=r.fall,
        )
        for r in toxic_rooms(after)
        if (r.symbol, r.category) in today
    )


def holding_rows(market: Market, battery: Battery) -> tuple[HoldingRow, ...]:
    """Return what holding each volatile asset's price costs, the cheapest first."""
    steps = max(round(_SECONDS / battery.step), 1)
    rows = []
    for reserve in market.reserves:
        if reserve.asset.asset_class is AssetClass.STABLE:
            continue
        for factor in _FACTORS:
            cost = manipulation_cost(
                market, reserve.asset.symbol, factor, steps=steps, battery=battery
            )
            rows.append(
                HoldingRow(
                    asset=cost.asset,
                    factor=factor,
                    seconds=steps * battery.step,
                    opening=cost.opening,
                    holding=cost.holding,
                    capital=cost.capital,
                    measured=reserve.liquidity.measured,
                )
            )
    return tuple(sorted(rows, key=lambda r: r.opening + r.holding))
