"""OpenZeppelin's Governor, versions 4 and 5, with a timelock or without.

Source: @openzeppelin/contracts, governance/Governor.sol and extensions. A proposal's
id is the hash of its calls and its description's hash; the calls themselves stand in
the ProposalCreated event, and in GovernorStorage where that is used.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from eth_abi.abi import encode
from eth_hash.auto import keccak

from evaluator.chain.receipts import Receipt
from evaluator.chain.sandbox import Sandbox
from evaluator.errors import MalformedProposal, ProposalError, UnknownProposal
from evaluator.governance import lifecycle, views
from evaluator.governance.ballot import Tally, Voter, find_delegates
from evaluator.governance.blocks import block_by
from evaluator.governance.decoder import DecodingFailed, shared_decoder
from evaluator.governance.decoding.calls import RawAction
from evaluator.governance.log_scan import newest_first
from evaluator.governance.proposal import (
    Proposal,
    ProposalDraft,
    ProposalState,
    check_destination,
)
from evaluator.governance.submission import (
    PROPOSAL_CREATED,
    PROPOSAL_QUEUED,
    Submission,
    find_execution,
    find_submission,
    octets,
    raw_actions,
)
from evaluator.governance.trace import ExecutionTrace

LOOK_BACK = 216_000  # blocks searched for queued proposals: 30 days of 12 s
MAX_QUEUED = 32  # queued proposals read

_LISTS = "(address[],uint256[],bytes[],bytes32)"


class OpenZeppelinGovernor:
    """An OpenZeppelin Governor at one address."""

    name = "OpenZeppelin Governor"

    def __init__(self, address: str) -> None:
        """Bind to `address`; nothing is read."""
        self.address = address.lower()

    @classmethod
    def probes(cls) -> tuple[str, ...]:
        """The views that only a Governor answers."""
        return ("COUNTING_MODE()", "votingPeriod()", "votingDelay()")

    @classmethod
    def matches(cls, sandbox: Sandbox, address: str) -> bool:
        """Tell whether the views of a Governor answer at `address`."""
        return (
            views.text(sandbox, address, "COUNTING_MODE()") is not None
            and views.number(sandbox, address, "votingPeriod()") is not None
            and views.number(sandbox, address, "votingDelay()") is not None
        )

    # Reading

    def state(self, sandbox: Sandbox, proposal_id: int) -> ProposalState:
        """Read a proposal's state. Raises `UnknownProposal`."""
        number = views.number(sandbox, self.address, "state(uint256)", proposal_id)
        if number is None:
            raise UnknownProposal(
                f"the governor {self.address} has no proposal {proposal_id}: check the id, the"
                " governor and the chain"
            )
        return ProposalState.from_number(number)

    def find(self, sandbox: Sandbox, proposal_id: int) -> Proposal:
        """Read a proposal from its event, or from storage where the governor keeps it.

        Raises `UnknownProposal`, also if its calls are nowhere to be found, and
        `MalformedProposal`.
        """
        state = self.state(sandbox, proposal_id)
        snapshot = views.number(sandbox, self.address, "proposalSnapshot(uint256)", proposal_id)
        deadline = views.number(sandbox, self.address, "proposalDeadline(uint256)", proposal_id)
        eta = views.number(sandbox, self.address, "proposalEta(uint256)", proposal_id)
        submission = self._submission(sandbox, proposal_id, snapshot)
        notes: tuple[str, ...] = ()
        description_hash: bytes | None = None
        if submission is not None:
            actions = submission.raw_actions
            description = submission.description
        else:
            stored = self._stored(sandbox, proposal_id)
            if stored is None:
                raise UnknownProposal(
                    f"the governor {self.address} knows proposal {proposal_id}, but its"
                    " ProposalCreated event was not found: the endpoint may not serve old logs"
                )
            (actions, description_hash), description = stored, b""
            notes = (
                "the ProposalCreated event was not found: the calls were read from storage and the"
                " description is unknown",
            )
        return Proposal(
            family=self.name,
            governor=self.address,
            chain_id=sandbox.chain_id,
            proposal_id=proposal_id,
            proposer=submission.proposer
            if submission is not None
            else views.address(sandbox, self.address, "proposalProposer(uint256)", proposal_id),
            raw_actions=actions,
            actions=shared_decoder().actions(actions),
            description_bytes=description,
            state=state,
            snapshot=snapshot,
            deadline=deadline,
            eta=eta or None,
            created_block=submission.block if submission is not None else None,
            description_hash=description_hash,
            notes=notes,
        )

    def adopt(self, sandbox: Sandbox, draft: ProposalDraft) -> Proposal:
        """Make a draft a proposal of this governor; one submitted already is found by its hash."""
        check_destination(draft, governor=self.address, chain_id=sandbox.chain_id)
        hashed = self.unsubmitted(sandbox, draft.raw_actions, draft.description_bytes)
        number = hashed.proposal_id
        proposal = replace(hashed, proposal_id=None, proposer=draft.proposer, actions=draft.actions)
        try:
            return proposal if number is None else self.find(sandbox, number)
        except UnknownProposal:
            return proposal

    def unsubmitted(
        self, sandbox: Sandbox, actions: tuple[RawAction, ...], description: bytes
    ) -> Proposal:
        """A proposal before its submission, with the id that its hash gives it."""
        proposal = Proposal(
            family=self.name,
            governor=self.address,
            chain_id=sandbox.chain_id,
            proposal_id=None,
            proposer=None,
            raw_actions=actions,
            actions=(),
            description_bytes=description,
            state=None,
            snapshot=None,
            deadline=None,
            eta=None,
            created_block=None,
        )
        number = views.number(sandbox, self.address, f"hashProposal{_LISTS}", *_arguments(proposal))
        return replace(proposal, proposal_id=number)

    def queued(self, sandbox: Sandbox) -> tuple[Proposal, ...]:
        """Return the proposals waiting in the timelock, in the order of their times.

        They are looked for in the last LOOK_BACK blocks.
        """
        head = sandbox.block_number()
        ids: dict[int, None] = {}
        for logs in newest_first(
            sandbox,
            address=self.address,
            topics=[PROPOSAL_QUEUED],
            newest=head,
            oldest=max(head - LOOK_BACK, 0),
        ):
            for log in logs:
                ids.setdefault(int.from_bytes(log.data[:32], "big"))
        waiting: list[Proposal] = []
        for number in ids:
            try:
                if self.state(sandbox, number) is ProposalState.QUEUED:
                    waiting.append(self.find(sandbox, number))
            except ProposalError:
                continue  # an event that names no proposal of this governor
            if len(waiting) >= MAX_QUEUED:
                break
        return tuple(sorted(waiting, key=lambda p: (p.eta or 0, p.created_block or 0)))

    def evaluation_block(self, sandbox: Sandbox, proposal: Proposal) -> int | None:
        """Return the block before an executed proposal's execution, None if it was not."""
        if proposal.proposal_id is None or proposal.state is not ProposalState.EXECUTED:
            return None
        block = find_execution(
            sandbox, self.address, proposal.proposal_id, oldest=proposal.created_block or 0
        )
        return None if block is None else block - 1

    # Executing

    def execute(
        self,
        sandbox: Sandbox,
        proposal: Proposal,
        *,
        feeds: Sequence[str] = (),
        before_execution: Callable[[], None] | None = None,
    ) -> ExecutionTrace:
        """Carry a proposal to execution; see `lifecycle.execute`."""
        return lifecycle.execute(
            self, sandbox, proposal, feeds=feeds, before_execution=before_execution
        )

    def executor(self, sandbox: Sandbox, proposal: Proposal) -> str:  # noqa: ARG002 - one for all
        """The timelock, or the governor itself where there is none."""
        return views.address(sandbox, self.address, "timelock()") or self.address

    def votes(self, sandbox: Sandbox) -> str | None:
        """The token, or the governor itself where it names none."""
        return views.address(sandbox, self.address, "token()") or self.address

    def uses_time(self, sandbox: Sandbox) -> bool:
        """Whether the governor counts seconds (ERC-6372) instead of blocks."""
        mode = views.text(sandbox, self.address, "CLOCK_MODE()") or ""
        return "mode=timestamp" in mode

    def submit_call(self, proposal: Proposal) -> bytes:
        """Calldata that proposes it."""
        targets, values, calldatas, _ = _arguments(proposal)
        return keccak(b"propose(address[],uint256[],bytes[],string)")[:4] + encode(
            # Text goes out as the bytes it came in, well-formed or not.
            ["address[]", "uint256[]", "bytes[]", "bytes"],
            [targets, values, calldatas, proposal.description_bytes],
        )

    def submitted_id(self, sandbox: Sandbox, proposal: Proposal, receipt: Receipt) -> int:  # noqa: ARG002
        """The id the governor gave, from the receipt of the submission."""
        for log in receipt.logs:
            if log.address == self.address and log.topics[:1] == (PROPOSAL_CREATED,):
                return int.from_bytes(log.data[:32], "big")
        raise MalformedProposal(f"the governor {self.address} told no id for the submission")

    def delegates(
        self, sandbox: Sandbox, *, needed: int, snapshot: int | None
    ) -> tuple[tuple[Voter, ...], str]:
        """Accounts with voting power at `snapshot`, or just now, strongest first."""
        timepoint = snapshot
        if timepoint is None:
            clock = views.number(sandbox, self.address, "clock()")
            timepoint = (sandbox.block_number() if clock is None else clock) - 1

        def power(accounts: Sequence[str]) -> list[int]:
            calls = [
                (self.address, views.encode_call("getVotes(address,uint256)", a, timepoint))
                for a in accounts
            ]
            return [word or 0 for word in views.words(sandbox, calls)]

        return find_delegates(
            sandbox,
            token=self.votes(sandbox) or self.address,
            governor=self.address,
            power=power,
            needed=needed,
        )

    def quorum(self, sandbox: Sandbox) -> int:
        """Votes a quorum takes now; 0 if the governor does not say."""
        clock = views.number(sandbox, self.address, "clock()")
        timepoint = (sandbox.block_number() if clock is None else clock) - 1
        return views.number(sandbox, self.address, "quorum(uint256)", timepoint) or 0

    def tally(self, sandbox: Sandbox, proposal: Proposal) -> Tally:
        """The votes so far and the quorum at the snapshot. Raises `ProposalError`."""
        answer = views.values(
            sandbox,
            self.address,
            "uint256,uint256,uint256",
            "proposalVotes(uint256)",
            proposal.proposal_id,
        )
        quorum = views.number(sandbox, self.address, "quorum(uint256)", proposal.snapshot)
        if answer is None or quorum is None:
            raise ProposalError(
                f"the governor {self.address} does not tell its votes or quorum: it counts in a way"
                " Seatrial does not know"
            )
        against, in_favour, abstained = (int(v) for v in answer if isinstance(v, int))
        mode = views.text(sandbox, self.address, "COUNTING_MODE()") or ""
        with_abstained = "quorum=for,abstain" in mode
        return Tally(
            in_favour=in_favour,
            against=against,
            counted=in_favour + (abstained if with_abstained else 0),
            quorum=quorum,
        )

    def has_voted(
        self, sandbox: Sandbox, proposal: Proposal, accounts: Sequence[str]
    ) -> list[bool]:
        """Whether each account has voted on the proposal."""
        calls = [
            (
                self.address,
                views.encode_call("hasVoted(uint256,address)", proposal.proposal_id, account),
            )
            for account in accounts
        ]
        return [bool(word) for word in views.words(sandbox, calls)]

    def vote_call(self, proposal: Proposal, *, in_favour: bool = True) -> bytes:
        """Calldata of a vote in favour, or against."""
        return views.encode_call("castVote(uint256,uint8)", proposal.proposal_id, int(in_favour))

    def queue_call(self, sandbox: Sandbox, proposal: Proposal) -> bytes | None:
        """Calldata that queues it; None where there is nothing to queue in."""
        needs = views.number(
            sandbox, self.address, "proposalNeedsQueuing(uint256)", proposal.proposal_id
        )
        if needs is None:  # version 4 does not say
            needs = int(views.address(sandbox, self.address, "timelock()") is not None)
        return views.encode_call(f"queue{_LISTS}", *_arguments(proposal)) if needs else None

    def execute_call(self, proposal: Proposal) -> bytes:
        """Calldata that executes it."""
        return views.encode_call(f"execute{_LISTS}", *_arguments(proposal))

    # Within

    def _submission(
        self, sandbox: Sandbox, proposal_id: int, snapshot: int | None
    ) -> Submission | None:
        """Look for the event at and before the snapshot, which lies after the submission."""
        newest = sandbox.block_number()
        if snapshot:
            newest = (
                block_by(sandbox, snapshot) if self.uses_time(sandbox) else min(snapshot, newest)
            )
        return find_submission(sandbox, self.address, proposal_id, newest=newest)

    def _stored(
        self, sandbox: Sandbox, proposal_id: int
    ) -> tuple[tuple[RawAction, ...], bytes] | None:
        """The calls and the description's hash in GovernorStorage; None where it is not used."""
        data = views.read(sandbox, self.address, "proposalDetails(uint256)", proposal_id)
        if data is None:
            return None
        try:
            targets, values, calldatas, description_hash = shared_decoder().values(
                "address[],uint256[],bytes[],bytes32", data
            )
        except DecodingFailed as error:
            raise MalformedProposal(
                f"the calls of proposal {proposal_id} could not be decoded: {error}"
            ) from error
        return raw_actions(targets, values, (), calldatas), octets(description_hash)


def _arguments(proposal: Proposal) -> tuple[list[str], list[int], list[bytes], bytes]:
    """Targets, values, full calldatas and the description's hash, as the governor hashes them."""
    return (
        [action.target for action in proposal.raw_actions],
        [action.value for action in proposal.raw_actions],
        [action.full_calldata for action in proposal.raw_actions],
        proposal.description_hash or keccak(proposal.description_bytes),
    )
