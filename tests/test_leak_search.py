"""The search for secrets finds them wherever a test lets one out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from leak_search import BAIT, SECRETS

pytest_plugins = ["pytester"]

TESTS = Path(__file__).parent
QUIET = ("-p", "no:pytest-brownie", "-p", "no:cacheprovider", "-p", "leak_search")
# No secret of this suite, which is searched as well.
CONFTEST = """
import leak_search
leak_search.SECRETS = ("innerSecret123",)
"""
LEAKS = f"""
import asyncio, logging, subprocess, sys

SECRET = "innerSecret123"
SAY = [sys.executable, "-c", "import sys; print(sys.argv[1])", SECRET]

def test_record():
    logging.getLogger("bot.courier").debug("asking %s", SECRET)

def test_record_of_a_library():
    logging.getLogger().handlers.clear()
    logging.getLogger("urllib3").warning("asking %s", SECRET)

def test_trace():
    try:
        raise ValueError(SECRET)
    except ValueError:
        logging.getLogger("evaluator").exception("it failed")

def test_output():
    print(SECRET)

def test_error_output():
    sys.stderr.write(SECRET)

def test_output_taken(capsys):
    print(SECRET)
    assert capsys.readouterr().out

def test_process():
    assert subprocess.run(SAY, capture_output=True, check=True).stdout

def test_process_of_a_loop():
    async def run():
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*SAY, stdout=pipe)
        assert (await process.communicate())[0]
    asyncio.run(run())

def test_innocent(tmp_path):
    (tmp_path / "bot.toml").write_text(SECRET)
    logging.getLogger({BAIT!r}).warning(SECRET)
    logging.getLogger("bot").warning("nothing")

def test_file(tmp_path):
    (tmp_path / "bot.db").write_bytes(b"\\0" + SECRET.encode())
"""


def test_what_leaks_is_told_by_test_and_by_file(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(TESTS / "plugins"))
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(LEAKS)
    # What a worker finds must reach the process that tells it.
    result = pytester.runpytest_subprocess(*QUIET, "-n", "1", "--basetemp", "written", "-rEf")
    told = result.stdout.str()
    leaking = set(re.findall(r"def (test_(?!innocent|file)\w+)", LEAKS))
    assert set(re.findall(r"^(?:ERROR|FAILED) \S+::(\w+)", told, re.MULTILINE)) == {
        *leaking,
        "test_file",
    }
    assert re.search(r"secrets were written: \S+ in \S+bot\.db\b", told)
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_every_secret_is_one_of_the_suite() -> None:
    here = {Path(__file__), TESTS / "plugins" / "leak_search.py"}
    sources = [path.read_text() for path in TESTS.rglob("*.py") if path not in here]
    for secret in SECRETS:
        assert any(secret in source for source in sources), f"{secret} is used by no test any more"
