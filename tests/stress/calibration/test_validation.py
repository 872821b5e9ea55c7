"""The validation script on made-up prices, and the document it wrote."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from evaluator.market import PriceHistory

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def validation():
    spec = importlib.util.spec_from_file_location(
        "validation", ROOT / "benchmarks" / "validation.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["validation"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["validation"]


@pytest.fixture(scope="module")
def group(validation):
    rng = np.random.default_rng(0)
    hours = 130 * 24
    start = 1_600_000_000 // 86_400 * 86_400
    histories = []
    for symbol in ("ETH", "BTC"):
        returns = 0.008 * rng.standard_normal(hours)
        histories.append(
            PriceHistory(
                symbol=symbol,
                timestamp=start + 3600 * np.arange(hours),
                price=np.exp(returns.cumsum()),
                source="simulated",
            )
        )
    return validation.Group(title="made up", histories=tuple(histories), step=3600.0, burn_in=100)


@pytest.mark.slow
def test_rolling_forecasts_see_only_the_past(validation, group):
    forecasts = validation.rolling(group, paths=400, seed=0)
    assert {f.model for f in forecasts} == {*validation.MODELS, *validation.BASELINES}
    assert {len(f.violated) for f in forecasts} == {29}
    # A crash after the last forecast but one changes no value at risk before it.
    changed = [h.price.copy() for h in group.histories]
    for price in changed:
        price[-30:] *= 0.3
    shocked = replace(
        group,
        histories=tuple(replace(h, price=p) for h, p in zip(group.histories, changed, strict=True)),
    )
    again = validation.rolling(shocked, paths=400, seed=0)
    for before, after in zip(forecasts, again, strict=True):
        assert np.array_equal(before.value_at_risk[:-1], after.value_at_risk[:-1])
        assert after.violated.sum() >= 1
    table = validation.coverage_table(group, forecasts)
    assert any(line.startswith("| ETH | 29 | 0.3 |") for line in table)


def test_without_data_nothing_is_written(validation, tmp_path, monkeypatch, capsys):
    out = tmp_path / "validation.md"
    monkeypatch.setattr(sys, "argv", ["validation.py", "--data", str(tmp_path), "--out", str(out)])
    assert validation.main() == 69
    assert not out.exists()
    assert "nothing validated" in capsys.readouterr().err


def test_the_document_covers_every_model_asset_and_crash(validation):
    text = (ROOT / "docs" / "validation.md").read_text(encoding="utf-8")
    for name in (*validation.MODELS, *validation.BASELINES, "Kupiec", "Christoffersen"):
        assert name in text
    for symbol in ("BTC", "ETH", "LINK", "SOL", "AVAX", "MATIC", "AAVE", "CRV", "MKR", "USDC"):
        assert f"| {symbol} |" in text
    for day, title in validation.CRASHES.items():
        assert f"| {title} | {day} |" in text
