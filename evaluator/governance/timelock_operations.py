"""Operations that wait in OpenZeppelin's TimelockController, whoever scheduled them.

Any account with the timelock's proposer role can schedule calls past the governor.
A Timelock of Compound's takes orders from its admin alone, which is the governor.
Source: TimelockController.schedule, scheduleBatch, execute, executeBatch.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from eth_abi.abi import encode
from eth_hash.auto import keccak

from evaluator.chain.receipts import Log
from evaluator.chain.sandbox import Sandbox
from evaluator.governance import views
from evaluator.governance.decoder import DecodingFailed, shared_decoder
from evaluator.governance.decoding.calls import RawAction
from evaluator.governance.log_scan import newest_first
from evaluator.governance.proposal import Proposal
from evaluator.governance.submission import octets

CALL_SCHEDULED = keccak(b"CallScheduled(bytes32,uint256,address,uint256,bytes,bytes32,uint256)")
CALL_SALT = keccak(b"CallSalt(bytes32,bytes32)")
LOOK_BACK = 216_000  # blocks searched: 30 days of 12 s
MAX_OPERATIONS = 32  # operations read
_NONE = bytes(32)
_DONE = 1  # what getTimestamp answers for one that was executed
_EXECUTOR = keccak(b"EXECUTOR_ROLE")


@dataclass(frozen=True, kw_only=True, slots=True)
class Operation:
    """One operation that was scheduled and not executed."""

    timelock: str  # lower-case
    identifier: bytes  # the timelock's id, 32 bytes
    eta: int  # earliest time of execution, and not before its predecessor's, s since 1970
    calls: tuple[RawAction, ...]  # in order
    predecessor: bytes  # id of the operation that must be executed before, zeros for none
    salt: bytes  # 32 bytes

    def belongs_to(self, proposal: Proposal) -> bool:
        """Tell whether a Governor scheduled it for `proposal`.

        Source: GovernorTimelockControl._timelockSalt of OpenZeppelin 5; before, the salt
        was the hash of the description alone.
        """
        text = proposal.description_hash or keccak(proposal.description_bytes)
        governor = bytes.fromhex(proposal.governor[2:]) + bytes(12)
        salts = (text, bytes(a ^ b for a, b in zip(text, governor, strict=True)))
        theirs = [(a.target.lower(), a.value, a.full_calldata) for a in proposal.raw_actions]
        ours = [(a.target.lower(), a.value, a.full_calldata) for a in self.calls]
        return self.salt in salts and ours == theirs

    def execute_call(self) -> bytes:
        """Return calldata that executes it, in the way that gives its id."""
        targets = [c.target for c in self.calls]
        values = [c.value for c in self.calls]
        payloads = [c.calldata for c in self.calls]
        tail = [self.predecessor, self.salt]
        if len(self.calls) == 1:
            one = [targets[0], values[0], payloads[0], *tail]
            packed = encode(["address", "uint256", "bytes", "bytes32", "bytes32"], one)
            if keccak(packed) == self.identifier:
                return keccak(b"execute(address,uint256,bytes,bytes32,bytes32)")[:4] + packed
        packed = encode(
            ["address[]", "uint256[]", "bytes[]", "bytes32", "bytes32"],
            [targets, values, payloads, *tail],
        )
        name = b"executeBatch(address[],uint256[],bytes[],bytes32,bytes32)"
        return keccak(name)[:4] + packed

    def executor(self, sandbox: Sandbox, *, anyone: str, governor: str) -> str:
        """Return who may execute it: anyone, or the governor where that takes a role."""
        signature = "hasRole(bytes32,address)"
        free = views.number(sandbox, self.timelock, signature, _EXECUTOR, "0x" + "00" * 20)
        return anyone if free else governor


def scheduled_operations(sandbox: Sandbox, timelock: str) -> tuple[Operation, ...]:
    """Return the operations that wait in a timelock, in the order in which they can be executed.

    They are looked for in the last LOOK_BACK blocks; none for a contract that is no
    TimelockController.
    """
    if views.number(sandbox, timelock, "getMinDelay()") is None:
        return ()
    head = sandbox.block_number()
    calls: dict[bytes, list[Log]] = {}
    salts: dict[bytes, bytes] = {}
    for logs in newest_first(
        sandbox,
        address=timelock,
        topics=[[CALL_SCHEDULED, CALL_SALT]],
        newest=head,
        oldest=max(head - LOOK_BACK, 0),
    ):
        for log in logs:
            if len(log.topics) < 2:
                continue
            if log.topics[0] == CALL_SALT:
                salts.setdefault(log.topics[1], log.data[:32])
            elif len(log.topics) == 3:
                calls.setdefault(log.topics[1], []).append(log)
    found = []
    for identifier, logs in calls.items():
        eta = views.number(sandbox, timelock, "getTimestamp(bytes32)", identifier)
        if eta is None or eta <= _DONE:
            continue
        operation = _read(timelock, identifier, eta, logs, salts.get(identifier, _NONE))
        if operation is not None:
            found.append(operation)
        if len(found) >= MAX_OPERATIONS:
            break
    return tuple(_in_order(found))


def _read(
    timelock: str, identifier: bytes, eta: int, logs: Iterable[Log], salt: bytes
) -> Operation | None:
    """Put the calls of one operation together; None for events that do not decode."""
    parts: dict[int, RawAction] = {}
    predecessor = _NONE
    for log in logs:
        try:
            target, value, data, before, _ = shared_decoder().values(
                "address,uint256,bytes,bytes32,uint256", log.data
            )
        except DecodingFailed:
            return None
        assert isinstance(value, int)
        number = int.from_bytes(log.topics[2], "big")
        # An id that was cancelled and scheduled again has every event twice.
        parts.setdefault(
            number,
            RawAction(target=str(target), value=value, signature=b"", calldata=octets(data)),
        )
        predecessor = octets(before)
    if sorted(parts) != list(range(len(parts))):
        return None
    return Operation(
        timelock=timelock,
        identifier=identifier,
        eta=eta,
        calls=tuple(parts[k] for k in range(len(parts))),
        predecessor=predecessor,
        salt=salt,
    )


def _in_order(operations: Iterable[Operation]) -> list[Operation]:
    """Sort by time; none before the one it must follow."""
    waiting = {o.identifier: o for o in sorted(operations, key=lambda o: (o.eta, o.identifier))}
    ordered: dict[bytes, Operation] = {}
    while waiting:
        ready = [o for o in waiting.values() if o.predecessor not in waiting]
        for one in ready or list(waiting.values()):  # a circle can never be executed
            before = ordered.get(one.predecessor)
            eta = one.eta if before is None else max(one.eta, before.eta)
            ordered[one.identifier] = replace(one, eta=eta)
            del waiting[one.identifier]
    return sorted(ordered.values(), key=lambda o: o.eta)
