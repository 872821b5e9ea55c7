"""Aave V3's errors, which cores up to 3.4 revert with as a number in text: "20".

Sources: Errors.sol of core-v3 1.19.3 (1 to 91) and of aave-v3-origin 3.1 to 3.3
(92 to 104). Later cores revert with custom errors of the same names.
"""

from __future__ import annotations

from evaluator.chain.abi import Abi

ERRORS = {
    1: "CALLER_NOT_POOL_ADMIN",
    2: "CALLER_NOT_EMERGENCY_ADMIN",
    3: "CALLER_NOT_POOL_OR_EMERGENCY_ADMIN",
    4: "CALLER_NOT_RISK_OR_POOL_ADMIN",
    5: "CALLER_NOT_ASSET_LISTING_OR_POOL_ADMIN",
    6: "CALLER_NOT_BRIDGE",
    7: "ADDRESSES_PROVIDER_NOT_REGISTERED",
    8: "INVALID_ADDRESSES_PROVIDER_ID",
    9: "NOT_CONTRACT",
    10: "CALLER_NOT_POOL_CONFIGURATOR",
    11: "CALLER_NOT_ATOKEN",
    12: "INVALID_ADDRESSES_PROVIDER",
    13: "INVALID_FLASHLOAN_EXECUTOR_RETURN",
    14: "RESERVE_ALREADY_ADDED",
    15: "NO_MORE_RESERVES_ALLOWED",
    16: "EMODE_CATEGORY_RESERVED",
    17: "INVALID_EMODE_CATEGORY_ASSIGNMENT",
    18: "RESERVE_LIQUIDITY_NOT_ZERO",
    19: "FLASHLOAN_PREMIUM_INVALID",
    20: "INVALID_RESERVE_PARAMS",
    21: "INVALID_EMODE_CATEGORY_PARAMS",
    22: "BRIDGE_PROTOCOL_FEE_INVALID",
    23: "CALLER_MUST_BE_POOL",
    24: "INVALID_MINT_AMOUNT",
    25: "INVALID_BURN_AMOUNT",
    26: "INVALID_AMOUNT",
    27: "RESERVE_INACTIVE",
    28: "RESERVE_FROZEN",
    29: "RESERVE_PAUSED",
    30: "BORROWING_NOT_ENABLED",
    31: "STABLE_BORROWING_NOT_ENABLED",
    32: "NOT_ENOUGH_AVAILABLE_USER_BALANCE",
    33: "INVALID_INTEREST_RATE_MODE_SELECTED",
    34: "COLLATERAL_BALANCE_IS_ZERO",
    35: "HEALTH_FACTOR_LOWER_THAN_LIQUIDATION_THRESHOLD",
    36: "COLLATERAL_CANNOT_COVER_NEW_BORROW",
    37: "COLLATERAL_SAME_AS_BORROWING_CURRENCY",
    38: "AMOUNT_BIGGER_THAN_MAX_LOAN_SIZE_STABLE",
    39: "NO_DEBT_OF_SELECTED_TYPE",
    40: "NO_EXPLICIT_AMOUNT_TO_REPAY_ON_BEHALF",
    41: "NO_OUTSTANDING_STABLE_DEBT",
    42: "NO_OUTSTANDING_VARIABLE_DEBT",
    43: "UNDERLYING_BALANCE_ZERO",
    44: "INTEREST_RATE_REBALANCE_CONDITIONS_NOT_MET",
    45: "HEALTH_FACTOR_NOT_BELOW_THRESHOLD",
    46: "COLLATERAL_CANNOT_BE_LIQUIDATED",
    47: "SPECIFIED_CURRENCY_NOT_BORROWED_BY_USER",
    49: "INCONSISTENT_FLASHLOAN_PARAMS",
    50: "BORROW_CAP_EXCEEDED",
    51: "SUPPLY_CAP_EXCEEDED",
    52: "UNBACKED_MINT_CAP_EXCEEDED",
    53: "DEBT_CEILING_EXCEEDED",
    54: "UNDERLYING_CLAIMABLE_RIGHTS_NOT_ZERO",
    55: "STABLE_DEBT_NOT_ZERO",
    56: "VARIABLE_DEBT_SUPPLY_NOT_ZERO",
    57: "LTV_VALIDATION_FAILED",
    58: "INCONSISTENT_EMODE_CATEGORY",
    59: "PRICE_ORACLE_SENTINEL_CHECK_FAILED",
    60: "ASSET_NOT_BORROWABLE_IN_ISOLATION",
    61: "RESERVE_ALREADY_INITIALIZED",
    62: "USER_IN_ISOLATION_MODE_OR_LTV_ZERO",
    63: "INVALID_LTV",
    64: "INVALID_LIQ_THRESHOLD",
    65: "INVALID_LIQ_BONUS",
    66: "INVALID_DECIMALS",
    67: "INVALID_RESERVE_FACTOR",
    68: "INVALID_BORROW_CAP",
    69: "INVALID_SUPPLY_CAP",
    70: "INVALID_LIQUIDATION_PROTOCOL_FEE",
    71: "INVALID_EMODE_CATEGORY",
    72: "INVALID_UNBACKED_MINT_CAP",
    73: "INVALID_DEBT_CEILING",
    74: "INVALID_RESERVE_INDEX",
    75: "ACL_ADMIN_CANNOT_BE_ZERO",
    76: "INCONSISTENT_PARAMS_LENGTH",
    77: "ZERO_ADDRESS_NOT_VALID",
    78: "INVALID_EXPIRATION",
    79: "INVALID_SIGNATURE",
    80: "OPERATION_NOT_SUPPORTED",
    81: "DEBT_CEILING_NOT_ZERO",
    82: "ASSET_NOT_LISTED",
    83: "INVALID_OPTIMAL_USAGE_RATIO",
    84: "INVALID_OPTIMAL_STABLE_TO_TOTAL_DEBT_RATIO",
    85: "UNDERLYING_CANNOT_BE_RESCUED",
    86: "ADDRESSES_PROVIDER_ALREADY_ADDED",
    87: "POOL_ADDRESSES_DO_NOT_MATCH",
    88: "STABLE_BORROWING_ENABLED",
    89: "SILOED_BORROWING_VIOLATION",
    90: "RESERVE_DEBT_NOT_ZERO",
    91: "FLASHLOAN_DISABLED",
    92: "INVALID_MAX_RATE",
    93: "WITHDRAW_TO_ATOKEN",
    94: "SUPPLY_TO_ATOKEN",
    95: "SLOPE_2_MUST_BE_GTE_SLOPE_1",
    96: "CALLER_NOT_RISK_OR_POOL_OR_EMERGENCY_ADMIN",
    97: "LIQUIDATION_GRACE_SENTINEL_CHECK_FAILED",
    98: "INVALID_GRACE_PERIOD",
    99: "INVALID_FREEZE_STATE",
    100: "NOT_BORROWABLE_IN_EMODE",
    101: "CALLER_NOT_UMBRELLA",
    102: "RESERVE_NOT_IN_DEFICIT",
    103: "MUST_NOT_LEAVE_DUST",
    104: "USER_CANNOT_HAVE_DEBT",
}

# What the functions that governance calls check (PoolConfigurator.sol, 1.19.3).
_MEANING = {
    "CALLER_NOT_POOL_ADMIN": "the executor has not the role of pool admin",
    "CALLER_NOT_RISK_OR_POOL_ADMIN": "the executor has neither the role of risk nor of pool admin",
    "CALLER_NOT_POOL_OR_EMERGENCY_ADMIN": "the executor has neither the role of pool nor of "
    "emergency admin",
    "RESERVE_LIQUIDITY_NOT_ZERO": "the reserve has suppliers",
    "INVALID_RESERVE_PARAMS": "the LTV may not be above the liquidation threshold, nor the "
    "threshold with the bonus on top above 100%; an asset that is collateral has a bonus, one that "
    "is none has none",
    "INVALID_EMODE_CATEGORY_PARAMS": "LTV and threshold may not be 0, the LTV not above the "
    "threshold, the threshold with the bonus on top not above 100%, and neither below that of an "
    "asset in the category",
    "INVALID_EMODE_CATEGORY_ASSIGNMENT": "the category's threshold must be above the asset's own",
    "FLASHLOAN_PREMIUM_INVALID": "a premium may not be above 100%",
    "BRIDGE_PROTOCOL_FEE_INVALID": "the fee may not be above 100%",
    "INVALID_RESERVE_FACTOR": "a reserve factor may not be above 100%",
    "INVALID_LIQUIDATION_PROTOCOL_FEE": "the fee may not be above 100%",
    "INVALID_OPTIMAL_USAGE_RATIO": "the optimal usage ratio may not be above 100%, nor outside 1% "
    "to 99% in core 3.1 and later",
    "INVALID_MAX_RATE": "base and slopes together may not be above 1,000% a year",
    "SLOPE_2_MUST_BE_GTE_SLOPE_1": "slope 2 may not be below slope 1",
    "DEBT_CEILING_NOT_ZERO": "the reserve is isolated",
    "STABLE_BORROWING_ENABLED": "stable rate borrowing has to end first",
    "BORROWING_NOT_ENABLED": "borrowing is not enabled",
    "RESERVE_DEBT_NOT_ZERO": "the reserve has debt",
    "INVALID_FREEZE_STATE": "the reserve is frozen, or not frozen, already",
}

# Names as later cores have them, where they differ by no more than the writing.
CUSTOM_ERRORS = Abi.parse([f"error {name.title().replace('_', '')}()" for name in ERRORS.values()])
_NAMES = {name.title().replace("_", ""): name for name in ERRORS.values()}


def in_words(reason: str) -> str:
    """Name the error a revert reason stands for; reasons that are none of Aave's as they are.

    What was called may stand before it, as in "call 1 of 2 (...): 20".
    """
    where, colon, text = reason.rpartition(": ")
    if text.isdecimal() and int(text) in ERRORS:
        name = ERRORS[int(text)]
        said = f"{name} (Aave V3's error {text})"
    else:
        name = _NAMES.get(text.removesuffix("()"), "")
        if not name:
            return reason
        said = text
    meaning = _MEANING.get(name)
    return where + colon + (f"{said}: {meaning}" if meaning else said)
