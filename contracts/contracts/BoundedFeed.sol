// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {DerivedFeed} from "./DerivedFeed.sol";
import {IFeed} from "./Interfaces.sol";

/// @title A feed's answer kept within two bounds, as Chainlink's aggregators once did
/// @notice Outside of the bounds it goes on answering, with the bound.
contract BoundedFeed is DerivedFeed {
    IFeed public immutable source;
    int192 public immutable minAnswer; // in 10**-8
    int192 public immutable maxAnswer; // in 10**-8

    constructor(IFeed source_, int192 minAnswer_, int192 maxAnswer_) {
        source = source_;
        minAnswer = minAnswer_;
        maxAnswer = maxAnswer_;
    }

    function latestAnswer() public view override returns (int256 answer) {
        (, answer,,,) = source.latestRoundData();
        if (answer < minAnswer) answer = minAnswer;
        if (answer > maxAnswer) answer = maxAnswer;
    }
}
