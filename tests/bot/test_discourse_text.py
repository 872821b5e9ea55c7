"""Titles, bodies and links of forum posts."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.discourse_text import (
    Change,
    charts_named,
    clean_line,
    distinct_title,
    external_id,
    fit,
    linked_topic,
    plain_words,
    post_body,
    topic_title,
    with_charts,
)

ANY_TEXT = st.text(alphabet=st.characters(blacklist_categories=("Cs",)))
UINT256 = str(2**256 - 1)


@given(governor=ANY_TEXT, number=st.integers(0, 2**256 - 1), title=ANY_TEXT)
def test_every_title_keeps_the_forums_rules(governor: str, number: int, title: str) -> None:
    made = topic_title(governor=governor, number=str(number), title=title)
    assert 15 <= len(made) <= 255
    assert all(len(word) <= 30 for word in made.split())
    assert made == " ".join(made.split())
    assert all(len(word) <= 30 for word in distinct_title(made, "st0123456789abcdef").split())


def test_a_title_says_what_it_is_about() -> None:
    assert (
        topic_title(governor="Aave V3", number="214", title="# Raise WETH's threshold")
        == "Seatrial: Aave V3 proposal 214 – Raise WETH's threshold"
    )
    made = topic_title(
        governor="G", number=UINT256, title="0x" + "ab" * 32 + " to \u202eevil\n@all"
    )
    assert made.startswith(f"Seatrial: G proposal {UINT256[:6]}…{UINT256[-4:]} – 0xab")
    assert "\u202e" not in made


def test_long_titles_end_between_words() -> None:
    made = topic_title(governor="Aave", number="1", title="word " * 100, longest=80)
    assert len(made) <= 80
    assert made.endswith("word…")


def test_external_ids_fit_and_differ() -> None:
    address = "0xEC568fffba86c094cf06b22134B23074DFE2252c"
    found = external_id(1, address, UINT256)
    assert len(found) <= 50
    assert re.fullmatch(r"[\w-]+", found)
    assert found == external_id(1, address.lower(), UINT256)
    assert len({found, external_id(10, address, UINT256), external_id(1, address, "1")}) == 3


@pytest.mark.parametrize(
    ("text", "topic"),
    [
        ("see https://gov.example.org/t/raise-weth/512.", 512),
        ("(https://gov.example.org/t/raise-weth/512/3)", 512),
        ("[forum](https://GOV.example.org/t/512)", 512),
        ("https://evil.org/t/x/1 then https://gov.example.org/t/y/7", 7),
        ("https://gov.example.org.evil.org/t/x/512", None),
        ("https://gov.example.org@evil.org/t/x/512", None),
        ("https://gov.example.org/u/someone/512", None),
        ("https://gov.example.org/t/slug", None),
        ("https://gov.example.org/t/slug/0", None),
        ("https://[broken/t/slug/5", None),
        ("no link", None),
    ],
)
def test_only_links_to_our_forums_topics_count(text: str, topic: int | None) -> None:
    assert linked_topic(text, host="gov.example.org") == topic


@given(ANY_TEXT)
def test_looking_for_links_never_fails(text: str) -> None:
    linked_topic(text, host="gov.example.org")
    assert "\n" not in clean_line(text)


def test_charts_are_put_in_place_and_missing_ones_vanish() -> None:
    text = "a ![S](chart:survival) b ![L \\] l](chart:loss) ![again](chart:survival)"
    assert charts_named(text) == ("survival", "loss")
    assert (
        with_charts(text, {"survival": "upload://x.png"})
        == "a ![S](upload://x.png) b  ![again](upload://x.png)"
    )


def _details(name: str, size: int) -> str:
    return f'[details="{name}"]\n{"x" * size}\n[/details]'


def test_a_long_report_loses_whole_sections_from_the_back() -> None:
    report = "\n\n".join(
        ["## FAIL: first screen", _details("A", 300), _details("B", 200), _details("C", 400)]
    )
    assert fit(report, limit=len(report), more="") == report
    made = fit(report, limit=800, more="It is in full at the bot.")
    assert made.startswith("## FAIL: first screen")
    assert "x" * 300 in made
    assert "x" * 200 in made
    assert "x" * 400 not in made
    assert made.endswith("*Left out of this post for its length: C.* It is in full at the bot.")
    tiny = fit(report, limit=200, more="M.")
    assert "Left out of this post for its length: A, B, C" in tiny
    assert "details" not in tiny


def test_html_details_are_sections_too() -> None:
    block = "<details>\n<summary>Scenarios <b>all</b></summary>\n\n" + "y" * 500 + "\n</details>"
    made = fit(f"head\n\n{block}\n\nfoot", limit=300, more="")
    assert made.startswith("head\n\nfoot")
    assert "Scenarios all" in made


@given(
    st.lists(st.tuples(st.booleans(), st.integers(1, 3000)), min_size=1, max_size=12),
    st.integers(600, 6000),
)
def test_a_body_never_exceeds_the_limit_nor_breaks_a_section(
    parts: list[tuple[bool, int]], limit: int
) -> None:
    report = "\n\n".join(
        _details(f"S{n}", size) if folded else "p" * size for n, (folded, size) in enumerate(parts)
    )
    changes = [Change(when="2026-01-02 03:04", text="PASS")] * 30
    made = post_body(
        report, reference="st0123456789abcdef", limit=limit + 1200, changes=changes, more="More."
    )
    assert len(made) <= limit + 1200
    assert made.count("[details=") == made.count("[/details]")
    assert made.endswith("<small>Seatrial reference st0123456789abcdef</small>")
    assert "10 earlier ones not shown" in made


def test_words_of_others_stay_words() -> None:
    hostile = "[poll]\n# big @everyone ![x](http://evil/x.png) <b> `code` www.evil.org \u202e 1-2"
    made = plain_words(hostile)
    assert "\n" not in made
    assert "@" not in made
    assert "://" not in made
    assert "www." not in made
    assert "\\[poll\\]" in made
    assert "!\\[" not in made.replace("\\!\\[", "")
    assert plain_words("a plain sentence, 5% of it.") == "a plain sentence, 5% of it."
    assert len(plain_words("word " * 1000)) <= 600
