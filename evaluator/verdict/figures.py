"""How numbers are written for people; used by reasons and by every rendering."""

from __future__ import annotations

import math
from collections.abc import Callable

from evaluator.market import Unit

Writer = Callable[[float], str]

NONE = "–"
_SUFFIXES = ((1e12, "T"), (1e9, "B"), (1e6, "M"))


def counted(n: int, one: str, many: str = "") -> str:
    """Write a count with its noun: 1 call, 2 calls."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def _trim(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text


def number(x: float, digits: int = 3) -> str:
    """Write `x` with `digits` significant figures and thousands separators."""
    if math.isnan(x):
        return NONE
    if math.isinf(x):
        return "no limit" if x > 0 else "-no limit"
    if x == 0:
        return "0"
    magnitude = math.floor(math.log10(abs(x)))
    if magnitude >= digits - 1:
        rounded = round(x, digits - 1 - magnitude)
        return f"{rounded:,.0f}"
    if magnitude < -6:
        return f"{x:.{digits - 1}e}"
    return _trim(f"{x:,.{digits - 1 - magnitude}f}")


def exact(x: float) -> str:
    """Write a set value without rounding it away: up to ten significant figures."""
    if math.isinf(x) or math.isnan(x):
        return number(x)
    if x == int(x) and abs(x) < 1e15:
        return f"{int(x):,}"
    return _trim(f"{x:,.{max(0, 9 - math.floor(math.log10(abs(x))))}f}")


def money(x: float) -> str:
    """Write USD to three significant figures: 1.9M, 50,000, 0."""
    if math.isinf(x) or math.isnan(x):
        return number(x)
    for size, suffix in _SUFFIXES:
        if abs(x) >= size * 0.9995:
            return f"{number(x / size)}{suffix}"
    if abs(x) >= 100:
        return number(x)
    if 0 < abs(x) < 0.01:
        return "<0.01" if x > 0 else ">-0.01"
    return _trim(f"{x:.2f}")


def share(x: float, digits: int = 3) -> str:
    """Write a measured fraction as percent: 0.31%, 12.4%."""
    if 0 < abs(x) < 5e-7:
        return "<0.0001%"
    return f"{number(100.0 * x, digits)}%"


def points(x: float) -> str:
    """Write a difference of fractions in percentage points with its sign."""
    if 0 < abs(x) < 5e-7:
        return f"{'+' if x > 0 else '-'}<0.0001 pp"
    return f"{'+' if x > 0 else ''}{number(100.0 * x)} pp"


def duration(seconds: float) -> str:
    """Write seconds in the largest unit that divides them: 7 days, 1 hour."""
    for size, word in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size and seconds % size == 0:
            n = int(seconds // size)
            return f"{n:,} {word}{'' if n == 1 else 's'}"
    return f"{exact(seconds)} s"


def setting(value: float | bool | str | None, unit: Unit) -> str:
    """Write the value of a parameter as the protocol's users say it."""
    if value is None:
        return NONE
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    match unit:
        case Unit.FRACTION:
            return f"{exact(100.0 * round(value, 12))}%"
        case Unit.PER_YEAR:
            return f"{exact(100.0 * round(value, 12))}% a year"
        case Unit.USD:
            return f"{exact(value)} USD" if math.isfinite(value) else "no limit"
        case Unit.SECONDS:
            return duration(value)
        case _:
            return exact(value)


def change(before: float | bool | str | None, after: float | bool | str | None, unit: Unit) -> str:
    """Write how a parameter moved: +1.5 pp, ×2, new, gone."""
    if before is None:
        return "new"
    if after is None:
        return "gone"
    if before == after:
        return NONE
    if isinstance(before, bool | str) or isinstance(after, bool | str):
        return "changed"
    if unit in (Unit.FRACTION, Unit.PER_YEAR):
        delta = 100.0 * round(after - before, 12)
        return f"{'+' if delta > 0 else ''}{exact(delta)} pp"
    if math.isinf(before) or math.isinf(after) or before == 0:
        return "raised" if after > before else "lowered"
    return f"{'+' if after > before else ''}{share(after / before - 1.0)}"
