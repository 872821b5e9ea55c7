// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {IPairV2, IPoolV3} from "./Interfaces.sol";

/// @title Swaps straight against Uniswap V2 pairs and V3 pools, without a router
abstract contract Swaps {
    using SafeERC20 for IERC20;

    struct Hop {
        address pool;
        bool v3; // whether it is a V3 pool
    }

    error NotThatPool(address caller);
    error TokenNotInPool(address token, address pool);

    uint160 private constant LEAST_SQRT_PRICE = 4295128740;
    uint160 private constant MOST_SQRT_PRICE = 1461446703485210103287273052203988822378723970341;

    /// @dev The pool whose callback is awaited; zero when none is.
    address private awaited;

    /// @notice Sell `amount` of `token` along `route`; returns the last token and its amount
    function _sell(address token, uint256 amount, Hop[] memory route) internal returns (address, uint256) {
        for (uint256 i = 0; i < route.length; i++) {
            (token, amount) = route[i].v3 ? _sellV3(route[i].pool, token, amount) : _sellV2(route[i].pool, token, amount);
        }
        return (token, amount);
    }

    /// @notice Pay a V3 pool for the swap it was asked for
    function uniswapV3SwapCallback(int256 amount0, int256 amount1, bytes calldata) external virtual {
        _payV3(amount0, amount1);
    }

    function _payV3(int256 amount0, int256 amount1) internal {
        if (msg.sender != awaited) revert NotThatPool(msg.sender);
        if (amount0 > 0) IERC20(IPoolV3(msg.sender).token0()).safeTransfer(msg.sender, uint256(amount0));
        if (amount1 > 0) IERC20(IPoolV3(msg.sender).token1()).safeTransfer(msg.sender, uint256(amount1));
    }

    /// @notice What a V2 pair pays for `amountIn`, with its fee of 0.3 %
    function _quoteV2(uint256 amountIn, uint256 reserveIn, uint256 reserveOut) internal pure returns (uint256) {
        uint256 net = amountIn * 997;
        return (net * reserveOut) / (reserveIn * 1000 + net);
    }

    function _sellV2(address pool, address token, uint256 amount) private returns (address, uint256) {
        (bool zeroForOne, address other) = _sides(pool, token);
        (uint112 reserve0, uint112 reserve1,) = IPairV2(pool).getReserves();
        uint256 out = zeroForOne ? _quoteV2(amount, reserve0, reserve1) : _quoteV2(amount, reserve1, reserve0);
        IERC20(token).safeTransfer(pool, amount);
        IPairV2(pool).swap(zeroForOne ? 0 : out, zeroForOne ? out : 0, address(this), "");
        return (other, out);
    }

    function _sellV3(address pool, address token, uint256 amount) private returns (address, uint256) {
        (bool zeroForOne, address other) = _sides(pool, token);
        awaited = pool;
        (int256 amount0, int256 amount1) = IPoolV3(pool).swap(
            address(this), zeroForOne, int256(amount), zeroForOne ? LEAST_SQRT_PRICE : MOST_SQRT_PRICE, ""
        );
        awaited = address(0);
        return (other, uint256(-(zeroForOne ? amount1 : amount0)));
    }

    function _sides(address pool, address token) internal view returns (bool zeroForOne, address other) {
        address token0 = IPairV2(pool).token0();
        address token1 = IPairV2(pool).token1();
        if (token != token0 && token != token1) revert TokenNotInPool(token, pool);
        return (token == token0, token == token0 ? token1 : token0);
    }
}
