"""A pytest plugin for authors of proposals: evaluate in a test, assert on survival.

pytest loads this module in every project that has Seatrial installed, used or
not. Nothing heavy is imported before a test calls `seatrial.evaluate`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from evaluator.errors import ConfigurationError, IncompleteState
from evaluator.evaluation.request import DEFAULT_PATHS, EvaluationRequest

if TYPE_CHECKING:
    from evaluator import Evaluation, ReportModel
    from evaluator.evaluation.odds import MeasuredOdds
    from evaluator.stress.estimate import Estimate
    from evaluator.stress.metrics import SurvivalMetrics


@dataclass(frozen=True, kw_only=True)
class Odds:
    """What the battery found, each with `value`, `lower` and `upper`."""

    p_insolvency: Estimate  # P(new bad debt above the battery's threshold)
    expected_bad_debt: Estimate  # USD
    expected_shortfall_99: Estimate  # USD, mean of the worst 1% of paths

    @classmethod
    def of(cls, metrics: SurvivalMetrics) -> Odds:
        """Take the odds out of a market's metrics."""
        return cls(
            p_insolvency=metrics.bad_debt_probability,
            expected_bad_debt=metrics.expected_bad_debt,
            expected_shortfall_99=metrics.expected_shortfall_99,
        )

    @classmethod
    def worst(cls, several: Sequence[Odds]) -> Odds:
        """Take each number where its upper end is highest.

        Raises IncompleteState when there are none to take.
        """
        if not several:
            raise IncompleteState(
                "no market went through the battery, so there are no odds: the proposal "
                "reverted, touched no known market, or a market could not be read; the "
                "report says which"
            )

        def highest(number: Callable[[Odds], Estimate]) -> Estimate:
            return max((number(o) for o in several), key=lambda e: (e.upper, e.value))

        return cls(
            p_insolvency=highest(lambda o: o.p_insolvency),
            expected_bad_debt=highest(lambda o: o.expected_bad_debt),
            expected_shortfall_99=highest(lambda o: o.expected_shortfall_99),
        )


@dataclass(frozen=True, kw_only=True)
class MarketOdds:
    """One market's odds; where borrowers are given room, the worse of both books."""

    baseline: Odds  # today's parameters
    proposed: Odds  # the proposal's
    difference: Odds  # proposed less baseline on the same paths

    @classmethod
    def of(cls, measured: MeasuredOdds) -> MarketOdds:
        """Take the odds out of what the battery measured."""
        proposed, difference = [Odds.of(measured.after)], [Odds.of(measured.change)]
        if measured.responding is not None:
            proposed.append(Odds.of(measured.responding))
        if measured.change_responding is not None:
            difference.append(Odds.of(measured.change_responding))
        return cls(
            baseline=Odds.of(measured.before),
            proposed=Odds.worst(proposed),
            difference=Odds.worst(difference),
        )


@dataclass(frozen=True, kw_only=True)
class Trial:
    """An evaluation as a test asks about it."""

    verdict: str  # "PASS", "CAUTION", "INCONCLUSIVE", "FAIL"
    markets: Mapping[str, MarketOdds]  # by the market's name in the report
    report: ReportModel  # everything
    folder: Path  # the report's files were written to

    @classmethod
    def of(cls, evaluation: Evaluation, folder: Path) -> Trial:
        """Take what a test asks about out of an evaluation."""
        return cls(
            verdict=evaluation.verdict.kind.value,
            markets={
                t.section.name: MarketOdds.of(t.stressed.odds)
                for t in evaluation.trials
                if t.stressed is not None
            },
            report=evaluation.report,
            folder=folder,
        )

    @property
    def baseline(self) -> Odds:
        """Odds today; over several markets the worst of each number."""
        return Odds.worst([m.baseline for m in self.markets.values()])

    @property
    def proposed(self) -> Odds:
        """Odds after the proposal; over several markets the worst of each number."""
        return Odds.worst([m.proposed for m in self.markets.values()])

    @property
    def difference(self) -> Odds:
        """After less before, paired; over several markets the worst of each number."""
        return Odds.worst([m.difference for m in self.markets.values()])


class Seatrial:
    """What the fixture `seatrial` gives a test."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = 0

    def evaluate(
        self,
        *,
        file: Path | str | None = None,
        proposal: int | None = None,
        governor: str | None = None,
        rpc: str | Sequence[str] | None = None,
        block: int | str = "latest",
        paths: int = DEFAULT_PATHS,
        seed: int = 0,
        policy: Path | str | None = None,
        scenario: str | None = None,
    ) -> Trial:
        """Evaluate a proposal and leave its report in a folder of its own.

        Named by `file`, or by `governor` and `proposal`. `rpc` is a URL or several;
        without it SEATRIAL_RPC is taken, without that the embedded chain. Raises the
        SeatrialError tree; a proposal that reverts is a verdict, no error.
        """
        if file is None and (proposal is None or governor is None):
            raise ConfigurationError(
                "no proposal was named: give file=..., or governor=... and proposal=..."
            )
        if file is not None and proposal is not None:
            raise ConfigurationError("file and proposal name two proposals: give one of them")
        from evaluator import evaluate, write_report

        urls = os.environ.get("SEATRIAL_RPC", "").split() if rpc is None else rpc
        self._count += 1
        folder = self._folder if self._count == 1 else Path(f"{self._folder}-{self._count}")
        evaluation = evaluate(
            EvaluationRequest(
                governor=governor,
                proposal_id=proposal,
                file=None if file is None else Path(file),
                urls=(urls,) if isinstance(urls, str) else tuple(urls),
                block=block,
                paths=paths,
                seed=seed,
                policy=None if policy is None else Path(policy),
                scenario=scenario,
                out=folder,
            )
        )
        write_report(evaluation.report, folder)
        return Trial.of(evaluation, folder)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --seatrial-report."""
    parser.getgroup("seatrial").addoption(
        "--seatrial-report",
        metavar="DIR",
        default=None,
        help="Folder for the reports of evaluations, one folder each "
        "(default: the test's temporary folder).",
    )


@pytest.fixture
def seatrial(request: pytest.FixtureRequest) -> Seatrial:
    """Evaluate proposals and assert on survival."""
    wanted = request.config.getoption("--seatrial-report")
    if wanted is None:
        parent: Path = request.getfixturevalue("tmp_path")
        return Seatrial(parent / "seatrial-report")
    name = "".join(c if c.isalnum() or c in "-_" else "-" for c in request.node.nodeid)
    return Seatrial(request.config.invocation_params.dir / str(wanted) / name[-150:])
