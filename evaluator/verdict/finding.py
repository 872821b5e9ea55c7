"""Findings: single observations that a verdict or a reader should know of."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum


class FindingKind(StrEnum):
    """What kind of observation a finding is."""

    UNANNOUNCED_CONTROL = "unannounced control change"  # role, owner or code the text leaves out
    UNANNOUNCED_PAYMENT = "unannounced payment"  # value leaves and the text leaves it out
    CONTRADICTION = "text contradicts payload"  # the text says another value than was measured
    UNMENTIONED = "change not mentioned"  # a parameter changed and the text is silent
    UNFULFILLED = "announced but not done"  # the text names a value nothing was set to
    ADVERSARY = "adversary"  # a way to gain or to harm, confirmed by mined transactions
    CONFORMANCE = "conformance"  # the model and the contracts differ
    STATIC = "weak point"  # how something could go wrong, told without an attack
    NOTE = "note"  # worth knowing, judged by no rule


class Severity(StrEnum):
    """How much a reader should care."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One observation with its source."""

    kind: FindingKind  # see FindingKind
    severity: Severity  # see Severity
    title: str  # a short sentence; may hold hostile text
    detail: str  # the numbers, what was expected and what was seen; may hold hostile text
    source: str  # which step saw it: "execution", "text", "arena", ...
    gain_usd: float | None = None  # USD an adversary gains, None if not about one
    loss_usd: float | None = None  # USD the protocol loses, None if not about one
    open_today: bool = False  # the same way exists before the proposal

    @property
    def identifier(self) -> str:
        """Twelve hex digits that name this finding in `seatrial explain`."""
        text = "\x1f".join((self.kind, self.title, self.detail, self.source))
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]
