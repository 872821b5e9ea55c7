"""Run agents block by block: collect, order, execute, charge, report; then undo it all."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from evaluator.arena.agents.agent import Agent, Report, Transaction, View
from evaluator.arena.bundles import CALL_GAS, undone
from evaluator.chain.receipts import Receipt
from evaluator.chain.sandbox import Sandbox
from evaluator.errors import ConfigurationError, RpcError, TransactionReverted

_PURPOSE = 4  # of the random streams, beside those of other rooms


class Sequencing(StrEnum):
    """Who goes first in a block."""

    FEE = "fee"  # the highest fee, then as they came
    FIRST_COME = "first come"  # in an order drawn for each block
    AGAINST_VICTIM = "against the victim"  # hostile agents before all others, then by fee


@dataclass(frozen=True, kw_only=True, eq=False)
class ArenaRun:
    """What happened in an arena."""

    reports: tuple[Report, ...]  # in the order of execution

    def digest(self) -> str:
        """Return a SHA-256 over who did what with which result."""
        h = hashlib.sha256()
        for r in self.reports:
            call = r.transaction.call
            h.update(
                f"{r.block} {r.agent} {call.sender} {call.to} {call.data.hex()} {call.value} "
                f"{r.succeeded} {r.reason} {r.gas_used} {r.paid}\n".encode()
            )
            for log in r.logs:
                h.update(log.address.encode() + b"".join(log.topics) + log.data)
        return h.hexdigest()


def run_arena(
    sandbox: Sandbox,
    agents: Sequence[Agent],
    *,
    blocks: int,
    seed: int,
    sequencing: Sequencing = Sequencing.FEE,
    seconds_per_block: int = 12,
) -> ArenaRun:
    """Let `agents` act for a number of blocks, and undo what they did.

    All agents of a block see the state before it. Each transaction is mined by itself,
    those of one block at one time, and pays its gas. The same seed gives the same run
    in every process. Raises ConfigurationError for names that are not unique.
    """
    names = [a.name for a in agents]
    if len(set(names)) != len(names):
        raise ConfigurationError(f"agents need different names, got {', '.join(names)}")
    reports: list[Report] = []
    with undone(sandbox):
        start, streams = sandbox.timestamp(), Streams(seed)
        for block in range(blocks):
            at = start + (block + 1) * seconds_per_block
            wanted: list[tuple[Agent, Transaction]] = []
            for k, agent in enumerate(agents):
                mine = tuple(r for r in reports if r.agent == agent.name and r.block == block - 1)
                view = View.of(sandbox, block=block, timestamp=at, reports=mine)
                wanted += [(agent, t) for t in agent.act(view, streams.of(block, k))]
            order = in_order(wanted, sequencing, streams.of(block, len(agents)))
            if not order:
                sandbox.rpc.request("evm_setNextBlockTimestamp", [hex(at)])
                sandbox.mine()
            for agent, transaction in order:
                reports.append(_execute(sandbox, agent.name, transaction, block=block, time=at))
    return ArenaRun(reports=tuple(reports))


class Streams:
    """Random numbers addressed by block and agent, the same in every process.

    A counter-based generator (Philox) starts anywhere at once; what `of` returns is good
    until it is called again.
    """

    def __init__(self, seed: int) -> None:
        """Take the seed of a run."""
        sequence = np.random.SeedSequence(seed, spawn_key=(_PURPOSE,))
        self._bits = np.random.Philox(key=sequence.generate_state(2, np.uint64))
        self._state: Any = self._bits.state  # a dict whose shape is numpy's affair
        self._generator = np.random.Generator(self._bits)

    def of(self, block: int, agent: int) -> np.random.Generator:
        """Return the random numbers of one agent in one block."""
        counter = self._state["state"]["counter"]
        counter[:] = (0, 0, agent, block)  # drawing counts up from the first
        self._state["buffer_pos"], self._state["has_uint32"] = 4, 0  # nothing is left over
        self._bits.state = self._state
        return self._generator


def in_order(
    wanted: Sequence[tuple[Agent, Transaction]],
    sequencing: Sequencing,
    rng: np.random.Generator,
) -> list[tuple[Agent, Transaction]]:
    """Order a block; an agent's own transactions of equal fee stay in its order."""
    if sequencing is Sequencing.FIRST_COME:
        arrival = {a.name: float(rng.random()) for a, _ in wanted}
        return sorted(wanted, key=lambda w: arrival[w[0].name])
    if sequencing is Sequencing.AGAINST_VICTIM:
        return sorted(wanted, key=lambda w: (not w[0].hostile, -w[1].fee))
    return sorted(wanted, key=lambda w: -w[1].fee)


def _execute(
    sandbox: Sandbox, agent: str, transaction: Transaction, *, block: int, time: int
) -> Report:
    call = transaction.call
    request = {
        "from": call.sender,
        "to": call.to,
        "data": "0x" + call.data.hex(),
        "value": hex(call.value),
        "gas": hex(call.gas or CALL_GAS),
        "gasPrice": hex(transaction.fee),
    }
    sandbox.rpc.request("evm_setNextBlockTimestamp", [hex(time)])
    try:
        receipt = sandbox.submit(request)
    except RpcError as error:
        # Not even mined, as when the sender cannot pay the gas.
        return Report(
            agent=agent,
            block=block,
            transaction=transaction,
            succeeded=False,
            reason=str(error),
            gas_used=0,
            paid=0,
            logs=(),
        )
    return Report(
        agent=agent,
        block=block,
        transaction=transaction,
        succeeded=receipt.status == 1,
        reason="" if receipt.status == 1 else _reason(sandbox, transaction, receipt),
        gas_used=receipt.gas_used,
        paid=receipt.gas_used * transaction.fee,
        logs=receipt.logs,
    )


def _reason(sandbox: Sandbox, transaction: Transaction, receipt: Receipt) -> str:
    """Repeat a failed transaction as a call on the state it met."""
    call = transaction.call
    try:
        sandbox.call(
            call.to, call.data, sender=call.sender, value=call.value, block=receipt.block - 1
        )
    except TransactionReverted as error:
        return error.reason or "reverted without a reason"
    except RpcError as error:
        return str(error)
    return "reverted, and would not have as a call: out of gas?"
