"""Six reports in every rendering, compared with what was found good.

SEATRIAL_REGENERATE=1 writes them anew; look at the difference before committing.
"""

import io
import json
import math
import os
import re
from pathlib import Path

import pytest
from rich.console import Console

from evaluator.report import charts
from evaluator.report.embed import to_embed
from evaluator.report.html import to_html
from evaluator.report.markdown import FORUM_LIMIT, to_markdown
from evaluator.report.terminal import to_terminal
from tests.report.samples import SAMPLES

GOLDEN = Path(__file__).parent / "golden"
TOLERANCE = 1e-6
_NUMBER = re.compile(r"(?<![\w.])[-+]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?(?![\w.])")


def terminal(report):
    stream = io.StringIO()
    Console(file=stream, width=110).print(to_terminal(report, full=True))
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines()) + "\n"


def html(report):
    drawn = {n: "<svg viewBox='0 0 1 1'></svg>" for n, _ in charts.report_charts(report)}
    text = to_html(report, drawn=drawn)
    text = re.sub(r"<(style|script)>.*?</\1>", r"<\1></\1>", text, flags=re.DOTALL)
    return re.sub(r"sha256-[\w+/=]+", "sha256-", text)


def embed(report):
    text = to_embed(report, image="attachment://survival-dark.png")
    return json.dumps(text, indent=1, ensure_ascii=False) + "\n"


RENDERINGS = {"md": to_markdown, "txt": terminal, "html": html, "discord.json": embed}


def assert_alike(found, wanted):
    assert _NUMBER.sub("#", found) == _NUMBER.sub("#", wanted)
    for a, b in zip(_NUMBER.findall(found), _NUMBER.findall(wanted), strict=True):
        x, y = (float(v.replace(",", "")) for v in (a, b))
        assert math.isclose(x, y, rel_tol=TOLERANCE, abs_tol=1e-12), (a, b)


@pytest.mark.parametrize("ending", RENDERINGS)
@pytest.mark.parametrize("name", SAMPLES)
def test_report(name, ending):
    found = RENDERINGS[ending](SAMPLES[name]())
    path = GOLDEN / f"{name}.{ending}"
    if os.environ.get("SEATRIAL_REGENERATE") == "1":
        GOLDEN.mkdir(exist_ok=True)
        path.write_text(found, encoding="utf-8")
    assert path.is_file(), "write it with SEATRIAL_REGENERATE=1"
    assert_alike(found, path.read_text(encoding="utf-8"))


def test_the_comparison_can_fail():
    assert_alike("a 1.0000000001 b", "a 1 b")
    with pytest.raises(AssertionError):
        assert_alike("a 1.01 b", "a 1.02 b")
    with pytest.raises(AssertionError):
        assert_alike("a 1 b", "a 1 c")


@pytest.mark.parametrize("name", SAMPLES)
def test_first_screen_says_what_a_delegate_needs(name):
    report = SAMPLES[name]()
    text = to_markdown(report)
    screen = text[: text.index("<details>")]
    assert len(text) <= FORUM_LIMIT
    assert len(screen) < 2600
    assert screen.startswith(f"## {report.headline.verdict}: ")
    for wanted in ("**Why:**", "What changes", "Check it yourself", report.reproduce.digest):
        assert wanted in screen or (wanted == "What changes" and "| as measured |" in screen)
    if any(m.hurt for m in report.markets):
        assert "**At execution:**" in screen
    if report.policy.not_judged:
        assert "**Not computed:**" in screen


@pytest.mark.parametrize("ending", RENDERINGS)
def test_what_was_not_computed_is_said_and_never_ticked(ending):
    report = SAMPLES["inconclusive"]()
    text = RENDERINGS[ending](report)
    assert "ot computed" in text
    assert "✓" not in text


@pytest.mark.parametrize("ending", [e for e in RENDERINGS if e != "discord.json"])
@pytest.mark.parametrize("name", SAMPLES)
def test_every_rendering_prints_the_digest_and_the_label(name, ending):
    report = SAMPLES[name]()
    text = RENDERINGS[ending](report)
    assert report.reproduce.digest in text
    assert "real bytecode, seeded state" in text
    for row in report.policy.judgements:
        assert row.bound in text.replace("\\", "").replace("&gt;", ">").replace("&lt;", "<")
