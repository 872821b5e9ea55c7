"""Search for the sequence that costs others most, and for the least capital it takes.

Seeds are tried first, pattern by pattern. What the best of them cost grows by CMA-ES
over the logarithms of amounts (Hansen, "The CMA Evolution Strategy: A Tutorial", 2016)
and by evolution of the moves themselves: insertions, deletions, exchanges and
crossovers of everything that was tried. At last capital is taken away for as long as
nearly the same loss remains. The same seed gives the same search.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from evaluator.arena.adversary.confirmation import scaled
from evaluator.arena.adversary.moves import OWN, Kind, Move, Sequence
from evaluator.arena.adversary.outcome import Outcome
from evaluator.arena.adversary.stage import Stage
from evaluator.market.book import FloatArray

_STREAM = 0xAD
_SEEDS_SHARE = 0.6  # of the budget, for the patterns as they are written
_POPULATION = 8  # candidates of one generation of CMA-ES
_STEP = 0.35  # first standard deviation, of the logarithm of an amount
_NEARLY = 0.9  # of the loss that less capital must still bring
LEAST_SCORE = 1_000.0  # USD; less is noise of rounding and fees
_MOST_MOVES = 16  # that evolution grows a sequence to
_IDLE = 0.995  # of the loss that remains without a move that does nothing
_LEANED = 5  # finds that are freed of idle moves and capital
_HALVINGS = 12  # steps of the search for the least capital

Ticker = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Find:
    """One way that pays the attacker and costs others."""

    sequence: Sequence  # with the least capital found
    outcome: Outcome  # on the state it was searched on


@dataclass(frozen=True, kw_only=True, slots=True)
class Searched:
    """What a search came to."""

    tried: int  # sequences
    finds: tuple[Find, ...]  # the best of each pattern, the costliest first


class Searcher:
    """One search on one stage."""

    def __init__(
        self,
        stage: Stage,
        *,
        seed: int,
        budget: int,
        capital: float,
        progress: Ticker | None = None,
    ) -> None:
        """Take a stage, a budget in sequences, one of capital in USD, and who hears of each."""
        self.stage, self.budget, self.capital = stage, budget, capital
        self.progress = progress
        self.seed = seed
        self.rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_STREAM,)))
        self.tried: list[tuple[Sequence, Outcome]] = []
        self.best: dict[str, tuple[Sequence, Outcome]] = {}

    @property
    def left(self) -> int:
        """Sequences that may still be tried."""
        return self.budget - len(self.tried)

    def attempt(self, sequence: Sequence) -> Outcome:
        """Try one sequence and remember it if it is the best of its pattern.

        Raises Cancelled.
        """
        outcome = self.stage.try_out(sequence)
        if outcome.made and outcome.capital > self.capital * 1.001:
            outcome = replace(outcome, made=False, reason="more capital than the policy allows")
        self.tried.append((sequence, outcome))
        if self.progress is not None:
            self.progress(len(self.tried), self.budget)
        known = self.best.get(sequence.pattern)
        if outcome.made and outcome.score > (LEAST_SCORE if known is None else known[1].score):
            self.best[sequence.pattern] = (sequence, outcome)
        return outcome


def search(
    stage: Stage,
    patterns: list[list[Sequence]],
    *,
    seed: int,
    budget: int,
    capital: float,
    progress: Ticker | None = None,
) -> Searched:
    """Search a stage from the seeds of `patterns` within `budget` sequences.

    Raises Cancelled.
    """
    run = Searcher(stage, seed=seed, budget=budget, capital=capital, progress=progress)
    queue = [s for row in _in_turns(patterns) for s in row]
    for sequence in queue[: max(int(_SEEDS_SHARE * budget), min(len(queue), budget))]:
        if run.left <= 0:
            break
        run.attempt(sequence)
    _grow(run)
    names = {s.idea: s.pattern for row in patterns for s in row}
    finds: dict[frozenset[Kind], Find] = {}
    for found in sorted(run.best.values(), key=lambda f: -f[1].score)[:_LEANED]:
        find = _lean(run, *_without_idle(run, *found))
        idea = find.sequence.idea
        known = finds.get(idea)
        if known is None or find.outcome.score > known.outcome.score:
            named = names.get(idea, find.sequence.pattern)
            finds[idea] = replace(find, sequence=replace(find.sequence, pattern=named))
    ordered = sorted(finds.values(), key=lambda f: -f.outcome.score)
    return Searched(tried=stage.tried, finds=tuple(ordered))


def _in_turns(patterns: list[list[Sequence]]) -> list[list[Sequence]]:
    """The first of every pattern, then the second of every pattern, and so on."""
    longest = max((len(p) for p in patterns), default=0)
    return [[p[i] for p in patterns if i < len(p)] for i in range(longest)]


def _grow(run: Searcher) -> None:
    """Spend the rest of the budget on the best of each pattern, and on new sequences."""
    names = sorted(run.best, key=lambda n: -run.best[n][1].score)
    for name in names:
        share = max(run.left // (2 * max(len(names), 1)), 0)
        climb(run, run.best[name][0], evaluations=min(share, 6 * _POPULATION))
    while run.left > 0 and run.tried:
        child = _child(run)
        if child is None:
            break
        run.attempt(child)


def climb(run: Searcher, start: Sequence, *, evaluations: int) -> None:
    """Improve a sequence's amounts by CMA-ES over their logarithms."""
    if evaluations < _POPULATION or not start.amounts:
        return
    import cma

    centre = np.log([max(a.value, 1e-12) for a in start.amounts])
    top = np.array([0.0 if a.relative else np.inf for a in start.amounts])
    options = {
        "seed": run.seed + 1,  # cma takes 0 for "from the clock"
        "verbose": -9,
        "popsize": _POPULATION,
        "maxfevals": evaluations,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if len(centre) == 1:
            _line(run, start, centre, top, evaluations)
            return
        strategy = cma.CMAEvolutionStrategy(centre.tolist(), _STEP, options)
        done = 0
        while done + _POPULATION <= evaluations and run.left >= _POPULATION:
            points = strategy.ask()
            costs = []
            for point in points:
                values = np.exp(np.minimum(point, top))
                outcome = run.attempt(start.with_amounts(values.tolist()))
                costs.append(-outcome.score if outcome.made else 0.0)
            strategy.tell(points, costs)
            done += _POPULATION


def _line(
    run: Searcher, start: Sequence, centre: FloatArray, top: FloatArray, evaluations: int
) -> None:
    for step in np.linspace(-1.0, 1.0, evaluations):
        if run.left <= 0:
            return
        run.attempt(start.with_amounts(np.exp(np.minimum(centre + step, top)).tolist()))


def _child(run: Searcher) -> Sequence | None:
    """A sequence bred from those that were tried; the better ones breed more often."""
    rng = run.rng
    scores = np.array([max(o.score, 0.0) if o.made else 0.0 for _, o in run.tried])
    made = np.array([1.0 if o.made else 0.05 for _, o in run.tried])
    ranks = np.argsort(np.argsort(scores)) / max(len(scores) - 1, 1)
    weights = made * (0.02 + ranks**4)
    weights /= weights.sum()
    first, second = (run.tried[int(i)][0] for i in rng.choice(len(run.tried), size=2, p=weights))
    moves = list(first.moves)
    what = int(rng.integers(5))
    if what == 0 and len(second.moves) > 0:
        moves.insert(int(rng.integers(len(moves) + 1)), _any(rng, second.moves))
    elif what == 1 and len(moves) > 1:
        del moves[int(rng.integers(len(moves)))]
    elif what == 2 and len(moves) > 1:
        i, j = (int(x) for x in rng.integers(len(moves), size=2))
        moves[i], moves[j] = moves[j], moves[i]
    elif what == 3:
        cut, other = int(rng.integers(len(moves))), int(rng.integers(len(second.moves)))
        moves = [*moves[:cut], *second.moves[other:]]
    moves = [_nudged(rng, m) for m in moves][:_MOST_MOVES]
    if not any(m.kind in OWN for m in moves):
        return first
    pattern = (
        first.pattern if what == 4 else f"bred from: {first.pattern.removeprefix('bred from: ')}"
    )
    return Sequence(moves=tuple(moves), pattern=pattern)


def _any(rng: np.random.Generator, moves: tuple[Move, ...]) -> Move:
    return moves[int(rng.integers(len(moves)))]


def _nudged(rng: np.random.Generator, move: Move) -> Move:
    if move.amount is None or rng.random() < 0.5:
        return move
    value = move.amount.value * float(np.exp(0.3 * rng.standard_normal()))
    if move.amount.relative:
        value = min(value, 1.0)
    return replace(move, amount=replace(move.amount, value=value))


def _without_idle(run: Searcher, sequence: Sequence, outcome: Outcome) -> tuple[Sequence, Outcome]:
    """Leave out moves without which the loss is the same."""
    best, result = sequence, outcome
    for move in reversed(sequence.moves):
        moves = list(best.moves)
        if len(moves) < 2 or move not in moves:
            continue
        moves.remove(move)
        trial = replace(best, moves=tuple(moves))
        tried = run.stage.try_out(trial)
        if tried.made and tried.score >= _IDLE * result.score:
            best, result = trial, tried
    return best, result


def _lean(run: Searcher, sequence: Sequence, outcome: Outcome) -> Find:
    """Take capital away while nearly the same loss remains."""
    wanted = _NEARLY * outcome.score
    best, result = sequence, outcome

    brought = [m.asset for m in sequence.moves if m.kind is Kind.FUND]
    for only in dict.fromkeys(("", *brought) if len(brought) > 1 else ("",)):
        step = 0.5
        for _ in range(_HALVINGS // (1 if only == "" else 2)):
            trial = scaled(best, step, only)
            tried = run.stage.try_out(trial)
            if tried.made and tried.score >= wanted:
                best, result = trial, tried
            elif step > 0.9:
                break
            else:
                step = step**0.5
    return Find(sequence=best, outcome=result)
