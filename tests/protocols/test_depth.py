"""Measured curves against real swaps' quotes, and the fit against pools by formula."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from evaluator.chain.abi import Abi
from evaluator.market import LiquidityCurve
from evaluator.protocols import Venues, measure_liquidity, share_liquidity
from evaluator.protocols.aave_v3 import AaveV3
from evaluator.protocols.depth import fit_curve
from evaluator.protocols.pools import open_pools

ROUTER_V2 = Abi.parse(
    ["function getAmountsOut(uint256 amountIn, address[] path) view returns (uint256[] amounts)"]
)
QUOTER_V2 = Abi.parse(
    [
        "function quoteExactInput(bytes path, uint256 amountIn) returns (uint256 amountOut,"
        " uint160[] prices, uint32[] ticks, uint256 gas)"
    ]
)


@st.composite
def pools_by_formula(draw):
    """A stack of ranges as Uniswap V3 has them: w linear in q, bending at range ends."""
    bends = sorted(draw(st.lists(st.floats(10.0, 1e6), min_size=0, max_size=3, unique=True)))
    slopes = draw(st.lists(st.floats(1e-7, 1e-4), min_size=len(bends) + 1, max_size=4 + 1))
    quantity, w = [0.0], [1.0]
    for end, slope in zip([*bends, 1e7], slopes, strict=False):
        if end - quantity[-1] > 1.0:
            w.append(w[-1] + slope * (end - quantity[-1]))
            quantity.append(end)
    down = -np.array([500.0, 0.0])[:1]
    return LiquidityCurve(
        quantity=np.concatenate([down, quantity]),
        inverse_root=np.concatenate([[0.9], w]),
        measured=True,
        source="formula",
    )


@given(reserve=st.floats(1e3, 1e9), first=st.floats(1e-4, 1e-2))
def test_a_constant_product_pool_is_recovered_exactly(reserve, first):
    pool = LiquidityCurve.constant_product(reserve)
    sold = reserve * first * 2.0 ** np.arange(8)
    q, w = fit_curve(sold, np.array([pool.proceeds(0.0, x) for x in sold]))
    assert w == pytest.approx([pool.w(x) for x in q], rel=1e-7)
    bought = -reserve * first * 0.5 * 2.0 ** np.arange(6)
    q, w = fit_curve(bought, np.array([pool.proceeds(0.0, x) for x in bought]))
    assert w == pytest.approx([pool.w(x) for x in q], rel=1e-7)


@given(pool=pools_by_formula(), growth=st.floats(1.3, 3.0))
@example(
    pool=LiquidityCurve(
        quantity=np.array([-500.0, 0.0, 2866.5, 1e7]),
        inverse_root=np.array([0.9, 1.0, 1.000287, 310.0]),
        measured=True,
        source="a flat range before a steep one",
    ),
    growth=2.4318,
)
def test_the_fit_ascends_and_pays_what_was_quoted(pool, growth):
    sold = 5.0 * growth ** np.arange(12)
    paid = np.array([pool.proceeds(0.0, x) for x in sold])
    q, w = fit_curve(sold, paid)
    assert (np.diff(q) > 0).all()
    assert (np.diff(w) > 0).all()
    if len(q) < 2:
        return
    fitted = LiquidityCurve(
        quantity=np.concatenate([[-1.0], q]),
        inverse_root=np.concatenate([[0.5], w]),
        measured=True,
        source="fit",
    )
    for x, y in zip(sold, paid, strict=True):
        # The average price between two knots lies between the marginal ones; a knot is kept
        # off its own by a twentieth of the way to the next, however steep that way is.
        w = pool.w(x) + 0.05 * (pool.w(growth * x) - pool.w(x))
        assert 0.999 / w**2 <= fitted.proceeds(0.0, x) / x <= 1.0 + 1e-4
        assert fitted.proceeds(0.0, x) == pytest.approx(y, rel=0.3)


@pytest.mark.parametrize("paid", [[0.0, 0.0], [5.0, 11.0], [1.0, 1.0]])
def test_quotes_that_make_no_sense_give_no_knots(paid):
    q, w = fit_curve(np.array([1.0, 2.0]), np.array(paid))
    assert len(q) <= 2
    assert (np.diff(w) > 0).all()


@pytest.fixture(scope="module")
def plain(read_only_sandbox, deployment):
    """Aave's market with assumed depth."""
    return AaveV3().read(read_only_sandbox, deployment.aave.pool)


@pytest.fixture(scope="module")
def measured(read_only_sandbox, plain, venues):
    return measure_liquidity(read_only_sandbox, plain, venues)


@pytest.mark.chain
def test_every_asset_of_the_embedded_chain_has_measured_depth(measured):
    for r in measured.reserves:
        assert r.liquidity.measured, r.asset.symbol
        assert "Uniswap" in r.liquidity.source
        assert 0.0 < r.liquidity.fee < 0.01
        assert r.liquidity.w(0.0) == 1.0


@pytest.mark.chain
def test_one_pair_alone_pays_as_its_router_says(plain, read_only_sandbox, deployment):
    pairs = {(p.token0, p.token1): p.address for p in deployment.uniswap.v2_pairs}
    address = pairs.get(("WETH", "USDC")) or pairs[("USDC", "WETH")]
    market = measure_liquidity(read_only_sandbox, plain, Venues(pools=(address,)))
    reserve = market.reserves[market.index("WETH")]
    (pool,) = open_pools(read_only_sandbox, [address], block=market.block)
    weth, usdc = deployment.tokens["WETH"], deployment.tokens["USDC"]
    spot = pool.price(weth) * 10.0 ** (18 - 6)
    for sold in (1.0, 123.4, 5_000.0, 60_000.0):
        data = ROUTER_V2.encode("getAmountsOut", int(sold * 1e18), [weth, usdc])
        answer = read_only_sandbox.call(deployment.uniswap.v2_router, data)
        paid = ROUTER_V2.decode_output("getAmountsOut", answer)[-1] / 1e6
        model = spot * (1.0 - reserve.liquidity.fee) * reserve.liquidity.proceeds(0.0, sold)
        # Knots of an asset lie at fixed levels of w: exact for one pool of one slope.
        assert model == pytest.approx(paid, rel=1e-6)
    for bought in (1.0, 700.0, 9_000.0):
        cost = -spot / (1.0 - reserve.liquidity.fee) * reserve.liquidity.proceeds(0.0, -bought)
        data = ROUTER_V2.encode("getAmountsOut", int(cost * 1e6), [usdc, weth])
        answer = read_only_sandbox.call(deployment.uniswap.v2_router, data)
        got = ROUTER_V2.decode_output("getAmountsOut", answer)[-1] / 1e18
        assert got == pytest.approx(bought, rel=1e-6)


@pytest.mark.chain
def test_a_route_of_two_v3_pools_pays_as_the_quoter_says(
    plain, read_only_sandbox, deployment, venues
):
    pools = {}
    for p in deployment.uniswap.v3_pools:
        pools.setdefault(frozenset((p.token0, p.token1)), p)
    first, then = pools[frozenset(("LINK", "WETH"))], pools[frozenset(("WETH", "USDC"))]
    two = replace(venues, pools=(first.address, then.address))
    market = measure_liquidity(read_only_sandbox, plain, two)
    link = market.reserves[market.index("LINK")]
    assert market.reserves[market.index("DAI")].liquidity.measured is False
    path = b"".join(
        [
            bytes.fromhex(deployment.tokens["LINK"][2:]),
            first.fee.to_bytes(3, "big"),
            bytes.fromhex(deployment.tokens["WETH"][2:]),
            then.fee.to_bytes(3, "big"),
            bytes.fromhex(deployment.tokens["USDC"][2:]),
        ]
    )
    kept = (1 - first.fee / 1e6) * (1 - then.fee / 1e6)
    for sold in (100.0, 30_000.0, 900_000.0, 4_000_000.0):
        data = QUOTER_V2.encode("quoteExactInput", path, int(sold * 1e18))
        answer = read_only_sandbox.call(deployment.uniswap.v3_quoter, data)
        paid = QUOTER_V2.decode_output("quoteExactInput", answer)[0] / 1e6
        model = link.asset.price * kept * link.liquidity.proceeds(0.0, sold)
        assert model == pytest.approx(paid, rel=5e-3)


@pytest.mark.chain
def test_more_pools_are_never_worse(measured, read_only_sandbox, deployment, venues):
    fewer = measure_liquidity(
        read_only_sandbox, measured, replace(venues, pools=venues.pools[: len(venues.pools) // 2])
    )
    for all_, some in zip(measured.reserves, fewer.reserves, strict=True):
        if some.liquidity.measured:
            size = 1e6 / all_.asset.price
            assert all_.liquidity.proceeds(0.0, size) >= some.liquidity.proceeds(0.0, size) * 0.999


@pytest.mark.chain
def test_pools_are_found_through_their_factories(measured, read_only_sandbox, deployment, venues):
    found = measure_liquidity(
        read_only_sandbox,
        measured,
        Venues(
            v2_factories=(deployment.uniswap.v2_factory,),
            v3_factories=(deployment.uniswap.v3_factory,),
            v3_quoter=deployment.uniswap.v3_quoter,
        ),
    )
    for a, b in zip(found.reserves, measured.reserves, strict=True):
        np.testing.assert_allclose(a.liquidity.quantity, b.liquidity.quantity, rtol=1e-9)


@pytest.mark.chain
def test_without_venues_depth_is_assumed_and_says_so(measured, plain, read_only_sandbox):
    for r in measure_liquidity(read_only_sandbox, plain, Venues()).reserves:
        assert not r.liquidity.measured
        assert r.liquidity.source.startswith("assumed")
    assert all(r.liquidity.measured for r in share_liquidity(measured, plain).reserves)


@pytest.mark.chain
def test_a_mispriced_pool_is_no_depth(sandbox, deployment, venues, push_price):
    push_price(sandbox, deployment.feeds["CRV"], 0.95 * 1.2)
    market = AaveV3().read(sandbox, deployment.aave.pool)
    market = measure_liquidity(sandbox, market, venues)
    assert not market.reserves[market.index("CRV")].liquidity.measured
    assert market.reserves[market.index("LINK")].liquidity.measured


@pytest.mark.chain
def test_the_native_coin_trades_as_its_wrapped_token(read_only_sandbox, deployment, venues):
    from evaluator.protocols.compound_v2 import CompoundV2

    market = CompoundV2().read(read_only_sandbox, deployment.venus.comptroller)
    native = measure_liquidity(read_only_sandbox, market, venues)
    assert native.reserves[native.index("ETH")].liquidity.measured
    without = measure_liquidity(read_only_sandbox, market, replace(venues, wrapped_native=""))
    assert not without.reserves[without.index("ETH")].liquidity.measured
