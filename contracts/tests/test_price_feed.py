import brownie
import pytest
from brownie import ZERO_ADDRESS, chain


@pytest.fixture
def feed(owner, PriceFeed):
    return PriceFeed.deploy(8, "ETH / USD", owner, {"from": owner})


def test_rounds_are_numbered_and_kept(feed, owner):
    for answer in (100, 200, 150):
        feed.push(answer, {"from": owner})
    assert feed.latestRound() == 3
    assert feed.latestRoundData()["answer"] == 150
    assert feed.getRoundData(2)["answer"] == 200
    assert feed.latestAnswer() == feed.getAnswer(3) == 150
    assert feed.latestTimestamp() == feed.getTimestamp(3) == chain[-1].timestamp
    assert feed.decimals() == 8
    assert feed.description() == "ETH / USD"


def test_a_push_tells_of_itself(feed, owner):
    events = feed.push(123, {"from": owner}).events
    assert events["NewRound"]["roundId"] == 1
    assert events["NewRound"]["startedBy"] == owner
    assert events["AnswerUpdated"]["current"] == 123
    assert events["AnswerUpdated"]["roundId"] == 1


def test_history_is_loaded_in_order(feed, owner):
    now = chain[-1].timestamp
    receipt = feed.load([10, 20, -5], [now - 200, now - 100, now - 100], {"from": owner})
    assert len(receipt.events["AnswerUpdated"]) == 3
    assert "NewRound" not in receipt.events
    assert feed.latestAnswer() == -5
    assert feed.getTimestamp(1) == now - 200


def test_time_does_not_go_back(feed, owner):
    now = chain[-1].timestamp
    feed.load([10], [now], {"from": owner})
    with brownie.reverts():
        feed.load([11], [now - 1], {"from": owner})
    with brownie.reverts():
        feed.load([11, 12], [now], {"from": owner})


def test_only_the_owner_pushes(feed, stranger):
    with brownie.reverts():
        feed.push(1, {"from": stranger})
    with brownie.reverts():
        feed.load([1], [chain[-1].timestamp], {"from": stranger})
    assert feed.latestRound() == 0


def test_without_an_owner_anyone_pushes(owner, stranger, PriceFeed):
    feed = PriceFeed.deploy(8, "ETH / USD", ZERO_ADDRESS, {"from": owner})
    feed.push(1, {"from": stranger})
    assert feed.latestAnswer() == 1


def test_an_empty_feed_and_an_unknown_round_have_no_data(feed, owner):
    with brownie.reverts():
        feed.latestRoundData()
    feed.push(1, {"from": owner})
    with brownie.reverts():
        feed.getRoundData(2)
    assert feed.getAnswer(2**256 - 1) == 0


def test_an_answer_must_fit_a_round(feed, owner):
    feed.push(2**191 - 1, {"from": owner})
    with brownie.reverts():
        feed.push(2**191, {"from": owner})
