// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title Many reads of one block in one eth_call, each bounded in gas and in size
/// @notice Meant to be put in place by a state override, so it needs no deployment.
contract Lens {
    struct Call {
        address target;
        bytes data;
    }

    struct Result {
        bool success;
        bytes data; // what was returned, or the revert data, cut at `mostBytes`
    }

    /// @dev One that fails for want of gas must not pass for one that reverts
    error TooManyCalls(uint256 done);

    /// @param gasEach Gas offered to each call, all of it or none are read
    /// @param mostBytes Bytes of an answer that are kept
    function read(uint256 gasEach, uint256 mostBytes, Call[] calldata calls)
        external
        view
        returns (uint256 blockNumber, Result[] memory results)
    {
        results = new Result[](calls.length);
        for (uint256 i = 0; i < calls.length; i++) {
            // A call is given no more than 63 parts of 64 of what is left (EIP-150).
            if (gasleft() < gasEach + gasEach / 32) revert TooManyCalls(i);
            (results[i].success, results[i].data) = _read(gasEach, mostBytes, calls[i]);
        }
        blockNumber = block.number;
    }

    function _read(uint256 gasEach, uint256 mostBytes, Call calldata call)
        private
        view
        returns (bool success, bytes memory data)
    {
        address target = call.target;
        bytes memory input = call.data;
        // A plain staticcall copies all of the answer, which a hostile target can make huge.
        assembly ("memory-safe") {
            success := staticcall(gasEach, target, add(input, 32), mload(input), 0, 0)
            let size := returndatasize()
            if gt(size, mostBytes) { size := mostBytes }
            data := mload(0x40)
            mstore(data, size)
            returndatacopy(add(data, 32), 0, size)
            mstore(0x40, and(add(add(data, size), 63), not(31)))
        }
    }
}
