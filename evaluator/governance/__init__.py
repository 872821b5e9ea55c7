"""Governance: proposals found, decoded and really executed, one adapter per family.

`open_governor` finds the family; its adapter finds a proposal or adopts a draft out
of a file, and `execute` carries it through vote, queue and delay to what it does.
"""

from evaluator.governance.adapter import GovernorAdapter, governor_families, open_governor
from evaluator.governance.decoding.calls import (
    Action,
    CallSource,
    DecodedArgument,
    DecodedCall,
    RawAction,
)
from evaluator.governance.decoding.events import DecodedEvent
from evaluator.governance.proposal import (
    Proposal,
    ProposalDraft,
    ProposalState,
    content_digest,
    parse_proposal_id,
)
from evaluator.governance.proposal_file import load_proposal_file, parse_proposal
from evaluator.governance.trace import (
    CodeChange,
    CodeChangeKind,
    ExecutionStep,
    ExecutionTrace,
    ExecutionWay,
    OwnerChange,
    RoleChange,
    StorageChange,
    Transfer,
)
from evaluator.governance.unannounced import UnannouncedChange, unannounced_changes

__all__ = [
    "Action",
    "CallSource",
    "CodeChange",
    "CodeChangeKind",
    "DecodedArgument",
    "DecodedCall",
    "DecodedEvent",
    "ExecutionStep",
    "ExecutionTrace",
    "ExecutionWay",
    "GovernorAdapter",
    "OwnerChange",
    "Proposal",
    "ProposalDraft",
    "ProposalState",
    "RawAction",
    "RoleChange",
    "StorageChange",
    "Transfer",
    "UnannouncedChange",
    "content_digest",
    "governor_families",
    "load_proposal_file",
    "open_governor",
    "parse_proposal",
    "parse_proposal_id",
    "unannounced_changes",
]
