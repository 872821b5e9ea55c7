import brownie
import pytest
from brownie import ZERO_ADDRESS, chain, web3
from brownie.exceptions import VirtualMachineError

DELAY = 3  # blocks
PERIOD = 10  # blocks
WAIT = 3600  # seconds in the timelock
PENDING, ACTIVE, CANCELED, DEFEATED, SUCCEEDED, QUEUED, EXPIRED, EXECUTED = range(8)
TIMELOCK = "@openzeppelin/contracts/build/contracts/TimelockController.json"


@pytest.fixture
def votes(owner, stranger, SeatrialVotes):
    token = SeatrialVotes.deploy(
        "Sea", "SEA", [owner, stranger], [90 * 10**18, 10 * 10**18], {"from": owner}
    )
    token.delegate(owner, {"from": owner})
    token.delegate(stranger, {"from": stranger})
    return token


@pytest.fixture
def timelock(owner, artifact):
    return artifact(TIMELOCK, owner, WAIT, [], [ZERO_ADDRESS], owner.address)


@pytest.fixture
def governor(owner, votes, timelock, SeatrialGovernor):
    governor = SeatrialGovernor.deploy(
        "Sea Governor", votes, timelock, DELAY, PERIOD, 10**18, 20, {"from": owner}
    )
    timelock.grantRole(timelock.PROPOSER_ROLE(), governor, {"from": owner})
    timelock.grantRole(timelock.CANCELLER_ROLE(), governor, {"from": owner})
    return governor


@pytest.fixture
def feed(owner, timelock, PriceFeed):
    """What the proposal acts on: a feed that only the timelock may push."""
    return PriceFeed.deploy(8, "ETH / USD", timelock, {"from": owner})


@pytest.fixture
def actions(feed):
    return [feed], [0], [feed.push.encode_input(42)]


def propose(governor, actions, sender, description="Push 42"):
    receipt = governor.propose(*actions, description, {"from": sender})
    return receipt.events["ProposalCreated"]["proposalId"]


def test_a_proposal_goes_from_vote_to_execution(governor, feed, actions, owner):
    proposal = propose(governor, actions, owner)
    described = web3.keccak(text="Push 42")
    assert governor.state(proposal) == PENDING
    chain.mine(DELAY + 1)
    assert governor.state(proposal) == ACTIVE
    governor.castVote(proposal, 1, {"from": owner})
    assert governor.proposalVotes(proposal)["forVotes"] == 90 * 10**18
    chain.mine(PERIOD)
    assert governor.state(proposal) == SUCCEEDED
    governor.queue(*actions, described, {"from": owner})
    assert governor.state(proposal) == QUEUED
    with brownie.reverts():
        governor.execute(*actions, described, {"from": owner})
    chain.sleep(WAIT + 1)
    chain.mine()
    governor.execute(*actions, described, {"from": owner})
    assert governor.state(proposal) == EXECUTED
    assert feed.latestAnswer() == 42


def test_no_votes_no_execution(governor, actions, owner, stranger):
    proposal = propose(governor, actions, owner)
    chain.mine(DELAY + 1)
    governor.castVote(proposal, 1, {"from": stranger})  # below the quorum
    chain.mine(PERIOD)
    assert governor.state(proposal) == DEFEATED
    with brownie.reverts():
        governor.queue(*actions, web3.keccak(text="Push 42"), {"from": owner})


def test_votes_moved_after_the_snapshot_do_not_count(governor, votes, actions, owner, stranger):
    proposal = propose(governor, actions, owner)
    chain.mine(DELAY + 1)
    votes.transfer(stranger, 80 * 10**18, {"from": owner})
    governor.castVote(proposal, 1, {"from": stranger})
    assert governor.proposalVotes(proposal)["forVotes"] == 10 * 10**18


def test_a_proposal_needs_the_threshold(governor, actions):
    poor = brownie.accounts[5]
    with brownie.reverts():
        propose(governor, actions, poor)
    assert governor.proposalThreshold() == 10**18


def test_the_same_proposal_twice_is_refused(governor, actions, owner):
    propose(governor, actions, owner)
    with pytest.raises(VirtualMachineError):
        propose(governor, actions, owner)


def test_the_proposer_may_cancel_before_the_vote(governor, actions, owner):
    proposal = propose(governor, actions, owner)
    governor.cancel(*actions, web3.keccak(text="Push 42"), {"from": owner})
    assert governor.state(proposal) == CANCELED


def test_settings_are_those_of_the_constructor(governor, timelock, votes):
    assert governor.votingDelay() == DELAY
    assert governor.votingPeriod() == PERIOD
    assert governor.timelock() == timelock
    assert governor.token() == votes
    assert governor.quorum(chain.height - 1) == 20 * 10**18
    assert governor.CLOCK_MODE() == "mode=blocknumber&from=default"


def test_every_holder_needs_an_amount(owner, SeatrialVotes):
    with brownie.reverts():
        SeatrialVotes.deploy("Sea", "SEA", [owner], [1, 2], {"from": owner})
