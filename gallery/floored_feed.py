"""A feed that does not follow the market below a floor, and feeds that do."""

from __future__ import annotations

from evaluator.chain.contract import Contract
from evaluator.chain.embedded import ProposalRef
from evaluator.chain.solidity import load_contract
from gallery.case import Case, Harm
from gallery.stage import BUILDER, Stage, call

_PRICE = 21.5  # USD, today
_UNIT = 10**8
_CAP = 10**6  # USD


def _proposed(stage: Stage, feed: str) -> ProposalRef:
    return stage.by_bravo(
        call(stage.venus_oracle, "setFeed", "LINK", feed),
        description=f"# A new feed for LINK\n\nSets LINK's price feed to {feed}.",
    )


def _bounded(stage: Stage, floor: float) -> ProposalRef:
    feed = Contract.deploy(
        stage.sandbox,
        load_contract("BoundedFeed"),
        stage.deployment.feeds["LINK"],
        int(floor * _UNIT),
        _CAP * _UNIT,
        sender=BUILDER,
    )
    return _proposed(stage, feed.address)


def _floored(stage: Stage) -> ProposalRef:
    return _bounded(stage, 0.8 * _PRICE)


def _far(stage: Stage) -> ProposalRef:
    return _bounded(stage, 0.01)


def _plain(stage: Stage) -> ProposalRef:
    return _proposed(stage, stage.feed("LINK / USD", _PRICE, like="LINK"))


CASES = (
    Case(
        name="floored-feed",
        title="a feed that never answers less than 80 % of today's price",
        source="LUNA on Venus and Blizz, May 2022: 11 to 13 and 8 million USD",
        build=_floored,
        harms=(Harm.PROTOCOL_LOSS,),
    ),
    Case(
        name="far-floor",
        title="the same feed with a floor of a cent, a two-thousandth of the price",
        source="what the collateral is worth there is nothing",
        build=_far,
        twin_of="floored-feed",
    ),
    Case(
        name="plain-feed",
        title="a new feed without bounds",
        source="it follows the market wherever it goes",
        build=_plain,
        twin_of="floored-feed",
    ),
)
