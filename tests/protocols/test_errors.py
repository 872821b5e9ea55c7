"""What protocols answer when they refuse, in their own words."""

import re

import pytest

from evaluator.chain.receipts import Log, Receipt
from evaluator.data_files import npm_root
from evaluator.protocols.aave_v3_errors import CUSTOM_ERRORS, ERRORS, in_words
from evaluator.protocols.compound_v2_errors import COMPTROLLER_ERRORS, TOKEN_ERRORS, failure

AAVE_SOURCE = "@aave/core-v3/contracts/protocol/libraries/helpers/Errors.sol"
VENUS_SOURCE = "@venusprotocol/venus-protocol/contracts/Utils/ErrorReporter.sol"
COMPTROLLER, TOKEN = "0x" + "11" * 20, "0x" + "22" * 20
FAILURE = bytes.fromhex("45b96fe442630264581b197e84bbada861235052c5a1aadfff9ea4e40a969aa0")


def test_the_codes_are_those_of_the_source():
    source = (npm_root() / AAVE_SOURCE).read_text()
    found = {int(c): n for n, c in re.findall(r"constant (\w+) = '(\d+)'", source)}
    assert {code: name for code, name in ERRORS.items() if code <= 91} == found
    assert len(found) == 90


@pytest.mark.parametrize(
    ("contract", "names"),
    [("ComptrollerErrorReporter", COMPTROLLER_ERRORS), ("TokenErrorReporter", TOKEN_ERRORS)],
)
def test_the_error_codes_are_those_of_the_source(contract, names):
    source = (npm_root() / VENUS_SOURCE).read_text()
    body = source[source.index(f"contract {contract}") :]
    listed = re.sub(r"//.*", "", re.search(r"enum Error \{(.*?)\}", body, re.S)[1])
    assert names == tuple(n.strip() for n in listed.split(",") if n.strip())


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("20", "INVALID_RESERVE_PARAMS (Aave V3's error 20): the LTV may not be above"),
        ("InvalidReserveParams()", "InvalidReserveParams(): the LTV may not be above"),
        ("100", "NOT_BORROWABLE_IN_EMODE (Aave V3's error 100)"),
        ("call 1 of 2 (a on 0x1): 82", "call 1 of 2 (a on 0x1): ASSET_NOT_LISTED (Aave V3's"),
        ("48", "48"),
        ("TimelockController: underlying transaction reverted", "TimelockController: underlying"),
        ("", ""),
    ],
)
def test_aave_reasons_become_words(reason, said):
    assert in_words(reason).startswith(said)
    assert bool(in_words(reason)) == bool(reason)


def test_errors_of_later_cores_are_decoded_by_name():
    # cast sig "InvalidReserveParams()"
    assert any(entry.name == "InvalidReserveParams" for entry in CUSTOM_ERRORS.errors.values())


def receipt(*codes, address):
    data = b"".join(c.to_bytes(32, "big") for c in codes)
    log = Log(
        address=address, topics=(FAILURE,), data=data, block=1, tx_hash="0x", index=0, block_hash=""
    )
    return Receipt(
        tx_hash="0x", block=1, status=1, gas_used=0, gas_price=0, logs=(log,),
        contract_address=None, sender=COMPTROLLER, to=address,
    )  # fmt: skip


def test_a_failure_that_does_not_revert_is_named():
    refused = receipt(6, 8, 0, address=COMPTROLLER)
    assert "code 6, INVALID_COLLATERAL_FACTOR: the collateral" in failure(refused, COMPTROLLER)
    # The same number means something else in a market token.
    assert "code 6, INVALID_ACCOUNT_PAIR" in failure(receipt(6, 8, 0, address=TOKEN), COMPTROLLER)
    assert "code 99" in failure(receipt(99, 0, 0, address=TOKEN), COMPTROLLER)
