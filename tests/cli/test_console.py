"""The Brownie console on the fork of an evaluation."""

import importlib.util

import pytest

from evaluator.cli.main import main

pytestmark = [
    pytest.mark.chain,
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("brownie") is None,
        reason="Brownie is not installed: pip install 'seatrial[brownie]'",
    ),
]

READ = """
pool = Contract.from_abi("Pool", "{pool}", [dict(
    name="getConfiguration", type="function", stateMutability="view",
    inputs=[dict(name="asset", type="address")], outputs=[dict(name="", type="uint256")])])
print("threshold", (pool.getConfiguration("{weth}") >> 16) & 0xFFFF)
"""


@pytest.fixture(scope="module")
def report(tmp_path_factory, embedded_dump):
    folder = tmp_path_factory.mktemp("demo")
    assert main(["demo", "--paths", "1", "--quiet", "--out", str(folder)]) == 0
    return folder


@pytest.mark.parametrize(("flags", "threshold"), [([], 7850), (["--before"], 8250)])
def test_brownie_sees_the_chain_of_the_evaluation(report, deployment, capfd, flags, threshold):
    commands = READ.format(pool=deployment.aave.pool, weth=deployment.tokens["WETH"])
    assert main(["console", str(report), "-c", commands, *flags]) == 0
    assert f"threshold {threshold}" in capfd.readouterr().out
