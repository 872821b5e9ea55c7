"""Scorecards: what was predicted against what the chain has."""

from __future__ import annotations

import json
import math

import pytest

from evaluator.chain.embedded import Deployment, propose_weth_threshold_cut
from evaluator.chain.receipts import Log
from evaluator.chain.sandbox import Sandbox
from evaluator.evaluation.scorecard import (
    YEAR,
    Agreement,
    _user,
    score_parameters,
    score_price,
    scorecard,
)
from evaluator.evaluation.scorecard_text import (
    scorecard_json,
    scorecard_markdown,
    scorecard_sentence,
    scorecard_verdict,
)
from evaluator.governance.adapter import open_governor
from evaluator.market import Unit
from evaluator.report.model import ParameterRow, ReportModel
from evaluator.report.odds import CalibrationRow, HurtSection, MarketSection


def _row(path: str, after: float | str, before: float = 0.8) -> ParameterRow:
    return ParameterRow(
        path=path,
        protocol="aave_v3",
        asset="WETH",
        label="LTV",
        unit=Unit.FRACTION,
        before=before,
        after=after,
    )


def test_parameters_are_compared_by_path() -> None:
    scores = score_parameters(
        [_row("a", 0.7), _row("b", 0.7), _row("c", 0.7), _row("e", "no limit")],
        [_row("a", 0.7 + 1e-16), _row("b", 0.6), _row("d", 0.5), _row("e", "no limit")],
    )
    assert [(s.agreement, s.predicted is None, s.realised is None) for s in scores] == [
        (Agreement.AS_PREDICTED, False, False),
        (Agreement.DIFFERS, False, False),
        (Agreement.MISSING, False, True),
        (Agreement.UNPREDICTED, True, False),
        (Agreement.AS_PREDICTED, False, False),
    ]


def test_a_price_is_held_against_its_volatility() -> None:
    calm = score_price("WETH", start=2000.0, now=2000.0, volatility=0.8, seconds=YEAR / 64)
    assert calm.inside
    # sigma sqrt(t) = 0.1: the range is exp(-0.005 +- 0.196)
    assert calm.upper == pytest.approx(2000.0 * math.exp(-0.005 + 0.1959964))
    assert calm.lower == pytest.approx(2000.0 * math.exp(-0.005 - 0.1959964))
    fallen = score_price("WETH", start=2000.0, now=1600.0, volatility=0.8, seconds=YEAR / 64)
    assert fallen.inside is False
    unknown = score_price("X", start=1.0, now=1.0, volatility=None, seconds=60.0)
    assert unknown.inside is None


def _log(topics: int, data: bytes, *, aave: bool) -> Log:
    from evaluator.evaluation import scorecard as module

    first = module._AAVE if aave else module._COMPOUND
    return Log(
        address="0x" + "11" * 20,
        topics=(first, *(bytes(12) + bytes([n]) * 20 for n in range(1, topics))),
        data=data,
        block=1,
        tx_hash="0x" + "00" * 32,
        index=0,
        block_hash="0x" + "00" * 32,
    )


def test_liquidated_users_are_read_from_both_families() -> None:
    assert _user(_log(4, b"", aave=True)) == "0x" + "03" * 20
    words = bytes(12) + b"\xaa" * 20 + bytes(12) + b"\xbb" * 20 + bytes(96)
    assert _user(_log(1, words, aave=False)) == "0x" + "bb" * 20
    assert _user(_log(2, b"", aave=True)) is None
    assert _user(_log(1, words[:50], aave=False)) is None


def _prediction(deployment: Deployment, *, ltv: float, users: int) -> ReportModel:
    """Return the parts of a report that a scorecard looks at."""
    threshold = _row("aave_v3.WETH.liquidation_threshold", 0.785, before=0.825)
    market = MarketSection(
        name="Aave V3",
        protocol="aave_v3",
        address=deployment.aave.pool,
        supplied_usd=0.0,
        debt_usd=0.0,
        reserves_usd=0.0,
        borrowers=0,
        unchanged=False,
        hurt=HurtSection(users=users, debt_usd=0.0, share_of_debt=0.0, rows=(), borrowers=0),
        calibration=(
            CalibrationRow(
                asset="WETH",
                process="jump_diffusion",
                days=365.0,
                observations=8760,
                source="feed",
                volatility=0.8,
                share_of_book=0.5,
                thin=False,
            ),
        ),
    )
    return ReportModel.model_construct(
        content_digest="0123456789abcdef" * 4,
        parameters=(_row("aave_v3.WETH.ltv", ltv), threshold),
        markets=(market,),
    )


@pytest.mark.chain
def test_an_execution_is_compared_with_its_prediction(
    sandbox: Sandbox, deployment: Deployment
) -> None:
    proposal = propose_weth_threshold_cut(sandbox, deployment)
    sandbox.mine()
    governor = open_governor(sandbox, proposal.governor)
    trace = governor.execute(
        sandbox,
        governor.find(sandbox, proposal.proposal_id),
        feeds=tuple(deployment.feeds.values()),
    )
    assert trace.succeeded
    executed = trace.steps[-1].block
    sandbox.mine(3)
    found = scorecard(
        _prediction(deployment, ltv=0.75, users=5), sandbox.rpc.urls, executed_block=executed
    )

    assert {p.realised.path: p.agreement for p in found.parameters if p.realised} == {
        "aave_v3.WETH.ltv": Agreement.DIFFERS,
        "aave_v3.WETH.liquidation_threshold": Agreement.AS_PREDICTED,
    }
    (market,) = found.markets
    assert (market.hurt_predicted, market.hurt_realised) == (5, 8)
    assert (market.hurt_liquidated, market.liquidated) == (0, 0)
    assert [price.asset for price in market.prices] == ["WETH"]
    assert found.unread == ()
    assert scorecard_verdict(found) == "NOT AS PREDICTED"
    assert "1 of 2 parameter changes came as predicted" in scorecard_sentence(found)
    text = scorecard_markdown(found)
    assert "| 80% | 75% | 76% | **another value** |" in text
    assert json.loads(scorecard_json(found))["scorecard"]["executed_block"] == executed
