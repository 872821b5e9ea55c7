"""An OpenZeppelin Governor that counts seconds, keeps its calls and has no timelock."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from evaluator.chain.artifacts import parse_artifact
from evaluator.chain.contract import Contract
from evaluator.chain.sandbox import Sandbox
from evaluator.chain.toolchain import node_command
from evaluator.data_files import data_path
from evaluator.governance import ExecutionWay, ProposalState, open_governor
from evaluator.governance import openzeppelin as family
from tests.governance.harness import calldata, draft

pytestmark = [pytest.mark.chain, pytest.mark.slow]

HOLDER = "0x" + "d1" * 20
SOURCE = Path(__file__).with_name("contracts") / "PlainGovernor.sol"


@pytest.fixture(scope="module")
def compiled(embedded_dump: Path) -> dict:
    """The contracts of this test; the compiler comes with the embedded chain's packages."""
    task = {
        "language": "Solidity",
        "sources": {SOURCE.name: {"content": SOURCE.read_text()}},
        "settings": {
            "optimizer": {"enabled": True, "runs": 1},
            "evmVersion": "cancun",
            "outputSelection": {SOURCE.name: {"*": ["abi", "evm.bytecode"]}},
        },
    }
    done = subprocess.run(
        [*node_command(), str(data_path("contracts") / "solc.js"), "--standard-json"],
        input=json.dumps(task).encode(),
        capture_output=True,
        check=True,
    )
    output = json.loads(done.stdout)
    assert "contracts" in output, output["errors"]
    return output["contracts"][SOURCE.name]


@pytest.fixture
def contract(sandbox: Sandbox, compiled: dict) -> Contract:
    def deploy(name: str, *args: object) -> Contract:
        found = compiled[name]
        artifact = parse_artifact(
            {"abi": found["abi"], "bytecode": found["evm"]["bytecode"]["object"]}, name=name
        )
        return Contract.deploy(sandbox, artifact, *args, sender=HOLDER)

    votes = deploy("ClockVotes", HOLDER)
    votes.send("delegate", HOLDER, sender=HOLDER)
    sandbox.mine()
    return deploy("PlainGovernor", votes.address)


def answer(contract: Contract, value: int = 42):
    return draft(
        (contract.address, 0, calldata("setAnswer(uint256)", value)), description="The answer"
    )


def test_it_is_carried_through_by_time_without_a_queue(
    sandbox: Sandbox, contract: Contract
) -> None:
    governor = open_governor(sandbox, contract.address)
    head = sandbox.block_number()
    trace = governor.execute(sandbox, governor.adopt(sandbox, answer(contract)))
    assert (trace.way, trace.succeeded) == (ExecutionWay.LIFECYCLE, True), trace.why
    assert [s.name for s in trace.steps] == ["propose", "wait", "vote", "wait", "execute"]
    assert contract.call("answer") == 42
    assert trace.machinery == (contract.address,)
    assert not trace.changed_nothing
    assert sandbox.block_number() - head < 20


def test_its_calls_are_read_from_storage_where_the_event_is_not_served(
    sandbox: Sandbox, contract: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    governor = open_governor(sandbox, contract.address)
    written = answer(contract)
    data = written.raw_actions[0].calldata
    receipt = contract.send("propose", [contract.address], [0], [data], "The answer", sender=HOLDER)
    number = int.from_bytes(receipt.logs[-1].data[:32], "big")
    whole = governor.find(sandbox, number)
    assert whole.digest == written.digest
    monkeypatch.setattr(family, "find_submission", lambda *_, **__: None)
    found = governor.find(sandbox, number)
    assert found.raw_actions == whole.raw_actions
    assert found.proposer == HOLDER
    assert found.state is ProposalState.PENDING
    assert "description is unknown" in found.notes[0]
    trace = governor.execute(sandbox, found)
    assert (trace.way, trace.succeeded) == (ExecutionWay.LIFECYCLE, True), trace.why


def test_a_defeated_one_is_executed_by_the_governor_itself(
    sandbox: Sandbox, contract: Contract
) -> None:
    governor = open_governor(sandbox, contract.address)
    data = answer(contract).raw_actions[0].calldata
    receipt = contract.send("propose", [contract.address], [0], [data], "The answer", sender=HOLDER)
    number = int.from_bytes(receipt.logs[-1].data[:32], "big")
    sandbox.warp(5 * 86_400)
    trace = governor.execute(sandbox, governor.find(sandbox, number))
    assert trace.way is ExecutionWay.TIMELOCK
    assert trace.steps[-1].sender == contract.address
    assert contract.call("answer") == 42
