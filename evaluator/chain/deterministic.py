"""Contracts that a proposal creates, at an address known before.

A governor can only call; the deterministic deployment proxy, which stands at one
address on nearly every chain, turns a call into a creation (CREATE2, EIP-1014).
Its calldata is 32 bytes of salt and the creation code.
"""

from __future__ import annotations

from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

DEPLOYER = "0x4e59b44847b379578588920cA78FbF26c0B4956C"
_SALT = bytes(32)


def address_of(creation: bytes, salt: bytes = _SALT) -> str:
    """Return where the proxy creates this creation code, checksummed."""
    packed = b"\xff" + bytes.fromhex(DEPLOYER[2:]) + salt + keccak(creation)
    return to_checksum_address(keccak(packed)[12:])


def creating_call(creation: bytes) -> bytes:
    """Return the calldata that makes the proxy create this creation code."""
    return _SALT + creation


def creation_in(target: str, calldata: bytes) -> tuple[bytes, bytes] | None:
    """Return creation code and salt of a call to the proxy, None for any other call."""
    if target.lower() != DEPLOYER.lower() or len(calldata) <= len(_SALT):
        return None
    return calldata[len(_SALT) :], calldata[: len(_SALT)]
