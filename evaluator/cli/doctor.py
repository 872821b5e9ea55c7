"""`seatrial doctor`: what is installed, what is missing, how to get it."""

from __future__ import annotations

import importlib.metadata
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from evaluator.errors import SeatrialError

_UNAVAILABLE = 69


@dataclass(frozen=True, kw_only=True, slots=True)
class Checked:
    """One thing the doctor looked at."""

    name: str
    good: bool
    required: bool  # False: something works less well without it
    found: str  # version or place, or what is wrong
    remedy: str = ""  # how to get it


def _said(name: str, look: Callable[[], str], *, required: bool, remedy: str) -> Checked:
    try:
        return Checked(name=name, good=True, required=required, found=look())
    except SeatrialError as e:
        return Checked(name=name, good=False, required=required, found=str(e), remedy=remedy)
    except (OSError, subprocess.SubprocessError, importlib.metadata.PackageNotFoundError) as e:
        return Checked(
            name=name,
            good=False,
            required=required,
            found=str(e) or type(e).__name__,
            remedy=remedy,
        )


def _python() -> Checked:
    good = sys.version_info >= (3, 11)
    return Checked(
        name="Python",
        good=good,
        required=True,
        found=platform.python_version(),
        remedy="" if good else "install Python 3.11 or 3.12",
    )


def _program(name: str, *arguments: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise FileNotFoundError(f"{name} is not on PATH")
    done = subprocess.run(
        [path, *arguments], capture_output=True, text=True, timeout=20, check=True
    )
    lines = (done.stdout or done.stderr).strip().splitlines()
    return lines[0] if lines else path


def _anvil() -> str:
    from evaluator.chain.anvil_binary import find_anvil

    path = find_anvil()
    done = subprocess.run(
        [str(path), "--version"], capture_output=True, text=True, timeout=20, check=True
    )
    return done.stdout.strip().splitlines()[0]


def _templates() -> str:
    from evaluator.data_files import data_path

    return str(data_path("templates"))


def _policy() -> str:
    from evaluator.verdict import Policy

    return f"{Policy.load().name}, valid"


def _cache() -> str:
    from evaluator.data_files import cache_path

    folder = cache_path()
    probe = folder / ".writable"
    probe.touch()
    probe.unlink()
    return str(folder)


def _database() -> str:
    from evaluator.store import Store

    with Store() as store:
        return str(store.path)


def _chromium() -> str:
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if shutil.which(name):
            return _program(name, "--version")
    raise FileNotFoundError("chromium is not on PATH")


def _brownie() -> str:
    return f"eth-brownie {importlib.metadata.version('eth-brownie')}"


def _endpoint(url: str) -> Callable[[], str]:
    def look() -> str:
        from evaluator.chain.rpc import RpcClient

        client = RpcClient(url, timeout=10.0, retries=1)
        return f"{client.label}: chain {client.chain_id}"

    return look


def examine(urls: tuple[str, ...]) -> tuple[Checked, ...]:
    """Look at everything seatrial needs or can use."""
    return (
        _python(),
        _said(
            "Node.js",
            lambda: _program("node", "--version"),
            required=True,
            remedy="install Node.js 20 or newer, or: pip install 'seatrial[node]'",
        ),
        _said(
            "npm",
            lambda: _program("npm", "--version"),
            required=True,
            remedy="it comes with Node.js",
        ),
        _said(
            "anvil",
            _anvil,
            required=True,
            remedy="run `seatrial setup`, or name one with SEATRIAL_ANVIL",
        ),
        _said("templates", _templates, required=True, remedy="install seatrial again"),
        _said("default policy", _policy, required=True, remedy="install seatrial again"),
        _said("cache folder", _cache, required=True, remedy="name a writable one: SEATRIAL_CACHE"),
        _said("database of runs", _database, required=True, remedy="name a folder: SEATRIAL_HOME"),
        _said(
            "Brownie (console)",
            _brownie,
            required=False,
            remedy="pip install 'seatrial[brownie]'",
        ),
        _said(
            "Chromium (tests of reports)",
            _chromium,
            required=False,
            remedy="on Debian: apt-get install chromium",
        ),
        *(
            _said("RPC endpoint", _endpoint(u), required=True, remedy="check the URL and the node")
            for u in urls
        ),
    )


def doctor(
    rpc: Annotated[
        list[str] | None, typer.Option("--rpc", help="Also ask this JSON-RPC URL.")
    ] = None,
) -> int:
    """Say what is installed, what is missing and how to get it.

    Exit code 0 if everything required is there, 69 if not.
    """
    from evaluator.cli.evaluation import endpoints

    checked = examine(endpoints(rpc))
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", show_header=False)
    for column in ("", "what", "found"):
        table.add_column(column, overflow="fold")
    for c in checked:
        mark = "✓" if c.good else "✗" if c.required else "·"
        table.add_row(Text(mark), Text(c.name), Text(c.found if c.good else c.remedy))
    console = Console()
    console.print(table)
    missing = [c for c in checked if not c.good and c.required]
    for c in missing:
        console.print(Text(f"{c.name}: {c.found}"))
    if missing:
        return _UNAVAILABLE
    console.print(Text("everything required is there", style="bold"))
    return 0
