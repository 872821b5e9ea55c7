"""The commands and code in README and docs, run: what is printed there is what people type.

The tutorial has a test of its own. What is left here is typed line by line in an empty
folder, in this process and against one chain; only what a reader has to replace is
replaced: the endpoint, and with it the governor and the proposal on it, and the number
of paths. Lines that cannot run in a test are listed below with the reason, and are held
to the program's options by test_documents.py.
"""

from __future__ import annotations

import inspect
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import yaml

from evaluator.chain.embedded import propose_weth_threshold_cut
from evaluator.chain.sandbox import Sandbox
from evaluator.cli.main import main
from evaluator.protocols.adapter import ENTRY_POINT_GROUP
from evaluator.pytest_plugin import MarketOdds, Odds, Seatrial, Trial
from evaluator.report.files import read_report
from evaluator.stress.estimate import Estimate
from tests.test_documents import ROOT, TEXTS

ENDPOINT = "http://localhost:8545"
GOVERNOR, PROPOSAL = "0xc0Da02939E1441F497fd74F78cE7Decb17B66529", "287"

LEFT_OUT = {
    "make demo": "sets a checkout up and evaluates: the tutorial's `seatrial demo` runs the same",
    "make test": "is this suite",
    "pip install": "asks a package index",
    "seatrial-bot check": "asks Discord and the forum; tests/bot/test_service.py runs it",
    "seatrial-bot run": "follows real chains for months; tests/bot run the whole bot",
    "seatrial-bot rewind": "needs a bot's database; tests/bot/test_service.py runs it",
    "docker run": "needs a container engine and real tokens",
    "datasette serve": "is another program",
    "seatrial gallery spot-price": "takes minutes; tests/gallery run its cases",
    "seatrial gallery": "takes minutes; tests/gallery run its cases",
}
# Lines that go as far as the proposal, found and decoded; the rest is done by other lines
# here (`--scenario`), by the tutorial's test and by those named.
AS_FAR_AS_THE_PROPOSAL = (
    "seatrial draft --set aave_v3.WETH.liquidation_threshold=0.80",  # drafts, then evaluates
    "seatrial evaluate --governor",
    "seatrial evaluate --file curve.json",  # tests/evaluation/test_drafting.py
    "seatrial evaluate --file proposal.json --rpc",
    "seatrial evaluate --file proposal.json --full",  # tests/evaluation/test_studies.py
    "seatrial evaluate --file proposal.json --process",  # tests/evaluation/test_prices.py
)


def shell_lines():
    """Every line of a shell in README and docs, continued lines joined, with its page."""
    for page, text in TEXTS.items():
        if page in ("docs/tutorial.md", "docs/commands.md"):
            continue
        for body in re.findall(r"^```sh[^\n]*\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
            for line in body.replace("\\\n", " ").splitlines():
                if line.strip() and not line.startswith("#"):
                    yield page, line


LINES = list(shell_lines())


def reason_left_out(line: str) -> str | None:
    if line == "seatrial gallery --list":
        return None
    return next((why for start, why in LEFT_OUT.items() if line.startswith(start)), None)


def test_every_line_is_run_or_has_a_reason_not_to_be():
    strange = [x for _, x in LINES if not reason_left_out(x) and not x.startswith("seatrial ")]
    assert strange == []
    run = [x for _, x in LINES if reason_left_out(x) is None]
    assert len(run) >= 10
    unused = [s for s in LEFT_OUT if not any(x.startswith(s) for _, x in LINES)]
    assert unused == []


class Found(BaseException):
    """Ends an evaluation where its proposal was found and decoded."""


@pytest.fixture(scope="module")
def chain(read_only_sandbox, deployment):
    """What stands in for the reader's node, with a proposal that was submitted."""
    with Sandbox.fork(read_only_sandbox.rpc.urls) as sandbox:
        submitted = propose_weth_threshold_cut(sandbox, deployment)
        yield sandbox.rpc.urls[0], submitted.governor, str(submitted.proposal_id)


@pytest.fixture(scope="module")
def desk(tmp_path_factory, chain):
    """An empty folder, and what the reader is told to bring: prices and a scenario."""
    folder = tmp_path_factory.mktemp("desk")
    hours = np.arange(45 * 24)
    price = 3000.0 * np.exp(0.01 * np.random.default_rng(0).standard_normal(len(hours)).cumsum())
    rows = [f"{1_700_000_000 + 3600 * h},WETH,{p}" for h, p in zip(hours, price, strict=True)]
    (folder / "prices.csv").write_text("timestamp,symbol,price\n" + "\n".join(rows) + "\n")
    (held,) = re.findall(r"^```toml\n(.*?)^```", TEXTS["docs/reading.md"], re.M | re.S)
    (folder / "held.toml").write_text(held)
    return folder


def words_for(line: str, chain: tuple[str, str, str]) -> list[str]:
    """Return the arguments of a line, with what the reader replaces replaced."""
    url, governor, proposal = chain
    replaced = {ENDPOINT: url, GOVERNOR: governor, PROPOSAL: proposal}
    words = [replaced.get(w, w) for w in shlex.split(line, comments=True)[1:]]
    if words[0] in ("evaluate", "draft"):
        if "--paths" in words:
            words[words.index("--paths") + 1] = "16"
        else:
            words += ["--paths", "16"]
    if words[0] == "evaluate" and "--attack-sequences" not in words:
        words += ["--attack-sequences", "0"]
    return words


@pytest.mark.chain
@pytest.mark.slow
@pytest.mark.timeout(400)
def test_every_line_does_what_it_says(desk, chain, monkeypatch, capsys):
    monkeypatch.chdir(desk)
    monkeypatch.setenv("SEATRIAL_HOME", str(desk / "home"))
    monkeypatch.setenv("COLUMNS", "160")
    # Drawing is tested elsewhere, and most of the time that a small evaluation takes.
    monkeypatch.setattr("matplotlib.figure.Figure.savefig", drawn)
    # Drafts first: they write the files that the other lines read.
    lines = sorted({x for _, x in LINES if reason_left_out(x) is None}, key=by_need)
    for line in lines:
        words = words_for(line, chain)
        if line.startswith(AS_FAR_AS_THE_PROPOSAL):
            with monkeypatch.context() as partly:
                partly.setattr("evaluator.evaluation.evaluation.measure", found)
                with pytest.raises(Found):
                    main(words)
            continue
        code = main(words)
        said = capsys.readouterr()
        allowed = {0, 1, 2} if "evaluate" in line else {0}
        assert code in allowed, f"{line}\n{said.err[-3000:]}"
    assert (desk / "proposal.safe.json").is_file()
    # The line with the scenario came last, and found the user's own.
    report = read_report(desk / "seatrial-report")
    assert report.execution.succeeded
    assert "held" in (desk / "seatrial-report" / "manifest.json").read_text()


def drawn(_figure, buffer, **how):
    buffer.write(b"\x89PNG" if how["format"] == "png" else "<svg viewBox='0 0 1 1'></svg>")


def by_need(line: str) -> tuple[int, str]:
    """Order lines so that a file is written before it is read."""
    return (0 if line.startswith("seatrial draft") else 1, line)


def found(_state, _governor, proposal, _progress):
    assert proposal.actions
    raise Found


def estimate(value: float) -> Estimate:
    return Estimate(
        name="x", value=value, lower=value, upper=value, level=0.95, percentile=None,
        horizon=604800.0, samples=20_000, events=None, unit="",
    )  # fmt: skip


def test_the_example_of_a_pytest_test_is_right_about_the_fixture(tmp_path):
    (block,) = re.findall(r"^```python\n(.*?)^```", TEXTS["docs/author.md"], re.M | re.S)
    calm = Odds(
        p_insolvency=estimate(0.0001),
        expected_bad_debt=estimate(10.0),
        expected_shortfall_99=estimate(1_000.0),
    )
    odds = MarketOdds(baseline=calm, proposed=calm, difference=calm)
    asked = []

    class Recorded(Seatrial):
        def evaluate(self, **given):
            # The fixture's own signature takes what the example gives.
            asked.append(inspect.signature(Seatrial.evaluate).bind(self, **given))
            return Trial(verdict="PASS", markets={"m": odds}, report=None, folder=tmp_path)

    names: dict[str, object] = {}
    exec(compile(block, "docs/author.md", "exec"), names)
    names["test_the_protocol_survives_our_proposal"](Recorded(tmp_path))
    assert asked[0].arguments["paths"] == 20_000


def test_every_python_block_is_run_here():
    pages = [p for p, t in TEXTS.items() if re.search(r"^```python", t, re.MULTILINE)]
    assert pages == ["docs/author.md"]


def test_the_github_action_runs_what_exists():
    (block,) = re.findall(r"^```yaml\n(.*?)^```", TEXTS["docs/author.md"], re.M | re.S)
    action = yaml.safe_load(block)
    (job,) = action["jobs"].values()
    steps = [s["run"] for s in job["steps"] if "run" in s]
    assert steps == [
        "pip install seatrial pytest",
        "seatrial setup",
        "pytest --seatrial-report reports",
    ]
    source = (ROOT / "evaluator" / "pytest_plugin.py").read_text()
    assert '"--seatrial-report"' in source
    assert "SEATRIAL_RPC" in source
    kept = next(s["with"]["path"] for s in job["steps"] if "upload" in s.get("uses", ""))
    assert kept == steps[-1].split()[-1]


def test_the_plugin_example_names_real_groups():
    groups = set(re.findall(r'entry-points\."([\w.]+)"', TEXTS["docs/extend.md"]))
    ours = set(
        re.findall(
            r'^\[project\.entry-points\."(seatrial\.[\w.]+)"\]',
            (ROOT / "pyproject.toml").read_text(),
            re.M,
        )
    )
    assert ENTRY_POINT_GROUP in groups
    assert groups == ours


def test_tests_that_stand_in_exist():
    named = {n for why in LEFT_OUT.values() for n in re.findall(r"tests/[\w/.]+\w", why)}
    assert named
    assert [n for n in named if not (Path(ROOT) / n).exists()] == []
