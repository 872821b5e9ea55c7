// SPDX-License-Identifier: MIT
pragma solidity ^0.8.20;

interface IToken {
    function decimals() external view returns (uint8);
    function transfer(address to, uint256 amount) external returns (bool);
    function transferFrom(address from, address to, uint256 amount) external returns (bool);
}

interface IFeed {
    function latestRoundData() external view returns (uint80, int256, uint256, uint256, uint80);
}

/// Lends one token against one other, without interest: the smallest protocol that can go insolvent.
contract ExampleLend {
    IToken public immutable collateral;
    IToken public immutable asset;
    IFeed public immutable collateralFeed;
    IFeed public immutable assetFeed;
    address public immutable owner;

    // Basis points; the bonus is net.
    uint256 public ltv = 7500;
    uint256 public threshold = 8000;
    uint256 public bonus = 500;

    mapping(address => uint256) public collateralOf;
    mapping(address => uint256) public debtOf;
    uint256 public totalCollateral;
    uint256 public totalDebt;

    event Borrowed(address indexed account, uint256 amount);

    constructor(IToken collateral_, IToken asset_, IFeed collateralFeed_, IFeed assetFeed_, address owner_) {
        (collateral, asset, owner) = (collateral_, asset_, owner_);
        (collateralFeed, assetFeed) = (collateralFeed_, assetFeed_);
    }

    function setRisk(uint256 ltv_, uint256 threshold_, uint256 bonus_) external {
        require(msg.sender == owner, "only the owner");
        require(ltv_ <= threshold_, "ltv above threshold");
        require(threshold_ * (10000 + bonus_) <= 1e8, "threshold with bonus above 100%");
        (ltv, threshold, bonus) = (ltv_, threshold_, bonus_);
    }

    function deposit(uint256 amount) external {
        collateralOf[msg.sender] += amount;
        totalCollateral += amount;
        collateral.transferFrom(msg.sender, address(this), amount);
    }

    function borrow(uint256 amount) external {
        debtOf[msg.sender] += amount;
        totalDebt += amount;
        require(_ratio(msg.sender, ltv) >= 1e18, "not enough collateral");
        asset.transfer(msg.sender, amount);
        emit Borrowed(msg.sender, amount);
    }

    function repay(uint256 amount) external {
        debtOf[msg.sender] -= amount;
        totalDebt -= amount;
        asset.transferFrom(msg.sender, address(this), amount);
    }

    function liquidate(address account, uint256 amount) external {
        require(healthFactor(account) < 1e18, "healthy");
        require(amount * 2 <= debtOf[account], "more than half of the debt");
        uint256 seized = _worth(asset, assetFeed, amount) * (10000 + bonus) * 10 ** collateral.decimals()
            / (10000 * _price(collateralFeed));
        debtOf[account] -= amount;
        totalDebt -= amount;
        collateralOf[account] -= seized;
        totalCollateral -= seized;
        asset.transferFrom(msg.sender, address(this), amount);
        collateral.transfer(msg.sender, seized);
    }

    /// 1e18 where collateral weighted by the threshold is worth as much as the debt.
    function healthFactor(address account) public view returns (uint256) {
        return _ratio(account, threshold);
    }

    function _ratio(address account, uint256 weight) private view returns (uint256) {
        uint256 debt = _worth(asset, assetFeed, debtOf[account]);
        if (debt == 0) return type(uint256).max;
        return _worth(collateral, collateralFeed, collateralOf[account]) * weight * 1e14 / debt;
    }

    function _worth(IToken token, IFeed feed, uint256 amount) private view returns (uint256) {
        return amount * _price(feed) / 10 ** token.decimals();
    }

    function _price(IFeed feed) private view returns (uint256) {
        (, int256 answer,,,) = feed.latestRoundData();
        return uint256(answer);
    }
}
