"""Where a protocol's prices come from: feed, pool or a constant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from evaluator.chain.sandbox import Sandbox
from evaluator.market import OracleKind, OracleSpec
from evaluator.protocols.feeds import FeedRounds, estimate_triggers, read_rounds
from evaluator.protocols.interfaces import FEED, UNISWAP
from evaluator.protocols.reading import NULL_ADDRESS, address_in, checksum, read_raw

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
    out: dict[str, OracleSpec] = {}
    for source in dict.fromkeys(s.lower() for s in sources):
        out[source] = _inspect(sandbox, source, block)
    return {s: out[s.lower()] for s in sources}


def _inspect(sandbox: Sandbox, source: str, block: int) -> OracleSpec:
    unknown = OracleSpec(source=checksum(source), kind=OracleKind.UNKNOWN)
    code = b"" if source == NULL_ADDRESS else sandbox.get_code(source, block=block)
    if not code:
        return unknown
    links = _links(sandbox, source, code, block)
    pool = next(iter(_pools(sandbox, [source, *links], block)), None)
    if pool is not None:
        return replace(unknown, kind=OracleKind.POOL, pool=checksum(pool))
    if not read_code(code).reads_state:
        return replace(unknown, kind=OracleKind.FIXED)
    feeds = _feeds(sandbox, [source, *links], block)
    if not feeds:
        return unknown
    spec = replace(unknown, kind=OracleKind.FEED)
    if feeds[0] != source:
        return spec  # a wrapper: what its feeds do tells little of what it does
    rounds = read_rounds(sandbox, source, count=ROUNDS, block=block)
    return _with_bounds(sandbox, _with_triggers(spec, rounds), rounds, links, block)


def _links(sandbox: Sandbox, source: str, code: bytes, block: int) -> list[str]:
    """Addresses that the code of a source or its first storage slots name."""
    found = dict.fromkeys(read_code(code).addresses)
    for slot in (*range(STORAGE_SLOTS), IMPLEMENTATION_SLOT):
        address = address_in(sandbox.get_storage(source, slot, block=block))
        if address is not None:
            found[address] = None
    found.pop(source, None)
    return list(found)[:LINKS]


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
