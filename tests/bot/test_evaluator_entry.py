"""The real evaluator in the real worker process, on the embedded chain."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bot.discourse_text import charts_named, post_body
from bot.evaluation import EvaluationOrder, JobKind, Progress
from bot.settings import EvaluationSettings
from bot.worker import SubprocessEvaluator
from evaluator import Deployment, Sandbox, propose_weth_threshold_cut

pytestmark = [pytest.mark.chain, pytest.mark.slow, pytest.mark.timeout(900)]


def _evaluator(sandbox: Sandbox, work: Path) -> SubprocessEvaluator:
    return SubprocessEvaluator(
        EvaluationSettings(time_limit=900.0), urls={"anvil": sandbox.rpc.urls}, work=work
    )


async def test_a_proposal_is_evaluated_and_fits_into_a_post(
    sandbox: Sandbox, deployment: Deployment, tmp_path: Path
) -> None:
    proposal = propose_weth_threshold_cut(sandbox, deployment)
    sandbox.mine()
    heard: list[Progress] = []
    order = EvaluationOrder(
        kind=JobKind.EVALUATION,
        chain="anvil",
        chain_id=sandbox.chain_id,
        governor=proposal.governor,
        proposal=str(proposal.proposal_id),
        paths=50,
    )
    result = await _evaluator(sandbox, tmp_path).evaluate(order, progress=heard.append)
    assert result.verdict in {"PASS", "CAUTION", "FAIL", "INCONCLUSIVE"}
    report = json.loads(result.report)
    assert report["headline"]["verdict"] == result.verdict
    assert result.block == report["proposal"]["block"]
    assert result.digest
    assert json.loads(result.embed)["title"]
    assert "survival" in result.charts
    assert result.charts["survival"].startswith(b"\x89PNG")
    assert set(charts_named(result.markdown)) <= set(result.charts)
    assert charts_named(result.markdown)
    body = post_body(result.markdown, reference="st0123456789abcdef", limit=32_000)
    assert len(body) <= 32_000
    assert len({note.stage for note in heard}) >= 4
    assert list(tmp_path.iterdir()) == []
