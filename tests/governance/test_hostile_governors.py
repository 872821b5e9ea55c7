"""Contracts that answer like governors and mean harm, or nothing."""

from __future__ import annotations

import eth_abi
import pytest
from eth_utils import keccak

from evaluator.chain.sandbox import Sandbox
from evaluator.errors import MalformedProposal, NotAGovernor, ProposalError
from evaluator.governance import open_governor
from evaluator.governance.blocks import block_by
from tests.governance.harness import draft

pytestmark = pytest.mark.chain

IMPOSTOR = "0x" + "1b" * 20


def answers(replies: dict[str, bytes], fallback: bytes) -> bytes:
    """Runtime code that answers each function with fixed bytes, and any other with `fallback`."""
    table = [(keccak(text=s)[:4], reply) for s, reply in replies.items()]
    # PUSH1 0 CALLDATALOAD PUSH1 224 SHR, then for each: DUP1 PUSH4 sel EQ PUSH2 dest JUMPI
    head = bytes.fromhex("60003560e01c")
    at = len(head) + 11 * len(table) + 4
    jumps, bodies, data = b"", b"", b""
    codes = [reply for _, reply in table] + [fallback]
    base = at + 16 * len(codes)
    for (selector, _), number in zip(table, range(len(table)), strict=True):
        jumps += (
            b"\x80\x63" + selector + b"\x14\x61" + (at + 16 * number).to_bytes(2, "big") + b"\x57"
        )
    jumps += b"\x61" + (at + 16 * len(table)).to_bytes(2, "big") + b"\x56"
    for reply in codes:
        size = len(reply).to_bytes(3, "big")
        # JUMPDEST PUSH3 size DUP1 PUSH3 offset PUSH1 0 CODECOPY PUSH1 0 RETURN
        offset = (base + len(data)).to_bytes(3, "big")
        bodies += b"\x5b\x62" + size + b"\x80\x62" + offset + b"\x5f\x39\x5f\xf3"
        bodies = bodies.ljust(16 * (bodies.count(b"\x5f\x39\x5f\xf3")), b"\x00")
        data += reply
    return head + jumps + bodies + data


def word(number: int) -> bytes:
    return number.to_bytes(32, "big")


def install(sandbox: Sandbox, replies: dict[str, bytes], fallback: bytes = b"") -> None:
    sandbox.set_code(IMPOSTOR, answers(replies, fallback))


BRAVO = {
    "proposalCount()": word(7),
    "quorumVotes()": word(1),
    "proposalMaxOperations()": word(10),
    "state(uint256)": word(1),
    "proposals(uint256)": word(3) + word(5) * 9,
}


def test_a_contract_that_answers_everything_with_nothing_is_no_governor(sandbox: Sandbox) -> None:
    install(sandbox, {}, b"")
    with pytest.raises(NotAGovernor):
        open_governor(sandbox, IMPOSTOR)


def test_a_contract_that_answers_everything_alike_is_no_openzeppelin_governor(
    sandbox: Sandbox,
) -> None:
    install(sandbox, {}, word(1))
    with pytest.raises(NotAGovernor):
        open_governor(sandbox, IMPOSTOR)


@pytest.mark.parametrize(
    "actions",
    [
        b"",
        word(1) * 20,
        word(2**255) * 4,
        b"\xff" * 300,
        eth_abi.encode(
            ["address[]", "uint256[]", "string[]", "bytes[]"],
            [["0x" + "11" * 20], [1, 2], [""], [b""]],
        ),
    ],
)
def test_a_bravo_with_malformed_calls_is_told_so(sandbox: Sandbox, actions: bytes) -> None:
    install(sandbox, {**BRAVO, "getActions(uint256)": actions})
    governor = open_governor(sandbox, IMPOSTOR)
    assert governor.name == "GovernorBravo"
    with pytest.raises(MalformedProposal, match=r"calls of proposal 3|for one proposal"):
        governor.find(sandbox, 3)


def test_a_bravo_whose_calls_are_a_bomb_is_told_so(sandbox: Sandbox) -> None:
    # No targets and values, and a thousand signatures that are the same 10 KB.
    same = word(1000) + word(32 * 1000) * 1000 + word(10_000) + b"a" * 10_016
    lists = word(128) + word(128) + word(160) + word(128) + word(0) + same
    install(sandbox, {**BRAVO, "getActions(uint256)": lists})
    with pytest.raises(MalformedProposal, match="stands for more than"):
        open_governor(sandbox, IMPOSTOR).find(sandbox, 3)


def test_a_state_that_no_governor_has_is_told(sandbox: Sandbox) -> None:
    install(sandbox, {**BRAVO, "state(uint256)": word(99)})
    with pytest.raises(MalformedProposal, match="gives 99"):
        open_governor(sandbox, IMPOSTOR).state(sandbox, 3)


def test_a_bravo_without_a_timelock_cannot_execute(sandbox: Sandbox) -> None:
    install(sandbox, BRAVO)
    governor = open_governor(sandbox, IMPOSTOR)
    proposal = governor.adopt(sandbox, draft((IMPOSTOR, 0, b""), description="x"))
    with pytest.raises(ProposalError, match="names no timelock"):
        governor.execute(sandbox, proposal)


def test_blocks_are_found_by_time_across_a_jump(sandbox: Sandbox) -> None:
    sandbox.mine(3)
    number, now = sandbox.block_number(), sandbox.timestamp()
    assert block_by(sandbox, now) == number
    assert block_by(sandbox, now + 10**6) == number
    sandbox.jump_blocks(1_000)
    assert sandbox.block_number() >= block_by(sandbox, now) >= number
    sandbox.warp(100)
    assert block_by(sandbox, sandbox.timestamp() - 1) >= sandbox.block_number() - 1
