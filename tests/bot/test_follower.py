"""Following a chain over JSON-RPC: backfill, reorganisations, finality, a provider's moods."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import websockets
from pydantic import SecretStr

from bot.chain_reading import ChainReader
from bot.database import open_database, rows, scalar
from bot.errors import FollowError, ProviderBehind, ReorgBelowFinality
from bot.follower import ChainFollower
from bot.settings import ChainSettings
from bot.wakeup import wake_on_new_heads
from evaluator import RpcClient, RpcError, RpcUnreachable, WrongChain

sys.path.insert(0, str(Path(__file__).parent / "toys"))
from chain_double import CREATED_TOPIC, GOVERNOR, ChainDouble, Log, created

OTHER = "0x" + "33" * 20
FEED = "0x" + "44" * 20


@dataclass
class Noted:
    """An aftermath that takes notes."""

    gone: list[int] = field(default_factory=list)
    calls: list[tuple[int, dict[str, int]]] = field(default_factory=list)

    def withdrawn(self, proposal_id: int, event_id: int) -> None:
        self.gone.append(proposal_id)

    def caught_up(self, chain: str, *, block: int, feeds: Mapping[str, int]) -> None:
        self.calls.append((block, dict(feeds)))


class Bench:
    def __init__(self, path: Path, chain: ChainDouble, **settings: Any) -> None:
        self.database = open_database(path)
        self.chain = chain
        self.noted = Noted()
        self.settings = ChainSettings(
            name="test",
            chain_id=31337,
            urls=("http://localhost",),
            **{"confirmations": 1, **settings},
        )
        self.readers: list[ChainReader] = []
        self.follower = self.make()

    def make(
        self, governors: Mapping[str, int | None] | None = None, *, urls: list[str] | None = None
    ) -> ChainFollower:
        rpc = RpcClient(urls or [self.chain.url], timeout=5.0, retries=0)
        reader = ChainReader(rpc, chain_id=31337, name="test")
        self.readers.append(reader)
        return ChainFollower(
            self.database,
            self.settings,
            governors=governors or {GOVERNOR: 0},
            reader=reader,
            aftermath=self.noted,
            feeds=[FEED] if self.chain.feeds else [],
        )

    async def catch_up(self, follower: ChainFollower | None = None) -> None:
        for _ in range(200):
            if (await (follower or self.follower).step()).caught_up:
                return
        raise AssertionError("the follower does not catch up")

    def events(self, *, standing: bool = True) -> list[tuple[str, str]]:
        found = rows(
            self.database,
            "SELECT number, kind FROM events JOIN proposals ON proposals.id = proposal_id "
            "WHERE (withdrawn_at IS NULL) = ? ORDER BY events.id",
            [standing],
        )
        return [(row["number"], row["kind"]) for row in found]

    def states(self) -> dict[str, str]:
        return {r["number"]: r["state"] for r in rows(self.database, "SELECT * FROM proposals")}


@pytest.fixture
async def chain() -> AsyncIterator[ChainDouble]:
    async with ChainDouble() as ready:
        yield ready


@pytest.fixture
async def bench(tmp_path: Path, chain: ChainDouble) -> AsyncIterator[Bench]:
    ready = Bench(tmp_path / "bot.db", chain)
    yield ready
    for reader in ready.readers:
        reader.close()
    ready.database.conn.close()


async def test_the_whole_life_of_a_proposal(bench: Bench, chain: ChainDouble) -> None:
    async def live(*logs: Log) -> None:
        chain.mine(logs=list(logs))
        chain.mine()  # the confirmation
        await bench.catch_up()

    await live(chain.create(2**255, description="# Raise the cap\n\nsince it is low"))
    assert bench.states() == {str(2**255): "pending"}
    chain.states[2**255] = 1
    await live()
    chain.states[2**255] = 4
    await live()
    await live(chain.happen("ProposalQueued", 2**255, state=5, eta=1_800_000_000))
    await live(chain.happen("ProposalExecuted", 2**255, state=7))
    assert [kind for _, kind in bench.events()] == [
        "created", "active", "succeeded", "queued", "executed",
    ]  # fmt: skip
    (proposal,) = rows(bench.database, "SELECT * FROM proposals")
    assert proposal["title"] == "Raise the cap"
    assert proposal["eta"] == 1_800_000_000
    assert (proposal["vote_start"], proposal["vote_end"]) == (100, 200)
    assert proposal["created_at"] == chain.blocks[1].timestamp
    assert proposal["state"] == "executed"


@pytest.mark.parametrize(("end", "state"), [("defeated", 3), ("expired", 6)])
async def test_ends_without_a_log_are_events(
    bench: Bench, chain: ChainDouble, end: str, state: int
) -> None:
    chain.mine(logs=[chain.create(1)])
    chain.mine()
    await bench.catch_up()
    chain.states[1] = state
    chain.mine()
    await bench.catch_up()
    assert bench.events() == [("1", "created"), ("1", end)]
    before = len(chain.calls)
    chain.mine()
    await bench.catch_up()
    assert not [method for method, _ in chain.calls[before:] if method == "eth_call"]


async def test_cancelling_is_an_event(bench: Bench, chain: ChainDouble) -> None:
    chain.mine(logs=[chain.create(1)])
    chain.mine(logs=[chain.happen("ProposalCanceled", 1, state=2)])
    chain.mine()
    await bench.catch_up()
    assert bench.events() == [("1", "created"), ("1", "canceled")]


async def test_unconfirmed_blocks_are_not_read(bench: Bench, chain: ChainDouble) -> None:
    chain.mine(logs=[chain.create(1)])
    await bench.catch_up()
    assert bench.events() == []
    chain.mine()
    await bench.catch_up()
    assert bench.events() == [("1", "created")]


async def test_orphaned_events_are_withdrawn_and_come_back_once(
    bench: Bench, chain: ChainDouble
) -> None:
    chain.mine(3)
    kept, gone, moved = chain.create(1), chain.create(2), chain.create(3)
    chain.mine(logs=[kept])
    chain.mine(logs=[gone])
    chain.mine(logs=[moved])
    chain.mine(2)
    await bench.catch_up()
    assert len(bench.events()) == 3

    chain.reorganise(4)  # the blocks of 2 and 3 and all after them
    del chain.states[2]
    chain.mine(logs=[moved])
    chain.mine(5)
    await bench.catch_up()
    assert bench.events() == [("1", "created"), ("3", "created")]
    assert bench.events(standing=False) == [("2", "created"), ("3", "created")]
    flags = {r["number"]: r["withdrawn"] for r in rows(bench.database, "SELECT * FROM proposals")}
    assert flags == {"1": 0, "2": 1, "3": 0}
    assert sorted(bench.noted.gone) == [2, 3]
    assert bench.states() == {"1": "pending", "2": "unknown", "3": "pending"}


async def test_a_derived_state_of_an_orphaned_block_is_asked_for_again(
    bench: Bench, chain: ChainDouble
) -> None:
    chain.mine(logs=[chain.create(1)])
    chain.mine(2)
    await bench.catch_up()
    chain.states[1] = 3
    chain.mine()
    await bench.catch_up()
    assert bench.states() == {"1": "defeated"}
    chain.reorganise(2)
    chain.states[1] = 1
    chain.mine(3)
    await bench.catch_up()
    assert bench.states() == {"1": "active"}
    assert bench.events() == [("1", "created"), ("1", "active")]
    assert bench.events(standing=False) == [("1", "defeated")]


async def test_a_chain_that_returns_to_a_block_revives_its_events(
    bench: Bench, chain: ChainDouble
) -> None:
    chain.mine(logs=[chain.create(1)])
    chain.mine(2)
    await bench.catch_up()
    left = chain.blocks[1:]
    chain.reorganise(3)
    chain.mine(4)
    await bench.catch_up()
    assert bench.events() == []
    chain.blocks[1:] = left
    chain.fork = 0
    chain.mine(3)
    await bench.catch_up()
    assert bench.events() == [("1", "created")]
    assert scalar(bench.database, "SELECT count(*) FROM events WHERE kind = 'created'") == 1


async def test_a_lagging_provider_is_no_reorganisation(bench: Bench, chain: ChainDouble) -> None:
    chain.mine(logs=[chain.create(1)])
    chain.mine(5)
    await bench.catch_up()
    chain.visible = 2
    step = await bench.follower.step()
    assert step.head == 2
    assert bench.events() == [("1", "created")]
    chain.visible = None
    await bench.catch_up()
    assert bench.events() == [("1", "created")]
    assert bench.noted.gone == []


async def test_a_shorter_chain_that_differs_is_a_reorganisation(
    bench: Bench, chain: ChainDouble
) -> None:
    chain.mine(logs=[chain.create(1)])
    chain.mine(5)
    await bench.catch_up()
    chain.reorganise(6)
    chain.mine(3)
    await bench.catch_up()
    assert bench.events() == []
    assert bench.noted.gone == [1]


async def test_final_blocks_are_forgotten_and_their_loss_is_a_hard_error(
    bench: Bench, chain: ChainDouble
) -> None:
    chain.mine(logs=[chain.create(1)])
    chain.mine(9)
    chain.finalized = 6
    await bench.catch_up()
    assert [block.number for block in bench.follower.journal.blocks()] == [6, 7, 8, 9]
    chain.reorganise(5)  # down to block 5
    chain.finalized = 0
    chain.mine(9)
    with pytest.raises(ReorgBelowFinality, match="replaced block 6"):
        await bench.follower.step()
    assert bench.events() == [("1", "created")]
    task = asyncio.create_task(bench.follower.run())
    await asyncio.sleep(0.1)
    assert bench.follower.broken
    bench.follower.stop()
    await task


@pytest.mark.parametrize(
    "error",
    [
        {"code": -32602, "message": "range 5000 exceeds limit of 100"},
        {"code": -32000, "message": "query returned more than 10000 results"},
        {"code": -32614, "message": "eth_getLogs is limited to a 100 range"},
    ],
)
async def test_ranges_are_halved_and_grow_again(
    tmp_path: Path, chain: ChainDouble, error: dict[str, Any]
) -> None:
    chain.mine(2990)
    chain.mine(logs=[chain.create(1)])
    chain.mine(9)
    chain.finalized = 3000
    chain.range_limit, chain.range_error = 100, error
    bench = Bench(tmp_path / "halving.db", chain)
    await bench.catch_up()
    assert bench.events() == [("1", "created")]
    ranges = [
        int(query[0]["toBlock"], 16) - int(query[0]["fromBlock"], 16) + 1
        for method, query in chain.calls
        if method == "eth_getLogs" and "toBlock" in query[0]
    ]
    assert ranges[0] == 3000  # 0 to 2999; the newest is not confirmed
    served = [size for size in ranges if size <= 100]
    assert sum(served) == 3000
    assert len(ranges) < 80
    chain.range_limit = None
    chain.mine(2000)
    chain.finalized = 5000
    await bench.catch_up()
    bench.readers[0].close()


async def test_one_refused_block_is_an_error_and_nothing_is_skipped(
    tmp_path: Path, chain: ChainDouble
) -> None:
    chain.mine(logs=[chain.create(1)])
    chain.mine(3)
    chain.finalized = 4
    chain.range_limit = 0
    bench = Bench(tmp_path / "refused.db", chain)

    async def several_steps() -> None:
        for _ in range(10):
            await bench.follower.step()

    with pytest.raises(RpcError, match="too large"):
        await several_steps()
    assert bench.follower.journal.cursors() == {GOVERNOR: 0}
    chain.range_limit = None
    await bench.catch_up()
    assert bench.events() == [("1", "created")]
    bench.readers[0].close()


async def test_poisoned_logs_are_kept_raw_and_stop_nothing(
    bench: Bench, chain: ChainDouble
) -> None:
    bomb = Log(GOVERNOR, [CREATED_TOPIC], created(7)[:300])
    chain.mine(logs=[bomb, chain.create(8), chain.create(9, description=b"# bad \xff utf-8")])
    chain.mine()
    await bench.catch_up()
    assert bench.events() == [("8", "created"), ("9", "created")]
    kept = rows(bench.database, "SELECT * FROM quarantine ORDER BY log_index")
    assert [bytes(row["data"]) for row in kept] == [
        bomb.data,
        created(9, description=b"# bad \xff utf-8"),
    ]
    assert json.loads(kept[0]["topics"]) == [CREATED_TOPIC]
    assert "not UTF-8" in kept[1]["reason"]
    assert kept[1]["tx_hash"].startswith("0x")


async def test_a_governor_added_later_is_read_from_its_own_start(
    tmp_path: Path, chain: ChainDouble
) -> None:
    late = Log(OTHER, [CREATED_TOPIC], created(5))
    chain.states[5] = 0
    chain.mine(20, logs=[late])
    chain.mine(40, logs=[chain.create(1)])
    chain.mine(10)
    chain.finalized = 50
    bench = Bench(tmp_path / "late.db", chain)
    await bench.catch_up()
    assert bench.events() == [("1", "created")]
    both = bench.make({GOVERNOR: 0, OTHER: 10})
    late_live = Log(OTHER, [CREATED_TOPIC], created(6))
    chain.states[6] = 0
    chain.mine(logs=[late_live])
    chain.mine()
    await bench.catch_up(both)
    assert sorted(bench.events()) == [("1", "created"), ("5", "created"), ("6", "created")]
    assert len(set(both.journal.cursors().values())) == 1
    for reader in bench.readers:
        reader.close()


async def test_without_start_block_the_past_is_left_alone(
    tmp_path: Path, chain: ChainDouble
) -> None:
    chain.mine(logs=[chain.create(1)])
    chain.mine(100)
    bench = Bench(tmp_path / "now.db", chain)
    follower = bench.make({GOVERNOR: None})
    await bench.catch_up(follower)
    chain.mine(logs=[chain.create(2)])
    chain.mine()
    await bench.catch_up(follower)
    assert bench.events() == [("2", "created")]
    for reader in bench.readers:
        reader.close()


async def test_a_long_absence_is_read_by_ranges_not_block_by_block(
    bench: Bench, chain: ChainDouble
) -> None:
    chain.mine(5)
    await bench.catch_up()
    chain.mine(3000, logs=[chain.create(1)])
    chain.mine(100)
    chain.finalized = 3090
    before = len(chain.calls)
    await bench.catch_up()
    assert bench.events() == [("1", "created")]
    assert len(chain.calls) - before < 60


async def test_finality_by_depth_where_the_tag_is_unknown(bench: Bench, chain: ChainDouble) -> None:
    chain.finalized = None
    chain.mine(100, logs=[chain.create(1)])
    chain.mine(20)
    await bench.catch_up()
    assert bench.follower.journal.blocks()[0].number == 120 - 64
    assert bench.events() == [("1", "created")]
    asked = [params for method, params in chain.calls if params[:1] == ["finalized"]]
    assert len(asked) == 1


async def test_another_chain_is_refused(tmp_path: Path, bench: Bench, chain: ChainDouble) -> None:
    chain.chain_id = 5
    with pytest.raises(WrongChain, match="31337"):
        await bench.follower.step()


async def test_a_second_endpoint_of_another_chain_is_not_used(
    bench: Bench, chain: ChainDouble
) -> None:
    async with ChainDouble(chain_id=5) as wrong:
        wrong.mine(50)
        chain.mine(logs=[chain.create(1)])
        chain.mine()
        follower = bench.make(urls=[chain.url, wrong.url])
        await bench.catch_up(follower)
        chain.down = True
        with pytest.raises((WrongChain, RpcUnreachable)):
            await follower.step()
        chain.down = False
        await bench.catch_up(follower)
        assert bench.events() == [("1", "created")]


async def test_endpoints_that_disagree_store_nothing_wrong(
    bench: Bench, chain: ChainDouble
) -> None:
    chain.mine(5)
    await bench.catch_up()
    chain.mine(2)
    chain.blocks[-1].parent = "0x" + "ee" * 32
    chain.mine()
    with pytest.raises(ProviderBehind, match="does not follow"):
        await bench.follower.step()
    chain.reorganise(3)
    chain.mine(logs=[chain.create(1)])
    chain.mine(4)
    await bench.catch_up()
    assert bench.events() == [("1", "created")]


async def test_garbage_from_the_endpoint_is_an_error_not_a_crash(
    bench: Bench, chain: ChainDouble
) -> None:
    chain.mine(3)
    chain.blocks[-1].hash = "nonsense"
    with pytest.raises(FollowError, match="where a hash was expected"):
        await bench.follower.step()


async def test_feeds_are_read_when_caught_up(tmp_path: Path, chain: ChainDouble) -> None:
    chain.feeds = {FEED: 2000 * 10**8}
    chain.mine(5)
    bench = Bench(tmp_path / "feeds.db", chain)
    await bench.catch_up()
    assert bench.noted.calls[-1] == (4, {FEED: 2000 * 10**8})
    bench.readers[0].close()


async def test_a_websocket_wakes_and_a_broken_one_is_connected_again() -> None:
    woken = asyncio.Event()
    asked: list[str] = []

    async def serve(socket: websockets.ServerConnection) -> None:
        asked.append(str(await socket.recv()))
        await socket.send(json.dumps({"method": "eth_subscription", "params": {}}))

    async with websockets.serve(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        task = asyncio.create_task(
            wake_on_new_heads(SecretStr(f"ws://127.0.0.1:{port}/"), woken.set, name="test")
        )
        async with asyncio.timeout(10):
            for _ in range(2):
                await woken.wait()
                woken.clear()
            while len(asked) < 2:
                await asyncio.sleep(0.05)
        task.cancel()
    assert all(json.loads(text)["params"] == ["newHeads"] for text in asked)


async def test_more_open_proposals_than_are_asked_at_once_all_get_their_turn(
    bench: Bench, chain: ChainDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.follower.STATES_AT_ONCE", 3)
    chain.mine(logs=[chain.create(number) for number in range(1, 9)])
    chain.mine()
    for _ in range(3):
        await bench.catch_up()
    assert set(bench.states().values()) == {"pending"}
    # A new one is asked for at once, whoever's turn it is.
    chain.mine(logs=[chain.create(21)])
    chain.mine()
    await bench.catch_up()
    assert bench.states()["21"] == "pending"
    for number in (1, 8):
        chain.states[number] = 1
    for _ in range(3):
        await bench.catch_up()
    states = bench.states()
    assert (states["1"], states["8"]) == ("active", "active")
