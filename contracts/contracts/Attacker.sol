// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {IAavePool, IPairV2, IPoolV3} from "./Interfaces.sol";
import {Swaps} from "./Swaps.sol";

/// @title Any calls in one transaction, on own or on borrowed money
/// @notice The adversary of the arena. A flash loan's or flash swap's inner calls run while
/// the money is here; it must be back when they end.
contract Attacker is Swaps {
    using SafeERC20 for IERC20;

    struct Call {
        address target;
        uint256 value; // wei
        bytes data;
        bool mayFail; // whether the rest goes on if this one reverts
    }

    /// @dev One word of what a contract answers now.
    struct Read {
        address source;
        bytes query;
        uint256 word; // number of the 32-byte word in the answer
    }

    /// @dev numerator * over... / under... / denominator, of what is read now.
    struct Quotient {
        Read[] over;
        Read[] under;
        uint256 numerator;
        uint256 denominator;
    }

    /// @dev A place in a call that is filled in when the call is made.
    struct Blank {
        uint256 offset; // of the 32 bytes in the data; VALUE for the wei sent along
        Quotient[] amounts; // the least of them is taken
    }

    struct Step {
        address target;
        uint256 value; // wei
        bytes data;
        bool mayFail; // whether the rest goes on if this one reverts
        Blank[] blanks;
    }

    error NotOwner(address caller);
    error NothingToRead(address source);
    error NotAwaited(address caller);
    error CallFailed(uint256 index, bytes reason);

    uint256 private constant VALUE = type(uint256).max;

    address public immutable owner;
    address private lender;

    constructor(address owner_) payable {
        owner = owner_;
    }

    receive() external payable {}

    modifier onlyOwner() {
        // The contract itself may call, so that a batch can nest loans.
        if (msg.sender != owner && msg.sender != address(this)) revert NotOwner(msg.sender);
        _;
    }

    /// @notice Make `calls` in order; returns whether each succeeded and what it returned
    function run(Call[] calldata calls)
        external
        payable
        onlyOwner
        returns (bool[] memory succeeded, bytes[] memory answers)
    {
        return _run(calls);
    }

    /// @notice What it holds of the native coin
    function wealth() external view returns (uint256) {
        return address(this).balance;
    }

    /// @notice Make the calls of `steps` in order, with amounts that are read when each is made
    function perform(Step[] calldata steps) external payable onlyOwner {
        address source = lender;
        for (uint256 i = 0; i < steps.length; i++) {
            Step calldata step = steps[i];
            bytes memory data = step.data;
            uint256 value = step.value;
            for (uint256 j = 0; j < step.blanks.length; j++) {
                uint256 amount = _least(step.blanks[j].amounts);
                uint256 offset = step.blanks[j].offset;
                if (offset == VALUE) {
                    value = amount;
                } else {
                    assembly {
                        mstore(add(add(data, 32), offset), amount)
                    }
                }
            }
            (bool succeeded, bytes memory answer) = step.target.call{value: value}(data);
            if (!succeeded && !step.mayFail) revert CallFailed(i, answer);
            lender = source;
        }
    }

    /// @notice Sell all of `token` that is here, along `route`
    function sellAll(address token, Hop[] calldata route) external onlyOwner returns (uint256 received) {
        (, received) = _sell(token, IERC20(token).balanceOf(address(this)), route);
    }

    /// @notice Sell `amount` of `token` along `route`
    function sell(address token, uint256 amount, Hop[] calldata route) external onlyOwner returns (uint256 received) {
        (, received) = _sell(token, amount, route);
    }

    /// @notice Borrow `amount` of `asset` from an Aave pool for the time of `calls`
    function withFlashLoan(address pool, address asset, uint256 amount, Call[] calldata calls) external onlyOwner {
        address outer = _await(pool);
        IAavePool(pool).flashLoanSimple(address(this), asset, amount, abi.encode(calls), 0);
        lender = outer;
    }

    /// @notice Take tokens out of a Uniswap V2 pair for the time of `calls`; repaid in kind
    function withFlashSwap(address pair, uint256 amount0, uint256 amount1, Call[] calldata calls) external onlyOwner {
        address outer = _await(pair);
        IPairV2(pair).swap(amount0, amount1, address(this), abi.encode(calls));
        lender = outer;
    }

    /// @notice Take tokens out of a Uniswap V3 pool for the time of `calls`; repaid in kind
    function withFlash(address pool, uint256 amount0, uint256 amount1, Call[] calldata calls) external onlyOwner {
        address outer = _await(pool);
        IPoolV3(pool).flash(address(this), amount0, amount1, abi.encode(amount0, amount1, calls));
        lender = outer;
    }

    /// @notice Send everything of `token` to the owner
    function sweep(address token) external onlyOwner {
        IERC20(token).safeTransfer(owner, IERC20(token).balanceOf(address(this)));
    }

    function executeOperation(address asset, uint256 amount, uint256 premium, address initiator, bytes calldata params)
        external
        returns (bool)
    {
        if (msg.sender != lender || initiator != address(this)) revert NotAwaited(msg.sender);
        _run(abi.decode(params, (Call[])));
        IERC20(asset).forceApprove(msg.sender, amount + premium);
        return true;
    }

    function uniswapV2Call(address sender, uint256 amount0, uint256 amount1, bytes calldata data) external {
        if (msg.sender != lender || sender != address(this)) revert NotAwaited(msg.sender);
        address pair = msg.sender;
        _run(abi.decode(data, (Call[])));
        if (amount0 > 0) IERC20(IPairV2(pair).token0()).safeTransfer(pair, (amount0 * 1000) / 997 + 1);
        if (amount1 > 0) IERC20(IPairV2(pair).token1()).safeTransfer(pair, (amount1 * 1000) / 997 + 1);
    }

    function uniswapV3FlashCallback(uint256 fee0, uint256 fee1, bytes calldata data) external {
        if (msg.sender != lender) revert NotAwaited(msg.sender);
        address pool = msg.sender;
        (uint256 amount0, uint256 amount1, Call[] memory calls) = abi.decode(data, (uint256, uint256, Call[]));
        _run(calls);
        if (amount0 > 0) IERC20(IPoolV3(pool).token0()).safeTransfer(pool, amount0 + fee0);
        if (amount1 > 0) IERC20(IPoolV3(pool).token1()).safeTransfer(pool, amount1 + fee1);
    }

    function _least(Quotient[] calldata amounts) private view returns (uint256 least) {
        least = type(uint256).max;
        for (uint256 i = 0; i < amounts.length; i++) {
            uint256 amount = amounts[i].numerator;
            for (uint256 j = 0; j < amounts[i].over.length; j++) {
                amount *= _read(amounts[i].over[j]);
            }
            for (uint256 j = 0; j < amounts[i].under.length; j++) {
                amount /= _read(amounts[i].under[j]);
            }
            amount /= amounts[i].denominator;
            if (amount < least) least = amount;
        }
    }

    function _read(Read calldata what) private view returns (uint256 word) {
        (bool succeeded, bytes memory answer) = what.source.staticcall(what.query);
        uint256 at = 32 * (what.word + 1);
        if (!succeeded || answer.length < at) revert NothingToRead(what.source);
        assembly {
            word := mload(add(answer, at))
        }
    }

    function _await(address source) private returns (address outer) {
        outer = lender;
        lender = source;
    }

    function _run(Call[] memory calls) private returns (bool[] memory succeeded, bytes[] memory answers) {
        succeeded = new bool[](calls.length);
        answers = new bytes[](calls.length);
        address source = lender;
        for (uint256 i = 0; i < calls.length; i++) {
            (succeeded[i], answers[i]) = calls[i].target.call{value: calls[i].value}(calls[i].data);
            if (!succeeded[i] && !calls[i].mayFail) revert CallFailed(i, answers[i]);
            lender = source;
        }
    }
}
