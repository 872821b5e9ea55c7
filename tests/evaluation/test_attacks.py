"""A proposal that prices a reserve by another's feed: attacked, judged, told, replayed."""

from __future__ import annotations

import json

import pytest

from evaluator.chain.abi import Abi
from evaluator.cli.main import main
from evaluator.evaluation import EvaluationRequest, evaluate
from evaluator.report.files import to_json, write_report
from evaluator.report.markdown import to_markdown

pytestmark = [pytest.mark.chain, pytest.mark.slow]

ORACLE = Abi.parse(["function setAssetSources(address[] assets, address[] sources)"])


@pytest.fixture(scope="module")
def mispriced(places, tmp_path_factory):
    """CRV priced by AAVE's feed, evaluated with a small budget."""
    call = ORACLE.encode("setAssetSources", [places.tokens["CRV"]], [places.feeds["AAVE"]])
    path = tmp_path_factory.mktemp("attack") / "proposal.json"
    path.write_text(
        json.dumps(
            {
                "targets": [places.aave.oracle],
                "values": [0],
                "calldatas": ["0x" + call.hex()],
                "description": "A new price source for CRV",
                "governor": places.openzeppelin.governor,
            }
        )
    )
    return evaluate(EvaluationRequest(file=path, paths=64, attack_sequences=24))


def test_it_is_a_fail_for_what_an_attacker_gains(mispriced):
    rules = [r.rule for r in mispriced.verdict.reasons if r.kind == "FAIL"]
    assert "fail.adversary_usd" in rules
    section = mispriced.report.adversary
    assert section.sequences >= 24
    worst = section.attacks[0]
    assert worst.confirmed
    assert not worst.open_today
    assert worst.atomic
    assert worst.with_execution
    assert worst.protocol_loss_usd > 1e6
    assert worst.before_loss_usd < 1_000
    assert {f.identifier for f in mispriced.report.findings} >= {worst.identifier}
    assert mispriced.manifest.attack_sequences == 24
    assert [r.name for r in mispriced.manifest.results].count("attacks") == 1


def test_the_report_tells_the_moves_and_what_was_not_tried(mispriced):
    text = to_markdown(mispriced.report)
    assert "Attacks" in text
    assert "attack replay" in text


def test_the_attack_is_made_again_on_a_fresh_sandbox(mispriced, tmp_path, capsys):
    folder = tmp_path / "report"
    write_report(mispriced.report, folder)
    worst = mispriced.report.adversary.attacks[0]
    assert main(["attack", "show", str(folder), worst.identifier[:6]]) == 0
    assert worst.identifier in capsys.readouterr().out
    code = main(["attack", "replay", str(folder / "manifest.json"), worst.identifier, "--quiet"])
    said = capsys.readouterr().out
    assert code == 0, said
    assert "as reported" in said
    assert "gas" in said


def test_an_attack_that_costs_something_else_is_told(mispriced, tmp_path, capsys):
    worst = mispriced.report.adversary.attacks[0]
    wrong = worst.model_copy(
        update={"protocol_loss_usd": 3 * worst.protocol_loss_usd, "paid_by": ""}
    )
    adversary = mispriced.report.adversary.model_copy(update={"attacks": (wrong,)})
    report = mispriced.report.model_copy(update={"adversary": adversary})
    path = tmp_path / "report.json"
    path.write_text(to_json(report))
    assert main(["attack", "replay", str(path), "--quiet"]) == 15
    assert "NOT as reported" in capsys.readouterr().out


def test_a_report_without_a_search_says_so(mispriced, tmp_path, capsys):
    path = tmp_path / "report.json"
    path.write_text(to_json(mispriced.report.model_copy(update={"adversary": None})))
    assert main(["attack", "show", str(path)]) != 0
    assert "no search" in capsys.readouterr().err


def test_the_same_request_finds_the_same_attacks(mispriced):
    again = evaluate(mispriced.request)
    assert again.manifest.results == mispriced.manifest.results
    assert again.report.adversary == mispriced.report.adversary
