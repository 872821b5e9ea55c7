"""Send many transactions in few requests, in an order that never varies."""

from __future__ import annotations

from dataclasses import dataclass

from evaluator.chain.sandbox import Sandbox
from evaluator.errors import RpcError, TransactionReverted

_REQUEST = 200  # transactions sent in one HTTP request


@dataclass(frozen=True, kw_only=True, slots=True)
class Transaction:
    """A transaction from an account that anvil impersonates."""

    sender: str
    to: str
    data: bytes
    gas: int  # limit
    value: int = 0  # wei


class TransactionBatch:
    """Transactions kept back until `flush`, then mined in as few blocks as they fit.

    One sender's transactions keep their order. Those of different senders do not:
    anvil takes every sender's first one before anybody's second, so what must come
    after another sender's work belongs into the next flush. Nonces are given
    explicitly and the pool is first in, first out, so equal batches on equal chains
    give equal blocks.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._waiting: list[Transaction] = []

    def add(self, transaction: Transaction) -> None:
        """Keep a transaction for the next flush."""
        self._waiting.append(transaction)

    def flush(self) -> None:
        """Send and mine what waits; TransactionReverted if one of them failed."""
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        rpc = self._sandbox.rpc
        nonces = self._nonces(sorted({t.sender for t in waiting}))
        rpc.request("evm_setAutomine", [False])
        try:
            for start in range(0, len(waiting), _REQUEST):
                self._send(waiting[start : start + _REQUEST], nonces)
        finally:
            rpc.request("evm_setAutomine", [True])

    def _nonces(self, senders: list[str]) -> dict[str, int]:
        replies = self._sandbox.rpc.batch(
            [("eth_getTransactionCount", [sender, "latest"]) for sender in senders]
        )
        return {s: int(_result(r), 16) for s, r in zip(senders, replies, strict=True)}

    def _send(self, transactions: list[Transaction], nonces: dict[str, int]) -> None:
        rpc = self._sandbox.rpc
        calls = []
        for t in transactions:
            body = {
                "from": t.sender,
                "to": t.to,
                "data": "0x" + t.data.hex(),
                "gas": hex(t.gas),
                "gasPrice": "0x0",
                "value": hex(t.value),
                "nonce": hex(nonces[t.sender]),
            }
            nonces[t.sender] += 1
            calls.append(("eth_sendTransaction", [body]))
        hashes = [str(_result(reply)) for reply in rpc.batch(calls)]
        waiting = set(hashes)
        by_hash = dict(zip(hashes, transactions, strict=True))
        while waiting:
            rpc.request("evm_mine")
            receipts = rpc.request("eth_getBlockReceipts", ["latest"])
            mined = {r["transactionHash"] for r in receipts}
            for receipt in receipts:
                if int(receipt["status"], 16) != 1 and receipt["transactionHash"] in by_hash:
                    self._explain(by_hash[receipt["transactionHash"]])
            if not mined & waiting:
                raise RpcError(f"anvil leaves {len(waiting)} transactions unmined")
            waiting -= mined

    def _explain(self, failed: Transaction) -> None:
        """Repeat a failed transaction as a call, for its reason, and raise it."""
        self._sandbox.call(failed.to, failed.data, sender=failed.sender, value=failed.value)
        raise TransactionReverted("it failed in its block and succeeds now", to=failed.to)


def _result(reply: object) -> str:
    if isinstance(reply, RpcError):
        raise reply
    return str(reply)
