"""Reading and laying out price histories, friendly and hostile."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluator.errors import CalibrationError
from evaluator.market import PriceHistory
from evaluator.stress.calibration import price_files
from evaluator.stress.calibration.price_files import read_prices
from evaluator.stress.calibration.prices import checked, grid_levels, grid_returns


def history(times, values, symbol="X") -> PriceHistory:
    return PriceHistory(
        symbol=symbol,
        timestamp=np.asarray(times, dtype=np.int64),
        price=np.asarray(values, dtype=np.float64),
        source="test",
    )


@pytest.mark.parametrize(
    ("times", "values", "message"),
    [
        ([1, 2, 3], [1.0, 0.0, 1.0], "hold 0.0 in row 1"),
        ([1, 2, 3], [1.0, -1.0, 1.0], "above 0"),
        ([1, 2, 3], [1.0, float("nan"), 1.0], "nan"),
        ([1, 2, 3], [1.0, float("inf"), 1.0], "inf"),
        ([1, 3, 2], [1.0, 1.0, 1.0], "order of time"),
        ([1, 2, 2], [1.0, 1.0, 1.0], "order of time"),
        ([1, 2], [1.0, 1.0, 1.0], "2 times and 3 prices"),
        ([-5, 2, 3], [1.0, 1.0, 1.0], "outside"),
        ([1, 2, 10**12], [1.0, 1.0, 1.0], "outside"),
    ],
)
def test_malformed_histories_are_refused(times, values, message):
    with pytest.raises(CalibrationError, match=message):
        checked(history(times, values))


def test_a_grid_takes_the_last_price_and_never_a_later_one():
    # Rounds of a feed at uneven times.
    rounds = history([100, 3700, 3800, 9000, 14500], [1.0, 2.0, 4.0, 8.0, 16.0])
    levels = grid_levels(rounds, step=3600.0)
    assert levels.step == 3600.0 or levels.step == 7200.0
    for slot, log_price in zip(levels.slot, levels.log_price, strict=True):
        last = np.flatnonzero(rounds.timestamp <= slot * levels.step)[-1]
        assert log_price == pytest.approx(np.log(rounds.price[last]))


def test_returns_across_a_long_gap_are_left_out():
    with pytest.raises(CalibrationError, match="steps"):
        # A century of seconds would be a grid without bounds.
        grid_returns(history([*range(10), 3_000_000_000], np.ones(11)), step=1.0)
    gap = [*range(0, 36000, 3600), *range(900_000, 936_000, 3600)]
    returns = grid_returns(history(gap, np.exp(np.arange(20.0))), step=3600.0)
    # Within a day the last price is carried forward; the jump to the new part is dropped.
    assert returns.value.max() == pytest.approx(1.0)
    assert np.count_nonzero(returns.value) == 18


def test_nothing_after_until_is_used():
    values = np.exp(np.random.default_rng(0).normal(0, 0.01, 100).cumsum())
    times = np.arange(100) * 3600
    whole = grid_returns(history(times, values), step=3600.0, until=50 * 3600)
    values[51:] = 999.0
    again = grid_returns(history(times, values), step=3600.0, until=50 * 3600)
    assert np.array_equal(whole.value, again.value)
    assert whole.last_timestamp == 50 * 3600


def test_sparse_prices_get_a_grid_of_their_own():
    daily = history(np.arange(50) * 86_400, np.exp(np.arange(50) * 0.01))
    returns = grid_returns(daily, step=3600.0)
    assert returns.step == 86_400.0
    assert np.allclose(returns.value, 0.01)


def write(path: Path, table: pd.DataFrame) -> Path:
    table.to_csv(path, index=False)
    return path


def test_csv_forms(tmp_path: Path):
    stamps = pd.date_range("2024-01-01", periods=5, freq="h", tz="UTC")
    seconds = stamps.as_unit("s").astype("int64")
    values = [1.0, 2.0, 3.0, 4.0, 5.0]
    forms = {
        "iso.csv": pd.DataFrame({"Time": stamps.astype(str), "PriceUSD": values}),
        "seconds.csv": pd.DataFrame({"timestamp": seconds, "price": values}),
        "milli.csv": pd.DataFrame({"ts": seconds * 1000, "close": values, "volume": values}),
    }
    for name, table in forms.items():
        (found,) = read_prices(write(tmp_path / name, table))
        assert found.symbol == name.split(".")[0]
        assert np.array_equal(found.timestamp, seconds)
        assert np.array_equal(found.price, values)
    packed = tmp_path / "seconds2.csv.gz"
    packed.write_bytes(gzip.compress((tmp_path / "seconds.csv").read_bytes()))
    assert np.array_equal(read_prices(packed)[0].price, values)


def test_several_symbols_in_one_file(tmp_path: Path):
    table = pd.DataFrame(
        {"timestamp": [1, 2, 1, 2], "price": [1.0, 2.0, 3.0, 4.0], "symbol": ["A", "A", "B", "B"]}
    )
    path = write(tmp_path / "both.csv", table)
    assert [h.symbol for h in read_prices(path)] == ["A", "B"]
    assert read_prices(path, symbol="B")[0].price.tolist() == [3.0, 4.0]
    with pytest.raises(CalibrationError, match="no rows of C"):
        read_prices(path, symbol="C")


def test_parquet(tmp_path: Path):
    pytest.importorskip("pyarrow")
    table = pd.DataFrame({"timestamp": [1, 2, 3], "price": [1.0, 2.0, 3.0], "other": ["x"] * 3})
    table.to_parquet(tmp_path / "x.parquet")
    assert read_prices(tmp_path / "x.parquet")[0].price.tolist() == [1.0, 2.0, 3.0]
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 nonsense PAR1")
    with pytest.raises(CalibrationError, match="Parquet"):
        read_prices(tmp_path / "bad.parquet")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.csv", b"", "readable table"),
        ("x.csv", b"a,b\n1,2\n", "no column for a time"),
        ("x.csv", b"time,b\n1,2\n", "no column for a price"),
        ("x.csv", b"time,price\nyesterday,2\n", "yesterday"),
        ("x.csv", b"time,price\n1,cheap\n", "hold nan"),
        ("x.csv", b"time,price\n2,1\n1,1\n", "order of time"),
        ("x.csv", b"time,price\n1e30,1\n", "after 2100"),
        ("x.csv", b"\xff\xfe\x00\x01", "x.csv"),
        ("x.csv.gz", b"not gzip", "readable table"),
        ("x.xlsx", b"", "unknown format"),
        ("x.parquet", b"", "Parquet"),
    ],
)
def test_hostile_files_are_refused_with_a_sentence(tmp_path: Path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CalibrationError, match=message):
        read_prices(tmp_path / name)


def test_files_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = write(tmp_path / "x.csv", pd.DataFrame({"time": range(1, 100), "price": [1.0] * 99}))
    monkeypatch.setattr(price_files, "MAX_ROWS", 50)
    with pytest.raises(CalibrationError, match="more than 50 rows"):
        read_prices(path)
    monkeypatch.setattr(price_files, "MAX_FILE_BYTES", 100)
    with pytest.raises(CalibrationError, match="at most 100"):
        read_prices(path)
    with pytest.raises(CalibrationError, match="cannot be read"):
        read_prices(tmp_path / "missing.csv")


@settings(max_examples=50)
@given(content=st.binary(max_size=300))
def test_any_bytes_are_prices_or_a_calibration_error(content, tmp_path_factory):
    path = tmp_path_factory.mktemp("any") / "x.csv"
    path.write_bytes(content)
    try:
        found = read_prices(path)
    except CalibrationError:
        return
    assert all(np.all(h.price > 0.0) for h in found)
