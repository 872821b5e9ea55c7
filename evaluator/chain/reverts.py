"""Read why a call reverted: Error(string), Panic(uint256), custom errors."""

from __future__ import annotations

import re

from evaluator.chain.abi import Abi, DecodedCall, decode_values, selector
from evaluator.chain.receipts import unhex
from evaluator.chain.signatures import AbiParameter
from evaluator.errors import ChainError, RpcError, TransactionReverted

_ERROR = selector("Error(string)")
_PANIC = selector("Panic(uint256)")
_TEXT = (AbiParameter(name="reason", type="string"),)
_CODE = (AbiParameter(name="code", type="uint256"),)
_LONGEST = 2000  # characters of a reason that are kept

# Solidity's documentation, "Panic via assert and Error via require".
_PANICS = {
    0x00: "generic compiler panic",
    0x01: "assertion failed",
    0x11: "arithmetic overflow or underflow",
    0x12: "division or modulo by zero",
    0x21: "value out of range for an enum",
    0x22: "incorrectly encoded storage byte array",
    0x31: "pop from an empty array",
    0x32: "array index out of bounds",
    0x41: "too much memory allocated",
    0x51: "call of an uninitialised internal function",
}
# What nodes say when the EVM halted without revert data.
_HALTS = re.compile(
    r"revert|out of ?gas|invalid ?(?:\w+ ?)?opcode|opcode .* not defined|stack (?:under|over)flow"
    r"|invalid jump|evm error|write protection|static state change|contract creation code|max code"
    r"|create collision|call ?depth|memory limit|precompile|nonce overflow",
    re.IGNORECASE,
)
_PREFIX = re.compile(r"^.*?execution reverted:?\s*", re.IGNORECASE | re.DOTALL)


class ErrorBook:
    """The custom errors known so far, by selector."""

    def __init__(self) -> None:
        """Start with no custom error."""
        self._abis: dict[bytes, Abi] = {}

    def add(self, abi: Abi) -> None:
        """Learn the errors of `abi`; the first ABI to name a selector keeps it."""
        for key in abi.errors:
            self._abis.setdefault(key, abi)

    def reason(self, data: bytes) -> str:
        """Put revert data into words; "" if there is none."""
        if not data:
            return ""
        key = data[:4]
        try:
            if key == _ERROR:
                return str(decode_values(_TEXT, data[4:])[0])[:_LONGEST]
            if key == _PANIC:
                code = int(decode_values(_CODE, data[4:])[0])
                return f"Panic({code:#04x}): {_PANICS.get(code, 'unknown panic')}"
            if key in self._abis:
                decoded = self._abis[key].decode_error(data)
                if decoded is not None:
                    return _written(decoded)[:_LONGEST]
        except ChainError:
            return f"undecodable revert data 0x{data[:68].hex()}"
        more = "..." if len(data) > 68 else ""
        return f"unknown error 0x{data[:68].hex()}{more}"

    def reverted(self, error: RpcError, to: str) -> TransactionReverted | None:
        """Turn a node's answer to a failed call into the revert it stands for.

        None if the answer is a failure of the node and not of the EVM.
        """
        data = _revert_data(error.data)
        message = str(error)
        if data is None and error.code != 3 and not _HALTS.search(message):
            return None
        reason = self.reason(data or b"")
        if not reason:
            text = message.partition(" failed: ")[2] or message
            reason = _PREFIX.sub("", text) if "execution reverted" in text.lower() else text
        return TransactionReverted(reason, data=data or b"", to=to)


def _revert_data(data: object) -> bytes | None:
    if isinstance(data, dict):  # some nodes wrap it
        data = data.get("data", data.get("result"))
    if not isinstance(data, str):
        return None
    found = re.search(r"0x[0-9a-fA-F]*", data)
    if found is None or len(found.group()) % 2:
        return None
    return unhex(found.group())


def _written(call: DecodedCall) -> str:
    parts = [
        f"{argument.name}={_shown(argument.value)}" if argument.name else _shown(argument.value)
        for argument in call.arguments
    ]
    return f"{call.name}({', '.join(parts)})"


def _shown(value: object) -> str:
    return f"0x{value.hex()}" if isinstance(value, bytes) else str(value)
