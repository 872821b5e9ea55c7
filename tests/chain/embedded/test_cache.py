"""The cache of the embedded chain: keys, damage, several processes, determinism."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from evaluator.chain.embedded import embedded_dump as find_dump
from evaluator.chain.embedded import read_deployment, start_embedded
from evaluator.chain.embedded.build import build
from evaluator.chain.embedded.cache import cache_key
from evaluator.errors import SetupError

FIND = "from evaluator.chain.embedded import embedded_dump; print(embedded_dump(seed=0))"


def refuse(stage, done, total):
    raise AssertionError(f"the cached chain was built again: {stage}")


def test_the_key_depends_on_the_seed_alone_here():
    assert cache_key(seed=0) == cache_key(seed=0)
    assert cache_key(seed=0) != cache_key(seed=1)


@pytest.mark.chain
def test_a_cached_chain_is_started_without_building(embedded_dump):
    with start_embedded(seed=0, progress=refuse) as chain:
        assert chain.label == "real bytecode, seeded state"
        assert chain.sandbox.block_number() == chain.deployment.block
        assert chain.url.startswith("http://127.0.0.1:")


def test_a_damaged_deployment_is_told_in_a_sentence(tmp_path):
    (tmp_path / "deployment.json").write_text('{"label": 3}')
    with pytest.raises(SetupError, match="no description of an embedded chain"):
        read_deployment(tmp_path / "state.json")


@pytest.mark.chain
@pytest.mark.slow
def test_damage_is_built_again_once_for_all_processes(embedded_dump, tmp_path, monkeypatch):
    monkeypatch.setenv("SEATRIAL_CACHE", str(tmp_path))
    folder = tmp_path / "embedded" / embedded_dump.parent.name
    shutil.copytree(embedded_dump.parent, folder)
    damaged = bytearray((folder / "state.json").read_bytes())
    damaged[len(damaged) // 2] ^= 1
    (folder / "state.json").write_bytes(damaged)
    processes = [
        subprocess.Popen([sys.executable, "-c", FIND], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    found = [process.communicate(timeout=200)[0].strip() for process in processes]
    assert found == [str(folder / "state.json")] * 2
    # Equal seeds give equal files, to the byte.
    assert (folder / "state.json").read_bytes() == embedded_dump.read_bytes()
    assert find_dump(seed=0, progress=refuse) == folder / "state.json"


@pytest.mark.chain
@pytest.mark.slow
def test_another_seed_gives_another_state(deployment):
    built = build(seed=1)
    assert built.deployment.state_digest != deployment.state_digest
    assert built.deployment.aave.pool == deployment.aave.pool
    assert set(built.deployment.aave.borrowers).isdisjoint(deployment.aave.borrowers)
