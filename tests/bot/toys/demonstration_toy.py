"""An evaluator for the demonstration's test: answers at once, also for surveys and drafts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from bot.evaluation import EvaluationOrder, FinishedEvaluation, JobKind, Progress
from bot.surveys import Survey, SurveyedParameter

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c63000100"
    "000500010d0a2db40000000049454e44ae426082"
)
PARAMETER = SurveyedParameter(
    path="aave_v3.WETH.liquidation_threshold", label="WETH liquidation threshold", shown="82.5%"
)


def run(
    order: EvaluationOrder, urls: tuple[str, ...], folder: Path, note: Callable[[Progress], None]
) -> FinishedEvaluation:
    """Return a result that says what was asked."""
    del urls, folder
    note(Progress(stage="paths", done=0.5))
    survey = Survey(block=1, parameters=(PARAMETER,), reserves=())
    asked = order.proposal or json.dumps(order.draft)
    return FinishedEvaluation(
        verdict="CAUTION", headline=f"the headline of {asked}", digest="d" * 64, block=1,
        report=survey.to_json() if order.kind is JobKind.SURVEY else json.dumps({"markets": []}),
        markdown="## CAUTION: a toy\n\n![Survival](chart:survival)",
        embed=json.dumps({"title": f"CAUTION: {order.kind}", "description": "toy"}),
        charts={"survival": PNG, "survival-dark": PNG},
    )  # fmt: skip
