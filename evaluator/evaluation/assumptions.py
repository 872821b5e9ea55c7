"""The assumptions behind the odds, as rows of the report."""

from __future__ import annotations

from collections.abc import Sequence

from evaluator.evaluation.market_trial import MarketTrial
from evaluator.report.model import AssumptionRow
from evaluator.stress.battery import Battery
from evaluator.stress.processes.process import SCRAMBLINGS, Sampling
from evaluator.verdict import figures

_SAMPLING = {
    Sampling.ANTITHETIC: "antithetic pairs of paths",
    Sampling.SOBOL: f"{SCRAMBLINGS} scrambled Sobol sequences",
}


def assumption_rows(battery: Battery, trials: Sequence[MarketTrial]) -> tuple[AssumptionRow, ...]:
    """Return what the battery takes for granted, with where each value is from."""
    rows = [
        AssumptionRow(
            name="horizon",
            value=f"{figures.duration(battery.horizon)}, looked at every "
            f"{figures.duration(battery.step)}",
            why="what happens between two looks is not seen",
        ),
        AssumptionRow(
            name="liquidators' capital",
            value=f"{figures.money(battery.liquidator_capital)} USD of debt a step",
            why="assumed; they act only when the bonus pays slippage and gas",
        ),
        AssumptionRow(
            name="gas of one liquidation",
            value=f"{battery.liquidation_gas:,.0f} gas units, rising with volatility "
            f"(elasticity {battery.gas_elasticity:g})",
            why="assumed; six times the gas on a day of -43%, as on 2020-03-12",
        ),
        AssumptionRow(
            name="refill of pools",
            value=f"half of an imbalance is traded away in "
            f"{figures.duration(battery.refill_half_life)}",
            why="assumed",
        ),
        AssumptionRow(
            name="insolvency",
            value=f"new bad debt above {figures.money(battery.insolvency_threshold)} USD",
            why="a setting of the battery",
        ),
        AssumptionRow(
            name="borrowers",
            value="the same book, and a book that uses all new room",
            why="real borrowers lie between the two",
        ),
    ]
    if battery.sampling is not Sampling.PSEUDO:
        rows.insert(
            1,
            AssumptionRow(
                name="sampling",
                value=_SAMPLING[battery.sampling],
                why="as asked for; intervals are of what these scatter, for odds, differences, "
                "survival and loss exceedance",
            ),
        )
    for trial in trials:
        market = trial.reading.after or trial.reading.before
        rows += [
            AssumptionRow(name=f"reading {market.protocol}", value=text, why="could not be read")
            for text in market.assumptions
        ]
        for reserve in market.reserves:
            curve = reserve.liquidity
            rows.append(
                AssumptionRow(
                    name=f"depth of {reserve.asset.symbol}",
                    value="measured" if curve.measured else "assumed",
                    why=curve.source,
                )
            )
            oracle = reserve.oracle
            rows.append(
                AssumptionRow(
                    name=f"oracle of {reserve.asset.symbol}",
                    value=f"{oracle.kind.value}, deviation "
                    f"{figures.share(oracle.deviation_threshold)}, heartbeat "
                    f"{figures.duration(oracle.heartbeat)}",
                    why="assumed" if oracle.assumed else "estimated from its rounds",
                )
            )
    return tuple({(r.name, r.value): r for r in rows}.values())
