"""A disaster and its twins end to end, as the command runs them."""

from __future__ import annotations

import json

import pytest

from evaluator.cli.main import main
from gallery.cases import CASES, chosen
from gallery.runner import run
from gallery.score import Outcome


@pytest.mark.chain
@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_disaster_is_caught_by_searching_and_its_twin_is_clean(tmp_path, capsys):
    path = tmp_path / "results.json"
    names = ["empty-listing", "factorless-listing"]
    assert main(["gallery", *names, "--paths", "64", "--json", str(path), "--quiet"]) == 0
    caught, clean = json.loads(path.read_text())
    assert caught["outcome"] == "caught"
    assert caught["seen"] == ["protocol loss"]
    assert caught["atomic"] is True
    assert caught["loss_usd"] > 1e6
    assert 0 < caught["capital_usd"] < 50e6 * 1.01
    assert clean["outcome"] == "clean"
    assert clean["loss_usd"] is None
    shown = capsys.readouterr().out
    assert "1 of 1 disasters caught" in shown
    assert "0 of 1 benign twins failed" in shown


@pytest.mark.chain
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_hidden_action_is_caught_for_what_it_is():
    heard = []
    (result,) = run(chosen(["hidden-action"]), paths=64, finished=heard.append)
    assert heard == [result]
    assert result.outcome is Outcome.CAUGHT
    assert "POOL_ADMIN" in result.because


def test_the_list_names_every_case(capsys):
    assert main(["gallery", "--list"]) == 0
    shown = capsys.readouterr().out
    assert all(c.name in shown for c in CASES)


def test_a_wrong_name_is_told(capsys):
    assert main(["gallery", "sonne"]) not in (0, 1)
    assert "no case 'sonne'" in capsys.readouterr().err


def test_the_page_names_every_case():
    from pathlib import Path

    page = (Path(__file__).parents[2] / "docs" / "gallery.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| ")]
    for case in CASES:
        name = f"**{case.name}**" if case.harmful else case.name
        assert any(line.startswith(f"| {name} |") for line in rows), (
            f"{case.name} is not in docs/gallery.md: run python docs/write_gallery.py"
        )
