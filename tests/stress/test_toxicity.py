"""Room before liquidations turn toxic."""

import pytest

from evaluator.stress.toxicity import toxic_ltv, toxic_rooms


def test_toxic_rooms_are_ordered_and_know_emode(build):
    m = build.random_market(1)
    rooms = toxic_rooms(m)
    assert [r.fall for r in rooms] == sorted(r.fall for r in rooms)
    assert sum(r.category == 1 for r in rooms) == 3
    tight = next(r for r in rooms if r.category == 1)
    assert tight.toxic == pytest.approx(1 / 1.01) == toxic_ltv(0.01)
    assert tight.fall == pytest.approx(1 - 0.93 * 1.01)
