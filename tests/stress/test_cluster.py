"""The same blocks on a Dask cluster of real worker processes."""

import os
import signal
import threading
from dataclasses import replace

import pytest

from evaluator.errors import Cancelled, ConfigurationError
from evaluator.stress.battery import Battery
from evaluator.stress.job import PATHS_PER_BLOCK
from evaluator.stress.price_process import default_process
from evaluator.stress.trial import run
from evaluator.stress.universe import Universe

distributed = pytest.importorskip("distributed")

BATTERY = Battery(paths=6 * PATHS_PER_BLOCK + 5, horizon=24 * 3600.0)
pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def cluster():
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as running:
        yield running


@pytest.fixture(scope="module")
def pair(build):
    before = build.random_market(11, N=40)
    p = before.reserves[0].parameters
    return before, build.with_parameters(
        before, "T0", liquidation_threshold=p.liquidation_threshold - 0.05, ltv=p.ltv - 0.05
    )


@pytest.fixture(scope="module")
def process(pair):
    return default_process(Universe.of(*pair).assets, (), step=BATTERY.step)


@pytest.fixture(scope="module")
def digest(pair, process):
    return run(*pair, process=process, battery=BATTERY, seed=0, workers=1).digest()


def test_workers_of_a_cluster_give_the_same_digest(cluster, pair, process, digest):
    seen = []
    got = run(
        *pair,
        process=process,
        battery=BATTERY,
        seed=0,
        scheduler=cluster.scheduler_address,
        progress=lambda d, n: seen.append((d, n)),
    )
    assert got.complete
    assert got.digest() == digest
    assert seen[-1] == (BATTERY.paths, BATTERY.paths)


def test_a_lost_worker_loses_no_block(cluster, pair, process, digest):
    with distributed.Client(cluster.scheduler_address, set_as_default=False) as client:
        victim = next(iter(client.run(os.getpid).values()))
    killed = threading.Event()

    def kill_one(done, total):
        if not killed.is_set():
            killed.set()
            os.kill(victim, signal.SIGKILL)

    got = run(
        *pair,
        process=process,
        battery=BATTERY,
        seed=0,
        scheduler=cluster.scheduler_address,
        progress=kill_one,
    )
    assert killed.is_set()
    assert got.digest() == digest


def test_cancelling_keeps_a_prefix(cluster, pair, process):
    flag = threading.Event()
    many = replace(BATTERY, paths=200 * PATHS_PER_BLOCK)
    try:
        got = run(
            *pair,
            process=process,
            battery=many,
            seed=0,
            scheduler=cluster.scheduler_address,
            cancelled=flag,
            progress=lambda d, n: flag.set(),
        )
    except Cancelled:
        return  # the block that was done first was not block 0
    assert not got.complete
    assert len(got.before) < many.paths


def test_nobody_at_the_address(pair, process, monkeypatch):
    monkeypatch.setattr("evaluator.stress.cluster._CONNECT_SECONDS", 1)
    with pytest.raises(ConfigurationError, match="no Dask scheduler"):
        run(*pair, process=process, battery=BATTERY, seed=0, scheduler="tcp://127.0.0.1:9")
