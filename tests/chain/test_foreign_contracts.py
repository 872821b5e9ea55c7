"""What is only on public chains: Multicall3, and Chainlink's packed feeds behind proxies."""

from __future__ import annotations

import json

import pytest

from evaluator.chain import solidity
from evaluator.chain.artifacts import parse_artifact
from evaluator.chain.contract import Contract
from evaluator.chain.multicall import MULTICALL3, BatchReader
from evaluator.chain.reverts import ErrorBook
from evaluator.chain.sandbox import Sandbox
from evaluator.data_files import contracts_root
from evaluator.errors import RpcError, TransactionReverted

pytestmark = pytest.mark.chain

OWNER = "0x" + "aa" * 20

# Written from the public interfaces: the packing of an OffchainAggregator's transmissions
# (a 192-bit answer and 32-bit times in a mapping, behind a proxy) and Multicall3's aggregate3.
SOURCE = """
// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

contract Packed {
    struct Transmission { int192 answer; uint32 observed; uint32 transmitted; }
    uint32 private latest = 7;
    mapping(uint32 => Transmission) private transmissions;

    constructor(int192 answer, uint32 time) {
        transmissions[7] = Transmission(answer, time - 15, time);
    }

    function latestRoundData() external view returns (uint80, int256, uint256, uint256, uint80) {
        Transmission memory t = transmissions[latest];
        return (latest, t.answer, t.observed, t.transmitted, latest);
    }
}

contract Proxy {
    Packed public aggregator;
    uint16 private phase = 3;

    constructor(Packed target) { aggregator = target; }

    function latestRoundData()
        external view
        returns (uint80, int256 answer, uint256 startedAt, uint256 updatedAt, uint80)
    {
        uint80 round;
        (round, answer, startedAt, updatedAt,) = aggregator.latestRoundData();
        uint80 id = uint80(phase) << 64 | round;
        return (id, answer, startedAt, updatedAt, id);
    }
}

contract Computed {
    function latestRoundData() external view returns (uint80, int256, uint256, uint256, uint80) {
        return (1, 5, block.timestamp - 86400, block.timestamp - 86400, 1);
    }
}

contract Aggregate3 {
    struct Call { address target; bool allowFailure; bytes callData; }
    struct Result { bool success; bytes returnData; }

    function aggregate3(Call[] calldata calls) external payable returns (Result[] memory results) {
        results = new Result[](calls.length);
        for (uint256 i; i < calls.length; i++) {
            (results[i].success, results[i].returnData) = calls[i].target.call(calls[i].callData);
            require(results[i].success || calls[i].allowFailure);
        }
    }
}
"""


@pytest.fixture(scope="module")
def foreign():
    """Compile the stand-ins; artifacts by name."""
    source = {
        "language": "Solidity",
        "sources": {"contracts/Foreign.sol": {"content": SOURCE}},
        "settings": solidity._SETTINGS,
    }
    output = solidity._compile(json.dumps(source), contracts_root())
    return {
        name: parse_artifact(content, name=name)
        for name, content in output["contracts"]["contracts/Foreign.sol"].items()
    }


def test_a_packed_feed_behind_a_proxy_is_refreshed(bare, foreign):
    time = bare.timestamp()
    packed = Contract.deploy(bare, foreign["Packed"], 1800 * 10**8, time, sender=OWNER)
    proxy = Contract.deploy(bare, foreign["Proxy"], packed.address, sender=OWNER)
    before = proxy.call("latestRoundData")
    bare.warp(2 * 86_400)
    bare.refresh_feeds([proxy.address])
    after = proxy.call("latestRoundData")
    assert after.answer == before.answer == 1800 * 10**8
    assert after.updatedAt == bare.timestamp()
    assert after[0] == before[0]
    assert "unchanged" in bare.notes[-1]


def test_a_feed_that_computes_its_time_is_left_as_it_is(bare, foreign):
    computed = Contract.deploy(bare, foreign["Computed"], sender=OWNER)
    bare.warp(86_400)
    bare.refresh_feeds([computed.address])
    assert "was not refreshed" in bare.notes[-1]


def test_an_answer_that_looks_like_a_time_is_not_touched(bare, foreign):
    """The answer holds the very same number as the time."""
    time = bare.timestamp()
    packed = Contract.deploy(bare, foreign["Packed"], time, time, sender=OWNER)
    bare.warp(86_400)
    bare.refresh_feeds([packed.address])
    after = packed.call("latestRoundData")
    assert after[1] == time
    assert after[3] == bare.timestamp()


def read(bare, feed, errors=None):
    reader = BatchReader(bare.rpc, local=False, errors=errors or ErrorBook())
    calls = [(feed.address, feed.encode("getRoundData", i)) for i in (1, 99, 3)] * 70
    return reader, reader.read(calls, "latest")


def check(feed, answers):
    assert len(answers) == 210
    assert isinstance(answers[1], TransactionReverted)
    assert answers[1].data == bytes.fromhex("bad1e8f8")
    assert feed.abi.decode_output("getRoundData", answers[2]).answer == 1800 * 10**8


def test_multicall3_is_used_where_it_is_deployed(bare, feed, foreign):
    bare.set_code(MULTICALL3, bytes.fromhex(foreign["Aggregate3"].runtime))
    reader, answers = read(bare, feed)
    assert reader._way == "multicall3"
    check(feed, answers)


def test_the_lens_is_put_in_place_where_it_is_not(bare, feed):
    reader, answers = read(bare, feed)
    assert reader._way == "lens"
    check(feed, answers)


def test_a_batch_serves_where_no_override_is_taken(bare, feed, monkeypatch):
    ask = bare.rpc.request

    def without_overrides(method, params=()):
        if method == "eth_call" and len(params) > 2:
            raise RpcError("too many arguments, want at most 2", code=-32602)
        return ask(method, params)

    monkeypatch.setattr(bare.rpc, "request", without_overrides)
    reader, answers = read(bare, feed)
    assert reader._way == "batch"
    check(feed, answers)


def test_a_chunk_that_is_too_much_is_halved(bare, feed, monkeypatch):
    ask = bare.rpc.request
    sizes: list[int] = []

    def limited(method, params=()):
        if method == "eth_call":
            sizes.append(len(params[0]["data"]))
            if len(params[0]["data"]) > 12_000:
                raise RpcError("out of gas", code=-32000)
        return ask(method, params)

    monkeypatch.setattr(bare.rpc, "request", limited)
    reader, answers = read(bare, feed)
    assert reader._way == "lens"
    assert min(sizes) < 12_000 < max(sizes)
    check(feed, answers)


def test_past_blocks_of_a_fork_are_read_from_its_source(bare, feed):
    past = bare.block_number()
    with Sandbox.fork(bare.rpc.urls) as fork:
        there = fork.contract(feed.address, feed.abi)
        there.send("push", 1, sender=OWNER)
        [answer] = fork.call_many([(feed.address, feed.encode("latestRoundData"))], block=past)
        assert feed.abi.decode_output("latestRoundData", answer).answer == 1800 * 10**8
        [answer] = fork.call_many([(feed.address, feed.encode("latestRoundData"))])
        assert feed.abi.decode_output("latestRoundData", answer).answer == 1
