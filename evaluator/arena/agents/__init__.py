"""Agents that act block by block on the forked chain, and the arena that runs them."""

from evaluator.arena.agents.agent import Agent, Report, Transaction, View, agent_by_name
from evaluator.arena.agents.arena import ArenaRun, Sequencing, run_arena
from evaluator.arena.agents.bundled import run_bundled

__all__ = [
    "Agent",
    "ArenaRun",
    "Report",
    "Sequencing",
    "Transaction",
    "View",
    "agent_by_name",
    "run_arena",
    "run_bundled",
]
