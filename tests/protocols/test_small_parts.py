"""Parts of the adapters that need no chain, and later Aave revisions' eMode."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from evaluator.chain.receipts import Log
from evaluator.errors import IncompleteState
from evaluator.market import (
    Asset,
    AssetClass,
    Book,
    EMode,
    Family,
    LiquidityCurve,
    Market,
    OracleKind,
    OracleSpec,
    RateCurve,
    Reserve,
    RiskParameters,
    health_factors,
)
from evaluator.protocols import hurt_positions
from evaluator.protocols.aave_v3_book import borrow_events
from evaluator.protocols.aave_v3_parameters import VOCABULARY
from evaluator.protocols.aave_v3_reserves import Addresses, _emodes
from evaluator.protocols.assumed_depth import TWO_PERCENT_DEPTH, assumed_depth
from evaluator.protocols.completeness import check_debt
from evaluator.protocols.gas import native_price


def reserve(symbol, price, threshold=0.8, borrowed=0.0):
    asset = Asset(
        symbol=symbol,
        address="0x" + "00" * 20,
        decimals=18,
        price=price,
        asset_class=AssetClass.ETH,
    )
    return Reserve(
        asset=asset,
        parameters=RiskParameters(
            ltv=0.7,
            liquidation_threshold=threshold,
            liquidation_bonus=0.05,
            protocol_fee=0.0,
            reserve_factor=0.1,
            supply_cap=math.inf,
            borrow_cap=math.inf,
            debt_ceiling=math.inf,
            active=True,
            frozen=False,
            paused=False,
            borrowing_enabled=True,
        ),
        supplied=1.0,
        borrowed=borrowed,
        cash=1.0,
        reserves=0.0,
        rate_curve=RateCurve(base=0.0, slope1=0.0, slope2=0.0, optimal=0.8),
        oracle=OracleSpec(source="", kind=OracleKind.FEED),
        liquidity=LiquidityCurve.constant_product(1.0),
    )


def market(book, threshold=0.8, **changes):
    fields = {
        "protocol": "aave_v3",
        "family": Family.AAVE_V3,
        "address": "",
        "chain_id": 1,
        "block": 1,
        "timestamp": 1,
        "reserves": (reserve("A", 100.0, threshold), reserve("B", 1.0)),
        "emodes": (),
        "book": Book.from_rows(list(book), *zip(*book.values(), strict=True)),
        "close_factor": 0.5,
        "full_close_below": 0.95,
        "gas_price": 0.0,
        "native_price": 0.0,
    }
    return Market(**(fields | changes))


def test_the_hurt_are_those_who_were_healthy_before():
    book = {
        "fine": ({0: 10.0}, {1: 500.0}),
        "hit": ({0: 10.0}, {1: 750.0}),
        "hit hard": ({0: 100.0}, {1: 7900.0}),
        "sick before": ({0: 10.0}, {1: 900.0}),
    }
    before, after = market(book), market({**book, "new": ({0: 1.0}, {1: 80.0})}, threshold=0.7)
    hurt = hurt_positions(before, after)
    assert [h.account for h in hurt] == ["hit hard", "hit", "new"]
    assert hurt[0].health_factor_before == pytest.approx(8000 / 7900)
    assert hurt[0].health_factor_after == pytest.approx(7000 / 7900)
    assert (hurt[0].collateral_value, hurt[0].debt_value) == (10_000.0, 7900.0)
    assert hurt[2].health_factor_before == math.inf
    assert hurt_positions(before, before) == ()


def test_emode_membership_by_bitmap_reaches_the_health_factor():
    emode = EMode(
        category=3, label="x", ltv=0.9, liquidation_threshold=0.95, liquidation_bonus=0.01
    )
    book = {"in": ({0: 10.0, 1: 10.0}, {1: 900.0})}
    by_bitmap = market(book, emodes=(replace(emode, collateral=(0,)),))
    inside = replace(by_bitmap, book=replace(by_bitmap.book, emode=np.array([3])))
    exact = (1000 * 0.95 + 10 * 0.8) / 900
    assert health_factors(inside)[0] == pytest.approx(
        math.floor(exact * 900 / 1010 * 1e4) / 1e4 * 1010 / 900
    )
    unfloored = replace(inside, whole_basis_points=False)
    assert health_factors(unfloored)[0] == pytest.approx(exact, rel=1e-12)
    nobody = replace(inside, emodes=(replace(emode, collateral=()),))
    assert health_factors(nobody)[0] == pytest.approx(808 / 900)


@pytest.mark.chain
def test_the_bitmaps_of_later_revisions_are_read(sandbox, answering, deployment):
    pool = "0x" + "e1" * 20
    words = [32, 9000, 9300, 10200, 0, 160, 3]
    category = b"".join(w.to_bytes(32, "big") for w in words) + b"new".ljust(32, b"\0")
    sandbox.set_code(
        pool,
        answering(
            {
                "getEModeCategoryData(uint8)": category,
                "getEModeCategoryCollateralBitmap(uint8)": (0b101).to_bytes(32, "big"),
            }
        ),
    )
    sandbox.mine()
    at = Addresses(pool=pool, provider="", configurator="", oracle=deployment.aave.oracle)
    data = [SimpleNamespace(id=i, configuration=0) for i in (2, 1, 0)]
    places = [SimpleNamespace(id=d.id, index=i) for i, d in enumerate(data)]
    emodes, _ = _emodes(sandbox, at, data, places, 10**8, sandbox.block_number())
    assert emodes[0] == EMode(
        category=1,
        label="new",
        ltv=0.9,
        liquidation_threshold=0.93,
        liquidation_bonus=pytest.approx(0.02),
        collateral=(0, 2),
    )


def test_missing_debt_is_told_or_refused():
    book = Book.from_rows(["a"], [{}], [{0: 99.9}])
    assert check_debt(book, [reserve("A", 1.0, borrowed=99.9)]) == ()
    (caveat,) = check_debt(book, [reserve("A", 1.0, borrowed=100.0)])
    assert "A" in caveat
    (small,) = check_debt(book, [reserve("A", 1.0, borrowed=500.0)])
    assert "400 USD" in small
    with pytest.raises(IncompleteState, match="logs are incomplete"):
        check_debt(book, [reserve("A", 1000.0, borrowed=120.0)])


@pytest.mark.parametrize("kind", list(AssetClass))
def test_assumed_depth_is_what_it_says(kind):
    asset = replace(reserve("A", 40.0).asset, asset_class=kind)
    curve = assumed_depth(asset)
    assert not curve.measured
    sold = np.interp(0.98**-0.5, curve.inverse_root, curve.quantity)
    assert 40.0 * curve.proceeds(0.0, sold) == pytest.approx(TWO_PERCENT_DEPTH[kind])


def test_the_native_coin_is_priced_by_the_market_or_said_to_be_missing():
    assert native_price(1, [reserve("B", 1.0), reserve("WETH", 3000.0)]) == (3000.0, "")
    assert native_price(56, [reserve("WETH", 3000.0), reserve("WBNB", 600.0)])[0] == 600.0
    price, caveat = native_price(1, [reserve("B", 1.0)])
    assert price == 0.0
    assert "native" in caveat


def test_a_log_with_too_few_topics_names_nobody():
    log = Log(
        address="", topics=(b"\0" * 32,), data=b"", block=1, tx_hash="", index=0, block_hash=""
    )
    assert borrow_events("0x").account(log) is None


def test_an_unknown_parameter_has_no_words():
    with pytest.raises(KeyError):
        VOCABULARY.parameter("no.such.thing", 1.0)
    assert VOCABULARY.parameter("emode.12.ltv", 0.9).path == "aave_v3.emode.12.ltv"
