# ruff: noqa: E501 - one signature to a line, however long
"""Functions that governance proposals call, by the kind of contract that has them.

Signatures are those of the published ABIs (Aave core-v3 1.19 and v3-origin 3.x,
Compound and Venus, OpenZeppelin 4 and 5, Safe 1.4, Multicall3). Where two kinds
share a function the first one listed names it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from .signatures import Fragment, parse_signature

_NEW_RESERVES = (
    "(address aTokenImpl, address stableDebtTokenImpl, address variableDebtTokenImpl,"
    " uint8 underlyingAssetDecimals, address interestRateStrategyAddress, address underlyingAsset,"
    " address treasury, address incentivesController, string aTokenName, string aTokenSymbol,"
    " string variableDebtTokenName, string variableDebtTokenSymbol, string stableDebtTokenName,"
    " string stableDebtTokenSymbol, bytes params)[] input"
)
_COLLATERAL_UPDATE = (
    "(address asset, address treasury, address incentivesController, string name,"
    " string symbol, address implementation, bytes params) input"
)
_DEBT_UPDATE = (
    "(address asset, address incentivesController, string name, string symbol,"
    " address implementation, bytes params) input"
)

_KINDS: dict[str, str] = {
    "Aave PoolConfigurator": f"""
        configureReserveAsCollateral(address asset, uint256 ltv, uint256 liquidationThreshold, uint256 liquidationBonus)
        dropReserve(address asset)
        initReserves({_NEW_RESERVES})
        setAssetEModeCategory(address asset, uint8 newCategoryId)
        setAssetCollateralInEMode(address asset, uint8 categoryId, bool collateral)
        setAssetBorrowableInEMode(address asset, uint8 categoryId, bool borrowable)
        setBorrowCap(address asset, uint256 newBorrowCap)
        setBorrowableInIsolation(address asset, bool borrowable)
        setDebtCeiling(address asset, uint256 newDebtCeiling)
        setEModeCategory(uint8 categoryId, uint16 ltv, uint16 liquidationThreshold, uint16 liquidationBonus, address oracle, string label)
        setEModeCategory(uint8 categoryId, uint16 ltv, uint16 liquidationThreshold, uint16 liquidationBonus, string label)
        setLiquidationProtocolFee(address asset, uint256 newFee)
        setPoolPause(bool paused)
        setPoolPause(bool paused, uint40 gracePeriod)
        setReserveActive(address asset, bool active)
        setReserveBorrowing(address asset, bool enabled)
        setReserveFactor(address asset, uint256 newReserveFactor)
        setReserveFlashLoaning(address asset, bool enabled)
        setReserveFreeze(address asset, bool freeze)
        setReserveInterestRateStrategyAddress(address asset, address newRateStrategyAddress)
        setReserveInterestRateStrategyAddress(address asset, address newRateStrategyAddress, bytes rateData)
        setReserveInterestRateData(address asset, bytes rateData)
        setReservePause(address asset, bool paused)
        setReservePause(address asset, bool paused, uint40 gracePeriod)
        setReserveStableRateBorrowing(address asset, bool enabled)
        setSiloedBorrowing(address asset, bool newSiloed)
        setSupplyCap(address asset, uint256 newSupplyCap)
        setUnbackedMintCap(address asset, uint256 newUnbackedMintCap)
        updateAToken({_COLLATERAL_UPDATE})
        updateBridgeProtocolFee(uint256 newBridgeProtocolFee)
        updateFlashloanPremiumToProtocol(uint128 newFlashloanPremiumToProtocol)
        updateFlashloanPremiumTotal(uint128 newFlashloanPremiumTotal)
        updateStableDebtToken({_DEBT_UPDATE})
        updateVariableDebtToken({_DEBT_UPDATE})
    """,
    "Aave V2 LendingPoolConfigurator": """
        enableBorrowingOnReserve(address asset, bool stableBorrowRateEnabled)
        disableBorrowingOnReserve(address asset)
        enableReserveStableRate(address asset)
        disableReserveStableRate(address asset)
        activateReserve(address asset)
        deactivateReserve(address asset)
        freezeReserve(address asset)
        unfreezeReserve(address asset)
    """,
    "Aave ACLManager": """
        addAssetListingAdmin(address admin)
        addBridge(address bridge)
        addEmergencyAdmin(address admin)
        addFlashBorrower(address borrower)
        addPoolAdmin(address admin)
        addRiskAdmin(address admin)
        removeAssetListingAdmin(address admin)
        removeBridge(address bridge)
        removeEmergencyAdmin(address admin)
        removeFlashBorrower(address borrower)
        removePoolAdmin(address admin)
        removeRiskAdmin(address admin)
        setRoleAdmin(bytes32 role, bytes32 adminRole)
    """,
    "Aave oracle": """
        setAssetSources(address[] assets, address[] sources)
        setFallbackOracle(address fallbackOracle)
    """,
    "Aave PoolAddressesProvider": """
        setACLAdmin(address newAclAdmin)
        setACLManager(address newAclManager)
        setAddress(bytes32 id, address newAddress)
        setAddressAsProxy(bytes32 id, address newImplementationAddress)
        setMarketId(string newMarketId)
        setPoolConfiguratorImpl(address newPoolConfiguratorImpl)
        setPoolDataProvider(address newDataProvider)
        setPoolImpl(address newPoolImpl)
        setPriceOracle(address newPriceOracle)
        setPriceOracleSentinel(address newPriceOracleSentinel)
        setLendingPoolImpl(address pool)
        setLendingPoolConfiguratorImpl(address configurator)
        registerAddressesProvider(address provider, uint256 id)
        unregisterAddressesProvider(address provider)
    """,
    "Aave V2 executor": """
        queueTransaction(address target, uint256 value, string signature, bytes data, uint256 executionTime, bool withDelegatecall)
        executeTransaction(address target, uint256 value, string signature, bytes data, uint256 executionTime, bool withDelegatecall)
        cancelTransaction(address target, uint256 value, string signature, bytes data, uint256 executionTime, bool withDelegatecall)
        queue(address[] targets, uint256[] values, string[] signatures, bytes[] calldatas, bool[] withDelegatecalls)
    """,
    "Compound comptroller": """
        _become(address unitroller)
        _become(address unitroller, uint256 compRate, address[] compMarketsToAdd, address[] otherMarketsToAdd)
        _grantComp(address recipient, uint256 amount)
        _grantXVS(address recipient, uint256 amount)
        _setAccessControl(address newAccessControlAddress)
        _setActionsPaused(address[] markets, uint8[] actions, bool paused)
        _setBorrowCapGuardian(address newBorrowCapGuardian)
        _setBorrowPaused(address cToken, bool state)
        _setCloseFactor(uint256 newCloseFactorMantissa)
        _setCollateralFactor(address cToken, uint256 newCollateralFactorMantissa)
        _setCompRate(uint256 compRate)
        _setCompSpeed(address cToken, uint256 compSpeed)
        _setCompSpeeds(address[] cTokens, uint256[] supplySpeeds, uint256[] borrowSpeeds)
        _setComptrollerLens(address comptrollerLens)
        _setContributorCompSpeed(address contributor, uint256 compSpeed)
        _setLiquidationIncentive(uint256 newLiquidationIncentiveMantissa)
        _setLiquidatorContract(address newLiquidatorContract)
        _setMarketBorrowCaps(address[] cTokens, uint256[] newBorrowCaps)
        _setMarketSupplyCaps(address[] cTokens, uint256[] newSupplyCaps)
        _setMaxAssets(uint256 newMaxAssets)
        _setMintPaused(address cToken, bool state)
        _setPauseGuardian(address newPauseGuardian)
        _setPriceOracle(address newOracle)
        _setProtocolPaused(bool state)
        _setSeizePaused(bool state)
        _setTransferPaused(bool state)
        _setTreasuryData(address newTreasuryGuardian, address newTreasuryAddress, uint256 newTreasuryPercent)
        _setVAIController(address vaiController)
        _setVAIMintRate(uint256 newVAIMintRate)
        _setVAIVaultInfo(address vault, uint256 releaseStartBlock, uint256 minReleaseAmount)
        _setVenusSpeeds(address[] vTokens, uint256[] supplySpeeds, uint256[] borrowSpeeds)
        _setVenusVAIVaultRate(uint256 venusVAIVaultRate)
        _supportMarket(address cToken)
        supportMarket(address vToken)
        unlistMarket(address market)
        setCollateralFactor(address vToken, uint256 newCollateralFactorMantissa, uint256 newLiquidationThresholdMantissa)
        setMarketBorrowCaps(address[] vTokens, uint256[] newBorrowCaps)
        setMarketSupplyCaps(address[] vTokens, uint256[] newSupplyCaps)
        setActionsPaused(address[] markets, uint8[] actions, bool paused)
        setCloseFactor(uint256 newCloseFactorMantissa)
        setLiquidationIncentive(uint256 newLiquidationIncentiveMantissa)
        fixBadAccruals(address[] affectedUsers, uint256[] amounts)
        enterMarkets(address[] cTokens)
        exitMarket(address cToken)
    """,
    "Compound token": """
        _acceptAdmin()
        _acceptImplementation()
        _addReserves(uint256 addAmount)
        _becomeImplementation(bytes data)
        _delegateCompLikeTo(address compLikeDelegatee)
        _reduceReserves(uint256 reduceAmount)
        _resignImplementation()
        _setComptroller(address newComptroller)
        _setImplementation(address implementation, bool allowResign, bytes becomeImplementationData)
        _setInterestRateModel(address newInterestRateModel)
        _setPendingAdmin(address newPendingAdmin)
        _setPendingImplementation(address newPendingImplementation)
        _setReserveFactor(uint256 newReserveFactorMantissa)
        accrueInterest()
        borrow(uint256 borrowAmount)
        mint(uint256 mintAmount)
        redeem(uint256 redeemTokens)
        redeemUnderlying(uint256 redeemAmount)
        repayBorrow(uint256 repayAmount)
        repayBorrowBehalf(address borrower, uint256 repayAmount)
        liquidateBorrow(address borrower, uint256 repayAmount, address cTokenCollateral)
        sweepToken(address token)
    """,
    "Compound or Venus oracle": """
        setDirectPrice(address asset, uint256 price)
        setFeed(string symbol, address feed)
        setUnderlyingPrice(address cToken, uint256 underlyingPriceMantissa)
        setTokenConfig((address asset, address[3] oracles, bool[3] enableFlagsForOracles) tokenConfig)
        setTokenConfigs((address asset, address[3] oracles, bool[3] enableFlagsForOracles)[] tokenConfigs)
        setOracle(address asset, address oracle, uint8 role)
    """,
    "Compound III configurator": """
        setBaseTokenPriceFeed(address cometProxy, address newBaseTokenPriceFeed)
        addAsset(address cometProxy, (address asset, address priceFeed, uint8 decimals, uint64 borrowCollateralFactor, uint64 liquidateCollateralFactor, uint64 liquidationFactor, uint128 supplyCap) assetConfig)
        updateAssetBorrowCollateralFactor(address cometProxy, address asset, uint64 newBorrowCF)
        updateAssetLiquidateCollateralFactor(address cometProxy, address asset, uint64 newLiquidateCF)
        updateAssetLiquidationFactor(address cometProxy, address asset, uint64 newLiquidationFactor)
        updateAssetPriceFeed(address cometProxy, address asset, address newPriceFeed)
        updateAssetSupplyCap(address cometProxy, address asset, uint128 newSupplyCap)
        deployAndUpgradeTo(address configuratorProxy, address cometProxy)
    """,
    "ERC-20 token": """
        approve(address spender, uint256 amount)
        transfer(address to, uint256 amount)
        transferFrom(address from, address to, uint256 amount)
        increaseAllowance(address spender, uint256 addedValue)
        decreaseAllowance(address spender, uint256 subtractedValue)
        permit(address owner, address spender, uint256 value, uint256 deadline, uint8 v, bytes32 r, bytes32 s)
        mint(address to, uint256 amount)
        burn(uint256 amount)
        burn(address from, uint256 amount)
        burnFrom(address from, uint256 amount)
        delegate(address delegatee)
        deposit()
        withdraw(uint256 amount)
    """,
    "access control": """
        grantRole(bytes32 role, address account)
        revokeRole(bytes32 role, address account)
        renounceRole(bytes32 role, address account)
        beginDefaultAdminTransfer(address newAdmin)
        acceptDefaultAdminTransfer()
        giveCallPermission(address contractAddress, string functionSig, address accountToPermit)
        revokeCallPermission(address contractAddress, string functionSig, address accountToRevoke)
        setAuthority(address newAuthority)
    """,
    "ownership": """
        transferOwnership(address newOwner)
        acceptOwnership()
        renounceOwnership()
        setOwner(address newOwner)
        pause()
        unpause()
    """,
    "upgradeable proxy": """
        upgradeTo(address newImplementation)
        upgradeToAndCall(address newImplementation, bytes data)
        changeAdmin(address newAdmin)
        changeProxyAdmin(address proxy, address newAdmin)
        upgrade(address proxy, address implementation)
        upgradeAndCall(address proxy, address implementation, bytes data)
        setImplementation(address newImplementation)
        _setImplementation(address implementation)
    """,
    "OpenZeppelin timelock": """
        schedule(address target, uint256 value, bytes data, bytes32 predecessor, bytes32 salt, uint256 delay)
        scheduleBatch(address[] targets, uint256[] values, bytes[] payloads, bytes32 predecessor, bytes32 salt, uint256 delay)
        execute(address target, uint256 value, bytes payload, bytes32 predecessor, bytes32 salt)
        executeBatch(address[] targets, uint256[] values, bytes[] payloads, bytes32 predecessor, bytes32 salt)
        cancel(bytes32 id)
        updateDelay(uint256 newDelay)
    """,
    "Compound timelock": """
        queueTransaction(address target, uint256 value, string signature, bytes data, uint256 eta)
        executeTransaction(address target, uint256 value, string signature, bytes data, uint256 eta)
        cancelTransaction(address target, uint256 value, string signature, bytes data, uint256 eta)
        setDelay(uint256 delay)
        setPendingAdmin(address pendingAdmin)
        acceptAdmin()
    """,
    "OpenZeppelin governor": """
        propose(address[] targets, uint256[] values, bytes[] calldatas, string description)
        queue(address[] targets, uint256[] values, bytes[] calldatas, bytes32 descriptionHash)
        execute(address[] targets, uint256[] values, bytes[] calldatas, bytes32 descriptionHash)
        cancel(address[] targets, uint256[] values, bytes[] calldatas, bytes32 descriptionHash)
        relay(address target, uint256 value, bytes data)
        setVotingDelay(uint256 newVotingDelay)
        setVotingDelay(uint48 newVotingDelay)
        setVotingPeriod(uint256 newVotingPeriod)
        setVotingPeriod(uint32 newVotingPeriod)
        setProposalThreshold(uint256 newProposalThreshold)
        updateQuorumNumerator(uint256 newQuorumNumerator)
        updateTimelock(address newTimelock)
        setLateQuorumVoteExtension(uint64 newVoteExtension)
    """,
    "GovernorBravo": """
        propose(address[] targets, uint256[] values, string[] signatures, bytes[] calldatas, string description)
        propose(address[] targets, uint256[] values, string[] signatures, bytes[] calldatas, string description, uint8 proposalType)
        queue(uint256 proposalId)
        execute(uint256 proposalId)
        cancel(uint256 proposalId)
        castVote(uint256 proposalId, uint8 support)
        _initiate(address governorAlpha)
        _initiate(uint256 proposalCount)
        _setGuardian(address newGuardian)
        _setProposalMaxOperations(uint256 proposalMaxOperations)
        _setProposalThreshold(uint256 newProposalThreshold)
        _setVotingDelay(uint256 newVotingDelay)
        _setVotingPeriod(uint256 newVotingPeriod)
        _setWhitelistGuardian(address account)
        _setWhitelistAccountExpiration(address account, uint256 expiration)
    """,
    "Safe": """
        execTransaction(address to, uint256 value, bytes data, uint8 operation, uint256 safeTxGas, uint256 baseGas, uint256 gasPrice, address gasToken, address refundReceiver, bytes signatures)
        execTransactionFromModule(address to, uint256 value, bytes data, uint8 operation)
        execTransactionFromModuleReturnData(address to, uint256 value, bytes data, uint8 operation)
        multiSend(bytes transactions)
        addOwnerWithThreshold(address owner, uint256 threshold)
        removeOwner(address prevOwner, address owner, uint256 threshold)
        swapOwner(address prevOwner, address oldOwner, address newOwner)
        changeThreshold(uint256 threshold)
        enableModule(address module)
        disableModule(address prevModule, address module)
        setGuard(address guard)
        setFallbackHandler(address handler)
    """,
    "multicall": """
        multicall(bytes[] data)
        multicall(uint256 deadline, bytes[] data)
        multicall(bytes32 previousBlockhash, bytes[] data)
        aggregate((address target, bytes callData)[] calls)
        aggregate3((address target, bool allowFailure, bytes callData)[] calls)
        aggregate3Value((address target, bool allowFailure, uint256 value, bytes callData)[] calls)
        blockAndAggregate((address target, bytes callData)[] calls)
        tryAggregate(bool requireSuccess, (address target, bytes callData)[] calls)
        tryBlockAndAggregate(bool requireSuccess, (address target, bytes callData)[] calls)
    """,
    "forwarding agent": """
        execute(address target, uint256 value, bytes data)
        execute(address target, bytes data)
        executeBatch((address target, uint256 value, bytes data)[] calls)
        forward(bytes evmScript)
    """,
    "bridge": """
        sendMessageToChild(address receiver, bytes data)
        createRetryableTicket(address to, uint256 l2CallValue, uint256 maxSubmissionCost, address excessFeeRefundAddress, address callValueRefundAddress, uint256 gasLimit, uint256 maxFeePerGas, bytes data)
        sendMessage(address target, bytes message, uint32 minGasLimit)
        depositTransaction(address to, uint256 value, uint64 gasLimit, bool isCreation, bytes data)
    """,
    "treasury": """
        transfer(address token, address recipient, uint256 amount)
        approve(address token, address recipient, uint256 amount)
        transfer(address collector, address token, address recipient, uint256 amount)
        approve(address collector, address token, address recipient, uint256 amount)
        createStream(address collector, address recipient, uint256 deposit, address tokenAddress, uint256 startTime, uint256 stopTime)
        createStream(address recipient, uint256 deposit, address tokenAddress, uint256 startTime, uint256 stopTime)
        cancelStream(uint256 streamId)
    """,
    "ENS": """
        setAddr(bytes32 node, address addr)
        setText(bytes32 node, string key, string value)
        setContenthash(bytes32 node, bytes hash)
        setResolver(bytes32 node, address resolver)
        setSubnodeOwner(bytes32 node, bytes32 label, address owner)
    """,
    "payload": """
        execute()
        execute(address target)
    """,
}


@dataclass(frozen=True, kw_only=True)
class KnownCall:
    """A function of a known kind of contract."""

    kind: str  # e.g. "Aave PoolConfigurator"
    fragment: Fragment  # its signature with parameter names


@cache
def known_calls() -> dict[bytes, KnownCall]:
    """Return the known functions by selector."""
    found: dict[bytes, KnownCall] = {}
    for kind, block in _KINDS.items():
        for line in block.strip().splitlines():
            fragment = parse_signature(line.strip())
            found.setdefault(fragment.selector, KnownCall(kind=kind, fragment=fragment))
    return found
