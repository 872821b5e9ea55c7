import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from evaluator.chain.abi import Abi
from evaluator.chain.anvil import Anvil
from evaluator.chain.contract import Contract
from evaluator.chain.pool import wait_until_empty, wait_until_mined
from evaluator.chain.refusals import UNKNOWN_METHOD
from evaluator.chain.sandbox import Sandbox
from evaluator.chain.simulation import SimulatedBlock, SimulatedCall, StateOverride
from evaluator.chain.solidity import load_contract
from evaluator.errors import (
    AnvilError,
    ChainError,
    ConfigurationError,
    RpcError,
    TransactionReverted,
)

pytestmark = pytest.mark.chain

OWNER = "0x" + "aa" * 20
OTHER = "0x" + "bb" * 20
GENESIS = 1_700_000_000

# PUSH1 0 CALLDATALOAD, then one of the ways to fail.
INVALID = bytes.fromhex("fe")
BARE_REVERT = bytes.fromhex("5f5ffd")
BURNS_ALL_GAS = bytes.fromhex("5b5f56")
# MSTORE(0, Panic selector << 224 | ...) and REVERT(0, 36): Panic(0x11).
PANIC = bytes.fromhex("634e487b7160e01b5f52601160045260245ffd")
# Store the calldata's first word in slot 0.
KEEPS_WORD = bytes.fromhex("5f355f5500")


def test_sends_as_anyone_and_reads_back(bare, feed):
    assert bare.block.number == 0
    assert feed.call("latestRoundData").answer == 1800 * 10**8
    assert feed.call("decimals") == 8
    assert feed.call("description") == "ETH / USD"
    receipt = feed.send("push", 5, sender=OWNER)
    assert receipt.status == 1
    assert receipt.sender == OWNER
    assert receipt.to == feed.address
    assert receipt.gas_price == 0
    assert [feed.abi.decode_log(log).name for log in receipt.logs] == ["NewRound", "AnswerUpdated"]


def leave_in_the_pool(sandbox, to, data=b""):
    sandbox.rpc.request("evm_setAutomine", [False])
    sent = {"from": OWNER, "to": to, "data": "0x" + data.hex(), "gasPrice": "0x0"}
    sandbox.rpc.request("eth_sendTransaction", [sent])


def test_a_reverted_transaction_is_not_mined_again(bare, feed):
    def mine_later():
        time.sleep(0.3)
        bare.mine()

    place = bare.snapshot()
    # As anvil leaves it for a moment after each transaction: answered for, but in the pool.
    leave_in_the_pool(bare, feed.address, feed.abi.encode("push", 7))
    with ThreadPoolExecutor() as threads:
        mining = threads.submit(mine_later)
        bare.revert(place)
        mining.result()
    bare.mine()
    assert feed.call("latestRound") == 3
    assert int(bare.rpc.request("txpool_status")["pending"], 16) == 0


def test_no_revert_while_a_transaction_stays_in_the_pool(bare):
    leave_in_the_pool(bare, OTHER)
    with pytest.raises(ChainError, match=r"kept 1 transaction in its pool for 0\.2 s"):
        wait_until_empty(bare.rpc, patience=0.2)


@pytest.mark.parametrize("error", [None, RpcError("it has no such method", code=UNKNOWN_METHOD)])
def test_a_node_that_shows_no_pool_is_not_waited_for(bare, monkeypatch, error):
    def request(method, params=()):
        assert method == "txpool_status"
        if error is not None:
            raise error
        return "nonsense"

    monkeypatch.setattr(bare.rpc, "request", request)
    if error is not None:
        wait_until_empty(bare.rpc)
    else:
        with pytest.raises(RpcError, match="a pool's status that is none"):
            wait_until_empty(bare.rpc)


def without(method, real):
    """What a node answers that does not know `method`."""

    def request(asked, params=()):
        if asked == method:
            raise RpcError(f"{method} is not known", code=UNKNOWN_METHOD)
        return real(asked, params)

    return request


def test_a_node_that_does_not_wait_is_waited_for(bare, feed, monkeypatch):
    monkeypatch.setattr(bare.rpc, "request", without("eth_sendTransactionSync", bare.rpc.request))
    blocks = [feed.send("push", k, sender=OWNER).block for k in range(1, 30)]
    assert blocks == list(range(blocks[0], blocks[0] + 29))
    assert feed.call("latestRoundData").answer == 29
    with pytest.raises(TransactionReverted, match="NotOwner"):
        feed.send("push", 1, sender=OTHER)


def test_a_node_that_does_not_mine_is_told_from_one_that_is_slow(bare):
    leave_in_the_pool(bare, OTHER)
    block = bare.rpc.request("eth_getBlockByNumber", ["pending", False])
    with pytest.raises(RpcError, match=r"mined no transaction in 0\.2 s"):
        wait_until_mined(bare.rpc, block["transactions"][0], patience=0.2)


@pytest.mark.parametrize("answer", ["nonsense", {}, {"transactionHash": "0x1", "status": None}])
def test_a_receipt_that_is_none_is_an_error(bare, monkeypatch, answer):
    monkeypatch.setattr(bare.rpc, "request", lambda method, params=(): answer)
    with pytest.raises(RpcError, match="a receipt that is none"):
        bare.send(OWNER, OTHER, gas=21_000)


def test_contracts_can_send(bare, feed):
    assert bare.send(feed.address, OTHER).sender == feed.address


def test_custom_errors_are_decoded_in_calls_and_receipts(feed):
    with pytest.raises(TransactionReverted, match="NotOwner") as of_send:
        feed.send("push", 1, sender=OTHER)
    assert of_send.value.reason == f"NotOwner(caller={OTHER})"
    assert of_send.value.to == feed.address
    with pytest.raises(TransactionReverted, match=r"NoData\(\)") as of_call:
        feed.call("getRoundData", 99)
    assert len(of_call.value.data) == 4


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (INVALID, "(?i)invalid"),
        (BARE_REVERT, "(?i)revert"),
        (BURNS_ALL_GAS, "(?i)out ?of ?gas"),
        (PANIC, r"Panic\(0x11\): arithmetic overflow"),
    ],
)
def test_every_way_to_fail_is_a_revert_with_a_reason(bare, code, reason):
    bare.set_code(OTHER, code)
    with pytest.raises(TransactionReverted, match=reason):
        bare.call(OTHER, b"")
    with pytest.raises(TransactionReverted, match=reason):
        bare.send(OWNER, OTHER, gas=200_000)


def test_error_strings_are_decoded(bare):
    text = Abi.parse(["function Error(string)"]).encode("Error", "not today")
    # Copy what follows the code into memory and revert with it.
    bare.set_code(OTHER, bytes.fromhex("60648060095f395ffd") + text)
    assert len(text) == 100
    with pytest.raises(TransactionReverted) as caught:
        bare.call(OTHER, b"")
    assert caught.value.reason == "not today"


def test_value_above_the_balance_is_refused_not_reverted(bare):
    with pytest.raises(RpcError, match=r"(?i)insufficient") as caught:
        bare.send(OWNER, OTHER, value=1)
    assert not isinstance(caught.value, TransactionReverted)
    bare.set_balance(OWNER, 10**18)
    bare.send(OWNER, OTHER, value=10**17)
    assert bare.get_balance(OTHER) == 10**17


def test_deploying_nothing_is_an_error(bare):
    with pytest.raises(TransactionReverted, match="left no code"):
        bare.deploy(OWNER, b"\x00")


def test_a_call_to_no_contract_is_an_error(bare, feed):
    with pytest.raises(ChainError, match="no such contract"):
        bare.contract(OTHER, feed.abi).call("decimals")


def test_snapshot_and_revert(bare, feed):
    kept = bare.snapshot()
    feed.send("push", 1, sender=OWNER)
    bare.revert(kept)
    assert feed.call("latestRoundData").answer == 1800 * 10**8
    with pytest.raises(ChainError, match="unknown"):
        bare.revert(kept)


def test_time_is_not_the_wall_clock(bare):
    """Equal steps give equal chains, whenever they are made."""
    bare.send(OWNER, OTHER)
    assert bare.timestamp() == GENESIS + 12
    bare.warp(86_400)
    assert bare.timestamp() == GENESIS + 12 + 86_400
    bare.mine(2)
    assert bare.timestamp() == GENESIS + 12 + 86_400 + 24
    assert bare.block_number() == 4
    with pytest.raises(ChainError, match="forward"):
        bare.warp(0)


@pytest.mark.parametrize("blocks", [1, 2, 3, 50_401])
def test_jump_moves_number_and_time_and_nothing_else(bare, feed, blocks):
    number, time = bare.block_number(), bare.timestamp()
    bare.jump_blocks(blocks, 12)
    assert bare.block_number() == number + blocks
    assert bare.timestamp() == time + 12 * blocks
    assert feed.call("latestRoundData").answer == 1800 * 10**8
    # NUMBER as contracts see it, through a block that was mined after.
    bare.set_code(OTHER, bytes.fromhex("435f5260205ff3"))
    assert int.from_bytes(bare.call(OTHER, b""), "big") == number + blocks


def test_jump_keeps_the_past_and_later_snapshots(bare, feed):
    before = bare.block_number()
    outer = bare.snapshot()
    bare.jump_blocks(7200)
    feed.send("push", 1, sender=OWNER)
    inner = bare.snapshot()
    bare.jump_blocks(50_400)
    feed.send("push", 2, sender=OWNER)
    assert feed.call("latestRoundData", block=before).answer == 1800 * 10**8
    assert len(bare.logs(address=feed.address, from_block=0)) == 2 + 2 + 2
    bare.revert(inner)
    assert feed.call("latestRoundData").answer == 1
    bare.revert(outer)
    assert feed.call("latestRoundData").answer == 1800 * 10**8
    assert bare.block_number() == before


def test_jump_goes_forward_only(bare):
    with pytest.raises(ChainError, match="forward"):
        bare.jump_blocks(0)


def test_fork_pins_number_and_hash_and_leaves_the_source_alone(bare, feed):
    past = bare.block_number()
    feed.send("push", 1, sender=OWNER)
    with Sandbox.fork(bare.rpc.urls, block=past) as fork:
        assert fork.block.number == past
        head = bare.rpc.request("eth_getBlockByNumber", [hex(past), False])
        assert fork.block.hash == head["hash"]
        there = fork.contract(feed.address, feed.abi)
        assert there.call("latestRoundData").answer == 1800 * 10**8
        fork.jump_blocks(1000)
        there.send("push", 7, sender=OWNER)
        assert there.call("latestRoundData").answer == 7
        # What lies before the fork is read from the source itself.
        assert there.call("latestRoundData", block=past).answer == 1800 * 10**8
        assert fork.has_simulate
    assert feed.call("latestRoundData").answer == 1


def test_a_block_that_does_not_exist_is_a_clear_error(bare):
    with pytest.raises(RpcError, match="has no block 999"):
        Sandbox.fork(bare.rpc.urls, block=999)
    with pytest.raises(ConfigurationError, match="neither a number"):
        Sandbox.fork(bare.rpc.urls, block="yesterday")


def test_state_can_be_dumped_and_loaded(bare, feed, tmp_path):
    dump = tmp_path / "state"
    bare.dump_state(dump)
    with Sandbox.from_state(dump) as again:
        assert again.block_number() == bare.block_number()
        assert again.timestamp() == bare.timestamp()
        there = again.contract(feed.address, feed.abi)
        assert there.call("latestRoundData").answer == 1800 * 10**8
        assert len(again.logs(address=feed.address, from_block=0)) == 2
        there.send("push", 3, sender=OWNER)
        assert again.timestamp() == bare.timestamp() + 12


def test_a_file_that_is_no_state_is_a_clear_error(tmp_path):
    bad = tmp_path / "bad"
    bad.write_text("nonsense")
    with pytest.raises(AnvilError, match="exited"):
        Sandbox.from_state(bad)


def test_call_many_keeps_order_and_holds_reverts(bare, feed):
    calls = [(feed.address, feed.encode("getRoundData", i)) for i in (1, 99, 2, 3)]
    answers = bare.call_many(calls * 150)
    assert len(answers) == 600
    assert isinstance(answers[1], TransactionReverted)
    assert answers[1].reason == "NoData()"
    prices = [feed.abi.decode_output("getRoundData", answers[i]).answer for i in (0, 2, 3)]
    assert prices == [1700 * 10**8, 1750 * 10**8, 1800 * 10**8]
    assert bare.call_many([]) == []


def test_logs_filter_by_topic(bare, feed):
    for answer in (1810 * 10**8, 1820 * 10**8):
        feed.send("push", answer, sender=OWNER)
    updated = feed.abi.event_topic("AnswerUpdated")
    found = bare.logs(address=feed.address, topics=[updated], from_block=0)
    decoded = [feed.abi.decode_log(log) for log in found]
    assert [event["current"] for event in decoded] == [1800 * 10**8, 1810 * 10**8, 1820 * 10**8]
    started = feed.abi.event_topic("NewRound")
    assert len(bare.logs(topics=[[updated, started]], from_block=0)) == 6
    fourth = (4).to_bytes(32, "big")
    assert len(bare.logs(topics=[updated, None, fourth], from_block=0)) == 1


def test_simulation_leaves_no_trace(bare, feed):
    push = SimulatedCall(sender=OWNER, to=feed.address, data=feed.encode("push", 9))
    stranger = SimulatedCall(sender=OTHER, to=feed.address, data=feed.encode("push", 8))
    read = SimulatedCall(sender=OTHER, to=feed.address, data=feed.encode("latestRoundData"))
    time = bare.timestamp() + 3600
    results = bare.simulate(
        [
            SimulatedBlock(calls=(read, push, stranger), timestamp=time),
            SimulatedBlock(
                calls=(read,), overrides=(StateOverride(address=OTHER, balance=10**18),)
            ),
        ]
    )
    assert bare.has_simulate
    assert results[0].timestamp == time
    first, pushed, refused = results[0].calls
    assert feed.abi.decode_output("latestRoundData", first.return_data).answer == 1800 * 10**8
    assert pushed.succeeded
    assert len(pushed.logs) == 2
    assert not refused.succeeded
    assert refused.reason == f"NotOwner(caller={OTHER})"
    later = feed.abi.decode_output("latestRoundData", results[1].calls[0].return_data)
    assert (later.answer, later.updatedAt) == (9, time)
    assert feed.call("latestRoundData").answer == 1800 * 10**8


def test_simulation_overrides_storage(bare):
    bare.set_code(OTHER, bytes.fromhex("5f545f5260205ff3"))  # return slot 0
    read = SimulatedCall(sender=OWNER, to=OTHER)
    override = StateOverride(address=OTHER, storage=((0, 77),))
    [block] = bare.simulate([SimulatedBlock(calls=(read,), overrides=(override,))])
    assert int.from_bytes(block.calls[0].return_data, "big") == 77
    assert bare.call(OTHER, b"") == bytes(32)


def test_state_diff_names_slots_code_and_balances(bare):
    bare.set_code(OTHER, KEEPS_WORD)
    bare.set_balance(OWNER, 10**18)
    first = bare.send(OWNER, OTHER, (7).to_bytes(32, "big"), value=5)
    changes = {change.address: change for change in bare.trace_state_diff(first.tx_hash)}
    [slot] = changes[OTHER].storage
    assert (slot.slot, slot.before, slot.after) == (0, bytes(32), (7).to_bytes(32, "big"))
    assert (changes[OTHER].balance_before, changes[OTHER].balance_after) == (0, 5)
    assert changes[OWNER].balance_after == 10**18 - 5
    assert not changes[OTHER].code_changed

    cleared = bare.send(OWNER, OTHER, bytes(32))
    [change] = bare.trace_state_diff(cleared.tx_hash)
    assert change.storage[0].before == (7).to_bytes(32, "big")
    assert change.storage[0].after == bytes(32)

    unchanged = bare.send(OWNER, OTHER, bytes(32))
    assert bare.trace_state_diff(unchanged.tx_hash) == ()

    created = bare.send(OWNER, None, bytes.fromhex("60fe5f5360015ff3"))
    [change] = bare.trace_state_diff(created.tx_hash)
    assert (change.code_before, change.code_after) == (b"", b"\xfe")


def test_feeds_are_refreshed_after_a_warp_and_noted(bare, feed):
    bare.warp(5 * 86_400)
    bare.refresh_feeds([feed.address])
    fresh = feed.call("latestRoundData")
    assert fresh.answer == 1800 * 10**8
    assert fresh.updatedAt == bare.timestamp()
    assert fresh.roundId == 3
    assert feed.call("getRoundData", 2).updatedAt == GENESIS - 3600
    assert feed.address in bare.notes[-1]
    assert "unchanged" in bare.notes[-1]


def test_a_feed_that_cannot_be_refreshed_is_noted(bare):
    bare.refresh_feeds([OTHER])
    assert bare.notes == [note for note in bare.notes if "was not refreshed" in note]
    assert len(bare.notes) == 1


def test_attach_leaves_the_node_running(bare):
    with Sandbox.attach(bare.rpc) as attached:
        assert attached.chain_id == 31337
    assert bare.block_number() == 0


def test_votes_token_and_governor_deploy(bare):
    votes = Contract.deploy(
        bare, load_contract("SeatrialVotes"), "Sea", "SEA", [OWNER], [10**24], sender=OWNER
    )
    votes.send("delegate", OWNER, sender=OWNER)
    assert votes.call("getVotes", OWNER) == 10**24
    with pytest.raises(TransactionReverted, match="UnequalLengths"):
        Contract.deploy(
            bare, load_contract("SeatrialVotes"), "Sea", "SEA", [OWNER], [], sender=OWNER
        )


def test_an_anvil_at_a_gas_limit_of_choice():
    with Sandbox.own(Anvil(gas_limit=60_000_000, timestamp=GENESIS)) as sandbox:
        sandbox.set_code(OTHER, BURNS_ALL_GAS)
        with pytest.raises(TransactionReverted):
            sandbox.send(OWNER, OTHER)
        head = sandbox.rpc.request("eth_getBlockByNumber", ["latest", False])
        assert int(head["gasUsed"], 16) == 60_000_000
        # A full block must not bring the base fee back.
        sandbox.send(OWNER, OTHER.replace("b", "c"))
