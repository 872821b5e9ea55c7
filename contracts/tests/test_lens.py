import brownie
import pytest
from brownie import chain, web3


@pytest.fixture
def lens(owner, Lens):
    return Lens.deploy({"from": owner})


@pytest.fixture
def feed(owner, PriceFeed):
    feed = PriceFeed.deploy(8, "ETH / USD", owner, {"from": owner})
    feed.push(7, {"from": owner})
    return feed


def test_reads_in_order_and_survives_a_revert(lens, feed):
    calls = [
        (feed, feed.latestAnswer.encode_input()),
        (feed, feed.getRoundData.encode_input(99)),
        (feed, feed.decimals.encode_input()),
    ]
    number, results = lens.read(100_000, 1000, calls)
    assert number == chain.height
    assert [success for success, _ in results] == [True, False, True]
    assert int(results[0][1].hex(), 16) == 7
    assert bytes(results[1][1]) == bytes(web3.keccak(text="NoData()")[:4])
    assert int(results[2][1].hex(), 16) == 8


def deploy_runtime(owner, code):
    """Deploy runtime code through the shortest constructor there is."""
    return owner.transfer(data=f"0x60{len(code) // 2:02x}8060095f395ff3{code}").contract_address


def test_a_huge_answer_is_cut(lens, owner):
    huge = deploy_runtime(owner, "620f42405ff3")  # returns a million zero bytes
    [(success, data)] = lens.read(5_000_000, 64, [(huge, "0x")])[1]
    assert success
    assert len(bytes(data)) == 64


def test_calls_that_would_be_short_of_gas_are_not_made(lens, feed):
    calls = [(feed, feed.latestAnswer.encode_input())] * 50
    assert len(lens.read(100_000, 64, calls, {"gas_limit": 2_000_000})[1]) == 50
    with brownie.reverts():
        lens.read(1_990_000, 64, calls, {"gas_limit": 2_000_000})


def test_one_that_burns_all_gas_leaves_some_for_the_rest(lens, feed, owner):
    burns = deploy_runtime(owner, "5b5f56")  # jumps to itself for ever
    results = lens.read(50_000, 64, [(burns, "0x"), (feed, feed.decimals.encode_input())])[1]
    assert [success for success, _ in results] == [False, True]
