"""Start, watch and stop anvil, the local node every sandbox runs on.

A small shell guard stands between this process and anvil. It holds the reading
end of a pipe whose writing end is ours: when we stop, or die in whatever way,
the pipe closes, and the guard kills anvil and removes its private HOME, where
anvil would otherwise leave gigabytes of historical states. A parent-death
signal would be simpler but fires when the starting *thread* ends.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
import weakref
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from evaluator.chain.anvil_binary import LISTENING, find_anvil, last_words, start_failure
from evaluator.chain.rpc import RpcClient
from evaluator.errors import AnvilError, SetupError

_START_LIMIT = 60.0  # seconds; a fork of a slow endpoint reads several blocks first

# $1 is the private HOME, the rest is anvil's command line. Standard input is the
# pipe to the parent; `read` returns when it closes. The guard ends with anvil's
# own exit code, so that the parent sees an anvil that died by itself.
_GUARD = """
home=$1; shift
exec 3<&0
"$@" </dev/null 3<&- &
anvil=$!
( trap '' INT TERM HUP; read -r _ <&3; kill -KILL "$anvil" 2>/dev/null; rm -rf "$home" ) &
watcher=$!
exec 3<&-
trap '' INT HUP
wait "$anvil"; code=$?
kill -KILL "$watcher" 2>/dev/null
rm -rf "$home"
exit "$code"
"""

_running: weakref.WeakSet[Anvil] = weakref.WeakSet()


class Anvil:
    """One anvil process with its own port, HOME and process group.

    Use as a context manager, or call `stop`. Time stands still between blocks
    and each block comes `block_seconds` after the last, so that equal inputs give
    equal chains whatever the wall clock says.
    """

    def __init__(
        self,
        *,
        fork_url: str | None = None,
        fork_block: int | None = None,
        load_state: Path | None = None,
        chain_id: int | None = None,
        base_fee: int = 0,
        timestamp: int | None = None,
        block_seconds: int | None = 12,
        gas_limit: int | None = None,
        accounts: int = 0,
        prune_history: bool = False,
        timeout: float = 120.0,
        extra: Sequence[str] = (),
    ) -> None:
        """Start anvil and wait until it listens.

        `fork_url` may hold a key; it is not shown in errors. `base_fee` is in wei. With
        `block_seconds` None time follows the wall clock, as other tools expect.
        `timestamp` is the genesis time in seconds. `prune_history` saves memory but
        makes past blocks unreadable. Raises SetupError if anvil is missing or cannot
        run here, AnvilError if it exits at once.
        """
        command = [str(find_anvil()), "--port", "0", "--accounts", str(accounts)]
        command += ["--auto-impersonate", "--no-request-size-limit", "--order", "fifo"]
        command += ["--block-base-fee-per-gas", str(base_fee), "--gas-price", "0"]
        if fork_url is not None:
            command += ["--fork-url", fork_url, "--no-storage-caching", "--no-rate-limit"]
            if fork_block is not None:
                command += ["--fork-block-number", str(fork_block)]
        if load_state is not None:
            command += ["--load-state", str(load_state)]
        if chain_id is not None:
            command += ["--chain-id", str(chain_id)]
        if timestamp is not None:
            command += ["--timestamp", str(timestamp)]
        if gas_limit is not None:
            command += ["--gas-limit", str(gas_limit)]
        if prune_history:
            command += ["--prune-history"]
        self._stopped = False
        self._log: IO[bytes] = tempfile.TemporaryFile(prefix="seatrial-anvil-")  # noqa: SIM115
        self._home = tempfile.mkdtemp(prefix="seatrial-anvil-")
        self._guard = self._spawn([*command, *extra])
        _running.add(self)
        try:
            self.url = f"http://{self._wait_for_port()}"
            self.rpc = RpcClient(self.url, timeout=timeout, retries=0, outage=self._explain)
            self.rpc.request("anvil_setLoggingEnabled", [False])
            if block_seconds is not None:
                self.rpc.request("anvil_setBlockTimestampInterval", [block_seconds])
            if load_state is not None:
                # Otherwise the first block after a load carries the wall clock's time.
                head = self.rpc.request("eth_getBlockByNumber", ["latest", False])
                self.rpc.request("evm_setTime", [int(head["timestamp"], 16)])
        except BaseException:
            self.stop()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        state = "stopped" if self._stopped else getattr(self, "url", "starting")
        return f"Anvil({state})"

    @property
    def home(self) -> Path:
        """The private HOME, gone after `stop`."""
        return Path(self._home)

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return not self._stopped and self._guard.poll() is None

    def stop(self) -> None:
        """End anvil and remove its HOME. May be called twice."""
        if self._stopped:
            return
        self._stopped = True
        _running.discard(self)
        if self._guard.stdin is not None:
            with contextlib.suppress(OSError):
                self._guard.stdin.close()
        try:
            self._guard.wait(timeout=10)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._guard.pid, signal.SIGKILL)
            self._guard.wait()
        shutil.rmtree(self._home, ignore_errors=True)
        self._log.close()

    def _spawn(self, command: list[str]) -> subprocess.Popen[bytes]:
        environment = {"PATH": os.environ.get("PATH", os.defpath), "HOME": self._home}
        # anvil keeps proxies and certificates of the user for its upstream.
        for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "HTTPS_PROXY", "NO_PROXY", "TMPDIR"):
            if name in os.environ:
                environment[name] = os.environ[name]
        try:
            return subprocess.Popen(
                ["/bin/sh", "-c", _GUARD, "seatrial-anvil-guard", self._home, *command],
                stdin=subprocess.PIPE,
                stdout=self._log,
                stderr=self._log,
                env=environment,
                cwd=self._home,
                start_new_session=True,
            )
        except OSError as error:
            shutil.rmtree(self._home, ignore_errors=True)
            raise SetupError(f"anvil cannot be started through /bin/sh: {error}") from error

    def _wait_for_port(self) -> str:
        deadline = time.monotonic() + _START_LIMIT
        while time.monotonic() < deadline:
            found = LISTENING.search(self._output())
            if found:
                return found.group(1)
            code = self._guard.poll()
            if code is not None:
                raise start_failure(code, self._output())
            time.sleep(0.003)
        raise AnvilError(
            f"anvil did not start to listen in {_START_LIMIT:g} s: is the RPC endpoint it forks "
            f"reachable? It said: {last_words(self._output())}"
        )

    def _explain(self) -> Exception | None:
        """Say why anvil no longer answers, if it is because it is gone."""
        if self._stopped:
            return AnvilError("this anvil was stopped; open a new sandbox")
        # The exit may be reported a moment after the connection broke.
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = self._guard.wait(timeout=0.5)
            return AnvilError(f"anvil died (exit code {code}): {last_words(self._output())}")
        return None

    def _output(self) -> str:
        # os.pread leaves the offset alone, which anvil shares for writing.
        return os.pread(self._log.fileno(), 1 << 20, 0).decode(errors="replace")

    def _forget(self) -> None:
        """Let go of the pipe in a forked child, which must neither hold nor stop anvil."""
        self._stopped = True
        if self._guard.stdin is not None:
            with contextlib.suppress(OSError):
                os.close(self._guard.stdin.fileno())


@atexit.register
def _stop_all() -> None:
    for anvil in list(_running):
        anvil.stop()


def _forget_all() -> None:
    for anvil in list(_running):
        anvil._forget()
    _running.clear()


os.register_at_fork(after_in_child=_forget_all)
