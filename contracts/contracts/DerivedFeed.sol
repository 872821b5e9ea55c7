// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title A USD price made of other contracts' answers, read as a Chainlink feed is
/// @notice It keeps no rounds: whatever is asked for is the answer of this moment.
abstract contract DerivedFeed {
    uint8 public constant decimals = 8;
    uint256 public constant version = 1;

    /// @notice USD for a whole token in 10**-8
    function latestAnswer() public view virtual returns (int256);

    function latestTimestamp() external view returns (uint256) {
        return block.timestamp;
    }

    function latestRoundData() external view returns (uint80, int256, uint256, uint256, uint80) {
        return (1, latestAnswer(), block.timestamp, block.timestamp, 1);
    }
}
