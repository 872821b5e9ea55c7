"""Votes that lie in a pool take a treasury where nobody has time to vote against it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from evaluator.arena.adversary import Kind, Scene, Sequence, assail, repeat
from evaluator.arena.adversary.polity import actions_of, payload_of, payment
from evaluator.chain.receipts import ZERO
from evaluator.errors import ConfigurationError
from evaluator.evaluation.measurement import venues_of
from evaluator.governance.adapter import open_governor
from evaluator.governance.realm import governed_contracts
from evaluator.governance.terms import read_terms
from evaluator.protocols.adapter import adapters
from gallery import fast_votes
from gallery.stage import WAD, Stage

TREASURY = 25_000_000


@pytest.mark.chain
def test_terms_and_realm_are_read_from_either_family(sandbox, sandbox_deployment):
    where = sandbox_deployment.openzeppelin
    terms = read_terms(sandbox, open_governor(sandbox, where.governor))
    assert (terms.token, terms.executor) == (where.votes_token, where.timelock)
    assert (terms.delay, terms.period, terms.timelock) == (7_200, 50_400, 172_800)
    assert not terms.vaulted
    assert terms.seconds(12.0) == 12 * 57_600 + 172_800
    bravo = sandbox_deployment.bravo
    terms = read_terms(sandbox, open_governor(sandbox, bravo.governor))
    assert (terms.votes, terms.token) == (bravo.vault, bravo.votes_token)
    assert terms.vaulted
    assert terms.quorum == 600_000 * WAD
    aave = next(a for a in adapters() if a.name == "aave_v3")
    governed = governed_contracts(sandbox, where.governor, where.timelock)
    assert aave.discover(sandbox, governed) == (sandbox_deployment.aave.pool,)


@pytest.mark.chain
@pytest.mark.slow
def test_a_treasury_is_taken_only_where_the_vote_is_fast_and_the_quorum_small(
    sandbox, sandbox_deployment
):
    aave = next(a for a in adapters() if a.name == "aave_v3")
    market = aave.read(sandbox, sandbox_deployment.aave.pool)
    governor = open_governor(sandbox, sandbox_deployment.openzeppelin.governor)
    start = sandbox.snapshot()

    def scene_of(case):
        proposal = case.build(Stage(sandbox, sandbox_deployment))
        trace = governor.execute(sandbox, governor.find(sandbox, proposal.proposal_id))
        assert trace.succeeded
        return Scene(
            sandbox=sandbox,
            after=market,
            before=market,
            before_block=trace.block - 1,
            venues=venues_of(sandbox.chain_id, sandbox_deployment),
            governor=governor,
            unchanged=True,
        )

    fast, days, quorum = fast_votes.CASES
    scene = scene_of(fast)
    attacks = assail(scene, seed=0, budget=24, capital=50e6).attacks
    forged, paid = attacks
    for attack in attacks:
        assert attack.confirmed
        assert not attack.atomic
        assert not attack.open_today
        assert Kind.ENACT in {m.kind for m in attack.sequence.moves}
        # What a quorum costs on a pool of 900,000 votes, and little more.
        assert 400_000 * 4.0 < attack.after.capital < 6e6
    # All that the largest reserves hold, at prices of an oracle of the attacker's own.
    assert forged.loss_usd > 3e8
    assert any("reads its prices from that oracle" in w for w in forged.words)
    # The treasury and no more.
    assert paid.loss_usd == pytest.approx(TREASURY, rel=1e-3)
    assert any("25,000,000 USDC are paid to the attacker" in w for w in paid.words)
    for attack in attacks:
        read = Sequence.from_json(attack.sequence.to_json())
        again, _ = repeat(scene, read, with_loan=False)
        assert again.outcome.protocol == pytest.approx(attack.loss_usd, rel=1e-3)
    # Without the governor nobody governs.
    assert not assail(replace(scene, governor=None), seed=0, budget=8, capital=50e6).attacks
    for twin in (days, quorum):
        sandbox.revert(start)
        start = sandbox.snapshot()
        assert not assail(scene_of(twin), seed=0, budget=8, capital=50e6).attacks


def test_a_payload_is_read_as_it_was_written_and_a_mangled_one_is_told():
    actions = [payment("0x" + "ab" * 20, ZERO, 5)]
    text = payload_of(actions)
    assert list(actions_of(text)) == actions
    for mangled in (text[:-64], "0xzz", "0x" + "00" * 30_000):
        with pytest.raises(ConfigurationError):
            actions_of(mangled)
