"""Price histories as they come: checked, read from files, laid on a regular grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evaluator.errors import CalibrationError
from evaluator.market import PriceHistory

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

MAX_FILE_BYTES = 256 * 1024 * 1024
MAX_ROWS = 5_000_000
MAX_SYMBOLS = 1000
# Seconds a price may be carried forward; longer gaps give no returns. Feeds with a
# heartbeat of a day are often minutes late.
LONGEST_GAP = 30.0 * 3600.0

_TIME_COLUMNS = ("timestamp", "time", "ts", "datetime", "date")
_PRICE_COLUMNS = ("price", "close", "priceusd", "price_usd", "answer")
_SYMBOL_COLUMNS = ("symbol", "asset", "token")
_LATEST = 4_102_444_800  # 2100-01-01; larger numbers are milli- or microseconds


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
    if len(times) and (times[0] < 0 or times[-1] > _LATEST):
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


def read_prices(path: Path, *, symbol: str | None = None) -> tuple[PriceHistory, ...]:
    """Read price histories from a CSV (also .csv.gz) or Parquet file.

    Wanted columns, by any of these names in any case: timestamp, time, ts,
    datetime or date (seconds or milliseconds since 1970, or ISO 8601, UTC);
    price, close, priceusd or answer (USD per whole token); optionally symbol,
    asset or token. Without a symbol column the asset is `symbol` or the file's
    name. Raises CalibrationError for anything else, and as `checked`.
    """
    try:
        size = path.stat().st_size
    except OSError as error:
        raise CalibrationError(f"the price file {path.name} cannot be read: {error}") from error
    if size > MAX_FILE_BYTES:
        raise CalibrationError(
            f"the price file {path.name} has {size} bytes; at most {MAX_FILE_BYTES} are read"
        )
    table = _table(path)
    if len(table) > MAX_ROWS:
        raise CalibrationError(
            f"the price file {path.name} has more than {MAX_ROWS} rows; split it or thin it out"
        )
    table.columns = [str(c).strip().lower() for c in table.columns]
    time_column = _pick(table, _TIME_COLUMNS, "a time", path)
    price_column = _pick(table, _PRICE_COLUMNS, "a price", path)
    symbol_column = next((c for c in _SYMBOL_COLUMNS if c in table.columns), None)
    times = _seconds(table[time_column], path)
    prices = pd.to_numeric(table[price_column], errors="coerce").to_numpy(dtype=np.float64)
    if symbol_column is None:
        names = np.full(len(table), symbol or path.name.split(".")[0])
    else:
        names = table[symbol_column].astype(str).to_numpy(dtype=str)
    wanted = [symbol] if symbol is not None else list(dict.fromkeys(names.tolist()))
    if len(wanted) > MAX_SYMBOLS:
        raise CalibrationError(
            f"the price file {path.name} names {len(wanted)} assets; at most {MAX_SYMBOLS}"
        )
    histories = []
    for name in wanted:
        rows = names == name
        if not rows.any():
            raise CalibrationError(f"the price file {path.name} has no rows of {name}")
        histories.append(
            checked(
                PriceHistory(
                    symbol=str(name), timestamp=times[rows], price=prices[rows], source=path.name
                )
            )
        )
    return tuple(histories)


def _table(path: Path) -> pd.DataFrame:
    name = path.name.lower()
    try:
        if name.endswith((".parquet", ".pq")):
            return _parquet(path)
        if name.endswith((".csv", ".csv.gz")):
            # Bounded rows bound the memory of a compressed file too.
            return pd.read_csv(path, nrows=MAX_ROWS + 1)
    except (ValueError, OSError, EOFError, UnicodeDecodeError, pd.errors.ParserError) as error:
        raise CalibrationError(
            f"the price file {path.name} is not a readable table: {error}"
        ) from error
    raise CalibrationError(
        f"the price file {path.name} has an unknown format; give .csv, .csv.gz or .parquet"
    )


def _parquet(path: Path) -> pd.DataFrame:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError as error:
        raise CalibrationError(
            f"reading {path.name} needs pyarrow; install seatrial[parquet]"
        ) from error
    try:
        file = parquet.ParquetFile(path)
        if file.metadata.num_rows > MAX_ROWS:
            raise CalibrationError(
                f"the price file {path.name} has {file.metadata.num_rows} rows; "
                f"at most {MAX_ROWS} are read"
            )
        known = {*_TIME_COLUMNS, *_PRICE_COLUMNS, *_SYMBOL_COLUMNS}
        columns = [c for c in file.schema_arrow.names if c.strip().lower() in known]
        frame: pd.DataFrame = file.read(columns=columns).to_pandas()
    except ArrowException as error:
        raise CalibrationError(
            f"the price file {path.name} is not readable Parquet: {error}"
        ) from error
    return frame


def _pick(table: pd.DataFrame, names: Sequence[str], what: str, path: Path) -> str:
    for name in names:
        if name in table.columns:
            return name
    given = ", ".join(map(str, table.columns[:20])) or "none"
    raise CalibrationError(
        f"the price file {path.name} has no column for {what}: expected one of "
        f"{', '.join(names)}, found {given}"
    )


def _seconds(column: pd.Series, path: Path) -> IntArray:
    numbers = pd.to_numeric(column, errors="coerce")
    if numbers.notna().all():
        values = numbers.to_numpy(dtype=np.float64)
        top = float(np.max(np.abs(values), initial=0.0))
        scale = 1.0 if top <= _LATEST else 1e3 if top <= _LATEST * 1e3 else 1e6
        if top > _LATEST * 1e6:
            raise CalibrationError(f"the times in {path.name} lie after 2100")
        return np.asarray(np.floor(values / scale), dtype=np.int64)
    parsed = pd.to_datetime(column, utc=True, errors="coerce", format="ISO8601")
    bad = np.flatnonzero(parsed.isna().to_numpy())
    if len(bad):
        shown = str(column.iloc[int(bad[0])])[:40]
        raise CalibrationError(
            f"the time '{shown}' in row {bad[0]} of {path.name} is neither a number of seconds "
            "nor ISO 8601"
        )
    naive = parsed.dt.tz_localize(None).dt.as_unit("s")
    return np.asarray(naive.astype("int64").to_numpy(), dtype=np.int64)
