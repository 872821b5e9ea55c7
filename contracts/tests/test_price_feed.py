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
    assert not receipt.logs
    assert feed.latestAnswer() == -5
    assert feed.getTimestamp(1) == now - 200
    assert [feed.getAnswer(n) for n in range(5)] == [0, 10, 20, -5, 0]
    assert [int(x) for x in feed.getRoundData(2)] == [2, 20, now - 100, now - 100, 2]
    feed.push(7, {"from": owner})
    feed.load([8], [chain[-1].timestamp], {"from": owner})
    assert [feed.getAnswer(n) for n in range(1, 7)] == [10, 20, -5, 7, 8, 0]
    assert feed.latestRound() == 5


def test_a_long_history_is_kept_to_the_last_round(feed, owner):
    start = chain[-1].timestamp - 10_000
    answers = [(-1) ** n * n * 10**40 for n in range(1, 1_601)]
    feed.load(answers[:769], [start + n for n in range(769)], {"from": owner})
    feed.load(answers[769:], [start + n for n in range(769, 1_600)], {"from": owner})
    assert feed.latestRound() == 1_600
    for n in (1, 2, 767, 768, 769, 770, 1_535, 1_536, 1_537, 1_599, 1_600):
        told = [int(x) for x in feed.getRoundData(n)]
        assert told == [n, answers[n - 1], start + n - 1, start + n - 1, n]
    with brownie.reverts():
        feed.getRoundData(1_601)


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
