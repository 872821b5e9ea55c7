"""Hostile text is inert in every rendering."""

import io
import json
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from rich.console import Console

from evaluator.report import charts, drawing, inert
from evaluator.report.embed import embed_length, to_embed
from evaluator.report.files import to_json
from evaluator.report.html import description_html, to_html
from evaluator.report.markdown import FORUM_LIMIT, to_markdown
from evaluator.report.model import ReportModel
from evaluator.report.terminal import to_terminal
from tests.report.attacks import ATTACKS, infected

JOINER = "\u2060"
INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u115f\u200b-\u200f\u2028-\u202e\u2061-\u206f\u3164\ufeff"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
# Like a forum: HTML passes, bare addresses become links, tables work.
FORUM = MarkdownIt("commonmark", {"html": True, "linkify": False}).enable("table")
OURS = {"<details>", "</details>"}


@pytest.fixture(scope="module", params=ATTACKS)
def attack(request):
    return ATTACKS[request.param]


@pytest.fixture(scope="module")
def report(attack):
    return infected(attack)


def _tokens(tokens):
    for t in tokens:
        yield t
        yield from _tokens(t.children or ())


def assert_inert_markdown(text):
    assert len(text) <= FORUM_LIMIT
    assert not INVISIBLE.search(text.replace(JOINER, ""))
    for token in _tokens(FORUM.parse(text)):
        assert token.type not in ("link_open", "image", "html_inline"), token
        if token.type == "html_block":
            for line in filter(None, token.content.splitlines()):
                assert line in OURS or re.fullmatch(r"<summary>[^<>]*</summary>", line), line
        if token.type == "text":
            # What Discourse acts on after escapes are resolved.
            assert not re.search(r"[@＠#＃]\w", token.content), token.content
            assert not re.search(r":[\w+-]+:", token.content), token.content
            assert not re.search(r"://|www\.\w", token.content), token.content
            assert not re.search(r"[a-z]\.(?:com|example|gg)\b", token.content), token.content
        if token.type == "heading_open":
            assert token.tag == "h2"
    outside = re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "", text, flags=re.DOTALL)
    # BBCode is read from the source: no bracket outside code is left unescaped.
    assert not re.search(r"(?<!\\)(?:\\\\)*\[", outside), outside
    assert sum(1 for t in FORUM.parse(text) if t.type == "heading_open") == 1


def test_markdown(report):
    assert_inert_markdown(to_markdown(report))


def test_markdown_closes_every_fold_it_opens(report):
    text = to_markdown(report)
    blocks = [t.content for t in FORUM.parse(text) if t.type == "html_block"]
    opened = sum(b.count("<details>") for b in blocks)
    assert opened == sum(b.count("</details>") for b in blocks) > 0


class _Collector(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.attributes, self.scripts = [], [], 0

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *a) for a in attrs]
        self.scripts += tag == "script"


FORBIDDEN = {
    "img",
    "iframe",
    "object",
    "embed",
    "link",
    "base",
    "form",
    "a",
    "input",
    "foreignobject",
}


def assert_inert_html(text):
    found = _Collector()
    found.feed(text)
    assert found.scripts == 1
    assert not FORBIDDEN & set(found.tags)
    assert found.tags.count("style") == 1 + found.tags.count("svg")  # Matplotlib's own
    assert found.tags.count("meta") == 4
    for tag, name, value in found.attributes:
        assert not name.startswith("on"), (tag, name, value)
        assert name not in ("src", "srcset", "action", "formaction", "background"), (tag, name)
        if name in ("href", "xlink:href"):
            assert value.startswith("#"), value
    assert "@import" not in "".join(re.findall(r"<style[^>]*>(.*?)</style>", text, re.DOTALL))
    assert not INVISIBLE.search(text)


def test_html(report):
    # Charts are drawn once for one attack in another test; they are slow.
    drawn = {
        n: "<svg viewBox='0 0 1 1'><style></style></svg>" for n, _ in charts.report_charts(report)
    }
    text = to_html(report, drawn=drawn)
    assert_inert_html(text)
    assert "49" not in re.findall(r"<h1>(.*?)</h1>", text, re.DOTALL)[0]


@pytest.mark.parametrize("name", ["script", "svg", "mathtext", "zalgo", "surrogate"])
def test_charts(name):
    report = infected(ATTACKS[name])
    for key, chart in charts.report_charts(report):
        svg = drawing.to_inline_svg(drawing.page_svg(chart), inert.line(chart.alt, 600), key)
        found = _Collector()
        found.feed(svg)
        assert not {"script", "a", "img", "foreignobject"} & set(found.tags)
        assert not [a for a in found.attributes if a[1].startswith("on")]
        assert not INVISIBLE.search(svg)


def test_discord(report):
    embed = to_embed(report, image="attachment://survival-dark.png")
    assert len(embed["title"]) <= 90
    assert len(embed["description"]) <= 4096
    assert len(embed["fields"]) <= 25
    assert all(0 < len(f["name"]) <= 256 and 0 < len(f["value"]) <= 1024 for f in embed["fields"])
    assert len(embed["footer"]["text"]) <= 2048
    assert embed_length(embed) <= 6000
    texts = [embed["title"], embed["description"], *(f["value"] for f in embed["fields"])]
    for text in texts:
        assert not re.search(r"@\w", text), text
        assert not re.search(r"(?<!\\)<[@#:at/i]", text), text
        assert "://" not in text
        assert not re.search(r"(?<!\\)(?:\\\\)*[*`|\[\]~]", text), text
        assert not INVISIBLE.search(text.replace(JOINER, ""))


def test_terminal(report):
    stream = io.StringIO()
    console = Console(file=stream, width=100, force_terminal=True, color_system="truecolor")
    console.print(to_terminal(report, full=True))
    # What is left after rich's own colours must hold no control character.
    left = re.sub(r"\x1b\[[\d;]*m", "", stream.getvalue())
    assert not INVISIBLE.search(left)
    assert "\x1b]8" not in stream.getvalue()


def test_terminal_shows_markup_of_rich_as_text():
    stream = io.StringIO()
    Console(file=stream, width=200).print(to_terminal(infected(ATTACKS["rich"])))
    assert "[red]x[/red]" in stream.getvalue()


def test_json(report):
    text = to_json(report)
    text.encode("ascii")
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", text)
    assert ReportModel.model_validate_json(text) == report
    json.loads(text)


@settings(max_examples=150)
@given(st.text(max_size=120))
def test_any_text_is_inert_in_prose_code_and_fence(text):
    source = (
        f"a {inert.prose(text)}\n\n| {inert.code(text)} | {inert.prose(text)} |\n|---|---|\n\n"
        f"{inert.fenced(text)}\n"
    )
    types = {t.type for t in _tokens(FORUM.parse(source))}
    assert not types & {"link_open", "image", "html_inline", "html_block", "heading_open", "hr"}
    fences = [t for t in FORUM.parse(source) if t.type == "fence"]
    assert len(fences) == 1
    assert not INVISIBLE.search(source.replace(JOINER, ""))


@settings(max_examples=100)
@given(st.text(alphabet="@#:<>[]`*_~|\\ab. -1(){}&\n/", max_size=60))
def test_any_mix_of_marks_is_inert(text):
    source = f"{inert.prose(text)}\n\nx {inert.code(text)} y\n\n| a {inert.code(text)} | b |\n"
    for token in _tokens(FORUM.parse(source)):
        assert token.type not in ("link_open", "image", "html_inline", "html_block", "em_open")
        assert token.type not in ("strong_open", "bullet_list_open", "ordered_list_open", "hr")
        if token.type == "text":
            assert not re.search(r"[@#]\w", token.content)
    assert len(inert.discord(text, 40)) <= 40


def test_description_keeps_its_structure_and_loses_its_teeth():
    html = description_html(
        "# Title\n\n**bold** and `code`\n\n- one\n- [x](http://e.example)\n\n| a | b |\n|--|--|\n"
        "| 1 | 2 |\n\n<img src=x onerror=alert(1)> ![i](http://e.example/i.png)"
    )
    assert "<h4>Title</h4>" in html
    assert "<strong>bold</strong>" in html
    assert "<li>one</li>" in html
    assert "<td>1</td>" in html
    assert not re.search(r"<(?:img|a|script)\b", html)


def test_a_hundred_changes_are_summarised_and_not_cut():
    report = infected("x")
    row = report.parameters[0]
    many = report.model_copy(
        update={
            "parameters": tuple(row.model_copy(update={"path": str(i)}) for i in range(3000)),
            "state_changes": report.state_changes * 5000,
            "events": report.events * 5000,
            "findings": report.findings * 500,
            "actions": report.actions * 2000,
            "not_modelled": report.not_modelled * 3000,
            "markets": report.markets * 7,
        }
    )
    text = to_markdown(many)
    assert len(text) <= FORUM_LIMIT
    assert re.search(r"… and [\d,]+ more in report", text)
    assert text.rstrip().endswith(("</details>", "have them."))
    assert embed_length(to_embed(many)) <= 6000
