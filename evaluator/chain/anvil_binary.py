"""The anvil binary: where it is, what it is called, why it does not run.

Uses nothing but the standard library, so that npm packages can be installed
before any Python package is.
"""

from __future__ import annotations

import ctypes.util
import os
import platform
import re
import shutil
import subprocess
from pathlib import Path

from evaluator.chain.redaction import redact
from evaluator.data_files import npm_root
from evaluator.errors import AnvilError, SetupError

LISTENING = re.compile(r"Listening on (127\.0\.0\.1:\d+)")
_LEAST_GLIBC = (2, 35)


def find_anvil() -> Path:
    """Find the anvil to run: `SEATRIAL_ANVIL`, the npm package's binary, then PATH.

    Raises SetupError that says how to get one.
    """
    named = os.environ.get("SEATRIAL_ANVIL")
    if named:
        found = shutil.which(named)
        if found is None:
            raise SetupError(
                f"SEATRIAL_ANVIL names {named!r}, which is not an executable file: correct or "
                "unset it"
            )
        return Path(found).absolute()
    native = npm_root() / "@foundry-rs" / f"anvil-{platform_name()}" / "bin" / "anvil"
    if native.is_file() and os.access(native, os.X_OK):
        return native
    found = shutil.which("anvil")
    if found is not None:
        return Path(found).absolute()
    raise SetupError(
        f"anvil for {platform_name()} is missing: it was looked for in {native} and on PATH. "
        "Run `seatrial setup`, or install Foundry, or name a "
        "binary with SEATRIAL_ANVIL"
    )


def platform_name() -> str:
    """Name this machine the way anvil's npm packages do, as in "linux-amd64"."""
    system = {"Linux": "linux", "Darwin": "darwin", "Windows": "win32"}.get(
        platform.system(), platform.system().lower()
    )
    machine = platform.machine().lower()
    cpu = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
    return f"{system}-{cpu.get(machine, machine)}"


def anvil_version(binary: Path) -> str:
    """Run `anvil --version` and return its first line.

    Raises SetupError that names the reason, such as a C library that is too old.
    """
    try:
        done = subprocess.run(
            [str(binary), "--version"], capture_output=True, text=True, timeout=30, check=False
        )
    except OSError as error:
        raise SetupError(f"{binary} cannot be run: {error}") from error
    except subprocess.TimeoutExpired as error:
        raise SetupError(f"{binary} --version did not answer in 30 s") from error
    if done.returncode != 0:
        failure = start_failure(done.returncode, done.stdout + done.stderr)
        raise failure if isinstance(failure, SetupError) else SetupError(str(failure))
    return done.stdout.splitlines()[0] if done.stdout else "anvil"


def start_failure(code: int, output: str) -> SetupError | AnvilError:
    """Make an error of the exit code and the words of an anvil that did not start."""
    if "GLIBC_" in output:
        version = ".".join(map(str, _LEAST_GLIBC))
        here = platform.libc_ver()[1] or "another"
        return SetupError(
            f"anvil needs glibc {version} or newer and this system has {here}: use a newer "
            "distribution, or build anvil from source and name it with SEATRIAL_ANVIL"
        )
    if code in (126, 127) and not output.strip().startswith("Error"):
        musl = " (this system has no glibc; anvil needs it)" if not _has_glibc() else ""
        return SetupError(f"anvil cannot be executed here{musl}: {last_words(output)}")
    return AnvilError(f"anvil exited with code {code} at start: {last_words(output)}")


def _has_glibc() -> bool:
    return platform.system() != "Linux" or "musl" not in (ctypes.util.find_library("c") or "musl")


def last_words(output: str) -> str:
    """Return the end of what anvil said, on one line and without keys."""
    start = output.rfind("Error")
    text = output[start:] if start >= 0 else LISTENING.split(output)[-1][-600:]
    return redact(" ".join(text.split()))[:600] or "nothing"
