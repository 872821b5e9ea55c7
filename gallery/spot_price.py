"""Collateral priced by the spot of a thin pair, by a deep pool's average, by a feed."""

from __future__ import annotations

from evaluator.chain.contract import Contract
from evaluator.chain.embedded import ProposalRef
from evaluator.chain.solidity import load_contract
from gallery.case import Case, Harm
from gallery.stage import BUILDER, Stage, call

_DEEP = 3e9  # USD on each side
_WINDOW = 1_800  # seconds


def _sourced(stage: Stage, symbol: str, source: str, what: str) -> ProposalRef:
    return stage.by_openzeppelin(
        call(stage.aave_oracle, "setAssetSources", [stage.deployment.tokens[symbol]], [source]),
        description=f"# A new price source for {symbol}\n\nReads {symbol}'s price from {what} at "
        f"{source} from now on.",
    )


def _spot(stage: Stage) -> ProposalRef:
    pair = next(
        p.address for p in stage.deployment.uniswap.v2_pairs if {p.token0, p.token1} == _CRV_WETH
    )
    feed = Contract.deploy(
        stage.sandbox,
        load_contract("PairFeed"),
        pair,
        stage.deployment.tokens["CRV"],
        stage.deployment.feeds["WETH"],
        sender=BUILDER,
    )
    return _sourced(stage, "CRV", feed.address, "the Uniswap V2 pair of CRV and WETH")


def _average(stage: Stage) -> ProposalRef:
    pool = stage.deepen("WETH", "USDC", 500, depth=_DEEP)
    feed = Contract.deploy(
        stage.sandbox,
        load_contract("AverageFeed"),
        pool,
        stage.deployment.tokens["WETH"],
        stage.deployment.feeds["USDC"],
        _WINDOW,
        sender=BUILDER,
    )
    return _sourced(stage, "WETH", feed.address, "the half-hour average of its deepest pool")


def _external(stage: Stage) -> ProposalRef:
    feed = stage.feed("CRV / USD", 0.95, like="CRV")
    return _sourced(stage, "CRV", feed, "the new CRV / USD feed")


_CRV_WETH = {"CRV", "WETH"}

CASES = (
    Case(
        name="spot-price",
        title="price a collateral by the spot of a pair of 2 million USD on each side",
        source="Inverse April 2022 and Polter November 2024: 15 and 9 to 12 million USD",
        build=_spot,
        harms=(Harm.PROTOCOL_LOSS,),
    ),
    Case(
        name="deep-average",
        title="price a collateral by the half-hour average of a pool of 3 billion USD a side",
        source="moving it far takes more than any budget, held for half an hour",
        build=_average,
        twin_of="spot-price",
    ),
    Case(
        name="external-feed",
        title="price the same collateral by a new feed of an outside keeper",
        source="nobody but the keeper moves it",
        build=_external,
        twin_of="spot-price",
    ),
)
