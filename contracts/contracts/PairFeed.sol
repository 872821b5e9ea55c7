// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {DerivedFeed} from "./DerivedFeed.sol";
import {IDecimals, IFeed, IPairV2} from "./Interfaces.sol";

/// @title The spot price of a Uniswap V2 pair, in USD through a feed of its other token
/// @notice Whoever trades on the pair moves it within the same transaction.
contract PairFeed is DerivedFeed {
    IPairV2 public immutable pair;
    address public immutable token;
    IFeed public immutable quoteFeed;
    bool private immutable isToken0;
    uint256 private immutable tokenUnit;
    uint256 private immutable quoteUnit;

    constructor(IPairV2 pair_, address token_, IFeed quoteFeed_) {
        pair = pair_;
        token = token_;
        quoteFeed = quoteFeed_;
        isToken0 = pair_.token0() == token_;
        address other = isToken0 ? pair_.token1() : pair_.token0();
        tokenUnit = 10 ** IDecimals(token_).decimals();
        quoteUnit = 10 ** IDecimals(other).decimals() * 10 ** quoteFeed_.decimals() / 10 ** decimals;
    }

    function latestAnswer() public view override returns (int256) {
        (uint256 reserve0, uint256 reserve1,) = pair.getReserves();
        (uint256 mine, uint256 others) = isToken0 ? (reserve0, reserve1) : (reserve1, reserve0);
        (, int256 quote,,,) = quoteFeed.latestRoundData();
        return int256(Math.mulDiv(others * tokenUnit, uint256(quote), mine * quoteUnit));
    }
}
