import pytest

from evaluator.cli import doctor
from evaluator.cli.main import main


def test_everything_here_is_found_or_has_a_remedy(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("SEATRIAL_HOME", str(tmp_path))
    code = main(["doctor"])
    told = capsys.readouterr().out
    checked = doctor.examine(())
    assert code == (0 if all(c.good for c in checked if c.required) else 69)
    for c in checked:
        assert c.name in told
        assert c.good or c.remedy


def test_what_is_missing_is_named_with_its_remedy(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("SEATRIAL_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("SEATRIAL_ANVIL", str(tmp_path / "no-anvil"))
    assert main(["doctor"]) == 69
    told = capsys.readouterr().out
    assert "install Node.js" in told
    assert "SEATRIAL_ANVIL" in told


@pytest.mark.timeout(60)
def test_an_endpoint_nobody_serves_is_missing(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("SEATRIAL_HOME", str(tmp_path))
    assert main(["doctor", "--rpc", "http://127.0.0.1:1/secretkey"]) == 69
    told = capsys.readouterr().out
    assert "RPC endpoint" in told
    assert "secretkey" not in told
