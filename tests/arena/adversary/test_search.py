"""An empty market with a factor is emptied through by the search; a seeded one is not."""

from __future__ import annotations

import pytest

from evaluator.arena.adversary import Kind, Scene, Sequence, assail
from evaluator.chain.abi import Abi
from evaluator.chain.artifacts import load_artifact
from evaluator.chain.contract import Contract
from evaluator.errors import Cancelled
from evaluator.evaluation.measurement import venues_of
from evaluator.protocols.adapter import adapters

DELEGATOR = (
    "@venusprotocol/venus-protocol/artifacts/contracts/Tokens/VTokens/"
    "VBep20Delegator.sol/VBep20Delegator.json"
)
ADMIN = Abi.parse(
    [
        "function _supportMarket(address) returns (uint256)",
        "function _setCollateralFactor(address,uint256) returns (uint256)",
        "function _setMarketSupplyCaps(address[],uint256[])",
        "function setFeed(string,address)",
        "function implementation() view returns (address)",
        "function interestRateModel() view returns (address)",
        "function mint(address,uint256) returns (bool)",
        "function approve(address,uint256) returns (bool)",
        "function transfer(address,uint256) returns (bool)",
    ]
)
MINT = Abi.parse(["function mint(uint256) returns (uint256)"])


class Soon:
    """A flag that is set once it was asked a number of times."""

    def __init__(self, asked: int) -> None:
        self.left = asked

    def is_set(self) -> bool:
        self.left -= 1
        return self.left < 0


def list_curve(sandbox, deployment, *, seeded: float, factor: float = 0.35) -> None:
    venus, admin = deployment.venus, deployment.bravo.timelock
    twin = sandbox.contract(venus.v_tokens["USDC"], ADMIN)
    token = deployment.tokens["CRV"]
    market = Contract.deploy(
        sandbox,
        load_artifact(DELEGATOR),
        token,
        venus.comptroller,
        twin.call("interestRateModel"),
        2 * 10**26,
        "Venus CRV",
        "vCRV",
        8,
        admin,
        twin.call("implementation"),
        b"",
        sender=admin,
    ).address
    comptroller = sandbox.contract(venus.comptroller, ADMIN)
    sandbox.contract(venus.oracle, ADMIN).send(
        "setFeed", "CRV", deployment.feeds["CRV"], sender=admin
    )
    comptroller.send("_supportMarket", market, sender=admin)
    comptroller.send("_setMarketSupplyCaps", [market], [10**26], sender=admin)
    if seeded:
        held, units = sandbox.contract(token, ADMIN), int(seeded * 10**18)
        held.send("mint", admin, units, sender=admin)
        held.send("approve", market, units, sender=admin)
        sandbox.contract(market, MINT).send("mint", units, sender=admin)
    comptroller.send("_setCollateralFactor", market, int(factor * 10**18), sender=admin)


@pytest.mark.chain
@pytest.mark.slow
@pytest.mark.parametrize(
    ("seeded", "factor", "harm"), [(0.0, 0.35, True), (1000.0, 0.35, False), (0.0, 0.0, False)]
)
def test_a_market_listed_without_supply(sandbox, sandbox_deployment, seeded, factor, harm):
    adapter = next(a for a in adapters() if a.name == "compound_v2")
    root = sandbox_deployment.venus.comptroller
    before, block = adapter.read(sandbox, root), sandbox.block_number()
    list_curve(sandbox, sandbox_deployment, seeded=seeded, factor=factor)
    after = adapter.read(sandbox, root)
    scene = Scene(
        sandbox=sandbox,
        after=after,
        before=before,
        before_block=block,
        venues=venues_of(sandbox.chain_id, sandbox_deployment),
        lenders=(sandbox_deployment.aave.pool,),
    )
    head = sandbox.block_number()
    result = assail(scene, seed=0, budget=60, capital=50e6)
    assert sandbox.block_number() == head
    assert result.sequences >= 60
    worst = result.worst
    assert (worst is not None) is harm
    if worst is None:
        assert not result.attacks
        return
    curve = sandbox_deployment.tokens["CRV"]
    assert worst.loss_usd > 50_000
    assert worst.gain_usd > 50_000
    assert worst.confirmed
    assert worst.atomic
    assert worst.before.harm == 0.0
    assert not worst.open_today
    # What is given away comes back, so that a flash loan pays for it.
    gifts = [m for m in worst.sequence.moves if m.kind is Kind.DONATE]
    assert {m.asset for m in gifts} == {curve}
    assert worst.loan is not None
    assert worst.loan.outcome.profit > 50_000
    (mined,) = worst.transactions
    assert mined.tx_hash
    assert Sequence.from_json(worst.sequence.to_json()) == worst.sequence
    told = []
    with pytest.raises(Cancelled):
        assail(
            scene, seed=0, budget=60, capital=50e6, cancelled=Soon(3),
            progress=lambda done, total: told.append((done, total)),
        )  # fmt: skip
    assert told == [(1, 60), (2, 60), (3, 60)]
