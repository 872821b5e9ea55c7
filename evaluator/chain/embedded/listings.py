"""How the protocols of the embedded chain list their assets.

Parameters follow Aave V3 on Ethereum and Venus as they stood around the head's
date; they are constants of ours, not a copy of any chain's state.
"""

from __future__ import annotations

from dataclasses import dataclass

ETH_EMODE = 1
STABLE_EMODE = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class EModeSpec:
    """An efficiency-mode category; ratios in basis points as Aave takes them."""

    category: int
    label: str
    ltv: int
    liquidation_threshold: int
    liquidation_bonus: int  # gross, 10100 is 1 %


@dataclass(frozen=True, kw_only=True, slots=True)
class AaveReserveSpec:
    """How an asset is listed on Aave V3; ratios in basis points, caps in whole tokens."""

    symbol: str
    ltv: int
    liquidation_threshold: int
    liquidation_bonus: int  # gross, 10500 is 5 %
    reserve_factor: int
    supply_cap: int
    borrow_cap: int
    borrowing: bool
    optimal_utilisation: int  # kink of the rate curve
    base_rate: int  # per year at no utilisation
    slope1: int  # per year, reached at the kink
    slope2: int  # per year on top, reached at full utilisation
    emode: int  # category, 0 for none
    utilisation: float  # what the seeded suppliers aim at, fraction
    collateral_weight: float  # how often borrowers choose it as collateral
    debt_weight: float  # how often borrowers choose it as debt
    liquidation_protocol_fee: int = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class VenusMarketSpec:
    """How an asset is listed on the Compound V2 family; ratios as fractions."""

    symbol: str  # of the underlying; "ETH" is the chain's native coin
    v_symbol: str  # of the vToken; the oracle knows the native market as "vBNB"
    collateral_factor: float
    reserve_factor: float
    supply_cap: int  # whole tokens
    borrow_cap: int  # whole tokens
    base_rate: float  # per year of the protocol's own 10,512,000 blocks
    multiplier: float  # per year, slope below the kink
    jump_multiplier: float  # per year, slope above the kink
    kink: float
    utilisation: float  # what the seeded suppliers aim at, fraction
    collateral_weight: float
    debt_weight: float


EMODES: tuple[EModeSpec, ...] = (
    EModeSpec(
        category=ETH_EMODE,
        label="ETH correlated",
        ltv=9300,
        liquidation_threshold=9500,
        liquidation_bonus=10100,
    ),
    EModeSpec(
        category=STABLE_EMODE,
        label="Stablecoins",
        ltv=9300,
        liquidation_threshold=9500,
        liquidation_bonus=10100,
    ),
)

AAVE_RESERVES: tuple[AaveReserveSpec, ...] = (
    AaveReserveSpec(
        symbol="WETH",
        ltv=8000,
        liquidation_threshold=8250,
        liquidation_bonus=10500,
        reserve_factor=1500,
        supply_cap=1_800_000,
        borrow_cap=1_400_000,
        borrowing=True,
        optimal_utilisation=9000,
        base_rate=0,
        slope1=270,
        slope2=8000,
        emode=ETH_EMODE,
        utilisation=0.84,
        collateral_weight=0.36,
        debt_weight=0.14,
    ),
    AaveReserveSpec(
        symbol="wstETH",
        ltv=7850,
        liquidation_threshold=8100,
        liquidation_bonus=10600,
        reserve_factor=1500,
        supply_cap=1_100_000,
        borrow_cap=24_000,
        borrowing=True,
        optimal_utilisation=4500,
        base_rate=25,
        slope1=450,
        slope2=8000,
        emode=ETH_EMODE,
        utilisation=0.02,
        collateral_weight=0.20,
        debt_weight=0.01,
    ),
    AaveReserveSpec(
        symbol="WBTC",
        ltv=7300,
        liquidation_threshold=7800,
        liquidation_bonus=10500,
        reserve_factor=2000,
        supply_cap=43_000,
        borrow_cap=28_000,
        borrowing=True,
        optimal_utilisation=4500,
        base_rate=0,
        slope1=400,
        slope2=30000,
        emode=0,
        utilisation=0.06,
        collateral_weight=0.20,
        debt_weight=0.05,
    ),
    AaveReserveSpec(
        symbol="USDC",
        ltv=7500,
        liquidation_threshold=7800,
        liquidation_bonus=10450,
        reserve_factor=1000,
        supply_cap=4_500_000_000,
        borrow_cap=4_000_000_000,
        borrowing=True,
        optimal_utilisation=9200,
        base_rate=0,
        slope1=650,
        slope2=6000,
        emode=STABLE_EMODE,
        utilisation=0.82,
        collateral_weight=0.06,
        debt_weight=0.37,
    ),
    AaveReserveSpec(
        symbol="USDT",
        ltv=7500,
        liquidation_threshold=7800,
        liquidation_bonus=10450,
        reserve_factor=1000,
        supply_cap=3_000_000_000,
        borrow_cap=2_750_000_000,
        borrowing=True,
        optimal_utilisation=9200,
        base_rate=0,
        slope1=650,
        slope2=7500,
        emode=STABLE_EMODE,
        utilisation=0.80,
        collateral_weight=0.03,
        debt_weight=0.26,
    ),
    AaveReserveSpec(
        symbol="DAI",
        ltv=6300,
        liquidation_threshold=7700,
        liquidation_bonus=10500,
        reserve_factor=2500,
        supply_cap=338_000_000,
        borrow_cap=271_000_000,
        borrowing=True,
        optimal_utilisation=9200,
        base_rate=0,
        slope1=650,
        slope2=7500,
        emode=STABLE_EMODE,
        utilisation=0.75,
        collateral_weight=0.03,
        debt_weight=0.12,
    ),
    AaveReserveSpec(
        symbol="LINK",
        ltv=6600,
        liquidation_threshold=7100,
        liquidation_bonus=10700,
        reserve_factor=2000,
        supply_cap=15_000_000,
        borrow_cap=2_700_000,
        borrowing=True,
        optimal_utilisation=4500,
        base_rate=0,
        slope1=700,
        slope2=30000,
        emode=0,
        utilisation=0.05,
        collateral_weight=0.06,
        debt_weight=0.03,
    ),
    AaveReserveSpec(
        symbol="AAVE",
        ltv=6900,
        liquidation_threshold=7600,
        liquidation_bonus=10750,
        reserve_factor=0,
        supply_cap=1_850_000,
        borrow_cap=0,
        borrowing=False,
        optimal_utilisation=4500,
        base_rate=0,
        slope1=700,
        slope2=30000,
        emode=0,
        utilisation=0.0,
        collateral_weight=0.04,
        debt_weight=0.0,
    ),
    AaveReserveSpec(
        symbol="CRV",
        ltv=5500,
        liquidation_threshold=6100,
        liquidation_bonus=10830,
        reserve_factor=3500,
        supply_cap=62_500_000,
        borrow_cap=7_700_000,
        borrowing=True,
        optimal_utilisation=7000,
        base_rate=300,
        slope1=1400,
        slope2=30000,
        emode=0,
        utilisation=0.25,
        collateral_weight=0.02,
        debt_weight=0.02,
    ),
)

VENUS_MARKETS: tuple[VenusMarketSpec, ...] = (
    VenusMarketSpec(
        symbol="ETH",
        v_symbol="vBNB",
        collateral_factor=0.80,
        reserve_factor=0.20,
        supply_cap=200_000,
        borrow_cap=120_000,
        base_rate=0.0,
        multiplier=0.045,
        jump_multiplier=2.0,
        kink=0.75,
        utilisation=0.35,
        collateral_weight=0.40,
        debt_weight=0.14,
    ),
    VenusMarketSpec(
        symbol="WBTC",
        v_symbol="vWBTC",
        collateral_factor=0.75,
        reserve_factor=0.20,
        supply_cap=5_000,
        borrow_cap=2_500,
        base_rate=0.0,
        multiplier=0.09,
        jump_multiplier=2.0,
        kink=0.75,
        utilisation=0.15,
        collateral_weight=0.26,
        debt_weight=0.06,
    ),
    VenusMarketSpec(
        symbol="USDC",
        v_symbol="vUSDC",
        collateral_factor=0.825,
        reserve_factor=0.10,
        supply_cap=500_000_000,
        borrow_cap=400_000_000,
        base_rate=0.0,
        multiplier=0.10,
        jump_multiplier=2.5,
        kink=0.80,
        utilisation=0.74,
        collateral_weight=0.12,
        debt_weight=0.40,
    ),
    VenusMarketSpec(
        symbol="USDT",
        v_symbol="vUSDT",
        collateral_factor=0.80,
        reserve_factor=0.10,
        supply_cap=500_000_000,
        borrow_cap=400_000_000,
        base_rate=0.0,
        multiplier=0.10,
        jump_multiplier=2.5,
        kink=0.80,
        utilisation=0.72,
        collateral_weight=0.08,
        debt_weight=0.36,
    ),
    VenusMarketSpec(
        symbol="LINK",
        v_symbol="vLINK",
        collateral_factor=0.63,
        reserve_factor=0.20,
        supply_cap=3_000_000,
        borrow_cap=900_000,
        base_rate=0.02,
        multiplier=0.15,
        jump_multiplier=3.0,
        kink=0.60,
        utilisation=0.12,
        collateral_weight=0.14,
        debt_weight=0.04,
    ),
)

CLOSE_FACTOR = 0.5  # Venus: most of a debt one liquidation may repay
LIQUIDATION_INCENTIVE = 1.1  # Venus: gross
