"""`seatrial draft` in a terminal: the choice of parameters."""

import io
import os
import pty
import sys
from pathlib import Path

import pytest
from rich.console import Console

from evaluator.cli.draft import choose
from evaluator.errors import ConfigurationError
from evaluator.evaluation.drafting import outline_markets
from evaluator.evaluation.request import Silence
from evaluator.evaluation.state import State

pytestmark = pytest.mark.chain


@pytest.fixture(scope="module")
def markets(read_only_sandbox, deployment):
    state = State(sandbox=read_only_sandbox, deployment=deployment, embedded=True)
    return outline_markets(state, (), Silence())


@pytest.fixture
def typed(markets, monkeypatch):
    def answer(*lines):
        console = Console(file=io.StringIO(), width=120)
        monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(lines) + "\n"))
        return choose(console, markets), console.file.getvalue()

    return answer


def test_several_parameters_are_chosen_with_todays_value_shown(typed):
    chosen, shown = typed(
        "slope2",  # a part: lists what has it
        "aave_v3.WETH.rate_curve.slope2",
        "much",  # no number: asked again
        "aave_v3.WETH.rate_curve.slope2",
        "120%",
        "aave_v3.close_factor",  # nothing sets it
        "aave_v3.WETH.ltv",
        "79%",
        "",
    )
    assert chosen == ["aave_v3.WETH.rate_curve.slope2=120%", "aave_v3.WETH.ltv=79%"]
    assert "compound_v2.USDC.rate_curve.slope2" in shown
    assert "aave_v3.WETH.rate_curve.slope2 is 80% a year today; to" in shown
    assert "it takes a fraction such as 0.8, or 80%" in shown
    assert "no parameter that can be drafted has 'aave_v3.close_factor'" in shown


def test_a_choice_that_ends_early_drafts_nothing(typed):
    with pytest.raises(ConfigurationError, match="ended before"):
        typed("aave_v3.WETH.ltv")


def test_the_whole_choice_at_a_real_terminal(embedded_dump, tmp_path):
    program = str(Path(sys.executable).parent / "seatrial")
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(tmp_path)
        os.execve(program, [program, "draft", "--to", "p.json"], os.environ | {"COLUMNS": "120"})
    os.write(terminal, b"aave_v3.WETH.ltv\n79%\n\n")
    said = b""
    try:
        while part := os.read(terminal, 4096):
            said += part
    except OSError:  # the other end is closed: Linux says EIO
        pass
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0, said.decode()
    assert (tmp_path / "p.json").is_file()
    assert b"aave_v3.WETH.ltv is 80% today; to" in said
