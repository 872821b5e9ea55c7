"""Price oracles and the history of their answers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray


class OracleKind(StrEnum):
    """Where an oracle's price comes from."""

    FEED = "feed"  # pushed by keepers on deviation or heartbeat
    POOL = "pool"  # read from an exchange pool's spot or short average
    FIXED = "fixed"  # never changes
    UNKNOWN = "unknown"  # no adapter could tell


@dataclass(frozen=True, kw_only=True, slots=True)
class OracleSpec:
    """How the protocol learns an asset's price."""

    source: str  # checksummed address the protocol asks
    kind: OracleKind  # see OracleKind
    deviation_threshold: float = 0.005  # relative move that triggers an update, fraction
    heartbeat: float = 3600.0  # longest time between updates, seconds
    latency: float = 0.0  # from market move to the oracle seeing it, seconds
    floor: float = 0.0  # USD; the oracle never reports less
    cap: float = float("inf")  # USD; the oracle never reports more
    factor: float = 1.0  # what the reported price is wrong by
    stuck: bool = False  # never updates
    pool: str = ""  # address of the pool, for POOL
    assumed: bool = True  # deviation threshold or heartbeat is a default, not measured from rounds


@dataclass(frozen=True, kw_only=True, eq=False)
class PriceHistory:
    """Past prices of one asset."""

    symbol: str  # of the asset
    timestamp: NDArray[np.int64]  # shape (T,); seconds since the epoch, strictly ascending
    price: NDArray[np.float64]  # shape (T,); USD per whole token, > 0
    source: str  # where it came from, shown in reports
