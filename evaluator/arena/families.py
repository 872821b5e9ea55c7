"""The families whose user actions the arena knows."""

from __future__ import annotations

from collections.abc import Callable

from evaluator.arena.aave_v3_lending import AaveV3Lending
from evaluator.arena.compound_v2_lending import CompoundV2Lending
from evaluator.arena.lending import Lending
from evaluator.chain.sandbox import Sandbox
from evaluator.errors import UnknownProtocol
from evaluator.market import Family, Market

_MAKERS: dict[Family, Callable[[Sandbox, Market], Lending]] = {
    Family.AAVE_V3: AaveV3Lending.of,
    Family.COMPOUND_V2: CompoundV2Lending.of,
}


def lending_of(sandbox: Sandbox, market: Market) -> Lending:
    """Return the user actions of a market. Raises UnknownProtocol, IncompleteState."""
    maker = _MAKERS.get(market.family)
    if maker is None:
        raise UnknownProtocol(
            f"the arena knows the user actions of {', '.join(_MAKERS)}, not of {market.family}"
        )
    return maker(sandbox, market)
