"""Compiling ahead fills the cache that the battery reads."""

import os
import subprocess
import sys

import pytest


def run(code, cache):
    environment = os.environ | {"SEATRIAL_CACHE": str(cache)}
    environment.pop("NUMBA_CACHE_DIR", None)
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    ).stdout


STATE = "from evaluator.stress.kernel.warmup import is_compiled; print(is_compiled())"


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_the_cache_is_filled_once(tmp_path):
    assert run(STATE, tmp_path).strip() == "False"
    start = (
        "from evaluator.stress.kernel.warmup import start_compiling as s; p = s(); print(p.wait())"
    )
    assert run(start, tmp_path).strip() == "0"
    assert run(STATE, tmp_path).strip() == "True"
    again = "from evaluator.stress.kernel.warmup import start_compiling; print(start_compiling())"
    assert run(again, tmp_path).strip() == "None"


def test_a_home_that_cannot_be_written_still_imports(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    code = "from evaluator.stress.kernel import compilation; print(compilation.CACHED)"
    assert run(code, blocked).strip() == "False"
