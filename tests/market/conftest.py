"""A small market that tests change to taste."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from evaluator.market import (
    Asset,
    AssetClass,
    Book,
    Family,
    LiquidityCurve,
    Market,
    OracleKind,
    OracleSpec,
    RateCurve,
    Reserve,
    RiskParameters,
)


def make_reserve(symbol, price, threshold, **changes):
    parameters = RiskParameters(
        ltv=max(threshold - 0.05, 0.0),
        liquidation_threshold=threshold,
        liquidation_bonus=0.05,
        protocol_fee=0.1,
        reserve_factor=0.1,
        supply_cap=math.inf,
        borrow_cap=math.inf,
        debt_ceiling=math.inf,
        active=True,
        frozen=False,
        paused=False,
        borrowing_enabled=True,
    )
    return Reserve(
        asset=Asset(
            symbol=symbol,
            address="0x" + "00" * 20,
            decimals=18,
            price=price,
            asset_class=AssetClass.ETH,
        ),
        parameters=replace(parameters, **changes),
        supplied=1000.0,
        borrowed=400.0,
        cash=600.0,
        reserves=0.0,
        rate_curve=RateCurve(base=0.0, slope1=0.04, slope2=0.6, optimal=0.8),
        oracle=OracleSpec(source="0x" + "00" * 20, kind=OracleKind.FEED),
        liquidity=LiquidityCurve.constant_product(1e5),
    )


def make_market(
    family=Family.AAVE_V3, collateral=(), debt=(), emode=None, reserves=None, **changes
):
    if reserves is None:
        reserves = (
            make_reserve("WETH", 2000.0, 0.825),
            make_reserve("WBTC", 60000.0, 0.78),
            make_reserve("USDC", 1.0, 0.8),
        )
    accounts = [f"0x{i:040x}" for i in range(1, len(collateral) + 1)]
    fields = {
        "protocol": str(family),
        "family": family,
        "address": "0x" + "11" * 20,
        "chain_id": 1,
        "block": 1,
        "timestamp": 1,
        "reserves": tuple(reserves),
        "emodes": (),
        "book": Book.from_rows(accounts, collateral, debt, emode),
        "close_factor": 0.5,
        "full_close_below": 0.95 if family is Family.AAVE_V3 else 0.0,
        "gas_price": 0.0,
        "native_price": 0.0,
    }
    return Market(**(fields | changes))


@pytest.fixture(scope="session", name="make_market")
def make_market_fixture():
    return make_market


@pytest.fixture(scope="session", name="make_reserve")
def make_reserve_fixture():
    return make_reserve
