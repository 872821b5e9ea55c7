"""The liquidation arithmetic of the market room against the real contracts."""

from __future__ import annotations

import math

import numpy as np
import pytest

from evaluator.chain.abi import Abi
from evaluator.errors import TransactionReverted
from evaluator.market import close_factor, health_factors, largest_liquidation
from evaluator.protocols.aave_v3 import AaveV3
from evaluator.protocols.compound_v2 import CompoundV2

pytestmark = pytest.mark.chain

LIQUIDATOR = "0x" + "77" * 20
# Interest of the seconds between reading and liquidating, and rounding to base units.
TOLERANCE = 2e-7

TOKEN = Abi.parse(
    [
        "function transfer(address to, uint256 amount) returns (bool)",
        "function approve(address spender, uint256 amount) returns (bool)",
        "function balanceOf(address account) view returns (uint256)",
    ]
)
POOL = Abi.parse(
    [
        "function liquidationCall(address collateralAsset, address debtAsset, address user,"
        " uint256 debtToCover, bool receiveAToken)",
        "event LiquidationCall(address indexed collateralAsset, address indexed debtAsset,"
        " address indexed user, uint256 debtToCover, uint256 liquidatedCollateralAmount,"
        " address liquidator, bool receiveAToken)",
    ]
)
VTOKEN = Abi.parse(
    [
        "function liquidateBorrow(address borrower, uint256 repayAmount, address vTokenCollateral)"
        " returns (uint256)",
        "function exchangeRateStored() view returns (uint256)",
        "event LiquidateBorrow(address liquidator, address borrower, uint256 repayAmount,"
        " address vTokenCollateral, uint256 seizeTokens)",
    ]
)


def fund(sandbox, deployment, symbol, spender):
    """Give the liquidator the pools' own tokens and let `spender` take them."""
    token = deployment.tokens[symbol]
    for pool in (*deployment.uniswap.v2_pairs, *deployment.uniswap.v3_pools):
        if symbol in (pool.token0, pool.token1):
            raw = sandbox.call(token, TOKEN.encode("balanceOf", pool.address))
            held = TOKEN.decode_output("balanceOf", raw)
            sandbox.send(pool.address, token, TOKEN.encode("transfer", LIQUIDATOR, held))
    sandbox.send(LIQUIDATOR, token, TOKEN.encode("approve", spender, 2**256 - 1))


def next_second(sandbox):
    """Let the next block come one second after the head, whatever the clock says."""
    sandbox.rpc.request("evm_setNextBlockTimestamp", [hex(sandbox.timestamp() + 1)])


def worst_pairs(market, symbols):
    """Each liquidatable account with its largest collateral and its largest debt in `symbols`."""
    health = health_factors(market)
    c, d = market.book.collateral, market.book.debt
    for i in np.flatnonzero(health < 1.0).tolist():
        has = range(int(c.indptr[i]), int(c.indptr[i + 1]))
        owes = range(int(d.indptr[i]), int(d.indptr[i + 1]))
        collateral = max(has, key=lambda k: c.amount[k] * market.prices[c.asset[k]], default=None)
        debts = [k for k in owes if market.symbols[d.asset[k]] in symbols]
        if collateral is not None and debts:
            debt = max(debts, key=lambda k: d.amount[k] * market.prices[d.asset[k]])
            yield i, int(c.asset[collateral]), int(d.asset[debt]), float(health[i])


def test_aave_liquidates_what_the_market_says(sandbox, deployment, push_price):
    for symbol, price in {"WETH": 2610.0, "wstETH": 3050.0, "WBTC": 76_000.0}.items():
        push_price(sandbox, deployment.feeds[symbol], price)
    for symbol in ("USDC", "USDT", "DAI"):
        fund(sandbox, deployment, symbol, deployment.aave.pool)
    market = AaveV3().read(sandbox, deployment.aave.pool)
    seen = set()
    for i, collateral, debt, health in worst_pairs(market, {"USDC", "USDT", "DAI"}):
        full = close_factor(market, health) == 1.0
        emode = bool(market.book.emode[i])
        expected = largest_liquidation(market, i, collateral_asset=collateral, debt_asset=debt)
        has = market.book.collateral.get(i, collateral)
        kind = (full, emode, math.isclose(expected.seized, has))
        if len(seen) > 5 and kind in seen:
            continue
        seen.add(kind)
        out, owed = market.reserves[collateral].asset, market.reserves[debt].asset
        next_second(sandbox)
        receipt = sandbox.send(
            LIQUIDATOR,
            deployment.aave.pool,
            POOL.encode(
                "liquidationCall",
                out.address,
                owed.address,
                market.book.accounts[i],
                2**256 - 1,
                False,
            ),
        )
        (event,) = [e for e in map(POOL.decode_log, receipt.logs) if e is not None]
        repaid = event["debtToCover"] / 10**owed.decimals
        received = event["liquidatedCollateralAmount"] / 10**out.decimals
        assert repaid == pytest.approx(expected.repaid, rel=TOLERANCE)
        assert received == pytest.approx(expected.received, rel=TOLERANCE)
    # Both close factors, and positions whose collateral ran out, were among them.
    assert {full for full, _, _ in seen} == {True, False}
    assert any(capped for _, _, capped in seen)


def test_compound_liquidates_what_the_market_says_and_no_more(sandbox, deployment, push_price):
    for symbol, price in {"WETH": 2300.0, "WBTC": 70_000.0, "LINK": 14.0}.items():
        push_price(sandbox, deployment.feeds[symbol], price)
    adapter = CompoundV2()
    tokens = {
        r.asset.symbol: r.receipt_token
        for r in adapter.read(sandbox, deployment.venus.comptroller).reserves
    }
    for symbol in ("USDC", "USDT"):
        fund(sandbox, deployment, symbol, tokens[symbol])
    market = adapter.read(sandbox, deployment.venus.comptroller)
    done = 0
    for i, collateral, debt, _ in worst_pairs(market, {"USDC", "USDT"}):
        expected = largest_liquidation(market, i, collateral_asset=collateral, debt_asset=debt)
        out, owed = market.reserves[collateral], market.reserves[debt]
        unit = 10**owed.asset.decimals

        def repay(share, out=out, owed=owed, unit=unit, i=i, amount=expected.repaid):
            data = VTOKEN.encode(
                "liquidateBorrow",
                market.book.accounts[i],
                int(amount * share * unit),
                out.receipt_token,
            )
            return sandbox.send(LIQUIDATOR, owed.receipt_token, data)

        try:
            refused = [e for e in map(VTOKEN.decode_log, repay(1.001).logs) if e is not None]
        except TransactionReverted:
            refused = []
        assert refused == []
        receipt = repay(1.0 - TOLERANCE)
        (event,) = [e for e in map(VTOKEN.decode_log, receipt.logs) if e is not None]
        rate = VTOKEN.decode_output(
            "exchangeRateStored",
            sandbox.call(out.receipt_token, VTOKEN.encode("exchangeRateStored")),
        )
        seized = event["seizeTokens"] * rate / 1e18 / 10**out.asset.decimals
        assert seized == pytest.approx(expected.seized, rel=3 * TOLERANCE)
        done += 1
        if done == 12:
            break
    assert done >= 5
