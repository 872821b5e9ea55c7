"""Attack sequences tried on the state after execution, and on the state before it."""

from evaluator.arena.adversary.search import AdversaryResult, Attack, search

__all__ = ["AdversaryResult", "Attack", "search"]
