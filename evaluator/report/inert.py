"""Make hostile text inert: descriptions, token names, revert reasons.

Every string of a report is treated as hostile in every rendering; nothing
decides by where a string came from.
"""

from __future__ import annotations

import re
import unicodedata
from html import escape

ELLIPSIS = "…"
# Invisible, breaks "@name", "#tag" and ":emoji:" without changing how the text looks.
_JOINER = "\u2060"

_KEPT_CONTROLS = {"\n", "\t"}
_NOT_SHOWN = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
# Letters that render as nothing and can hide text: Hangul fillers, Braille blank.
_BLANK = {"\u115f", "\u1160", "\u3164", "\uffa0", "\u2800", "\u034f"}


def encodable(text: str) -> str:
    """Replace lone surrogates, which no UTF-8 file can hold."""
    return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def visible(text: str) -> str:
    """Strip control, bidirectional and invisible characters; keep newlines and tabs."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        c
        for c in encodable(text).replace("\r\n", "\n").replace("\r", "\n")
        if c in _KEPT_CONTROLS or (unicodedata.category(c) not in _NOT_SHOWN and c not in _BLANK)
    )


def limited(text: str, length: int) -> str:
    """Cut to at most `length` characters, between words if there are, and end in an ellipsis."""
    if len(text) <= length:
        return text
    kept = text[: max(0, length - 1)]
    words = kept.rpartition(" ")[0].rstrip(" ,;:(")
    # One long word, as an address or a link is, is cut rather than lost.
    return (words if len(words) >= 0.75 * len(kept) else kept) + ELLIPSIS


def _few_marks(text: str) -> str:
    """Drop all but three combining marks on a letter (text that climbs over its neighbours)."""
    if text.isascii():
        return text
    out: list[str] = []
    marks = 0
    for c in text:
        marks = marks + 1 if unicodedata.combining(c) else 0
        if marks <= 3:
            out.append(c)
    return "".join(out)


def line(text: str, length: int = 1000) -> str:
    """Make one visible line of at most `length` characters."""
    # Of a text far too long only the beginning is looked at.
    head = text[: 8 * length + 1000]
    shown = _few_marks(" ".join(visible(head).split()))
    return limited(shown + ELLIPSIS if len(head) < len(text) else shown, length)


def capital(text: str) -> str:
    """Begin a sentence with a capital, unless it begins with a name like setText()."""
    first = text.partition(" ")[0].rstrip(",;:.")
    return text[:1].upper() + text[1:] if first.isalpha() and first.islower() else text


_MARKDOWN = re.compile(r"[\\`*\[\]<>|~$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|&(?=[A-Za-z#])|!(?=\[)")
_LINE_START = re.compile(r"^(?:[-+](?=[\s-]|$)|#|=|\d+[.)](?=\s|$))")
_MENTION = re.compile(r"([@#＠＃])(?=\S)")
# In HTML "&#" is a character reference of ours.
_HTML_MENTION = re.compile(r"(?<!&)([@#＠＃])(?=\S)")
_EMOJI = re.compile(r":(?=[\w+-]+:)")
_SCHEME = re.compile(r"(?i)\b([a-z][a-z0-9+.-]{1,12}):(?=//|[^\s\d])")
_DOMAIN = re.compile(r"(?<=[^\W\d_])\.(?=[^\W\d_])|(?<=\w)\.(?=[^\W\d_])")


def prose(text: str, length: int = 1000) -> str:
    """Escape one line for forum Markdown: no mark-up, link, mention, emoji or BBCode survives.

    Backslashes before punctuation are CommonMark; mentions, hashtags and emoji
    are matched by Discourse after escapes are resolved, so they are broken by
    an invisible word joiner instead.
    """
    t = line(text, length)
    t = _MARKDOWN.sub(lambda m: "\\" + m.group(0), t)
    t = _LINE_START.sub(lambda m: m.group(0)[:-1] + "\\" + m.group(0)[-1], t)
    t = _SCHEME.sub(lambda m: m.group(1) + _JOINER + ":" + _JOINER, t)
    t = _DOMAIN.sub(_JOINER + ".", t)
    t = _MENTION.sub(lambda m: m.group(1) + _JOINER, t)
    return _EMOJI.sub(":" + _JOINER, t)


def html(text: str, length: int = 300) -> str:
    """Escape one line for raw HTML inside Markdown, where backslashes do not work."""
    escaped = escape(line(text, length), quote=True).replace("[", "&#91;")
    escaped = _SCHEME.sub(lambda m: m.group(1) + _JOINER + ":" + _JOINER, escaped)
    escaped = _DOMAIN.sub(_JOINER + ".", escaped)
    return _HTML_MENTION.sub(lambda m: m.group(1) + _JOINER, escaped)


def _longest_run(text: str, of: str) -> int:
    return max((len(m.group(0)) for m in re.finditer(re.escape(of) + "+", text)), default=0)


def code(text: str, length: int = 200) -> str:
    """Put one line into a Markdown code span, safe inside a table cell."""
    t = line(text, length).replace("|", "\\|")
    if not t:
        return "` `"
    ticks = "`" * (_longest_run(t, "`") + 1)
    pad = " " if t.startswith("`") or t.endswith("`") else ""
    return f"{ticks}{pad}{t}{pad}{ticks}"


def fenced(text: str, length: int = 4000) -> str:
    """Put text into a Markdown fence longer than any run of backticks within."""
    t = limited(_few_marks(visible(text)), length).strip("\n")
    fence = "`" * max(3, _longest_run(t, "`") + 1)
    return f"{fence}text\n{t}\n{fence}"


_DISCORD = re.compile(r"[\\`*_~|\[\]<]|^[>#-]")


def discord(text: str, length: int) -> str:
    """Escape one line for a Discord embed, at most `length` characters with the escapes."""
    plain = line(text, length)
    while True:
        t = _DISCORD.sub(lambda m: "\\" + m.group(0), plain)
        t = t.replace("@", "@" + _JOINER).replace("://", ":" + _JOINER + "//")
        if len(t) <= length:
            return t
        plain = limited(plain, len(plain) - max(1, (len(t) - length) // 2))


def terminal(text: str, length: int = 1000) -> str:
    """Make one line without escape sequences; rich shows it as plain text."""
    return line(text, length)
