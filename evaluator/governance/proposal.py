"""Proposals: what they call, in which state they are, and the digest that names them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from evaluator.errors import MalformedProposal
from evaluator.governance.decoding.calls import Action, RawAction

_DIGEST_DOMAIN = b"seatrial proposal 1\n"


class ProposalState(StrEnum):
    """Where a proposal stands in its life, in the order of the governors' own numbers."""

    PENDING = "pending"  # submitted, voting has not begun
    ACTIVE = "active"  # being voted on
    CANCELED = "canceled"
    DEFEATED = "defeated"  # voting ended without quorum or majority
    SUCCEEDED = "succeeded"  # voting ended in favour, not queued yet
    QUEUED = "queued"  # waiting in the timelock
    EXPIRED = "expired"  # queued, and its time to be executed has passed
    EXECUTED = "executed"

    @classmethod
    def from_number(cls, number: int) -> ProposalState:
        """Return the state a governor's `state(id)` stands for.

        GovernorAlpha, GovernorBravo and OpenZeppelin's Governor share the numbers 0 to 7.
        Raises `MalformedProposal` for another number.
        """
        states = tuple(cls)
        if not 0 <= number < len(states):
            raise MalformedProposal(
                f"the governor gives {number} as the proposal's state; 0 to 7 are known"
            )
        return states[number]


@dataclass(frozen=True, kw_only=True)
class ProposalDraft:
    """A proposal before it is submitted, e.g. out of a file."""

    raw_actions: tuple[RawAction, ...]  # calls as given, in order
    actions: tuple[Action, ...]  # the same calls decoded and unfolded
    description_bytes: bytes  # description as submitted, UTF-8 if it is well formed
    proposer: str | None = None  # address that is to submit it, None to look for one
    governor: str | None = None  # address of the governor it is meant for, None if not said
    chain_id: int | None = None  # chain it is meant for, None if not said

    @property
    def description(self) -> str:
        """The description as text; bytes that are no UTF-8 show as replacement characters."""
        return self.description_bytes.decode("utf-8", errors="replace")

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the contents, 64 hex digits; see `content_digest`."""
        return content_digest(self.raw_actions, self.description_bytes)


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """A proposal at a governor, submitted or about to be."""

    family: str  # name of the governor's family, e.g. "OpenZeppelin Governor"
    governor: str  # address of the governor, lower-case
    chain_id: int  # EIP-155 chain id
    proposal_id: int | None  # the governor's id, None if not submitted
    proposer: str | None  # address that submitted or is to submit it
    raw_actions: tuple[RawAction, ...]  # calls as submitted, in order
    actions: tuple[Action, ...]  # the same calls decoded and unfolded
    description_bytes: bytes  # description as submitted
    state: ProposalState | None  # state when it was read, None if not submitted
    snapshot: int | None  # timepoint (block or s) whose voting power counts
    deadline: int | None  # last timepoint (block or s) of the vote
    eta: int | None  # earliest time of execution (s since 1970), None if not queued
    created_block: int | None  # block of the submission, None if unknown
    description_hash: bytes | None = None  # Keccak-256, where the description is unknown
    route: int | None = None  # Venus: 0 normal, 1 fast-track, 2 critical; None elsewhere
    notes: tuple[str, ...] = ()  # what a reader must know, such as a description not found

    @property
    def description(self) -> str:
        """The description as text; bytes that are no UTF-8 show as replacement characters."""
        return self.description_bytes.decode("utf-8", errors="replace")

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the contents, 64 hex digits; see `content_digest`."""
        return content_digest(self.raw_actions, self.description_bytes)


def check_destination(draft: ProposalDraft, *, governor: str, chain_id: int) -> None:
    """Raise `MalformedProposal` if a draft says it is meant for another governor or chain."""
    if draft.chain_id is not None and draft.chain_id != chain_id:
        raise MalformedProposal(
            f"the proposal is meant for chain {draft.chain_id} and this is chain {chain_id}: use an"
            " endpoint of its chain, or correct its chainId"
        )
    if draft.governor is not None and draft.governor.lower() != governor.lower():
        raise MalformedProposal(
            f"the proposal is meant for the governor {draft.governor} and not for {governor}: name"
            " the one it is meant for, or correct its governor"
        )


def content_digest(actions: Iterable[RawAction], description: bytes) -> str:
    """Hash what a proposal would do: targets, values, full calldatas, description.

    A draft and the proposal submitted from it have the same digest on any chain and
    at any governor, and so have the two ways of writing a call (signature string and
    arguments, or full calldata). SHA-256, 64 hex digits.
    """
    digest = hashlib.sha256(_DIGEST_DOMAIN)
    for action in actions:
        calldata = action.full_calldata
        digest.update(b"call")
        digest.update(bytes.fromhex(action.target[2:]))
        digest.update(action.value.to_bytes(32, "big"))
        digest.update(len(calldata).to_bytes(8, "big") + calldata)
    digest.update(b"text" + len(description).to_bytes(8, "big") + description)
    return digest.hexdigest()


def parse_proposal_id(text: str | int) -> int:
    """Read a proposal id, decimal or 0x hex. Raises `MalformedProposal`."""
    number = text if isinstance(text, int) else _parse_number(text.strip())
    if number is None or not 0 <= number < 1 << 256:
        raise MalformedProposal(
            f"{str(text)[:100]!r} is not a proposal id: give a decimal number or 0x and hex digits,"
            " below 2^256"
        )
    return number


def _parse_number(text: str) -> int | None:
    if re.fullmatch(r"0[xX][0-9a-fA-F]{1,64}", text):
        return int(text, 16)
    if re.fullmatch(r"[0-9]{1,78}", text):
        return int(text)
    return None
