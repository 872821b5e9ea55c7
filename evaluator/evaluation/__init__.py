"""Runs the steps of an evaluation in order, from a proposal to a report."""

from evaluator.evaluation.evaluation import Evaluation, evaluate, find_proposal
from evaluator.evaluation.market_trial import MarketTrial
from evaluator.evaluation.request import DEFAULT_PATHS, EvaluationRequest, Progress, Silence
from evaluator.evaluation.state import State, open_state

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
