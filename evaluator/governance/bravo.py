"""GovernorBravo and GovernorAlpha, with Compound's timelock, and Venus' kinds of them.

Source: compound-finance/compound-protocol contracts/Governance and Venus'
governance-contracts. Ids count up; `proposals(id)` of an unknown id is all zeros,
which is not "pending". Calls come as signature string and arguments, or with an
empty string and full calldata.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from eth_abi.abi import encode
from eth_hash.auto import keccak

from evaluator.chain.receipts import Receipt
from evaluator.chain.sandbox import Sandbox
from evaluator.errors import MalformedProposal, ProposalError, UnknownProposal
from evaluator.governance import lifecycle, views
from evaluator.governance.ballot import Tally, Voter, find_delegates
from evaluator.governance.decoder import DecodingFailed, shared_decoder
from evaluator.governance.decoding.calls import RawAction
from evaluator.governance.proposal import (
    Proposal,
    ProposalDraft,
    ProposalState,
    check_destination,
)
from evaluator.governance.submission import (
    PROPOSAL_CREATED,
    PROPOSAL_CREATED_ROUTED,
    find_execution,
    find_submission,
    raw_actions,
)
from evaluator.governance.trace import ExecutionTrace

LOOK_BACK = 64  # proposals, newest first, searched for queued ones

# Where Bravos name what their votes are counted by; Venus' vault comes before its token.
_VOTES_VIEWS = ("xvsVault()", "comp()", "uni()", "xvs()", "token()", "votingToken()")

# Words of proposals(id): Alpha lacks the abstained votes, Venus adds the route.
_ALPHA_WORDS, _BRAVO_WORDS, _VENUS_WORDS = 9, 10, 11


@dataclass(frozen=True, kw_only=True)
class _Record:
    """What proposals(id) answers."""

    proposer: str  # lower-case
    eta: int  # s since 1970, 0 if not queued
    start: int  # block of the snapshot
    end: int  # last block of the vote
    in_favour: int  # votes for
    against: int  # votes against
    route: int | None  # Venus: 0 normal, 1 fast-track, 2 critical
    alpha: bool  # whether the governor is an Alpha


class GovernorBravo:
    """A GovernorBravo or GovernorAlpha at one address."""

    name = "GovernorBravo"

    def __init__(self, address: str) -> None:
        """Bind to `address`; nothing is read."""
        self.address = address.lower()

    @classmethod
    def probes(cls) -> tuple[str, ...]:
        """The views that only these governors answer."""
        return ("proposalCount()", "quorumVotes()", "proposalMaxOperations()", "proposals(uint256)")

    @classmethod
    def matches(cls, sandbox: Sandbox, address: str) -> bool:
        """Tell whether the views of a Bravo or an Alpha answer at `address`."""
        return (
            views.number(sandbox, address, "proposalCount()") is not None
            and views.number(sandbox, address, "quorumVotes()") is not None
            and views.number(sandbox, address, "proposalMaxOperations()") is not None
            and len(views.read(sandbox, address, "proposals(uint256)", 0) or b"")
            >= 32 * _ALPHA_WORDS
        )

    # Reading

    def state(self, sandbox: Sandbox, proposal_id: int) -> ProposalState:
        """Read a proposal's state. Raises `UnknownProposal`."""
        self._record(sandbox, proposal_id)
        number = views.number(sandbox, self.address, "state(uint256)", proposal_id)
        if number is None:
            raise self._unknown(sandbox, proposal_id)
        return ProposalState.from_number(number)

    def find(self, sandbox: Sandbox, proposal_id: int) -> Proposal:
        """Read a proposal from storage, and its description from the event.

        Raises `UnknownProposal` and `MalformedProposal`.
        """
        record = self._record(sandbox, proposal_id)
        state = self.state(sandbox, proposal_id)
        actions = self._actions(sandbox, proposal_id)
        submission = find_submission(
            sandbox,
            self.address,
            proposal_id,
            newest=min(record.start, sandbox.block_number()),
        )
        notes: tuple[str, ...] = ()
        if submission is None:
            notes = ("the ProposalCreated event was not found: the description is unknown",)
        return Proposal(
            family="GovernorAlpha" if record.alpha else self.name,
            governor=self.address,
            chain_id=sandbox.chain_id,
            proposal_id=proposal_id,
            proposer=record.proposer,
            raw_actions=actions,
            actions=shared_decoder().actions(actions),
            description_bytes=submission.description if submission is not None else b"",
            state=state,
            snapshot=record.start,
            deadline=record.end,
            eta=record.eta or None,
            created_block=submission.block if submission is not None else None,
            route=record.route,
            notes=notes,
        )

    def adopt(self, sandbox: Sandbox, draft: ProposalDraft) -> Proposal:
        """Make a draft a proposal of this governor, by the normal route where there are several."""
        check_destination(draft, governor=self.address, chain_id=sandbox.chain_id)
        return replace(
            self.unsubmitted(sandbox, draft.raw_actions, draft.description_bytes),
            proposal_id=None,
            proposer=draft.proposer,
            actions=draft.actions,
        )

    def unsubmitted(
        self, sandbox: Sandbox, actions: tuple[RawAction, ...], description: bytes
    ) -> Proposal:
        """A proposal before its submission, with the number that comes next."""
        routed = views.address(sandbox, self.address, "proposalTimelocks(uint256)", 0) is not None
        return Proposal(
            family="GovernorAlpha" if self._is_alpha(sandbox) else self.name,
            governor=self.address,
            chain_id=sandbox.chain_id,
            proposal_id=(views.number(sandbox, self.address, "proposalCount()") or 0) + 1,
            proposer=None,
            raw_actions=actions,
            actions=(),
            description_bytes=description,
            state=None,
            snapshot=None,
            deadline=None,
            eta=None,
            created_block=None,
            route=0 if routed else None,
        )

    def queued(self, sandbox: Sandbox) -> tuple[Proposal, ...]:
        """Return the proposals waiting in the timelock, in the order of their times.

        They are looked for among the last LOOK_BACK proposals.
        """
        count = views.number(sandbox, self.address, "proposalCount()") or 0
        ids = range(count, max(count - LOOK_BACK, 0), -1)
        states = views.words(
            sandbox, [(self.address, views.encode_call("state(uint256)", i)) for i in ids]
        )
        number = tuple(ProposalState).index(ProposalState.QUEUED)
        waiting: list[Proposal] = []
        for proposal_id, state in zip(ids, states, strict=True):
            if state == number:
                try:
                    waiting.append(self.find(sandbox, proposal_id))
                except ProposalError:
                    continue  # one that cannot be read cannot be executed first either
        return tuple(sorted(waiting, key=lambda p: (p.eta or 0, p.proposal_id or 0)))

    def evaluation_block(self, sandbox: Sandbox, proposal: Proposal) -> int | None:
        """Return the block before an executed proposal's execution, None if it was not."""
        if proposal.proposal_id is None or proposal.state is not ProposalState.EXECUTED:
            return None
        oldest = proposal.deadline or 0
        block = find_execution(sandbox, self.address, proposal.proposal_id, oldest=oldest)
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

    def executor(self, sandbox: Sandbox, proposal: Proposal) -> str:
        """The timelock of the proposal's route. Raises `ProposalError` if there is none."""
        timelock = None
        if proposal.route is not None:
            timelock = views.address(
                sandbox, self.address, "proposalTimelocks(uint256)", proposal.route
            )
        timelock = timelock or views.address(sandbox, self.address, "timelock()")
        if timelock is None:
            raise ProposalError(f"the governor {self.address} names no timelock to execute from")
        return timelock

    def votes(self, sandbox: Sandbox) -> str | None:
        """The vault or token, None if the governor names neither."""
        try:
            return self._votes(sandbox)
        except ProposalError:
            return None

    def uses_time(self, sandbox: Sandbox) -> bool:  # noqa: ARG002 - they all count blocks
        """These governors count blocks."""
        return False

    def submit_call(self, proposal: Proposal) -> bytes:
        """Calldata that proposes it, by its route where there are several."""
        types = ["address[]", "uint256[]", "string[]", "bytes[]", "string"]
        # Text goes out as the bytes it came in, well-formed or not.
        plain = ["address[]", "uint256[]", "bytes[]", "bytes[]", "bytes"]
        values: list[object] = [
            [action.target for action in proposal.raw_actions],
            [action.value for action in proposal.raw_actions],
            [action.signature for action in proposal.raw_actions],
            [action.calldata for action in proposal.raw_actions],
            proposal.description_bytes,
        ]
        if proposal.route is not None:
            types.append("uint8")
            plain.append("uint8")
            values.append(proposal.route)
        return keccak(f"propose({','.join(types)})".encode())[:4] + encode(plain, values)

    def submitted_id(self, sandbox: Sandbox, proposal: Proposal, receipt: Receipt) -> int:  # noqa: ARG002
        """The id the governor gave, from the receipt of the submission."""
        for log in receipt.logs:
            created = log.topics[:1] in ((PROPOSAL_CREATED,), (PROPOSAL_CREATED_ROUTED,))
            if created and log.address == self.address:
                return int.from_bytes(log.data[:32], "big")
        raise MalformedProposal(f"the governor {self.address} told no id for the submission")

    def delegates(
        self, sandbox: Sandbox, *, needed: int, snapshot: int | None
    ) -> tuple[tuple[Voter, ...], str]:
        """Accounts with voting power at `snapshot`, or just now, strongest first."""
        votes = self._votes(sandbox)
        block = sandbox.block_number() - 1 if snapshot is None else snapshot

        def power(accounts: Sequence[str]) -> list[int]:
            calls = [
                (votes, views.encode_call("getPriorVotes(address,uint256)", account, block))
                for account in accounts
            ]
            return [word or 0 for word in views.words(sandbox, calls)]

        return find_delegates(
            sandbox, token=votes, governor=self.address, power=power, needed=needed
        )

    def quorum(self, sandbox: Sandbox) -> int:
        """Votes a quorum takes."""
        return views.number(sandbox, self.address, "quorumVotes()") or 0

    def tally(self, sandbox: Sandbox, proposal: Proposal) -> Tally:
        """The votes so far and the quorum."""
        assert proposal.proposal_id is not None
        record = self._record(sandbox, proposal.proposal_id)
        return Tally(
            in_favour=record.in_favour,
            against=record.against,
            counted=record.in_favour,
            quorum=self.quorum(sandbox),
        )

    def has_voted(
        self, sandbox: Sandbox, proposal: Proposal, accounts: Sequence[str]
    ) -> list[bool]:
        """Whether each account has voted on the proposal."""
        calls = [
            (
                self.address,
                views.encode_call("getReceipt(uint256,address)", proposal.proposal_id, account),
            )
            for account in accounts
        ]
        return [bool(word) for word in views.words(sandbox, calls)]

    def vote_call(self, proposal: Proposal, *, in_favour: bool = True) -> bytes:
        """Calldata of a vote in favour, or against."""
        kind = "bool" if proposal.family == "GovernorAlpha" else "uint8"
        choice = in_favour if kind == "bool" else int(in_favour)
        return views.encode_call(f"castVote(uint256,{kind})", proposal.proposal_id, choice)

    def queue_call(self, sandbox: Sandbox, proposal: Proposal) -> bytes | None:  # noqa: ARG002
        """Calldata that queues it."""
        return views.encode_call("queue(uint256)", proposal.proposal_id)

    def execute_call(self, proposal: Proposal) -> bytes:
        """Calldata that executes it."""
        return views.encode_call("execute(uint256)", proposal.proposal_id)

    # Within

    def _record(self, sandbox: Sandbox, proposal_id: int) -> _Record:
        answer = views.read(sandbox, self.address, "proposals(uint256)", proposal_id) or b""
        words = [int.from_bytes(answer[i : i + 32], "big") for i in range(0, len(answer), 32)]
        if len(words) < _ALPHA_WORDS or words[0] != proposal_id or proposal_id == 0:
            raise self._unknown(sandbox, proposal_id)
        return _Record(
            proposer=f"0x{words[1] % (1 << 160):040x}",
            eta=words[2],
            start=words[3],
            end=words[4],
            in_favour=words[5],
            against=words[6],
            route=words[10] if len(words) == _VENUS_WORDS else None,
            alpha=len(words) == _ALPHA_WORDS,
        )

    def _unknown(self, sandbox: Sandbox, proposal_id: int) -> UnknownProposal:
        count = views.number(sandbox, self.address, "proposalCount()") or 0
        first = views.number(sandbox, self.address, "initialProposalId()") or 0
        hint = "check the id, the governor and the chain"
        if 0 < proposal_id <= first:
            hint = f"its first is {first + 1}, older ones live at the governor before it"
        return UnknownProposal(
            f"the governor {self.address} has no proposal {proposal_id}, its last is {count}:"
            f" {hint}"
        )

    def _actions(self, sandbox: Sandbox, proposal_id: int) -> tuple[RawAction, ...]:
        data = views.read(sandbox, self.address, "getActions(uint256)", proposal_id)
        if data is None:
            raise MalformedProposal(
                f"the governor {self.address} does not tell the calls of proposal {proposal_id}"
            )
        try:
            # Signatures are read as bytes: the timelock hashes them as they are.
            lists = shared_decoder().values("address[],uint256[],bytes[],bytes[]", data)
        except DecodingFailed as error:
            raise MalformedProposal(
                f"the calls of proposal {proposal_id} could not be decoded: {error}"
            ) from error
        return raw_actions(*lists)

    def _is_alpha(self, sandbox: Sandbox) -> bool:
        answer = views.read(sandbox, self.address, "proposals(uint256)", 0) or b""
        return len(answer) == 32 * _ALPHA_WORDS

    def _votes(self, sandbox: Sandbox) -> str:
        for signature in _VOTES_VIEWS:
            found = views.address(sandbox, self.address, signature)
            if found is not None:
                return found
        raise ProposalError(
            f"the governor {self.address} does not say what its votes are counted by; tried"
            f" {', '.join(_VOTES_VIEWS)}"
        )
