"""Where a liquidation hurts instead of healing: the toxic LTV, and how far an asset is from it."""

from __future__ import annotations

from dataclasses import dataclass

from evaluator.market import Market


def toxic_ltv(bonus: float) -> float:
    """Return the LTV above which a liquidation raises LTV instead of lowering it.

    Repaying x takes x (1 + bonus) of collateral, so LTV rises exactly when
    LTV (1 + bonus) > 1. Source: Warmuz, Chaudhary and Pinna, "Toxic liquidation
    spirals", arXiv 2212.07306. Unit: fraction.
    """
    return 1.0 / (1.0 + bonus)


@dataclass(frozen=True, kw_only=True, slots=True)
class ToxicRoom:
    """How far an asset's liquidations are from being toxic."""

    symbol: str  # collateral
    category: int  # eMode category of the borrower, 0 for none
    threshold: float  # liquidation threshold, fraction
    toxic: float  # LTV at which liquidation turns toxic, fraction

    @property
    def fall(self) -> float:
        """Fall of the price from liquidation to the toxic LTV, fraction; 0 if there is no room."""
        return max(1.0 - self.threshold / self.toxic, 0.0)


def toxic_rooms(market: Market) -> tuple[ToxicRoom, ...]:
    """Return the room of every collateral and eMode category, the narrowest first."""
    thresholds, bonuses = market.liquidation_thresholds(), market.liquidation_bonuses()
    plain = {0} | {e.category for e in market.emodes}
    rooms = []
    for a, symbol in enumerate(market.symbols):
        for k in sorted(plain):
            own = k == 0 or (thresholds[k, a], bonuses[k, a]) != (thresholds[0, a], bonuses[0, a])
            if own and thresholds[k, a] > 0.0:
                rooms.append(
                    ToxicRoom(
                        symbol=symbol,
                        category=k,
                        threshold=float(thresholds[k, a]),
                        toxic=toxic_ltv(float(bonuses[k, a])),
                    )
                )
    return tuple(sorted(rooms, key=lambda r: r.fall))
