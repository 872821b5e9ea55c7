"""The scenario library, its loader and its effect on paths, battery and market."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from evaluator.errors import ConfigurationError
from evaluator.market import Asset, AssetClass
from evaluator.stress.battery import Battery
from evaluator.stress.price_process import default_process
from evaluator.stress.scenarios import find_scenario, load_scenario, parse_scenario, scenario_names

HOUR = 3600.0
WANTED = {
    "black_thursday", "may_2021", "luna", "steth_discount", "ftx", "crv_squeeze", "usdc_depeg",
    "august_2024", "october_2025", "broken_correlation", "no_keepers", "gas_spike",
    "oracle_stuck", "oracle_wrong_factor", "depth_down_90", "supplier_run",
}  # fmt: skip


def asset(symbol: str, asset_class: AssetClass, pegged_to: str | None = None) -> Asset:
    return Asset(
        symbol=symbol,
        address="0x" + symbol,
        decimals=18,
        price=1.0,
        asset_class=asset_class,
        pegged_to=pegged_to,
    )


ASSETS = (
    asset("WETH", AssetClass.ETH),
    asset("wstETH", AssetClass.LST, "stETH"),
    asset("stETH", AssetClass.LST, "ETH"),
    asset("WBTC", AssetClass.BTC, "BTC"),
    asset("USDC", AssetClass.STABLE, "USD"),
    asset("DAI", AssetClass.STABLE, "USD"),
    asset("sDAI", AssetClass.STABLE, "DAI"),
    asset("CRV", AssetClass.SMALL_ALT),
)
COLUMN = {a.symbol: i for i, a in enumerate(ASSETS)}


def test_the_library_is_complete():
    assert set(scenario_names()) >= WANTED


@pytest.mark.parametrize("name", scenario_names())
def test_every_scenario_loads_applies_and_names_its_sources(name):
    scenario = find_scenario(name)
    assert scenario.name == name
    assert scenario.sources
    overlay = scenario.overlay(ASSETS, step=HOUR, steps=168)
    assert overlay.shape == (169, len(ASSETS))
    assert np.all(overlay[0] == 1.0)
    assert np.all(overlay > 0.0)
    battery = scenario.apply_battery(Battery())
    assert battery.scenario == name
    acts = scenario.shocks or scenario.oracles or scenario.battery_overrides
    assert acts


def test_black_thursday_takes_43_percent_of_eth_in_a_day():
    overlay = find_scenario("black_thursday").overlay(ASSETS, step=HOUR, steps=48)
    assert overlay[24, COLUMN["WETH"]] == pytest.approx(0.57, abs=0.02)
    assert overlay[24, COLUMN["DAI"]] > 1.03


def test_the_crv_squeeze_raises_crv_as_published():
    overlay = find_scenario("crv_squeeze").overlay(ASSETS, step=HOUR, steps=24)
    assert overlay[:, COLUMN["CRV"]].max() == pytest.approx(0.74 / 0.40, abs=0.01)
    assert np.all(overlay[:, COLUMN["WETH"]] == 1.0)


def test_a_pegged_asset_shares_its_anchors_shock():
    overlay = find_scenario("no_keepers").overlay(ASSETS, step=HOUR, steps=168)
    for pegged in ("stETH", "wstETH"):
        assert np.array_equal(overlay[:, COLUMN[pegged]], overlay[:, COLUMN["WETH"]])
    assert np.all(overlay[:, COLUMN["USDC"]] == 1.0)


def test_one_shock_on_an_asset_and_its_anchor_counts_once():
    overlay = find_scenario("steth_discount").overlay(ASSETS, step=HOUR, steps=96)
    discount = overlay[96, COLUMN["stETH"]] / overlay[96, COLUMN["WETH"]]
    assert discount == pytest.approx(0.93)
    assert overlay[96, COLUMN["wstETH"]] == overlay[96, COLUMN["stETH"]]
    depeg = find_scenario("usdc_depeg").overlay(ASSETS, step=HOUR, steps=9)
    assert depeg[9, COLUMN["sDAI"]] == depeg[9, COLUMN["DAI"]] == pytest.approx(0.88)
    crash = find_scenario("black_thursday").overlay(ASSETS, step=HOUR, steps=24)
    assert crash[24, COLUMN["WBTC"]] == pytest.approx(0.57)


def test_the_overlay_multiplies_the_paths_of_the_process():
    process = default_process(ASSETS, [], step=HOUR)
    scenario = find_scenario("luna")
    laid = scenario.apply(process, ASSETS)
    arguments = {"seed": 3, "first": 5, "count": 4, "steps": 30}
    plain = process.paths(**arguments)
    overlay = scenario.overlay(ASSETS, step=HOUR, steps=30)
    assert np.array_equal(laid.paths(**arguments), plain * overlay)
    assert laid.symbols == process.symbols
    assert "luna" in laid.calibration.notes[-1]
    with pytest.raises(ConfigurationError, match="own"):
        scenario.apply(process, ASSETS[:2])


def test_a_profile_is_straight_in_the_logarithm_and_stays_after_its_end():
    text = VALID.replace("[[0.0, 1.0], [10.0, 0.5]]", "[[2.0, 1.0], [4.0, 0.25]]")
    overlay = parse_scenario(text.encode(), origin="x.toml").overlay(ASSETS, step=HOUR, steps=6)
    assert overlay[:, 0] == pytest.approx([1.0, 1.0, 1.0, 0.5, 0.25, 0.25, 0.25])


def test_oracles_and_gas_of_the_market_change(build):
    reserves = [build.reserve("WETH", 2000.0, 0.8), build.reserve("USDC", 1.0, 0.8)]
    classes = (AssetClass.ETH, AssetClass.STABLE)
    reserves = [
        replace(r, asset=replace(r.asset, asset_class=c))
        for r, c in zip(reserves, classes, strict=True)
    ]
    market = build.market(reserves, [{0: 1.0}], [{1: 1000.0}])
    stuck = find_scenario("oracle_stuck").apply_market(market)
    for before, after in zip(market.reserves, stuck.reserves, strict=True):
        expected = before.asset.asset_class is not AssetClass.STABLE
        assert after.oracle.stuck is expected
    spiked = find_scenario("gas_spike").apply_market(market)
    assert spiked.gas_price == pytest.approx(20.0 * market.gas_price)
    assert spiked.reserves == market.reserves
    assert find_scenario("no_keepers").apply_battery(Battery()).keepers_absent


VALID = """
format = 1
name = "mine"
title = "Mine"
revision = 2
summary = "A fall."
sources = ["me"]
[[shocks]]
classes = ["eth"]
profile = [[0.0, 1.0], [10.0, 0.5]]
[battery]
depth_factor = 0.5
"""


def test_a_users_file_is_found_by_path_and_by_folder(tmp_path: Path):
    (tmp_path / "mine.toml").write_text(VALID)
    by_path = find_scenario(str(tmp_path / "mine.toml"))
    assert by_path == find_scenario("mine", folder=tmp_path)
    assert by_path.revision == 2
    assert len(by_path.digest) == 64
    assert by_path.apply_battery(Battery()).depth_factor == 0.5
    with pytest.raises(ConfigurationError, match="no scenario 'mine'"):
        find_scenario("mine")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("format = 1", "format = 9", "format"),
        ('name = "mine"', 'name = "../x"', "name"),
        ("revision = 2", "revision = 0", "revision"),
        ("revision = 2", "revision = true", "revision"),
        ('sources = ["me"]', "sources = []", "sources"),
        ('sources = ["me"]', "sources = [1]", "sources"),
        ('classes = ["eth"]', 'classes = ["doge"]', "doge"),
        ('classes = ["eth"]', "", "neither classes nor symbols"),
        ("[10.0, 0.5]", "[10.0, 0.0]", "multiples"),
        ("[10.0, 0.5]", "[10.0, nan]", "point"),
        ("[10.0, 0.5]", "[0.0, 0.5]", "ascend"),
        ("[0.0, 1.0]", "[-1.0, 1.0]", "ascend"),
        ("[10.0, 0.5]", "[10.0]", "point"),
        ("depth_factor = 0.5", "depth = 0.5", "depth"),
        ("depth_factor = 0.5", 'depth_factor = "half"', "depth_factor"),
        ("depth_factor = 0.5", "keepers_absent = 1", "keepers_absent"),
        ("depth_factor = 0.5", "paths = 5", "paths"),
        ("[[shocks]]", "[[shock]]", "shock"),
        ("[[shocks]]", "[shocks]", "shocks"),
        ("title =", "title ==", "TOML"),
    ],
)
def test_a_malformed_file_says_what_is_wrong(old, new, message):
    assert old in VALID
    with pytest.raises(ConfigurationError, match=message):
        parse_scenario(VALID.replace(old, new).encode(), origin="mine.toml")


def test_an_impossible_setting_is_refused_when_applied():
    text = VALID.replace("depth_factor = 0.5", "depth_factor = -1.0")
    with pytest.raises(ConfigurationError, match="depth_factor"):
        parse_scenario(text.encode(), origin="mine.toml").apply_battery(Battery())


def test_hostile_files_are_refused(tmp_path: Path):
    big = tmp_path / "big.toml"
    big.write_bytes(b"#" * 100_000)
    with pytest.raises(ConfigurationError, match="larger"):
        load_scenario(big)
    with pytest.raises(ConfigurationError, match="TOML"):
        parse_scenario(b"\xff\xfe\x00", origin="x.toml")
    with pytest.raises(ConfigurationError, match="TOML"):
        parse_scenario(b"a = " + b"[" * 30_000, origin="x.toml")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_scenario(tmp_path / "missing.toml")
    with pytest.raises(ConfigurationError, match="choose one of"):
        find_scenario("no such thing")


def test_a_users_scenario_can_hold_a_price():
    held = 'manipulated = "CRV"\nmanipulation_factor = 1.8\nmanipulation_steps = 3\n'
    battery = parse_scenario((VALID + held).encode(), origin="mine.toml").apply_battery(Battery())
    assert battery.manipulated == "CRV"
    assert battery.manipulation_steps == 3
    with pytest.raises(ConfigurationError, match="manipulated"):
        parse_scenario((VALID + "manipulated = 3\n").encode(), origin="mine.toml")
