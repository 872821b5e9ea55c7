"""Drafts: calldata that sets exactly what was asked for, and is evaluated like a submission."""

import json
import math

import pytest

from evaluator.chain.embedded import Call
from evaluator.chain.embedded.proposals import propose_openzeppelin
from evaluator.errors import ConfigurationError
from evaluator.evaluation import EvaluationRequest, Silence, evaluate, open_state
from evaluator.evaluation.drafting import draft, parse_settings, read_markets
from evaluator.governance.proposal_file import load_proposal_file
from evaluator.market import Parameter, Unit
from evaluator.protocols.setters import parse_value

pytestmark = [pytest.mark.chain]

AAVE = {
    "WETH.liquidation_threshold": "0.8",
    "WETH.ltv": "78%",
    "WETH.liquidation_bonus": "600bps",
    "USDC.reserve_factor": "0.2",
    "USDC.supply_cap": "1.5M",
    "USDC.borrow_cap": "none",
    "LINK.borrowing_enabled": "off",
    "CRV.frozen": "on",
    "DAI.liquidation_protocol_fee": "20%",
    "AAVE.flash_loan_enabled": "off",
}
COMPOUND = {
    "ETH.collateral_factor": "0.75",
    "USDC.reserve_factor": "15%",
    "close_factor": "0.4",
    "liquidation_incentive": "8%",
    "USDT.borrow_cap": "2M",
}


@pytest.fixture(scope="module")
def state():
    with open_state(EvaluationRequest(), Silence()) as opened:
        yield opened


@pytest.fixture(scope="module")
def markets(state):
    return read_markets(state, (), Silence())


@pytest.mark.parametrize(("protocol", "values"), [("aave_v3", AAVE), ("compound_v2", COMPOUND)])
def test_a_draft_sets_exactly_what_it_says(state, markets, protocol, values):
    one = next(m for m in markets if m.market.protocol == protocol)
    texts = [f"{protocol}.{name}={value}" for name, value in values.items()]
    made = draft(state, markets, texts)
    governor = {
        "aave_v3": state.deployment.openzeppelin.timelock,
        "compound_v2": state.deployment.bravo.timelock,
    }[protocol]
    place = state.sandbox.snapshot()
    for call in made.calls:
        state.sandbox.send(governor, call.target, call.calldata)
    after = one.adapter.parameters(one.adapter.read(state.sandbox, one.market.address))
    state.sandbox.revert(place)
    old = {p.path: p.value for p in one.parameters}
    changed = {p.path: p.value for p in after if p.value != old[p.path]}
    (settings,) = parse_settings(markets, texts).values()
    assert changed == {s.parameter.path: pytest.approx(s.value, rel=1e-12) for s in settings}


def test_a_draft_is_read_back_and_says_what_it_sets(state, markets, tmp_path):
    made = draft(state, markets, ["aave_v3.WETH.liquidation_threshold=0.8"])
    made.write(tmp_path / "p.json")
    read = load_proposal_file(tmp_path / "p.json")
    assert [a.full_calldata for a in read.raw_actions] == [c.calldata for c in made.calls]
    assert "WETH liquidation threshold from 82.5% to 80%" in read.description
    made.write(tmp_path / "safe.json", safe=True)
    safe = json.loads((tmp_path / "safe.json").read_text())
    assert safe["transactions"][0]["data"] == "0x" + made.calls[0].calldata.hex()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("aave_v3.WETH.liquidation_treshold=0.8", "did you mean aave_v3.WETH.liquidation_thresh"),
        ("aave_v3.WETH.ltv", "PARAMETER=VALUE"),
        ("aave_v3.WETH.ltv=much", "0.8, or 80%"),
        ("aave_v3.WETH.ltv=0.8", "already"),
        ("aave_v3.WETH.frozen=perhaps", "on or off"),
        ("aave_v3.WETH.ltv=0.9", "the protocol refuses"),
        ("compound_v2.ETH.collateral_factor=0.95", "error code"),
        ("aave_v3.WETH.rate_curve.slope2=0.5", "cannot be drafted"),
    ],
)
def test_what_cannot_be_drafted_says_why(state, markets, text, said):
    with pytest.raises(ConfigurationError, match=said):
        draft(state, markets, [text])


@pytest.mark.parametrize(
    ("unit", "text", "value"),
    [
        (Unit.FRACTION, "80%", 0.8),
        (Unit.FRACTION, "8250bps", 0.825),
        (Unit.TOKENS, "1,500,000", 1.5e6),
        (Unit.TOKENS, "2k", 2000.0),
        (Unit.TOKENS, "none", math.inf),
        (Unit.FLAG, "Yes", True),
        (Unit.ADDRESS, " 0xAb ", "0xAb"),
    ],
)
def test_values_are_read_as_people_type_them(unit, text, value):
    parameter = Parameter(
        path="p", protocol="p", asset="", name="p", label="p", value=0.0, unit=unit
    )
    assert parse_value(parameter, text) == value


def test_a_draft_and_its_submission_have_the_same_digests(sandbox, deployment, tmp_path):
    url = tuple(sandbox.rpc.urls)
    with open_state(EvaluationRequest(urls=url), Silence()) as opened:
        found = read_markets(opened, (), Silence())
        made = draft(opened, found, ["aave_v3.WETH.liquidation_threshold=0.81"])
    path = tmp_path / "proposal.json"
    made.write(path)
    drafted = evaluate(EvaluationRequest(file=path, urls=url, paths=64, attack_sequences=0))
    ref = propose_openzeppelin(
        sandbox,
        deployment,
        [Call(target=c.target, calldata=c.calldata) for c in made.calls],
        description=made.description,
    )
    submitted = evaluate(
        EvaluationRequest(
            governor=ref.governor,
            proposal_id=ref.proposal_id,
            urls=url,
            paths=64,
            attack_sequences=0,
        )
    )
    assert drafted.manifest.proposal_digest == submitted.manifest.proposal_digest
    assert drafted.verdict.kind == submitted.verdict.kind
    assert drafted.manifest.states == submitted.manifest.states
    assert drafted.manifest.results == submitted.manifest.results
