"""Every run is kept in one SQLite file: proposal, manifest, metrics, findings, report."""

from evaluator.store.database import Store, default_path
from evaluator.store.records import (
    FindingRecord,
    MetricRecord,
    NewRun,
    ProposalRecord,
    RunRow,
)

__all__ = [
    "FindingRecord",
    "MetricRecord",
    "NewRun",
    "ProposalRecord",
    "RunRow",
    "Store",
    "default_path",
]
