"""Drafts: calldata that sets exactly what was asked for, and is evaluated like a submission."""

import json
import math

import pytest

from evaluator.chain.deterministic import DEPLOYER, creation_in
from evaluator.chain.embedded import Call
from evaluator.chain.embedded.proposals import propose_openzeppelin
from evaluator.errors import ConfigurationError
from evaluator.evaluation import EvaluationRequest, Silence, evaluate, open_state
from evaluator.evaluation.drafting import draft, parse_settings, read_markets
from evaluator.governance.adapter import open_governor
from evaluator.governance.proposal_file import load_proposal_file, parse_proposal
from evaluator.market import Parameter, Unit
from evaluator.protocols.aave_v3_setters import rate_data
from evaluator.protocols.setting import parse_value

pytestmark = [pytest.mark.chain]

# Every kind of parameter that governance sets, by protocol.
AAVE = {
    "WETH.liquidation_threshold": "0.8",
    "WETH.ltv": "78%",
    "WETH.liquidation_bonus": "600bps",
    "WETH.rate_curve.slope2": "1.2",
    "WETH.rate_curve.optimal": "85%",
    "USDC.rate_curve.base": "0.5%",
    "USDC.reserve_factor": "0.2",
    "USDC.supply_cap": "1.5M",
    "USDC.borrow_cap": "none",
    "USDC.unbacked_mint_cap": "5",
    "LINK.borrowing_enabled": "off",
    "wstETH.emode_category": "0",
    "CRV.frozen": "on",
    "CRV.paused": "on",
    "AAVE.siloed_borrowing": "on",
    "DAI.liquidation_protocol_fee": "20%",
    "DAI.borrowable_in_isolation": "on",
    "DAI.oracle.source": "FEED",
    "AAVE.flash_loan_enabled": "off",
    "flash_loan_premium_total": "9bps",
    "flash_loan_premium_to_protocol": "20%",
    "bridge_protocol_fee": "1%",
    "fallback_oracle": "FEED",
    "price_oracle_sentinel": "FEED",
    "emode.1.ltv": "0.9",
    "emode.1.liquidation_bonus": "2%",
    "emode.1.label": "Ether",
}
COMPOUND = {
    "ETH.collateral_factor": "0.75",
    "ETH.paused": "on",
    "ETH.oracle.source": "FEED",
    "USDC.reserve_factor": "15%",
    "USDC.rate_curve.slope2": "3",
    "USDC.rate_curve.optimal": "70%",
    "USDC.frozen": "on",
    "USDT.rate_curve.base": "1%",
    "LINK.paused.redeem": "on",
    "LINK.supply_cap": "none",
    "close_factor": "0.4",
    "liquidation_incentive": "8%",
    "USDT.borrow_cap": "2M",
    "WBTC.supply_cap": "12.5",
    "pause_guardian": "FEED",
    "liquidator_contract": "FEED",
}
# What reads differently as well: a curve is another contract's, a pause is of actions.
FOLLOWS = {
    "aave_v3.WETH.rate_strategy",
    "aave_v3.USDC.rate_strategy",
    "compound_v2.USDC.rate_model",
    "compound_v2.USDT.rate_model",
    "compound_v2.ETH.paused.liquidate",
    "compound_v2.USDC.paused.mint",
    "compound_v2.USDC.paused.borrow",
}


@pytest.fixture(scope="module")
def state():
    with open_state(EvaluationRequest(), Silence()) as opened:
        yield opened


@pytest.fixture(scope="module")
def markets(state):
    return read_markets(state, (), Silence())


def settled(value):
    return value if isinstance(value, str) else pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize(("protocol", "values"), [("aave_v3", AAVE), ("compound_v2", COMPOUND)])
def test_a_draft_sets_exactly_what_it_says(state, markets, protocol, values):
    one = next(m for m in markets if m.market.protocol == protocol)
    feed = state.deployment.feeds["USDC"]
    texts = [f"{protocol}.{n}={v.replace('FEED', feed)}" for n, v in values.items()]
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
    assert set(changed) & FOLLOWS == {p for p in FOLLOWS if p.startswith(protocol)}
    changed = {path: value for path, value in changed.items() if path not in FOLLOWS}
    assert changed == {s.parameter.path: settled(s.value) for s in settings}


@pytest.mark.parametrize("path", ["aave_v3.WETH.rate_curve", "compound_v2.USDC.rate_curve"])
def test_a_new_rate_curve_passes_through_governance(state, markets, path):
    one = next(m for m in markets if m.market.protocol == path.split(".")[0])
    made = draft(state, markets, [f"{path}.slope2=150%", f"{path}.optimal=0.65"])
    creation, setting = made.calls
    assert creation.target == DEPLOYER
    assert creation_in(creation.target, creation.calldata) is not None
    governor = open_governor(state.sandbox, made.governor)
    content = json.dumps(made.document()).encode()
    proposal = governor.adopt(state.sandbox, parse_proposal(content, name="the draft"))
    place = state.sandbox.snapshot()
    feeds = tuple(state.deployment.feeds.values())
    trace = governor.execute(state.sandbox, proposal, feeds=feeds)
    after = one.adapter.parameters(one.adapter.outline(state.sandbox, one.market.address))
    # The same curve again: the contract is there, and only has to be put in place.
    state.sandbox.revert(place)
    place = state.sandbox.snapshot()
    state.sandbox.send(governor.executor(state.sandbox, proposal), DEPLOYER, creation.calldata)
    again = draft(state, markets, [f"{path}.slope2=150%", f"{path}.optimal=0.65"])
    state.sandbox.revert(place)
    assert trace.succeeded
    values = {p.path: p.value for p in one.parameters}
    changed = {p.path: p.value for p in after if p.value != values[p.path]}
    pointer = next(p for p in changed if p.rpartition(".")[2].startswith("rate_"))
    assert changed.pop(pointer).lower() in made.description.lower()
    assert changed == {f"{path}.slope2": 1.5, f"{path}.optimal": 0.65}
    assert [c.calldata for c in again.calls] == [setting.calldata]


def test_a_curve_of_a_strategy_of_another_build_asks_for_an_address(state, markets):
    market = next(m for m in markets if m.market.protocol == "aave_v3")
    strategy = next(p.value for p in market.parameters if p.path == "aave_v3.CRV.rate_strategy")
    place = state.sandbox.snapshot()
    code = state.sandbox.get_code(strategy)
    state.sandbox.set_code(strategy, code[:-60] + bytes([code[-60] ^ 1]) + code[-59:])
    with pytest.raises(ConfigurationError, match=r"draft aave_v3\.CRV\.rate_strategy with"):
        draft(state, markets, ["aave_v3.CRV.rate_curve.slope2=1"])
    state.sandbox.revert(place)


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["aave_v3.WETH.ltv=0.7", "aave_v3.WETH.ltv=0.75"], "set twice"),
        (
            ["aave_v3.WETH.rate_curve.base=1%", "aave_v3.WETH.rate_strategy=0x" + "11" * 20],
            "the rate_strategy of WETH are both set",
        ),
        (
            ["aave_v3.WETH.ltv=0.7", "compound_v2.close_factor=0.4"],
            "have governors of their own",
        ),
    ],
)
def test_settings_that_do_not_go_together_are_refused(state, markets, texts, said):
    with pytest.raises(ConfigurationError, match=said):
        draft(state, markets, texts)


def test_later_cores_take_a_curve_in_basis_points():
    # abi.encode of IDefaultInterestRateStrategyV2.InterestRateData.
    points = {"optimal": 9000, "base": 25, "slope1": 380, "slope2": 8000}
    data = rate_data({f"rate_curve.{name}": value for name, value in points.items()})
    assert [int.from_bytes(data[i : i + 32], "big") for i in range(0, 128, 32)] == [
        9000,
        25,
        380,
        8000,
    ]
    assert len(data) == 128


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
        ("aave_v3.WETH.ltv=none", "0.8, or 80%"),
        ("aave_v3.WETH.ltv=80.005%", "whole basis points: take 80% or 80.01%"),
        ("aave_v3.WETH.supply_cap=0", "write none for no limit"),
        ("aave_v3.WETH.supply_cap=0.5", "only whole ones"),
        ("aave_v3.WETH.oracle.source=0x12", "40 hexadecimal digits"),
        ("aave_v3.WETH.oracle.source=0x2B68e063dE4eB91CBcEc90c4bb511C2BBE8555b1", "mistyped"),
        ("aave_v3.WETH.ltv=0.9", "refuses .*ltv=0.9.* INVALID_RESERVE_PARAMS .*error 20"),
        ("aave_v3.WETH.debt_ceiling=5M", r"RESERVE_LIQUIDITY_NOT_ZERO .*18\): the reserve has su"),
        ("aave_v3.WETH.rate_curve.optimal=105%", "INVALID_OPTIMAL_USAGE_RATIO .*error 83"),
        ("aave_v3.close_factor=0.4", "cannot be drafted: it is a constant in the Pool's code"),
        ("aave_v3.WETH.a_token.implementation=0x" + "11" * 20, "set by PoolConfigurator.updateA"),
        ("compound_v2.ETH.collateral_factor=0.95", "code 6, INVALID_COLLATERAL_FACTOR: .*90%"),
        ("compound_v2.ETH.reserve_factor=150%", "code 2, BAD_INPUT"),
        ("compound_v2.ETH.rate_curve.optimal=100%", "between 0% and 100%"),
        ("compound_v2.admin=0x" + "11" * 20, "the next one has to accept; write both calls"),
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
        (Unit.ADDRESS, " 0x" + "ab" * 20, "0xABaBaBaBABabABabAbAbABAbABabababaBaBABaB"),
    ],
)
def test_values_are_read_as_people_type_them(unit, text, value):
    parameter = Parameter(
        path="p", protocol="p", asset="", name="p", label="p", value=0.0, unit=unit
    )
    assert parse_value(parameter, text) == value


def test_a_draft_and_its_submission_have_the_same_digests(whole_chain, deployment, tmp_path):
    url = tuple(whole_chain.rpc.urls)
    with open_state(EvaluationRequest(urls=url), Silence()) as opened:
        found = read_markets(opened, (), Silence())
        made = draft(
            opened,
            found,
            ["aave_v3.WETH.liquidation_threshold=0.81", "aave_v3.WETH.rate_curve.slope2=1.2"],
        )
    path = tmp_path / "proposal.json"
    made.write(path)
    drafted = evaluate(EvaluationRequest(file=path, urls=url, paths=64, attack_sequences=0))
    ref = propose_openzeppelin(
        whole_chain,
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
    # The contract it creates is put in place by the same proposal and read like any other.
    assert not drafted.report.not_modelled
    (reading,) = drafted.measurement.readings
    assert {c.path for c in reading.changes} >= {
        "aave_v3.WETH.liquidation_threshold",
        "aave_v3.WETH.rate_curve.slope2",
    }
