"""Surveys: what the markets around a governor are set to and hold, without their borrowers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evaluator.evaluation.drafting import can_be_drafted, outline_markets
from evaluator.evaluation.request import Progress
from evaluator.evaluation.state import State
from evaluator.verdict import figures


@dataclass(frozen=True, kw_only=True, slots=True)
class SurveyedParameter:
    """One parameter that a draft can set."""

    path: str  # "aave_v3.WETH.liquidation_threshold", unique in a survey
    label: str  # in the protocol's words, with the asset's symbol
    shown: str  # present value as people write it


@dataclass(frozen=True, kw_only=True, slots=True)
class SurveyedReserve:
    """What one reserve holds."""

    path: str  # "aave_v3.WETH", unique in a survey
    price: float  # USD per whole token, of the protocol's oracle
    supplied: float  # USD
    borrowed: float  # USD
    utilisation: float  # borrowed over borrowed plus cash, fraction


@dataclass(frozen=True, kw_only=True, slots=True)
class Survey:
    """The markets at one block."""

    block: int  # number
    parameters: tuple[SurveyedParameter, ...]  # ordered by market and path
    reserves: tuple[SurveyedReserve, ...]  # ordered by market, as the protocol lists them


def survey(state: State, roots: Sequence[str], progress: Progress) -> Survey:
    """Read the markets at `roots`, on the embedded chain all of its own when none is given.

    Raises ConfigurationError when there is none, IncompleteState.
    """
    markets = outline_markets(state, roots, progress)
    parameters = [
        SurveyedParameter(
            path=p.path,
            label=f"{p.asset} {p.label}".strip(),
            shown=figures.setting(p.value, p.unit),
        )
        for m in markets
        for p in m.parameters
        if can_be_drafted(m, p)
    ]
    reserves = [
        SurveyedReserve(
            path=f"{m.market.protocol}.{r.asset.symbol}",
            price=r.asset.price,
            supplied=r.supplied * r.asset.price,
            borrowed=r.borrowed * r.asset.price,
            utilisation=r.utilisation,
        )
        for m in markets
        for r in m.market.reserves
    ]
    return Survey(
        block=state.sandbox.block_number(),
        parameters=tuple(parameters),
        reserves=tuple(reserves),
    )
