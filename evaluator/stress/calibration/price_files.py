"""Price histories from files: CSV and Parquet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from evaluator.errors import CalibrationError
from evaluator.market import PriceHistory
from evaluator.stress.calibration.prices import LATEST, MAX_ROWS, IntArray, checked

MAX_FILE_BYTES = 256 * 1024 * 1024
MAX_SYMBOLS = 1000

_TIME_COLUMNS = ("timestamp", "time", "ts", "datetime", "date")
_PRICE_COLUMNS = ("price", "close", "priceusd", "price_usd", "answer")
_SYMBOL_COLUMNS = ("symbol", "asset", "token")


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
        # Larger numbers than the latest second are milli- or microseconds.
        scale = 1.0 if top <= LATEST else 1e3 if top <= LATEST * 1e3 else 1e6
        if top > LATEST * 1e6:
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
