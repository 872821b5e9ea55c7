"""A protocol's own thin token as collateral without a cap, and within its depth."""

from __future__ import annotations

from evaluator.chain.embedded import ProposalRef
from gallery.case import Case, Harm
from gallery.stage import BUILDER, Stage, call

_PRICE = 0.5  # USD
_SUPPLY = 12_000_000_000
_THIN = 1.5e6  # USD on each side
_DEEP = 2e9  # USD on each side


def _listed(stage: Stage, *, depth: float) -> str:
    """Issue the token, open its market and list it, of no use as collateral yet."""
    token = stage.new_token("MRIN", "Marina", _SUPPLY)
    stage.pair(token, _PRICE, depth=depth)
    feed = stage.feed("MRIN / USD", _PRICE, like="CRV")
    stage.list_on_aave(token, "MRIN", feed=feed, like="CRV")
    stage.decided(stage.configurator, "setSupplyCap", token.address, 100_000)
    stage.supply_to_aave(token, BUILDER, 20_000)
    return token.address


def _proposed(stage: Stage, token: str, *, ltv: int, threshold: int, cap: int) -> ProposalRef:
    caps = f"{cap:,}" if cap else "0, which is none"
    return stage.by_openzeppelin(
        call(stage.configurator, "configureReserveAsCollateral", token, ltv, threshold, 11_000),
        call(stage.configurator, "setSupplyCap", token, cap),
        description=(
            f"# MRIN as collateral\n\nLets MRIN ({token}) be used as collateral with an LTV of "
            f"{ltv / 100:g} %, a liquidation threshold of {threshold / 100:g} % and a liquidation "
            f"bonus of 10 %, and sets its supply cap, today 100,000, to {caps}."
        ),
    )


def _uncapped(stage: Stage) -> ProposalRef:
    token = _listed(stage, depth=_THIN)
    return _proposed(stage, token, ltv=7_000, threshold=7_500, cap=0)


def _capped(stage: Stage) -> ProposalRef:
    token = _listed(stage, depth=_THIN)
    return _proposed(stage, token, ltv=2_500, threshold=3_500, cap=30_000)


def _deep(stage: Stage) -> ProposalRef:
    token = _listed(stage, depth=_DEEP)
    return _proposed(stage, token, ltv=4_000, threshold=5_000, cap=4_000_000)


CASES = (
    Case(
        name="own-token",
        title="a thin token as collateral with an LTV of 70 % and without a cap",
        source="Mango October 2022 and XVS on Venus, May 2021: 116 and 77 million USD",
        build=_uncapped,
        harms=(Harm.PROTOCOL_LOSS,),
    ),
    Case(
        name="own-token-capped",
        title="the same token with an LTV of 25 % and a cap of what two percent of price buy",
        source="the cap keeps what can be borrowed against it below what moving it costs",
        build=_capped,
        twin_of="own-token",
    ),
    Case(
        name="own-token-deep",
        title="a token with a pool of 2 billion USD on each side, an LTV of 40 % and a cap",
        source="moving its price far takes more than any budget",
        build=_deep,
        twin_of="own-token",
    ),
)
