"""What a unit of gas costs, for pricing liquidators' transactions."""

from __future__ import annotations

from collections.abc import Sequence

from evaluator.chain.sandbox import Sandbox
from evaluator.errors import RpcError
from evaluator.market import Reserve

# Taken where the chain has no base fee of its own, as a sandbox from a dump.
ASSUMED_GAS_PRICE = 5e9  # wei
# Symbols of the native coin and its wrapped token, in lower case, by chain id.
_NATIVE = {
    56: ("wbnb", "bnb"),
    97: ("wbnb", "bnb"),
    100: ("wxdai", "xdai"),
    137: ("wpol", "wmatic", "pol", "matic"),
    43114: ("wavax", "avax"),
}
_ETHER = ("weth", "eth")
NATIVE_SYMBOL = {56: "BNB", 97: "BNB", 100: "xDAI", 137: "POL", 43114: "AVAX"}


def gas_price(sandbox: Sandbox) -> tuple[float, str]:
    """Return the base fee at the forked block in wei, and a caveat if it is assumed.

    The forked block decides, before and after execution alike, because blocks
    of the sandbox itself carry no fee.
    """
    node = sandbox.upstream or sandbox.rpc
    try:
        head = node.request("eth_getBlockByNumber", [hex(sandbox.block.number), False])
        fee = int(head["baseFeePerGas"], 16)
    except (RpcError, KeyError, TypeError, ValueError):
        fee = 0
    if fee > 0:
        return float(fee), ""
    return ASSUMED_GAS_PRICE, (
        f"the chain has no base fee; gas is assumed to cost {ASSUMED_GAS_PRICE / 1e9:g} gwei"
    )


def native_price(chain_id: int, reserves: Sequence[Reserve]) -> tuple[float, str]:
    """Return USD per native token from the market's own prices, and a caveat if it has none."""
    by_name = {r.asset.symbol.casefold(): r.asset.price for r in reserves}
    for name in _NATIVE.get(chain_id, _ETHER):
        if name in by_name:
            return by_name[name], ""
    return 0.0, (
        "the market does not price the chain's native token, so gas costs liquidators nothing here"
    )
