"""Evaluations on the embedded chain, each made once."""

import json

import pytest

from evaluator.chain.abi import Abi
from evaluator.chain.embedded import read_deployment
from evaluator.evaluation import EvaluationRequest, evaluate, open_state
from evaluator.evaluation.request import Silence

CONFIGURATOR = Abi.parse(
    [
        "function configureReserveAsCollateral(address,uint256,uint256,uint256)",
        "function setSupplyCap(address,uint256)",
    ]
)
PATHS = 128


@pytest.fixture(scope="session")
def places(embedded_dump):
    """Addresses of the embedded chain."""
    return read_deployment(embedded_dump)


@pytest.fixture(scope="session")
def demonstrations(embedded_dump):
    """The proposals that wait on the embedded chain: Aave's, then Compound's."""
    with open_state(EvaluationRequest(), Silence()) as state:
        return state.demonstrations


@pytest.fixture(scope="session")
def aave(demonstrations):
    """The evaluation of the demonstration proposal on Aave V3."""
    ref = demonstrations[0]
    return evaluate(
        EvaluationRequest(
            governor=ref.governor, proposal_id=ref.proposal_id, paths=PATHS, attack_sequences=0
        )
    )


@pytest.fixture(scope="session")
def compound(demonstrations):
    """The evaluation of the demonstration proposal on the Compound V2 family."""
    ref = demonstrations[1]
    return evaluate(
        EvaluationRequest(
            governor=ref.governor, proposal_id=ref.proposal_id, paths=PATHS, attack_sequences=0
        )
    )


@pytest.fixture
def proposal_file(tmp_path, places):
    """Write a proposal file for the OpenZeppelin governor and return its path."""

    def write(*calls, description="A proposal", **extra):
        content = {
            "targets": [target for target, _ in calls],
            "values": [0 for _ in calls],
            "calldatas": ["0x" + data.hex() for _, data in calls],
            "description": description,
            "governor": places.openzeppelin.governor,
            **extra,
        }
        path = tmp_path / "proposal.json"
        path.write_text(json.dumps(content))
        return path

    return write
