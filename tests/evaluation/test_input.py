"""What users and chains give that is not a good proposal."""

import json
import socket

import pytest
from eth_utils import keccak

from evaluator.chain.abi import Abi
from evaluator.errors import (
    ConfigurationError,
    MalformedProposal,
    NotAGovernor,
    RpcUnreachable,
    UnknownProposal,
    WrongChain,
)
from evaluator.evaluation import EvaluationRequest, evaluate

pytestmark = [pytest.mark.chain]

CONFIGURATOR = Abi.parse(
    [
        "function configureReserveAsCollateral(address,uint256,uint256,uint256)",
        "function setSupplyCap(address,uint256)",
    ]
)
TOKEN = Abi.parse(["function transfer(address,uint256) returns (bool)"])
VOTES = Abi.parse(["function delegate(address)"])


def test_a_proposal_that_reverts_is_a_fail_with_the_decoded_reason(places, proposal_file):
    # A threshold below the LTV: Aave's error 20.
    bad = CONFIGURATOR.encode(
        "configureReserveAsCollateral", places.tokens["WETH"], 8000, 7000, 10500
    )
    path = proposal_file((places.aave.pool_configurator, bad))
    result = evaluate(EvaluationRequest(file=path, paths=64, attack_sequences=0))
    assert result.verdict.kind == "FAIL"
    assert not result.report.execution.succeeded
    said = "INVALID_RESERVE_PARAMS (Aave V3's error 20): the LTV may not be above"
    assert said in result.report.execution.reason
    assert result.report.headline.sentence.startswith("the proposal reverts when executed")
    assert result.report.parameters is None


def test_a_proposal_that_changes_nothing_says_so(places, proposal_file):
    # Sets the values that are in force.
    same = CONFIGURATOR.encode(
        "configureReserveAsCollateral", places.tokens["WETH"], 8000, 8250, 10500
    )
    path = proposal_file((places.aave.pool_configurator, same))
    result = evaluate(EvaluationRequest(file=path, paths=64, attack_sequences=0))
    assert result.report.parameters == ()
    (market,) = result.report.markets
    assert market.unchanged
    assert market.hurt.users == 0
    difference = next(r for r in market.odds if r.name == "expected_bad_debt").difference
    assert (difference.lower, difference.value, difference.upper) == (0.0, 0.0, 0.0)


def test_an_unknown_protocol_is_inconclusive_and_says_what_was_seen(places, proposal_file):
    # The votes token is a contract, but no lending market.
    call = VOTES.encode("delegate", places.openzeppelin.timelock)
    path = proposal_file((places.openzeppelin.votes_token, call))
    result = evaluate(EvaluationRequest(file=path, paths=64, attack_sequences=0))
    assert result.verdict.kind == "INCONCLUSIVE"
    seen = " ".join(f"{n.name} {n.what}" for n in result.report.not_modelled)
    assert places.openzeppelin.votes_token in seen


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", "not JSON"),
        (b"\xff\xfe", "not UTF-8"),
        (b"[]", "object was expected"),
        (b'{"targets": []}', "values"),
        (b" " * (2 << 20), "at most"),
    ],
    ids=["half", "no text", "a list", "missing keys", "oversized"],
)
def test_malformed_files_are_refused_by_name(tmp_path, content, said):
    path = tmp_path / "proposal.json"
    path.write_bytes(content)
    with pytest.raises(MalformedProposal, match=said):
        evaluate(EvaluationRequest(file=path))


def test_a_file_for_another_chain_is_refused(places, proposal_file):
    call = CONFIGURATOR.encode("setSupplyCap", places.tokens["WETH"], 1)
    path = proposal_file((places.aave.pool_configurator, call), chainId=1)
    with pytest.raises(WrongChain, match="chain 1"):
        evaluate(EvaluationRequest(file=path))


def test_a_file_without_governor_asks_for_one(tmp_path, proposal_file, places):
    call = CONFIGURATOR.encode("setSupplyCap", places.tokens["WETH"], 1)
    path = proposal_file((places.aave.pool_configurator, call))
    content = json.loads(path.read_text())
    del content["governor"]
    path.write_text(json.dumps(content))
    with pytest.raises(ConfigurationError, match="--governor"):
        evaluate(EvaluationRequest(file=path))


def test_an_unknown_id_is_not_pending(demonstrations):
    for ref in demonstrations:
        with pytest.raises(UnknownProposal):
            evaluate(EvaluationRequest(governor=ref.governor, proposal_id=987_654_321))


def test_what_is_no_governor_is_refused(places):
    account = "0x" + keccak(b"nobody")[:20].hex()
    for address in (account, places.tokens["WETH"], "not an address"):
        with pytest.raises(NotAGovernor):
            evaluate(EvaluationRequest(governor=address, proposal_id=1))


def test_an_endpoint_nobody_answers_at(monkeypatch):
    monkeypatch.setattr("evaluator.chain.rpc.sleep", lambda seconds: None)  # between tries
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(RpcUnreachable) as caught:
        evaluate(
            EvaluationRequest(
                governor="0x" + "11" * 20,
                proposal_id=1,
                urls=(f"http://127.0.0.1:{port}/v3/0123456789abcdef0123456789abcdef",),
            )
        )
    assert "0123456789abcdef" not in str(caught.value)


def test_a_request_without_a_proposal_says_what_to_give(read_only_sandbox):
    with pytest.raises(ConfigurationError, match="--proposal"):
        evaluate(EvaluationRequest(urls=tuple(read_only_sandbox.rpc.urls)))


def test_a_market_that_stops_working_is_a_fail(places, proposal_file):
    # A price source that does not answer: every read of DAI's price reverts.
    oracle = Abi.parse(["function setAssetSources(address[] assets, address[] sources)"])
    call = oracle.encode(
        "setAssetSources", [places.tokens["DAI"]], [places.openzeppelin.votes_token]
    )
    result = evaluate(
        EvaluationRequest(
            file=proposal_file((places.aave.oracle, call)), paths=64, attack_sequences=0
        )
    )
    assert result.report.execution.succeeded
    assert result.verdict.kind == "FAIL"
    assert any(r.rule == "fail.broken_user_action" for r in result.verdict.reasons)
