"""Price histories as they come: checked, and laid on a regular grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluator.errors import CalibrationError
from evaluator.market import PriceHistory

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

MAX_ROWS = 5_000_000
# Seconds a price may be carried forward; longer gaps give no returns. Feeds with a
# heartbeat of a day are often minutes late.
LONGEST_GAP = 30.0 * 3600.0

LATEST = 4_102_444_800  # 2100-01-01


@dataclass(frozen=True, kw_only=True, eq=False)
class Returns:
    """Log returns of one price on a regular grid of times."""

    symbol: str  # of the asset
    step: float  # seconds between grid times
    slot: IntArray  # shape (T,); grid number (time // step) at the end of each return, ascending
    value: FloatArray  # shape (T,); log return over the step
    samples: int  # observations the grid was made of
    source: str  # of the prices

    @property
    def first_timestamp(self) -> int:
        """Seconds since the epoch at the start of the first return."""
        return int((int(self.slot[0]) - 1) * self.step)

    @property
    def last_timestamp(self) -> int:
        """Seconds since the epoch at the end of the last return."""
        return int(int(self.slot[-1]) * self.step)

    @property
    def years(self) -> float:
        """Time covered by returns, gaps excluded, in years."""
        return float(len(self.value) * self.step / (365.0 * 86400.0))


def checked(history: PriceHistory) -> PriceHistory:
    """Return `history` unchanged if a calibration can trust its form.

    Raises CalibrationError for prices that are not positive and finite, times
    that do not ascend, arrays of different or excessive length.
    """
    times, prices = np.asarray(history.timestamp), np.asarray(history.price)
    name = f"the prices of {history.symbol} ({history.source})"
    if times.ndim != 1 or times.shape != prices.shape:
        raise CalibrationError(
            f"{name} have {times.size} times and {prices.size} prices; give one price for each time"
        )
    if len(times) > MAX_ROWS:
        raise CalibrationError(f"{name} have {len(times)} rows; at most {MAX_ROWS} are read")
    bad = np.flatnonzero(~(np.isfinite(prices) & (prices > 0.0)))
    if len(bad):
        raise CalibrationError(
            f"{name} hold {prices[bad[0]]} in row {bad[0]} ({len(bad)} such rows); "
            "a price must be above 0 and finite: remove these rows"
        )
    unsorted = np.flatnonzero(np.diff(times) <= 0)
    if len(unsorted):
        raise CalibrationError(
            f"{name} are not in order of time: row {unsorted[0] + 1} is not later than the row "
            "before; sort them and drop repeated times"
        )
    if len(times) and (times[0] < 0 or times[-1] > LATEST):
        raise CalibrationError(f"{name} have times outside 1970 to 2100; give seconds since 1970")
    return history


@dataclass(frozen=True, kw_only=True, eq=False)
class Levels:
    """Log prices of one asset on a regular grid of times."""

    step: float  # seconds between grid times
    slot: IntArray  # shape (T,); grid numbers (time // step), ascending without gaps
    log_price: FloatArray  # shape (T,); NaN where the last price is too old
    samples: int  # observations the grid was made of


def grid_levels(history: PriceHistory, *, step: float, until: int | None = None) -> Levels:
    """Lay prices on the grid of multiples of `step` seconds.

    A grid time takes the last price at or before it, if that is at most
    LONGEST_GAP old (a feed that has not moved has not been updated). Prices
    sparser than `step` are laid on a grid of their own median spacing. Nothing
    after `until` is used. Raises CalibrationError as `checked`, and for fewer
    than three prices.
    """
    checked(history)
    times, prices = history.timestamp, history.price
    if until is not None:
        kept = int(np.searchsorted(times, until, side="right"))
        times, prices = times[:kept], prices[:kept]
    if len(times) < 3:
        raise CalibrationError(
            f"the prices of {history.symbol} ({history.source}) are only {len(times)}; "
            "a calibration needs at least 3"
        )
    spacing = float(np.median(np.diff(times)))
    used = step * max(1.0, round(spacing / step))
    low, high = int(np.ceil(times[0] / used)), int(times[-1] // used)
    if not 3 <= high - low + 1 <= MAX_ROWS:
        raise CalibrationError(
            f"the prices of {history.symbol} ({history.source}) cover {high - low + 1} steps of "
            f"{used:g} s; a calibration needs 3 to {MAX_ROWS}"
        )
    slots = np.arange(low, high + 1, dtype=np.int64)
    last = np.searchsorted(times, slots * used, side="right") - 1
    fresh = slots * used - times[last] <= max(LONGEST_GAP, used)
    return Levels(
        step=used,
        slot=slots,
        log_price=np.where(fresh, np.log(prices[last]), np.nan),
        samples=len(times),
    )


def grid_returns(history: PriceHistory, *, step: float, until: int | None = None) -> Returns:
    """Return log returns on the grid of `grid_levels`; returns across long gaps are left out.

    Raises CalibrationError as `grid_levels`.
    """
    levels = grid_levels(history, step=step, until=until)
    moves = np.diff(levels.log_price)
    usable = np.isfinite(moves)
    return Returns(
        symbol=history.symbol,
        step=levels.step,
        slot=levels.slot[1:][usable],
        value=moves[usable],
        samples=levels.samples,
        source=history.source,
    )
