"""Who answers what when a protocol asks for a price, by tracing the question.

Nothing is known of the contracts on the way: what each of them was asked and what it
answered is in the trace, and a stand-in can give those answers with one word changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from evaluator.arena.board import Answer, board_code
from evaluator.chain.receipts import unhex
from evaluator.chain.sandbox import Sandbox
from evaluator.chain.simulation import SimulatedCall, StateOverride
from evaluator.errors import RpcError

MOST_FRAMES = 256  # calls of one trace that are looked at
_DEEPEST = 32  # calls within calls


@dataclass(frozen=True, kw_only=True, slots=True)
class Exchange:
    """One question of the trace with its answer."""

    to: str  # contract asked, lower-case
    code: str  # contract whose code answered, lower-case; another than `to` behind a proxy
    data: bytes  # calldata
    answer: bytes  # what it returned
    end: bool  # it asked nobody else in turn

    @property
    def words(self) -> tuple[int, ...]:
        """The answer as unsigned words."""
        return tuple(
            int.from_bytes(self.answer[i : i + 32], "big")
            for i in range(0, len(self.answer) - 31, 32)
        )

    def with_word(self, word: int, value: int) -> bytes:
        """Return the answer with one word changed."""
        at = 32 * word
        new = (value % 2**256).to_bytes(32, "big")
        return self.answer[:at] + new + self.answer[at + 32 :]

    @property
    def named(self) -> tuple[str, ...]:
        """Addresses among its arguments, lower-case."""
        words = (self.data[i : i + 32] for i in range(4, len(self.data) - 31, 32))
        return tuple("0x" + w[12:].hex() for w in words if not any(w[:12]) and any(w[12:18]))


@dataclass(frozen=True, kw_only=True, eq=False)
class PriceTrace:
    """Everything that was asked for one price."""

    oracle: str  # contract the protocol asks, lower-case
    raw: int  # the price in the oracle's own unit, 0 if it told none
    exchanges: tuple[Exchange, ...]  # in order; the protocol's own question is not among them

    @property
    def ends(self) -> tuple[Exchange, ...]:
        """Questions answered without asking further, each once."""
        found = {(e.to, e.data): e for e in self.exchanges if e.end and len(e.answer) >= 32}
        return tuple(found.values())

    @property
    def contracts(self) -> tuple[str, ...]:
        """Every contract on the way, those behind proxies too, the oracle first."""
        seen = dict.fromkeys([self.oracle])
        for e in self.exchanges:
            seen.update(dict.fromkeys((e.to, e.code)))
        return tuple(seen)

    def stand_in(self, contract: str, answers: Mapping[bytes, bytes]) -> StateOverride:
        """Return code for `contract` that answers as in the trace, except for `answers`.

        `answers` is keyed by calldata; whatever else it is asked reverts.
        """
        given = {e.data: e.answer for e in self.exchanges if e.to == contract}
        given.update(answers)
        return StateOverride(
            address=contract,
            code=board_code(
                [
                    Answer(
                        selector=data[:4],
                        argument=data[4:36] if len(data) >= 36 else None,
                        data=answer,
                    )
                    for data, answer in given.items()
                ]
            ),
        )


def trace_price(
    sandbox: Sandbox, question: SimulatedCall, *, block: int | None = None
) -> PriceTrace | None:
    """Ask for a price and follow the question; None where the node cannot trace.

    `block` is a number of the sandbox's own chain, None for its head.
    """
    request = {"from": question.sender, "to": question.to, "data": "0x" + question.data.hex()}
    tag = "latest" if block is None else hex(block)
    try:
        root = sandbox.rpc.request("debug_traceCall", [request, tag, {"tracer": "callTracer"}])
    except RpcError:
        return None
    if not isinstance(root, dict):
        return None
    failed = bool(root.get("error"))
    answer = b"" if failed else unhex(root.get("output") or "0x")
    oracle = question.to.lower()
    found = list(_exchanges(root, oracle, 0))
    return PriceTrace(
        oracle=oracle,
        raw=int.from_bytes(answer[:32], "big"),
        exchanges=tuple(found[:MOST_FRAMES]),
    )


def _exchanges(frame: dict[str, Any], asked: str, depth: int) -> Iterator[Exchange]:
    """Go through the calls inside a frame; `asked` is the contract whose storage it runs on."""
    if depth > _DEEPEST:
        return
    for inner in frame.get("calls") or ():
        if inner.get("error") or "to" not in inner:
            continue
        to, kind = str(inner["to"]).lower(), inner.get("type")
        if kind in ("DELEGATECALL", "CALLCODE"):
            # The code of another contract on the same storage: part of the same answer.
            yield Exchange(to=asked, code=to, data=b"", answer=b"", end=False)
            yield from _exchanges(inner, asked, depth + 1)
            continue
        yield Exchange(
            to=to,
            code=_code_of(inner, to),
            data=unhex(inner.get("input") or "0x"),
            answer=unhex(inner.get("output") or "0x"),
            end=not _asks(inner),
        )
        yield from _exchanges(inner, to, depth + 1)


def _code_of(frame: dict[str, Any], to: str) -> str:
    for inner in frame.get("calls") or ():
        if inner.get("type") == "DELEGATECALL" and "to" in inner:
            return str(inner["to"]).lower()
    return to


def _asks(frame: dict[str, Any], depth: int = 0) -> bool:
    """Whether a frame asks another contract, behind whatever proxies."""
    for inner in frame.get("calls") or ():
        if inner.get("type") not in ("DELEGATECALL", "CALLCODE"):
            # Precompiles are arithmetic and no source of prices.
            if int(str(inner.get("to") or "0x0"), 16) > 0x1FF:
                return True
        elif depth < _DEEPEST and _asks(inner, depth + 1):
            return True
    return False
