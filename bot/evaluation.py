"""What the bot asks of the evaluator and gets back: plain values that cross a process border."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

MAX_CHARTS = 12
MAX_CHART_BYTES = 4 << 20
MAX_TEXT_BYTES = 32 << 20  # of the JSON report, the largest text


class JobKind(StrEnum):
    """What a job asks for."""

    EVALUATION = "evaluation"  # of a proposal on chain
    SCORECARD = "scorecard"  # of an executed proposal: predicted against realised
    DRAFT = "draft"  # of a change somebody thinks about
    SURVEY = "survey"  # of the markets around a governor; never stands in the queue


@dataclass(frozen=True, kw_only=True, slots=True)
class EvaluationOrder:
    """One evaluation, as the job stores it: JSON, without secrets.

    The endpoints' URLs are not part of it; the worker gets them beside it.
    """

    kind: JobKind
    chain: str  # name of the chain in the settings
    chain_id: int
    governor: str | None = None  # address
    proposal: str | None = None  # the governor's id, decimal
    draft: Mapping[str, Any] | None = None  # {"parameter": ..., "value": ...}, for DRAFT
    block: int | str = "latest"
    paths: int = 10_000
    seed: int = 0
    policy: str | None = None  # path of a policy.toml
    scenario: str | None = None  # name of a scenario, None: the calibrated process
    markets: tuple[str, ...] = ()  # pools or comptrollers, for DRAFT and SURVEY
    prediction: int | None = None  # row of the evaluation that a SCORECARD judges

    def to_json(self) -> str:
        """Return the order as JSON text."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> EvaluationOrder:
        """Read what `to_json` wrote."""
        raw = json.loads(text)
        raw["kind"] = JobKind(raw["kind"])
        raw["markets"] = tuple(raw.get("markets", ()))
        raw.pop("with_queued", None)  # of orders written by earlier versions
        return cls(**raw)


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """Where an evaluation is."""

    stage: str  # name of the stage, for people
    detail: str = ""
    done: float = 0.0  # fraction of the stage, 0 to 1
    seconds_left: float | None = None  # of the stage, None: not known


@dataclass(frozen=True, kw_only=True, slots=True)
class FinishedEvaluation:
    """The result of an order."""

    verdict: str  # PASS, CAUTION, FAIL or INCONCLUSIVE; for a scorecard its own word
    headline: str  # the verdict as a sentence
    digest: str  # of the evaluation, the same for the same inputs
    block: int | None  # number of the block it was made at
    report: str = field(repr=False)  # the versioned JSON report
    markdown: str = field(repr=False)  # for the forum; ![words](chart:name) where charts go
    embed: str = field(repr=False)  # the Discord embed, JSON
    charts: Mapping[str, bytes] = field(default_factory=dict, repr=False)  # name -> PNG


class Evaluator(Protocol):
    """Carries out orders."""

    async def evaluate(
        self, order: EvaluationOrder, *, progress: Callable[[Progress], None]
    ) -> FinishedEvaluation:
        """Evaluate; cancelling the task stops all work at once.

        Raises EvaluationFailed.
        """
        ...


# What the worker process runs: `module:function` of this form, told by the settings. It gets
# the order, the chain's endpoints, a folder of its own that is removed afterwards, and whom to
# tell of progress. For a SCORECARD the folder holds the judged report as prediction.json. Of
# a SURVEY's result only the report is used; see bot.surveys.Survey. A function `prepare()` in
# the same module is called first, before memory and time are limited.
EntryPoint = Callable[
    [EvaluationOrder, tuple[str, ...], Path, Callable[[Progress], None]], FinishedEvaluation
]
