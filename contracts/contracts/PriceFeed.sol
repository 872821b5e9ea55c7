// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title A price feed in the manner of Chainlink's AggregatorV3, with every round kept
/// @notice Rounds are numbered from 1. With no owner, anyone may push.
contract PriceFeed {
    struct Round {
        int192 answer; // price in 10**-decimals
        uint64 updatedAt; // seconds
    }

    event AnswerUpdated(int256 indexed current, uint256 indexed roundId, uint256 updatedAt);
    event NewRound(uint256 indexed roundId, address indexed startedBy, uint256 startedAt);

    error NotOwner(address caller);
    error NoData();
    error UnequalLengths(uint256 answers, uint256 times);
    error TimeGoesBack(uint256 given, uint256 latest);
    error AnswerOutOfRange(int256 answer);

    uint256 public constant version = 4;
    uint8 public immutable decimals;
    address public immutable owner;
    string public description;
    uint80 public latestRound;
    mapping(uint80 roundId => Round) private rounds;

    constructor(uint8 decimals_, string memory description_, address owner_) {
        decimals = decimals_;
        description = description_;
        owner = owner_;
    }

    modifier onlyOwner() {
        if (owner != address(0) && msg.sender != owner) revert NotOwner(msg.sender);
        _;
    }

    /// @notice Open a round with `answer` at the block's time
    function push(int256 answer) external onlyOwner {
        _push(answer, block.timestamp, true);
    }

    /// @notice Load many past rounds at once, oldest first, without NewRound events
    function load(int256[] calldata answers, uint256[] calldata times) external onlyOwner {
        if (answers.length != times.length) revert UnequalLengths(answers.length, times.length);
        for (uint256 i = 0; i < answers.length; i++) {
            _push(answers[i], times[i], false);
        }
    }

    function latestRoundData()
        external
        view
        returns (uint80 roundId, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound)
    {
        return _read(latestRound);
    }

    function getRoundData(uint80 round)
        external
        view
        returns (uint80 roundId, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound)
    {
        return _read(round);
    }

    /// @notice The price alone, as Aave's oracle reads it
    function latestAnswer() external view returns (int256) {
        return rounds[latestRound].answer;
    }

    function latestTimestamp() external view returns (uint256) {
        return rounds[latestRound].updatedAt;
    }

    function getAnswer(uint256 roundId) external view returns (int256) {
        return roundId > type(uint80).max ? int256(0) : rounds[uint80(roundId)].answer;
    }

    function getTimestamp(uint256 roundId) external view returns (uint256) {
        return roundId > type(uint80).max ? 0 : rounds[uint80(roundId)].updatedAt;
    }

    function _push(int256 answer, uint256 time, bool announce) private {
        uint256 latest = rounds[latestRound].updatedAt;
        if (time < latest || time > type(uint64).max) revert TimeGoesBack(time, latest);
        if (answer != int192(answer)) revert AnswerOutOfRange(answer);
        uint80 roundId = ++latestRound;
        rounds[roundId] = Round({answer: int192(answer), updatedAt: uint64(time)});
        if (announce) emit NewRound(roundId, msg.sender, time);
        emit AnswerUpdated(answer, roundId, time);
    }

    function _read(uint80 roundId) private view returns (uint80, int256, uint256, uint256, uint80) {
        Round memory round = rounds[roundId];
        if (round.updatedAt == 0) revert NoData();
        return (roundId, round.answer, round.updatedAt, round.updatedAt, roundId);
    }
}
