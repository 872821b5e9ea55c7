"""Run the contracts' own tests and the console under Brownie, as a user would."""

from __future__ import annotations

import importlib.util
import re

import pytest

from evaluator.chain import brownie_project
from evaluator.chain.anvil import Anvil
from evaluator.chain.brownie_project import open_console, prepare_project, run_tests
from evaluator.errors import SetupError

pytestmark = [pytest.mark.slow, pytest.mark.chain, pytest.mark.timeout(600)]

needs_brownie = pytest.mark.skipif(
    importlib.util.find_spec("brownie") is None, reason="needs the extra seatrial[brownie]"
)


@needs_brownie
def test_the_contracts_pass_their_own_tests(read_only_sandbox, embedded_dump):
    # A fork, because it mines at once: Brownie takes a slow block for a dropped transaction.
    fork = read_only_sandbox.rpc.urls[0]
    with Anvil(fork_url=fork, accounts=10, block_seconds=None) as node:
        done = run_tests(node, deployment=embedded_dump.parent / "deployment.json", args=["-q"])
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed, done.stdout[-2000:]
    assert int(passed.group(1)) >= 28
    assert "skipped" not in done.stdout


@needs_brownie
def test_the_console_works_on_a_fork(read_only_sandbox, deployment, capfd):
    weth = deployment.tokens["WETH"]
    commands = f"""
code = web3.eth.get_code(web3.to_checksum_address("{weth}"))
print("height", chain.height, "code", len(code) > 0)
receipt = impersonate("{weth}").transfer(accounts[1], 0)
print("sent as", receipt.sender)
"""
    block = read_only_sandbox.block_number()
    assert open_console(read_only_sandbox.rpc.urls[0], block, commands=commands) == 0
    said = capfd.readouterr().out
    assert f"height {block} code True" in said
    assert weth in said.lower()


@needs_brownie
def test_brownie_writes_nothing_outside_its_own_folders(tmp_path, monkeypatch):
    project = prepare_project()
    assert project.home.is_dir()
    assert "node_modules" not in [path.name for path in project.folder.iterdir()]
    assert (project.compilers / "solc-v0.8.28").stat().st_mode & 0o111


def test_a_missing_brownie_is_told(monkeypatch):
    monkeypatch.setattr(brownie_project.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SetupError, match=r"seatrial\[brownie\]"):
        prepare_project()
