"""What a calibration found and where every number of a price process comes from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray


class ParameterSource(StrEnum):
    """Where the parameters of an asset come from."""

    CALIBRATED = "calibrated"  # estimated from the prices given
    PRIOR = "prior"  # the stated fallback of the asset's class
    GIVEN = "given"  # set by the caller


@dataclass(frozen=True, kw_only=True, slots=True)
class ParameterEstimate:
    """One parameter with its uncertainty."""

    name: str  # as the process names it
    value: float  # in `unit`
    standard_error: float | None  # in `unit`; None for a prior or a given value
    unit: str  # "per sqrt(year)", "per year", "fraction", "USD", ...


@dataclass(frozen=True, kw_only=True, slots=True)
class AssetCalibration:
    """How one asset's part of a process was set."""

    symbol: str  # of the asset, or of the hidden anchor it follows
    source: ParameterSource  # see ParameterSource
    reason: str  # one sentence: what was used and why
    estimates: tuple[ParameterEstimate, ...]  # parameters in force
    samples: int = 0  # returns used; 0 for a prior
    first_timestamp: int = 0  # of the prices used, seconds since the epoch
    last_timestamp: int = 0  # of the prices used, seconds since the epoch
    history: str = ""  # source of the prices, shown in reports
    anchor: str = ""  # symbol the price follows, "" if none


@dataclass(frozen=True, kw_only=True, eq=False)
class CalibrationReport:
    """Parameters of a price process with their sources."""

    process: str  # name of the price process
    assets: tuple[AssetCalibration, ...]  # one per asset, then hidden anchors
    factors: tuple[str, ...]  # symbols of the free factors, rows of `correlation`
    correlation: NDArray[np.float64]  # shape (F, F), of the diffusive part
    correlation_reason: str  # which pairs were measured and which are prior
    shared: tuple[ParameterEstimate, ...] = ()  # parameters that belong to no single asset
    held_out: tuple[ParameterEstimate, ...] = ()  # log-likelihood per return by candidate process
    notes: tuple[str, ...] = ()  # what a reader should know besides

    @property
    def priors(self) -> tuple[str, ...]:
        """Symbols of the assets that run on a prior."""
        return tuple(a.symbol for a in self.assets if a.source is ParameterSource.PRIOR)


def given_report(
    process: str, factors: tuple[str, ...], correlation: NDArray[np.float64]
) -> CalibrationReport:
    """Return the report of a process whose parameters the caller set."""
    return CalibrationReport(
        process=process,
        assets=tuple(
            AssetCalibration(
                symbol=s,
                source=ParameterSource.GIVEN,
                reason="set by the caller",
                estimates=(),
            )
            for s in factors
        ),
        factors=factors,
        correlation=correlation,
        correlation_reason="set by the caller",
    )
