"""Run cases: set the stage, evaluate as a user would, score."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from evaluator.chain.embedded import ProposalRef, start_embedded
from evaluator.chain.sandbox import Sandbox
from evaluator.errors import ConfigurationError, SeatrialError
from evaluator.evaluation import Evaluation, EvaluationRequest, evaluate
from evaluator.evaluation.request import Progress, Silence
from evaluator.report.model import AttackRow
from gallery.case import Case, Harm
from gallery.score import Outcome, score
from gallery.stage import Stage

DEFAULT_PATHS = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """How one case went."""

    case: str  # name
    title: str  # what the proposal does
    twin_of: str  # "" for a disaster
    outcome: Outcome  # see Outcome
    verdict: str  # PASS, CAUTION, INCONCLUSIVE, FAIL
    seen: tuple[Harm, ...]  # kinds of harm for which the verdict is FAIL
    because: str  # the sentence that decided; may hold hostile text
    seconds: float  # set-up and evaluation
    cpu_seconds: float  # processor time of both, with that of the anvils they started
    attack: str  # the costliest attack found, a sentence, "" if none was found
    capital_usd: float | None  # least capital it takes, None: no attack, or not known
    atomic: bool | None  # whether it is one transaction, None: no attack
    loss_usd: float | None  # what the protocol and its users lose to it, USD, None: no attack


@contextmanager
def opened(case: Case) -> Iterator[tuple[Sandbox, ProposalRef]]:
    """Start the embedded chain, set the case up on it and make its proposal.

    No fork of one chain for all cases: what forks a fork asks twice for all it reads.
    """
    with start_embedded(seed=0) as chain:
        proposal = case.build(Stage(chain.sandbox, chain.deployment))
        chain.sandbox.mine()
        yield chain.sandbox, proposal


def run(
    cases: Sequence[Case],
    *,
    paths: int = DEFAULT_PATHS,
    seed: int = 0,
    progress: Progress | None = None,
    finished: Callable[[Result], None] | None = None,
) -> tuple[Result, ...]:
    """Run cases one after the other on the embedded chain.

    `finished` hears of each result as it is there. Raises the SeatrialError tree,
    naming the case that could not be run.
    """
    told = Silence() if progress is None else progress
    results = []
    for case in cases:
        result = _one(case, paths=paths, seed=seed, progress=told)
        results.append(result)
        if finished is not None:
            finished(result)
    return tuple(results)


def evaluated(case: Case, *, paths: int, seed: int, progress: Progress) -> Evaluation:
    """Evaluate a case with the defaults everybody gets, but for the number of paths."""
    progress.stage(case.name, "setting the stage")
    with opened(case) as (sandbox, proposal):
        request = EvaluationRequest(
            governor=proposal.governor,
            proposal_id=proposal.proposal_id,
            urls=tuple(sandbox.rpc.urls),
            paths=paths,
            seed=seed,
        )
        return evaluate(request, _Within(progress, case.name))


def write(results: Sequence[Result], path: Path) -> None:
    """Write results as JSON. Raises ConfigurationError."""
    try:
        path.write_text(json.dumps([asdict(r) for r in results], indent=1) + "\n")
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be written: {error.strerror}; name another file with --json"
        ) from error


def _one(case: Case, *, paths: int, seed: int, progress: Progress) -> Result:
    began, busy = time.monotonic(), _cpu_seconds()
    try:
        evaluation = evaluated(case, paths=paths, seed=seed, progress=progress)
    except SeatrialError as error:
        error.add_note(f"while running the case {case.name}")
        raise
    scored = score(case, evaluation.verdict)
    attack = worst_attack(evaluation)
    section = evaluation.report.adversary
    # The worst may be no sequence of moves, such as a squeeze over hours.
    told = section is not None and section.confirmed and section.loss_usd > 0.0
    lost = section.loss_usd if section is not None and told else None
    return Result(
        case=case.name,
        title=case.title,
        twin_of=case.twin_of,
        outcome=scored.outcome,
        verdict=evaluation.verdict.kind.value,
        seen=scored.seen,
        because=scored.because,
        seconds=time.monotonic() - began,
        cpu_seconds=_cpu_seconds() - busy,
        attack=section.what if section is not None and told else "",
        capital_usd=None if attack is None else attack.capital_usd,
        atomic=attack.atomic if attack is not None else False if told else None,
        loss_usd=lost if attack is None else max(_lost(attack), lost or 0.0),
    )


def worst_attack(evaluation: Evaluation) -> AttackRow | None:
    """Return the costliest confirmed attack that is not open today."""
    section = evaluation.report.adversary
    if section is None:
        return None
    new = [a for a in section.attacks if a.confirmed and not a.open_today]
    return max(new, key=_lost, default=None)


def _cpu_seconds() -> float:
    """Processor time of this process and of the children it has seen end."""
    return sum(os.times()[:4])


def _lost(attack: AttackRow) -> float:
    return attack.protocol_loss_usd + attack.user_harm_usd


class _Within:
    """Tells the stages of an evaluation as details of the case."""

    def __init__(self, progress: Progress, name: str) -> None:
        self._progress, self._name = progress, name

    def stage(self, name: str, detail: str = "") -> None:
        """Tell a stage as a detail."""
        self._progress.stage(self._name, f"{name}: {detail}" if detail else name)

    def advance(self, done: int, total: int) -> None:
        """Pass the count on."""
        self._progress.advance(done, total)
