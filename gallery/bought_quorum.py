"""A factor for a token whose price anybody may print, voted by who bought the quorum."""

from __future__ import annotations

from dataclasses import replace

from evaluator.chain.abi import Abi
from evaluator.chain.contract import Contract
from evaluator.chain.embedded import ProposalRef
from gallery.case import Case, Harm
from gallery.stage import BUILDER, WAD, Stage, call

_BUYER = "0x5ea70000000000000000000000000000000000f5"
_ANYBODY = "0x" + "00" * 20
_VOTES = 700_000  # whole XVS; the quorum is 600,000
_PRICE = 1.0  # USD
_VAULT = Abi.parse(
    [
        "function deposit(address,uint256,uint256)",
        "function delegate(address)",
        "function approve(address,uint256) returns (bool)",
        "function transfer(address,uint256) returns (bool)",
        "function balanceOf(address) view returns (uint256)",
        "event Transfer(address indexed from, address indexed to, uint256 value)",
    ]
)


def _buy_quorum(stage: Stage) -> Stage:
    """Give one account the quorum and let it make the proposal."""
    where, sandbox = stage.deployment.bravo, stage.sandbox
    xvs = sandbox.contract(where.votes_token, _VAULT)
    seller = _largest_holder(stage, xvs)
    xvs.send("transfer", _BUYER, _VOTES * WAD, sender=seller)
    xvs.send("approve", where.vault, _VOTES * WAD, sender=_BUYER)
    vault = sandbox.contract(where.vault, _VAULT)
    vault.send("deposit", xvs.address, 0, _VOTES * WAD, sender=_BUYER)
    vault.send("delegate", _BUYER, sender=_BUYER)
    sandbox.mine()
    bought = replace(stage.deployment, bravo=replace(where, proposer=_BUYER))
    return Stage(sandbox, bought)


def _largest_holder(stage: Stage, xvs: Contract) -> str:
    """Who sells: the holder outside of the vault, found as its first receiver."""
    logs = stage.sandbox.logs(
        address=xvs.address, topics=[], from_block=0, to_block=stage.sandbox.block_number()
    )
    holders = dict.fromkeys(
        "0x" + log.topics[2][-20:].hex() for log in logs if len(log.topics) == 3
    )
    vault = stage.deployment.bravo.vault
    return max((h for h in holders if h != vault), key=lambda h: int(xvs.call("balanceOf", h)))


def _listed(stage: Stage, *, feed_owner: str, depth: float, cap: int) -> str:
    """Issue a token and list its market with a factor of 0."""
    token = stage.new_token("FORT", "Fort", 10_000_000_000)
    stage.pair(token, _PRICE, depth=depth)
    feed = stage.feed("FORT / USD", _PRICE, like="LINK", owner=feed_owner)
    market = stage.venus_market(token, "FORT")
    stage.decided(stage.venus_oracle, "setFeed", "FORT", feed)
    stage.decided(stage.comptroller, "_supportMarket", market)
    stage.decided(stage.comptroller, "_setMarketSupplyCaps", [market], [cap * WAD])
    stage.supply_to_venus(token, market, BUILDER, 20_000)
    return market


def _factor(stage: Stage, market: str, name: str, percent: float, today: str) -> ProposalRef:
    return stage.by_bravo(
        call(stage.comptroller, "_setCollateralFactor", market, int(percent * 100) * WAD // 10_000),
        description=f"# The collateral factor of {name}\n\nMoves the collateral factor of {name} "
        f"({market}) from {today} % to {percent:g} %.",
    )


def _open_oracle(stage: Stage) -> ProposalRef:
    market = _listed(stage, feed_owner=_ANYBODY, depth=2e6, cap=1_000_000)
    return _factor(_buy_quorum(stage), market, "vFORT", 70, "0")


def _keeper(stage: Stage) -> ProposalRef:
    market = _listed(stage, feed_owner=BUILDER, depth=1e9, cap=200_000)
    return _factor(_buy_quorum(stage), market, "vFORT", 40, "0")


def _harmless(stage: Stage) -> ProposalRef:
    market = stage.deployment.venus.v_tokens["LINK"]
    return _factor(_buy_quorum(stage), market, "vLINK", 63.5, "63")


CASES = (
    Case(
        name="bought-quorum",
        title="a bought quorum gives a factor of 70 % to a token whose feed anybody may push",
        source="Fortress May 2022: 3 million USD; its GovernorAlpha is a GovernorBravo here",
        build=_open_oracle,
        harms=(Harm.PROTOCOL_LOSS,),
    ),
    Case(
        name="keeper-feed",
        title="the same buyer, a factor of 40 %, a feed of a keeper, a deep pool and a cap",
        source="nobody but the keeper moves the price",
        build=_keeper,
        twin_of="bought-quorum",
    ),
    Case(
        name="harmless-whale",
        title="the same buyer moves another market's factor by half a point",
        source="who votes does no harm by what is voted",
        build=_harmless,
        twin_of="bought-quorum",
    ),
)
