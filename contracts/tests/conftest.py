"""Fixtures of the contracts' own tests, run by Brownie."""

import json
import os
from pathlib import Path

import pytest
from brownie import Contract, accounts, web3
from scripts.network import define_network

define_network()

# The project is a copy beside its caches; npm's packages lie where they were installed.
PACKAGES = Path(os.environ.get("SEATRIAL_PACKAGES", "node_modules"))


@pytest.fixture(autouse=True)
def isolate(fn_isolation):
    """Undo after each test what it did."""


@pytest.fixture
def owner():
    return accounts[0]


@pytest.fixture
def stranger():
    return accounts[1]


@pytest.fixture
def artifact():
    """Deploy a compiled contract of an npm package."""

    def deploy(path, sender, *args):
        content = json.loads((PACKAGES / path).read_text())
        built = web3.eth.contract(abi=content["abi"], bytecode=content["bytecode"])
        receipt = sender.transfer(data=built.constructor(*args).data_in_transaction)
        return Contract.from_abi(Path(path).stem, receipt.contract_address, content["abi"])

    return deploy


@pytest.fixture(scope="session")
def deployment():
    """Addresses of the embedded chain the node holds."""
    path = os.environ.get("SEATRIAL_DEPLOYMENT")
    if not path:
        pytest.skip("the node holds no embedded chain")
    return json.loads(Path(path).read_text())


@pytest.fixture
def token(deployment):
    """Bind an ERC-20 of the embedded chain by its symbol."""

    def bind(symbol):
        abi = json.loads(
            (PACKAGES / "@openzeppelin/contracts/build/contracts/ERC20.json").read_text()
        )
        return Contract.from_abi(symbol, deployment["tokens"][symbol], abi["abi"])

    return bind
