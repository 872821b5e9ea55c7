"""The documented example of a plugin, installed into a folder of its own and used."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "docs" / "examples" / "seatrial-example-plugin"

PROGRAM = """
import numpy as np
from evaluator.arena.agents.agent import View, agent_by_name
from evaluator.market import Asset
from evaluator.protocols import adapters
from evaluator.stress.price_process import process_by_name, process_names

assert {"aave_v3", "compound_v2", "example_lend"} <= {a.name for a in adapters()}

maker = agent_by_name("example_accruer")
agent = maker(account="0x" + "11" * 20, market="0x" + "22" * 20, every=2)
look = lambda block: View(block=block, timestamp=0, reports=(), read=lambda to, data: b"")
rng = np.random.default_rng(0)
assert [len(agent.act(look(b), rng)) for b in range(4)] == [1, 0, 1, 0]
assert agent.act(look(0), rng)[0].call.data == bytes.fromhex("a6afed95")

assert "example_double" in process_names()
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder the example was installed into."""
    pytest.importorskip("setuptools", reason="setuptools builds the example")
    pytest.importorskip("pip", reason="pip installs the example")
    folder = tmp_path_factory.mktemp("plugin")
    # Building leaves files beside the sources.
    shutil.copytree(EXAMPLE, folder / "source")
    target = folder / "site"
    flags = ("--quiet", "--no-deps", "--no-build-isolation", "--no-index")
    subprocess.run(
        [sys.executable, "-m", "pip", "install", *flags, "--target", target, folder / "source"],
        check=True,
        timeout=120,
    )
    return target


@pytest.mark.slow
def test_the_example_is_found_and_works(installed: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "PYTHONPATH": f"{installed}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_the_price_process_is_twice_as_wild(monkeypatch, installed: Path) -> None:
    monkeypatch.syspath_prepend(str(installed))
    from seatrial_example.prices import fit_double

    from evaluator.market import Asset, AssetClass
    from evaluator.stress.calibration.jump_diffusion import fit_gbm

    asset = Asset(
        symbol="WETH",
        address="0x" + "11" * 20,
        decimals=18,
        price=2000.0,
        asset_class=AssetClass.ETH,
    )
    calm, wild = (fit([asset], [], step=3600.0) for fit in (fit_gbm, fit_double))
    assert wild.variance.volatility == pytest.approx(2.0 * calm.variance.volatility)
    paths = wild.paths(seed=0, first=0, count=4, steps=3)
    assert paths.shape == (4, 4, 1)
