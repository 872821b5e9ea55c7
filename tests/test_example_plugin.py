"""The documented example of a plugin, installed into a folder of its own and used."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from evaluator.chain.abi import Abi
from evaluator.chain.artifacts import parse_artifact
from evaluator.chain.contract import Contract
from evaluator.chain.embedded import Deployment
from evaluator.chain.sandbox import Sandbox
from evaluator.chain.toolchain import node_command
from evaluator.data_files import data_path
from evaluator.errors import ConfigurationError
from evaluator.evaluation import EvaluationRequest, Silence, evaluate, open_state
from evaluator.evaluation.drafting import draft, read_markets
from evaluator.market import health_factors
from evaluator.protocols import adapters, disagreement
from evaluator.protocols.adapter import ProtocolAdapter

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


TOKEN = Abi.parse(
    [
        "function deposit() payable",
        "function mint(address,uint256) returns (bool)",
        "function approve(address,uint256) returns (bool)",
    ]
)
THRESHOLD = "example_lend.WETH.liquidation_threshold"


@pytest.fixture
def plugin(monkeypatch: pytest.MonkeyPatch, installed: Path) -> Iterator[ProtocolAdapter]:
    """The example's protocol, among the adapters of this process."""
    monkeypatch.syspath_prepend(str(installed))
    adapters.cache_clear()
    yield next(a for a in adapters() if a.name == "example_lend")
    adapters.cache_clear()


@pytest.fixture
def lend(sandbox: Sandbox, deployment: Deployment) -> Contract:
    """The example's contract, owned by a timelock, with ten borrowers."""
    source = EXAMPLE / "ExampleLend.sol"
    task = {
        "language": "Solidity",
        "sources": {source.name: {"content": source.read_text()}},
        "settings": {
            "evmVersion": "cancun",
            "outputSelection": {source.name: {"*": ["abi", "evm.bytecode"]}},
        },
    }
    done = subprocess.run(
        [*node_command(), str(data_path("contracts") / "solc.js"), "--standard-json"],
        input=json.dumps(task).encode(),
        capture_output=True,
        check=True,
    )
    output = json.loads(done.stdout)
    assert "contracts" in output, output["errors"]
    found = output["contracts"][source.name]["ExampleLend"]
    artifact = parse_artifact(
        {"abi": found["abi"], "bytecode": found["evm"]["bytecode"]["object"]}, name="ExampleLend"
    )
    weth, usdc = (deployment.tokens[s] for s in ("WETH", "USDC"))
    feeds = [deployment.feeds[s] for s in ("WETH", "USDC")]
    owner = deployment.openzeppelin.timelock
    contract = Contract.deploy(sandbox, artifact, weth, usdc, *feeds, owner, sender=owner)
    sandbox.send(owner, usdc, TOKEN.encode("mint", contract.address, 10**12))
    for i in range(10):
        account = "0x" + "b0" * 19 + f"{i:02x}"
        sandbox.set_balance(account, 10**20)
        sandbox.send(account, weth, TOKEN.encode("deposit"), value=10**19)
        sandbox.send(account, weth, TOKEN.encode("approve", contract.address, 10**19))
        contract.send("deposit", 10**19, sender=account)
        # 33,500 USD of collateral at 80%: health factors from 2 down to 1.1.
        contract.send("borrow", int(26_800e6 / (2.0 - 0.1 * i)), sender=account)
    sandbox.mine()
    return contract


@pytest.mark.slow
@pytest.mark.chain
def test_the_protocol_is_read_drafted_and_evaluated(
    plugin: ProtocolAdapter,
    lend: Contract,
    sandbox: Sandbox,
    deployment: Deployment,
    tmp_path: Path,
) -> None:
    assert plugin.discover(sandbox, [lend.address, "0x" + "00" * 20]) == (lend.address.lower(),)
    market = plugin.read(sandbox, lend.address.lower())
    assert len(market.book) == 10
    assert market.prices == pytest.approx([3350.0, 1.0])
    assert health_factors(market).min() == pytest.approx(1.1, rel=1e-6)
    # Exact against the contract's own word.
    views = plugin.account_views(sandbox, market, market.book.accounts)
    assert disagreement(market, views) < 1e-9

    urls, governor = tuple(sandbox.rpc.urls), deployment.openzeppelin.governor
    with open_state(EvaluationRequest(urls=urls), Silence()) as state:
        found = read_markets(state, [lend.address], Silence())
        with pytest.raises(ConfigurationError, match="threshold with bonus above 100%"):
            draft(state, found, [f"{THRESHOLD}=98%"], governor=governor)
        made = draft(
            state, found, [f"{THRESHOLD}=0.7", "example_lend.WETH.ltv=0.65"], governor=governor
        )
    made.write(tmp_path / "proposal.json")
    result = evaluate(
        EvaluationRequest(
            file=tmp_path / "proposal.json",
            urls=urls,
            paths=256,
            attack_sequences=20,
            process="example_double",
        )
    )
    (reading,) = result.measurement.readings
    assert reading.adapter.name == "example_lend"
    assert {c.path: c.after for c in reading.changes} == {
        THRESHOLD: 0.7,
        "example_lend.WETH.ltv": 0.65,
    }
    # Those between 1 and 8/7 before are liquidatable after.
    assert len(reading.hurt) == sum(1.0 < h < 8 / 7 for h in health_factors(market))
    (section,) = result.report.markets
    assert section.name == "example_lend"
    assert section.odds
    # Held to the contract's word; what the arena cannot do without an adapter of its own is
    # said to be missing, and not taken for done.
    assert section.conformance.largest_error < 1e-9
    assert result.verdict.kind == "FAIL"
    assert "fail.liquidated_share_of_debt" in result.verdict.reasons[0].rule
    assert "the adversary search" in result.verdict.not_judged


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
