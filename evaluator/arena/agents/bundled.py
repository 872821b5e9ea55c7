"""Agents whose transactions do not depend on each other: a whole run in one request.

An agent that looks at the chain needs it to stand still between blocks, and runs in
the arena that mines (`run_arena`). One that only draws and sends can be asked for all
its blocks beforehand; the run is then one bundle, and many runs fill a pool of anvils.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from evaluator.arena.agents.agent import Agent, Report, Transaction, View
from evaluator.arena.agents.arena import ArenaRun, Sequencing, Streams, in_order
from evaluator.arena.bundles import BLOCK_GAS, CALL_GAS
from evaluator.arena.pool import AnvilPool
from evaluator.chain.simulation import SimulatedBlock, SimulatedBlockResult, SimulatedCall
from evaluator.errors import ConfigurationError


def run_bundled(
    pool: AnvilPool,
    agents: Sequence[Agent],
    *,
    blocks: int,
    seeds: Sequence[int],
    start: int,
    sequencing: Sequencing = Sequencing.FEE,
    seconds_per_block: int = 12,
) -> list[ArenaRun]:
    """Let `agents` act for a number of blocks, once for each seed, on the pool's state.

    `start` is the time of the pool's head, seconds since the epoch. An agent gets the
    same random numbers as in `run_arena` and no reports. Gas is counted at its fee but
    not taken from senders. Raises ConfigurationError for an agent that looks at the
    chain, and RpcError.
    """
    names = [a.name for a in agents]
    if len(set(names)) != len(names):
        raise ConfigurationError(f"agents need different names, got {', '.join(names)}")
    plans: list[list[list[tuple[Agent, Transaction]]]] = []

    def bundles() -> Iterator[list[SimulatedBlock]]:
        for seed in seeds:
            plan = _plan(agents, blocks, seed, start, sequencing, seconds_per_block)
            plans.append(plan)
            yield [_block(start + (b + 1) * seconds_per_block, row) for b, row in enumerate(plan)]

    results = pool.run(bundles())
    return [
        ArenaRun(reports=tuple(_reports(plan, result)))
        for plan, result in zip(plans, results, strict=True)
    ]


def _plan(
    agents: Sequence[Agent],
    blocks: int,
    seed: int,
    start: int,
    sequencing: Sequencing,
    seconds_per_block: int,
) -> list[list[tuple[Agent, Transaction]]]:
    """What everybody sends, block by block, in order."""
    out, streams = [], Streams(seed)
    for block in range(blocks):
        wanted: list[tuple[Agent, Transaction]] = []
        for k, agent in enumerate(agents):
            view = _blind(agent.name, block, start + (block + 1) * seconds_per_block)
            wanted += [(agent, t) for t in agent.act(view, streams.of(block, k))]
        out.append(in_order(wanted, sequencing, streams.of(block, len(agents))))
    return out


def _blind(name: str, block: int, timestamp: int) -> View:
    def read(to: str, data: bytes) -> bytes:  # noqa: ARG001 - whatever is asked
        raise ConfigurationError(
            f"the agent {name} looks at the chain before it sends: run it with run_arena, which "
            "mines block by block"
        )

    return View(block=block, timestamp=timestamp, reports=(), read=read)


def _block(timestamp: int, row: Sequence[tuple[Agent, Transaction]]) -> SimulatedBlock:
    return SimulatedBlock(
        calls=tuple(
            SimulatedCall(
                sender=t.call.sender,
                to=t.call.to,
                data=t.call.data,
                value=t.call.value,
                gas=t.call.gas or CALL_GAS,
            )
            for _, t in row
        ),
        timestamp=timestamp,
        gas_limit=BLOCK_GAS,
    )


def _reports(
    plan: Sequence[Sequence[tuple[Agent, Transaction]]], results: Sequence[SimulatedBlockResult]
) -> list[Report]:
    return [
        Report(
            agent=agent.name,
            block=block,
            transaction=transaction,
            succeeded=answer.succeeded,
            reason=answer.reason,
            gas_used=answer.gas_used,
            paid=answer.gas_used * transaction.fee,
            logs=answer.logs,
        )
        for block, (row, result) in enumerate(zip(plan, results, strict=True))
        for (agent, transaction), answer in zip(row, result.calls, strict=True)
    ]
