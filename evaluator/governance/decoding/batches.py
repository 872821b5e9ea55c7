"""Batches: which functions carry other calls, and how to find the calls in them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from eth_hash.auto import keccak

from .values import Undecodable, Value

MAX_CALLS = 1000  # calls unfolded out of one proposal, over all levels


@dataclass(frozen=True, kw_only=True)
class NestedCall:
    """A call found inside another one."""

    target: str  # address called, lower-case
    value: int  # wei sent along
    calldata: bytes  # full calldata
    signature: str = ""  # signature string that came with it, "" if none
    delegate: bool = False  # whether the caller runs the target's code as its own


_Values = tuple[Value, ...]
Batch = Callable[[str, _Values], list[NestedCall]]


def _octets(value: Value) -> bytes:
    assert isinstance(value, str)
    return bytes.fromhex(value[2:])


def _address(value: Value) -> str:
    assert isinstance(value, str)
    return value


def _number(value: Value) -> int:
    assert isinstance(value, int)
    return value


def _items(value: Value) -> _Values:
    assert isinstance(value, tuple)
    return value


def _lists(at: int, *, signatures: int | None, data: int, delegates: int | None = None) -> Batch:
    """Parallel lists of targets and values from position `at`, with calldatas at `data`."""

    def unfold(_target: str, values: _Values) -> list[NestedCall]:
        targets, amounts, datas = _items(values[at]), _items(values[at + 1]), _items(values[data])
        texts: _Values = ("",) * len(targets) if signatures is None else _items(values[signatures])
        modes: _Values = (False,) * len(targets) if delegates is None else _items(values[delegates])
        if not len(targets) == len(amounts) == len(datas) == len(texts) == len(modes):
            raise Undecodable("its lists differ in length")
        return [
            _signed(_address(t), _number(v), str(s), _octets(d), delegate=bool(m))
            for t, v, s, d, m in zip(targets, amounts, texts, datas, modes, strict=True)
        ]

    return unfold


def _single(
    target: int,
    value: int | None,
    data: int,
    *,
    signature: int | None = None,
    delegate: bool = False,
) -> Batch:
    """One call whose target, value and calldata are the arguments at these positions."""

    def unfold(_target: str, values: _Values) -> list[NestedCall]:
        return [
            _signed(
                _address(values[target]),
                0 if value is None else _number(values[value]),
                "" if signature is None else str(values[signature]),
                _octets(values[data]),
                delegate=delegate,
            )
        ]

    return unfold


def _signed(
    target: str, value: int, signature: str, data: bytes, *, delegate: bool = False
) -> NestedCall:
    calldata = keccak(signature.encode())[:4] + data if signature else data
    return NestedCall(
        target=target, value=value, calldata=calldata, signature=signature, delegate=delegate
    )


def _self_calls(at: int) -> Batch:
    """Calls of the target to itself: `multicall(bytes[])`."""

    def unfold(target: str, values: _Values) -> list[NestedCall]:
        # A multicall runs its parts by delegatecall to itself: for a reader, calls of the target.
        return [NestedCall(target=target, value=0, calldata=_octets(d)) for d in _items(values[at])]

    return unfold


def _tuples(at: int, *, value: int | None, data: int) -> Batch:
    """A list of tuples that begin with the target."""

    def unfold(_target: str, values: _Values) -> list[NestedCall]:
        return [
            NestedCall(
                target=_address(_items(call)[0]),
                value=0 if value is None else _number(_items(call)[value]),
                calldata=_octets(_items(call)[data]),
            )
            for call in _items(values[at])
        ]

    return unfold


def _safe(_target: str, values: _Values) -> list[NestedCall]:
    """A Safe's transaction: operation 1 is a delegatecall."""
    operation = _number(values[3])
    if operation > 1:
        raise Undecodable(f"the Safe operation {operation} is neither call nor delegatecall")
    return [
        NestedCall(
            target=_address(values[0]),
            value=_number(values[1]),
            calldata=_octets(values[2]),
            delegate=operation == 1,
        )
    ]


def _multi_send(_target: str, values: _Values) -> list[NestedCall]:
    """A Safe's batch: packed (operation, target, value, length, data) without padding."""
    packed = _octets(values[0])
    found: list[NestedCall] = []
    at = 0
    while at < len(packed):
        if at + 85 > len(packed):
            raise Undecodable(f"the packed batch ends inside the header at byte {at}")
        length = int.from_bytes(packed[at + 53 : at + 85], "big")
        end = at + 85 + length
        if end > len(packed):
            raise Undecodable(f"the packed call at byte {at} runs past the end")
        if packed[at] > 1:
            raise Undecodable(f"the operation {packed[at]} at byte {at} is unknown")
        found.append(
            NestedCall(
                target="0x" + packed[at + 1 : at + 21].hex(),
                value=int.from_bytes(packed[at + 21 : at + 53], "big"),
                calldata=packed[at + 85 : end],
                delegate=packed[at] == 1,
            )
        )
        if len(found) > MAX_CALLS:
            break
        at = end
    return found


def _initialiser(proxy: int | None, data: int) -> Batch:
    """The call a proxy makes into its new implementation after an upgrade."""

    def unfold(target: str, values: _Values) -> list[NestedCall]:
        calldata = _octets(values[data])
        if not calldata:
            return []
        receiver = target if proxy is None else _address(values[proxy])
        return [NestedCall(target=receiver, value=0, calldata=calldata)]

    return unfold


_LIST = "address[],uint256[],bytes[]"
_SIGNED_LIST = "address[],uint256[],string[],bytes[]"
BATCHES: dict[str, Batch] = {
    "multicall(bytes[])": _self_calls(0),
    "multicall(uint256,bytes[])": _self_calls(1),
    "multicall(bytes32,bytes[])": _self_calls(1),
    "aggregate((address,bytes)[])": _tuples(0, value=None, data=1),
    "blockAndAggregate((address,bytes)[])": _tuples(0, value=None, data=1),
    "tryAggregate(bool,(address,bytes)[])": _tuples(1, value=None, data=1),
    "tryBlockAndAggregate(bool,(address,bytes)[])": _tuples(1, value=None, data=1),
    "aggregate3((address,bool,bytes)[])": _tuples(0, value=None, data=2),
    "aggregate3Value((address,bool,uint256,bytes)[])": _tuples(0, value=2, data=3),
    "executeBatch((address,uint256,bytes)[])": _tuples(0, value=1, data=2),
    "schedule(address,uint256,bytes,bytes32,bytes32,uint256)": _single(0, 1, 2),
    "execute(address,uint256,bytes,bytes32,bytes32)": _single(0, 1, 2),
    f"scheduleBatch({_LIST},bytes32,bytes32,uint256)": _lists(0, signatures=None, data=2),
    f"executeBatch({_LIST},bytes32,bytes32)": _lists(0, signatures=None, data=2),
    "queueTransaction(address,uint256,string,bytes,uint256)": _single(0, 1, 3, signature=2),
    "executeTransaction(address,uint256,string,bytes,uint256)": _single(0, 1, 3, signature=2),
    "queueTransaction(address,uint256,string,bytes,uint256,bool)": _single(0, 1, 3, signature=2),
    "executeTransaction(address,uint256,string,bytes,uint256,bool)": _single(0, 1, 3, signature=2),
    f"propose({_LIST},string)": _lists(0, signatures=None, data=2),
    f"queue({_LIST},bytes32)": _lists(0, signatures=None, data=2),
    f"execute({_LIST},bytes32)": _lists(0, signatures=None, data=2),
    f"propose({_SIGNED_LIST},string)": _lists(0, signatures=2, data=3),
    f"propose({_SIGNED_LIST},string,uint8)": _lists(0, signatures=2, data=3),
    f"queue({_SIGNED_LIST},bool[])": _lists(0, signatures=2, data=3, delegates=4),
    "relay(address,uint256,bytes)": _single(0, 1, 2),
    "execute(address,uint256,bytes)": _single(0, 1, 2),
    "execute(address,bytes)": _single(0, None, 1, delegate=True),
    "execTransaction(address,uint256,bytes,uint8,uint256,uint256,uint256,address,address,bytes)": (
        _safe
    ),
    "execTransactionFromModule(address,uint256,bytes,uint8)": _safe,
    "execTransactionFromModuleReturnData(address,uint256,bytes,uint8)": _safe,
    "multiSend(bytes)": _multi_send,
    "upgradeToAndCall(address,bytes)": _initialiser(None, 1),
    "upgradeAndCall(address,address,bytes)": _initialiser(0, 2),
}
