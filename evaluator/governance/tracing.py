"""Reading what a transaction did: state difference, inner calls, powers before and after."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from eth_hash.auto import keccak

from evaluator.chain.receipts import Log, Receipt
from evaluator.chain.sandbox import Sandbox
from evaluator.chain.state_diff import AccountChange
from evaluator.errors import RpcError
from evaluator.governance import views
from evaluator.governance.decoder import shared_decoder
from evaluator.governance.decoding.events import DecodedEvent, RawEvent
from evaluator.governance.powers import (
    CODE_VIEWS,
    OWNER_VIEWS,
    RULE_VIEWS,
    ZERO,
    implementation_changes,
    owner_changes,
    role_changes,
)
from evaluator.governance.trace import (
    CodeChange,
    CodeChangeKind,
    OwnerChange,
    RoleChange,
    StorageChange,
    Transfer,
)

MAX_PROBED = 64  # changed contracts whose owner is asked for before and after
_TRANSFER = keccak(b"Transfer(address,address,uint256)")


@dataclass(frozen=True, kw_only=True)
class Effects:
    """What a run of transactions did, taken together."""

    events: tuple[DecodedEvent, ...] = ()  # in order
    storage_changes: tuple[StorageChange, ...] = ()  # by contract and slot
    code_changes: tuple[CodeChange, ...] = ()
    role_changes: tuple[RoleChange, ...] = ()
    owner_changes: tuple[OwnerChange, ...] = ()
    transfers: tuple[Transfer, ...] = ()  # native ones first
    touched: tuple[str, ...] = ()  # addresses called, delegated to or changed, lower-case
    notes: tuple[str, ...] = ()  # what could not be read, and why


def read_effects(sandbox: Sandbox, receipts: Sequence[Receipt]) -> Effects:
    """Read what consecutive successful transactions did, first state to last.

    What the node cannot trace is left out and said in `notes`.
    """
    if not receipts:
        return Effects()
    notes: list[str] = []
    difference = _Difference()
    transfers: list[Transfer] = []
    touched: dict[str, None] = {}
    for receipt in receipts:
        try:
            difference.add(sandbox.trace_state_diff(receipt.tx_hash))
        except RpcError as error:
            notes.append(f"storage and code changes could not be read: {error}")
        try:
            frames = list(_frames(_call_trace(sandbox, receipt)))
        except RpcError as error:
            notes.append(f"inner calls and native transfers could not be read: {error}")
            frames = []
        for frame in frames:
            touched.setdefault(frame.to)
            if frame.value and not frame.delegate:
                transfers.append(
                    Transfer(asset="", sender=frame.sender, receiver=frame.to, amount=frame.value)
                )
    logs = [log for receipt in receipts for log in receipt.logs]
    transfers.extend(_token_transfers(logs))
    events = shared_decoder().events(
        [RawEvent(contract=log.address, topics=log.topics, data=log.data) for log in logs]
    )
    storage = difference.storage_changes()
    created = difference.created()
    changed = list(dict.fromkeys(change.contract for change in storage))
    for contract in (*changed, *(log.address for log in logs)):
        touched.setdefault(contract)
    if len(changed) > MAX_PROBED:
        notes.append(
            f"{len(changed)} contracts changed; the owners of the first {MAX_PROBED} were compared"
        )
    owners, implementations = _probe(
        sandbox,
        [c for c in changed if c not in created][:MAX_PROBED],
        before=receipts[0].block - 1,
        after=receipts[-1].block,
        notes=notes,
    )
    return Effects(
        events=events,
        storage_changes=storage,
        code_changes=difference.code_changes()
        + implementation_changes(events, storage, implementations, created),
        role_changes=role_changes(events, created),
        owner_changes=owner_changes(events, storage, owners, created),
        transfers=tuple(transfers),
        touched=tuple(address for address in touched if address != ZERO),
        notes=tuple(dict.fromkeys(notes)),
    )


def _call_trace(sandbox: Sandbox, receipt: Receipt) -> dict[str, Any]:
    answer = sandbox.rpc.request(
        "debug_traceTransaction", [receipt.tx_hash, {"tracer": "callTracer"}]
    )
    if not isinstance(answer, dict):
        raise RpcError(f"{sandbox.rpc.label} has no callTracer")
    return answer


class _Difference:
    """The state before the first and after the last of several transactions."""

    def __init__(self) -> None:
        self._slots: dict[tuple[str, int], tuple[bytes, bytes]] = {}
        self._codes: dict[str, tuple[bytes, bytes]] = {}

    def add(self, changes: Sequence[AccountChange]) -> None:
        for change in changes:
            for written in change.storage:
                slot = (change.address, written.slot)
                first = self._slots[slot][0] if slot in self._slots else written.before
                self._slots[slot] = (first, written.after)
            if change.code_after is not None:
                known = self._codes.get(change.address)
                first = known[0] if known is not None else change.code_before or b""
                self._codes[change.address] = (first, change.code_after)

    def storage_changes(self) -> tuple[StorageChange, ...]:
        return tuple(
            StorageChange(contract=contract, slot=slot, before=before, after=after)
            for (contract, slot), (before, after) in self._slots.items()
            if before != after
        )

    def code_changes(self) -> tuple[CodeChange, ...]:
        return tuple(
            CodeChange(
                contract=contract,
                kind=_kind(before, after),
                before=_code_hash(before),
                after=_code_hash(after),
                in_new_contract=not before,
            )
            for contract, (before, after) in self._codes.items()
            if before != after
        )

    def created(self) -> frozenset[str]:
        return frozenset(c for c, (before, after) in self._codes.items() if after and not before)


@dataclass(frozen=True, kw_only=True)
class _Frame:
    """One call that was made and not undone."""

    sender: str
    to: str
    value: int
    delegate: bool


def _frames(root: dict[str, Any]) -> Iterator[_Frame]:
    """Walk a call trace in order, leaving out reverted branches."""
    stack = [root]
    while stack:
        frame = stack.pop()
        if frame.get("error"):
            continue
        to = frame.get("to")
        if to:
            yield _Frame(
                sender=str(frame.get("from", ZERO)).lower(),
                to=str(to).lower(),
                value=int(frame.get("value") or "0x0", 16),
                delegate=frame.get("type") in ("DELEGATECALL", "CALLCODE"),
            )
        stack.extend(reversed(frame.get("calls") or []))


def _token_transfers(logs: Sequence[Log]) -> Iterator[Transfer]:
    for log in logs:
        # Four topics would be a token with an id (ERC-721), not an amount.
        if len(log.topics) == 3 and log.topics[0] == _TRANSFER and len(log.data) == 32:
            yield Transfer(
                asset=log.address,
                sender="0x" + log.topics[1][12:].hex(),
                receiver="0x" + log.topics[2][12:].hex(),
                amount=int.from_bytes(log.data, "big"),
            )


def _probe(
    sandbox: Sandbox, contracts: Sequence[str], *, before: int, after: int, notes: list[str]
) -> tuple[list[OwnerChange], list[CodeChange]]:
    """Ask changed contracts for owner, implementation and rules, before and after."""
    signatures = (*OWNER_VIEWS, *CODE_VIEWS, *RULE_VIEWS)
    questions = [(c, s) for c in contracts for s in signatures]
    calls = [(c, views.encode_call(s)) for c, s in questions]
    try:
        old = views.words(sandbox, calls, block=before)
        new = views.words(sandbox, calls, block=after)
    except RpcError as error:
        notes.append(f"owners before the execution could not be read: {error}")
        return [], []
    owners: list[OwnerChange] = []
    codes: list[CodeChange] = []
    for (contract, signature), was, now in zip(questions, old, new, strict=True):
        if was is None or now is None or was == now or max(was, now) >> 160:
            continue
        if signature in RULE_VIEWS:
            owners.append(
                OwnerChange(
                    contract=contract,
                    power=RULE_VIEWS[signature],
                    before=str(was),
                    after=str(now),
                    in_new_contract=False,
                )
            )
            continue
        if signature in OWNER_VIEWS:
            owners.append(
                OwnerChange(
                    contract=contract,
                    power=OWNER_VIEWS[signature],
                    before=f"0x{was:040x}",
                    after=f"0x{now:040x}",
                    in_new_contract=False,
                )
            )
        else:
            codes.append(
                CodeChange(
                    contract=contract,
                    kind=CodeChangeKind.IMPLEMENTATION,
                    before=f"0x{was:040x}",
                    after=f"0x{now:040x}",
                    in_new_contract=False,
                )
            )
    return owners, codes


def _kind(before: bytes, after: bytes) -> CodeChangeKind:
    if not before:
        return CodeChangeKind.CREATED
    return CodeChangeKind.REPLACED if after else CodeChangeKind.DESTROYED


def _code_hash(code: bytes) -> str:
    return "0x" + keccak(code).hex() if code else ""
