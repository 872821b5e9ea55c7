"""What a governor governs: contracts that its past says belong to it."""

from __future__ import annotations

from eth_hash.auto import keccak

from evaluator.chain.sandbox import Sandbox
from evaluator.errors import MalformedProposal, RpcError
from evaluator.governance.log_scan import newest_first
from evaluator.governance.submission import (
    PROPOSAL_CREATED,
    PROPOSAL_CREATED_ROUTED,
    parse_submission,
)

PROPOSALS = 40  # past proposals whose targets are named, newest first
CONTRACTS = 64  # that made the executor their owner, or gave it a role
CHUNKS = 24  # ranges of blocks that are searched for either
# The account is the second indexed field of both.
_GIVEN = (
    keccak(b"RoleGranted(bytes32,address,address)"),
    keccak(b"OwnershipTransferred(address,address)"),
)


def governed_contracts(sandbox: Sandbox, governor: str, executor: str) -> tuple[str, ...]:
    """Return what past proposals called, and what named the executor owner or role holder.

    Lower-case, governor and executor themselves left out. Only so far back as CHUNKS
    requests reach; an endpoint that refuses to search leaves out what it does not tell.
    """
    found = dict.fromkeys((*_called(sandbox, governor), *_given(sandbox, executor)))
    own = (governor.lower(), executor.lower())
    return tuple(a for a in found if a not in own)


def _called(sandbox: Sandbox, governor: str) -> list[str]:
    out: list[str] = []
    proposals = 0
    try:
        scan = newest_first(
            sandbox,
            address=governor,
            topics=[[PROPOSAL_CREATED, PROPOSAL_CREATED_ROUTED]],
            newest=sandbox.block_number(),
        )
        for _, logs in zip(range(CHUNKS), scan, strict=False):
            for log in logs:
                proposals += 1
                try:
                    out += [a.target.lower() for a in parse_submission(log).raw_actions]
                except MalformedProposal:
                    continue  # a hostile one hides no other
            if proposals >= PROPOSALS:
                break
    except RpcError:
        return out
    return out


def _given(sandbox: Sandbox, executor: str) -> list[str]:
    account = bytes.fromhex(executor[2:]).rjust(32, b"\0")
    out: dict[str, None] = {}
    try:
        scan = newest_first(
            sandbox,
            address=None,
            topics=[_GIVEN, None, account],
            newest=sandbox.block_number(),
        )
        for _, logs in zip(range(CHUNKS), scan, strict=False):
            out.update(dict.fromkeys(log.address.lower() for log in logs))
            if len(out) >= CONTRACTS:
                break
    except RpcError:
        return list(out)
    return list(out)[:CONTRACTS]
