"""A chain of our own to try things on: a fork, a loaded state or an attached node.

Anyone's address can send, gas is free, time moves only when told. Every
receipt's status is checked, every revert carries its decoded reason.
"""

from __future__ import annotations

import contextlib
import gzip
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from evaluator.chain import clock, feeds, simulation, state_diff
from evaluator.chain.abi import Abi
from evaluator.chain.anvil import Anvil
from evaluator.chain.contract import Contract
from evaluator.chain.forwarder import Forwarder
from evaluator.chain.multicall import BatchReader
from evaluator.chain.pool import wait_until_empty, wait_until_mined
from evaluator.chain.receipts import ZERO, Log, Receipt, unhex, word
from evaluator.chain.refusals import UNKNOWN_METHOD
from evaluator.chain.reverts import ErrorBook
from evaluator.chain.rpc import BlockRef, RpcClient, is_loopback, pin_block
from evaluator.errors import (
    AnvilError,
    ChainError,
    RpcError,
    RpcRateLimited,
    RpcUnreachable,
    TransactionReverted,
)


class Sandbox:
    """One chain and what may be done with it.

    Not to be shared between threads that send. Use as a context manager: it
    stops the anvil it started.
    """

    def __init__(
        self,
        rpc: RpcClient,
        *,
        block: BlockRef,
        anvil: Anvil | None = None,
        upstream: RpcClient | None = None,
    ) -> None:
        """Wrap a node; `fork`, `from_state` and `attach` are the usual ways in."""
        self.rpc = rpc
        self.block = block
        self.chain_id = rpc.chain_id
        self.notes: list[str] = []
        self.anvil = anvil
        self.upstream = upstream
        self._owned = contextlib.ExitStack()
        self._errors = ErrorBook()
        self._readers: dict[RpcClient, BatchReader] = {}
        self._gas_limit: int | None = None
        self._sync = True
        self._simulates: bool | None = None

    @classmethod
    def fork(
        cls,
        urls: Sequence[str] | str,
        *,
        block: int | str = "latest",
        expected_chain_id: int | None = None,
        timeout: float = 30.0,
        retries: int = 5,
        prune_history: bool = False,
    ) -> Sandbox:
        """Fork a chain at a block, pinned by number and hash at once.

        `urls` are endpoints of the same chain in order of preference, `timeout` is in
        seconds. Raises RpcUnreachable, RpcRateLimited, WrongChain, RpcError, AnvilError.
        """
        upstream = RpcClient(
            urls, timeout=timeout, expected_chain_id=expected_chain_id, retries=retries
        )
        pinned = pin_block(upstream, block)
        with contextlib.ExitStack() as owned:
            source = upstream.urls[0]
            if len(upstream.urls) > 1 or not is_loopback(source):
                source = owned.enter_context(Forwarder(upstream)).url
            anvil = owned.enter_context(
                Anvil(fork_url=source, fork_block=pinned.number, prune_history=prune_history)
            )
            _check_fork(anvil.rpc, pinned)
            sandbox = cls(anvil.rpc, block=pinned, anvil=anvil, upstream=upstream)
            sandbox._owned = owned.pop_all()
            return sandbox

    @classmethod
    def from_state(
        cls, dump: Path, *, chain_id: int | None = None, prune_history: bool = False
    ) -> Sandbox:
        """Start from a file that anvil dumped. Raises AnvilError if it is none."""
        return cls.own(
            Anvil(load_state=dump.absolute(), chain_id=chain_id, prune_history=prune_history)
        )

    @classmethod
    def own(cls, anvil: Anvil) -> Sandbox:
        """Take over an anvil that was started already, and stop it at the end."""
        try:
            return cls(anvil.rpc, block=pin_block(anvil.rpc), anvil=anvil)
        except BaseException:
            anvil.stop()
            raise

    @classmethod
    def attach(cls, rpc: RpcClient) -> Sandbox:
        """Use a running node; it is left running."""
        return cls(rpc, block=pin_block(rpc))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Sandbox(chain {self.chain_id}, block {self.block.number}, {self.rpc.label})"

    def close(self) -> None:
        """Stop the anvil of this sandbox, if it has one."""
        if self.anvil is not None:
            self.anvil.stop()
        self._owned.close()

    # Reading

    def block_number(self) -> int:
        """The head's number."""
        return int(self.rpc.request("eth_blockNumber"), 16)

    def timestamp(self) -> int:
        """The head's time in seconds."""
        return int(self._head()["timestamp"], 16)

    def call(
        self,
        to: str,
        data: bytes,
        *,
        sender: str = ZERO,
        value: int = 0,
        block: int | str = "latest",
    ) -> bytes:
        """Call a contract and return its raw answer.

        Blocks up to the forked one, given as numbers, are asked of the endpoint
        itself. Raises TransactionReverted with the decoded reason.
        """
        request = {"from": sender, "to": to, "data": "0x" + data.hex(), "value": hex(value)}
        try:
            return unhex(self._source(block).request("eth_call", [request, _tag(block)]))
        except RpcError as error:
            reverted = self._errors.reverted(error, to)
            if reverted is None:
                raise
            raise reverted from error

    def call_many(
        self,
        calls: Sequence[tuple[str, bytes]],
        *,
        block: int | str = "latest",
        small: bool = False,
    ) -> list[bytes | TransactionReverted]:
        """Call many contracts at one block, in few requests.

        Answers in order; a reverted call is a TransactionReverted in its place. `small` says
        that every call is cheap and answers little. Raises RpcError if the endpoint fails.
        """
        source = self._source(block)
        if source not in self._readers:
            local = source is not self.upstream and self.anvil is not None
            self._readers[source] = BatchReader(source, local=local, errors=self._errors)
        return self._readers[source].read(calls, _tag(block), small=small)

    def get_code(self, address: str, *, block: int | str = "latest") -> bytes:
        """The code at `address`; empty for an account without any."""
        return unhex(self._source(block).request("eth_getCode", [address, _tag(block)]))

    def get_storage(self, address: str, slot: int, *, block: int | str = "latest") -> bytes:
        """The 32 bytes at `slot`."""
        answer = self._source(block).request("eth_getStorageAt", [address, hex(slot), _tag(block)])
        return unhex(answer).rjust(32, b"\0")

    def get_balance(self, address: str, *, block: int | str = "latest") -> int:
        """The native balance in wei."""
        return int(self._source(block).request("eth_getBalance", [address, _tag(block)]), 16)

    def logs(
        self,
        *,
        address: str | Sequence[str] | None = None,
        topics: Sequence[bytes | Sequence[bytes] | None] = (),
        from_block: int,
        to_block: int | str = "latest",
    ) -> list[Log]:
        """Logs of a range of blocks, both ends included.

        A topic may be None (any) or several (any of them). Raises RpcError, also when
        the endpoint finds the range too large: halve it.
        """
        wanted: dict[str, object] = {"fromBlock": hex(from_block), "toBlock": _tag(to_block)}
        if address is not None:
            wanted["address"] = address if isinstance(address, str) else list(address)
        if topics:
            wanted["topics"] = [_topic(one) for one in topics]
        answer = self._source(to_block).request("eth_getLogs", [wanted])
        try:
            return [Log.from_json(item) for item in answer]
        except (TypeError, KeyError, ValueError) as error:
            raise RpcError(f"{self.rpc.label} answered logs that are none: {error!r}") from error

    # Doing

    def send(
        self,
        sender: str,
        to: str | None,
        data: bytes = b"",
        *,
        value: int = 0,
        gas: int | None = None,
    ) -> Receipt:
        """Mine a transaction from any address, contracts too, and return its receipt.

        Gas costs nothing; without `gas` a block's whole limit is offered. Raises
        TransactionReverted with the decoded reason, RpcError if it was not accepted
        (such as a value above the balance).
        """
        if gas is None:
            if self._gas_limit is None:
                self._gas_limit = int(self._head()["gasLimit"], 16)
            gas = self._gas_limit
        request = {"from": sender, "data": "0x" + data.hex(), "value": hex(value)}
        request |= {"gas": hex(gas), "gasPrice": "0x0"}
        if to is not None:
            request["to"] = to
        receipt = self.submit(request)
        if receipt.status != 1:
            raise self._failure(receipt)
        return receipt

    def submit(self, request: Mapping[str, object]) -> Receipt:
        """Mine a transaction given as eth_sendTransaction takes it, whatever comes of it.

        The receipt's status says how it ended. Raises RpcError if it was not accepted or
        not mined.
        """
        answer: Any = None
        if self._sync:
            try:
                answer = self.rpc.request("eth_sendTransactionSync", [request])
            except RpcError as error:
                if error.code != UNKNOWN_METHOD:
                    raise
                self._sync = False  # an older anvil
        if not self._sync:
            answer = wait_until_mined(self.rpc, self.rpc.request("eth_sendTransaction", [request]))
        try:
            return Receipt.from_json(answer)
        except (TypeError, AttributeError, KeyError, ValueError) as error:
            raise RpcError(
                f"{self.rpc.label} answered a receipt that is none: {error!r}"
            ) from error

    def deploy(self, sender: str, bytecode: bytes, args: bytes = b"", *, value: int = 0) -> str:
        """Deploy creation code with encoded constructor arguments; returns the address.

        Raises TransactionReverted if the constructor reverts or leaves no code.
        """
        receipt = self.send(sender, None, bytecode + args, value=value)
        if receipt.contract_address is None or not self.get_code(receipt.contract_address):
            raise TransactionReverted("the constructor left no code", to="a new contract")
        return receipt.contract_address

    def snapshot(self) -> str:
        """Remember the state; `revert` brings it back, once."""
        return str(self.rpc.request("evm_snapshot"))

    def revert(self, snapshot: str) -> None:
        """Bring a remembered state back. Raises ChainError if it is not known (any more).

        Also if transactions stay in the node's pool, which would be mined once more.
        """
        wait_until_empty(self.rpc)
        if self.rpc.request("evm_revert", [snapshot]) is not True:
            raise ChainError(
                f"the snapshot {snapshot} is unknown: each can be reverted once, and later ones "
                "are lost with it"
            )

    def mine(self, blocks: int = 1) -> None:
        """Mine empty blocks one by one; for many, see `jump_blocks`."""
        for _ in range(blocks):
            self.rpc.request("evm_mine")

    def warp(self, seconds: int) -> None:
        """Mine one block `seconds` after the head. Raises ChainError unless seconds > 0."""
        if seconds <= 0:
            raise ChainError(f"time was to move by {seconds} s and can only move forward")
        clock.mine_at(self.rpc, self.timestamp() + seconds)

    def jump_blocks(self, blocks: int, seconds_per_block: int = 12) -> None:
        """Move the head by many blocks at once, in milliseconds.

        The blocks between do not exist: their hashes read as zero. Raises ChainError.
        """
        clock.jump(self.rpc, blocks, seconds_per_block)

    def refresh_feeds(self, addresses: Sequence[str]) -> None:
        """Give price feeds the head's time with the same answer; recorded in `notes`.

        A feed whose time cannot be found stays as it is, and the note says so.
        """
        for feed in addresses:
            try:
                self.notes.append(feeds.refresh(self, feed))
            except (RpcUnreachable, RpcRateLimited):
                raise
            except ChainError as error:
                self.notes.append(f"feed {feed} was not refreshed: {error}")

    def set_storage(self, address: str, slot: int, value: int | bytes) -> None:
        """Overwrite a storage slot. A cheat: the head block is rewritten in place."""
        self.rpc.request("anvil_setStorageAt", [address, word(slot), word(value)])

    def set_balance(self, address: str, wei: int) -> None:
        """Overwrite a native balance."""
        self.rpc.request("anvil_setBalance", [address, hex(wei)])

    def set_code(self, address: str, code: bytes) -> None:
        """Overwrite the code at an address."""
        self.rpc.request("anvil_setCode", [address, "0x" + code.hex()])

    def dump_state(self, path: Path) -> None:
        """Write the whole state to a file that `from_state` loads."""
        packed = unhex(self.rpc.request("anvil_dumpState"))
        path.write_bytes(gzip.decompress(packed) if packed[:2] == b"\x1f\x8b" else packed)

    # Looking closer

    @property
    def has_simulate(self) -> bool:
        """Whether the node has `eth_simulateV1`; asked once."""
        if self._simulates is None:
            self._simulates = simulation.offers_simulation(self.rpc)
        return self._simulates

    def simulate(
        self, blocks: Sequence[simulation.SimulatedBlock], *, block: int | str = "latest"
    ) -> list[simulation.SimulatedBlockResult]:
        """Try blocks of calls on top of `block` and keep nothing of it.

        Raises RpcError if the node lacks the method (see `has_simulate`).
        """
        return simulation.simulate(self.rpc, blocks, self._errors, _tag(block))

    def trace_state_diff(self, tx_hash: str) -> tuple[state_diff.AccountChange, ...]:
        """What a mined transaction changed, sorted by address. Raises RpcError."""
        return state_diff.trace_state_diff(self.rpc, tx_hash)

    # Names

    def register_abi(self, abi: Abi) -> None:
        """Learn the custom errors of `abi`, so that reverts are told in its words."""
        self._errors.add(abi)

    def contract(self, address: str, abi: Abi) -> Contract:
        """Bind an interface to an address; its errors decode from now on."""
        self.register_abi(abi)
        return Contract(self, address, abi)

    # Within

    def _head(self) -> dict[str, Any]:
        head = self.rpc.request("eth_getBlockByNumber", ["latest", False])
        if not isinstance(head, dict):
            raise RpcError(f"{self.rpc.label} has no latest block")
        return head

    def _source(self, block: int | str) -> RpcClient:
        """The node to ask: the endpoint itself for what lies before the fork.

        anvil would fetch every slot with a request of its own.
        """
        past = isinstance(block, int) and block <= self.block.number
        return self.upstream if past and self.upstream is not None else self.rpc

    def _failure(self, receipt: Receipt) -> TransactionReverted:
        """Find out why a mined transaction failed."""
        data, said = b"", "reverted without a reason"
        with contextlib.suppress(RpcError):
            top = self.rpc.request(
                "debug_traceTransaction",
                [
                    receipt.tx_hash,
                    {"tracer": "callTracer", "tracerConfig": {"onlyTopCall": True}},
                ],
            )
            data = unhex(top.get("output") or "0x")
            said = str(top.get("error") or said)
        reason = self._errors.reason(data) or said
        return TransactionReverted(reason, data=data, to=receipt.to or "a new contract")


def _check_fork(rpc: RpcClient, pinned: BlockRef) -> None:
    found = rpc.request("eth_getBlockByNumber", [hex(pinned.number), False])
    if not isinstance(found, dict) or str(found.get("hash")).lower() != pinned.hash:
        raise AnvilError(
            f"anvil did not fork block {pinned.number} with the hash {pinned.hash} that was "
            "pinned: the endpoint reorganised, try again"
        )


def _tag(block: int | str) -> str:
    return hex(block) if isinstance(block, int) else block


def _topic(topic: bytes | Sequence[bytes] | None) -> object:
    if topic is None:
        return None
    if isinstance(topic, bytes):
        return "0x" + topic.hex()
    return ["0x" + one.hex() for one in topic]
