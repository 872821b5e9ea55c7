"""Where a protocol's prices come from: feed, pool or a constant."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from evaluator.chain.sandbox import Sandbox
from evaluator.errors import IncompleteState
from evaluator.market import OracleKind, OracleSpec
from evaluator.protocols.feeds import FeedRounds, estimate_triggers, read_rounds
from evaluator.protocols.interfaces import FEED, UNISWAP
from evaluator.protocols.reading import (
    NULL_ADDRESS,
    address_in,
    checksum,
    read_codes,
    read_raw,
    read_slots,
)

CODE_LIMIT = 49_152  # bytes of code that are looked at; more than a contract may have
LINKS = 24  # addresses followed from one source
STORAGE_SLOTS = 8  # first slots of a source that are looked at
ROUNDS = 64  # rounds read of each feed to estimate its triggers
IMPLEMENTATION_SLOT = 0x360894A13BA1A3210667C828492DB98DCA3E2076CC3735A920A3CA505D382BBC  # EIP-1967

_SLOAD, _CALL, _CALLCODE, _DELEGATECALL, _STATICCALL = 0x54, 0xF1, 0xF2, 0xF4, 0xFA
_PUSH1, _PUSH20, _PUSH32 = 0x60, 0x73, 0x7F


@dataclass(frozen=True, kw_only=True, slots=True)
class CodeFacts:
    """What a contract's code shows without being run."""

    addresses: tuple[str, ...]  # constants that could be addresses, lower-case
    reads_state: bool  # it loads storage or calls another contract


@lru_cache(maxsize=256)
def read_code(code: bytes) -> CodeFacts:
    """Walk through the instructions of `code`, at most CODE_LIMIT bytes of them."""
    found: dict[str, None] = {}
    opcodes: set[int] = set()
    at, end = 0, min(len(code), CODE_LIMIT)
    while at < end:
        op = code[at]
        opcodes.add(op)
        size = op - _PUSH1 + 1 if _PUSH1 <= op <= _PUSH32 else 0
        if op in (_PUSH20, _PUSH32):
            address = address_in(code[at + 1 : at + 1 + size].rjust(32, b"\0"))
            # A mask of twenty 0xff bytes is in most contracts and is nobody's address.
            if address is not None and address != "0x" + "ff" * 20:
                found[address] = None
        at += 1 + size
    state = {_SLOAD, _CALL, _CALLCODE, _DELEGATECALL, _STATICCALL}
    return CodeFacts(addresses=tuple(found), reads_state=bool(opcodes & state))


def inspect_sources(
    sandbox: Sandbox, sources: Sequence[str], *, block: int
) -> dict[str, OracleSpec]:
    """Tell for each address what kind of oracle it is, keyed by the address given.

    An exchange pool, or a contract whose code or first storage slots point at
    one, is POOL; code that neither loads storage nor calls anybody is FIXED;
    what answers `latestRoundData`, or points at a contract that does, is FEED,
    with its deviation threshold and heartbeat estimated from its last rounds
    and its floor and cap read from its aggregator; anything else is UNKNOWN.
    """
    asked = list(dict.fromkeys(s.lower() for s in sources))
    codes = dict(zip(asked, read_codes(sandbox, asked, block=block), strict=True))
    contracts = [s for s in asked if s != NULL_ADDRESS and codes[s]]
    links = _links(sandbox, codes, contracts, block)
    known = list(dict.fromkeys(a for s in contracts for a in (s, *links[s])))
    pools, feeds = set(_pools(sandbox, known, block)), set(_feeds(sandbox, known, block))
    rounds = _rounds(sandbox, [s for s in contracts if s in feeds], block)
    specs = {
        source: _spec(source, codes[source], links.get(source, []), pools, feeds)
        for source in asked
    }
    for source, read in rounds.items():
        if specs[source].kind is OracleKind.FEED:
            specs[source] = _with_bounds(
                sandbox, _with_triggers(specs[source], read), read, links[source], block
            )
    return {s: specs[s.lower()] for s in sources}


def _spec(
    source: str, code: bytes, links: Sequence[str], pools: set[str], feeds: set[str]
) -> OracleSpec:
    unknown = OracleSpec(source=checksum(source), kind=OracleKind.UNKNOWN)
    if not code:
        return unknown
    around = [source, *links]
    pool = next((a for a in around if a in pools), None)
    if pool is not None:
        return replace(unknown, kind=OracleKind.POOL, pool=checksum(pool))
    if not read_code(code).reads_state:
        return replace(unknown, kind=OracleKind.FIXED)
    # A wrapper of feeds counts as one; what they do tells little of when it moves.
    return replace(unknown, kind=OracleKind.FEED) if feeds & set(around) else unknown


def _links(
    sandbox: Sandbox, codes: Mapping[str, bytes], contracts: Sequence[str], block: int
) -> dict[str, list[str]]:
    """Addresses that the code of each source or its first storage slots name."""
    slots = [(s, i) for s in contracts for i in (*range(STORAGE_SLOTS), IMPLEMENTATION_SLOT)]
    found: dict[str, dict[str, None]] = {
        s: dict.fromkeys(read_code(codes[s]).addresses) for s in contracts
    }
    for (source, _), word in zip(slots, read_slots(sandbox, slots, block=block), strict=True):
        address = address_in(word)
        if address is not None:
            found[source][address] = None
    return {s: [a for a in named if a != s][:LINKS] for s, named in found.items()}


def _rounds(sandbox: Sandbox, feeds: Sequence[str], block: int) -> dict[str, FeedRounds]:
    """The last rounds of each feed; one that answers no rounds is left out.

    Rounds are read as of the forked block: those that a sandbox adds after a
    warp tell nothing of when the feed is updated. A feed that is younger than
    the fork is read as it stands.
    """
    out = {}
    for feed in feeds:
        for at in dict.fromkeys((min(block, sandbox.block.number), block)):
            with contextlib.suppress(IncompleteState):
                out[feed] = read_rounds(sandbox, feed, count=ROUNDS, block=at)
                break
    return out


def _pools(sandbox: Sandbox, addresses: Sequence[str], block: int) -> list[str]:
    """Those of `addresses` that answer as a Uniswap V2 pair or V3 pool does."""
    fns = ("token0", "getReserves", "slot0")
    answers = read_raw(
        sandbox, [(a, UNISWAP.encode(fn)) for a in addresses for fn in fns], block=block
    )
    out = []
    for i, address in enumerate(addresses):
        token, reserves, slot0 = answers[3 * i : 3 * i + 3]
        pair = reserves is not None and len(reserves) >= 64
        v3 = slot0 is not None and len(slot0) >= 64
        if address_in(token) is not None and (pair or v3):
            out.append(address)
    return out


def _feeds(sandbox: Sandbox, addresses: Sequence[str], block: int) -> list[str]:
    """Those of `addresses` that answer `latestRoundData`."""
    calls = [(a, FEED.encode("latestRoundData")) for a in addresses]
    answers = read_raw(sandbox, calls, block=block)
    return [a for a, r in zip(addresses, answers, strict=True) if r is not None and len(r) == 160]


def _with_triggers(spec: OracleSpec, rounds: FeedRounds) -> OracleSpec:
    triggers = estimate_triggers(rounds.timestamp, rounds.price)
    if triggers is None:
        return spec
    return replace(
        spec,
        deviation_threshold=(
            spec.deviation_threshold if triggers.deviation is None else triggers.deviation
        ),
        heartbeat=triggers.heartbeat,
        assumed=triggers.deviation is None,
    )


def _with_bounds(
    sandbox: Sandbox, spec: OracleSpec, rounds: FeedRounds, links: Sequence[str], block: int
) -> OracleSpec:
    """Add the least and largest answer an aggregator gives, if it says so."""
    asked = [spec.source, *links[:4]]
    answers = read_raw(
        sandbox,
        [(a, FEED.encode(fn)) for a in asked for fn in ("minAnswer", "maxAnswer")],
        block=block,
    )
    for low, high in zip(answers[0::2], answers[1::2], strict=True):
        if low is not None and high is not None and len(low) == 32 == len(high):
            floor = int.from_bytes(low, "big", signed=True) / 10**rounds.decimals
            cap = int.from_bytes(high, "big", signed=True) / 10**rounds.decimals
            if 0.0 <= floor < cap:
                return replace(spec, floor=floor, cap=cap)
    return spec
