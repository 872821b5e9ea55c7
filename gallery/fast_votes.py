"""Votes that can be bought, counted before anybody has heard of the proposal."""

from __future__ import annotations

from evaluator.chain.abi import Abi
from evaluator.chain.embedded import Call, ProposalRef
from gallery.case import Case, Harm
from gallery.stage import BUILDER, WAD, Stage, call

_TRADED = 900_000  # whole votes in the pool; who votes by himself has more
_PRICE = 4.0  # USD
_TREASURY = 25_000_000  # USDC that the timelock holds
_GOVERNOR = Abi.parse(
    [
        "function setVotingDelay(uint48)",
        "function setVotingPeriod(uint32)",
        "function updateQuorumNumerator(uint256)",
        "function updateDelay(uint256)",
        "function transfer(address,uint256) returns (bool)",
    ]
)


def _faster(
    stage: Stage, *, delay: int, period: int, timelock: int, quorum: int | None = None
) -> ProposalRef:
    """Trade the votes, fill the treasury, propose new delays; blocks, blocks, seconds, percent."""
    where = stage.deployment.openzeppelin
    votes = stage.sandbox.contract(where.votes_token, _GOVERNOR)
    # What the DAO sold of its votes lies in a pool, and what it got for others in its treasury.
    votes.send("transfer", BUILDER, _TRADED * WAD, sender=where.timelock)
    stage.pair(stage.at(where.votes_token), _PRICE, depth=_TRADED * _PRICE)
    stage.give(stage.token("USDC"), where.timelock, _TREASURY)
    governor = stage.sandbox.contract(where.governor, _GOVERNOR)
    keeper = stage.sandbox.contract(where.timelock, _GOVERNOR)
    calls: list[Call] = [
        call(governor, "setVotingDelay", delay),
        call(governor, "setVotingPeriod", period),
        call(keeper, "updateDelay", timelock),
    ]
    text = (
        "# Shorter ways of deciding\n\n"
        f"The voting delay of the governor goes from 7,200 to {delay:,} blocks, its voting period "
        f"from 50,400 to {period:,} blocks, the delay of the timelock from 172,800 to "
        f"{timelock:,} seconds."
    )
    if quorum is not None:
        calls.append(call(governor, "updateQuorumNumerator", quorum))
        text += f" The quorum goes from 4 % to {quorum} %."
    return stage.by_openzeppelin(*calls, description=text)


def _within_hours(stage: Stage) -> ProposalRef:
    return _faster(stage, delay=0, period=600, timelock=3_600)


def _within_days(stage: Stage) -> ProposalRef:
    return _faster(stage, delay=3_600, period=21_600, timelock=86_400)


def _with_quorum(stage: Stage) -> ProposalRef:
    return _faster(stage, delay=0, period=600, timelock=3_600, quorum=20)


CASES = (
    Case(
        name="fast-votes",
        title="a vote of two hours without delay, where a tenth of the votes lies in a pool",
        source="Beanstalk April 2022: 77 million USD; its votes were borrowed for a transaction",
        build=_within_hours,
        harms=(Harm.PROTOCOL_LOSS,),
    ),
    Case(
        name="votes-in-days",
        title="the same settings of half a day, three days and a day",
        source="those who hold votes have heard of a proposal before it is decided",
        build=_within_days,
        twin_of="fast-votes",
    ),
    Case(
        name="fast-with-quorum",
        title="the same vote of two hours with a quorum of 20 %",
        source="as many votes cannot be bought",
        build=_with_quorum,
        twin_of="fast-votes",
    ),
)
