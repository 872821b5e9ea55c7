"""Text for Discord: hostile words made harmless, lengths kept, figures with their basis.

Pure functions. Proposals' titles, asset names and errors are other people's
words wherever they come from.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from bot.discourse_text import clean_line
from bot.evaluation import EvaluationOrder

CONTENT_LIMIT = 2000  # characters of a message
CHOICE_LIMIT = 100  # characters of an autocomplete choice
THREAD_NAME_LIMIT = 100
BAR = 20  # characters of the progress bar
_JOINER = "\u2060"  # invisible; breaks mentions and links without changing how they look
_MARKS = re.compile(r"[\\`*_~|\[\]<]|^[>#-]|^\d+(?=\.)")


def limited(text: str, length: int) -> str:
    """Cut to `length` characters, the last one an ellipsis if anything was cut."""
    return text if len(text) <= length else text[: max(0, length - 1)] + "…"


def plain(text: str, length: int) -> str:
    """Make one line of at most `length` characters, for names of threads and choices.

    Nothing is escaped: Discord shows these as they are.
    """
    return limited(clean_line(text[: 8 * length + 1000]).replace("@", "@" + _JOINER), length)


def spoken(text: str, length: int) -> str:
    """Make one line that neither formats, links nor mentions, at most `length` characters."""
    line = limited(clean_line(text[: 8 * length + 1000]), length)
    while True:
        safe = _MARKS.sub(lambda found: "\\" + found.group(), line)
        safe = safe.replace("@", "@" + _JOINER).replace("://", ":" + _JOINER + "//")
        if len(safe) <= length:
            return safe
        line = limited(line, len(line) - max(1, (len(safe) - length) // 2))


def short_number(number: str) -> str:
    """Return a governor's id as people read it: a long one by its first and last digits."""
    return number if len(number) <= 12 else f"{number[:6]}…{number[-4:]}"


def duration(seconds: float) -> str:
    """Return a length of time in its largest fitting unit: "7 days", "about" is not said."""
    for size, name in ((86_400.0, "day"), (3_600.0, "hour"), (60.0, "minute")):
        if seconds >= size:
            count = seconds / size
            text = f"{count:.0f}" if abs(count - round(count)) < 0.05 else f"{count:.1f}"
            return f"{text} {name}{'' if text == '1' else 's'}"
    text = f"{seconds:.0f}"
    return f"{text} second{'' if text == '1' else 's'}"


def bar(done: float) -> str:
    """Return a progress bar for a fraction."""
    full = max(0, min(BAR, round(done * BAR)))
    return "█" * full + "░" * (BAR - full)


def basis(paths: int, horizon: float) -> str:
    """Say what figures rest on: sample size and horizon in seconds."""
    return f"{paths:,} price paths over {duration(horizon)}"


def order_basis(order: EvaluationOrder, horizon: float) -> str:
    """Say what an order will rest on, with its seed and scenario."""
    scenario = order.scenario or "calibrated prices"
    return f"{basis(order.paths, horizon)} · {plain(scenario, 40)} · seed {order.seed}"


def report_basis(report: str) -> str:
    """Say what the figures of a JSON report rest on, from the report itself."""
    found = first_estimate(json.loads(report))
    if found is None:
        return "no price paths were run"
    return basis(int(found["samples"]), float(found["horizon"]))


def first_estimate(report: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the first estimate in a JSON report, None if it holds none."""
    for market in report.get("markets") or ():
        for row in market.get("odds") or ():
            today = row.get("today")
            if isinstance(today, dict) and {"samples", "horizon"} <= today.keys():
                return today
    return None
