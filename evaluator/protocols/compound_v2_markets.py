"""Markets and settings of a Compound V2 Comptroller.

Sources: Compound V2 and Venus 0.7.0, Comptroller.sol, VToken.sol,
JumpRateModel.sol, WhitePaperInterestRateModel.sol, VenusChainlinkOracle.sol.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from evaluator.chain.sandbox import Sandbox
from evaluator.errors import IncompleteState
from evaluator.market import (
    Asset,
    OracleKind,
    OracleSpec,
    Parameter,
    Reserve,
    RiskParameters,
)
from evaluator.protocols.assumed_depth import assumed_depth
from evaluator.protocols.compound_v2_parameters import ACTIONS, VOCABULARY, name_reserve
from evaluator.protocols.compound_v2_rates import Rates, read_rates
from evaluator.protocols.fixed_point import UINT256_MAX, cap, from_wad, whole_tokens
from evaluator.protocols.gas import NATIVE_SYMBOL
from evaluator.protocols.interfaces import COMPOUND
from evaluator.protocols.oracles import inspect_sources
from evaluator.protocols.reading import (
    NULL_ADDRESS,
    Query,
    address_in,
    checksum,
    read_all,
    read_one,
    read_raw,
)
from evaluator.protocols.tokens import (
    Token,
    classify,
    decode_text,
    read_tokens,
    unique_symbols,
)

MOST_MARKETS = 256
# Stands for the native coin, which has no token contract.
NATIVE_ADDRESS = "0xeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee"


@dataclass(frozen=True, kw_only=True, slots=True)
class MarketToken:
    """One market and the token it is for."""

    index: int  # in Market.reserves
    address: str  # vToken, lower-case
    underlying: Token  # the native coin is at NATIVE_ADDRESS
    v_symbol: str  # of the vToken, as it says it


@dataclass(frozen=True, kw_only=True, slots=True)
class ComptrollerState:
    """All markets of a Comptroller."""

    reserves: tuple[Reserve, ...]  # A, in the protocol's order
    tokens: tuple[MarketToken, ...]  # A
    close_factor: float  # fraction
    incentive: float  # net
    vai_controller: str  # "" if VAI cannot be minted against collateral
    particulars: tuple[Parameter, ...]  # what Market has no field for
    caveats: tuple[str, ...]  # what was seen and is not modelled


@dataclass(frozen=True, kw_only=True, slots=True)
class _Settings:
    """What holds for the whole Comptroller."""

    oracle: str
    incentive: float  # net
    venus: bool  # it pauses action by action and takes a supply cap of 0 literally
    protocol_paused: bool
    seize_paused: bool


def read_comptroller(sandbox: Sandbox, root: str, *, block: int) -> ComptrollerState:
    """Read every market and setting at `block`. Raises IncompleteState."""
    vtokens: Sequence[str] = read_one(sandbox, COMPOUND, root, "getAllMarkets", block=block)
    if len(vtokens) > MOST_MARKETS:
        raise IncompleteState(
            f"the comptroller {root} lists {len(vtokens)} markets; at most {MOST_MARKETS} are read"
        )
    known = _read_settings(sandbox, root, block)
    settings = _Settings(
        oracle=known["oracle"],
        incentive=from_wad(known["liquidationIncentiveMantissa"]) - 1.0,
        venus=known["protocolPaused"] is not None,
        protocol_paused=bool(known["protocolPaused"]),
        seize_paused=bool(known["seizeGuardianPaused"]),
    )
    tokens = _tokens(sandbox, vtokens, block)
    states = _states(sandbox, root, settings, tokens, block)
    curves, caveats = read_rates(
        sandbox,
        [
            (t.underlying.symbol, s.rate_model, s.borrow_rate)
            for t, s in zip(tokens, states, strict=True)
        ],
        block=block,
    )
    oracles = _oracles(sandbox, settings.oracle, tokens, block)
    symbols = [t.underlying.symbol for t in tokens]
    reserves: list[Reserve] = []
    used: list[MarketToken] = []
    particulars = _setting_parameters(known, settings)
    for t, s, c, source in zip(tokens, states, curves, oracles, strict=True):
        price = _price(t, s, block)
        asset_class, pegged_to = classify(t.underlying.symbol, price, symbols)
        asset = Asset(
            symbol=t.underlying.symbol,
            address=checksum(t.underlying.address),
            decimals=t.underlying.decimals,
            price=price,
            asset_class=asset_class,
            pegged_to=pegged_to,
        )
        reserve = Reserve(
            asset=asset,
            parameters=_risk_parameters(t, s, settings),
            supplied=whole_tokens(s.supply * s.exchange_rate // 10**18, asset.decimals),
            borrowed=whole_tokens(s.borrows, asset.decimals),
            # The rate models leave reserves out of cash, and so do we.
            cash=whole_tokens(max(s.cash - s.reserves, 0), asset.decimals),
            reserves=whole_tokens(s.reserves, asset.decimals),
            rate_curve=c.curve,
            oracle=source,
            liquidity=assumed_depth(asset),
            receipt_token=checksum(t.address),
        )
        particulars += _market_parameters(asset.symbol, s, c)
        if price == 0.0:
            caveats.append(f"{asset.symbol} is listed, empty and without a price: not modelled")
            particulars += name_reserve(reserve)
            continue
        used.append(replace(t, index=len(used)))
        reserves.append(reserve)
    if known["liquidatorContract"] not in (None, NULL_ADDRESS):
        caveats.append(
            f"only the contract {known['liquidatorContract']} may liquidate; its own conditions "
            "and fees are not modelled"
        )
    return ComptrollerState(
        reserves=tuple(reserves),
        tokens=tuple(used),
        close_factor=from_wad(known["closeFactorMantissa"]),
        incentive=settings.incentive,
        vai_controller=""
        if known["vaiController"] in (None, NULL_ADDRESS)
        else known["vaiController"],
        particulars=tuple(particulars),
        caveats=tuple(caveats),
    )


def _read_settings(sandbox: Sandbox, root: str, block: int) -> dict[str, Any]:
    needed = ("oracle", "closeFactorMantissa", "liquidationIncentiveMantissa")
    optional = (
        "protocolPaused",
        "seizeGuardianPaused",
        "transferGuardianPaused",
        "admin",
        "pauseGuardian",
        "comptrollerImplementation",
        "liquidatorContract",
        "vaiController",
    )
    queries = [Query(to=root, abi=COMPOUND, fn=fn) for fn in needed]
    queries += [Query(to=root, abi=COMPOUND, fn=fn, optional=True) for fn in optional]
    return dict(zip((*needed, *optional), read_all(sandbox, queries, block=block), strict=True))


def _setting_parameters(known: dict[str, Any], settings: _Settings) -> list[Parameter]:
    names = {
        "oracle": "oracle",
        "protocolPaused": "protocol_paused",
        "seizeGuardianPaused": "seize_paused",
        "transferGuardianPaused": "transfer_paused",
        "admin": "admin",
        "pauseGuardian": "pause_guardian",
        "comptrollerImplementation": "implementation.comptroller",
        "liquidatorContract": "liquidator_contract",
        "vaiController": "vai_controller",
    }
    out = [VOCABULARY.parameter("liquidation_incentive", settings.incentive)]
    for fn, name in names.items():
        value = known[fn]
        if value is not None:
            shown = checksum(value) if isinstance(value, str) else bool(value)
            out.append(VOCABULARY.parameter(name, shown))
    return out


def _tokens(sandbox: Sandbox, vtokens: Sequence[str], block: int) -> list[MarketToken]:
    answers = read_raw(
        sandbox,
        [(v, COMPOUND.encode("underlying")) for v in vtokens] + [(v, _SYMBOL) for v in vtokens],
        block=block,
    )
    underlying = [address_in(a) for a in answers[: len(vtokens)]]
    v_symbols = [decode_text(a) for a in answers[len(vtokens) :]]
    erc20 = [u for u in underlying if u is not None]
    found = {t.address: t for t in read_tokens(sandbox, erc20, block=block)}
    native = NATIVE_SYMBOL.get(sandbox.chain_id, "ETH")
    named = [
        (found[u].raw_symbol, u) if u is not None else (native, v)
        for u, v in zip(underlying, vtokens, strict=True)
    ]
    symbols = unique_symbols(named)
    out = []
    for i, (v, u, symbol) in enumerate(zip(vtokens, underlying, symbols, strict=True)):
        token = Token(
            address=u or NATIVE_ADDRESS,
            symbol=symbol,
            raw_symbol=named[i][0],
            decimals=found[u].decimals if u is not None else 18,
        )
        out.append(MarketToken(index=i, address=v, underlying=token, v_symbol=v_symbols[i]))
    return out


@dataclass(frozen=True, kw_only=True, slots=True)
class _State:
    """One market as the contracts have it, in base units and mantissas."""

    listed: bool
    collateral_factor: int
    supply: int  # vTokens
    exchange_rate: int
    borrows: int
    reserves: int
    cash: int
    reserve_factor: int
    rate_model: str
    borrow_rate: int  # per block
    price: int | None  # of 36 - decimals decimals, None if the oracle fails
    borrow_cap: int | None
    supply_cap: int | None
    seize_share: int | None
    implementation: str | None
    mint_paused: bool | None  # Compound's own flags
    borrow_paused: bool | None
    paused: tuple[bool | None, ...]  # one for each of ACTIONS, None where there are none


def _states(
    sandbox: Sandbox, root: str, settings: _Settings, tokens: Sequence[MarketToken], block: int
) -> list[_State]:
    queries: list[Query] = []
    for t in tokens:
        v = t.address

        def of(to: str, fn: str, *args: object, optional: bool = False) -> Query:
            return Query(to=to, abi=COMPOUND, fn=fn, args=args, optional=optional)

        queries += [
            of(root, "markets", v),
            of(v, "totalSupply"),
            of(v, "exchangeRateStored"),
            of(v, "totalBorrows"),
            of(v, "totalReserves"),
            of(v, "getCash"),
            of(v, "reserveFactorMantissa"),
            of(v, "interestRateModel"),
            of(v, "borrowRatePerBlock"),
            of(settings.oracle, "getUnderlyingPrice", v, optional=True),
            of(root, "borrowCaps", v, optional=True),
            of(root, "supplyCaps", v, optional=True),
            of(v, "protocolSeizeShareMantissa", optional=True),
            of(v, "implementation", optional=True),
            of(root, "mintGuardianPaused", v, optional=True),
            of(root, "borrowGuardianPaused", v, optional=True),
            *(of(root, "actionPaused", v, i, optional=True) for i in range(len(ACTIONS))),
        ]
    answers = read_all(sandbox, queries, block=block)
    width = len(queries) // len(tokens) if tokens else 1
    return [
        _State(
            listed=row[0].isListed,
            collateral_factor=row[0].collateralFactorMantissa,
            supply=row[1],
            exchange_rate=row[2],
            borrows=row[3],
            reserves=row[4],
            cash=row[5],
            reserve_factor=row[6],
            rate_model=row[7],
            borrow_rate=row[8],
            price=row[9],
            borrow_cap=row[10],
            supply_cap=row[11],
            seize_share=row[12],
            implementation=row[13],
            mint_paused=row[14],
            borrow_paused=row[15],
            paused=tuple(row[16:]),
        )
        for row in (answers[i : i + width] for i in range(0, len(answers), width))
    ]


def _risk_parameters(token: MarketToken, state: _State, settings: _Settings) -> RiskParameters:
    by_action = dict(zip(ACTIONS, state.paused, strict=True))
    mint = bool(by_action["mint"] or state.mint_paused)
    borrow = bool(by_action["borrow"] or state.borrow_paused)
    decimals, everything = token.underlying.decimals, settings.protocol_paused
    supply, borrowed = state.supply_cap, state.borrow_cap
    # Venus lets nobody mint at a supply cap of 0; forks without per-action
    # pauses take 0 as no cap, as both do for borrowing.
    no_supply_cap = supply is None or supply == UINT256_MAX or (supply == 0 and not settings.venus)
    factor = from_wad(state.collateral_factor)
    return RiskParameters(
        ltv=factor,
        liquidation_threshold=factor,
        liquidation_bonus=settings.incentive,
        protocol_fee=from_wad(state.seize_share or 0),
        reserve_factor=from_wad(state.reserve_factor),
        supply_cap=cap(whole_tokens(supply or 0, decimals), none=no_supply_cap),
        borrow_cap=cap(
            whole_tokens(borrowed or 0, decimals), none=borrowed in (None, 0, UINT256_MAX)
        ),
        debt_ceiling=cap(0.0, none=True),
        active=state.listed,
        frozen=everything or (mint and borrow),
        paused=everything
        or settings.seize_paused
        or bool(by_action["liquidate"] or by_action["seize"]),
        borrowing_enabled=not (everything or borrow),
    )


def _oracles(
    sandbox: Sandbox, oracle: str, tokens: Sequence[MarketToken], block: int
) -> list[OracleSpec]:
    """The feed an oracle of Venus's kind asks for each market, else the oracle itself."""
    queries = []
    for t in tokens:
        native = t.underlying.address == NATIVE_ADDRESS
        symbol = t.v_symbol if native else t.underlying.raw_symbol
        queries += [
            Query(to=oracle, abi=COMPOUND, fn="getFeed", args=(symbol,), optional=True),
            Query(
                to=oracle,
                abi=COMPOUND,
                fn="assetPrices",
                args=(t.address if symbol == "XVS" else t.underlying.address,),
                optional=True,
            ),
        ]
    answers = read_all(sandbox, queries, block=block)
    feeds, posted = answers[0::2], answers[1::2]
    sources = [oracle if f in (None, NULL_ADDRESS) else f for f in feeds]
    specs = inspect_sources(sandbox, sources, block=block)
    # A posted price overrides the feed and stays until the admin posts another.
    fixed = OracleSpec(source=checksum(oracle), kind=OracleKind.FIXED)
    return [fixed if p else specs[s] for s, p in zip(sources, posted, strict=True)]


def _price(token: MarketToken, state: _State, block: int) -> float:
    """USD per whole token; 0 for a market that is empty and has no price yet."""
    symbol = token.underlying.symbol
    if state.price:
        return float(state.price / 10 ** (36 - token.underlying.decimals))
    if state.supply or state.borrows:
        raise IncompleteState(
            f"the oracle has no price for {symbol} (market {token.address}) at block {block}, and "
            "the market is in use: its feed is stale, missing or reverts"
        )
    return 0.0


def _market_parameters(symbol: str, state: _State, rates: Rates) -> list[Parameter]:
    v = VOCABULARY
    out = [
        v.parameter("rate_model", checksum(state.rate_model), asset=symbol),
        v.parameter("blocks_per_year", rates.blocks_per_year, asset=symbol),
    ]
    if state.implementation is not None:
        out.append(v.parameter("implementation", checksum(state.implementation), asset=symbol))
    own = {"mint": state.mint_paused, "borrow": state.borrow_paused}
    for action, paused in zip(ACTIONS, state.paused, strict=True):
        known = paused if paused is not None else own.get(action)
        if known is not None:
            out.append(v.parameter(f"paused.{action}", bool(known), asset=symbol))
    return out


_SYMBOL = bytes.fromhex("95d89b41")  # symbol(), read raw because tokens may answer bytes32
