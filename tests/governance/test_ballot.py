"""What a vote still needs, and which voters are enough."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluator.governance.ballot import Tally, Voter, choose_voters
from evaluator.governance.lifecycle import Step, next_step
from evaluator.governance.proposal import ProposalState


@pytest.mark.parametrize(
    ("in_favour", "against", "counted", "quorum", "missing"),
    [
        (0, 0, 0, 100, 100),
        (100, 0, 100, 100, 0),
        (99, 0, 99, 100, 1),
        (100, 100, 100, 100, 1),
        (100, 150, 100, 100, 51),
        (10, 0, 110, 100, 0),  # abstained votes make the quorum
        (0, 0, 110, 100, 1),  # but not the majority
        (0, 0, 0, 0, 1),
    ],
)
def test_missing_votes(
    in_favour: int, against: int, counted: int, quorum: int, missing: int
) -> None:
    tally = Tally(in_favour=in_favour, against=against, counted=counted, quorum=quorum)
    assert tally.missing == missing


amounts = st.integers(0, 1000)


@given(amounts, amounts, amounts)
def test_the_missing_votes_are_just_enough(in_favour: int, against: int, quorum: int) -> None:
    def passes(extra: int) -> bool:
        return in_favour + extra > against and in_favour + extra >= quorum

    missing = Tally(in_favour=in_favour, against=against, counted=in_favour, quorum=quorum).missing
    assert passes(missing)
    assert missing == 0 or not passes(missing - 1)


def voters(*powers: int) -> list[Voter]:
    return [Voter(account=f"0x{i:040x}", power=p) for i, p in enumerate(powers)]


def test_the_strongest_vote_first_and_no_more_than_needed() -> None:
    assert [v.power for v in choose_voters(voters(5, 50, 20), 60)] == [50, 20]
    assert [v.power for v in choose_voters(voters(5, 50, 20), 50)] == [50]


def test_too_little_power_is_no_choice() -> None:
    assert choose_voters(voters(5, 50, 20), 76) is None
    assert choose_voters([], 1) is None
    assert choose_voters([], 0) == ()


def test_equal_voters_are_chosen_in_a_fixed_order() -> None:
    equal = voters(10, 10, 10)
    assert choose_voters(equal, 20) == choose_voters(equal[::-1], 20) == tuple(equal[:2])


def test_each_state_has_its_next_step() -> None:
    assert next_step(None) is Step.SUBMIT
    assert {state: next_step(state) for state in ProposalState} == {
        ProposalState.PENDING: Step.AWAIT_VOTE,
        ProposalState.ACTIVE: Step.VOTE,
        ProposalState.CANCELED: Step.STOP,
        ProposalState.DEFEATED: Step.STOP,
        ProposalState.SUCCEEDED: Step.QUEUE,
        ProposalState.QUEUED: Step.AWAIT_ETA,
        ProposalState.EXPIRED: Step.STOP,
        ProposalState.EXECUTED: Step.STOP,
    }
