"""Price processes: the interface, the registry and the process used by default."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import entry_points
from typing import Protocol, cast

from evaluator.errors import ConfigurationError
from evaluator.market import Asset, PriceHistory
from evaluator.stress.calibration.jump_diffusion import fit_jump_diffusion
from evaluator.stress.calibration.report import (
    AssetCalibration,
    CalibrationReport,
    ParameterEstimate,
    ParameterSource,
)
from evaluator.stress.processes.jump_diffusion import JumpDiffusion
from evaluator.stress.processes.process import YEAR, FloatArray, PriceProcess, Sampling

__all__ = [
    "GROUP",
    "YEAR",
    "AssetCalibration",
    "CalibrationReport",
    "FloatArray",
    "JumpDiffusion",
    "ParameterEstimate",
    "ParameterSource",
    "PriceProcess",
    "ProcessFit",
    "Sampling",
    "default_process",
    "fit_best",
    "process_by_name",
    "process_names",
]

GROUP = "seatrial.price_processes"


class ProcessFit(Protocol):
    """What an entry point of `seatrial.price_processes` is: a function that fits a process."""

    def __call__(
        self,
        assets: Sequence[Asset],
        histories: Sequence[PriceHistory],
        *,
        step: float,
        sampling: Sampling = Sampling.PSEUDO,
    ) -> PriceProcess:
        """Return a process of `assets`, estimated from what `histories` allow.

        Assets without a usable history get the stated prior of their class;
        the process's `calibration` says which.
        """


def process_names() -> tuple[str, ...]:
    """Return the names of all registered price processes, sorted."""
    return tuple(sorted({e.name for e in entry_points(group=GROUP)}))


def process_by_name(name: str) -> ProcessFit:
    """Return the fitting function registered as `name`.

    Raises ConfigurationError when there is none, or when it cannot be imported.
    """
    found = [e for e in entry_points(group=GROUP) if e.name == name]
    if not found:
        raise ConfigurationError(
            f"there is no price process '{name}'; choose one of {', '.join(process_names())}"
        )
    try:
        return cast(ProcessFit, found[0].load())
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(
            f"the price process '{name}' ({found[0].value}) cannot be loaded: {error}; "
            "reinstall the package that provides it"
        ) from error


def default_process(
    assets: Sequence[Asset],
    histories: Sequence[PriceHistory],
    *,
    step: float,
    sampling: Sampling = Sampling.PSEUDO,
) -> JumpDiffusion:
    """Return the correlated jump-diffusion of `assets`, steps of `step` seconds.

    Estimated where a history is long enough, the class's prior elsewhere;
    `calibration` of the result says which and why.
    """
    return fit_jump_diffusion(assets, histories, step=step, sampling=sampling)


def fit_best(
    assets: Sequence[Asset],
    histories: Sequence[PriceHistory],
    *,
    step: float,
    sampling: Sampling = Sampling.PSEUDO,
) -> PriceProcess:
    """Return the process that best predicts the last quarter of the prices, fitted to them all.

    Registered as `best`; `calibration.held_out` has every candidate's score.
    Raises CalibrationError when there are too few prices to hold any out.
    """
    # Brings scipy.stats, slow to import, which the usual evaluation does without.
    from evaluator.stress.calibration.choice import held_out

    found = held_out(assets, histories, step=step)
    process = process_by_name(found.best)(assets, histories, step=step, sampling=sampling)
    report = replace(process.calibration, held_out=found.estimates())
    # Every fitted process is a dataclass, which its Protocol cannot say.
    return replace(process, calibration=report)  # type: ignore[type-var]
