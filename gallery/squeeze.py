"""An asset that can be borrowed in sizes its market cannot give back."""

from __future__ import annotations

from evaluator.chain.embedded import ProposalRef
from gallery.case import Case, Harm
from gallery.stage import BUILDER, Stage, call

_SUPPLIED = 25_000_000  # CRV that a supplier adds beforehand
_DEEP = 3e9  # USD on each side


def _capped(stage: Stage, cap: int, text: str) -> ProposalRef:
    return stage.by_openzeppelin(
        call(stage.configurator, "setBorrowCap", stage.deployment.tokens["CRV"], cap),
        description=f"# The borrow cap of CRV\n\n{text}",
    )


def _uncapped(stage: Stage) -> ProposalRef:
    stage.supply_to_aave(stage.token("CRV"), BUILDER, _SUPPLIED)
    return _capped(stage, 0, "Removes the borrow cap of CRV, today 7,700,000, as 0 means no cap.")


def _within(stage: Stage) -> ProposalRef:
    stage.supply_to_aave(stage.token("CRV"), BUILDER, _SUPPLIED)
    return _capped(stage, 7_800_000, "Raises the borrow cap of CRV from 7,700,000 to 7,800,000.")


def _deep(stage: Stage) -> ProposalRef:
    stage.deepen("CRV", "WETH", 3000, depth=_DEEP)
    return _uncapped(stage)


CASES = (
    Case(
        name="squeeze",
        title="remove the borrow cap of an asset whose pools hold a fraction of its supply",
        source="CRV on Aave, November 2022: 1.6 to 1.7 million USD of bad debt",
        build=_uncapped,
        harms=(Harm.PROTOCOL_LOSS,),
    ),
    Case(
        name="small-raise",
        title="raise the same cap by a little more than a percent",
        source="what more can be borrowed is a small part of the depth",
        build=_within,
        twin_of="squeeze",
    ),
    Case(
        name="deep-market",
        title="remove the same cap where the pools hold 3 billion USD on each side",
        source="all that can be borrowed can be bought back at nearly the same price",
        build=_deep,
        twin_of="squeeze",
    ),
)
