"""Every pattern finds the disaster it is made of, and nothing in its benign twin.

States are set up by hand on the embedded chain with the gallery's builder; nothing in
the search knows of them.
"""

from __future__ import annotations

import pytest

from evaluator.arena.adversary import Kind, Scene, assail
from evaluator.chain.contract import Contract
from evaluator.chain.solidity import load_contract
from evaluator.evaluation.measurement import venues_of
from evaluator.protocols.adapter import adapters
from evaluator.protocols.depth import measure_liquidity, share_liquidity
from gallery.stage import BUILDER, Stage

pytestmark = [pytest.mark.chain, pytest.mark.slow]

ZERO = "0x" + "00" * 20
E8 = 10**8


class Attacked:
    """A state before and after a change, and what attacking it came to."""

    def __init__(self, sandbox, deployment, family):
        self.sandbox, self.deployment = sandbox, deployment
        self.stage = Stage(sandbox, deployment)
        self.venues = venues_of(sandbox.chain_id, deployment)
        self.adapter = next(a for a in adapters() if a.name == family)
        aave = family == "aave_v3"
        self.root = deployment.aave.pool if aave else deployment.venus.comptroller

    def read(self):
        """The market with the depth of its pools."""
        return measure_liquidity(
            self.sandbox, self.adapter.read(self.sandbox, self.root), self.venues
        )

    def by(self, change, *, budget=40, seed=0):
        """Make a change as governance would and attack what it leaves."""
        self.sandbox.mine()
        before, block = self.read(), self.sandbox.block_number()
        change()
        scene = Scene(
            sandbox=self.sandbox,
            after=share_liquidity(before, self.adapter.read(self.sandbox, self.root)),
            before=before,
            before_block=block,
            venues=self.venues,
            lenders=(self.deployment.aave.pool,),
        )
        return assail(scene, seed=seed, budget=budget, capital=50e6)

    def priced_by(self, symbol, feed):
        """Have the market take another price source."""
        if self.adapter.name == "aave_v3":
            token = self.deployment.tokens[symbol]
            self.stage.aave_oracle.send(
                "setAssetSources", [token], [feed], sender=self.stage.aave_timelock
            )
        else:
            self.stage.venus_oracle.send("setFeed", symbol, feed, sender=self.stage.venus_timelock)


def deployed(sandbox, name, *arguments):
    return Contract.deploy(sandbox, load_contract(name), *arguments, sender=BUILDER).address


@pytest.fixture
def aave(sandbox, sandbox_deployment):
    return Attacked(sandbox, sandbox_deployment, "aave_v3")


@pytest.fixture
def venus(sandbox, sandbox_deployment):
    return Attacked(sandbox, sandbox_deployment, "compound_v2")


def kinds(attack):
    return {m.kind for m in attack.sequence.moves}


def test_a_spot_price_is_pushed_and_an_owned_feed_is_not(aave, sandbox, sandbox_deployment):
    pair = next(
        p.address
        for p in sandbox_deployment.uniswap.v2_pairs
        if {p.token0, p.token1} == {"CRV", "WETH"}
    )
    tokens, feeds = sandbox_deployment.tokens, sandbox_deployment.feeds
    spot = deployed(sandbox, "PairFeed", pair, tokens["CRV"], feeds["WETH"])
    result = aave.by(lambda: aave.priced_by("CRV", spot))
    worst = result.worst
    assert worst.confirmed
    assert worst.atomic
    assert worst.loss_usd > 1e6
    assert worst.gain_usd > 1e6
    assert worst.before.harm < 1_000
    assert pair in worst.sequence.pools
    assert Kind.SHOCK not in kinds(worst)
    # The twin: the same reserve, priced by a feed of its own.
    own = aave.stage.feed("CRV / USD", 0.95, like="CRV")
    back = aave.by(lambda: aave.priced_by("CRV", own), budget=30)
    assert back.worst is None


def test_a_floor_is_bought_under_and_a_plain_feed_is_not(venus, sandbox, sandbox_deployment):
    source = sandbox_deployment.feeds["LINK"]
    floored = deployed(sandbox, "BoundedFeed", source, int(17.2 * E8), 10**6 * E8)
    result = venus.by(lambda: venus.priced_by("LINK", floored))
    worst = result.worst
    assert worst.confirmed
    assert not worst.atomic
    assert worst.loan is None
    assert Kind.SHOCK in kinds(worst)
    assert worst.loss_usd > 1e6
    # The market may fall today as well: then LINK's price falls with it.
    assert worst.before.harm < 1_000
    far = deployed(sandbox, "BoundedFeed", source, E8 // 100, 10**6 * E8)
    assert venus.by(lambda: venus.priced_by("LINK", far), budget=30).worst is None


def test_a_price_that_anybody_may_write(venus):
    open_feed = venus.stage.feed("LINK / USD", 21.5, like="LINK", owner=ZERO)
    worst = venus.by(lambda: venus.priced_by("LINK", open_feed)).worst
    assert worst.confirmed
    assert worst.atomic
    assert Kind.SET_PRICE in kinds(worst)
    assert worst.loss_usd > 1e6
    assert worst.before.harm < 1_000


def test_collateral_that_counts_for_more_than_it_is_worth(aave, sandbox_deployment):
    dear = sandbox_deployment.feeds["AAVE"]
    worst = aave.by(lambda: aave.priced_by("LINK", dear), budget=30).worst
    assert worst.confirmed
    assert worst.loss_usd > 1e6
    # LINK at AAVE's price is worth fifteen times itself: little is needed.
    assert worst.after.capital < 0.5 * worst.after.protocol


def test_a_thin_collateral_without_a_cap_and_with_one(aave):
    stage = aave.stage
    token = stage.new_token("MRIN", "Marina", 12_000_000_000)
    stage.pair(token, 0.5, depth=1.5e6)
    feed = stage.feed("MRIN / USD", 0.5, like="CRV")
    stage.list_on_aave(token, "MRIN", feed=feed, like="CRV")
    stage.decided(stage.configurator, "setSupplyCap", token.address, 100_000)
    stage.supply_to_aave(token, BUILDER, 20_000)

    def collateral(cap):
        owner = stage.aave_timelock
        for fn, *arguments in (
            ("configureReserveAsCollateral", token.address, 7_000, 7_500, 11_000),
            ("setSupplyCap", token.address, cap),
        ):
            stage.configurator.send(fn, *arguments, sender=owner)

    capped = aave.by(lambda: collateral(30_000), budget=30)
    assert capped.worst is None
    worst = aave.by(lambda: collateral(0), budget=60).worst
    assert worst.confirmed
    assert not worst.atomic
    assert Kind.FOLLOW in kinds(worst)
    assert worst.loss_usd > 1e6
    assert worst.after.capital <= 50e6


def test_users_made_liquidatable_are_harmed_and_the_protocol_is_not(aave, sandbox_deployment):
    def cut():
        aave.stage.configurator.send(
            "configureReserveAsCollateral",
            sandbox_deployment.tokens["WETH"],
            6_500,
            7_000,
            10_500,
            sender=aave.stage.aave_timelock,
        )

    result = aave.by(cut)
    assert result.worst is None
    harmed = [a for a in result.attacks if a.harm_usd > 0.0]
    assert harmed
    assert all(a.confirmed and Kind.LIQUIDATE in kinds(a) for a in harmed)
    # Whoever is liquidated loses the bonus, which is what the attacker gains.
    best = harmed[0]
    assert best.harm_usd == pytest.approx(best.after.profit, rel=0.15)
    assert best.loss_usd < 1_000
    assert best.before.harm < 1_000


def test_the_same_seed_gives_the_same_search(venus, sandbox):
    open_feed = venus.stage.feed("LINK / USD", 21.5, like="LINK", owner=ZERO)
    sandbox.mine()

    def found(seed):
        start = sandbox.snapshot()
        result = venus.by(lambda: venus.priced_by("LINK", open_feed), budget=40, seed=seed)
        sandbox.revert(start)
        return [(a.sequence, a.after, a.before) for a in result.attacks]

    first = found(3)
    assert first
    assert found(3) == first


def test_what_is_possible_today_is_no_work_of_the_proposal(venus):
    open_feed = venus.stage.feed("LINK / USD", 21.5, like="LINK", owner=ZERO)
    venus.priced_by("LINK", open_feed)
    result = venus.by(lambda: None, budget=30)
    assert result.attacks
    assert all(a.open_today and a.confirmed for a in result.attacks)
    assert all(a.loss_usd == a.gain_usd == 0.0 for a in result.attacks)
    assert result.worst is None
