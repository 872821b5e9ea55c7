"""Run Brownie, for our contracts' own tests and for a console on a fork.

Brownie is an extra, and never imported here: it keeps global state, prints much
and pins half of the Python world. It runs in a process of its own with a private
HOME, on an anvil that we start and stop. Its compiler is a shim over npm's solc,
because it would download one otherwise.
"""

from __future__ import annotations

import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from evaluator.chain.anvil import Anvil
from evaluator.chain.anvil_binary import find_anvil
from evaluator.chain.forwarder import Forwarder
from evaluator.chain.rpc import RpcClient, pin_block
from evaluator.chain.solidity import COMPILER
from evaluator.chain.toolchain import ensure_packages, node_command
from evaluator.data_files import contracts_root, data_path, npm_root
from evaluator.errors import SetupError

_SOURCES = ("contracts", "scripts", "tests")
# The root's pytest settings switch Brownie's plugin off; these end the search for them.
_PYTEST_INI = (
    "[pytest]\ntestpaths = tests\naddopts = -p no:cacheprovider\nfilterwarnings = ignore\n"
)


@dataclass(frozen=True, kw_only=True)
class BrownieProject:
    """A copy of our contracts that Brownie may write beside."""

    folder: Path  # the project, with brownie-config.yaml
    home: Path  # Brownie's private HOME
    compilers: Path  # folder with the compiler shim


def prepare_project() -> BrownieProject:
    """Copy the sources and write the compiler shim; Brownie's own builds are kept.

    Raises SetupError if Brownie, Node or the packages are missing.
    """
    if importlib.util.find_spec("brownie") is None:
        raise SetupError("Brownie is not installed: run `pip install 'seatrial[brownie]'`")
    ensure_packages()
    source, root = data_path("contracts"), contracts_root() / ".cache" / "brownie"
    project = BrownieProject(
        folder=root / "project", home=root / "home", compilers=root / "compilers"
    )
    try:
        for folder in (project.folder, project.home, project.compilers):
            folder.mkdir(parents=True, exist_ok=True)
        for name in _SOURCES:
            shutil.rmtree(project.folder / name, ignore_errors=True)
            if (source / name).is_dir():
                shutil.copytree(
                    source / name, project.folder / name,
                    ignore=shutil.ignore_patterns("__pycache__"),
                )  # fmt: skip
        shutil.copyfile(source / "brownie-config.yaml", project.folder / "brownie-config.yaml")
        (project.folder / "pytest.ini").write_text(_PYTEST_INI)
        # Brownie opens the imported sources that its reports quote, relative to the project.
        for package in npm_root().glob("@*"):
            imported = project.folder / package.name
            imported.unlink(missing_ok=True)
            imported.symlink_to(package, target_is_directory=True)
        _write_shim(project.compilers / f"solc-v{COMPILER}")
    except OSError as error:
        raise SetupError(f"the Brownie project cannot be written to {root}: {error}") from error
    return project


def run_tests(
    node: Anvil, *, deployment: Path | None = None, args: Sequence[str] = ()
) -> subprocess.CompletedProcess[str]:
    """Run the contracts' own tests on `node`, which must have accounts.

    `deployment` describes the embedded chain if the node holds one; without it the
    tests on real protocols skip. Returns the finished process with its output.
    """
    project = prepare_project()
    environment = _environment(project, node)
    if deployment is not None:
        environment["SEATRIAL_DEPLOYMENT"] = str(deployment)
    command = [sys.executable, "-m", "pytest", "--network", "seatrial", *args]
    return subprocess.run(
        command,
        cwd=project.folder,
        env=environment,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )


def open_console(
    fork_url: str | Sequence[str], block: int | str = "latest", *, commands: str | None = None
) -> int:
    """Open Brownie's console on a fork of `fork_url`, one or several, at `block`.

    Returns its exit code. With `commands` they are run instead of a prompt. Raises
    SetupError if Brownie is missing, and the RPC errors of the endpoint.
    """
    project = prepare_project()
    upstream = RpcClient(fork_url)
    pinned = pin_block(upstream, block)
    with (
        Forwarder(upstream) as door,
        Anvil(fork_url=door.url, fork_block=pinned.number, accounts=10, block_seconds=None) as node,
    ):
        done = subprocess.run(
            [sys.executable, str(project.folder / "scripts" / "console.py")],
            cwd=project.folder,
            env=_environment(project, node),
            input=commands,
            text=True,
            check=False,
        )
    return done.returncode


def _environment(project: BrownieProject, node: Anvil) -> dict[str, str]:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")
    }
    tools = (find_anvil().parent, Path(node_command()[0]).parent)
    environment |= {
        "HOME": str(project.home),
        "PATH": os.pathsep.join((*map(str, tools), environment.get("PATH", os.defpath))),
        "SOLCX_BINARY_PATH": str(project.compilers),
        "SEATRIAL_NODE": node.url,
        "SEATRIAL_PACKAGES": str(npm_root()),
    }
    return environment


def _write_shim(path: Path) -> None:
    """Write an executable that passes Brownie's compiler calls on to solc.js.

    Brownie asks for the version a dozen times, and npm's compiler takes a second to load.
    """
    compiler = (node_command()[0], str(contracts_root() / "solc.js"))
    version = subprocess.run(
        [*compiler, "--version"], capture_output=True, text=True, timeout=60, check=False
    ).stdout
    if COMPILER not in version:
        raise SetupError(f"{shlex.join(compiler)} --version said {version!r}, not {COMPILER}")
    path.write_text(
        f'#!/bin/sh\nif [ "$1" = --version ]; then echo {shlex.quote(version.strip())}; exit; fi\n'
        f'exec {shlex.join(compiler)} "$@"\n'
    )
    path.chmod(0o755)
