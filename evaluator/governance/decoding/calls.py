"""Calls: their arguments by name, and the calls inside them.

Order of knowledge: a known ABI by selector, then the signature string that came
with the action (GovernorBravo), then selector and raw bytes. Batches - multicall,
timelocks, Safes, governors, forwarding agents - are unfolded recursively. What
cannot be decoded stays as raw bytes with the reason and stops nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from eth_hash.auto import keccak

from .batches import BATCHES, MAX_CALLS, NestedCall
from .known_calls import known_calls
from .signatures import Fragment, MalformedSignature, parse_signature
from .values import MAX_OCTETS, MAX_VALUES, Allowance, Undecodable, Value, decode_values

MAX_CALLDATA = 1 << 20  # bytes of one call that are looked at
MAX_DEPTH = 8  # batches inside batches
# The deterministic deployment proxy takes 32 bytes of salt and creation code.
DEPLOYER = "0x4e59b44847b379578588920ca78fbf26c0b4956c"
_PROPOSAL_ALLOWANCE = 8  # a proposal may produce this many times what one action may


class CallSource(StrEnum):
    """Where the meaning of a call was taken from."""

    KNOWN = "known ABI"  # the selector belongs to a function in the registry
    SIGNATURE = "signature string"  # the proposal itself names the function
    RAW = "raw bytes"  # nothing is known but the selector
    EMPTY = "no calldata"  # a plain transfer of native value


@dataclass(frozen=True, kw_only=True)
class DecodedArgument:
    """One argument of a call or event."""

    name: str  # parameter name, "" if unknown
    type: str  # canonical ABI type
    value: Value  # numbers as int, addresses in lower case, bytes as 0x hex, arrays as tuples


@dataclass(frozen=True, kw_only=True)
class DecodedCall:
    """What a call's bytes say."""

    selector: str  # first four bytes, 0x hex; shorter if the calldata is
    name: str  # function name, "" if unknown
    signature: str  # canonical signature, "" if unknown
    source: CallSource  # where the meaning was taken from
    kind: str  # kind of contract the function belongs to, "" if unknown
    arguments: tuple[DecodedArgument, ...]  # in order; empty if not decoded
    error: str  # why the bytes could not be decoded, "" if they were
    notes: tuple[str, ...]  # oddities a reader must know, such as bytes past the arguments


@dataclass(frozen=True, kw_only=True)
class Action:
    """One call that a proposal makes, with the calls inside it."""

    target: str  # address called, lower-case
    value: int  # wei sent along
    signature: str  # signature string that came with it, "" if none
    calldata: bytes  # full calldata, selector included
    delegate: bool = False  # whether the caller runs the target's code as its own
    decoded: DecodedCall | None = None  # None before decoding
    children: tuple[Action, ...] = ()  # calls inside it, in order of execution


@dataclass(frozen=True, kw_only=True)
class RawAction:
    """An action as the governor or a file gives it."""

    target: str  # address, 0x and 40 hex digits
    value: int  # wei
    signature: bytes  # signature string as bytes, b"" if none
    calldata: bytes  # arguments alone if there is a signature, else the full calldata

    @property
    def full_calldata(self) -> bytes:
        """The bytes the timelock sends: the selector is the hash of the signature as written."""
        if not self.signature:
            return self.calldata
        return keccak(self.signature)[:4] + self.calldata


def decode_actions(actions: Sequence[RawAction]) -> tuple[Action, ...]:
    """Decode and unfold the actions of one proposal. Never raises on their content."""
    total = Allowance(
        values=_PROPOSAL_ALLOWANCE * MAX_VALUES, octets=_PROPOSAL_ALLOWANCE * MAX_OCTETS
    )
    unfolding = _Unfolding(calls=MAX_CALLS)
    found: list[Action] = []
    for raw in actions:
        mine = Allowance(values=min(MAX_VALUES, total.values), octets=min(MAX_OCTETS, total.octets))
        values, octets = mine.values, mine.octets
        unfolding.allowance = mine
        call = NestedCall(
            target=raw.target.lower(),
            value=raw.value,
            calldata=raw.full_calldata,
            signature=raw.signature.decode("utf-8", errors="replace"),
        )
        found.append(unfolding.action(call, 0))
        total.values -= values - mine.values
        total.octets -= octets - mine.octets
    return tuple(found)


def raw_action(raw: RawAction, error: str) -> Action:
    """An action left as raw bytes, for the given reason."""
    calldata = raw.full_calldata
    return Action(
        target=raw.target.lower(),
        value=raw.value,
        signature=raw.signature.decode("utf-8", errors="replace"),
        calldata=calldata,
        decoded=_undecoded(calldata, error),
    )


@dataclass
class _Unfolding:
    """The decoding of one proposal: what is left of its bounds."""

    calls: int  # calls that may still be unfolded
    allowance: Allowance = field(default_factory=Allowance)

    def action(self, call: NestedCall, depth: int) -> Action:
        self.calls -= 1
        decoded, fragment, values = self._decode(call)
        children: list[Action] = []
        notes = list(decoded.notes)
        if fragment is not None and fragment.signature in BATCHES:
            try:
                nested = BATCHES[fragment.signature](call.target, values)
            except Undecodable as error:
                nested = []
                notes.append(f"the batch inside could not be unfolded: {error}")
            if nested and depth >= MAX_DEPTH:
                notes.append(f"not unfolded: batches are nested deeper than {MAX_DEPTH}")
                nested = []
            for inner in nested:
                if self.calls <= 0:
                    notes.append(f"not unfolded further: more than {MAX_CALLS} calls")
                    break
                children.append(self.action(inner, depth + 1))
        return Action(
            target=call.target,
            value=call.value,
            signature=call.signature,
            calldata=call.calldata,
            delegate=call.delegate,
            decoded=replace(decoded, notes=tuple(notes)),
            children=tuple(children),
        )

    def _decode(self, call: NestedCall) -> tuple[DecodedCall, Fragment | None, tuple[Value, ...]]:
        data = call.calldata
        if not data:
            return _undecoded(data, ""), None, ()
        if len(data) > MAX_CALLDATA:
            return (
                _undecoded(data, f"{len(data):,} bytes; at most {MAX_CALLDATA:,} are read"),
                None,
                (),
            )
        if call.target == DEPLOYER and len(data) > 32:
            return _creation(data), None, ()
        reasons: list[str] = []
        for source, kind, fragment, notes in _candidates(data, call.signature, reasons):
            before = self.allowance.canonical
            types = [p.type for p in fragment.parameters]
            try:
                values = decode_values(types, data[4:], self.allowance)
            except Undecodable as error:
                reasons.append(f"as {fragment.signature}: {error}")
                continue
            extra = len(data) - 4 - (self.allowance.canonical - before)
            if extra > 0:
                notes = (*notes, f"carries {extra:,} bytes beside its arguments")
            arguments = tuple(
                DecodedArgument(name=p.name, type=p.type.canonical, value=v)
                for p, v in zip(fragment.parameters, values, strict=True)
            )
            decoded = DecodedCall(
                selector="0x" + data[:4].hex(),
                name=fragment.name,
                signature=fragment.signature,
                source=source,
                kind=kind,
                arguments=arguments,
                error="",
                notes=notes,
            )
            return decoded, fragment, values
        why = "; ".join(reasons) or "the function is not known"
        return _undecoded(data, f"raw bytes, could not be decoded: {why}"), None, ()


def _candidates(
    data: bytes, signature: str, reasons: list[str]
) -> list[tuple[CallSource, str, Fragment, tuple[str, ...]]]:
    """What the bytes may be, the most trusted reading first."""
    found: list[tuple[CallSource, str, Fragment, tuple[str, ...]]] = []
    claimed: Fragment | None = None
    if signature:
        try:
            claimed = parse_signature(signature)
        except MalformedSignature as error:
            reasons.append(f"the signature string is malformed: {error}")
    known = known_calls().get(data[:4]) if len(data) >= 4 else None
    if known is not None:
        notes: tuple[str, ...] = ()
        if signature and (claimed is None or claimed.signature != known.fragment.signature):
            notes = (f"the proposal calls this {signature[:120]!r}, which has the same selector",)
        found.append((CallSource.KNOWN, known.kind, known.fragment, notes))
    if claimed is not None and (known is None or claimed.signature != known.fragment.signature):
        notes = ()
        if claimed.selector != data[:4]:
            notes = (
                f"the signature string is not canonical: the selector called is 0x{data[:4].hex()},"
                f" not 0x{claimed.selector.hex()} of {claimed.signature}",
            )
        found.append((CallSource.SIGNATURE, "", claimed, notes))
    return found


def _creation(data: bytes) -> DecodedCall:
    salt, code = data[:32], data[32:]
    packed = b"\xff" + bytes.fromhex(DEPLOYER[2:]) + salt + keccak(code)
    return DecodedCall(
        selector="",
        name="create2",
        signature="create2(bytes32,bytes)",
        source=CallSource.KNOWN,
        kind="deterministic deployment proxy",
        arguments=(
            DecodedArgument(name="salt", type="bytes32", value="0x" + salt.hex()),
            DecodedArgument(
                name="contract", type="address", value="0x" + keccak(packed)[12:].hex()
            ),
            DecodedArgument(name="creationCode", type="bytes", value="0x" + code.hex()),
        ),
        error="",
        notes=(),
    )


def _undecoded(data: bytes, error: str) -> DecodedCall:
    return DecodedCall(
        selector="0x" + data[:4].hex(),
        name="",
        signature="",
        source=CallSource.RAW if data else CallSource.EMPTY,
        kind="",
        arguments=(),
        error=error,
        notes=(),
    )
