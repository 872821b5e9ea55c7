"""Bundles on a pool of anvils: nothing leaks, nothing depends on the pool, looking is refused."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from evaluator.arena.agents import Sequencing, Transaction, run_arena, run_bundled
from evaluator.arena.agents.arena import Streams
from evaluator.arena.agents.builtin import Borrower, Liquidator, Supplier, transfer
from evaluator.arena.families import lending_of
from evaluator.arena.funds import give
from evaluator.arena.lending import TOKEN, view
from evaluator.arena.pool import AnvilPool
from evaluator.chain.receipts import Log
from evaluator.chain.simulation import SimulatedBlock, SimulatedLogs
from evaluator.errors import ConfigurationError, RpcError

pytestmark = pytest.mark.chain

RICH = "0x5ea70000000000000000000000000000000000a1"
POOR = "0x5ea70000000000000000000000000000000000a2"


@dataclass(frozen=True)
class Sender:
    """Sends one transfer a block."""

    name: str
    token: str
    units: int
    fee: int = 0
    hostile: bool = False

    def act(self, view, rng):
        units = self.units + int(rng.integers(10))
        return [Transaction(call=transfer(RICH, self.token, POOR, units), fee=self.fee)]


@pytest.fixture
def funded(sandbox, deployment):
    for symbol, decimals in {"USDC": 6, "WETH": 18}.items():
        give(sandbox, deployment.tokens[symbol], RICH, 10**6 * 10**decimals)
    sandbox.set_balance(RICH, 10**20)
    sandbox.mine()
    return sandbox


def users(sandbox, market):
    lending = lending_of(sandbox, market)
    usdc, weth = market.index("USDC"), market.index("WETH")
    return [
        Supplier(name="supplier", lending=lending, account=RICH, asset=usdc, units=10**9, fee=2),
        Borrower(
            name="borrower", lending=lending, account=RICH, collateral=weth,
            debt=usdc, supplied=10**19, borrowed=10**8, fee=1,
        ),
    ]  # fmt: skip


def test_a_then_b_then_a_is_a_on_every_anvil(funded, deployment):
    token = deployment.tokens["USDC"]
    balance = view(token, TOKEN.encode("balanceOf", POOR))

    def paying(units):
        return [SimulatedBlock(calls=(transfer(RICH, token, POOR, units), balance))]

    def told(results):
        return [
            (int.from_bytes(r[0].calls[1].return_data, "big"), r[0].calls[0].gas_used)
            for r in results
        ]

    with AnvilPool(funded, size=2) as pool:
        first = told(pool.run([paying(5)] * 4))
        between = told(pool.run([paying(7), paying(9)] * 4))
        again = told(pool.run([paying(5)] * 4))
    assert len(set(first)) == 1
    assert first[0][0] == 5
    assert first == again
    assert [units for units, _ in between] == [7, 9] * 4
    assert int.from_bytes(funded.call(balance.to, balance.data), "big") == 0


def test_the_number_of_anvils_changes_nothing(funded, aave_market):
    agents, start = users(funded, aave_market), funded.timestamp()
    digests = []
    for size in (1, 3):
        with AnvilPool(funded, size=size) as pool:
            runs = run_bundled(pool, agents, blocks=6, seeds=range(5), start=start)
            digests.append([r.digest() for r in runs])
    assert digests[0] == digests[1]
    assert len(set(digests[0])) == 5


@pytest.mark.parametrize("sequencing", list(Sequencing))
def test_a_bundle_does_what_mining_does(funded, aave_market, sequencing):
    agents = users(funded, aave_market)
    # Senders pay for gas only where it is mined: both runs are made without a fee.
    free = [type(a)(**{**vars(a), "fee": 0}) for a in agents]
    mined = run_arena(funded, free, blocks=4, seed=3, sequencing=sequencing)
    with AnvilPool(funded, size=1) as pool:
        (bundled,) = run_bundled(
            pool, free, blocks=4, seeds=[3], start=funded.timestamp(), sequencing=sequencing
        )
    assert [(r.agent, r.block, r.succeeded) for r in bundled.reports] == [
        (r.agent, r.block, r.succeeded) for r in mined.reports
    ]
    assert [r.transaction for r in bundled.reports] == [r.transaction for r in mined.reports]
    assert [[log.data for log in r.logs] for r in bundled.reports] == [
        [log.data for log in r.logs] for r in mined.reports
    ]
    assert any(r.succeeded for r in bundled.reports)


def test_failures_are_told_and_gas_is_counted(funded, deployment):
    agents = [
        Sender("pays", deployment.tokens["USDC"], 5, fee=3),
        Sender("cannot", deployment.tokens["USDC"], 10**18, fee=1),
    ]
    with AnvilPool(funded, size=1) as pool:
        (run,) = run_bundled(pool, agents, blocks=1, seeds=[0], start=funded.timestamp())
    pays, cannot = run.reports
    assert (pays.agent, pays.succeeded, pays.paid) == ("pays", True, 3 * pays.gas_used)
    assert not cannot.succeeded
    assert cannot.reason


def test_an_agent_that_looks_is_sent_to_the_other_arena(funded, aave_market):
    lending = lending_of(funded, aave_market)
    watcher = Liquidator(name="watcher", lending=lending, account=RICH, watched=(0,))
    with AnvilPool(funded, size=1) as pool, pytest.raises(ConfigurationError, match="run_arena"):
        run_bundled(pool, [watcher], blocks=1, seeds=[0], start=funded.timestamp())


def test_a_pool_needs_an_anvil(funded):
    with pytest.raises(ConfigurationError, match="one anvil or more"):
        AnvilPool(funded, size=0)


def test_random_numbers_are_addressed_by_block_and_agent():
    streams, again = Streams(5), Streams(5)
    drawn = {
        (b, k): streams.of(b, k).integers(2**63, size=3).tolist()
        for b in range(4)
        for k in range(4)
    }
    assert len({tuple(v) for v in drawn.values()}) == 16
    # In any order, and whatever was drawn before.
    again.of(0, 0).standard_normal(1000)
    again.of(0, 0).integers(5, dtype="int32")
    assert again.of(3, 2).integers(2**63, size=3).tolist() == drawn[3, 2]
    assert again.of(0, 1).integers(2**63, size=3).tolist() == drawn[0, 1]
    assert Streams(6).of(0, 1).integers(2**63, size=3).tolist() != drawn[0, 1]


def test_logs_of_a_bundle_are_read_when_somebody_looks():
    item = {"address": "0x" + "AB" * 20, "topics": ["0x" + "01" * 32], "data": "0x05"}
    logs = SimulatedLogs([item, item])
    assert len(logs) == 2
    assert logs == (Log.from_json(item),) * 2
    assert logs[0].address == "0x" + "ab" * 20
    assert logs[:1] == (logs[0],)
    assert SimulatedLogs([item]) != logs
    with pytest.raises(RpcError):
        list(SimulatedLogs([{"address": 5}]))
    with pytest.raises(TypeError):
        SimulatedLogs("logs")
