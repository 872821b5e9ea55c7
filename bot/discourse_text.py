"""What a report looks like as a Discourse post: title, body, length, marks.

Pure functions. The report's Markdown is trusted to be escaped by the report
room; a title is made here from a proposal's own words and is therefore cleaned
here.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

TITLE_SHORTEST = 15  # characters, Discourse's default
LONGEST_WORD = 30  # characters a title's word may have, Discourse's default
CHANGES_SHOWN = 20  # lines of the changelog kept in the post
_DETAILS = re.compile(
    r"^\[details=(?P<q>\"?)(?P<a>[^\]\n]*?)(?P=q)\]\s*$.*?^\[/details\]\s*$"
    r"|^<details[^>\n]*>\s*<summary>(?P<b>.*?)</summary>.*?^</details>\s*$",
    re.MULTILINE | re.DOTALL,
)
_CHART = re.compile(r"!\[(?P<alt>(?:\\.|[^\]\\])*)\]\(chart:(?P<name>[\w-]{1,64})\)")
_TOPIC_LINK = re.compile(r"https?://[^\s<>\"')\]]{1,500}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One line of a post's changelog."""

    when: str  # date and time for people, UTC
    text: str  # what happened, one line


def external_id(chain_id: int, governor: str, number: str) -> str:
    """Return the topic's external_id: a prefix of a hash, 41 of the 50 characters allowed.

    Chain, governor and a uint256 id do not fit in full.
    """
    digest = hashlib.sha256(f"{chain_id}:{governor.lower()}:{number}".encode()).hexdigest()
    return f"seatrial-{digest[:32]}"


def clean_line(text: str) -> str:
    """Return `text` as one line without control, format (bidi) and unassigned characters."""
    kept = (
        " " if unicodedata.category(c) in {"Cc", "Zl", "Zp", "Zs"} else c
        for c in text
        if unicodedata.category(c) not in {"Cf", "Cs", "Co", "Cn"}
    )
    return " ".join("".join(kept).split())


def plain_words(text: str, *, longest: int = 600) -> str:
    """Return `text` as one line that Markdown and the forum leave alone: no links, no mentions."""
    line = clean_line(text)
    if len(line) > longest:
        line = line[: longest - 1].rsplit(" ", 1)[0] + "…"
    # An escaped @ still mentions, and a bare address still becomes a link.
    line = line.replace("@", "(at)").replace("://", ": //").replace("www.", "www .")
    return re.sub(r"([\\`*_{}\[\]()#+!|<>~:-])", r"\\\1", line)


def topic_title(*, governor: str, number: str, title: str, longest: int = 255) -> str:
    """Return a title Discourse accepts: unique by its number, no word over 30 characters.

    A uint256 id is shown by its first and last digits.
    """
    shown = number if len(number) <= 12 else f"{number[:6]}…{number[-4:]}"
    head = " ".join(f"Seatrial: {_short_words(clean_line(governor))} proposal {shown}".split())
    words = _short_words(clean_line(title).lstrip("#").strip())
    if not words:
        return _padded(head[:longest])
    room = longest - len(head) - 3
    if room < 8:
        return _padded(head[:longest])
    if len(words) > room:
        words = words[: room - 1].rsplit(" ", 1)[0].rstrip() + "…"
    return _padded(f"{head} – {words}")


def distinct_title(title: str, reference: str, *, longest: int = 255) -> str:
    """Return the title with the post's reference, for a forum that has the title already."""
    tail = f" ({reference[:10]})"
    return title[: longest - len(tail)] + tail


def _padded(title: str) -> str:
    return title if len(title) >= TITLE_SHORTEST else title + " report".ljust(TITLE_SHORTEST, ".")


def _short_words(text: str) -> str:
    return " ".join(
        word if len(word) <= LONGEST_WORD else f"{word[: LONGEST_WORD - 5]}…"
        for word in text.split(" ")
    )


def linked_topic(text: str, *, host: str) -> int | None:
    """Return the topic id of the first link to a topic of `host` in `text`."""
    for found in _TOPIC_LINK.finditer(text[:200_000]):
        try:
            url = urlsplit(found.group().rstrip(".,;:!?"))
            same = (url.hostname or "").lower() == host.lower()
        except ValueError:
            continue
        parts = url.path.strip("/").split("/")
        if not same or not parts or parts[0] != "t":
            continue
        # /t/slug/512, /t/slug/512/3, /t/512
        for part in parts[1:3]:
            if part.isascii() and part.isdigit() and len(part) <= 9 and int(part) > 0:
                return int(part)
    return None


def reference_line(reference: str) -> str:
    """Return the line by which a post is found again; people may read it."""
    return f"<small>Seatrial reference {reference}</small>"


def charts_named(markdown: str) -> tuple[str, ...]:
    """Return the charts `markdown` shows as ![words](chart:name), in order, each once."""
    return tuple(dict.fromkeys(found.group("name") for found in _CHART.finditer(markdown)))


def with_charts(markdown: str, addresses: Mapping[str, str]) -> str:
    """Let the charts' images point to their uploads; one without address vanishes."""

    def image(found: re.Match[str]) -> str:
        address = addresses.get(found.group("name"))
        return f"![{found.group('alt')}]({address})" if address else ""

    return _CHART.sub(image, markdown)


def post_body(
    markdown: str,
    *,
    reference: str,
    limit: int,
    changes: Sequence[Change] = (),
    more: str = "",
) -> str:
    """Return the post's raw text, at most `limit` characters.

    `markdown` is the report's first screen followed by details blocks. When it
    is too long, whole details blocks are left out, the longest of the last
    ones first, and named in a sentence with `more` (where the full report
    is). Nothing is cut in the middle: a first screen that does not fit by
    itself is replaced by its first paragraphs.
    """
    tail = _tail(reference, changes)
    room = limit - len(tail) - 2
    return fit(markdown.strip(), limit=room, more=more) + "\n\n" + tail


def _tail(reference: str, changes: Sequence[Change]) -> str:
    lines: list[str] = []
    if changes:
        lines.append("---")
        lines.append("**Changes of this post**")
        hidden = len(changes) - CHANGES_SHOWN
        if hidden > 0:
            lines.append(f"- {hidden} earlier ones not shown")
        lines += [f"- {change.when} UTC: {change.text}" for change in changes[-CHANGES_SHOWN:]]
        lines.append("")
    lines.append(reference_line(reference))
    return "\n".join(lines)


def fit(markdown: str, *, limit: int, more: str) -> str:
    """Return `markdown` within `limit` characters by leaving out whole details blocks."""
    if len(markdown) <= limit:
        return markdown
    blocks = list(_DETAILS.finditer(markdown))
    left_out: set[int] = set()

    def draft() -> str:
        text, at = "", 0
        for index, block in enumerate(blocks):
            text += markdown[at : block.start()]
            if index not in left_out:
                text += block.group()
            at = block.end()
        text += markdown[at:]
        text = re.sub(r"\n{3,}", "\n\n", text).strip()
        if left_out:
            names = [_summary(blocks[index]) for index in sorted(left_out)]
            text += "\n\n" + _left_out(names, more)
        return text

    # The back half first: a report puts what matters most in front.
    order = sorted(
        range(len(blocks)), key=lambda i: (i < len(blocks) // 2, -len(blocks[i].group()))
    )
    for index in order:
        left_out.add(index)
        text = draft()
        if len(text) <= limit:
            return text
    return _first_paragraphs(draft(), limit=limit, more=more)


def _summary(block: re.Match[str]) -> str:
    name = re.sub(r"<[^>]*>", "", block.group("a") or block.group("b") or "a section")
    return clean_line(name)[:80]


def _left_out(names: Sequence[str], more: str) -> str:
    return f"*Left out of this post for its length: {', '.join(names)}.* {more}".strip()


def _first_paragraphs(markdown: str, *, limit: int, more: str) -> str:
    note = f"*The rest of the report does not fit into a post.* {more}".strip()
    kept: list[str] = []
    size = len(note) + 2
    for paragraph in markdown.split("\n\n"):
        if size + len(paragraph) + 2 > limit:
            break
        kept.append(paragraph)
        size += len(paragraph) + 2
    return "\n\n".join([*kept, note])
