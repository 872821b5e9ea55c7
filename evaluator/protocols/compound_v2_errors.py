"""What the Compound V2 family answers where others revert: an event and an error code.

Source: Venus protocol 0.7.0, ErrorReporter.sol; the codes of the Comptroller and
those of market tokens are two lists.
"""

from __future__ import annotations

from evaluator.chain.abi import Abi
from evaluator.chain.receipts import Receipt

COMPTROLLER_ERRORS = (
    "NO_ERROR",
    "UNAUTHORIZED",
    "COMPTROLLER_MISMATCH",
    "INSUFFICIENT_SHORTFALL",
    "INSUFFICIENT_LIQUIDITY",
    "INVALID_CLOSE_FACTOR",
    "INVALID_COLLATERAL_FACTOR",
    "INVALID_LIQUIDATION_INCENTIVE",
    "MARKET_NOT_ENTERED",
    "MARKET_NOT_LISTED",
    "MARKET_ALREADY_LISTED",
    "MATH_ERROR",
    "NONZERO_BORROW_BALANCE",
    "PRICE_ERROR",
    "REJECTION",
    "SNAPSHOT_ERROR",
    "TOO_MANY_ASSETS",
    "TOO_MUCH_REPAY",
    "INSUFFICIENT_BALANCE_FOR_VAI",
)
TOKEN_ERRORS = (
    "NO_ERROR",
    "UNAUTHORIZED",
    "BAD_INPUT",
    "COMPTROLLER_REJECTION",
    "COMPTROLLER_CALCULATION_ERROR",
    "INTEREST_RATE_MODEL_ERROR",
    "INVALID_ACCOUNT_PAIR",
    "INVALID_CLOSE_AMOUNT_REQUESTED",
    "INVALID_COLLATERAL_FACTOR",
    "MATH_ERROR",
    "MARKET_NOT_FRESH",
    "MARKET_NOT_LISTED",
    "TOKEN_INSUFFICIENT_ALLOWANCE",
    "TOKEN_INSUFFICIENT_BALANCE",
    "TOKEN_INSUFFICIENT_CASH",
    "TOKEN_TRANSFER_IN_FAILED",
    "TOKEN_TRANSFER_OUT_FAILED",
    "TOKEN_PRICE_ERROR",
)
_EVENTS = Abi.parse(["event Failure(uint256 error, uint256 info, uint256 detail)"])
_FAILURE = _EVENTS.event_topic("Failure")
_MEANING = {
    "UNAUTHORIZED": "the executor is not the admin",
    "INVALID_COLLATERAL_FACTOR": "the collateral factor is above what the Comptroller allows, 90%",
    "PRICE_ERROR": "the oracle has no price for the market",
    "BAD_INPUT": "the value is outside what the market token allows",
    "MARKET_NOT_LISTED": "the Comptroller does not list the market",
    "MARKET_ALREADY_LISTED": "the Comptroller lists the market already",
    "MARKET_NOT_FRESH": "interest has not been booked in this block",
}


def failure(receipt: Receipt, comptroller: str) -> str:
    """Name the first failure that a transaction reported without reverting; "" if none."""
    for log in receipt.logs:
        if log.topics and log.topics[0] == _FAILURE:
            code = int.from_bytes(log.data[:32], "big")
            of_comptroller = log.address.lower() == comptroller.lower()
            names = COMPTROLLER_ERRORS if of_comptroller else TOKEN_ERRORS
            if code >= len(names):
                return f"it answers with the error code {code}"
            name = names[code]
            meaning = f": {_MEANING[name]}" if name in _MEANING else ""
            return f"it answers with the error code {code}, {name}{meaning}"
    return ""
