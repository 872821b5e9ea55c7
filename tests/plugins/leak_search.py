"""Looks for the suite's secrets in all that the suite puts out.

Every key that a test hands to the code under test stands in SECRETS. None may occur in

- a log record, as it is made and before any redaction, of any logger;
- what is written to standard output or error, also when a test takes it with
  `capsys` or as the output of a process;
- a file below the temporary folder: databases, reports, logs of bots. Files that
  tests write as input (INPUTS) may.

The test that leaks fails; for a file the last test of the process has an error that
names the file.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

SECRETS = (
    "forumkey-0123456789abcdef",
    "bottoken-0123456789abcdef0123456789",
    "discoursekey0123456789",
    "rpckey0123456789abcdef",
    "rpcsecret123",
    "Zk3yAbcdefgh0123456789Qq",
    "s3cretKeyOfTheProvider42",
    "keyThatNobodyShouldSee777",
    "k3yThatMustNotBeShown00",
    "hunter2hunter2",
    "0123456789abcdef0123456789abcdef",  # of several URLs
)
# Files by which tests hand secrets to the code under test.
INPUTS = ("*.toml", "*.key", "key", "key.txt", "*.env")
# Its records hold secrets on purpose: a test looks what the product's own handler makes of them.
BAIT = "some.library"
OURS = ("bot", "evaluator", "gallery")  # loggers that are heard at any level
LARGEST = 64 << 20  # bytes of a file

_leaks: list[str] = []  # of the test under way


def _search(text: object, where: str) -> None:
    """Note each secret that occurs in a text or in bytes."""
    if isinstance(text, bytes | bytearray):
        text = bytes(text).decode("utf-8", "replace")
    if isinstance(text, str):
        _leaks.extend(f"{secret} in {where}" for secret in SECRETS if secret in text)


_formatter = logging.Formatter()


def _hear(call: Callable[..., None]) -> Callable[..., None]:
    """Wrap `Logger.callHandlers`: whatever handlers a test takes away, all records come by."""

    @functools.wraps(call)
    def heard(self: logging.Logger, record: logging.LogRecord) -> None:
        if record.name != BAIT:
            try:
                said = _formatter.format(record)
            except Exception:  # a faulty record of a test of faulty records
                said = f"{record.msg} {record.args}"
            _search(said, f"a record of the logger {record.name}: {said[:300]}")
        call(self, record)

    return heard


def _listen(read: Callable[..., Any], where: str) -> Callable[..., Any]:
    """Wrap what returns a pair of outputs."""

    @functools.wraps(read)
    def listened(*arguments: Any, **options: Any) -> Any:
        outputs = read(*arguments, **options)
        for text in outputs:
            _search(text, f"{where}: {text!r:.300}")
        return outputs

    return listened


def _listen_later(read: Callable[..., Any], where: str) -> Callable[..., Any]:
    @functools.wraps(read)
    async def listened(*arguments: Any, **options: Any) -> Any:
        outputs = await read(*arguments, **options)
        for text in outputs:
            _search(text, f"{where}: {text!r:.300}")
        return outputs

    return listened


@pytest.fixture(scope="session", autouse=True)
def _everything_is_heard() -> Iterator[None]:
    """Listen wherever something comes out."""
    process = "the output of a process"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logging.Logger, "callHandlers", _hear(logging.Logger.callHandlers))
        patch.setattr(
            pytest.CaptureFixture, "readouterr", _listen(pytest.CaptureFixture.readouterr, "output")
        )
        patch.setattr(
            subprocess.Popen, "communicate", _listen(subprocess.Popen.communicate, process)
        )
        later = asyncio.subprocess.Process
        patch.setattr(later, "communicate", _listen_later(later.communicate, process))
        for name in OURS:
            logging.getLogger(name).setLevel(logging.DEBUG)
        yield


@pytest.fixture(scope="session", autouse=True)
def _no_file_holds_a_secret(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Search what was written, when everything has ended."""
    yield
    found = [
        f"{secret} in {path}"
        for path in tmp_path_factory.getbasetemp().rglob("*")
        if path.is_file() and not path.is_symlink() and not any(map(path.match, INPUTS))
        for secret in secrets_in(path)
    ]
    if found:
        pytest.fail("secrets were written: " + "; ".join(found), pytrace=False)


def secrets_in(path: Path) -> list[str]:
    """Return the secrets that a file holds."""
    if path.stat().st_size > LARGEST:
        return []
    content = path.read_bytes()
    return [secret for secret in SECRETS if secret.encode() in content]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    call: pytest.CallInfo[None],
) -> Iterator[Any]:
    """Fail the test during which a secret came out."""
    report: pytest.TestReport = yield
    if call.when == "teardown":
        for name, content in report.sections:
            if "log" in name:
                continue  # its records were heard when they were made
            _search(content, f"{name}: {content[:300]}")
        if _leaks and report.passed:
            report.outcome = "failed"
            report.longrepr = "a secret came out: " + "; ".join(dict.fromkeys(_leaks))
        _leaks.clear()
    return report
