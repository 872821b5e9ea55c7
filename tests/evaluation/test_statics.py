"""Weak points told without an attack: of harmful proposals, their twins and the demonstrations."""

from __future__ import annotations

import pytest

from evaluator.chain.abi import Abi
from evaluator.chain.embedded import propose_openzeppelin
from evaluator.chain.embedded.proposals import Call
from evaluator.chain.solidity import load_contract
from evaluator.evaluation.measurement import measure
from evaluator.evaluation.request import EvaluationRequest, Silence
from evaluator.evaluation.state import open_state
from evaluator.evaluation.statics import static_findings
from evaluator.governance.adapter import open_governor
from evaluator.verdict.finding import FindingKind, Severity
from gallery.cases import chosen
from gallery.runner import opened

PUSH = Abi.parse(["function push(int256 answer)"])
BUILDER = "0x5ea70000000000000000000000000000000000b0"

pytestmark = [pytest.mark.chain]

SOURCES = Abi.parse(["function setAssetSources(address[] assets, address[] sources)"])


def found(sandbox, proposal):
    """Weak points of a proposal that is carried to its execution."""
    with open_state(EvaluationRequest(urls=tuple(sandbox.rpc.urls)), Silence()) as state:
        governor = open_governor(state.sandbox, proposal.governor)
        told = governor.find(state.sandbox, proposal.proposal_id)
        measurement = measure(state, governor, told, Silence())
        assert measurement.trace.succeeded
        head = state.sandbox.block_number()
        findings = static_findings(state.sandbox, measurement)
        assert state.sandbox.block_number() == head
        assert all(f.kind is FindingKind.STATIC for f in findings)
        return findings


def deploy(sandbox, name, *args):
    artifact = load_contract(name)
    arguments = artifact.abi.encode_constructor(*args)
    return sandbox.deploy(BUILDER, artifact.creation_code(), arguments)


def grave(findings):
    return [f.title for f in findings if f.severity is Severity.HIGH and not f.open_today]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("empty-listing", ["CRV counts as collateral with nothing supplied"]),
        ("seeded-listing", []),
        pytest.param("factorless-listing", [], marks=pytest.mark.slow),
        pytest.param("oracle-knows-native", [], marks=pytest.mark.slow),
        pytest.param("oracle-same-code", [], marks=pytest.mark.slow),
    ],
)
def test_cases_of_the_gallery(name, expected):
    (case,) = chosen([name])
    with opened(case) as (sandbox, proposal):
        assert grave(found(sandbox, proposal)) == expected


def test_the_demonstrations_have_no_weak_points(aave, compound):
    for evaluation in (aave, compound):
        assert not [f for f in evaluation.report.findings if f.kind == FindingKind.STATIC]


def test_a_new_source_is_told_by_what_it_does(whole_chain, deployment):
    """Three sources at once: the spot of a pool, a near floor, and an open feed."""
    sandbox, where = whole_chain, deployment
    feeds, tokens = where.feeds, where.tokens
    link = deploy(sandbox, "BoundedFeed", feeds["LINK"], 1_500_000_000, 10**12)
    curve = deploy(sandbox, "PriceFeed", 8, "CRV / USD", "0x" + "00" * 20)
    sandbox.send(BUILDER, curve, PUSH.encode("push", 95_000_000))
    pair = next(p for p in where.uniswap.v2_pairs if {p.token0, p.token1} == {"WETH", "USDC"})
    spot = deploy(sandbox, "PairFeed", pair.address, tokens["WETH"], feeds["USDC"])
    data = SOURCES.encode(
        "setAssetSources", [tokens[s] for s in ("LINK", "CRV", "WETH")], [link, curve, spot]
    )
    ref = propose_openzeppelin(
        sandbox,
        where,
        [Call(target=where.aave.oracle, value=0, calldata=data)],
        description="# New sources of prices",
    )
    sandbox.mine()
    findings = found(sandbox, ref)
    titles = grave(findings)
    assert "the price of LINK has a floor at 70% of today's" in titles
    assert any(t == "anybody can set the price of CRV" for t in titles)
    assert "the price of WETH follows trades on a pool in the same block" in titles
    assert all("LINK" in t or "CRV" in t or "WETH" in t for t in titles)
