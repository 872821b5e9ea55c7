"""Uniswap V2 and V3 pools, about as deep as those on Ethereum.

Depth is given as the virtual reserve of a constant product curve: selling a
hundredth of it moves the price by about two per cent. A V3 position gives that
depth within its range for a fraction of the tokens; the widest one stands for
whoever stays when a price runs away. Sums over an asset's pools were set by
what aggregators quoted for large sales in late 2023: about 3 % for 75 million
dollars of WETH, 9 % for as much WBTC, and 0.04 % between stablecoins.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from evaluator.chain.contract import Contract
from evaluator.chain.embedded.assets import token
from evaluator.chain.embedded.deployer import ZERO_ADDRESS, Deployer
from evaluator.chain.embedded.deployment import PoolAddress, UniswapDeployment
from evaluator.chain.embedded.tokens import fund

_V3_CORE = "@uniswap/v3-core/artifacts/contracts"
_V3_PERIPHERY = "@uniswap/v3-periphery/artifacts/contracts"
_TICK_SPACING = {100: 1, 500: 10, 3000: 60}
_LAST_TICK = 887_272
_LOG_TICK = math.log(1.0001)
_FOREVER = 2**64


@dataclass(frozen=True, kw_only=True, slots=True)
class Range:
    """One V3 position around the current price."""

    depth: float  # virtual reserve on each side, USD
    width: float  # reaches to price times and over (1 + width); inf for everywhere


@dataclass(frozen=True, kw_only=True, slots=True)
class V3Spec:
    """A V3 pool and the positions in it."""

    base: str
    quote: str
    fee: int  # hundredths of a basis point
    ranges: tuple[Range, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class V2Spec:
    """A V2 pair."""

    base: str
    quote: str
    depth: float  # reserve on each side, USD


_EVERYWHERE = math.inf


def _v3(base: str, quote: str, fee: int, *ranges: tuple[float, float]) -> V3Spec:
    return V3Spec(
        base=base,
        quote=quote,
        fee=fee,
        ranges=tuple(Range(depth=d * 1e6, width=w) for d, w in ranges),
    )


# Depth in millions of dollars, then width.
V3_POOLS: tuple[V3Spec, ...] = (
    _v3("WETH", "USDC", 500, (800, 0.25), (90, _EVERYWHERE)),
    _v3("WETH", "USDC", 3000, (250, 0.60), (50, _EVERYWHERE)),
    _v3("WETH", "USDT", 500, (450, 0.25), (50, _EVERYWHERE)),
    _v3("WETH", "USDT", 3000, (180, 0.60), (40, _EVERYWHERE)),
    _v3("WBTC", "WETH", 3000, (380, 0.40), (60, _EVERYWHERE)),
    _v3("WBTC", "USDC", 3000, (130, 0.40), (20, _EVERYWHERE)),
    _v3("wstETH", "WETH", 100, (2500, 0.02), (1200, 0.10), (20, _EVERYWHERE)),
    _v3("USDC", "USDT", 100, (60_000, 0.003), (1200, 0.05), (15, _EVERYWHERE)),
    _v3("DAI", "USDC", 100, (40_000, 0.003), (3000, 0.05), (15, _EVERYWHERE)),
    _v3("LINK", "WETH", 3000, (110, 0.60), (25, _EVERYWHERE)),
    _v3("AAVE", "WETH", 3000, (80, 0.60), (15, _EVERYWHERE)),
    _v3("CRV", "WETH", 3000, (18, 0.60), (5, _EVERYWHERE)),
)

V2_PAIRS: tuple[V2Spec, ...] = (
    V2Spec(base="WETH", quote="USDC", depth=55e6),
    V2Spec(base="WETH", quote="USDT", depth=45e6),
    V2Spec(base="DAI", quote="WETH", depth=12e6),
    V2Spec(base="WBTC", quote="WETH", depth=12e6),
    V2Spec(base="LINK", quote="WETH", depth=8e6),
    V2Spec(base="AAVE", quote="WETH", depth=3e6),
    V2Spec(base="CRV", quote="WETH", depth=2e6),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Position:
    """A V3 position in the pool's own units."""

    tick_lower: int
    tick_upper: int
    amount0: int  # base units of token0
    amount1: int  # base units of token1


def sqrt_price_x96(price0: float, price1: float, decimals0: int, decimals1: int) -> int:
    """Return the V3 square-root price of two tokens priced in USD per whole token."""
    # Through integers, so that the result is the same everywhere and exact to 1e-9.
    numerator = round(price0 * 10**9) * 10**decimals1
    denominator = round(price1 * 10**9) * 10**decimals0
    return math.isqrt((numerator << 192) // denominator)


def position(
    span: Range,
    *,
    root: int,
    spacing: int,
    price0: float,
    price1: float,
    decimals0: int,
    decimals1: int,
) -> Position:
    """Return the ticks and amounts that give `span` at the square-root price `root`."""
    tick = 2.0 * math.log(root / 2**96) / _LOG_TICK
    if math.isinf(span.width):
        lower, upper = -_LAST_TICK, _LAST_TICK
    else:
        reach = math.log1p(span.width) / _LOG_TICK
        lower, upper = math.floor(tick - reach), math.ceil(tick + reach)
    # Inwards at the ends of the scale, outwards elsewhere.
    lower = max(lower // spacing, -(_LAST_TICK // spacing)) * spacing
    upper = min(-(-upper // spacing), _LAST_TICK // spacing) * spacing
    part0 = 1.0 - math.exp((tick - upper) * _LOG_TICK / 2.0)
    part1 = 1.0 - math.exp((lower - tick) * _LOG_TICK / 2.0)
    return Position(
        tick_lower=lower,
        tick_upper=upper,
        amount0=_units(span.depth / price0 * part0, decimals0),
        amount1=_units(span.depth / price1 * part1, decimals1),
    )


def deploy_uniswap(deployer: Deployer, *, tokens: Mapping[str, str]) -> UniswapDeployment:
    """Deploy both exchanges with all pools filled; the deployer owns the liquidity."""
    v2_factory, v2_router, pairs = _deploy_v2(deployer, tokens)
    weth = tokens["WETH"]
    factory = deployer.deploy(f"{_V3_CORE}/UniswapV3Factory.sol/UniswapV3Factory.json")
    router = deployer.deploy(
        f"{_V3_PERIPHERY}/SwapRouter.sol/SwapRouter.json", factory.address, weth
    )
    quoter = deployer.deploy(
        f"{_V3_PERIPHERY}/lens/QuoterV2.sol/QuoterV2.json", factory.address, weth
    )
    manager = deployer.deploy(
        f"{_V3_PERIPHERY}/NonfungiblePositionManager.sol/NonfungiblePositionManager.json",
        factory.address,
        weth,
        ZERO_ADDRESS,  # the descriptor only draws pictures
    )
    deployer.send(factory, "enableFeeAmount", 100, 1)
    pools = _fill_v3(deployer, manager, factory, tokens)
    return UniswapDeployment(
        v2_factory=v2_factory.address,
        v2_router=v2_router.address,
        v2_pairs=pairs,
        v3_factory=factory.address,
        v3_router=router.address,
        v3_position_manager=manager.address,
        v3_quoter=quoter.address,
        v3_pools=pools,
    )


def _fill_v3(
    deployer: Deployer, manager: Contract, factory: Contract, tokens: Mapping[str, str]
) -> tuple[PoolAddress, ...]:
    needed = dict.fromkeys(tokens, 0)
    positions: list[tuple[object, ...]] = []
    sides = [_ordered(spec.base, spec.quote, tokens) for spec in V3_POOLS]
    for spec, (symbol0, symbol1) in zip(V3_POOLS, sides, strict=True):
        spec0, spec1 = token(symbol0), token(symbol1)
        root = sqrt_price_x96(spec0.price, spec1.price, spec0.decimals, spec1.decimals)
        ends = (tokens[symbol0], tokens[symbol1], spec.fee)
        deployer.queue(manager, "createAndInitializePoolIfNecessary", *ends, root)
        for span in spec.ranges:
            p = position(
                span,
                root=root,
                spacing=_TICK_SPACING[spec.fee],
                price0=spec0.price,
                price1=spec1.price,
                decimals0=spec0.decimals,
                decimals1=spec1.decimals,
            )
            needed[symbol0] += p.amount0
            needed[symbol1] += p.amount1
            amounts = (p.amount0, p.amount1, 0, 0)
            ticks = (p.tick_lower, p.tick_upper)
            positions.append((*ends, *ticks, *amounts, deployer.account, _FOREVER))
    for symbol, units in needed.items():
        fund(deployer, tokens, symbol, units, spender=manager.address)
    for order in positions:
        deployer.queue(manager, "mint", order)
    deployer.flush()
    return tuple(
        PoolAddress(
            address=factory.call("getPool", tokens[symbol0], tokens[symbol1], spec.fee),
            token0=symbol0,
            token1=symbol1,
            fee=spec.fee,
        )
        for spec, (symbol0, symbol1) in zip(V3_POOLS, sides, strict=True)
    )


def _deploy_v2(
    deployer: Deployer, tokens: Mapping[str, str]
) -> tuple[Contract, Contract, tuple[PoolAddress, ...]]:
    factory = deployer.deploy("@uniswap/v2-core/build/UniswapV2Factory.json", deployer.account)
    router = deployer.deploy(
        "@uniswap/v2-periphery/build/UniswapV2Router02.json", factory.address, tokens["WETH"]
    )
    needed = dict.fromkeys(tokens, 0)
    orders: list[tuple[object, ...]] = []
    for spec in V2_PAIRS:
        symbols = _ordered(spec.base, spec.quote, tokens)
        amounts = [_units(spec.depth / token(s).price, token(s).decimals) for s in symbols]
        for symbol, units in zip(symbols, amounts, strict=True):
            needed[symbol] += units
        ends = [tokens[s] for s in symbols]
        orders.append((*ends, *amounts, 0, 0, deployer.account, _FOREVER))
    for symbol, units in needed.items():
        if units:
            fund(deployer, tokens, symbol, units, spender=router.address)
    for order in orders:
        # A new pair costs more than a queued call may.
        deployer.send(router, "addLiquidity", *order)
    pairs: list[PoolAddress] = []
    for spec in V2_PAIRS:
        symbol0, symbol1 = _ordered(spec.base, spec.quote, tokens)
        pair = factory.call("getPair", tokens[symbol0], tokens[symbol1])
        pairs.append(PoolAddress(address=pair, token0=symbol0, token1=symbol1, fee=3000))
    return factory, router, tuple(pairs)


def _ordered(base: str, quote: str, tokens: Mapping[str, str]) -> tuple[str, str]:
    if int(tokens[base], 16) < int(tokens[quote], 16):
        return base, quote
    return quote, base


def _units(amount: float, decimals: int) -> int:
    """Whole tokens in base units, rounded at a millionth of a token or at the base unit."""
    digits = min(decimals, 6)
    return int(amount * 10**digits) * int(10 ** (decimals - digits))
