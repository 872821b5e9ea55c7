"""Following real governors on a real EVM: their own events and states, and a reorganisation."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from bot.chain_reading import ChainReader
from bot.database import open_database, rows
from bot.follower import ChainFollower
from bot.settings import ChainSettings
from evaluator import (
    Deployment,
    RpcClient,
    Sandbox,
    open_governor,
    propose_collateral_factor_cut,
    propose_weth_threshold_cut,
)

pytestmark = pytest.mark.chain


class Noted:
    def __init__(self) -> None:
        self.gone: list[int] = []

    def withdrawn(self, proposal_id: int, event_id: int) -> None:
        self.gone.append(proposal_id)

    def caught_up(self, chain: str, *, block: int, feeds: Mapping[str, int]) -> None: ...


class Bench:
    def __init__(self, path: Path, sandbox: Sandbox, deployment: Deployment) -> None:
        self.database = open_database(path)
        self.noted = Noted()
        chain_id = sandbox.chain_id
        rpc = RpcClient(sandbox.rpc.urls, retries=0)
        self.follower = ChainFollower(
            self.database,
            ChainSettings(
                name="anvil", chain_id=chain_id, urls=(sandbox.rpc.urls[0],), confirmations=1
            ),
            governors=dict.fromkeys(
                (deployment.openzeppelin.governor.lower(), deployment.bravo.governor.lower()),
                sandbox.block_number(),
            ),
            reader=ChainReader(rpc, chain_id=chain_id, name="anvil"),
            aftermath=self.noted,
        )

    async def catch_up(self) -> None:
        for _ in range(50):
            if (await self.follower.step()).caught_up:
                return
        raise AssertionError("the follower does not catch up")

    def events(self, number: int) -> list[str]:
        return [
            row["kind"]
            for row in rows(
                self.database,
                "SELECT kind FROM events JOIN proposals ON proposals.id = proposal_id "
                "WHERE number = ? AND withdrawn_at IS NULL ORDER BY events.id",
                [str(number)],
            )
        ]

    def state(self, number: int) -> str:
        (row,) = rows(self.database, "SELECT state FROM proposals WHERE number = ?", [str(number)])
        return str(row["state"])


@pytest.fixture
async def bench(tmp_path: Path, sandbox: Sandbox, deployment: Deployment) -> AsyncIterator[Bench]:
    ready = Bench(tmp_path / "bot.db", sandbox, deployment)
    yield ready
    ready.follower.close()
    ready.database.conn.close()


async def test_both_governor_families_and_a_reorganisation(
    bench: Bench, sandbox: Sandbox, deployment: Deployment
) -> None:
    await bench.catch_up()
    sandbox.mine(3)
    kept = propose_collateral_factor_cut(sandbox, deployment)
    sandbox.mine(4)
    gone = propose_weth_threshold_cut(sandbox, deployment)
    sandbox.mine(3)
    await bench.catch_up()
    for proposal in (kept, gone):
        assert bench.events(proposal.proposal_id) == ["created"]
        assert bench.state(proposal.proposal_id) == "pending"
    titles = [row["title"] for row in rows(bench.database, "SELECT title FROM proposals")]
    assert all(titles)

    sandbox.rpc.request("anvil_reorg", [5, []])
    await bench.catch_up()
    assert bench.events(kept.proposal_id) == ["created"]
    assert bench.events(gone.proposal_id) == []
    assert len(bench.noted.gone) == 1


async def test_a_proposal_that_comes_back_in_another_block(
    bench: Bench, sandbox: Sandbox, deployment: Deployment
) -> None:
    sandbox.mine(3)
    before = sandbox.snapshot()
    proposal = propose_weth_threshold_cut(sandbox, deployment)
    sandbox.mine(3)
    await bench.catch_up()
    assert bench.events(proposal.proposal_id) == ["created"]

    sandbox.revert(before)  # a shorter chain without it
    sandbox.warp(5)
    sandbox.mine(2)
    await bench.catch_up()
    assert bench.events(proposal.proposal_id) == []
    assert len(bench.noted.gone) == 1

    again = propose_weth_threshold_cut(sandbox, deployment)
    assert again == proposal
    sandbox.mine(2)
    await bench.catch_up()
    assert bench.events(proposal.proposal_id) == ["created"]
    assert bench.state(proposal.proposal_id) == "pending"


async def test_a_life_to_execution(bench: Bench, sandbox: Sandbox, deployment: Deployment) -> None:
    proposal = propose_weth_threshold_cut(sandbox, deployment)
    sandbox.mine(2)
    await bench.catch_up()
    assert bench.state(proposal.proposal_id) == "pending"
    governor = open_governor(sandbox, proposal.governor)
    trace = governor.execute(sandbox, governor.find(sandbox, proposal.proposal_id))
    assert trace.succeeded
    # The sandbox jumps over the waits, so blocks are missing: let them become final.
    sandbox.mine(100)
    await bench.catch_up()
    assert bench.events(proposal.proposal_id) == ["created", "queued", "executed"]
    assert bench.state(proposal.proposal_id) == "executed"
