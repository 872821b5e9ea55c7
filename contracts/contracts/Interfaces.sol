// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @dev Only what our contracts call; written from the protocols' public documentation.

interface IAavePool {
    function flashLoanSimple(address receiver, address asset, uint256 amount, bytes calldata params, uint16 referral)
        external;
    function liquidationCall(address collateral, address debt, address user, uint256 debtToCover, bool receiveAToken)
        external;
}

interface ICompoundMarket {
    function liquidateBorrow(address borrower, uint256 repayAmount, address collateral) external returns (uint256);
    function redeem(uint256 amount) external returns (uint256);
    function balanceOf(address account) external view returns (uint256);
    function underlying() external view returns (address);
}

interface IPairV2 {
    function token0() external view returns (address);
    function token1() external view returns (address);
    function getReserves() external view returns (uint112, uint112, uint32);
    function swap(uint256 amount0Out, uint256 amount1Out, address to, bytes calldata data) external;
}

interface IPoolV3 {
    function token0() external view returns (address);
    function token1() external view returns (address);
    function swap(address recipient, bool zeroForOne, int256 amount, uint160 sqrtPriceLimitX96, bytes calldata data)
        external
        returns (int256, int256);
    function flash(address recipient, uint256 amount0, uint256 amount1, bytes calldata data) external;
}

interface IPoolOracleV3 {
    function token0() external view returns (address);
    function observe(uint32[] calldata secondsAgos) external view returns (int56[] memory, uint160[] memory);
}

interface IDecimals {
    function decimals() external view returns (uint8);
}

interface IFeed {
    function decimals() external view returns (uint8);
    function latestRoundData() external view returns (uint80, int256, uint256, uint256, uint80);
}
