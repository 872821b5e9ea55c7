"""Agent transactions a second: bundles on one and two anvils, against other ways.

Run with `python benchmarks/arena.py`. All do ERC-20 transfers on the embedded chain's
real token. `verbs` is not compared yet.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from web3 import HTTPProvider, Web3

from evaluator.arena.agents import Transaction, run_arena
from evaluator.arena.agents.builtin import transfer
from evaluator.arena.bundles import BLOCK_GAS, Simulated
from evaluator.arena.funds import give
from evaluator.chain.embedded import EMBEDDED_CHAIN_ID, embedded_dump, read_deployment
from evaluator.chain.sandbox import Sandbox
from evaluator.chain.simulation import SimulatedBlock

RICH, POOR = "0x5ea7" + "00" * 17 + "a1", "0x5ea7" + "00" * 17 + "a2"
BUNDLE = 2_000  # transactions in a request
REQUESTS = 8


class Sender:
    """Sends transfers in every block."""

    name, hostile = "sender", False

    def __init__(self, token: str, count: int) -> None:
        self.token, self.count = token, count

    def act(self, view: object, rng: object) -> list[Transaction]:  # noqa: ARG002
        call = transfer(RICH, self.token, POOR, 1)
        return [Transaction(call=call) for _ in range(self.count)]


def bundles(sandboxes: list[Sandbox], token: str) -> float:
    """Transfers a second in bundles spread over a pool of anvils."""
    block = SimulatedBlock(
        calls=tuple(transfer(RICH, token, POOR, 1) for _ in range(BUNDLE)), gas_limit=BLOCK_GAS
    )

    def work(k: int) -> None:
        (result,) = Simulated(sandboxes[k % len(sandboxes)]).run([block])
        if not all(c.succeeded for c in result.calls):
            raise RuntimeError("a transfer failed")

    start = time.perf_counter()
    with ThreadPoolExecutor(len(sandboxes)) as pool:
        list(pool.map(work, range(REQUESTS)))
    return REQUESTS * BUNDLE / (time.perf_counter() - start)


def committed(sandbox: Sandbox, token: str) -> float:
    """Transactions a second of agents that react block by block."""
    start = time.perf_counter()
    run = run_arena(sandbox, [Sender(token, 20)], blocks=10, seed=0)
    return len(run.reports) / (time.perf_counter() - start)


def one_at_a_time(sandbox: Sandbox, token: str) -> float:
    """Transactions a second of web3.py, each sent and its receipt waited for."""
    web3 = Web3(HTTPProvider(sandbox.rpc.urls[0]))
    call = transfer(RICH, token, POOR, 1)
    count = 50
    start = time.perf_counter()
    for _ in range(count):
        tx = {
            "from": Web3.to_checksum_address(RICH),
            "to": Web3.to_checksum_address(token),
            "data": "0x" + call.data.hex(),
            "gas": 200_000,
            "gasPrice": 0,
        }
        web3.eth.wait_for_transaction_receipt(web3.eth.send_transaction(tx))
    return count / (time.perf_counter() - start)


def main() -> None:
    """Print a line for each way."""
    dump = embedded_dump(seed=0)
    token = read_deployment(dump).tokens["USDC"]
    with (
        Sandbox.from_state(dump, chain_id=EMBEDDED_CHAIN_ID) as one,
        Sandbox.from_state(dump, chain_id=EMBEDDED_CHAIN_ID) as two,
    ):
        for sandbox in (one, two):
            give(sandbox, token, RICH, 10**15)
            sandbox.rpc.request("anvil_impersonateAccount", [RICH])
            sandbox.mine()
        bundles([one, two], token)  # warm
        print(f"bundles, one anvil      {bundles([one], token):10,.0f} transactions/s")
        print(f"bundles, two anvils     {bundles([one, two], token):10,.0f} transactions/s")
        with Sandbox.fork(one.rpc.urls) as fork:
            fork.rpc.request("anvil_impersonateAccount", [RICH])
            print(f"agents block by block   {committed(fork, token):10,.0f} transactions/s")
            print(f"web3.py, one at a time  {one_at_a_time(fork, token):10,.0f} transactions/s")
    print("not compared: the agent loop of verbs 0.4.1")


if __name__ == "__main__":
    main()
