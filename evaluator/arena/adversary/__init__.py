"""Attack sequences tried on the state after execution, and on the state before it."""

from evaluator.arena.adversary.assault import Assault, Attack, Scene, assail, repeat
from evaluator.arena.adversary.confirmation import Confirmation
from evaluator.arena.adversary.moves import Amount, Basis, Kind, Move, Sequence

__all__ = [
    "Amount",
    "Assault",
    "Attack",
    "Basis",
    "Confirmation",
    "Kind",
    "Move",
    "Scene",
    "Sequence",
    "assail",
    "repeat",
]
