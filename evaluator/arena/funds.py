"""Give an account tokens in a simulated block, by the slot its balance is kept in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evaluator.chain.receipts import ZERO
from evaluator.chain.sandbox import Sandbox
from evaluator.chain.simulation import SimulatedBlock, SimulatedCall, StateOverride
from evaluator.errors import ChainError, IncompleteState, RpcError
from evaluator.protocols.interfaces import ERC20

_ODD = 0x5EA7_0000_1234_5678  # base units that no account holds by chance


@dataclass(frozen=True, kw_only=True, slots=True)
class BalanceSlot:
    """Where a token keeps one account's balance."""

    token: str  # lower-case address of the token
    keeper: str  # contract whose storage holds it, lower-case; the token, or what it delegates to
    slot: int  # storage slot


def balance_slot(sandbox: Sandbox, token: str, holder: str) -> BalanceSlot | None:
    """Find the slot that `balanceOf(holder)` returns as it stands; None if there is none.

    The slots that the call reads are tried one by one. A token that computes balances
    from shares has no such slot.
    """
    request = {"from": ZERO, "to": token, "data": "0x" + _balance_of(holder).hex()}
    try:
        listed = sandbox.rpc.request("eth_createAccessList", [request, "latest"])
    except RpcError:
        return None
    for account in listed.get("accessList", ()):
        for key in account.get("storageKeys", ()):
            found = BalanceSlot(
                token=token.lower(), keeper=str(account["address"]).lower(), slot=int(key, 16)
            )
            if _holds(sandbox, found, holder):
                return found
    return None


def _holds(sandbox: Sandbox, place: BalanceSlot, holder: str) -> bool:
    override = StateOverride(address=place.keeper, storage=((place.slot, _ODD),))
    call = SimulatedCall(sender=ZERO, to=place.token, data=_balance_of(holder))
    if sandbox.has_simulate:
        (block,) = sandbox.simulate([SimulatedBlock(calls=(call,), overrides=(override,))])
        answer = block.calls[0].return_data if block.calls[0].succeeded else b""
        return int.from_bytes(answer, "big") == _ODD
    was = sandbox.get_storage(place.keeper, place.slot)
    sandbox.set_storage(place.keeper, place.slot, _ODD)
    try:
        return int.from_bytes(sandbox.call(place.token, call.data), "big") == _ODD
    except ChainError:
        return False
    finally:
        sandbox.set_storage(place.keeper, place.slot, was)


def funding(places: Sequence[tuple[BalanceSlot, int]]) -> tuple[StateOverride, ...]:
    """Return the overrides that put these amounts (base units) in place, one per contract."""
    by_keeper: dict[str, list[tuple[int, int]]] = {}
    for place, units in places:
        by_keeper.setdefault(place.keeper, []).append((place.slot, units))
    return tuple(
        StateOverride(address=keeper, storage=tuple(slots)) for keeper, slots in by_keeper.items()
    )


def _balance_of(holder: str) -> bytes:
    return ERC20.encode("balanceOf", holder)


def give(sandbox: Sandbox, token: str, holder: str, units: int) -> None:
    """Give an account a token balance on the sandbox itself, by a cheat.

    Raises IncompleteState for a token whose balances are in no slot.
    """
    place = balance_slot(sandbox, token, holder)
    if place is None:
        raise IncompleteState(
            f"the token {token} keeps the balance of {holder} in no storage slot that could be "
            "found: give it tokens by a transfer from somebody who has them"
        )
    sandbox.set_storage(place.keeper, place.slot, units)
