"""A contract that answers from a table: the stand-in for an oracle nobody may push to.

Put in place by a state override of one block, it needs no deployment and no owner.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evaluator.errors import ConfigurationError

_PUSH1, _PUSH2, _PUSH4, _PUSH32 = 0x60, 0x61, 0x63, 0x7F
_EQ, _AND, _SHR, _CALLDATALOAD, _CODECOPY = 0x14, 0x16, 0x1C, 0x35, 0x39
_JUMPI, _JUMPDEST, _RETURN, _REVERT = 0x57, 0x5B, 0xF3, 0xFD
_LARGEST = 0x6000  # bytes of code a contract may have (EIP-170)


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What is returned to one call."""

    selector: bytes  # 4 bytes
    data: bytes  # returned as it is
    argument: bytes | None = None  # first word of the arguments, 32 bytes; None: any


def board_code(answers: Sequence[Answer]) -> bytes:
    """Return runtime code that gives `answers`, the first that fits, and reverts otherwise.

    Raises ConfigurationError when the table does not fit into a contract.
    """
    heads = [_test(a) for a in answers]
    size = sum(len(h) + 4 for h in heads) + 5  # PUSH2 dest JUMPI each, then the revert
    bodies_at = size
    data_at = bodies_at + 16 * len(answers)
    table, bodies, data = b"", b"", b""
    for head, answer in zip(heads, answers, strict=True):
        table += head + _push2(bodies_at + len(bodies)) + bytes([_JUMPI])
        length = _push2(len(answer.data))
        bodies += (
            bytes([_JUMPDEST])
            + length
            + _push2(data_at + len(data))
            + bytes([_PUSH1, 0, _CODECOPY])
            + length
            + bytes([_PUSH1, 0, _RETURN])
        )
        data += answer.data
    code = table + bytes([_PUSH1, 0, _PUSH1, 0, _REVERT]) + bodies + data
    if len(code) > _LARGEST:
        raise ConfigurationError(
            f"{len(answers)} answers make a contract of {len(code)} bytes; at most {_LARGEST} fit"
        )
    return code


def _test(answer: Answer) -> bytes:
    head = bytes([_PUSH1, 0, _CALLDATALOAD, _PUSH1, 0xE0, _SHR, _PUSH4]) + answer.selector
    head += bytes([_EQ])
    if answer.argument is not None:
        head += bytes([_PUSH1, 4, _CALLDATALOAD, _PUSH32]) + answer.argument.rjust(32, b"\0")
        head += bytes([_EQ, _AND])
    return head


def _push2(value: int) -> bytes:
    return bytes([_PUSH2]) + value.to_bytes(2, "big")


def purse_code() -> bytes:
    """Return runtime code that forwards a call with value from its own balance.

    Calldata is the target, the value (a word each) and the data; it reverts with what
    the target reverted with. Unlike a transaction that its sender cannot pay, a call
    that the purse cannot pay fails by itself.
    """
    call = bytes.fromhex(
        "60403603"  # size of the data
        "80604060003760006000"  # copy it to memory; nothing is returned to memory
        "826000"  # its size and place
        "602035600035"  # value and target
        "5af1"  # with all the gas
        "3d600060003e"  # what came back
    )
    end = len(call) + 8
    return call + bytes.fromhex(f"60{end:02x}57" + "3d6000fd" + "00" + "5b3d6000f3")


def purse_call(target: str, value: int, data: bytes) -> bytes:
    """Return calldata that makes a purse call `target` with `value` wei."""
    return bytes.fromhex(target[2:]).rjust(32, b"\0") + value.to_bytes(32, "big") + data
