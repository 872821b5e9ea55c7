// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title A price feed in the manner of Chainlink's AggregatorV3, with every round kept
/// @notice Rounds are numbered from 1. With no owner, anyone may push.
/// @dev Past rounds that are loaded lie in the code of accounts of their own: a node that
/// works out a state root over all of storage for every block would stumble over thousands.
contract PriceFeed {
    struct Round {
        int192 answer; // price in 10**-decimals
        uint64 updatedAt; // seconds
    }

    struct Chapter {
        address at; // account whose code holds a zero byte, then rounds as they lie in storage
        uint80 first; // number of its first round
        uint16 count;
    }

    /// @dev What fits in the code of one account: 24,576 bytes less the zero byte
    uint256 private constant CHAPTER = 767;
    /// @dev Creation code that leaves what follows it
    bytes11 private constant KEEP = 0x600B5981380380925939F3;

    event AnswerUpdated(int256 indexed current, uint256 indexed roundId, uint256 updatedAt);
    event NewRound(uint256 indexed roundId, address indexed startedBy, uint256 startedAt);

    error NotOwner(address caller);
    error NoData();
    error UnequalLengths(uint256 answers, uint256 times);
    error TimeGoesBack(uint256 given, uint256 latest);
    error AnswerOutOfRange(int256 answer);
    error NotKept();

    uint256 public constant version = 4;
    uint8 public immutable decimals;
    address public immutable owner;
    string public description;
    uint80 public latestRound;
    mapping(uint80 roundId => Round) private rounds;
    Chapter[] private chapters;

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
        _check(answer, block.timestamp, rounds[latestRound].updatedAt);
        uint80 roundId = ++latestRound;
        rounds[roundId] = Round({answer: int192(answer), updatedAt: uint64(block.timestamp)});
        emit NewRound(roundId, msg.sender, block.timestamp);
        emit AnswerUpdated(answer, roundId, block.timestamp);
    }

    /// @notice Load many past rounds at once, oldest first, without events
    function load(int256[] calldata answers, uint256[] calldata times) external onlyOwner {
        if (answers.length != times.length) revert UnequalLengths(answers.length, times.length);
        uint256 latest = rounds[latestRound].updatedAt;
        for (uint256 i = 0; i < answers.length; i++) {
            _check(answers[i], times[i], latest);
            latest = times[i];
        }
        uint256 done = 0;
        // The last stays in storage, where every new one goes.
        while (done + 1 < answers.length) {
            uint256 count = answers.length - 1 - done;
            if (count > CHAPTER) count = CHAPTER;
            _keep(answers[done:done + count], times[done:done + count]);
            done += count;
        }
        if (done < answers.length) {
            rounds[++latestRound] = Round({answer: int192(answers[done]), updatedAt: uint64(times[done])});
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
        return roundId > type(uint80).max ? int256(0) : _round(uint80(roundId)).answer;
    }

    function getTimestamp(uint256 roundId) external view returns (uint256) {
        return roundId > type(uint80).max ? 0 : _round(uint80(roundId)).updatedAt;
    }

    function _check(int256 answer, uint256 time, uint256 latest) private pure {
        if (time < latest || time > type(uint64).max) revert TimeGoesBack(time, latest);
        if (answer != int192(answer)) revert AnswerOutOfRange(answer);
    }

    /// @dev Put rounds, not more than a chapter, into the code of a new account
    function _keep(int256[] calldata answers, uint256[] calldata times) private {
        bytes memory code = new bytes(12 + 32 * answers.length);
        address at;
        assembly ("memory-safe") {
            mstore(add(code, 32), KEEP)
        }
        for (uint256 i = 0; i < answers.length; i++) {
            uint256 packed = (times[i] << 192) | uint192(int192(answers[i]));
            assembly ("memory-safe") {
                mstore(add(add(code, 44), mul(32, i)), packed)
            }
        }
        assembly ("memory-safe") {
            at := create(0, add(code, 32), mload(code))
        }
        if (at == address(0)) revert NotKept();
        chapters.push(Chapter({at: at, first: latestRound + 1, count: uint16(answers.length)}));
        latestRound += uint80(answers.length);
    }

    /// @dev A round from storage or its chapter; zero if there is none
    function _round(uint80 roundId) private view returns (Round memory round) {
        round = rounds[roundId];
        if (round.updatedAt != 0) return round;
        for (uint256 i = chapters.length; i > 0; i--) {
            Chapter memory chapter = chapters[i - 1];
            if (roundId < chapter.first) continue;
            uint256 place = roundId - chapter.first;
            if (place >= chapter.count) break;
            address at = chapter.at;
            uint256 packed;
            assembly ("memory-safe") {
                extcodecopy(at, 0, add(1, mul(32, place)), 32)
                packed := mload(0)
            }
            return Round({answer: int192(uint192(packed)), updatedAt: uint64(packed >> 192)});
        }
    }

    function _read(uint80 roundId) private view returns (uint80, int256, uint256, uint256, uint80) {
        Round memory round = _round(roundId);
        if (round.updatedAt == 0) revert NoData();
        return (roundId, round.answer, round.updatedAt, round.updatedAt, roundId);
    }
}
