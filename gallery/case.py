"""What a case of the gallery is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from evaluator.chain.embedded import ProposalRef
from gallery.stage import Stage


class Harm(StrEnum):
    """What a disaster does; all of them count."""

    PROTOCOL_LOSS = "protocol loss"  # bad debt or theft
    USER_HARM = "user harm"  # liquidations that should not be, without bad debt
    LIVENESS = "loss of liveness"  # a market or its liquidations revert
    HIDDEN_CONTROL = "hidden control"  # power changes hands without a word


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One proposal on the embedded chain, harmful or benign."""

    name: str  # of the command line, lower-case with hyphens
    title: str  # what the proposal does, one line
    source: str  # what happened where and when; for a twin, why it is harmless
    build: Callable[[Stage], ProposalRef]  # sets the stage and proposes through the governor
    harms: tuple[Harm, ...] = ()  # any of which makes a FAIL a catch; () for a benign twin
    twin_of: str = ""  # name of the disaster it resembles, "" for a disaster

    @property
    def harmful(self) -> bool:
        """Whether this is a disaster."""
        return not self.twin_of
