"""Agent transactions a second: bundles on anvils, mined blocks, `verbs` and web3.py.

Run with `python benchmarks/arena.py`. Every way makes the same transfers and Uniswap V2
swaps on the embedded chain's real contracts in the same run. `verbs` 0.4.1 (MIT) is no
dependency: `pip install verbs==0.4.1` to have it compared, or name a folder it is
installed in by PYTHONPATH. It logs a transaction that reverts as any other, charges no
gas and runs in the process, on state that it has fetched before it is timed.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from web3 import HTTPProvider, Web3

from evaluator.arena.agents import Transaction, View, run_arena, run_bundled
from evaluator.arena.agents.builtin import ROUTER, transfer
from evaluator.arena.funds import give
from evaluator.arena.lending import TOKEN
from evaluator.arena.pool import AnvilPool
from evaluator.chain.embedded import EMBEDDED_CHAIN_ID, embedded_dump, read_deployment
from evaluator.chain.sandbox import Sandbox
from evaluator.chain.simulation import SimulatedCall

RICH, POOR = "0x5ea7" + "00" * 17 + "a1", "0x5ea7" + "00" * 17 + "a2"
AGENTS = 200  # each sends one transaction a block
BLOCKS = 10
RUNS = 8  # of BLOCKS, with other seeds
MINED = 5  # blocks of the ways that mine
ONE_BY_ONE = 40  # transactions of web3.py
_VERBS_ABI = """[
  {"type": "function", "name": "transfer", "stateMutability": "nonpayable",
   "inputs": [{"name": "to", "type": "address"}, {"name": "amount", "type": "uint256"}],
   "outputs": [{"name": "", "type": "bool"}]},
  {"type": "function", "name": "swapExactTokensForTokens", "stateMutability": "nonpayable",
   "inputs": [{"name": "amountIn", "type": "uint256"},
              {"name": "amountOutMin", "type": "uint256"},
              {"name": "path", "type": "address[]"},
              {"name": "to", "type": "address"},
              {"name": "deadline", "type": "uint256"}],
   "outputs": [{"name": "amounts", "type": "uint256[]"}]}
]"""
_FAR = 2**40  # deadline of swaps, seconds


@dataclass(frozen=True, slots=True)
class Sender:
    """Sends a transfer or a swap of a random amount in every block, and looks at nothing."""

    name: str
    swaps: bool
    token: str  # sent or sold
    other: str  # bought
    router: str
    hostile: bool = False

    def call(self, units: int) -> SimulatedCall:
        """One transaction of `units` base units."""
        if not self.swaps:
            return transfer(RICH, self.token, POOR, units)
        data = ROUTER.encode(
            "swapExactTokensForTokens", units, 0, [self.token, self.other], RICH, _FAR
        )
        return SimulatedCall(sender=RICH, to=self.router, data=data)

    # The view is the interface's; these look at nothing.
    def act(self, view: View, rng: np.random.Generator) -> list[Transaction]:  # noqa: ARG002
        """See Agent.act."""
        return [Transaction(call=self.call(1_000 + int(rng.integers(1_000))))]


def bundled(sandbox: Sandbox, agents: Sequence[Sender], anvils: int) -> float:
    """Transactions a second of whole runs in bundles on a pool of anvils."""
    with AnvilPool(sandbox, size=anvils) as pool:
        start = sandbox.timestamp()
        warm = range(100, 100 + anvils)
        run_bundled(pool, agents, blocks=1, seeds=warm, start=start)
        began = time.perf_counter()
        runs = run_bundled(pool, agents, blocks=BLOCKS, seeds=range(RUNS), start=start)
        took = time.perf_counter() - began
    reports = [r for run in runs for r in run.reports]
    if not all(r.succeeded for r in reports):
        raise RuntimeError(next(r.reason for r in reports if not r.succeeded))
    return len(reports) / took


def mined(sandbox: Sandbox, agents: Sequence[Sender]) -> float:
    """Transactions a second of the arena whose agents may react block by block."""
    began = time.perf_counter()
    run = run_arena(sandbox, agents, blocks=MINED, seed=0)
    return len(run.reports) / (time.perf_counter() - began)


def by_verbs(sandbox: Sandbox, agents: Sequence[Sender]) -> float | None:
    """Transactions a second of the agent loop of `verbs`; None where it is not installed."""
    try:
        from verbs.abi import get_abi
        from verbs.envs import ForkEnvRandom
        from verbs.sim import BaseAgent, Sim
    except ImportError:
        return None

    contracts = get_abi("Contracts", json.loads(_VERBS_ABI))
    rich, poor, router = (bytes.fromhex(a[2:]) for a in (RICH, POOR, agents[0].router))

    class Same(BaseAgent):  # type: ignore[misc]  # verbs has no types
        # As its documentation writes agents: by its own classes of contracts.
        def __init__(self, sender: Sender) -> None:
            self.swaps = sender.swaps
            self.path = [bytes.fromhex(a[2:]) for a in (sender.token, sender.other)]

        def update(self, rng: np.random.Generator, env: object) -> list[object]:  # noqa: ARG002 - of BaseAgent
            units = 1_000 + int(rng.integers(1_000))
            if self.swaps:
                return [
                    contracts.swapExactTokensForTokens.transaction(
                        rich, router, [units, 0, self.path, rich, _FAR], checked=False
                    )
                ]
            return [
                contracts.transfer.transaction(rich, self.path[0], [poor, units], checked=False)
            ]

        def record(self, env: object) -> None:  # noqa: ARG002 - of BaseAgent
            return None

    env = ForkEnvRandom(sandbox.rpc.urls[0], 0, sandbox.block_number())
    sim = Sim(0, env, [Same(a) for a in agents])
    sim.run(1, show_progress=False)  # fetches what is read
    wanted = TOKEN.encode("balanceOf", POOR)
    token = bytes.fromhex(agents[0].token[2:])
    before = int.from_bytes(env.call(bytes(20), token, wanted, 0)[0], "big")
    began = time.perf_counter()
    sim.run(BLOCKS * RUNS, show_progress=False)
    took = time.perf_counter() - began
    sent = int.from_bytes(env.call(bytes(20), token, wanted, 0)[0], "big") - before
    transfers = sum(not a.swaps for a in agents) * BLOCKS * RUNS
    if not 1_000 * transfers <= sent < 2_000 * transfers:
        raise RuntimeError("verbs did not make the transfers it was asked for")
    return len(agents) * BLOCKS * RUNS / took


def one_at_a_time(sandbox: Sandbox, agents: Sequence[Sender]) -> float:
    """Transactions a second of web3.py, each sent and its receipt waited for."""
    web3 = Web3(HTTPProvider(sandbox.rpc.urls[0]))
    began = time.perf_counter()
    for k in range(ONE_BY_ONE):
        call = agents[k % len(agents)].call(1_000 + k)
        sent = web3.eth.send_transaction(
            {
                "from": Web3.to_checksum_address(call.sender),
                "to": Web3.to_checksum_address(call.to),
                "data": Web3.to_hex(call.data),
                "gas": 500_000,
                "gasPrice": Web3.to_wei(0, "wei"),
            }
        )
        if web3.eth.wait_for_transaction_receipt(sent)["status"] != 1:
            raise RuntimeError("a transaction of web3.py reverted")
    return ONE_BY_ONE / (time.perf_counter() - began)


def main() -> None:
    """Print a line for each way."""
    dump = embedded_dump(seed=0)
    deployment = read_deployment(dump)
    usdc, weth = (deployment.tokens[s] for s in ("USDC", "WETH"))
    router = deployment.uniswap.v2_router
    # Agents in turn: a transfer, a swap.
    agents = [Sender(f"sender {k}", k % 2 == 1, usdc, weth, router) for k in range(AGENTS)]
    with Sandbox.from_state(dump, chain_id=EMBEDDED_CHAIN_ID) as sandbox:
        give(sandbox, usdc, RICH, 10**15)
        sandbox.set_balance(RICH, 10**20)
        sandbox.send(RICH, usdc, TOKEN.encode("approve", router, 2**255))
        sandbox.rpc.request("anvil_impersonateAccount", [RICH])
        sandbox.mine()
        cores = os.cpu_count() or 1
        print(f"{AGENTS} agents, half transfers and half swaps, on {cores} cores")
        one = bundled(sandbox, agents, 1)
        print(f"bundles, one anvil         {one:10,.0f} transactions/s")
        two = bundled(sandbox, agents, 2)
        print(f"bundles, two anvils        {two:10,.0f} transactions/s  {two / one:.2f} times one")
        theirs = by_verbs(sandbox, agents)
        if theirs is None:
            print("verbs, its agent loop      not installed: pip install verbs==0.4.1")
        else:
            print(
                f"verbs, its agent loop      {theirs:10,.0f} transactions/s  "
                f"bundles on two are {two / theirs:.2f} times it"
            )
        print(f"mined, agents may react    {mined(sandbox, agents):10,.0f} transactions/s")
        slow = one_at_a_time(sandbox, agents)
        print(
            f"web3.py, one at a time     {slow:10,.0f} transactions/s  "
            f"bundles on two are {two / slow:,.0f} times it"
        )


if __name__ == "__main__":
    main()
