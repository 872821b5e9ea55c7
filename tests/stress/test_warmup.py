"""Compiling ahead fills the cache that the battery reads."""

import fcntl
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from evaluator.stress.kernel import warmup


def run(code, cache):
    environment = os.environ | {"SEATRIAL_CACHE": str(cache)}
    environment.pop("NUMBA_CACHE_DIR", None)
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    ).stdout


STATE = "from evaluator.stress.kernel.warmup import is_compiled; print(is_compiled())"


def test_an_empty_cache_holds_nothing_compiled(tmp_path):
    assert run(STATE, tmp_path).strip() == "False"


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_the_cache_is_filled_once(monkeypatch):
    # Set-up has filled the user's cache of this version; where it did not, this does.
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    begun = warmup.start_compiling()
    if begun is not None:
        assert begun.wait() == 0
    said = subprocess.run(
        [sys.executable, "-c", STATE], capture_output=True, text=True, check=True
    ).stdout
    assert said.strip() == "True"
    assert warmup.start_compiling() is None


def test_only_one_of_several_compiles(tmp_path):
    # The compiling itself is stood in for: it takes half a minute.
    code = (
        "import pathlib, subprocess, time\n"
        "from evaluator.stress.kernel import warmup\n"
        "folder = pathlib.Path(warmup.numba.config.CACHE_DIR)\n"
        "class Beside:\n"
        "    def __init__(self, *args, **named): pass\n"
        "    def wait(self): return 0\n"
        "def compile_kernel():\n"
        "    time.sleep(0.5)\n"
        "    (folder / 'certificate.certificate_paths-1.py311.1.nbc').touch()\n"
        "    print('compiled')\n"
        "warmup.compile_kernel = compile_kernel\n"
        "warmup.subprocess.Popen = Beside\n"
        "warmup.compile_once()\n"
    )
    with ThreadPoolExecutor(3) as pool:
        said = list(pool.map(lambda _: run(code, tmp_path), range(3)))
    assert sorted(x.strip() for x in said) == ["", "", "compiled"]


def test_who_comes_while_another_compiles_waits_for_it(tmp_path, monkeypatch):
    monkeypatch.setattr(warmup.numba.config, "CACHE_DIR", str(tmp_path))
    with (tmp_path / "compiling.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        begun = warmup.start_compiling()
        assert "-m" not in begun.args  # nothing of ours is loaded only to wait
        with pytest.raises(subprocess.TimeoutExpired):
            begun.wait(timeout=0.5)
    assert begun.wait(timeout=20) == 0
    assert not warmup.is_compiled()


def test_a_cache_that_cannot_be_written_to_starts_nothing(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setattr(warmup.numba.config, "CACHE_DIR", str(tmp_path / "file" / "cache"))
    assert warmup.start_compiling() is None


def test_a_home_that_cannot_be_written_still_imports(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    code = "from evaluator.stress.kernel import compilation; print(compilation.CACHED)"
    assert run(code, blocked).strip() == "False"
