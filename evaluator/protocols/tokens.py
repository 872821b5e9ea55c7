"""What tokens say of themselves, made fit to be shown, and what kind of price they have.

A token's symbol is text from an unknown author: it may be bytes32 instead of
a string, megabytes long, full of control characters or the same as another's.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from evaluator.chain.sandbox import Sandbox
from evaluator.errors import IncompleteState
from evaluator.market import AssetClass
from evaluator.protocols.interfaces import ERC20
from evaluator.protocols.reading import read_raw

SYMBOL_LIMIT = 24  # characters
MOST_DECIMALS = 36
_PUNCTUATION = frozenset(".+-_$/")


@dataclass(frozen=True, kw_only=True, slots=True)
class Token:
    """An ERC-20 as it presents itself."""

    address: str  # as it was asked for
    symbol: str  # printable, at most SYMBOL_LIMIT characters, unique among those read together
    raw_symbol: str  # as the token says it, at most 256 characters, not fit for display
    decimals: int  # base units per whole token, as a power of ten


def read_tokens(sandbox: Sandbox, addresses: Sequence[str], *, block: int) -> tuple[Token, ...]:
    """Read symbol and decimals of each token.

    Raises IncompleteState for a token without usable decimals.
    """
    calls = [(a, ERC20.encode(fn)) for a in addresses for fn in ("symbol", "decimals")]
    answers = read_raw(sandbox, calls, block=block)
    raw = [decode_text(answer) for answer in answers[0::2]]
    symbols = unique_symbols([(text, a) for text, a in zip(raw, addresses, strict=True)])
    return tuple(
        Token(address=a, symbol=s, raw_symbol=r, decimals=_decimals(a, d))
        for a, s, r, d in zip(addresses, symbols, raw, answers[1::2], strict=True)
    )


def decode_text(answer: bytes | None, limit: int = 256) -> str:
    """Read a string or bytes32 answer, at most `limit` bytes of it; "" if it is neither."""
    if not answer:
        return ""
    if len(answer) >= 64 and int.from_bytes(answer[:32], "big") == 32:
        length = int.from_bytes(answer[32:64], "big")
        return answer[64 : 64 + min(length, limit)].decode("utf-8", "replace")
    if len(answer) == 32:
        return answer.rstrip(b"\0").decode("utf-8", "replace")
    return ""


def printable(text: str, limit: int = SYMBOL_LIMIT) -> str:
    """Keep letters, digits, currency signs and `.+-_$/` of `text`, at most `limit` characters."""
    kept = [
        c
        for c in unicodedata.normalize("NFKC", text[: 4 * limit])
        if c in _PUNCTUATION or unicodedata.category(c) in ("Lu", "Ll", "Lt", "Lo", "Nd", "Sc")
    ]
    return "".join(kept)[:limit]


def unique_symbols(named: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    """Turn (symbol, address) pairs into printable symbols no two of which are equal.

    The first of equal symbols keeps it, later ones get a piece of their
    address, so that listing a namesake renames nobody.
    """
    taken: set[str] = set()
    out = []
    for text, address in named:
        symbol = printable(text) or "token"
        if symbol.casefold() in taken or symbol == "token":
            symbol = f"{symbol}-{address[2:8].lower()}"
        extra = 6
        while symbol.casefold() in taken:
            extra += 1
            symbol = f"{symbol}{len(taken)}" if extra > 40 else f"{symbol}{address[2 + extra]}"
        taken.add(symbol.casefold())
        out.append(symbol)
    return tuple(out)


# Symbols in lower case. What is in none of these is a small alternative coin:
# the wildest class, so that ignorance never makes a market look calmer.
_ETHER = frozenset({"eth", "weth"})
_BITCOIN = frozenset(
    {"btc", "wbtc", "btcb", "btc.b", "cbbtc", "tbtc", "renbtc", "lbtc", "fbtc", "ebtc", "solvbtc"}
)
_STAKED_ETHER = frozenset(
    {"steth", "wsteth", "reth", "cbeth", "weeth", "ezeth", "rseth", "oseth", "ethx", "oeth"}
    | {"frxeth", "sfrxeth", "sweth", "ankreth", "wbeth", "beth"}
)
# Staked coins and the symbols of what their price follows.
_FOLLOWS = {
    **dict.fromkeys(_STAKED_ETHER, ("weth", "eth")),
    **dict.fromkeys({"slisbnb", "ankrbnb", "bnbx", "stkbnb", "asbnb"}, ("wbnb", "bnb")),
    **dict.fromkeys({"stmatic", "maticx"}, ("wmatic", "wpol", "matic", "pol")),
    "savax": ("wavax", "avax"),
}
_DOLLAR = frozenset(
    {"usdc", "usdt", "dai", "lusd", "frax", "gho", "crvusd", "pyusd", "susd", "tusd", "busd"}
    | {"usdp", "gusd", "mai", "mimatic", "usdbc", "usde", "usds", "rlusd", "usd1", "fdusd", "usdd"}
    | {"vai", "usdtb", "usdt0", "usd₮0", "xdai", "wxdai", "dola", "ust"}
)
_LARGE = frozenset(
    {"bnb", "wbnb", "link", "matic", "wmatic", "pol", "wpol", "avax", "wavax", "sol", "ada", "xrp"}
    | {"ltc", "bch", "dot", "uni", "mkr", "aave", "trx", "doge", "atom", "fil", "near"}
)


def classify(symbol: str, price: float, known: Sequence[str]) -> tuple[AssetClass, str | None]:
    """Return the class of an asset and the symbol it follows ("USD" for dollars).

    Decided by well-known symbols, case and a bridge's ".e" aside; anything
    with "USD" in its name that costs between 0.9 and 1.1 is a stablecoin; a
    stablecoin by name must cost between 0.5 and 2 USD to count as one. A
    staked coin follows its base asset if `known`, the market's symbols, has it
    (and is then LST). Unknown symbols are SMALL_ALT.
    """
    name = symbol.casefold().removesuffix(".e")
    by_name = {s.casefold().removesuffix(".e"): s for s in known}
    if (name in _DOLLAR and 0.5 < price < 2.0) or ("usd" in name and 0.9 < price < 1.1):
        return AssetClass.STABLE, "USD"
    if name in _ETHER:
        return AssetClass.ETH, None
    if name in _BITCOIN:
        return AssetClass.BTC, None
    if name in _FOLLOWS:
        return AssetClass.LST, next((by_name[b] for b in _FOLLOWS[name] if b in by_name), None)
    return (AssetClass.LARGE_ALT if name in _LARGE else AssetClass.SMALL_ALT), None


def _decimals(address: str, answer: bytes | None) -> int:
    value = int.from_bytes(answer, "big") if answer is not None and len(answer) == 32 else -1
    if not 0 <= value <= MOST_DECIMALS:
        raise IncompleteState(
            f"the token {address} does not say its decimals (0 to {MOST_DECIMALS} were expected); "
            "without them no amount of it can be read"
        )
    return value
