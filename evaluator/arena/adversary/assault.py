"""One market attacked after execution, and the same attacks before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from evaluator.arena.adversary.confirmation import (
    Confirmation,
    Loan,
    MinedTransaction,
    confirm,
    find_loan,
)
from evaluator.arena.adversary.governing import bought_votes
from evaluator.arena.adversary.ground import Ground, ground_before, open_ground
from evaluator.arena.adversary.knowledge import Knowledge
from evaluator.arena.adversary.leaves import find_leaves
from evaluator.arena.adversary.moves import GOVERNING, Kind, Move
from evaluator.arena.adversary.moves import Sequence as Moves
from evaluator.arena.adversary.outcome import FAILED, Outcome
from evaluator.arena.adversary.past import Past
from evaluator.arena.adversary.patterns import seeds
from evaluator.arena.adversary.search import LEAST_SCORE, Find, Searcher, Ticker, climb, search
from evaluator.arena.adversary.sounding import sound
from evaluator.arena.adversary.stage import Stage, in_words
from evaluator.arena.bundles import undone
from evaluator.arena.oracle_findings import OracleProbe
from evaluator.chain.sandbox import Sandbox
from evaluator.chain.simulation import SimulatedCall
from evaluator.errors import ChainError, ProtocolError
from evaluator.governance.adapter import GovernorAdapter
from evaluator.market import Market, OracleKind
from evaluator.protocols.pools import Venues
from evaluator.stress.threads import Flag

MOST_ATTACKS = 3  # that are compared with the state before and confirmed
_BEFORE_SHARE = 0.1  # of the budget, spent on each attack's amounts on the state before
_ABOUT = 0.8  # of what a simulation said, that mined transactions must come to
# An attack that costs this share of it today is no work of the proposal.
OPEN_TODAY = 0.75


@dataclass(frozen=True, kw_only=True, eq=False)
class Scene:
    """A market on both sides of an execution, and what is needed to act there."""

    sandbox: Sandbox  # its head is the state after execution; it stays as it is
    after: Market  # as read there
    before: Market  # as read right before the execution
    before_block: int  # number of a block with the state before that the sandbox's node serves
    execution: tuple[SimulatedCall, ...] = ()  # transactions that executed the proposal
    venues: Venues | None = None  # where to look for pools
    lenders: tuple[str, ...] = ()  # Aave pools that lend besides the market itself
    probes: tuple[OracleProbe, ...] | None = None  # of `after`, if they were made already
    governor: GovernorAdapter | None = None  # whose votes may be bought; None: nobody's
    unchanged: bool = False  # whether the market is as it was: only its governor may be weaker


@dataclass(frozen=True, kw_only=True, slots=True)
class Attack:
    """One way that was found, compared and confirmed."""

    sequence: Moves  # with the least capital found
    words: tuple[str, ...]  # its moves for people
    after: Outcome  # on the state after execution
    before: Outcome  # the best of the same moves on the state before
    loan: Loan | None  # flash loans that pay for it; None: capital of one's own is needed
    in_execution: Outcome | None  # made in the block of the execution; None: it cannot be
    confirmed: bool  # repeated with mined transactions
    transactions: tuple[MinedTransaction, ...]  # of the confirmation

    @property
    def atomic(self) -> bool:
        """One transaction that nobody else has to act in."""
        return self.sequence.atomic

    @property
    def open_today(self) -> bool:
        """Whether the state before allows about as much."""
        return self.before.harm >= OPEN_TODAY * self.after.harm

    @property
    def gain_usd(self) -> float:
        """Gain at the protocol's cost that the state before does not allow, USD."""
        if self.open_today:
            return 0.0
        more = self.after.profit - max(self.before.profit, 0.0)
        return min(max(more, 0.0), self.loss_usd)

    @property
    def loss_usd(self) -> float:
        """Loss of the protocol that the state before does not allow, USD."""
        return 0.0 if self.open_today else max(self.after.protocol - self.before.protocol, 0.0)

    @property
    def harm_usd(self) -> float:
        """Loss of liquidated users that the state before does not allow, USD."""
        return 0.0 if self.open_today else max(self.after.users - self.before.users, 0.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Assault:
    """What attacking one market came to."""

    sequences: int  # tried on the state after execution
    capital: float  # USD that could be brought
    attacks: tuple[Attack, ...]  # the costliest first
    notes: tuple[str, ...]  # what could not be tried, sentences

    @property
    def worst(self) -> Attack | None:
        """The confirmed attack that costs the protocol most beyond what is open today."""
        sure = [a for a in self.attacks if a.confirmed and a.loss_usd >= LEAST_SCORE]
        return max(sure, key=lambda a: a.loss_usd, default=None)


def assail(
    scene: Scene,
    *,
    seed: int,
    budget: int,
    capital: float,
    progress: Ticker | None = None,
    cancelled: Flag | None = None,
) -> Assault:
    """Search `scene.after` for attacks within `budget` sequences and `capital` USD.

    Raises the ProtocolError and ChainError trees, and Cancelled once `cancelled` is set.
    """
    ground = _opened(scene)
    sounding = sound(ground, _probes(scene))
    stage = Stage(ground, sounding.leaves, cancelled=cancelled)
    knowledge = Knowledge(ground=ground, sounding=sounding, capital=capital)
    notes = []
    unknown = [r.asset.symbol for r in scene.after.reserves
               if not sounding.leaves.movable(r.asset.address.lower())]  # fmt: skip
    if unknown:
        notes.append(
            f"prices of {', '.join(unknown)} were not moved by the outside market: no feed of "
            "their own was found"
        )
    if not ground.pools:
        notes.append("no exchange pool was found near the market: nothing was traded")
    patterns = [list(bought_votes(knowledge))] if scene.unchanged else seeds(knowledge)
    found = search(stage, patterns, seed=seed, budget=budget, capital=capital, progress=progress)
    chosen = found.finds[:MOST_ATTACKS]
    attacks = []
    if chosen:
        today = _today(scene, ground, chosen, cancelled)
        if today is None:
            notes.append("the state before execution could not be attacked for comparison")
        attacks = [
            _compared(scene, stage, today, find, seed=seed, budget=budget, capital=capital)
            for find in chosen
        ]
    attacks.sort(key=lambda a: -(a.loss_usd + a.harm_usd))
    return Assault(
        sequences=found.tried, capital=capital, attacks=tuple(attacks), notes=tuple(notes)
    )


def repeat(scene: Scene, sequence: Moves, *, with_loan: bool) -> tuple[Confirmation, bool]:
    """Make one sequence again with mined transactions, undone afterwards.

    Returns what it came to and whether flash loans paid for it: `with_loan` asks for
    them, and where nobody lends, the money is brought. Raises the ProtocolError and
    ChainError trees.
    """
    ground = _opened(scene)
    stage = Stage(ground, sound(ground, _probes(scene)).leaves)
    loan = find_loan(stage, sequence, scene.lenders) if with_loan else None
    return _confirmed(scene, stage, sequence, loan), loan is not None


def _opened(scene: Scene) -> Ground:
    return open_ground(
        scene.sandbox,
        scene.after,
        venues=scene.venues,
        today=scene.before,
        governor=scene.governor,
    )


def _probes(scene: Scene) -> tuple[OracleProbe, ...] | None:
    """What was found out of the oracles; of those that stay as they were nobody asks."""
    return () if scene.unchanged else scene.probes


def _today(
    scene: Scene, ground: Ground, finds: Sequence[Find], cancelled: Flag | None
) -> Stage | None:
    """The stage before execution; None if the market cannot be acted on there."""
    try:
        past = Past(scene.sandbox, scene.before_block)
        before = ground_before(ground, past, scene.before, scene.execution)
        world = (Kind.SHOCK, Kind.FOLLOW, *GOVERNING)
        leaves = None
        if any(m.kind in world for f in finds for m in f.sequence.moves):
            fixed = {
                r.asset.address.lower()
                for r in scene.before.reserves
                if r.oracle.kind is OracleKind.FIXED or r.oracle.stuck
            }
            leaves = find_leaves(before, fixed=fixed)
        return Stage(before, leaves, cancelled=cancelled)
    except (ProtocolError, ChainError):
        return None


def _compared(
    scene: Scene,
    stage: Stage,
    today: Stage | None,
    find: Find,
    *,
    seed: int,
    budget: int,
    capital: float,
) -> Attack:
    sequence = find.sequence
    before, inside = FAILED, None
    if today is not None:
        before = _best_of(today, sequence, seed=seed, budget=budget, capital=capital)
        if today.ground.execution:
            inside = _executing(today, stage.ground, sequence)
    confirmation = _confirmed(scene, stage, sequence, None)
    loan = find_loan(stage, sequence, scene.lenders)
    if loan is not None:
        lent = _confirmed(scene, stage, sequence, loan)
        # A loan that works in a simulation only is none.
        if not _as_found(lent, loan.outcome):
            loan = None
        elif _as_found(confirmation, find.outcome):
            confirmation = replace(lent, outcome=confirmation.outcome)
    return Attack(
        sequence=sequence,
        words=tuple(in_words(stage.ground, m) for m in sequence.moves),
        after=find.outcome,
        before=before,
        loan=loan,
        in_execution=inside,
        confirmed=_as_found(confirmation, find.outcome),
        transactions=confirmation.transactions,
    )


def _best_of(stage: Stage, sequence: Moves, *, seed: int, budget: int, capital: float) -> Outcome:
    """The same moves on another state, with amounts that suit it."""
    share = max(int(_BEFORE_SHARE * budget), 8)
    run = Searcher(stage, seed=seed, budget=share + 1, capital=capital)
    run.attempt(sequence)
    climb(run, sequence, evaluations=share)
    made = [o for _, o in run.tried if o.made]
    return max(made, key=lambda o: o.harm, default=FAILED)


def _executing(today: Stage, after: Ground, sequence: Moves) -> Outcome | None:
    """The sequence on the state before, with the execution as its first move."""
    at = next((i for i, m in enumerate(sequence.moves) if m.kind is not Kind.SHOCK), 0)
    moves = (*sequence.moves[:at], Move(kind=Kind.EXECUTE), *sequence.moves[at:])
    # What is attacked is the market as the execution leaves it, with what it lists.
    ground = replace(
        today.ground,
        market=after.market,
        lending=after.lending,
        tokens=after.tokens,
        polity=after.polity,
        encoded={},
        views={},
    )
    outcome = Stage(ground, today.leaves).try_out(replace(sequence, moves=moves))
    return outcome if outcome.made else None


def _as_found(confirmation: Confirmation, found: Outcome) -> bool:
    """Whether mined transactions came to about what the simulation said."""
    return confirmation.outcome.made and confirmation.outcome.score >= _ABOUT * found.score


def _confirmed(scene: Scene, stage: Stage, sequence: Moves, loan: Loan | None) -> Confirmation:
    """Mine the attack on the state after execution, and undo it."""
    with undone(scene.sandbox):
        return confirm(stage, sequence, loan)
