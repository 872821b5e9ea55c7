"""Whether code that a proposal relies on can be another by the time it is executed.

Proxies whose admin is not the DAO, code that was not there or was another when the
proposal was made, and code that can destroy itself.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

from evaluator.chain.abi import Abi
from evaluator.chain.receipts import ZERO
from evaluator.chain.sandbox import Sandbox
from evaluator.errors import ChainError
from evaluator.protocols.oracles import IMPLEMENTATION_SLOT
from evaluator.protocols.reading import NULL_ADDRESS, address_in, node_at

# EIP-1967: keccak256("eip1967.proxy.admin") - 1 and keccak256("eip1967.proxy.beacon") - 1.
ADMIN_SLOT = 0xB53127684A568B3173AE13B9F8A6016E243E63B6E8EE1178D6A717850B5D6103
BEACON_SLOT = 0xA3F0AD74E5423AEBFD80D3EF4346578335A9A72AEAEE59FF6CB3582B35133D50
MOST_CONTRACTS = 40  # looked at
_OWNER = Abi.parse(["function owner() view returns (address)"])
_SELFDESTRUCT, _PUSH1, _PUSH32 = 0xFF, 0x60, 0x7F
_LONGEST_METADATA = 256  # bytes


class CodeRisk(StrEnum):
    """How code can change."""

    PROXY = "upgradeable by somebody else"
    ABSENT = "no code when the proposal was made"
    REPLACED = "other code than when the proposal was made"
    DESTRUCTIBLE = "can destroy itself"


@dataclass(frozen=True, kw_only=True, slots=True)
class ChangeableCode:
    """One contract whose code can change, or has."""

    contract: str  # lower-case
    risk: CodeRisk
    controller: str  # who can change it, lower-case; "" if not about somebody
    account: bool  # the controller has no code: one key decides


def changeable_code(
    sandbox: Sandbox,
    contracts: Sequence[str],
    *,
    trusted: Collection[str],
    made_at: int | None,
    witness: str,
) -> tuple[ChangeableCode, ...]:
    """Look at `contracts` at the sandbox's head.

    `trusted` are the DAO's own governor and timelocks, `made_at` the block of the
    proposal (None: not known), `witness` a contract that is older than it and shows
    whether the node still has that block's state.
    """
    ours = {a.lower() for a in trusted}
    out: list[ChangeableCode] = []
    asked = list(dict.fromkeys(a.lower() for a in contracts))
    for address in [a for a in asked if a not in ours][:MOST_CONTRACTS]:
        code = sandbox.get_code(address)
        if not code:
            continue
        controller = _controller(sandbox, address)
        if controller and controller not in ours:
            out.append(
                ChangeableCode(
                    contract=address,
                    risk=CodeRisk.PROXY,
                    controller=controller,
                    account=not sandbox.get_code(controller),
                )
            )
        if can_destroy_itself(code):
            out.append(_plain(address, CodeRisk.DESTRUCTIBLE))
        earlier = _code_at(sandbox, address, made_at)
        if earlier is not None and earlier != code and _code_at(sandbox, witness, made_at):
            out.append(_plain(address, CodeRisk.REPLACED if earlier else CodeRisk.ABSENT))
    return tuple(out)


def can_destroy_itself(code: bytes) -> bool:
    """Whether SELFDESTRUCT is among the instructions of `code`, its metadata left out.

    Since EIP-6780 it takes code away only in the transaction that made the contract, on
    chains that have it.
    """
    tail = int.from_bytes(code[-2:], "big")
    end = len(code) - tail - 2 if 0 < tail <= min(_LONGEST_METADATA, len(code) - 2) else len(code)
    at = 0
    while at < end:
        op = code[at]
        if op == _SELFDESTRUCT:
            return True
        at += 1 + (op - _PUSH1 + 1 if _PUSH1 <= op <= _PUSH32 else 0)
    return False


def _plain(contract: str, risk: CodeRisk) -> ChangeableCode:
    return ChangeableCode(contract=contract, risk=risk, controller="", account=False)


def _controller(sandbox: Sandbox, proxy: str) -> str:
    """Who can put other code behind a standard proxy; "" if it is none or nobody is known."""
    implementation, admin, beacon = (
        address_in(sandbox.get_storage(proxy, slot))
        for slot in (IMPLEMENTATION_SLOT, ADMIN_SLOT, BEACON_SLOT)
    )
    if beacon is not None:
        return _owner(sandbox, beacon)
    if implementation is None:
        return ""
    if admin is None:
        return _owner(sandbox, proxy)
    # A ProxyAdmin answers to its owner.
    return _owner(sandbox, admin) or admin


def _owner(sandbox: Sandbox, contract: str) -> str:
    try:
        answer = sandbox.call(contract, _OWNER.encode("owner"), sender=ZERO)
    except ChainError:
        return ""
    owner = address_in(answer[:32]) if len(answer) >= 32 else None
    return "" if owner is None or owner == NULL_ADDRESS else owner


def _code_at(sandbox: Sandbox, address: str, block: int | None) -> bytes | None:
    """The code at an earlier block; None if the node does not know."""
    if block is None or block > sandbox.block_number():
        return None
    try:
        answer = node_at(sandbox, block).request("eth_getCode", [address, hex(block)])
    except ChainError:
        return None
    return bytes.fromhex(answer[2:]) if isinstance(answer, str) else None
