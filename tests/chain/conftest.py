"""Fixtures of the chain room: an empty chain, and contracts on it."""

from __future__ import annotations

import pytest

from evaluator.chain.anvil import Anvil
from evaluator.chain.contract import Contract
from evaluator.chain.sandbox import Sandbox
from evaluator.chain.solidity import load_contract

OWNER = "0x" + "aa" * 20
GENESIS = 1_700_000_000


@pytest.fixture
def bare():
    """An empty chain of its own, at a fixed time."""
    with Sandbox.own(Anvil(timestamp=GENESIS)) as sandbox:
        yield sandbox


@pytest.fixture
def feed(bare):
    """A price feed with three rounds on the empty chain."""
    feed = Contract.deploy(bare, load_contract("PriceFeed"), 8, "ETH / USD", OWNER, sender=OWNER)
    feed.send(
        "load",
        [1700 * 10**8, 1750 * 10**8],
        [GENESIS - 7200, GENESIS - 3600],
        sender=OWNER,
    )
    feed.send("push", 1800 * 10**8, sender=OWNER)
    return feed
