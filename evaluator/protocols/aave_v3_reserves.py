"""Reserves, eMode categories and market-wide settings of Aave V3.

Sources: Aave core-v3 1.19.3, ReserveConfiguration.sol (bits of the
configuration word), DataTypes.sol, DefaultReserveInterestRateStrategy.sol.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from evaluator.chain.sandbox import Sandbox
from evaluator.errors import IncompleteState
from evaluator.market import (
    Asset,
    EMode,
    OracleSpec,
    Parameter,
    RateCurve,
    Reserve,
    RiskParameters,
)
from evaluator.protocols.aave_v3_parameters import VOCABULARY, name_reserve
from evaluator.protocols.assumed_depth import assumed_depth
from evaluator.protocols.fixed_point import (
    RAY,
    cap,
    from_basis_points,
    from_ray,
    whole_tokens,
)
from evaluator.protocols.interfaces import AAVE, ERC20
from evaluator.protocols.oracles import IMPLEMENTATION_SLOT, inspect_sources
from evaluator.protocols.reading import (
    NULL_ADDRESS,
    Query,
    address_in,
    checksum,
    read_all,
    read_one,
)
from evaluator.protocols.tokens import Token, classify, printable, read_tokens

MOST_RESERVES = 128  # ReserveConfiguration.MAX_RESERVES_COUNT
# Pool revisions of core 3.1 and later start here; their eMode and liquidation differ.
_FIRST_LATER_REVISION = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Addresses:
    """The contracts of one Aave V3 market, lower-case."""

    pool: str
    provider: str  # PoolAddressesProvider
    configurator: str  # PoolConfigurator
    oracle: str  # AaveOracle


@dataclass(frozen=True, kw_only=True, slots=True)
class ReserveTokens:
    """The tokens of one reserve and its place in user configurations."""

    index: int  # in Market.reserves
    id: int  # bit pair in the user configuration
    asset: str  # underlying, lower-case
    decimals: int  # of the underlying and all three tokens
    threshold: int  # own liquidation threshold, basis points; 0: never collateral
    a_token: str
    variable_debt: str
    stable_debt: str  # "" if nobody owes at a stable rate


@dataclass(frozen=True, kw_only=True, slots=True)
class ReserveState:
    """All reserves of a market."""

    reserves: tuple[Reserve, ...]  # A, in the protocol's order
    tokens: tuple[ReserveTokens, ...]  # A
    emodes: tuple[EMode, ...]  # ascending
    particulars: tuple[Parameter, ...]  # what Market has no field for
    caveats: tuple[str, ...]  # what was seen and is not modelled


def bits(word: int, first: int, count: int) -> int:
    """Return `count` bits of a word from bit `first` up."""
    return (word >> first) & ((1 << count) - 1)


def read_addresses(sandbox: Sandbox, pool: str, *, block: int) -> Addresses:
    """Find a pool's other contracts. Raises IncompleteState."""
    provider = read_one(sandbox, AAVE, pool, "ADDRESSES_PROVIDER", block=block)
    configurator, oracle = read_all(
        sandbox,
        [Query(to=provider, abi=AAVE, fn=fn) for fn in ("getPoolConfigurator", "getPriceOracle")],
        block=block,
    )
    return Addresses(pool=pool, provider=provider, configurator=configurator, oracle=oracle)


def read_reserves(sandbox: Sandbox, at: Addresses, *, block: int) -> ReserveState:
    """Read every reserve, category and setting at `block`. Raises IncompleteState."""
    _check_currency(sandbox, at, block)
    assets: Sequence[str] = read_one(sandbox, AAVE, at.pool, "getReservesList", block=block)
    if len(assets) > MOST_RESERVES:
        raise IncompleteState(f"the pool {at.pool} lists {len(assets)} reserves, at most 128 fit")
    data = read_all(
        sandbox,
        [Query(to=at.pool, abi=AAVE, fn="getReserveData", args=(a,)) for a in assets],
        block=block,
    )
    tokens = read_tokens(sandbox, assets, block=block)
    totals = _totals(sandbox, at, assets, data, block)
    curves = _rate_curves(sandbox, assets, data, block)
    oracles = inspect_sources(sandbox, [t.source for t in totals], block=block)
    symbols = [t.symbol for t in tokens]
    unit = read_one(sandbox, AAVE, at.oracle, "BASE_CURRENCY_UNIT", block=block)
    reserves: list[Reserve] = []
    places: list[ReserveTokens] = []
    particulars: list[Parameter] = []
    caveats: list[str] = []
    for token, d, t, curve in zip(tokens, data, totals, curves, strict=True):
        price = _price(token, t, unit, block)
        reserve = _reserve(token, d, t, curve, price, oracles[t.source], symbols)
        particulars += _reserve_particulars(sandbox, token.symbol, d, block)
        if price == 0.0:
            caveats.append(f"{token.symbol} is listed, empty and without a price: not modelled")
            particulars += name_reserve(reserve)
            continue
        reserves.append(reserve)
        places.append(
            ReserveTokens(
                index=len(places),
                id=d.id,
                asset=token.address,
                decimals=bits(d.configuration, 48, 8),
                threshold=bits(d.configuration, 16, 16),
                a_token=d.aToken,
                variable_debt=d.variableDebtToken,
                stable_debt=d.stableDebtToken if t.stable else "",
            )
        )
    emodes, sources = _emodes(sandbox, at, data, places, unit, block)
    settings, more = _settings(sandbox, at, block)
    for category, source in sources.items():
        particulars.append(VOCABULARY.parameter(f"emode.{category}.price_source", checksum(source)))
        if source != NULL_ADDRESS:
            caveats.append(
                f"eMode category {category} has a price source of its own; in the stress paths its "
                "assets move with their own prices"
            )
    return ReserveState(
        reserves=tuple(reserves),
        tokens=tuple(places),
        emodes=emodes,
        particulars=(*particulars, *settings),
        caveats=(*caveats, *more),
    )


def _check_currency(sandbox: Sandbox, at: Addresses, block: int) -> None:
    currency = read_one(sandbox, AAVE, at.oracle, "BASE_CURRENCY", block=block)
    if currency != NULL_ADDRESS:
        raise IncompleteState(
            f"the oracle {at.oracle} prices in the token {currency} and not in USD; only markets "
            "priced in USD can be read"
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Totals:
    """Amounts of one reserve in base units, its price and where that comes from."""

    supply: int  # of aTokens
    variable: int  # debt at the variable rate
    stable: int  # debt at stable rates
    cash: int  # underlying held by the aToken
    reserves: int  # aTokens of the treasury, those not yet minted included
    price: int | None  # in units of the base currency, None if the oracle fails
    source: str  # the oracle's source, lower-case


def _totals(
    sandbox: Sandbox, at: Addresses, assets: Sequence[str], data: Sequence[Any], block: int
) -> list[_Totals]:
    queries = []
    for asset, d in zip(assets, data, strict=True):
        # A pool without stable debt names no token for it; the other stands in, unused.
        stable = d.variableDebtToken if d.stableDebtToken == NULL_ADDRESS else d.stableDebtToken
        queries += [
            Query(to=d.aToken, abi=ERC20, fn="totalSupply"),
            Query(to=d.variableDebtToken, abi=ERC20, fn="totalSupply"),
            Query(to=stable, abi=ERC20, fn="totalSupply"),
            Query(to=asset, abi=ERC20, fn="balanceOf", args=(d.aToken,)),
            Query(to=at.oracle, abi=AAVE, fn="getAssetPrice", args=(asset,), optional=True),
            Query(to=at.oracle, abi=AAVE, fn="getSourceOfAsset", args=(asset,)),
            Query(to=at.pool, abi=AAVE, fn="getReserveNormalizedIncome", args=(asset,)),
            Query(to=d.aToken, abi=AAVE, fn="RESERVE_TREASURY_ADDRESS", optional=True),
        ]
    answers = read_all(sandbox, queries, block=block)
    rows = [answers[i : i + 8] for i in range(0, len(answers), 8)]
    held = read_all(
        sandbox,
        [
            Query(to=d.aToken, abi=ERC20, fn="balanceOf", args=(row[7] or NULL_ADDRESS,))
            for d, row in zip(data, rows, strict=True)
        ],
        block=block,
    )
    return [
        _Totals(
            supply=row[0],
            variable=row[1],
            stable=0 if d.stableDebtToken == NULL_ADDRESS else row[2],
            cash=row[3],
            # Interest of the treasury not yet minted is kept scaled by the index.
            reserves=h + d.accruedToTreasury * row[6] // RAY,
            price=row[4],
            source=row[5],
        )
        for d, row, h in zip(data, rows, held, strict=True)
    ]


def _rate_curves(
    sandbox: Sandbox, assets: Sequence[str], data: Sequence[Any], block: int
) -> list[RateCurve]:
    plain = (
        "getBaseVariableBorrowRate()",
        "getVariableRateSlope1()",
        "getVariableRateSlope2()",
        "OPTIMAL_USAGE_RATIO()",
    )
    by_asset = (
        "getBaseVariableBorrowRate(address)",
        "getVariableRateSlope1(address)",
        "getVariableRateSlope2(address)",
        "getOptimalUsageRatio(address)",
    )
    queries = []
    for asset, d in zip(assets, data, strict=True):
        to = d.interestRateStrategy
        queries += [Query(to=to, abi=AAVE, fn=f, optional=True) for f in plain]
        queries += [Query(to=to, abi=AAVE, fn=f, args=(asset,), optional=True) for f in by_asset]
    answers = read_all(sandbox, queries, block=block)
    curves = []
    for i, d in enumerate(data):
        row = answers[8 * i : 8 * i + 8]
        found = next((r for r in (row[:4], row[4:]) if None not in r), None)
        if found is None:
            raise IncompleteState(
                f"the interest rate strategy {d.interestRateStrategy} of {assets[i]} does not "
                "answer as Aave's default strategies do; its curve cannot be read"
            )
        base, slope1, slope2, optimal = (from_ray(x) for x in found)
        curves.append(RateCurve(base=base, slope1=slope1, slope2=slope2, optimal=optimal))
    return curves


def _price(token: Token, totals: _Totals, unit: int, block: int) -> float:
    """USD per whole token; 0 for a reserve that is empty and has no price yet."""
    if totals.price:
        return float(totals.price / unit)
    if totals.supply or totals.variable or totals.stable:
        raise IncompleteState(
            f"the oracle has no price for {token.symbol} ({token.address}) at block {block}, and "
            "the reserve is in use: its source reverted, is missing or answers 0"
        )
    return 0.0


def _reserve(
    token: Token,
    data: Any,
    totals: _Totals,
    curve: RateCurve,
    price: float,
    oracle: OracleSpec,
    symbols: Sequence[str],
) -> Reserve:
    word = data.configuration
    decimals = bits(word, 48, 8)
    asset_class, pegged_to = classify(token.symbol, price, symbols)
    asset = Asset(
        symbol=token.symbol,
        address=checksum(token.address),
        decimals=decimals,
        price=price,
        asset_class=asset_class,
        pegged_to=pegged_to,
    )
    supply_cap, borrow_cap = bits(word, 116, 36), bits(word, 80, 36)
    ceiling, bonus = bits(word, 212, 40), bits(word, 32, 16)
    return Reserve(
        asset=asset,
        parameters=RiskParameters(
            ltv=from_basis_points(bits(word, 0, 16)),
            liquidation_threshold=from_basis_points(bits(word, 16, 16)),
            # Kept gross in the contract, and 0 where the asset is no collateral.
            liquidation_bonus=from_basis_points(bonus - 10_000) if bonus else 0.0,
            protocol_fee=from_basis_points(bits(word, 152, 16)),
            reserve_factor=from_basis_points(bits(word, 64, 16)),
            supply_cap=cap(float(supply_cap), none=supply_cap == 0),
            borrow_cap=cap(float(borrow_cap), none=borrow_cap == 0),
            debt_ceiling=cap(ceiling / 100, none=ceiling == 0),  # kept in cents
            active=bool(bits(word, 56, 1)),
            frozen=bool(bits(word, 57, 1)),
            paused=bool(bits(word, 60, 1)),
            borrowing_enabled=bool(bits(word, 58, 1)),
            emode_category=bits(word, 168, 8),
            siloed=bool(bits(word, 62, 1)),
            borrowable_in_isolation=bool(bits(word, 61, 1)),
            flash_loan_enabled=bool(bits(word, 63, 1)),
        ),
        supplied=whole_tokens(totals.supply, decimals),
        borrowed=whole_tokens(totals.variable + totals.stable, decimals),
        cash=whole_tokens(totals.cash, decimals),
        reserves=whole_tokens(totals.reserves, decimals),
        rate_curve=curve,
        oracle=oracle,
        liquidity=assumed_depth(asset),
        receipt_token=checksum(data.aToken),
    )


def _reserve_particulars(sandbox: Sandbox, symbol: str, data: Any, block: int) -> list[Parameter]:
    word, v = data.configuration, VOCABULARY
    out = [
        v.parameter("rate_strategy", checksum(data.interestRateStrategy), asset=symbol),
        v.parameter("stable_borrowing_enabled", bool(bits(word, 59, 1)), asset=symbol),
        v.parameter("unbacked_mint_cap", float(bits(word, 176, 36)), asset=symbol),
    ]
    for name, token in (("a_token", data.aToken), ("variable_debt_token", data.variableDebtToken)):
        code = _implementation(sandbox, token, block)
        if code is not None:
            out.append(v.parameter(f"{name}.implementation", code, asset=symbol))
    return out


def _emodes(
    sandbox: Sandbox,
    at: Addresses,
    data: Sequence[Any],
    places: Sequence[ReserveTokens],
    unit: int,
    block: int,
) -> tuple[tuple[EMode, ...], dict[int, str]]:
    """Categories that have a threshold or an asset, and each one's price source."""
    used = {bits(d.configuration, 168, 8) for d in data} - {0}

    def told(fn: str, categories: Iterable[int]) -> list[Any]:
        queries = [Query(to=at.pool, abi=AAVE, fn=fn, args=(c,), optional=True) for c in categories]
        return read_all(sandbox, queries, block=block)

    found = {
        category: e
        for category, e in enumerate(told("getEModeCategoryData", range(1, 256)), start=1)
        if e is not None and (e.liquidationThreshold > 0 or category in used)
    }
    bitmaps = told("getEModeCategoryCollateralBitmap", found)
    emodes, sources = [], {}
    for (category, e), members in zip(found.items(), bitmaps, strict=True):
        price = 0
        if e.priceSource != NULL_ADDRESS:
            price = read_one(sandbox, AAVE, at.oracle, "getAssetPrice", e.priceSource, block=block)
        sources[category] = e.priceSource
        emodes.append(
            EMode(
                category=category,
                label=" ".join(filter(None, (printable(w, 32) for w in e.label.split()[:6]))),
                ltv=from_basis_points(e.ltv),
                liquidation_threshold=from_basis_points(e.liquidationThreshold),
                liquidation_bonus=from_basis_points(max(e.liquidationBonus - 10_000, 0)),
                price=price / unit,
                collateral=None if members is None else _members(places, members),
            )
        )
    return tuple(emodes), sources


def _members(places: Sequence[ReserveTokens], bitmap: int) -> tuple[int, ...]:
    """Reserves, by index, whose id has its bit set: how core 3.2 and later keep membership."""
    return tuple(p.index for p in places if bitmap >> p.id & 1)


def _settings(sandbox: Sandbox, at: Addresses, block: int) -> tuple[list[Parameter], list[str]]:
    asked = {
        "flash_loan_premium_total": (at.pool, "FLASHLOAN_PREMIUM_TOTAL"),
        "flash_loan_premium_to_protocol": (at.pool, "FLASHLOAN_PREMIUM_TO_PROTOCOL"),
        "bridge_protocol_fee": (at.pool, "BRIDGE_PROTOCOL_FEE"),
        "pool.revision": (at.pool, "POOL_REVISION"),
        "fallback_oracle": (at.oracle, "getFallbackOracle"),
        "price_oracle_sentinel": (at.provider, "getPriceOracleSentinel"),
        "acl_manager": (at.provider, "getACLManager"),
        "acl_admin": (at.provider, "getACLAdmin"),
    }
    answers = read_all(
        sandbox,
        [Query(to=to, abi=AAVE, fn=fn, optional=True) for to, fn in asked.values()],
        block=block,
    )
    v, out, caveats = VOCABULARY, [], []
    known = dict(zip(asked, answers, strict=True))
    for name, value in known.items():
        if value is None:
            continue
        if isinstance(value, str):
            out.append(v.parameter(name, checksum(value)))
        else:
            scaled = float(value) if name == "pool.revision" else from_basis_points(value)
            out.append(v.parameter(name, scaled))
    out.append(v.parameter("oracle", checksum(at.oracle)))
    out.append(v.parameter("pool_configurator", checksum(at.configurator)))
    for name, proxy in (("pool", at.pool), ("pool_configurator", at.configurator)):
        code = _implementation(sandbox, proxy, block)
        if code is not None:
            out.append(v.parameter(f"{name}.implementation", code))
    if known["price_oracle_sentinel"] not in (None, NULL_ADDRESS):
        caveats.append(
            "the price oracle sentinel, which can hold liquidations back after a sequencer's "
            "outage, is not modelled"
        )
    if (known["pool.revision"] or 0) >= _FIRST_LATER_REVISION:
        caveats.append(
            f"the pool is of revision {known['pool.revision']}; liquidations are modelled as in "
            "core-v3 1.19.3, whose close factor and dust rules later revisions changed"
        )
    return out, caveats


def _implementation(sandbox: Sandbox, proxy: str, block: int) -> str | None:
    found = address_in(sandbox.get_storage(proxy, IMPLEMENTATION_SLOT, block=block))
    return None if found is None else checksum(found)
