"""Processes: nothing of ours outlives us, whatever happens."""

from __future__ import annotations

import multiprocessing
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from evaluator.chain import anvil_binary
from evaluator.chain.anvil import Anvil
from evaluator.chain.anvil_binary import anvil_version, find_anvil
from evaluator.chain.rpc import RpcClient
from evaluator.data_files import npm_root
from evaluator.errors import AnvilError, RpcUnreachable, SetupError

ROOT = Path(__file__).resolve().parents[2]
SECRET = "k3yThatMustNotBeShown00"

PARENT = """
import sys, time
from evaluator.chain.anvil import Anvil
anvil = Anvil()
print(anvil.url, anvil.home, flush=True)
for line in sys.stdin:
    if line.strip() == "raise":
        raise RuntimeError("on purpose")
    if line.strip() == "exit":
        sys.exit(0)
"""


def start_parent():
    process = subprocess.Popen(
        [sys.executable, "-c", PARENT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    url, home = process.stdout.readline().split()
    assert Path(home).is_dir()
    assert RpcClient(url, retries=0).chain_id == 31337
    return process, url, Path(home)


def gone(url: str, home: Path) -> bool:
    """Wait for anvil and its folder to go; the limit is far above what it takes."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            RpcClient(url, retries=0, timeout=2).request("eth_chainId")
        except RpcUnreachable:
            if not home.exists():
                return True
        time.sleep(0.02)
    return False


@pytest.mark.chain
@pytest.mark.parametrize("way", ["SIGKILL", "SIGTERM", "SIGINT", "raise", "exit"])
def test_nothing_is_left_when_the_parent_dies(way):
    process, url, home = start_parent()
    if way.startswith("SIG"):
        process.send_signal(getattr(signal, way))
    else:
        process.stdin.write(f"{way}\n")
        process.stdin.flush()
    process.wait(timeout=20)
    process.stdin.close()
    process.stdout.close()
    assert gone(url, home)


@pytest.mark.chain
def test_stop_removes_everything_and_may_be_repeated():
    anvil = Anvil()
    assert anvil.alive
    assert anvil.home.is_dir()
    anvil.stop()
    anvil.stop()
    assert not anvil.alive
    assert gone(anvil.url, anvil.home)
    with pytest.raises(AnvilError, match="was stopped"):
        anvil.rpc.request("eth_chainId")


@pytest.mark.chain
def test_historical_states_go_to_the_private_home():
    """A long run writes states to disk; they must not land in the user's HOME."""
    with Anvil(extra=["--max-persisted-states", "50"]) as anvil:
        for _ in range(60):
            anvil.rpc.batch([("evm_mine", [])] * 20)
        written = [path for path in anvil.home.rglob("*") if path.is_file()]
        assert written
    assert not anvil.home.exists()


@pytest.mark.chain
def test_an_anvil_that_dies_by_itself_is_told():
    with Anvil() as anvil:
        children = Path(f"/proc/{anvil._guard.pid}/task/{anvil._guard.pid}/children")
        if not children.exists():
            pytest.skip("needs /proc to find the process")
        # Found before any is killed, because the guard's watcher goes with anvil.
        [pid] = [
            int(pid)
            for pid in children.read_text().split()
            if "anvil" in Path(f"/proc/{pid}/comm").read_text()
        ]
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(AnvilError, match="anvil died"):
            anvil.rpc.request("eth_chainId")
        assert not anvil.alive


@pytest.mark.chain
def test_each_anvil_has_its_own_port():
    with Anvil() as one, Anvil(chain_id=77) as two:
        assert one.url != two.url
        assert (one.rpc.chain_id, two.rpc.chain_id) == (31337, 77)


def _child(url: str, queue) -> None:
    queue.put(RpcClient(url, retries=0).chain_id)


@pytest.mark.chain
def test_a_forked_child_does_not_stop_the_parents_anvil():
    context = multiprocessing.get_context("fork")
    with Anvil() as anvil:
        queue = context.Queue()
        child = context.Process(target=_child, args=(anvil.url, queue))
        child.start()
        assert queue.get(timeout=20) == 31337
        child.join(20)
        assert anvil.rpc.chain_id == 31337
        assert anvil.alive


@pytest.mark.chain
def test_a_dead_fork_url_is_an_error_without_its_key():
    with pytest.raises(AnvilError, match="exited with code 1") as caught:
        Anvil(fork_url=f"http://127.0.0.1:1/v2/{SECRET}")
    assert "onnection refused" in str(caught.value)
    assert SECRET not in str(caught.value)


@pytest.mark.chain
def test_equal_inputs_give_equal_chains():
    """Not even a block's hash depends on when it was mined."""
    hashes = []
    for _ in range(2):
        with Anvil(timestamp=1_700_000_000) as anvil:
            anvil.rpc.request("anvil_setBalance", ["0x" + "11" * 20, hex(10**18)])
            anvil.rpc.request("evm_mine")
            head = anvil.rpc.request("eth_getBlockByNumber", ["latest", False])
            hashes.append(head["hash"])
    assert hashes[0] == hashes[1]


# Finding the binary


def test_the_named_binary_comes_first(monkeypatch, tmp_path):
    own = tmp_path / "with space" / "anvil"
    own.parent.mkdir()
    own.write_text("#!/bin/sh\necho anvil Version: 9.9.9\n")
    own.chmod(0o755)
    monkeypatch.setenv("SEATRIAL_ANVIL", str(own))
    assert find_anvil() == own
    assert anvil_version(own) == "anvil Version: 9.9.9"


@pytest.mark.parametrize("named", ["/nowhere/anvil", str(ROOT / "pyproject.toml"), "/"])
def test_a_named_binary_that_is_none_is_an_error(monkeypatch, named):
    monkeypatch.setenv("SEATRIAL_ANVIL", named)
    with pytest.raises(SetupError, match="not an executable file"):
        find_anvil()


def test_without_the_package_the_path_is_searched(monkeypatch, tmp_path):
    monkeypatch.delenv("SEATRIAL_ANVIL", raising=False)
    monkeypatch.setattr(anvil_binary, "npm_root", lambda: tmp_path / "none")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SetupError, match=f"anvil for {anvil_binary.platform_name()} is missing"):
        find_anvil()
    (tmp_path / "anvil").write_text("#!/bin/sh\n")
    (tmp_path / "anvil").chmod(0o755)
    assert find_anvil() == tmp_path / "anvil"


@pytest.mark.chain
def test_an_anvil_from_a_path_with_spaces_runs(monkeypatch, tmp_path):
    folder = tmp_path / "a folder's name"
    folder.mkdir()
    (folder / "anvil").symlink_to(find_anvil())
    monkeypatch.setenv("SEATRIAL_ANVIL", str(folder / "anvil"))
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    with Anvil() as anvil:
        assert anvil.rpc.chain_id == 31337


@pytest.mark.parametrize(
    ("script", "match"),
    [
        (
            "echo \"anvil: /lib/libc.so.6: version 'GLIBC_2.35' not found\" >&2; exit 1",
            r"needs glibc 2\.35 or newer",
        ),
        ("exit 127", "cannot be executed"),
        ("echo Error: no such option >&2; exit 2", "no such option"),
    ],
)
def test_a_binary_that_cannot_run_says_why(monkeypatch, tmp_path, script, match):
    broken = tmp_path / "anvil"
    broken.write_text(f"#!/bin/sh\n{script}\n")
    broken.chmod(0o755)
    monkeypatch.setenv("SEATRIAL_ANVIL", str(broken))
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    with pytest.raises((SetupError, AnvilError), match=match):
        Anvil()
    with pytest.raises(SetupError, match=match):
        anvil_version(broken)
    assert not list(temporary.iterdir())


@pytest.mark.parametrize(
    ("system", "machine", "name"),
    [
        ("Linux", "x86_64", "linux-amd64"),
        ("Linux", "aarch64", "linux-arm64"),
        ("Darwin", "arm64", "darwin-arm64"),
        ("Darwin", "x86_64", "darwin-amd64"),
    ],
)
def test_platforms_are_named_like_the_packages(monkeypatch, system, machine, name):
    monkeypatch.setattr(platform, "system", lambda: system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    assert anvil_binary.platform_name() == name
    lock = (npm_root().parent / "package-lock.json").read_text()
    assert f'"node_modules/@foundry-rs/anvil-{name}"' in lock
