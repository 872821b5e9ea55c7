"""What an evaluation is asked for, and how it says where it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

DEFAULT_PATHS = 10_000
# Ten times the paths make an interval three times narrower.
_MORE = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class EvaluationRequest:
    """One proposal to be evaluated on one state.

    Either `file`, or `governor` and `proposal_id`, names the proposal; without
    `urls` the state is the embedded chain.
    """

    governor: str | None = None  # address of the governor contract
    proposal_id: int | None = None  # id the governor gave the proposal
    file: Path | None = None  # proposal.json of a proposal not yet submitted
    urls: tuple[str, ...] = field(default=(), repr=False)  # JSON-RPC endpoints, may hold keys
    block: int | str = "latest"  # number or tag, pinned to a number and hash at once
    paths: int = DEFAULT_PATHS  # price paths of the battery
    most_paths: int | None = None  # gone on to where more settle the verdict; None: ten times
    seed: int = 0  # of every random stream; 0 is a seed
    policy: Path | None = None  # policy.toml, None for the default policy
    scenario: str | None = None  # name of a scenario, None for the calibrated process
    process: str = "jump_diffusion"  # name of the price process
    sampling: str = "independent"  # of the paths: independent, antithetic or sobol
    prices: Path | None = None  # CSV or Parquet file that replaces feed rounds, asset by asset
    full: bool = False  # Greeks, sensitivity and reverse stress as well
    attack_sequences: int | None = None  # tried on each market; None: the policy's, 0: none
    scheduler: str | None = None  # address of a Dask scheduler, None for threads of this machine
    out: Path = Path("seatrial-report")  # folder the report's files are written to

    @property
    def path_limit(self) -> int:
        """Paths at which an undecided verdict is left undecided."""
        limit = _MORE * self.paths if self.most_paths is None else self.most_paths
        return max(limit, self.paths)


class Progress(Protocol):
    """Hears what an evaluation does; implementations never raise."""

    def stage(self, name: str, detail: str = "") -> None:
        """Begin the stage `name`; the one before has ended. `detail` is for people."""
        ...

    def advance(self, done: int, total: int) -> None:
        """Report that `done` of `total` units of the stage are done."""
        ...


class Silence:
    """A progress that nobody watches."""

    def stage(self, name: str, detail: str = "") -> None:
        """Ignore the stage."""

    def advance(self, done: int, total: int) -> None:
        """Ignore the count."""
