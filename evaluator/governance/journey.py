"""The way of one proposal: its steps, its waits, and what was noted on it."""

from __future__ import annotations

from dataclasses import dataclass, field

from evaluator.chain.receipts import Receipt
from evaluator.chain.sandbox import Sandbox
from evaluator.errors import RpcError, TransactionReverted
from evaluator.governance.proposal import Proposal
from evaluator.governance.timelock_operations import Operation
from evaluator.governance.trace import ExecutionStep

# Sends what anybody may send when no proposer is known: an account nobody has.
_ANYONE = "0x00000000000000000000000000000000005ea7a1"
_BLOCKS_LOOKED_BACK = 1000  # over which the time between blocks is measured
_USUAL_BLOCK_TIME = 12  # s, Ethereum


@dataclass
class Journey:
    """What happens to one proposal on its way; grows as it goes."""

    sandbox: Sandbox
    feeds: tuple[str, ...]  # price feeds to refresh after a wait, addresses
    steps: list[ExecutionStep] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    executed_first: list[int] = field(default_factory=list)  # proposal ids
    tried: set[int] = field(default_factory=set)  # ids of queued proposals already run
    queue: list[Proposal] | None = None  # queued when the journey began; None before looking
    operations: list[Operation] | None = None  # scheduled past the governor; None before looking
    stale: bool = False  # whether time passed since the feeds were refreshed

    def anyone(self, proposal: Proposal) -> str:
        """Who sends what anybody may send."""
        return proposal.proposer or _ANYONE

    def note(self, text: str) -> None:
        """Note a fact once."""
        if text not in self.notes:
            self.notes.append(text)

    def fund(self, sender: str, wei: int) -> None:
        """See that `sender` holds what it may have to send along."""
        if self.sandbox.get_balance(sender) < wei:
            self.sandbox.set_balance(sender, wei)
            self.note(f"{sender} was given {wei} wei to send along")

    def send(
        self, name: str, detail: str, sender: str, to: str, calldata: bytes, *, value: int = 0
    ) -> Receipt:
        """Send a transaction and record it, also if it reverts (then the revert is raised)."""
        try:
            receipt = self.sandbox.send(sender, to, calldata, value=value)
        except TransactionReverted as error:
            self._record(name, f"{detail}: {error.reason}", sender=sender, succeeded=False)
            raise
        self._record(name, detail, sender=sender, tx_hash=receipt.tx_hash, gas=receipt.gas_used)
        return receipt

    def wait_until(self, timepoint: int, *, by_time: bool, what: str) -> None:
        """Move the chain to a block, or to a time in seconds; the feeds are stale then."""
        before = self.sandbox.timestamp()
        if by_time:
            seconds = timepoint - before
            if seconds <= 0:
                return
            self.sandbox.warp(seconds)
        else:
            blocks = timepoint - self.sandbox.block_number()
            if blocks <= 0:
                return
            self.sandbox.jump_blocks(blocks, seconds_per_block=_block_time(self.sandbox))
        passed = self.sandbox.timestamp() - before
        self._record("wait", f"{_duration(passed)} for {what}")
        self.stale = True

    def refresh_feeds(self) -> None:
        """Give the feeds a new timestamp if time passed; to be done before prices are read."""
        if self.feeds and self.stale:
            self.sandbox.refresh_feeds(self.feeds)
            self.note(
                f"after waiting, {len(self.feeds)} price feeds were given a new timestamp, with"
                " unchanged answers"
            )
        self.stale = False

    def _record(
        self,
        name: str,
        detail: str,
        *,
        sender: str | None = None,
        tx_hash: str | None = None,
        gas: int = 0,
        succeeded: bool = True,
    ) -> None:
        self.steps.append(
            ExecutionStep(
                name=str(name),
                detail=detail,
                sender=sender,
                tx_hash=tx_hash,
                block=self.sandbox.block_number(),
                timestamp=self.sandbox.timestamp(),
                gas_used=gas,
                succeeded=succeeded,
            )
        )


def _block_time(sandbox: Sandbox) -> int:
    """Seconds between blocks, measured at the fork; 12 where that cannot be told."""
    head = sandbox.block
    past = head.number - _BLOCKS_LOOKED_BACK
    if sandbox.upstream is None or past <= 0:
        return _USUAL_BLOCK_TIME
    try:
        block = sandbox.upstream.request("eth_getBlockByNumber", [hex(past), False])
        seconds = head.timestamp - int(block["timestamp"], 16)
    except (RpcError, TypeError, KeyError, ValueError):
        return _USUAL_BLOCK_TIME  # a pruned node, or a chain that jumped itself
    measured = round(seconds / _BLOCKS_LOOKED_BACK)
    return min(max(measured, 1), 60)


def _duration(seconds: int) -> str:
    if seconds >= 2 * 86_400:
        return f"{seconds / 86_400:.1f} days"
    if seconds >= 2 * 3600:
        return f"{seconds / 3600:.1f} hours"
    return f"{seconds} s"
