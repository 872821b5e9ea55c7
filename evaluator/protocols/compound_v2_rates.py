"""Interest rate models of the Compound V2 family.

Sources: JumpRateModel.sol, JumpRateModelV2.sol, WhitePaperInterestRateModel.sol.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evaluator.chain.sandbox import Sandbox
from evaluator.market import RateCurve
from evaluator.protocols.fixed_point import from_wad
from evaluator.protocols.interfaces import COMPOUND
from evaluator.protocols.reading import Query, read_all

# Where a rate model does not say it: twelve seconds a block.
ASSUMED_BLOCKS_PER_YEAR = 2_628_000
_FNS = (
    "blocksPerYear",
    "baseRatePerBlock",
    "multiplierPerBlock",
    "jumpMultiplierPerBlock",
    "kink",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Rates:
    """A rate curve and the year it is counted in."""

    curve: RateCurve  # per year
    blocks_per_year: float  # as the model counts them


def read_rates(
    sandbox: Sandbox, models: Sequence[tuple[str, str, int]], *, block: int
) -> tuple[list[Rates], list[str]]:
    """Read each (symbol, rate model, present rate per block as a mantissa).

    Returns the curves and a caveat for each model of a kind unknown, whose
    rate is held where it stands.
    """
    answers = read_all(
        sandbox,
        [
            Query(to=model, abi=COMPOUND, fn=fn, optional=True)
            for _, model, _ in models
            for fn in _FNS
        ],
        block=block,
    )
    out: list[Rates] = []
    caveats: list[str] = []
    for i, (symbol, _, present) in enumerate(models):
        per_year, base, multiplier, jump, kink = answers[5 * i : 5 * i + 5]
        blocks = float(per_year or ASSUMED_BLOCKS_PER_YEAR)
        if base is None or multiplier is None:
            caveats.append(
                f"the interest rate model of {symbol} is of an unknown kind; its rate is held "
                "where it stands"
            )
            base, multiplier, jump, kink = present, 0, 0, None
        # A white paper model has no kink: one slope up to full utilisation.
        optimal = from_wad(kink) if kink is not None else 1.0
        curve = RateCurve(
            base=from_wad(base) * blocks,
            slope1=from_wad(multiplier) * blocks * optimal,
            slope2=from_wad(jump or 0) * blocks * (1.0 - optimal),
            optimal=optimal,
        )
        out.append(Rates(curve=curve, blocks_per_year=blocks))
    return out, caveats
