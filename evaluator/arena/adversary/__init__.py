"""Attack sequences tried on the state after execution, and on the state before it."""

from evaluator.arena.adversary.assault import Assault, Attack, Scene, assail
from evaluator.arena.adversary.moves import Amount, Basis, Kind, Move, Sequence

__all__ = [
    "Amount",
    "Assault",
    "Attack",
    "Basis",
    "Kind",
    "Move",
    "Scene",
    "Sequence",
    "assail",
]
