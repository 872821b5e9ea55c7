"""HTML reports in a real browser: layout, contrast, sorting, dark mode, print, attacks."""

import json

import pytest

from evaluator.report.charts import report_charts
from evaluator.report.html import to_html
from tests.report.attacks import ATTACKS, infected
from tests.report.samples import SAMPLES

pytestmark = pytest.mark.browser

WIDTHS = (360, 1280)
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]
UNFOLD = "document.querySelectorAll('details').forEach((d) => { d.open = true; })"


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reports")
    paths = {}
    for name, make in SAMPLES.items():
        paths[name] = folder / f"{name}.html"
        paths[name].write_text(to_html(make()), encoding="utf-8")
    return paths


def overflowing(page, width):
    """Return what reaches over the right edge without a scrolling parent.

    A phone's innerWidth grows with what overflows, so the width is given.
    """
    return page.run(
        "((wide) => {"
        """
          const scrolls = (e) => { for (let p = e.parentElement; p; p = p.parentElement)
            if (/auto|scroll|hidden/.test(getComputedStyle(p).overflowX)) return true;
            return false; };
          const bad = [...document.querySelectorAll('body *')].filter((e) =>
            e.getBoundingClientRect().right > wide + 1 && !scrolls(e)
            && !e.closest('svg'));
          return [document.documentElement.scrollWidth - wide,
            ...bad.map((e) => e.outerHTML.slice(0, 90))];
        """
        f"}})({width})"
    )


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", SAMPLES)
def test_no_error_no_overflow_no_request(page, reports, name, width):
    page.open(reports[name], width=width)
    page.run(UNFOLD)
    extra, *elements = overflowing(page, width)
    assert extra <= 0, elements
    assert elements == []
    assert page.problems == []
    assert page.requests == [reports[name].absolute().as_uri()]


def violations(page, axe):
    """Run axe-core on the unfolded page; the contrast rule must have found something to check."""
    page.run(UNFOLD)
    page.run(axe + ";0")
    options = json.dumps({"runOnly": RULES})
    violated, passed = page.run(
        f"axe.run(document, {options}).then((r) => [r.violations, r.passes.map((p) => p.id)])"
    )
    assert "color-contrast" in passed
    return {
        v["id"]: [(n["html"][:120], n["failureSummary"]) for n in v["nodes"][:3]] for v in violated
    }


@pytest.mark.parametrize(
    ("name", "width", "dark"),
    [
        ("caution", 360, False),
        ("caution", 1280, True),
        ("fail", 360, True),
        ("fail", 1280, False),
        ("pass", 1280, False),
        ("inconclusive", 360, True),
    ],
)
def test_accessible_by_axe(page, axe, reports, name, width, dark):
    page.open(reports[name], width=width, dark=dark)
    assert violations(page, axe) == {}


def test_the_checks_of_layout_and_contrast_can_fail(page, axe, reports):
    page.open(reports["inconclusive"], width=360)
    page.run("document.querySelector('.subject').style.color = '#ddd'")
    page.run("document.querySelector('.subject').style.width = '900px'")
    assert "color-contrast" in violations(page, axe)
    extra, *elements = overflowing(page, 360)
    assert extra > 0 or elements


def test_dark_mode_by_system_and_by_button(page, reports):
    ground = "getComputedStyle(document.body).backgroundColor"
    page.open(reports["caution"], width=1280)
    light = page.run(ground)
    page.run("document.getElementById('theme').click()")
    dark = page.run(ground)
    page.open(reports["caution"], width=1280, dark=True)
    assert page.run(ground) == dark != light
    page.run("document.getElementById('theme').click()")
    assert page.run(ground) == light
    # The charts follow the page.
    stroke = "getComputedStyle(document.querySelector('svg path[style*=\"--today\"]')).stroke"
    first = page.run(stroke)
    page.run("document.getElementById('theme').click()")
    assert page.run(stroke) != first


def test_tables_sort_by_number_and_text_both_ways(page, reports):
    page.open(reports["fail"], width=1280)
    column = (
        "[...document.querySelectorAll('#hurt tbody tr')].map((r) => r.cells[4].textContent.trim())"
    )
    click = "document.querySelectorAll('#hurt thead button')[4].click()"
    page.run(click)
    ascending = page.run(column)
    page.run(click)
    descending = page.run(column)
    assert descending == ascending[::-1]
    assert descending[0] == "1.7M"
    assert ascending[0] == "68,000"
    state = "document.querySelectorAll('#hurt thead th')[4].getAttribute('aria-sort')"
    assert page.run(state) == "descending"


def test_unfold_all_and_anchor(page, reports):
    page.open(reports["caution"], width=1280)
    count = "[...document.querySelectorAll('details')].filter((d) => d.open).length"
    assert page.run(count) == 0
    page.run("document.getElementById('unfold').click()")
    assert page.run(count) == page.run("document.querySelectorAll('details').length")
    assert page.run("document.getElementById('unfold').textContent") == "Fold all"


def test_print_unfolds_everything_on_paper_white(page, reports):
    page.open(reports["caution"], width=1280, dark=True)
    page.run("dispatchEvent(new Event('beforeprint'))")
    page.send("Emulation.setEmulatedMedia", media="print", features=[])
    assert page.run("[...document.querySelectorAll('details')].every((d) => d.open)")
    assert page.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.run("getComputedStyle(document.querySelector('.tools')).display") == "none"
    page.run("dispatchEvent(new Event('afterprint'))")
    assert not page.run("[...document.querySelectorAll('details')].some((d) => d.open)")


def test_the_first_screen_fits_the_decision(page, reports):
    page.open(reports["caution"], width=1280)
    # Verdict, reason, changes, who is hurt and the odds without scrolling.
    bottom = page.run("document.querySelectorAll('table.stack')[1].getBoundingClientRect().bottom")
    assert bottom <= 900
    page.open(reports["caution"], width=360)
    assert page.run("document.querySelector('.reason').getBoundingClientRect().bottom") <= 500


@pytest.mark.parametrize(
    "name", ["script", "attribute", "svg", "style", "jinja", "script_link", "details", "entities",
             "wide", "bidi"]
)  # fmt: skip
def test_attacks_do_nothing(page, tmp_path, name):
    path = tmp_path / "attack.html"
    report = infected(ATTACKS[name])
    stub = {n: "<svg viewBox='0 0 1 1'></svg>" for n, _ in report_charts(report)}
    drawn = {} if name == "svg" else stub  # charts are slow, once is enough
    path.write_text(to_html(report, drawn=drawn), encoding="utf-8")
    page.open(path, width=360)
    page.run(UNFOLD)
    page.run(
        "document.querySelectorAll('*').forEach((e) => e.dispatchEvent(new Event('mouseover')))"
    )
    assert page.run("typeof window.hacked") == "undefined"
    assert page.requests == [path.absolute().as_uri()]
    assert page.problems == []
    extra, *elements = overflowing(page, 360)
    assert extra <= 0, elements
