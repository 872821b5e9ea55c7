"""GovernorAlpha, and Venus' GovernorBravo with a timelock for each of three routes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from evaluator.chain.artifacts import load_artifact
from evaluator.chain.contract import Contract
from evaluator.chain.embedded import Deployment
from evaluator.chain.sandbox import Sandbox
from evaluator.errors import UnknownProposal
from evaluator.governance import ExecutionWay, ProposalState, open_governor
from tests.governance.harness import TWO_DAYS, calldata, draft

pytestmark = pytest.mark.chain

GOVERNANCE = "@venusprotocol/governance-contracts/artifacts/contracts"
DEPLOYER = "0x" + "d1" * 20
WAD = 10**18


def deploy(sandbox: Sandbox, path: str, *args: object) -> Contract:
    return Contract.deploy(sandbox, load_artifact(f"{GOVERNANCE}/{path}"), *args, sender=DEPLOYER)


def timelock_of(sandbox: Sandbox) -> Contract:
    return deploy(sandbox, "Governance/Timelock.sol/Timelock.json", DEPLOYER, TWO_DAYS)


@pytest.fixture
def alpha(sandbox: Sandbox, deployment: Deployment) -> tuple[Contract, Contract]:
    """A GovernorAlpha with a timelock of its own, voting by the vault."""
    timelock = timelock_of(sandbox)
    path = "legacy/GovernorAlpha.sol/GovernorAlpha.json"
    governor = deploy(sandbox, path, timelock.address, deployment.bravo.vault, DEPLOYER)
    timelock.send("setPendingAdmin", governor.address, sender=timelock.address)
    governor.send("__acceptAdmin", sender=DEPLOYER)
    return governor, timelock


def longer_delay(timelock: Contract):
    """A change that a timelock makes to itself."""
    call = (timelock.address, 0, calldata("setDelay(uint256)", TWO_DAYS + 60))
    return draft(call, description="Wait a minute longer")


def test_a_governor_alpha_is_carried_through(
    sandbox: Sandbox, alpha: tuple[Contract, Contract]
) -> None:
    contract, timelock = alpha
    governor = open_governor(sandbox, contract.address)
    proposal = governor.adopt(sandbox, longer_delay(timelock))
    assert proposal.family == "GovernorAlpha"
    trace = governor.execute(sandbox, proposal)
    assert (trace.way, trace.succeeded) == (ExecutionWay.LIFECYCLE, True), trace.why
    assert timelock.call("delay") == TWO_DAYS + 60
    found = governor.find(sandbox, 1)
    assert (found.family, found.state) == ("GovernorAlpha", ProposalState.EXECUTED)
    assert found.digest == proposal.digest
    assert not trace.changed_nothing


@pytest.mark.parametrize("held", [0, 10 * WAD])
def test_value_goes_through_an_alpha_whatever_its_timelock_holds(
    sandbox: Sandbox, alpha: tuple[Contract, Contract], held: int
) -> None:
    contract, timelock = alpha
    receiver = "0x" + "99" * 20
    sandbox.set_balance(timelock.address, held)
    governor = open_governor(sandbox, contract.address)
    proposal = governor.adopt(sandbox, draft((receiver, 3 * WAD, b""), description="Pay"))
    trace = governor.execute(sandbox, proposal)
    assert (trace.way, trace.succeeded) == (ExecutionWay.LIFECYCLE, True), trace.revert_reason
    assert sandbox.get_balance(receiver) == 3 * WAD
    assert sandbox.get_balance(timelock.address) == held


def test_a_governor_alpha_has_no_proposal_nought(
    sandbox: Sandbox, alpha: tuple[Contract, Contract]
) -> None:
    governor = open_governor(sandbox, alpha[0].address)
    with pytest.raises(UnknownProposal, match="its last is 0"):
        governor.find(sandbox, 0)


@pytest.fixture
def routed(sandbox: Sandbox, deployment: Deployment, alpha) -> tuple[Contract, list[Contract]]:
    """Venus' GovernorBravo with its three routes, going on from the Alpha's count."""
    timelocks = [timelock_of(sandbox) for _ in range(3)]
    path = "Governance/GovernorBravoDelegate.sol/GovernorBravoDelegate.json"
    governor = deploy(sandbox, path)
    # The delegate is used bare, without its proxy: it is its own admin by a cheat.
    sandbox.set_storage(governor.address, 0, bytes.fromhex(DEPLOYER[2:]))
    configs = [(1 + 10 * i, 3_600 + i, 200_000 * WAD) for i in range(3)]
    governor.send(
        "initialize",
        deployment.bravo.vault,
        configs,
        [t.address for t in timelocks],
        DEPLOYER,
        sender=DEPLOYER,
    )
    alpha[0].send(
        "propose", [DEPLOYER], [0], [""], [b""], "the first", sender=deployment.bravo.proposer
    )
    for timelock in timelocks:
        timelock.send("setPendingAdmin", governor.address, sender=timelock.address)
    governor.send("_initiate", alpha[0].address, sender=DEPLOYER)
    return governor, timelocks


@pytest.mark.parametrize("route", [0, 2])
def test_each_route_has_its_timelock(
    sandbox: Sandbox, routed: tuple[Contract, list[Contract]], route: int
) -> None:
    contract, timelocks = routed
    governor = open_governor(sandbox, contract.address)
    proposal = governor.adopt(sandbox, longer_delay(timelocks[route]))
    assert proposal.route == 0
    trace = governor.execute(sandbox, replace(proposal, route=route))
    assert (trace.way, trace.succeeded) == (ExecutionWay.LIFECYCLE, True), trace.why
    assert timelocks[route].call("delay") == TWO_DAYS + 60
    assert timelocks[route].address in trace.machinery
    found = governor.find(sandbox, trace.proposal.proposal_id)
    assert (found.route, found.state) == (route, ProposalState.EXECUTED)
    assert found.description == "Wait a minute longer"


def test_older_proposals_are_sought_at_the_governor_before(
    sandbox: Sandbox, routed: tuple[Contract, list[Contract]]
) -> None:
    governor = open_governor(sandbox, routed[0].address)
    with pytest.raises(UnknownProposal, match="older ones live at the governor before it"):
        governor.find(sandbox, 1)
