"""The functions and events of the protocols that are read, as their sources declare them."""

from __future__ import annotations

from evaluator.chain.abi import Abi

# Aave core-v3 1.19.3: interfaces/IPool.sol, IPoolAddressesProvider.sol,
# IAaveOracle.sol, IReserveInterestRateStrategy.sol; the strategy functions that
# take an asset are those of core 3.1 and later.
AAVE = Abi.parse(
    [
        "function getPool() view returns (address)",
        "function getPoolConfigurator() view returns (address)",
        "function getPriceOracle() view returns (address)",
        "function getACLManager() view returns (address)",
        "function getACLAdmin() view returns (address)",
        "function getPriceOracleSentinel() view returns (address)",
        "function getPoolDataProvider() view returns (address)",
        "function ADDRESSES_PROVIDER() view returns (address)",
        "function POOL() view returns (address)",
        "function POOL_REVISION() view returns (uint256)",
        "function getReservesList() view returns (address[])",
        "function getReserveData(address asset) view returns (uint256 configuration,"
        " uint128 liquidityIndex, uint128 currentLiquidityRate, uint128 variableBorrowIndex,"
        " uint128 currentVariableBorrowRate, uint128 currentStableBorrowRate,"
        " uint40 lastUpdateTimestamp, uint16 id, address aToken, address stableDebtToken,"
        " address variableDebtToken, address interestRateStrategy, uint128 accruedToTreasury,"
        " uint128 unbacked, uint128 isolationModeTotalDebt)",
        "function getReserveNormalizedIncome(address asset) view returns (uint256)",
        "function getEModeCategoryData(uint8 id) view returns ((uint16 ltv,"
        " uint16 liquidationThreshold, uint16 liquidationBonus, address priceSource,"
        " string label) category)",
        "function getEModeCategoryCollateralBitmap(uint8 id) view returns (uint128)",
        "function getReserveDeficit(address asset) view returns (uint256)",
        "function getUserConfiguration(address user) view returns (uint256)",
        "function getUserEMode(address user) view returns (uint256)",
        "function getUserAccountData(address user) view returns (uint256 totalCollateralBase,"
        " uint256 totalDebtBase, uint256 availableBorrowsBase,"
        " uint256 currentLiquidationThreshold, uint256 ltv, uint256 healthFactor)",
        "function FLASHLOAN_PREMIUM_TOTAL() view returns (uint128)",
        "function FLASHLOAN_PREMIUM_TO_PROTOCOL() view returns (uint128)",
        "function BRIDGE_PROTOCOL_FEE() view returns (uint256)",
        "function BASE_CURRENCY() view returns (address)",
        "function BASE_CURRENCY_UNIT() view returns (uint256)",
        "function getAssetPrice(address asset) view returns (uint256)",
        "function getSourceOfAsset(address asset) view returns (address)",
        "function getFallbackOracle() view returns (address)",
        "function RESERVE_TREASURY_ADDRESS() view returns (address)",
        "function OPTIMAL_USAGE_RATIO() view returns (uint256)",
        "function getBaseVariableBorrowRate() view returns (uint256)",
        "function getVariableRateSlope1() view returns (uint256)",
        "function getVariableRateSlope2() view returns (uint256)",
        "function getOptimalUsageRatio(address reserve) view returns (uint256)",
        "function getBaseVariableBorrowRate(address reserve) view returns (uint256)",
        "function getVariableRateSlope1(address reserve) view returns (uint256)",
        "function getVariableRateSlope2(address reserve) view returns (uint256)",
        "event Borrow(address indexed reserve, address user, address indexed onBehalfOf,"
        " uint256 amount, uint8 interestRateMode, uint256 borrowRate,"
        " uint16 indexed referralCode)",
    ]
)

# Compound V2's and Venus 0.7.0's Comptroller, CToken/VToken, JumpRateModel and
# VenusChainlinkOracle.
COMPOUND = Abi.parse(
    [
        "function accrueInterest() returns (uint256)",
        "function getAllMarkets() view returns (address[])",
        "function oracle() view returns (address)",
        "function comptroller() view returns (address)",
        "function closeFactorMantissa() view returns (uint256)",
        "function liquidationIncentiveMantissa() view returns (uint256)",
        "function markets(address market) view returns (bool isListed,"
        " uint256 collateralFactorMantissa)",
        "function borrowCaps(address market) view returns (uint256)",
        "function supplyCaps(address market) view returns (uint256)",
        "function actionPaused(address market, uint8 action) view returns (bool)",
        "function protocolPaused() view returns (bool)",
        "function mintGuardianPaused(address market) view returns (bool)",
        "function borrowGuardianPaused(address market) view returns (bool)",
        "function seizeGuardianPaused() view returns (bool)",
        "function transferGuardianPaused() view returns (bool)",
        "function admin() view returns (address)",
        "function pauseGuardian() view returns (address)",
        "function comptrollerImplementation() view returns (address)",
        "function implementation() view returns (address)",
        "function liquidatorContract() view returns (address)",
        "function vaiController() view returns (address)",
        "function getVAIRepayAmount(address account) view returns (uint256)",
        "function getAssetsIn(address account) view returns (address[])",
        "function getAccountLiquidity(address account) view returns (uint256 error,"
        " uint256 liquidity, uint256 shortfall)",
        "function getUnderlyingPrice(address market) view returns (uint256)",
        "function getFeed(string symbol) view returns (address)",
        "function assetPrices(address asset) view returns (uint256)",
        "function isPriceOracle() view returns (bool)",
        "function isInterestRateModel() view returns (bool)",
        "function underlying() view returns (address)",
        "function exchangeRateStored() view returns (uint256)",
        "function totalSupply() view returns (uint256)",
        "function totalBorrows() view returns (uint256)",
        "function totalReserves() view returns (uint256)",
        "function getCash() view returns (uint256)",
        "function reserveFactorMantissa() view returns (uint256)",
        "function protocolSeizeShareMantissa() view returns (uint256)",
        "function interestRateModel() view returns (address)",
        "function borrowRatePerBlock() view returns (uint256)",
        "function getAccountSnapshot(address account) view returns (uint256 error,"
        " uint256 tokens, uint256 borrowed, uint256 exchangeRate)",
        "function kink() view returns (uint256)",
        "function baseRatePerBlock() view returns (uint256)",
        "function multiplierPerBlock() view returns (uint256)",
        "function jumpMultiplierPerBlock() view returns (uint256)",
        "function blocksPerYear() view returns (uint256)",
        "event Borrow(address borrower, uint256 borrowAmount, uint256 accountBorrows,"
        " uint256 totalBorrows)",
        "event MintVAI(address minter, uint256 mintVAIAmount)",
        "event NewPriceOracle(address oldPriceOracle, address newPriceOracle)",
        "event NewMarketInterestRateModel(address oldInterestRateModel,"
        " address newInterestRateModel)",
    ]
)

ERC20 = Abi.parse(
    [
        "function balanceOf(address account) view returns (uint256)",
        "function totalSupply() view returns (uint256)",
        "function decimals() view returns (uint256)",
        "function symbol() view returns (string)",
        "event Transfer(address indexed from, address indexed to, uint256 value)",
    ]
)

# Chainlink's AggregatorV3Interface and what its aggregators say of their bounds.
FEED = Abi.parse(
    [
        "function decimals() view returns (uint8)",
        "function description() view returns (string)",
        "function latestAnswer() view returns (int256)",
        "function latestRoundData() view returns (uint80 roundId, int256 answer,"
        " uint256 startedAt, uint256 updatedAt, uint80 answeredInRound)",
        "function getRoundData(uint80 roundId) view returns (uint80 id, int256 answer,"
        " uint256 startedAt, uint256 updatedAt, uint80 answeredInRound)",
        "function aggregator() view returns (address)",
        "function minAnswer() view returns (int192)",
        "function maxAnswer() view returns (int192)",
    ]
)

# Uniswap V2 pair and factory, V3 pool and factory.
UNISWAP = Abi.parse(
    [
        "function token0() view returns (address)",
        "function token1() view returns (address)",
        "function fee() view returns (uint24)",
        "function getReserves() view returns (uint112 reserve0, uint112 reserve1,"
        " uint32 blockTimestampLast)",
        "function slot0() view returns (uint160 sqrtPriceX96, int24 tick)",
        "function liquidity() view returns (uint128)",
        "function getPair(address a, address b) view returns (address)",
        "function getPool(address a, address b, uint24 fee) view returns (address)",
    ]
)
