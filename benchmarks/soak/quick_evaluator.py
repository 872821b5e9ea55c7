"""What the worker runs during the soak: an answer that depends on the order alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from bot.evaluation import EvaluationOrder, FinishedEvaluation, Progress


def run(
    order: EvaluationOrder, urls: tuple[str, ...], folder: Path, note: Callable[[Progress], None]
) -> FinishedEvaluation:
    """Return a result at once; endpoints and folder are not needed."""
    del urls, folder
    note(Progress(stage="paths", done=0.5))
    mark = f"proposal {order.proposal}"
    return FinishedEvaluation(
        verdict="CAUTION", headline=f"headline of {mark}", digest=mark, block=None,
        report=json.dumps({"markets": []}), markdown=f"## CAUTION: {mark}",
        embed=json.dumps({"title": mark, "description": "soak"}),
    )  # fmt: skip
