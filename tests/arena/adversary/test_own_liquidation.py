"""A second account takes more from the first than it repays, where the incentive is absurd."""

from __future__ import annotations

import pytest

from evaluator.arena.adversary import Kind, Scene, Sequence, assail, repeat
from evaluator.arena.adversary.ground import ATTACKER, SECOND
from evaluator.chain.abi import Abi
from evaluator.evaluation.measurement import venues_of
from evaluator.protocols.adapter import adapters

ADMIN = Abi.parse(["function _setLiquidationIncentive(uint256) returns (uint256)"])


@pytest.mark.chain
@pytest.mark.slow
def test_an_incentive_beyond_what_may_be_borrowed_pays_whoever_liquidates_himself(
    sandbox, sandbox_deployment
):
    adapter = next(a for a in adapters() if a.name == "compound_v2")
    root, admin = sandbox_deployment.venus.comptroller, sandbox_deployment.bravo.timelock
    before, block = adapter.read(sandbox, root), sandbox.block_number()
    sandbox.contract(root, ADMIN).send("_setLiquidationIncentive", 15 * 10**17, sender=admin)
    after = adapter.read(sandbox, root)
    scene = Scene(
        sandbox=sandbox,
        after=after,
        before=before,
        before_block=block,
        venues=venues_of(sandbox.chain_id, sandbox_deployment),
    )
    result = assail(scene, seed=0, budget=40, capital=50e6)
    (own,) = [a for a in result.attacks if a.sequence.seconded]
    assert own.confirmed
    assert own.loss_usd > 1e6
    assert own.gain_usd > 1e6
    assert not own.atomic
    assert not own.open_today
    assert own.sequence.debtors == (ATTACKER,)
    assert {m.target for m in own.sequence.moves if m.kind is Kind.DONATE} == {SECOND}
    assert any("by a second account, liquidate the first account" in w for w in own.words)
    read = Sequence.from_json(own.sequence.to_json())
    again, _ = repeat(scene, read, with_loan=False)
    assert again.outcome.protocol == pytest.approx(own.loss_usd, rel=0.02)
