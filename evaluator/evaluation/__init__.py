"""Runs the steps of an evaluation in order, from a proposal to a report.

Names are loaded when first used: a request is made, and refused, without the
time it takes to load what carries it out.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from evaluator.evaluation.request import DEFAULT_PATHS, EvaluationRequest, Progress, Silence

if TYPE_CHECKING:
    from evaluator.evaluation.conclusion import Evaluation
    from evaluator.evaluation.evaluation import evaluate, find_proposal
    from evaluator.evaluation.market_trial import MarketTrial
    from evaluator.evaluation.state import State, open_state

_HOME_OF = {
    "Evaluation": "evaluator.evaluation.conclusion",
    "evaluate": "evaluator.evaluation.evaluation",
    "find_proposal": "evaluator.evaluation.evaluation",
    "MarketTrial": "evaluator.evaluation.market_trial",
    "State": "evaluator.evaluation.state",
    "open_state": "evaluator.evaluation.state",
}

__all__ = [
    "DEFAULT_PATHS",
    "Evaluation",
    "EvaluationRequest",
    "MarketTrial",
    "Progress",
    "Silence",
    "State",
    "evaluate",
    "find_proposal",
    "open_state",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME_OF[name]), name)
