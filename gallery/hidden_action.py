"""A second action that the text does not mention, and grants that it does."""

from __future__ import annotations

from evaluator.chain.embedded import ProposalRef
from gallery.case import Case, Harm
from gallery.stage import Stage, call

_STRANGER = "0x5ea7000000000000000000000000000000000bad"
_STEWARD = "0x5ea70000000000000000000000000000000057e0"
_CAP = 16_500_000  # LINK; today 15,000,000


def _hidden(stage: Stage) -> ProposalRef:
    return stage.by_openzeppelin(
        call(stage.configurator, "setSupplyCap", stage.deployment.tokens["LINK"], _CAP),
        call(stage.acl, "addPoolAdmin", _STRANGER),
        description=(
            "# Raise the supply cap of LINK\n\nDemand for supplying LINK is high. This raises its "
            "supply cap from 15,000,000 to 16,500,000. Nothing else is touched."
        ),
    )


def _steward(stage: Stage) -> ProposalRef:
    return stage.by_openzeppelin(
        call(stage.configurator, "setSupplyCap", stage.deployment.tokens["LINK"], _CAP),
        call(stage.acl, "addRiskAdmin", _STEWARD),
        description=(
            "# Raise the supply cap of LINK and appoint the Risk Steward\n\nRaises the supply cap "
            "of LINK from 15,000,000 to 16,500,000 and grants RISK_ADMIN to the Risk Steward at "
            f"{_STEWARD}, as voted in the temperature check."
        ),
    )


def _two_caps(stage: Stage) -> ProposalRef:
    link = stage.deployment.tokens["LINK"]
    return stage.by_openzeppelin(
        call(stage.configurator, "setSupplyCap", link, _CAP),
        call(stage.configurator, "setBorrowCap", link, 2_750_000),
        description=(
            "# Raise the caps of LINK\n\nRaises the supply cap of LINK from 15,000,000 to "
            "16,500,000 and its borrow cap from 2,700,000 to 2,750,000."
        ),
    )


CASES = (
    Case(
        name="hidden-action",
        title="raise a supply cap, and make a stranger pool admin without a word",
        source="the text says raise a cap, the payload also grants an admin role",
        build=_hidden,
        harms=(Harm.HIDDEN_CONTROL,),
    ),
    Case(
        name="announced-steward",
        title="raise the same cap, and appoint a risk steward the text names",
        source="the text names the role and its holder",
        build=_steward,
        twin_of="hidden-action",
    ),
    Case(
        name="two-caps",
        title="raise two caps, both in the text",
        source="both actions are in the text",
        build=_two_caps,
        twin_of="hidden-action",
    ),
)
