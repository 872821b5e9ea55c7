"""The evaluator as the worker process runs it: the default entry point."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from bot.discourse_text import plain_words
from bot.evaluation import EvaluationOrder, FinishedEvaluation, JobKind, Progress
from evaluator import (
    ConfigurationError,
    EvaluationRequest,
    Theme,
    draft,
    ensure_contracts,
    evaluate,
    open_state,
    outline_markets,
    read_report,
    report_charts,
    scorecard,
    scorecard_json,
    scorecard_markdown,
    scorecard_sentence,
    scorecard_verdict,
    survey,
    to_embed,
    to_json,
    to_markdown,
    to_png,
)

NOTES_APART = 0.5  # seconds between two notes of progress within a stage
# The charts that a message on Discord shows, by the name of the chart.
DARK = {"survival": "survival-dark", "loss_exceedance": "loss_exceedance-dark"}


def prepare() -> None:
    """Compile our contracts, for which Node reserves more address space than a worker may have."""
    ensure_contracts(everything=True)


class _Told:
    """Hears the evaluator and tells the bot, not too often."""

    def __init__(self, note: Callable[[Progress], None]) -> None:
        self._note = note
        self._stage, self._detail = "starting", ""
        self._began = self._noted = 0.0

    def stage(self, name: str, detail: str = "") -> None:
        """Tell of a new stage."""
        self._stage, self._detail = name, detail
        self._began = self._noted = time.monotonic()
        self._note(Progress(stage=name, detail=detail))

    def advance(self, done: int, total: int) -> None:
        """Tell how far the stage is, and how long it may still take."""
        now = time.monotonic()
        if total <= 0 or (now - self._noted < NOTES_APART and done < total):
            return
        self._noted = now
        left = (now - self._began) / done * (total - done) if done > 0 else None
        self._note(
            Progress(
                stage=self._stage,
                detail=self._detail,
                done=min(1.0, done / total),
                seconds_left=left,
            )
        )


def run(
    order: EvaluationOrder,
    urls: tuple[str, ...],
    folder: Path,
    note: Callable[[Progress], None],
) -> FinishedEvaluation:
    """Carry out an order; see `bot.evaluation.EntryPoint`. Raises the SeatrialError tree."""
    if order.kind is JobKind.SCORECARD and isinstance(order.block, int):
        return _scorecard(order.block, urls, folder, _Told(note))
    if order.kind is JobKind.SURVEY:
        return _survey(order, urls, folder, _Told(note))
    told = _Told(note)
    request = _request(order, urls, folder, told)
    evaluation = evaluate(request, told)
    told.stage("report", "drawing the charts")
    report = evaluation.report
    charts: dict[str, bytes] = {}
    for name, chart in report_charts(report):
        charts[name] = to_png(chart, Theme.LIGHT)
        # The worst market's charts come first; a message shows one of each kind.
        dark = DARK.get(chart.name)
        if dark is not None and dark not in charts:
            charts[dark] = to_png(chart, Theme.DARK)
    shown = DARK["survival"]
    image = f"attachment://{shown}.png" if shown in charts else None
    return FinishedEvaluation(
        verdict=report.headline.verdict,
        headline=f"{report.headline.sentence}. {report.headline.reason}.",
        digest=evaluation.manifest.digest,
        block=report.proposal.block,
        report=to_json(report),
        markdown=to_markdown(report, images={name: f"chart:{name}" for name in charts}),
        embed=json.dumps(to_embed(report, image=image)),
        charts=charts,
    )


def _scorecard(
    executed_block: int, urls: tuple[str, ...], folder: Path, told: _Told
) -> FinishedEvaluation:
    """Compare the prediction in `folder` with the chain since the execution."""
    prediction = read_report(folder / "prediction.json")
    found = scorecard(prediction, urls, executed_block=executed_block, progress=told)
    sentence = scorecard_sentence(found)
    embed = {"title": scorecard_verdict(found), "description": plain_words(sentence)}
    report = scorecard_json(found)
    return FinishedEvaluation(
        verdict=scorecard_verdict(found),
        headline=sentence,
        digest=hashlib.sha256(report.encode()).hexdigest(),
        block=found.looked_block,
        report=report,
        markdown=scorecard_markdown(found),
        embed=json.dumps(embed),
    )


def _survey(
    order: EvaluationOrder, urls: tuple[str, ...], folder: Path, told: _Told
) -> FinishedEvaluation:
    """Read the markets that drafts may change; the survey itself is the report."""
    request = EvaluationRequest(urls=urls, block=order.block, out=folder)
    with open_state(request, told) as state:
        found = survey(state, order.markets, told)
    report = json.dumps(asdict(found))
    return FinishedEvaluation(
        verdict="SURVEY",
        headline=f"{len(found.parameters)} parameters, {len(found.reserves)} reserves",
        digest=hashlib.sha256(report.encode()).hexdigest(),
        block=found.block,
        report=report,
        markdown="",
        embed="{}",
    )


def _request(
    order: EvaluationOrder, urls: tuple[str, ...], folder: Path, told: _Told
) -> EvaluationRequest:
    """Return what the evaluator is asked; a draft is written to a file first."""
    file: Path | None = None
    if order.kind is JobKind.DRAFT and order.draft is not None:
        file = _drafted(order, urls, folder, told)
    elif order.kind is not JobKind.EVALUATION or order.governor is None or order.proposal is None:
        raise ConfigurationError(
            f"this evaluator cannot carry out an order for a {order.kind}: it evaluates proposals "
            "that were submitted to a governor, and drafts"
        )
    return EvaluationRequest(
        governor=order.governor,
        proposal_id=int(order.proposal) if file is None and order.proposal is not None else None,
        file=file,
        urls=urls,
        block=order.block,
        paths=order.paths,
        seed=order.seed,
        policy=Path(order.policy) if order.policy else None,
        scenario=order.scenario,
        out=folder,
    )


def _drafted(order: EvaluationOrder, urls: tuple[str, ...], folder: Path, told: _Told) -> Path:
    """Write the proposal file that a draft's parameter and value come to; return where it is."""
    wanted = order.draft or {}
    request = EvaluationRequest(governor=order.governor, urls=urls, block=order.block, out=folder)
    with open_state(request, told) as state:
        # Orders of earlier versions name the markets beside the parameter.
        roots = order.markets or tuple(wanted.get("markets", ()))
        markets = outline_markets(state, roots, told)
        told.stage("draft", "writing and trying the calls")
        made = draft(
            state,
            markets,
            [f"{wanted['parameter']}={wanted['value']}"],
            governor=order.governor,
        )
    path = folder / "draft.json"
    made.write(path)
    return path
