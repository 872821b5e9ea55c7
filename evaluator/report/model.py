"""The report's model: one versioned schema that every rendering is made from.

A section that was not computed is None and is said to be "not computed"; an
empty tuple means it was computed and there is nothing. Ratios are fractions,
money is USD, times are seconds, integers that may exceed 2^53 are decimal
text. The parts of a market's stress results are in `evaluator.report.odds`.
"""

from __future__ import annotations

from typing import Literal

from evaluator.market import Unit
from evaluator.report.manifest import Manifest
from evaluator.report.odds import MarketSection
from evaluator.report.part import Part, Text, digest_of

SCHEMA_VERSION = "1.0"
VerdictName = Literal["PASS", "CAUTION", "FAIL", "INCONCLUSIVE"]


class Headline(Part):
    """What a delegate reads first."""

    verdict: VerdictName
    sentence: Text  # what the proposal does and what it costs, as a person would say it
    reason: Text  # the one reason for the verdict, with number and bound


class ProposalSection(Part):
    """The proposal as it was found."""

    title: Text  # first line of the description, or "untitled"
    description: Text  # whole
    family: Text  # of the governor, "OpenZeppelin Governor"
    governor: Text | None  # address; None: a draft without governor
    proposal_id: Text | None  # decimal; None: not yet proposed
    proposer: Text | None  # address
    state: Text | None  # of its lifecycle at the block
    chain_id: int
    chain_name: Text
    block: int  # evaluated at
    block_hash: Text
    timestamp: int  # of that block, seconds since the epoch
    digest: Text  # sha256 of the proposal


class ExecutionStepRow(Part):
    """One transaction of the way to execution."""

    name: Text  # "propose", "vote", "queue", "execute", ...
    succeeded: bool
    gas_used: int | None
    transaction: Text  # hash


class ExecutionSection(Part):
    """What execution on the fork came to."""

    succeeded: bool
    way: Text  # "governance lifecycle", "timelock directly"
    reason: Text  # decoded revert reason, "" if none
    gas_used: int | None  # of the executing transaction
    steps: tuple[ExecutionStepRow, ...]
    executed_first: tuple[Text, ...]  # queued proposals of the same timelock, in eta order
    notes: tuple[Text, ...]


class ParameterRow(Part):
    """One measured difference of a parameter."""

    path: Text  # "aave_v3.WETH.liquidation_threshold"
    protocol: Text  # "aave_v3"
    asset: Text  # symbol, "" for the whole market
    label: Text  # in the protocol's words
    unit: Unit
    before: bool | float | Text | None  # None: did not exist; no limit is the text "no limit"
    after: bool | float | Text | None  # None: does not exist any more
    mentioned: bool | None = None  # by the description; None: text not compared


class JudgementRow(Part):
    """One rule of the policy applied to one number."""

    kind: VerdictName  # what the rule alone would say
    rule: Text  # key in the policy
    sentence: Text
    number: Text  # measured, as written for people
    bound: Text  # held against
    source: Text


class PolicySection(Part):
    """The policy, every rule applied, and what could not be judged."""

    name: Text
    digest: Text
    judgements: tuple[JudgementRow, ...]
    not_judged: tuple[Text, ...]  # checks that were not made


class FindingRow(Part):
    """See `evaluator.verdict.Finding`."""

    identifier: Text  # for `seatrial explain`
    kind: Text
    severity: Literal["high", "medium", "low"]
    title: Text
    detail: Text
    source: Text


class AdversarySection(Part):
    """The adversary search and its best find."""

    sequences: int  # tried
    budget_usd: float | None  # flash loan
    gain_usd: float  # beyond what today's state allows
    loss_usd: float  # of the protocol, likewise
    what: Text  # the way, "" if nothing was found
    confirmed: bool  # by mined transactions
    attacks: tuple[AttackRow, ...] = ()  # the costliest first
    notes: tuple[Text, ...] = ()  # what could not be tried


class AttackTransactionRow(Part):
    """One mined transaction of a confirmed attack."""

    what: Text  # in words
    sender: Text
    to: Text
    gas_used: int


class AttackRow(Part):
    """One way to harm that the search found."""

    identifier: Text  # of its finding, for `seatrial attack replay`
    market: Text  # name, see MarketSection.name
    pattern: Text  # the idea in a few words
    moves: tuple[Text, ...]  # in words, first to last
    sequence: Text  # the same for a replay, JSON
    protocol_loss_usd: float  # bad debt and theft
    user_harm_usd: float  # of liquidated users
    frozen: tuple[Text, ...]  # reserves whose price can no longer be read afterwards
    capital_usd: float  # least found
    profit_usd: float  # the attacker's, before a loan's fee
    atomic: bool  # one transaction without anybody else
    paid_by: Text  # flash loans that pay for it, "" if capital of one's own is needed
    loan_profit_usd: float | None  # profit with the loan, its fee paid; None without one
    before_loss_usd: float  # what the same moves cost today: protocol and users
    open_today: bool  # about as much is possible today
    with_execution: bool  # also in the block that executes the proposal
    confirmed: bool  # with mined transactions
    transactions: tuple[AttackTransactionRow, ...] = ()


class ArgumentRow(Part):
    """One decoded argument."""

    name: Text
    type: Text
    value: Text


class ActionNode(Part):
    """One call of the proposal, with the calls it unfolds to."""

    target: Text  # address
    label: Text  # what the target is, "" if unknown
    value: Text  # wei, decimal
    signature: Text  # "" if unknown
    arguments: tuple[ArgumentRow, ...]
    calldata: Text  # hex with 0x
    children: tuple[ActionNode, ...] = ()


class EventRow(Part):
    """One event of the executing transaction."""

    contract: Text
    name: Text  # or topic 0
    arguments: tuple[ArgumentRow, ...]


class StateChangeRow(Part):
    """Storage or code of one contract that execution changed."""

    contract: Text
    what: Text  # "storage slot 0x..", "code"
    before: Text
    after: Text


class RoleChangeRow(Part):
    """A role, owner or admin that execution changed."""

    contract: Text
    what: Text  # "role RISK_ADMIN granted", "owner"
    before: Text
    after: Text
    announced: bool | None  # by the description; None: text not compared


class TransferRow(Part):
    """Native value or tokens that moved."""

    token: Text  # symbol or address; "native"
    sender: Text
    recipient: Text
    amount: Text  # whole tokens, decimal


class TextRow(Part):
    """One statement of the description held against what was measured."""

    statement: Text  # as found in the text, or "" for a change it does not mention
    measured: Text  # what was measured, "" if nothing corresponds
    result: Literal["agrees", "named without a value", "contradicts", "not mentioned", "not done"]


class NotModelledRow(Part):
    """Something the proposal does that the model has no notion of."""

    name: Text
    what: Text
    irrelevant: Text  # why it cannot touch solvency, "" if it could


class AssumptionRow(Part):
    """An assumption behind the odds."""

    name: Text
    value: Text
    why: Text


class ReproduceSection(Part):
    """How to arrive at the same digests."""

    command: Text
    digest: Text  # of the manifest
    manifest: Manifest


class ReportModel(Part):
    """A whole report."""

    schema_version: Literal["1.0"] = "1.0"
    headline: Headline
    proposal: ProposalSection
    policy: PolicySection
    execution: ExecutionSection | None
    parameters: tuple[ParameterRow, ...] | None
    markets: tuple[MarketSection, ...]
    adversary: AdversarySection | None = None
    findings: tuple[FindingRow, ...] = ()
    actions: tuple[ActionNode, ...] | None = None
    events: tuple[EventRow, ...] | None = None
    state_changes: tuple[StateChangeRow, ...] | None = None
    role_changes: tuple[RoleChangeRow, ...] | None = None
    transfers: tuple[TransferRow, ...] | None = None
    text_against_payload: tuple[TextRow, ...] | None = None
    not_modelled: tuple[NotModelledRow, ...] = ()
    assumptions: tuple[AssumptionRow, ...] | None = None
    notes: tuple[Text, ...] = ()  # "real bytecode, seeded state", refreshed feeds, ...
    reproduce: ReproduceSection
    content_digest: Text = ""  # sha256 of everything above, "" until sealed

    def computed_digest(self) -> str:
        """Return the sha256 of the content."""
        return digest_of(self.model_dump(mode="json", exclude={"content_digest"}))

    def sealed(self) -> ReportModel:
        """Return the same report carrying its digest."""
        return self.model_copy(update={"content_digest": self.computed_digest()})
