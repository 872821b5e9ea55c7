// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ICompoundMarket, IDecimals, IFeed} from "./Interfaces.sol";

/// @title A price oracle for the Compound V2 family that knows feeds by the underlying token
/// @notice The native market has no underlying token: unless it is named at birth, asking for
/// its price reverts.
contract MarketOracle {
    error NotOwner(address caller);
    error NoFeed(address token);

    bool public constant isPriceOracle = true;
    address public immutable owner;
    address public immutable nativeMarket; // zero: every market is asked for its underlying
    IFeed public immutable nativeFeed;
    mapping(address token => IFeed) public feeds;

    constructor(address nativeMarket_, IFeed nativeFeed_, address owner_) {
        nativeMarket = nativeMarket_;
        nativeFeed = nativeFeed_;
        owner = owner_;
    }

    function setFeed(address token, IFeed feed) external {
        if (msg.sender != owner) revert NotOwner(msg.sender);
        feeds[token] = feed;
    }

    /// @notice USD for a base unit of a market's underlying in 10**-(36 - its decimals)
    function getUnderlyingPrice(address market) external view returns (uint256) {
        if (market == nativeMarket) return _price(nativeFeed, 18);
        address token = ICompoundMarket(market).underlying();
        IFeed feed = feeds[token];
        if (address(feed) == address(0)) revert NoFeed(token);
        return _price(feed, IDecimals(token).decimals());
    }

    function _price(IFeed feed, uint256 decimals) private view returns (uint256) {
        (, int256 answer,,,) = feed.latestRoundData();
        return uint256(answer) * 10 ** (36 - decimals - feed.decimals());
    }
}
