"""What every protocol adapter must do, on real bytecode with the whole embedded book."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from evaluator.errors import IncompleteState
from evaluator.market import SparseAmounts, health_factors, parameter_changes
from evaluator.protocols import BorrowerCache, adapters, disagreement, hurt_positions

pytestmark = pytest.mark.chain

TOLERANCE = 1e-9


def largest_error(adapter, sandbox, market):
    """How far the market's arithmetic is from the protocol's own word, over the whole book."""
    assert len(market.book) > 0
    return disagreement(market, adapter.account_views(sandbox, market, market.book.accounts))


def test_the_adapter_is_registered(case):
    assert case.name in [a.name for a in adapters()]
    assert case.adapter.name == case.name


def test_every_contract_of_the_protocol_leads_to_its_root(case, read_only_sandbox, deployment):
    for seed in case.seeds(deployment):
        assert case.adapter.discover(read_only_sandbox, [seed]) == (case.root(deployment),), seed


def test_all_seeds_together_give_one_root(case, read_only_sandbox, deployment):
    seeds = [s.upper().replace("0X", "0x") for s in case.seeds(deployment)]
    assert case.adapter.discover(read_only_sandbox, seeds) == (case.root(deployment),)


def test_strangers_lead_nowhere(case, read_only_sandbox, deployment):
    strangers = [
        "0x" + "00" * 20,
        "0x" + "ab" * 20,
        "not an address",
        deployment.tokens["WETH"],
        deployment.openzeppelin.governor,
        deployment.bravo.governor,
        deployment.uniswap.v2_pairs[0].address,
        deployment.feeds["WETH"],
        "0x0000000000000000000000000000000000000004",
    ]
    assert case.adapter.discover(read_only_sandbox, strangers) == ()
    assert case.adapter.discover(read_only_sandbox, []) == ()


def test_every_borrower_is_found(case, market, deployment):
    found = {a.lower() for a in market.book.accounts}
    assert found == {a.lower() for a in case.borrowers(deployment)}
    assert market.address.lower() == case.root(deployment).lower()


def test_a_whole_reading_has_no_caveats(market):
    assert market.caveats == ()
    (assumed,) = market.assumptions
    assert "gas is assumed" in assumed
    assert market.native_price == pytest.approx(3350.0)


def test_debts_add_up_to_the_totals(market):
    owed = np.array([r.borrowed for r in market.reserves])
    assert market.book.debt.total(len(owed)) == pytest.approx(owed, rel=1e-6, abs=1e-6)
    for r in market.reserves:
        assert 0.0 <= r.utilisation <= 1.0
        assert r.supplied == pytest.approx(r.cash + r.borrowed, rel=1e-3, abs=1e-6)


def test_health_is_exact_on_the_whole_book(case, read_only_sandbox, market):
    assert health_factors(market).min() > 1.0
    assert largest_error(case.adapter, read_only_sandbox, market) < TOLERANCE


def test_a_book_that_is_a_little_wrong_is_noticed(case, read_only_sandbox, market):
    views = case.adapter.account_views(read_only_sandbox, market, market.book.accounts)
    debt = market.book.debt
    amount = debt.amount.copy()
    amount[len(amount) // 2] *= 1.0 + 1e-5
    wrong = SparseAmounts(indptr=debt.indptr, asset=debt.asset, amount=amount)
    changed = replace(market, book=replace(market.book, debt=wrong))
    assert disagreement(changed, views) > 100 * TOLERANCE
    assert disagreement(market, views[:0]) == 0.0


def test_health_is_exact_after_prices_and_time_moved(case, sandbox, deployment, push_price):
    for symbol, factor in {"WETH": 0.81234567, "WBTC": 1.1, "USDC": 0.987, "LINK": 0.7}.items():
        before = 3350.0 if symbol == "WETH" else 1.0
        price = {"WBTC": 95_000.0, "LINK": 21.5}.get(symbol, before) * factor
        push_price(sandbox, deployment.feeds[symbol], price)
    market = case.adapter.read(sandbox, case.root(deployment))
    ether = market.reserves[market.index(case.ether)]
    assert ether.asset.price == pytest.approx(3350.0 * 0.81234567)
    assert (health_factors(market) < 1.0).sum() > 5
    assert largest_error(case.adapter, sandbox, market) < TOLERANCE


def test_a_change_is_read_named_and_its_victims_listed(case, sandbox, deployment):
    adapter, root = case.adapter, case.root(deployment)
    before = adapter.read(sandbox, root)
    case.cut(sandbox, deployment)
    after = adapter.read(sandbox, root)
    changes = parameter_changes(adapter.parameters(before), adapter.parameters(after))
    assert tuple(c.path for c in changes) == case.cut_paths
    assert largest_error(adapter, sandbox, after) < TOLERANCE
    hurt = hurt_positions(before, after)
    assert hurt
    debts = [h.debt_value for h in hurt]
    assert debts == sorted(debts, reverse=True)
    # The protocol itself agrees about who became liquidatable, and only them.
    was = adapter.account_views(sandbox, before, before.book.accounts)
    now = adapter.account_views(sandbox, after, before.book.accounts)
    expected = {b.account for b, a in zip(was, now, strict=True) if b.liquidity >= 0 > a.liquidity}
    assert {h.account for h in hurt} == expected
    for h in hurt:
        assert h.health_factor_after < 1.0 <= h.health_factor_before


def test_reading_twice_changes_nothing(case, read_only_sandbox, market, deployment):
    again = case.adapter.read(read_only_sandbox, case.root(deployment))
    parameters = case.adapter.parameters(market)
    assert parameter_changes(parameters, case.adapter.parameters(again)) == ()
    assert again.book.accounts == market.book.accounts
    np.testing.assert_array_equal(again.book.debt.amount, market.book.debt.amount)


def test_parameters_are_named_once_with_units_and_setters(case, market):
    parameters = case.adapter.parameters(market)
    paths = [p.path for p in parameters]
    assert paths == sorted(set(paths))
    for p in parameters:
        middle = f"{p.asset}." if p.asset else ""
        assert p.path == f"{case.name}.{middle}{p.name}"
        assert p.label
        assert p.settable_by
        if p.asset:
            assert p.asset in market.symbols
    for symbol in market.symbols:
        assert f"{case.name}.{symbol}.reserve_factor" in paths
        assert f"{case.name}.{symbol}.rate_curve.slope2" in paths
        assert f"{case.name}.{symbol}.oracle.source" in paths


def test_a_second_reading_searches_only_new_blocks(
    case, sandbox, deployment, tmp_path, monkeypatch
):
    root = case.root(deployment)
    asked = []
    logs = type(sandbox).logs

    def counting(self, **arguments):
        asked.append((arguments["from_block"], arguments["to_block"]))
        return logs(self, **arguments)

    monkeypatch.setattr(type(sandbox), "logs", counting)
    cache = BorrowerCache(tmp_path / "cache.sqlite")
    first = case.adapter.read(sandbox, root, cache=cache)
    assert asked
    asked.clear()
    sandbox.mine(2)
    second = case.adapter.read(sandbox, root, cache=cache)
    assert asked == [(first.block + 1, second.block)]
    assert second.book.accounts == first.book.accounts


def test_an_outline_is_the_reading_without_borrowers(case, read_only_sandbox, deployment):
    outline = case.adapter.outline(read_only_sandbox, case.root(deployment))
    whole = case.adapter.read(read_only_sandbox, case.root(deployment))
    assert len(outline.book) == 0 < len(whole.book)
    assert case.adapter.parameters(outline) == case.adapter.parameters(whole)
    known = len(outline.reserves)  # what is owed outside any market is known from its borrowers
    assert [(r.asset, r.supplied, r.borrowed, r.cash) for r in outline.reserves] == [
        (r.asset, r.supplied, r.borrowed, r.cash) for r in whole.reserves[:known]
    ]


def test_a_broken_oracle_is_named(case, sandbox, deployment):
    sandbox.set_code(case.oracle(deployment), b"")
    sandbox.mine()  # the forked block itself is read from the node that was forked
    with pytest.raises(IncompleteState, match=r"(?i)oracle|price|BASE_CURRENCY"):
        case.adapter.read(sandbox, case.root(deployment))


def test_something_else_entirely_is_no_market(case, read_only_sandbox, deployment):
    with pytest.raises(IncompleteState, match="could not be read at block"):
        case.adapter.read(read_only_sandbox, deployment.tokens["WETH"])
