"""An evaluation on a Dask cluster of real worker processes."""

from dataclasses import replace

import pytest

from evaluator.errors import ConfigurationError
from evaluator.evaluation import EvaluationRequest, evaluate

pytestmark = [pytest.mark.chain, pytest.mark.slow]


@pytest.fixture(scope="module")
def request_(demonstrations):
    ref = demonstrations[1]
    # With a scenario the library of scenarios is left out.
    return EvaluationRequest(
        governor=ref.governor,
        proposal_id=ref.proposal_id,
        paths=256,
        scenario="gas_spike",
        attack_sequences=0,
    )


def test_a_cluster_gives_the_same_digests(request_):
    reason = "the extra seatrial[cluster] is missing"
    distributed = pytest.importorskip("distributed", reason=reason)
    here = evaluate(request_)
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as cluster:
        there = evaluate(replace(request_, scheduler=cluster.scheduler_address))
    assert there.manifest.results == here.manifest.results
    assert there.manifest.digest == here.manifest.digest


def test_a_scheduler_nobody_listens_at_is_said(request_, monkeypatch):
    monkeypatch.setattr("evaluator.stress.cluster._CONNECT_SECONDS", 1)
    with pytest.raises(ConfigurationError, match="scheduler"):
        evaluate(replace(request_, scheduler="tcp://127.0.0.1:9"))
