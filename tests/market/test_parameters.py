"""Differences between two readings of a protocol."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from evaluator.market import Parameter, Unit, parameter_changes

values = st.one_of(st.booleans(), st.floats(0, 1), st.text(max_size=5))
readings = st.dictionaries(st.sampled_from("abcdefgh"), values)


def reading(values):
    return [
        Parameter(
            path=f"p.X.{k}", protocol="p", asset="X", name=k, label=k, value=v, unit=Unit.TEXT
        )
        for k, v in values.items()
    ]


@given(before=readings, after=readings)
def test_exactly_the_differences_are_named_in_order(before, after):
    changes = parameter_changes(reading(before), reading(after))
    names = [c.name for c in changes]
    assert names == sorted(k for k in before.keys() | after.keys() if before.get(k) != after.get(k))
    for c in changes:
        assert c.before == before.get(c.name)
        assert c.after == after.get(c.name)


@given(values=readings)
def test_equal_readings_differ_in_nothing(values):
    assert parameter_changes(reading(values), reading(values)) == ()


def test_a_change_carries_the_words_of_the_parameter():
    old = Parameter(
        path="aave_v3.WETH.ltv",
        protocol="aave_v3",
        asset="WETH",
        name="ltv",
        label="LTV",
        value=0.8,
        unit=Unit.FRACTION,
    )
    (change,) = parameter_changes([old], [replace(old, value=0.7)])
    assert (change.path, change.label, change.unit) == (old.path, old.label, old.unit)
    assert (change.before, change.after) == (0.8, 0.7)
    (gone,) = parameter_changes([old], [])
    assert (gone.before, gone.after) == (0.8, None)
