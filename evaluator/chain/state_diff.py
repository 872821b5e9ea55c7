"""What one transaction changed: storage, code and balances, by account."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evaluator.chain.receipts import unhex
from evaluator.chain.rpc import RpcClient
from evaluator.errors import RpcError

_NOTHING = bytes(32)


@dataclass(frozen=True, kw_only=True)
class SlotChange:
    """One storage slot that was written."""

    slot: int  # slot number, 256 bits
    before: bytes  # 32 bytes
    after: bytes  # 32 bytes


@dataclass(frozen=True, kw_only=True)
class AccountChange:
    """What changed at one address."""

    address: str  # lower-case
    storage: tuple[SlotChange, ...]  # in order of slots; only those that differ
    code_before: bytes | None  # code before, if it changed; else None
    code_after: bytes | None  # code after, if it changed; else None
    balance_before: int | None  # wei before, if it changed; else None
    balance_after: int | None  # wei after, if it changed; else None

    @property
    def code_changed(self) -> bool:
        """Whether code appeared, vanished or was replaced."""
        return self.code_after is not None


def trace_state_diff(rpc: RpcClient, tx_hash: str) -> tuple[AccountChange, ...]:
    """Read the changes of a mined transaction, sorted by address; nonces left out.

    Raises RpcError if the node cannot trace.
    """
    answer = rpc.request(
        "debug_traceTransaction",
        [tx_hash, {"tracer": "prestateTracer", "tracerConfig": {"diffMode": True}}],
    )
    try:
        before, after = answer["pre"], answer["post"]
        changes = [
            _change(address, before.get(address, {}), after.get(address, {}), address in after)
            for address in sorted({*before, *after}, key=str.lower)
        ]
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise RpcError(f"{rpc.label} answered a state diff that is none: {error!r}") from error
    return tuple(
        change
        for change in changes
        if change.storage or change.code_changed or change.balance_after is not None
    )


def _change(
    address: str, before: Mapping[str, Any], after: Mapping[str, Any], survives: bool
) -> AccountChange:
    """Join an account's two sides. In `after` a field stands only if it changed.

    A slot that was cleared stands in `before` alone, and so does an account that was
    destroyed.
    """
    old = {int(slot, 16): _word(value) for slot, value in before.get("storage", {}).items()}
    new = {int(slot, 16): _word(value) for slot, value in after.get("storage", {}).items()}
    slots = tuple(
        SlotChange(slot=slot, before=old.get(slot, _NOTHING), after=new.get(slot, _NOTHING))
        for slot in sorted({*old, *new})
        if old.get(slot, _NOTHING) != new.get(slot, _NOTHING)
    )
    code_before = unhex(before.get("code") or "0x")
    code_after = unhex(after["code"] or "0x") if "code" in after else None
    balance_after = int(after["balance"], 16) if "balance" in after else None
    if not survives:
        code_after, balance_after = b"" if code_before else None, 0
    if code_after == code_before:
        code_after = None
    balance_before = int(before.get("balance") or "0x0", 16)
    if balance_after == balance_before:
        balance_after = None
    return AccountChange(
        address=address.lower(),
        storage=slots,
        code_before=code_before if code_after is not None else None,
        code_after=code_after,
        balance_before=balance_before if balance_after is not None else None,
        balance_after=balance_after,
    )


def _word(value: str) -> bytes:
    return unhex(value).rjust(32, b"\0")
