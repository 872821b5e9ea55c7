"""What governors say about a submission: the ProposalCreated event, read with care."""

from __future__ import annotations

from dataclasses import dataclass

from eth_hash.auto import keccak

from evaluator.chain.receipts import Log
from evaluator.chain.sandbox import Sandbox
from evaluator.errors import MalformedProposal
from evaluator.governance.decoder import DecodingFailed, shared_decoder
from evaluator.governance.decoding.calls import RawAction
from evaluator.governance.decoding.values import Value
from evaluator.governance.log_scan import newest_first, oldest_first

_FIELDS = "uint256,address,address[],uint256[],string[],bytes[],uint256,uint256,string"
PROPOSAL_CREATED = keccak(f"ProposalCreated({_FIELDS})".encode())
PROPOSAL_CREATED_ROUTED = keccak(f"ProposalCreated({_FIELDS},uint8)".encode())  # Venus
PROPOSAL_QUEUED = keccak(b"ProposalQueued(uint256,uint256)")
PROPOSAL_EXECUTED = keccak(b"ProposalExecuted(uint256)")

# Text is read as bytes: the same encoding, and bytes that are no UTF-8 survive.
_TYPES = "uint256,address,address[],uint256[],bytes[],bytes[],uint256,uint256,bytes"


@dataclass(frozen=True, kw_only=True)
class Submission:
    """A ProposalCreated event."""

    proposal_id: int  # the governor's id
    proposer: str  # lower-case
    raw_actions: tuple[RawAction, ...]  # calls in order
    start: int  # timepoint (block or s) of the snapshot
    end: int  # last timepoint (block or s) of the vote
    description: bytes  # as submitted
    route: int | None  # Venus' kind of proposal, None elsewhere
    block: int  # block of the submission


def parse_submission(log: Log) -> Submission:
    """Read a ProposalCreated log. Raises `MalformedProposal` if it cannot be decoded."""
    routed = bool(log.topics) and log.topics[0] == PROPOSAL_CREATED_ROUTED
    try:
        values = shared_decoder().values(_TYPES + (",uint8" if routed else ""), log.data)
    except DecodingFailed as error:
        raise MalformedProposal(
            f"the ProposalCreated event in block {log.block} could not be decoded: {error}"
        ) from error
    return Submission(
        proposal_id=_number(values[0]),
        proposer=str(values[1]),
        raw_actions=raw_actions(values[2], values[3], values[4], values[5]),
        start=_number(values[6]),
        end=_number(values[7]),
        description=octets(values[8]),
        route=_number(values[9]) if routed else None,
        block=log.block,
    )


def find_submission(
    sandbox: Sandbox, governor: str, proposal_id: int, *, newest: int
) -> Submission | None:
    """Find the ProposalCreated event of `proposal_id`, from block `newest` backwards.

    None if there is none. A malformed event of another proposal is passed over.
    Raises `MalformedProposal` if the event itself cannot be decoded.
    """
    wanted = proposal_id.to_bytes(32, "big")
    for logs in newest_first(
        sandbox,
        address=governor,
        topics=[[PROPOSAL_CREATED, PROPOSAL_CREATED_ROUTED]],
        newest=newest,
    ):
        for log in logs:
            if log.data[:32] == wanted:
                return parse_submission(log)
    return None


def find_execution(sandbox: Sandbox, governor: str, proposal_id: int, *, oldest: int) -> int | None:
    """Find the block in which `proposal_id` was executed, from block `oldest` on."""
    wanted = proposal_id.to_bytes(32, "big")
    for logs in oldest_first(
        sandbox,
        address=governor,
        topics=[PROPOSAL_EXECUTED],
        oldest=max(oldest, 0),
        newest=sandbox.block_number(),
    ):
        for log in logs:
            if log.data[:32] == wanted or (len(log.topics) > 1 and log.topics[1] == wanted):
                return log.block
    return None


def raw_actions(
    targets: Value, values: Value, signatures: Value, calldatas: Value
) -> tuple[RawAction, ...]:
    """Join the lists a governor keeps. Raises `MalformedProposal` if they differ in length."""
    assert isinstance(targets, tuple)
    assert isinstance(values, tuple)
    assert isinstance(signatures, tuple)
    assert isinstance(calldatas, tuple)
    signatures = signatures or ("0x",) * len(targets)
    if not len(targets) == len(values) == len(signatures) == len(calldatas):
        raise MalformedProposal(
            f"the governor gives {len(targets)} targets, {len(values)} values,"
            f" {len(signatures)} signatures and {len(calldatas)} calldatas for one proposal"
        )
    return tuple(
        RawAction(
            target=str(target), value=_number(value), signature=octets(text), calldata=octets(data)
        )
        for target, value, text, data in zip(targets, values, signatures, calldatas, strict=True)
    )


def octets(value: Value) -> bytes:
    """Turn a decoded byte string back into bytes."""
    return bytes.fromhex(str(value)[2:])


def _number(value: Value) -> int:
    assert isinstance(value, int)
    return value
