"""The tokens of the embedded chain and the prices their feeds end at."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenSpec:
    """An ERC-20 of the embedded chain and the price its feed ends at."""

    symbol: str  # as the token says it
    name: str  # as the token says it
    decimals: int  # base units per whole token, as a power of ten
    price: float  # USD per whole token at the head
    volatility: float  # per square root of a year, of the seeded history
    beta: float  # loading on the common shock, 0 to 1
    pegged_to: str = ""  # symbol whose price it follows, "USD", or ""


TOKENS: tuple[TokenSpec, ...] = (
    TokenSpec(
        symbol="WETH",
        name="Wrapped Ether",
        decimals=18,
        price=3_350.0,
        volatility=0.65,
        beta=0.90,
    ),
    TokenSpec(
        symbol="wstETH",
        name="Wrapped liquid staked Ether 2.0",
        decimals=18,
        price=3_986.5,
        volatility=0.65,
        beta=0.90,
        pegged_to="WETH",
    ),
    TokenSpec(
        symbol="WBTC",
        name="Wrapped BTC",
        decimals=8,
        price=95_000.0,
        volatility=0.50,
        beta=0.88,
    ),
    TokenSpec(
        symbol="USDC",
        name="USD Coin",
        decimals=6,
        price=1.0,
        volatility=0.004,
        beta=0.0,
        pegged_to="USD",
    ),
    TokenSpec(
        symbol="USDT",
        name="Tether USD",
        decimals=6,
        price=0.9995,
        volatility=0.005,
        beta=0.0,
        pegged_to="USD",
    ),
    TokenSpec(
        symbol="DAI",
        name="Dai Stablecoin",
        decimals=18,
        price=1.0,
        volatility=0.004,
        beta=0.0,
        pegged_to="USD",
    ),
    TokenSpec(
        symbol="LINK",
        name="ChainLink Token",
        decimals=18,
        price=21.5,
        volatility=0.85,
        beta=0.80,
    ),
    TokenSpec(
        symbol="AAVE",
        name="Aave Token",
        decimals=18,
        price=320.0,
        volatility=0.95,
        beta=0.76,
    ),
    TokenSpec(
        symbol="CRV",
        name="Curve DAO Token",
        decimals=18,
        price=0.95,
        volatility=1.20,
        beta=0.66,
    ),
)

_BY_SYMBOL = {token.symbol: token for token in TOKENS}


def token(symbol: str) -> TokenSpec:
    """Return the token named `symbol`; the native coin "ETH" answers as WETH."""
    return _BY_SYMBOL["WETH" if symbol == "ETH" else symbol]


def base_units(symbol: str, amount: float) -> int:
    """Return `amount` whole tokens in base units, rounded down to a billionth of a token.

    Rounding through integers keeps amounts the same on every platform.
    """
    decimals = token(symbol).decimals
    if decimals <= 9:
        return int(amount * 10**decimals)
    return int(amount * 10**9) * int(10 ** (decimals - 9))
