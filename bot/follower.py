"""Follows one chain: reads governors' logs from cursors and survives reorganisations.

Polling is the source of truth; a websocket may only wake it. Blocks above the
final one are kept, linked by their parents' hashes. Each step

1. compares the newest linked block with the chain and, where they differ, goes
   back to the common ancestor and withdraws what happened above it;
2. reads logs by ranges up to the final block, and by block hash above it;
3. asks for the state of open proposals, since some changes are in no log.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from bot.chain_reading import ChainReader, RangeTooLarge
from bot.errors import PoisonedLog, ProviderBehind, ReorgBelowFinality, SeatrialError
from bot.journal import Header, Journal
from bot.lifecycle import DERIVED, ENDED, RawLog, read_log
from bot.settings import ChainSettings
from evaluator import Database

log = logging.getLogger(__name__)

LINKED_AT_ONCE = 64  # blocks linked, and read by hash, in one go
LOOK_BACK_AT_ONCE = 32  # blocks compared in one go while looking for the common ancestor
STATES_AT_ONCE = 200  # proposals asked for in one step
GROWTH = 1.25  # of the range after a request that was answered
BROKEN_WAIT = 60.0  # seconds between looks at a chain that broke its finality


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """What a step saw."""

    head: int  # number of the newest block
    read: int  # number of the newest block whose logs were read for all governors, -1 for none
    target: int  # number of the newest block with enough confirmations
    events: int  # events that are new

    @property
    def caught_up(self) -> bool:
        """Tell whether everything with enough confirmations was read."""
        return self.read >= self.target


class Aftermath(Protocol):
    """What follows from what the follower sees."""

    def withdrawn(self, proposal_id: int, event_id: int) -> None:
        """Act on a proposal whose creation is gone; within the rewinding transaction."""
        ...

    def caught_up(self, chain: str, *, block: int, feeds: Mapping[str, int]) -> None:
        """Act on new events; called when the follower has read up to `block`.

        `feeds` are the latest answers of the governors' price feeds.
        """
        ...


class ChainFollower:
    """Follows the governors of one chain; `step` does a bounded piece of work."""

    def __init__(
        self,
        database: Database,
        settings: ChainSettings,
        *,
        governors: Mapping[str, int | None],
        reader: ChainReader,
        aftermath: Aftermath,
        feeds: Sequence[str] = (),
    ) -> None:
        """`governors` maps an address to its start block, None for "from now on"."""
        self.settings = settings
        self.journal = Journal(database, settings.name)
        self.last: Step | None = None
        self.trouble = ""  # why the last step failed, "" if it did not
        self.broken = False  # the chain replaced a final block
        self.looked_at = time.monotonic()  # when the last step ended well
        self._database = database
        self._governors = dict(governors)
        self._reader = reader
        self._aftermath = aftermath
        self._feeds = tuple(feeds)
        self._range = settings.largest_range
        self._asked = 0  # row of the proposal whose state was asked for last
        self._wake = asyncio.Event()
        self._stopping = False

    def wake(self) -> None:
        """Tell that there may be a new block."""
        self._wake.set()

    def close(self) -> None:
        """Let go of the reader's thread."""
        self._reader.close()

    def stop(self) -> None:
        """End after the step under way."""
        self._stopping = True
        self._wake.set()

    async def run(self) -> None:
        """Take steps until stopped; failures are logged and tried again."""
        failures = 0
        while not self._stopping:
            wait = self.settings.poll
            try:
                step = await self.step()
            except ReorgBelowFinality as error:
                self.broken, self.trouble, wait = True, str(error), BROKEN_WAIT
                log.critical("%s", error)
            except SeatrialError as error:
                failures += 1
                self.trouble = str(error)
                wait = min(300.0, self.settings.poll * 2.0 ** min(failures - 1, 6))
                log.warning("chain %s: %s; next look in %.0f s", self.settings.name, error, wait)
            else:
                failures, self.trouble, self.broken = 0, "", False
                if not step.caught_up:
                    continue
            await self._sleep(wait)

    async def _sleep(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._wake.wait(), seconds)
        except TimeoutError:
            return
        finally:
            self._wake.clear()

    async def step(self) -> Step:
        """Do one bounded piece of following. Raises SeatrialError, having stored nothing wrong."""
        await self._reader.check()
        head = await self._reader.head()
        final = await self._reader.final(
            head, tag=self.settings.finality == "tag", depth=self.settings.finality_depth
        )
        await self._undo_reorganisation(head)
        target = head.number - self.settings.confirmations
        if target < 0:
            return self._stepped(Step(head=head.number, read=-1, target=-1, events=0))
        self._enter_new_governors(target)
        await self._move_anchor(min(final, target))
        events = await self._read_range(min(final, target))
        await self._link_up_to(target)
        events += await self._read_linked()
        linked = self.journal.blocks()[-1].number
        read = min(*self._cursors().values(), linked + 1, target + 1) - 1
        step = Step(head=head.number, read=read, target=target, events=events)
        if step.caught_up:
            await self._ask_states(target)
            feeds = await self._reader.feed_answers(self._feeds, target) if self._feeds else {}
            self._aftermath.caught_up(self.settings.name, block=target, feeds=feeds)
        return self._stepped(step)

    def _stepped(self, step: Step) -> Step:
        self.last = step
        self.looked_at = time.monotonic()
        return step

    def _cursors(self) -> dict[str, int]:
        known = self.journal.cursors()
        return {governor: known[governor] for governor in self._governors if governor in known}

    def _enter_new_governors(self, target: int) -> None:
        known = self.journal.cursors()
        with self._database.atomic():
            for governor, start in self._governors.items():
                if governor not in known:
                    first = target + 1 if start is None else min(start, target + 1)
                    self.journal.move_cursors([governor], first)
                    log.info("governor %s is followed from block %d", governor, first)

    # Reorganisations.

    async def _undo_reorganisation(self, head: Header) -> None:
        linked = self.journal.blocks()
        if not linked:
            return
        comparable = [block for block in linked if block.number <= head.number]
        if not comparable:
            raise ProviderBehind(
                f"the endpoint is at block {head.number}, block {linked[0].number} was final"
            )
        ancestor = await self._common_ancestor(comparable)
        if ancestor is None:
            anchor = linked[0]
            raise ReorgBelowFinality(
                f"chain {self.settings.name} replaced block {anchor.number} ({anchor.hash}), which "
                "was final. Nothing more is read until somebody has looked: see "
                '"A reorganisation below finality" in docs/operate.md'
            )
        if ancestor == comparable[-1]:
            # The chain, as far as the endpoint has it, agrees. One that lags behind is no reorg.
            return
        self._rewind(ancestor)

    async def _common_ancestor(self, linked: Sequence[Header]) -> Header | None:
        """Return the newest of `linked` that the chain still has, None if it has none."""
        size, end = 1, len(linked)
        while end > 0:
            part = linked[max(0, end - size) : end]
            theirs = await self._reader.headers([block.number for block in part])
            for ours, there in zip(reversed(part), reversed(theirs), strict=True):
                if ours.hash == there.hash:
                    return ours
            end -= len(part)
            size = LOOK_BACK_AT_ONCE
        return None

    def _rewind(self, ancestor: Header) -> None:
        with self._database.atomic():
            gone = self.journal.rewind(ancestor.number)
            for proposal_id, event_id in gone:
                self._aftermath.withdrawn(proposal_id, event_id)
        log.warning(
            "chain %s was reorganised above block %d; %d proposal(s) withdrawn",
            self.settings.name,
            ancestor.number,
            len(gone),
        )

    # Reading.

    async def _move_anchor(self, number: int) -> None:
        """Let the oldest linked block be `number`, which is final."""
        linked = self.journal.blocks()
        if linked and linked[0].number >= number:
            return
        header = (await self._reader.headers([number]))[0]
        for block in linked:
            if block.number == number and block.hash != header.hash:
                raise ProviderBehind(f"the endpoint changed its mind about block {number}")
        with self._database.atomic():
            self.journal.anchor(header)

    async def _read_range(self, safe: int) -> int:
        """Read one range of final blocks for the governors that are furthest behind."""
        cursors = self._cursors()
        first = min(cursors.values(), default=safe + 1)
        if first > safe:
            return 0
        group = [governor for governor, at in cursors.items() if at == first]
        # Those ahead are met, not overtaken, so that they go on together.
        ahead = [at - 1 for at in cursors.values() if first < at <= safe]
        last = min([safe, first + self._range - 1, *ahead])
        try:
            logs = await self._reader.logs_in_range(group, first, last)
        except RangeTooLarge as refusal:
            self._range = max(1, (last - first + 1) // 2)
            log.info("ranges of %d blocks from now on: %s", self._range, refusal)
            return 0
        times = await self._times(logs)
        with self._database.atomic():
            events = self._record(logs, times)
            self.journal.move_cursors(group, last + 1)
        if last - first + 1 >= self._range:
            self._range = min(self.settings.largest_range, int(self._range * GROWTH) + 1)
        return events

    async def _times(self, logs: Sequence[RawLog]) -> Mapping[int, int]:
        numbers = sorted({entry.block for entry in logs})
        headers = await self._reader.headers(numbers) if numbers else []
        return {header.number: header.timestamp for header in headers}

    async def _link_up_to(self, target: int) -> None:
        """Append headers up to `target`, at most LINKED_AT_ONCE."""
        newest = self.journal.blocks()[-1]
        numbers = range(newest.number + 1, min(target, newest.number + LINKED_AT_ONCE) + 1)
        if not numbers:
            return
        headers = await self._reader.headers(list(numbers))
        parent = newest
        for header in headers:
            if header.parent_hash != parent.hash:
                raise ProviderBehind(
                    f"block {header.number} does not follow block {parent.number} as it was read: "
                    "the chain is being reorganised, or the endpoints disagree"
                )
            parent = header
        with self._database.atomic():
            self.journal.link(headers)

    async def _read_linked(self) -> int:
        """Read the linked blocks, by hash, for all governors that have come so far."""
        linked = self.journal.blocks()
        events = 0
        for first in sorted(set(self._cursors().values())):
            blocks = [block for block in linked[1:] if block.number >= first]
            if not blocks or blocks[0].number != first:
                continue  # still below the final block: ranges come first
            group = [governor for governor, at in self._cursors().items() if at == first]
            blocks = blocks[:LINKED_AT_ONCE]
            logs = await self._reader.logs_of_blocks(group, blocks)
            times = {block.number: block.timestamp for block in blocks}
            with self._database.atomic():
                events += self._record(logs, times)
                self.journal.move_cursors(group, blocks[-1].number + 1)
        return events

    def _record(self, logs: Sequence[RawLog], times: Mapping[int, int]) -> int:
        events = 0
        for entry in sorted(logs, key=lambda entry: (entry.block, entry.index)):
            try:
                change = read_log(entry)
            except PoisonedLog as error:
                log.warning("log %d of block %d is poisoned: %s", entry.index, entry.block, error)
                self.journal.quarantine(entry, str(error))
                continue
            if change is None:
                continue
            if change.warning:
                self.journal.quarantine(entry, change.warning)
            new = self.journal.record_log(entry, change, timestamp=times[entry.block])
            if new is not None:
                events += 1
                log.info("proposal %d: %s in block %d", change.number, change.kind, entry.block)
        return events

    # States.

    async def _ask_states(self, target: int) -> None:
        """Ask for the states of open proposals and store what changed."""
        at = self.journal.blocks()[-1]
        if at.number != target:
            return
        proposals = [
            one
            for one in self.journal.open_proposals(
                ENDED | {"unreadable"}, after=self._asked, limit=STATES_AT_ONCE
            )
            if one.governor in self._governors
        ]
        if not proposals:
            return
        self._asked = next((p.id for p in reversed(proposals) if p.state != "unknown"), 0)
        states = await self._reader.states([(p.governor, p.number) for p in proposals], at.number)
        with self._database.atomic():
            for proposal, state in zip(proposals, states, strict=True):
                now = state or "unreadable"
                if now == proposal.state:
                    continue
                self.journal.record_state(proposal, now, at)
                kind = DERIVED.get(now)
                if kind is not None:
                    self.journal.record_derived(proposal, kind, at)
                log.info("proposal %d is %s at block %d", proposal.number, now, at.number)
