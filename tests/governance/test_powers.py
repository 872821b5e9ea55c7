"""Roles, owners and code that change hands, on real contracts, and what a text mentions."""

from __future__ import annotations

import pytest

from evaluator.chain.artifacts import load_artifact
from evaluator.chain.contract import Contract
from evaluator.chain.embedded import Deployment
from evaluator.chain.sandbox import Sandbox
from evaluator.governance import (
    CodeChangeKind,
    ExecutionTrace,
    open_governor,
    unannounced_changes,
)
from evaluator.governance.powers import role_name
from tests.governance.harness import BravoHarness, OpenZeppelinHarness, calldata, draft

pytestmark = pytest.mark.chain

STRANGER = "0x" + "5e" * 20
CAP = "Raise the supply cap of WETH to 900,000."


def from_timelock(sandbox: Sandbox, harness, *calls) -> ExecutionTrace:
    """Execute at once: the way does not matter here, the changes do."""
    governor = open_governor(sandbox, harness.governor)
    written = draft(*calls, description=CAP)
    number = harness.submit(written)
    harness.cancel(written, number)
    trace = governor.execute(sandbox, governor.find(sandbox, number))
    assert trace.succeeded, trace.revert_reason
    return trace


@pytest.fixture
def aave(sandbox: Sandbox, deployment: Deployment) -> OpenZeppelinHarness:
    return OpenZeppelinHarness.on(sandbox, deployment)


@pytest.fixture
def venus(sandbox: Sandbox, deployment: Deployment) -> BravoHarness:
    return BravoHarness.on(sandbox, deployment)


def cap(deployment: Deployment):
    data = calldata("setSupplyCap(address,uint256)", deployment.tokens["WETH"], 900_000)
    return deployment.aave.pool_configurator, 0, data


def test_a_hidden_grant_of_a_role_is_found(sandbox, deployment, aave) -> None:
    trace = from_timelock(
        sandbox,
        aave,
        cap(deployment),
        (deployment.aave.acl_manager, 0, calldata("addPoolAdmin(address)", STRANGER)),
    )
    (change,) = trace.role_changes
    assert (change.role, change.account, change.granted) == ("POOL_ADMIN", STRANGER, True)
    assert change.contract == deployment.aave.acl_manager.lower()
    (finding,) = unannounced_changes(trace, CAP)
    assert finding.kind == "role"
    assert finding.subject == STRANGER
    assert "gains POOL_ADMIN" in finding.text


@pytest.mark.parametrize(
    "text",
    [
        f"Make {STRANGER} a steward.",
        f"Make 0x{'5E' * 20} a steward.",
        "Give the steward POOL_ADMIN.",
        "Give the steward the pool admin role.",
        "A new PoolAdmin.",
    ],
)
def test_an_announced_grant_is_no_finding(sandbox, deployment, aave, text: str) -> None:
    call = (deployment.aave.acl_manager, 0, calldata("addPoolAdmin(address)", STRANGER))
    trace = from_timelock(sandbox, aave, call)
    assert unannounced_changes(trace, text) == ()


def test_a_denied_grant_and_one_to_somebody_else_announce_nothing(sandbox, deployment, aave):
    manager = deployment.aave.acl_manager
    call = (manager, 0, calldata("addPoolAdmin(address)", STRANGER))
    trace = from_timelock(sandbox, aave, call)
    for text in (
        "Raises a cap. This does not touch POOL_ADMIN.",
        "Raises a cap; no pool admin is added.",
        f"Gives POOL_ADMIN to 0x{'57' * 20}.",
    ):
        assert len(unannounced_changes(trace, text)) == 1, text
    for text in (
        "No cap is raised. Gives the steward POOL_ADMIN.",
        f"Gives the steward POOL_ADMIN at {manager}.",
        f"Gives POOL_ADMIN to 0x{'57' * 20} and to {STRANGER}.",
    ):
        assert unannounced_changes(trace, text) == (), text


def test_a_benign_change_has_no_finding(sandbox, deployment, aave) -> None:
    trace = from_timelock(sandbox, aave, cap(deployment))
    assert unannounced_changes(trace, "") == ()
    assert (trace.role_changes, trace.owner_changes, trace.code_changes) == ((), (), ())


def test_a_hidden_change_of_the_rules_is_found(sandbox, deployment, aave):
    update = (aave.timelock, 0, calldata("updateDelay(uint256)", 0))
    trace = from_timelock(sandbox, aave, cap(deployment), update)
    (change,) = trace.owner_changes
    assert (change.power, change.before, change.after) == ("minimum delay", "172800", "0")
    (finding,) = unannounced_changes(trace, CAP)
    assert "minimum delay" in finding.text
    assert len(unannounced_changes(trace, "Raises a cap without delay.")) == 1
    assert unannounced_changes(trace, "Sets the timelock's delay to 0.") == ()


def test_a_change_of_owner_is_found(sandbox, deployment, aave) -> None:
    provider = deployment.aave.addresses_provider
    trace = from_timelock(
        sandbox, aave, (provider, 0, calldata("transferOwnership(address)", STRANGER))
    )
    (change,) = trace.owner_changes
    assert (change.contract, change.power) == (provider, "owner")
    assert (change.before, change.after) == (aave.timelock, STRANGER)
    (finding,) = unannounced_changes(trace, CAP)
    assert finding.kind == "owner"
    names = {provider: "PoolAddressesProvider"}
    text = "Hand the ownership of the PoolAddressesProvider over"
    assert unannounced_changes(trace, text, names=names) == ()
    assert unannounced_changes(trace, text) != ()


IMPLEMENTATION_SLOT = int("360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc", 16)


def test_an_upgrade_of_a_proxy_is_found_in_its_slot(sandbox, deployment, aave) -> None:
    pool, provider = deployment.aave.pool, deployment.aave.addresses_provider
    logic = "0x" + sandbox.get_storage(pool, IMPLEMENTATION_SLOT)[-20:].hex()
    new = "0x" + "1e" * 20
    sandbox.set_code(new, sandbox.get_code(logic))
    sandbox.set_storage(pool, 0, 0)  # the same revision may be initialised again
    trace = from_timelock(sandbox, aave, (provider, 0, calldata("setPoolImpl(address)", new)))
    (change,) = trace.code_changes
    assert change.kind is CodeChangeKind.IMPLEMENTATION
    assert (change.contract, change.before, change.after) == (pool, logic, new)
    (finding,) = unannounced_changes(trace, CAP)
    assert finding.kind == "code"
    assert unannounced_changes(trace, f"Upgrade the pool to {new}") == ()
    names = {pool: "Pool"}
    assert unannounced_changes(trace, "Upgrade the Pool", names=names) == ()
    assert unannounced_changes(trace, "A cap for the Pool", names=names) != ()


def test_a_unitroller_that_gets_new_code_is_found(sandbox, deployment, venus) -> None:
    path = "@venusprotocol/venus-protocol/artifacts/contracts/Comptroller/Comptroller.sol"
    new = Contract.deploy(sandbox, load_artifact(f"{path}/Comptroller.json"), sender=STRANGER)
    unitroller = deployment.venus.comptroller
    trace = from_timelock(
        sandbox,
        venus,
        (unitroller, 0, calldata("_setPendingImplementation(address)", new.address)),
        (new.address, 0, calldata("_become(address)", unitroller)),
    )
    (change,) = trace.code_changes
    assert (change.contract, change.after) == (unitroller, new.address)
    assert change.before not in ("", new.address)
    assert [f.kind for f in unannounced_changes(trace, CAP)] == ["code"]


def test_a_new_contract_is_no_change_of_an_old_one(sandbox, deployment, aave) -> None:
    pool, provider = deployment.aave.pool, deployment.aave.addresses_provider
    logic = "0x" + sandbox.get_storage(pool, IMPLEMENTATION_SLOT)[-20:].hex()
    data = calldata("setAddressAsProxy(bytes32,address)", b"EXTRA".ljust(32, b"\0"), logic)
    trace = from_timelock(sandbox, aave, (provider, 0, data))
    created = [c for c in trace.code_changes if c.kind is CodeChangeKind.CREATED]
    assert len(created) == 1
    assert all(change.in_new_contract for change in trace.code_changes)
    assert unannounced_changes(trace, CAP) == ()


def test_a_pending_admin_is_a_change_of_power(sandbox, deployment, venus) -> None:
    comptroller = deployment.venus.comptroller
    trace = from_timelock(
        sandbox, venus, (comptroller, 0, calldata("_setPendingAdmin(address)", STRANGER))
    )
    (change,) = trace.owner_changes
    assert (change.contract, change.power, change.after) == (comptroller, "pending admin", STRANGER)
    assert unannounced_changes(trace, CAP)
    assert unannounced_changes(trace, f"The admin is to be {STRANGER}") == ()


def test_names_of_roles_are_their_hashes() -> None:
    assert role_name("0x" + "00" * 32) == "DEFAULT_ADMIN_ROLE"
    assert role_name("0x12ad05bde78c5ab75238ce885307f96ecd482bb402ef831f99e7018a0f169b7b") == (
        "POOL_ADMIN"
    )
    assert role_name("0x" + "ab" * 32) == "0x" + "ab" * 32
    assert CodeChangeKind.IMPLEMENTATION == "implementation"
