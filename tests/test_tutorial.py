"""The tutorial, typed line by line by somebody who has just set everything up."""

import os
import re
import shlex
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from evaluator.report.files import read_report

PAGE = Path(__file__).parents[1] / "docs" / "tutorial.md"
DONE_BEFORE = {"make setup", ". .venv/bin/activate"}
FEWER = {
    "demo": ["--paths", "200"],
    "evaluate": ["--paths", "200", "--attack-sequences", "8"],
}
# A verdict is an exit code of its own; everything else ends with 0.
VERDICTS = {"evaluate": {0, 1, 2}}


def lines():
    blocks = re.findall(r"^```sh\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    return [x for block in blocks for x in block.splitlines() if x not in DONE_BEFORE]


@pytest.mark.chain
@pytest.mark.slow
@pytest.mark.timeout(400)
def test_every_line_of_the_tutorial_does_what_it_says(embedded_dump, tmp_path):
    programs = Path(sys.executable).parent
    environment = os.environ | {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "SEATRIAL_HOME": str(tmp_path / "home"),
        "COLUMNS": "200",
    }
    said = defaultdict(str)
    for line in lines():
        words = shlex.split(line)
        # Many paths and the whole search have tests of their own and take longer than all else.
        words += FEWER.get(words[1], [])
        done = subprocess.run(
            words,
            cwd=tmp_path,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode in VERDICTS.get(words[1], {0}), f"{line}\n{done.stderr[-3000:]}"
        said[words[1]] += done.stdout
    assert "aave_v3.WETH.liquidation_threshold" in said["draft"]
    assert "gentler" in said["runs"] or "WETH" in said["runs"]
    assert "the same digest" in said["replay"]
    assert read_report(tmp_path / "reports").headline.verdict == "FAIL"
    (change,) = [
        p
        for p in read_report(tmp_path / "gentler").parameters
        if p.path == "aave_v3.WETH.liquidation_threshold"
    ]
    assert change.after == pytest.approx(0.82)
