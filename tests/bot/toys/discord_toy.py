"""An evaluator for the Discord tests: takes a moment, answers with a report of the full schema."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

from bot.evaluation import EvaluationOrder, FinishedEvaluation, JobKind, Progress
from evaluator import ConfigurationError

STEP = 0.1  # seconds
# Steps by the paths of the order. A long one is meant to be cancelled or killed; when it is taken
# up again it is short.
FEW, MIDDLING, LONG = 500, 1100, 1200
STEPS = {FEW: 5, MIDDLING: 15, LONG: 600}
# One transparent pixel.
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c63000100"
    "000500010d0a2db40000000049454e44ae426082"
)


def finished(order: EvaluationOrder, folder: Path) -> FinishedEvaluation:
    """Return FAIL for odd seeds and CAUTION for even ones, from JSON in `folder`."""
    name = "fail" if order.seed % 2 else "caution"
    parts = json.loads((folder / f"{name}.json").read_text())
    charts = dict.fromkeys(("survival", "survival-dark", "loss_exceedance-dark"), PNG)
    return FinishedEvaluation(**parts, digest=f"digest-of-seed-{order.seed}", charts=charts)


def steady(
    order: EvaluationOrder, urls: tuple[str, ...], folder: Path, note: Callable[[Progress], None]
) -> FinishedEvaluation:
    """Tell of progress for a while."""
    if order.kind is JobKind.DRAFT:
        raise ConfigurationError("there is no parameter 'x' @everyone")
    reports = Path(order.policy or "").parent
    steps = STEPS.get(order.paths, STEPS[FEW])
    if order.paths == LONG:
        begun = reports / f"begun-{order.seed}"
        if begun.exists():
            steps = STEPS[FEW]
        begun.touch()
    for step in range(steps):
        left = STEP * (steps - step)
        note(Progress(stage="paths", detail="on <@1>", done=step / steps, seconds_left=left))
        time.sleep(STEP)
    return finished(order, reports)
