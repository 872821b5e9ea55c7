"""A market listed with a collateral factor and no supply, and three listed with care."""

from __future__ import annotations

from evaluator.chain.contract import Contract
from evaluator.chain.embedded import Call, ProposalRef
from gallery.case import Case, Harm
from gallery.stage import VENUS, WAD, Stage, call, calls

_DEAD = "0x000000000000000000000000000000000000dead"
_CAP = 20_000_000 * WAD
_FACTOR = 35 * WAD // 100
_SEED = 10_000  # CRV


def _market(stage: Stage) -> tuple[Contract, Contract]:
    """Deploy the market; governance has yet to list it."""
    token = stage.token("CRV")
    return token, stage.sandbox.contract(stage.venus_market(token, "CRV"), VENUS)


def _support(stage: Stage, market: Contract) -> tuple[Call, ...]:
    return (
        call(stage.venus_oracle, "setFeed", "CRV", stage.deployment.feeds["CRV"]),
        call(stage.comptroller, "_supportMarket", market.address),
        call(stage.comptroller, "_setMarketSupplyCaps", [market.address], [_CAP]),
    )


def _factor(stage: Stage, market: Contract, factor: int = _FACTOR) -> Call:
    return call(stage.comptroller, "_setCollateralFactor", market.address, factor)


def _empty(stage: Stage) -> ProposalRef:
    _, market = _market(stage)
    return stage.by_bravo(
        *calls(_support(stage, market), _factor(stage, market)),
        description=(
            f"# List CRV\n\nLists the market vCRV at {market.address} with a collateral factor of "
            "35 %, a supply cap of 20,000,000 CRV and the Chainlink feed of CRV."
        ),
    )


def _seed(stage: Stage, token: Contract, market: Contract, *, burned: bool) -> tuple[Call, ...]:
    """The treasury's first supply, of which the market's tokens are burned or kept."""
    units = stage.give(token, stage.venus_timelock, _SEED)
    shares = units * 50 // 10**10  # 0.02 CRV a share of 8 decimals
    held = stage.sandbox.contract(market.address, token.abi)
    supply = (
        call(token, "approve", market.address, units),
        call(market, "mint", units),
    )
    return (*supply, call(held, "transfer", _DEAD, shares)) if burned else supply


def _seeded(stage: Stage) -> ProposalRef:
    token, market = _market(stage)
    return stage.by_bravo(
        *calls(
            _support(stage, market),
            _seed(stage, token, market, burned=True),
            _factor(stage, market),
        ),
        description=(
            f"# List CRV\n\nLists the market vCRV at {market.address} with the Chainlink feed of "
            "CRV and a supply cap of 20,000,000 CRV, supplies 10,000 CRV of the treasury and burns "
            f"the shares by sending them to {_DEAD}, and only then, in the same transaction, sets "
            "a collateral factor of 35 %."
        ),
    )


def _no_factor(stage: Stage) -> ProposalRef:
    _, market = _market(stage)
    return stage.by_bravo(
        *calls(_support(stage, market), _factor(stage, market, 0)),
        description=(
            f"# List CRV\n\nLists the market vCRV at {market.address} with a collateral factor of "
            "0 %, a supply cap of 20,000,000 CRV and the Chainlink feed of CRV."
        ),
    )


CASES = (
    Case(
        name="empty-listing",
        title="list a market with a collateral factor of 35 % and no supply",
        source="Sonne May 2024, Onyx November 2023, Hundred April 2023: 20, 2.1 and 7.4 million "
        "USD; markets of Venus 0.7.0 still count their cash by balanceOf",
        build=_empty,
        harms=(Harm.PROTOCOL_LOSS,),
    ),
    Case(
        name="seeded-listing",
        title="list the same market, seeded and its shares burned before it has a factor",
        source="one share is never worth much",
        build=_seeded,
        twin_of="empty-listing",
    ),
    Case(
        name="factorless-listing",
        title="list the same market without supply, with a collateral factor of 0",
        source="nothing can be borrowed against it",
        build=_no_factor,
        twin_of="empty-listing",
    ),
)
