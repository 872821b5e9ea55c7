import numpy as np
import pytest

from evaluator.market import Family
from evaluator.stress.ledger import Ledger, existing_bad_debt


def one_by_one(market, prices):
    ledger = Ledger.of(market)
    total = 0.0
    for i in range(len(ledger)):
        start, split, end = (
            int(x) for x in (ledger.start[i], ledger.split[i], ledger.start[i + 1])
        )
        value = [float(q * prices[a]) for q, a in zip(ledger.amount, ledger.asset, strict=True)]
        owed = held = 0.0
        for x in value[split:end]:
            owed += x
        for x in value[start:split]:
            held += x
        total += max(owed - held, 0.0)
    return total


@pytest.mark.parametrize("family", list(Family))
@pytest.mark.parametrize("seed", range(6))
def test_bad_debt_of_today_is_what_no_collateral_pays(build, family, seed):
    m = build.random_market(seed, N=40, family=family, hf=0.6, spread=0.2)
    rng = np.random.default_rng(seed)
    prices = m.prices * rng.lognormal(0.0, 0.7, len(m.reserves))
    wanted = one_by_one(m, prices)
    assert wanted > 0.0
    assert existing_bad_debt(m, prices) == wanted  # to the bit: it stands in every digest


def test_an_empty_book_has_no_bad_debt(build):
    m = build.market([build.reserve("ETH", 2000.0, 0.8)], [], [])
    assert existing_bad_debt(m, m.prices) == 0.0


def test_debt_without_collateral_is_bad(build):
    m = build.market(
        [build.reserve("ETH", 2000.0, 0.8), build.reserve("USDC", 1.0, 0.8)],
        [{}, {0: 1.0}, {0: 1.0}],
        [{1: 300.0}, {}, {1: 2100.0}],
    )
    assert existing_bad_debt(m, m.prices) == pytest.approx(400.0)
