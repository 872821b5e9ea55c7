// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {IAavePool, ICompoundMarket, IPairV2} from "./Interfaces.sol";
import {Swaps} from "./Swaps.sol";

/// @title Liquidate with borrowed money: flash loan or flash swap, liquidation, sale, repayment
/// @notice What is left over goes to the owner; a loss reverts everything.
contract FlashLiquidator is Swaps {
    using SafeERC20 for IERC20;

    struct Liquidation {
        bool compound; // the protocol's family: Compound V2, otherwise Aave V3
        address protocol; // Aave: the pool; Compound: the market borrowed from
        address collateral; // Aave: the asset; Compound: the market of the collateral
        address debt; // the asset to repay
        address borrower;
        uint256 amount; // debt to repay, base units
        Hop[] route; // how the seized asset becomes the debt asset; empty if they are one
        uint256 leastProfit; // in the debt asset, base units
    }

    event Liquidated(address indexed borrower, address indexed debt, uint256 repaid, uint256 profit);

    error NotOwner(address caller);
    error NotAwaited(address caller);
    error Unprofitable(uint256 left, uint256 owed, uint256 leastProfit);
    error CompoundError(uint256 code);
    error RouteEndsElsewhere(address token);

    address public immutable owner;
    address private lender;

    constructor(address owner_) {
        owner = owner_;
    }

    /// @notice Liquidate with a flash loan of the Aave pool `source`
    function withFlashLoan(address source, Liquidation calldata job) external {
        _open(source);
        IAavePool(source).flashLoanSimple(address(this), job.debt, job.amount, abi.encode(job), 0);
        _close(job);
    }

    /// @notice Liquidate with a flash swap of the Uniswap V2 pair `source`, repaid in the debt asset
    function withFlashSwap(address source, Liquidation calldata job) external {
        _open(source);
        (bool isToken0,) = _sides(source, job.debt);
        IPairV2(source).swap(isToken0 ? job.amount : 0, isToken0 ? 0 : job.amount, address(this), abi.encode(job));
        _close(job);
    }

    /// @dev Called by an Aave pool in the middle of its flash loan
    function executeOperation(address asset, uint256 amount, uint256 premium, address initiator, bytes calldata params)
        external
        returns (bool)
    {
        if (msg.sender != lender || initiator != address(this)) revert NotAwaited(msg.sender);
        _liquidate(abi.decode(params, (Liquidation)));
        _afford(asset, amount + premium, abi.decode(params, (Liquidation)).leastProfit);
        IERC20(asset).forceApprove(msg.sender, amount + premium);
        return true;
    }

    /// @dev Called by a Uniswap V2 pair in the middle of its swap
    function uniswapV2Call(address sender, uint256, uint256, bytes calldata data) external {
        if (msg.sender != lender || sender != address(this)) revert NotAwaited(msg.sender);
        Liquidation memory job = abi.decode(data, (Liquidation));
        _liquidate(job);
        uint256 owed = (job.amount * 1000) / 997 + 1;
        _afford(job.debt, owed, job.leastProfit);
        IERC20(job.debt).safeTransfer(msg.sender, owed);
    }

    function _open(address source) private {
        if (msg.sender != owner) revert NotOwner(msg.sender);
        lender = source;
    }

    function _close(Liquidation calldata job) private {
        lender = address(0);
        uint256 profit = IERC20(job.debt).balanceOf(address(this));
        IERC20(job.debt).safeTransfer(owner, profit);
        emit Liquidated(job.borrower, job.debt, job.amount, profit);
    }

    function _liquidate(Liquidation memory job) private {
        IERC20(job.debt).forceApprove(job.protocol, job.amount);
        address seized = job.collateral;
        if (job.compound) {
            _check(ICompoundMarket(job.protocol).liquidateBorrow(job.borrower, job.amount, job.collateral));
            ICompoundMarket market = ICompoundMarket(job.collateral);
            _check(market.redeem(market.balanceOf(address(this))));
            seized = market.underlying();
        } else {
            IAavePool(job.protocol).liquidationCall(job.collateral, job.debt, job.borrower, job.amount, false);
        }
        if (seized == job.debt) return;
        (address token,) = _sell(seized, IERC20(seized).balanceOf(address(this)), job.route);
        if (token != job.debt) revert RouteEndsElsewhere(token);
    }

    function _afford(address asset, uint256 owed, uint256 leastProfit) private view {
        uint256 left = IERC20(asset).balanceOf(address(this));
        if (left < owed + leastProfit) revert Unprofitable(left, owed, leastProfit);
    }

    function _check(uint256 code) private pure {
        if (code != 0) revert CompoundError(code);
    }
}
