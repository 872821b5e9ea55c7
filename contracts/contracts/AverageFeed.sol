// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {DerivedFeed} from "./DerivedFeed.sol";
import {IDecimals, IFeed, IPairV2, IPoolOracleV3} from "./Interfaces.sol";

/// @title The geometric average price of a Uniswap V3 pool over a window, in USD through a feed
/// @notice What is traded within one block does not count; what is held for the window does.
contract AverageFeed is DerivedFeed {
    uint256 private constant ONE = 2 ** 128;

    IPoolOracleV3 public immutable pool;
    address public immutable token;
    IFeed public immutable quoteFeed;
    uint32 public immutable window; // seconds
    bool private immutable isToken0;
    uint256 private immutable tokenUnit;
    uint256 private immutable quoteUnit;

    constructor(IPoolOracleV3 pool_, address token_, IFeed quoteFeed_, uint32 window_) {
        pool = pool_;
        token = token_;
        quoteFeed = quoteFeed_;
        window = window_;
        isToken0 = pool_.token0() == token_;
        address other = isToken0 ? IPairV2(address(pool_)).token1() : pool_.token0();
        tokenUnit = 10 ** IDecimals(token_).decimals();
        quoteUnit = 10 ** IDecimals(other).decimals() * 10 ** quoteFeed_.decimals() / 10 ** decimals;
    }

    function latestAnswer() public view override returns (int256) {
        uint32[] memory ago = new uint32[](2);
        ago[0] = window;
        (int56[] memory ticks,) = pool.observe(ago);
        int256 tick = (int256(ticks[1]) - int256(ticks[0])) / int256(uint256(window));
        // A tick prices token0 in token1.
        uint256 ratio = _power(isToken0 ? tick : -tick);
        (, int256 quote,,,) = quoteFeed.latestRoundData();
        return int256(Math.mulDiv(Math.mulDiv(ratio, tokenUnit, ONE), uint256(quote), quoteUnit));
    }

    /// @dev 1.0001 to the power of `tick`, in 2**-128, by repeated squaring
    function _power(int256 tick) private pure returns (uint256 result) {
        uint256 left = uint256(tick < 0 ? -tick : tick);
        uint256 square = ONE + ONE / 10_000;
        result = ONE;
        while (left > 0) {
            if (left & 1 == 1) result = Math.mulDiv(result, square, ONE);
            left >>= 1;
            if (left > 0) square = Math.mulDiv(square, square, ONE);
        }
        if (tick < 0) result = Math.mulDiv(ONE, ONE, result);
    }
}
