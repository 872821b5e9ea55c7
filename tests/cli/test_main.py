"""The command line: every error is one sentence and an exit code above 2."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time

import pytest

from evaluator.cli import reports
from evaluator.cli.main import app, main
from evaluator.cli.publication import exit_code, publish
from evaluator.report.files import write_report
from tests.report.samples import SAMPLES

GOVERNOR = "0x5FbDB2315678afecb367f032d93F642f64180aa3"


@pytest.fixture(autouse=True)
def _home(tmp_path, monkeypatch):
    monkeypatch.setenv("SEATRIAL_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("SEATRIAL_RPC", raising=False)
    monkeypatch.setenv("COLUMNS", "140")


def one_sentence(text):
    assert text.startswith("seatrial: ")
    assert text.count("\n") == 1, text
    assert "Traceback" not in text
    return text


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ("evaluate", 64, "give --governor ADDRESS and --proposal ID, or --file"),
        ("evaluate -p 1", 64, "give --governor ADDRESS"),
        (f"evaluate -g {GOVERNOR}", 64, "give --proposal ID"),
        ("evaluate -p 1 -g 0x12", 64, "40 hex digits"),
        (f"evaluate -p x -g {GOVERNOR}", 12, "not a proposal id"),
        (f"evaluate -p {1 << 256} -g {GOVERNOR}", 12, "below 2"),
        (f"evaluate -p 1 -g {GOVERNOR} --block soon", 64, "--block 'soon'"),
        (f"evaluate -p 1 -g {GOVERNOR} --block=-3", 64, "--block"),
        (f"evaluate -p 1 -g {GOVERNOR} --paths 0", 64, "--paths"),
        (f"evaluate -p 1 -g {GOVERNOR} --seed=-1", 64, "--seed"),
        (f"evaluate -p 1 -g {GOVERNOR} --policy none.toml", 64, "none.toml cannot be read"),
        (f"evaluate -p 1 -g {GOVERNOR} --rpc ftp://key@host", 64, "http://"),
        ("evaluate -f none.json", 64, "there is no file none.json"),
        ("evaluate -f a.json -p 1", 64, "two proposals"),
        ("evaluate --foo", 64, "--foo"),
        ("evaluate --paths many", 64, "--paths"),
        ("dance", 64, "dance"),
        ("draft", 64, "give --set PARAMETER=VALUE"),
        ("draft --set threshold", 64, "'threshold' sets nothing"),
        ("draft --set a=1 --market 0x12", 64, "40 hex digits"),
        ("show", 64, "report"),
        ("show nothing", 64, "there is no report 'nothing'"),
        ("show 7", 16, "no run 7"),
        ("explain abc", 16, "no finding begins"),
        ("verify nothing", 64, "there is no report"),
        ("replay nothing", 64, "cannot be read"),
        ("compare nothing nothing", 64, "there is no report"),
        ("runs --limit 0", 64, "--limit"),
    ],
)
def test_wrong_arguments_are_explained(capsys, arguments, code, words):
    assert main(arguments.split()) == code
    captured = capsys.readouterr()
    assert words in one_sentence(captured.err)
    assert captured.out == ""


def test_keys_of_an_endpoint_are_never_printed(capsys, monkeypatch):
    monkeypatch.setattr("evaluator.chain.rpc.sleep", lambda seconds: None)  # between tries
    url = "http://127.0.0.1:1/v3/0123456789abcdef0123456789abcdef"
    assert main(["evaluate", "-p", "1", "-g", GOVERNOR, "--rpc", url, "-q"]) == 11
    said = capsys.readouterr().err
    assert "0123456789abcdef" not in said
    one_sentence(said)


def test_bad_policy_is_told_before_anything_slow(capsys, tmp_path):
    path = tmp_path / "p.toml"
    path.write_text("schema = 1\nname = 'x'\n[fail]\nadversary_us = 3\n")
    url = "http://127.0.0.1:1"
    arguments = ["evaluate", "-p", "1", "-g", GOVERNOR, "--policy", str(path), "--rpc", url]
    assert main(arguments) == 64
    assert "did you mean 'adversary_usd'" in capsys.readouterr().err


def test_a_defect_is_one_sentence_and_a_trace_only_with_debug(capsys, monkeypatch):
    def broken(which):
        raise RuntimeError("secret detail")

    monkeypatch.setattr(reports, "open_report", broken)
    assert main(["show", "x"]) == 70
    said = one_sentence(capsys.readouterr().err)
    assert "--debug" in said
    assert "secret" not in said
    assert main(["show", "x", "--debug"]) == 70
    assert "secret detail" in capsys.readouterr().err
    assert main(["--debug", "show", "x"]) == 70
    assert "Traceback" in capsys.readouterr().err


def test_help_of_every_command_says_what_it_does(capsys):
    assert main(["--help"]) == 0
    top = capsys.readouterr().out
    for command in app.registered_commands:
        name = command.name or command.callback.__name__
        assert name in top
        assert main([name, "--help"]) == 0
        told = capsys.readouterr().out
        assert command.callback.__doc__.splitlines()[0].split()[0] in told
        assert "--help" in told


def test_version(capsys):
    assert main(["--version"]) == 0
    assert re.fullmatch(r"seatrial \d+\.\d+\.\d+\n", capsys.readouterr().out)


@pytest.mark.parametrize(
    ("name", "code"),
    [("pass", 0), ("no_risk", 0), ("fail", 1), ("reverting", 1), ("caution", 2),
     ("inconclusive", 2)],
)  # fmt: skip
def test_exit_codes_of_verdicts(name, code):
    assert exit_code(SAMPLES[name]()) == code


def test_a_published_report_is_listed_shown_verified_explained_and_compared(capsys, tmp_path):
    folder = tmp_path / "out"
    files, run = publish(SAMPLES["caution"](), seconds=3.0, folder=folder)
    _, other = publish(SAMPLES["reverting"](), seconds=1.0, folder=tmp_path / "other")
    assert (run, other) == (1, 2)
    assert main(["runs"]) == 0
    told = capsys.readouterr().out
    assert "CAUTION" in told
    assert "FAIL" in told
    assert main(["runs", "--json", "-n", "1"]) == 0
    assert [r["number"] for r in json.loads(capsys.readouterr().out)] == [2]
    for which in ("1", str(folder), str(files.json)):
        assert main(["show", which]) == 0
        assert "84%" in capsys.readouterr().out
        assert main(["verify", which]) == 0
        assert "✗" not in capsys.readouterr().out
    assert main(["show", "1", "--full"]) == 0
    assert "Decoded actions" in capsys.readouterr().out
    for rendering, mark in (
        ("markdown", "## CAUTION"),
        ("json", '"schema_version"'),
        ("discord", '"fields"'),
    ):
        assert main(["show", "1", "--as", rendering]) == 0
        assert mark in capsys.readouterr().out
    assert main(["explain", "0123"]) == 0
    assert "supply cap" in capsys.readouterr().out
    assert main(["compare", "1", "2"]) == 0
    assert "CAUTION" in capsys.readouterr().out


def test_verify_finds_what_was_changed_afterwards(capsys, tmp_path):
    files = write_report(SAMPLES["fail"](), tmp_path)
    document = json.loads(files.json.read_text())
    document["headline"]["verdict"] = "PASS"
    files.json.write_text(json.dumps(document))
    assert main(["verify", str(tmp_path)]) == 15
    said = capsys.readouterr()
    assert "the content digest" in said.err
    assert "the verdict says 'PASS' and is 'FAIL'" in said.err
    document["reproduce"]["manifest"]["seed"] = 3
    files.json.write_text(json.dumps(document))
    assert main(["verify", str(tmp_path)]) == 15
    assert "the manifest digest" in capsys.readouterr().err
    files.json.write_text("{}")
    assert main(["verify", str(tmp_path)]) == 64
    assert "is not a report of schema 1.0" in capsys.readouterr().err


def test_an_unwritable_folder_is_an_error_in_a_sentence(capsys, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SEATRIAL_HOME", str(tmp_path / "file"))
    assert main(["runs"]) == 16
    assert "SEATRIAL_HOME" in one_sentence(capsys.readouterr().err)


def _start(arguments, **more):
    return subprocess.Popen(
        [sys.executable, "-m", "evaluator.cli.main", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        **more,
    )


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_while_waiting_for_a_node(number):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        process = _start(
            ["evaluate", "-p", "1", "-g", GOVERNOR, "--rpc", f"http://127.0.0.1:{port}"]
        )
        try:
            silent.settimeout(120)
            connection, _ = silent.accept()  # it waits for an answer now
            with connection:
                time.sleep(0.3)
                os.kill(process.pid, number)
                _, said = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 130
    assert said.endswith("seatrial: stopped\n")
    assert "Traceback" not in said


def test_a_reader_that_goes_away_is_no_error(tmp_path):
    write_report(SAMPLES["inconclusive"](), tmp_path)
    process = _start(["show", str(tmp_path), "--as", "json"])
    process.stdout.read(1)
    process.stdout.close()
    said = process.stderr.read()
    process.wait(60)
    assert process.returncode == 0
    assert said == ""
