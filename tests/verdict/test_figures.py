import math

import pytest

from evaluator.market import Unit
from evaluator.verdict import figures


@pytest.mark.parametrize(
    ("write", "given", "expected"),
    [
        (figures.share, 0.0031, "0.31%"),
        (figures.share, 0.825, "82.5%"),
        (figures.share, 1.0, "100%"),
        (figures.share, 0.0, "0%"),
        (figures.share, 1e-9, "<0.0001%"),
        (figures.points, 0.015, "+1.5 pp"),
        (figures.points, -0.0004, "-0.04 pp"),
        (figures.points, 0.0, "0 pp"),
        (figures.money, 1_940_000, "1.94M"),
        (figures.money, 999_960_000, "1B"),
        (figures.money, 50_000, "50,000"),
        (figures.money, -2.5e6, "-2.5M"),
        (figures.money, 0.0, "0"),
        (figures.money, 0.001, "<0.01"),
        (figures.money, math.inf, "no limit"),
        (figures.number, 12_431, "12,400"),
        (figures.number, 0.012345, "0.0123"),
        (figures.number, math.nan, "–"),
        (figures.exact, 12_431.5, "12,431.5"),
        (figures.exact, 0.0, "0"),
        (figures.duration, 604_800, "7 days"),
        (figures.duration, 3600, "1 hour"),
        (figures.duration, 90, "90 s"),
    ],
)
def test_numbers(write, given, expected):
    assert write(given) == expected


@pytest.mark.parametrize(
    ("before", "after", "unit", "expected"),
    [
        (0.825, 0.84, Unit.FRACTION, ("82.5%", "84%", "+1.5 pp")),
        (1000.0, 1500.0, Unit.TOKENS, ("1,000", "1,500", "+50%")),
        (math.inf, 10.0, Unit.TOKENS, ("no limit", "10", "lowered")),
        (False, True, Unit.FLAG, ("no", "yes", "changed")),
        ("0xa", "0xb", Unit.ADDRESS, ("0xa", "0xb", "changed")),
        (None, 0.5, Unit.FRACTION, ("–", "50%", "new")),
        (0.5, None, Unit.FRACTION, ("50%", "–", "gone")),
        (0.0, 5.0, Unit.USD, ("0 USD", "5 USD", "raised")),
        (3600.0, 86400.0, Unit.SECONDS, ("1 hour", "1 day", "+2,300%")),
    ],
)
def test_settings(before, after, unit, expected):
    got = (
        figures.setting(before, unit),
        figures.setting(after, unit),
        figures.change(before, after, unit),
    )
    assert got == expected
