"""What the database of runs holds, as plain values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class ProposalRecord:
    """A proposal, once for any number of runs."""

    digest: str  # sha256 of its contents, the key
    governor: str | None  # address; None: a draft without governor
    proposal_id: str | None  # decimal; None: not submitted
    title: str  # first line of the description; hostile
    description: str  # whole; hostile


@dataclass(frozen=True, kw_only=True, slots=True)
class MetricRecord:
    """One estimate of a run."""

    market: str  # "aave_v3 0x..."
    name: str  # "bad_debt_probability"
    moment: str  # "today", "after_static", "after_responding", "difference", ...
    value: float  # point estimate
    lower: float  # of its interval
    upper: float  # of its interval
    level: float  # confidence level, fraction
    samples: int  # paths
    unit: str  # "fraction", "USD"


@dataclass(frozen=True, kw_only=True, slots=True)
class FindingRecord:
    """One finding of a run."""

    identifier: str  # twelve hex digits
    kind: str
    severity: str  # "high", "medium", "low"
    title: str  # hostile
    detail: str  # hostile
    source: str


@dataclass(frozen=True, kw_only=True, slots=True)
class NewRun:
    """A finished run, to be saved."""

    finished: str  # UTC, ISO 8601
    seconds: float  # how long it took
    chain_id: int
    chain_name: str
    block: int  # evaluated at
    verdict: str  # "PASS", ...
    reason: str  # of the verdict; hostile
    digest: str  # of the manifest
    folder: str  # the report was written to
    proposal: ProposalRecord
    manifest: str  # JSON
    report: str  # JSON
    metrics: tuple[MetricRecord, ...]
    findings: tuple[FindingRecord, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class RunRow:
    """A saved run, as listed."""

    number: int  # counts from 1
    finished: str  # UTC, ISO 8601
    seconds: float  # how long it took
    chain_name: str
    block: int
    verdict: str
    reason: str  # hostile
    digest: str  # of the manifest
    folder: str
    title: str  # of the proposal; hostile
    governor: str | None
    proposal_id: str | None
