"""From evidence to a verdict, by a policy a DAO can read and edit."""

from evaluator.verdict.evidence import (
    AdversaryEvidence,
    CalibrationEvidence,
    Evidence,
    ExecutionEvidence,
    Interval,
    MarketEvidence,
    NotModelled,
    OddsEvidence,
    SafeValueEvidence,
)
from evaluator.verdict.finding import Finding, FindingKind, Severity
from evaluator.verdict.judge import judge
from evaluator.verdict.policy import Policy
from evaluator.verdict.relevance import not_modelled
from evaluator.verdict.text import (
    Agreement,
    ControlChange,
    ControlKind,
    Payment,
    Statement,
    TextComparison,
    compare_text,
)
from evaluator.verdict.verdict import Reason, Verdict, VerdictKind

__all__ = [
    "AdversaryEvidence",
    "Agreement",
    "CalibrationEvidence",
    "ControlChange",
    "ControlKind",
    "Evidence",
    "ExecutionEvidence",
    "Finding",
    "FindingKind",
    "Interval",
    "MarketEvidence",
    "NotModelled",
    "OddsEvidence",
    "Payment",
    "Policy",
    "Reason",
    "SafeValueEvidence",
    "Severity",
    "Statement",
    "TextComparison",
    "Verdict",
    "VerdictKind",
    "compare_text",
    "judge",
    "not_modelled",
]
