"""The main job through the command line on the embedded chain."""

import json

import pytest

from evaluator.cli.main import main
from evaluator.report.files import read_report

pytestmark = [pytest.mark.chain, pytest.mark.slow]


@pytest.mark.timeout(400)
def test_demo_leaves_a_report_that_verifies_and_replays(
    embedded_dump, capsys, tmp_path, monkeypatch
):
    monkeypatch.setenv("SEATRIAL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "200")
    folder = tmp_path / "with space"
    assert main(["demo", "--paths", "60", "--out", str(folder), "-q"]) == 0
    told = capsys.readouterr().out
    for name in ("report.html", "report.md", "report.json", "manifest.json"):
        assert (folder / name).is_file()
        assert name in told
    report = read_report(folder)
    assert report.reproduce.manifest.paths == 60
    assert report.execution.succeeded
    assert report.execution.way == "governance lifecycle"
    assert any(p.path == "aave_v3.WETH.liquidation_threshold" for p in report.parameters)
    assert any(h.account for m in report.markets for h in m.hurt.rows)
    assert "real bytecode, seeded state" in told
    assert main(["verify", str(folder)]) == 0
    assert main(["show", "1"]) == 0
    capsys.readouterr()
    assert main(["replay", str(folder), "--out", str(tmp_path / "again"), "-q"]) == 0
    assert "the same digest" in capsys.readouterr().out
    again = read_report(tmp_path / "again")
    assert again.content_digest == report.content_digest
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["results"][0]["digest"] = "00" * 32
    (folder / "manifest.json").write_text(json.dumps(manifest))
    assert main(["replay", str(folder), "--out", str(tmp_path / "third"), "-q"]) == 15
    said = capsys.readouterr().err
    assert "results[0]" in said
