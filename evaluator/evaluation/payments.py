"""What leaves the DAO's contracts by an execution, and what it may be taken of afterwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evaluator.chain.abi import Abi, topic
from evaluator.chain.sandbox import Sandbox
from evaluator.errors import ChainError
from evaluator.evaluation.measurement import Reading
from evaluator.governance.decoding.calls import Action
from evaluator.governance.trace import ExecutionTrace
from evaluator.verdict.text import Payment

_TOKEN = Abi.parse(
    [
        "function allowance(address owner, address spender) view returns (uint256)",
        "function balanceOf(address account) view returns (uint256)",
        "function totalSupply() view returns (uint256)",
    ]
)
_APPROVAL = topic("Approval(address,address,uint256)")
_MOST = 64  # approvals looked at


@dataclass(frozen=True, kw_only=True, slots=True)
class Worth:
    """What a token is called and worth."""

    symbol: str  # for people
    unit: int  # base units of a whole token
    usd: float  # per base unit


def payments_of(
    sandbox: Sandbox, trace: ExecutionTrace, readings: Sequence[Reading]
) -> tuple[Payment, ...]:
    """Return what the contracts that execute paid to others, or allow others to take.

    The sandbox stands right after the execution. An allowance counts as far as it is
    left and there is a balance behind it; one of the market's own contracts does not.
    """
    worth = _worth(sandbox, readings)
    payers = {*trace.machinery, *(a.target for a in _leaves(trace.proposal.actions))}
    out = [
        _payment(worth, transfer.asset, transfer.amount, transfer.receiver)
        for transfer in trace.transfers
        if transfer.sender in payers and transfer.receiver not in payers
    ]
    ours = {*payers, *worth, *(r.root.lower() for r in readings)}
    approvals = dict.fromkeys(
        (e.contract, _address(e.topics[1]), _address(e.topics[2]))
        for e in trace.events
        if len(e.topics) == 3 and e.topics[0] == _APPROVAL
    )
    for token, owner, spender in list(approvals)[:_MOST]:
        if owner in payers and spender not in ours:
            units = _left(sandbox, token, owner, spender)
            if units:
                out.append(_payment(worth, token, units, spender, allowed=True))
    return tuple(out)


def _payment(
    worth: Mapping[str, Worth], token: str, units: int, to: str, *, allowed: bool = False
) -> Payment:
    known = worth.get(token)
    if known is None:
        symbol = token or "native currency"
        return Payment(symbol=symbol, amount=units / 10**18, recipient=to, allowed=allowed)
    return Payment(
        symbol=known.symbol,
        amount=units / known.unit,
        recipient=to,
        usd=units * known.usd,
        allowed=allowed,
    )


def _worth(sandbox: Sandbox, readings: Sequence[Reading]) -> dict[str, Worth]:
    """Worth of the markets' assets and of the tokens that stand for supplies of them."""
    out: dict[str, Worth] = {}
    for reading in readings:
        market = reading.before if reading.after is None else reading.after
        for reserve in market.reserves:
            asset = reserve.asset
            unit = 10**asset.decimals
            token, receipt = asset.address.lower(), reserve.receipt_token.lower()
            out[token] = Worth(symbol=asset.symbol, unit=unit, usd=asset.price / unit)
            shares = _asked(sandbox, receipt, "totalSupply") if receipt else 0
            if shares:
                out[receipt] = Worth(
                    symbol=f"{market.protocol} {asset.symbol}",
                    # One supplied token of the asset, however many shares that is.
                    unit=max(round(shares / reserve.supplied), 1) if reserve.supplied else unit,
                    usd=reserve.supplied * asset.price / shares,
                )
    return out


def _left(sandbox: Sandbox, token: str, owner: str, spender: str) -> int:
    allowed = _asked(sandbox, token, "allowance", owner, spender)
    return min(allowed, _asked(sandbox, token, "balanceOf", owner)) if allowed else 0


def _asked(sandbox: Sandbox, token: str, fn: str, *args: str) -> int:
    try:
        return int.from_bytes(sandbox.call(token, _TOKEN.encode(fn, *args))[:32], "big")
    except ChainError:
        return 0  # no token


def _address(topic: bytes) -> str:
    return "0x" + topic[-20:].hex()


def _leaves(actions: Sequence[Action]) -> list[Action]:
    found: list[Action] = []
    for action in actions:
        found += _leaves(action.children) if action.children else [action]
    return found
