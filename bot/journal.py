"""What the bot remembers of the chains: cursors, linked blocks, events, proposals."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from bot.database import row, rows, scalar
from bot.lifecycle import Change, ChangeKind, RawLog, title_of
from evaluator import Database


@dataclass(frozen=True, kw_only=True, slots=True)
class Header:
    """A block's header, as far as following needs it."""

    number: int
    hash: str  # 0x and 64 hex digits, lower case
    parent_hash: str
    timestamp: int  # Unix seconds


@dataclass(frozen=True, kw_only=True, slots=True)
class Followed:
    """A proposal as the follower sees it."""

    id: int  # row
    governor: str
    number: int  # the governor's id
    state: str


class Journal:
    """The tables of one chain. Methods that write expect the caller's transaction."""

    def __init__(
        self,
        database: Database,
        chain: str,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._chain = chain
        self._clock = clock

    # Cursors.

    def cursors(self) -> dict[str, int]:
        """Return the next block to read by governor."""
        found = rows(
            self._database,
            "SELECT governor, next_block FROM cursors WHERE chain = ?",
            [self._chain],
        )
        return {one["governor"]: int(one["next_block"]) for one in found}

    def move_cursors(self, governors: Iterable[str], next_block: int) -> None:
        """Set the next block to read of some governors."""
        for governor in governors:
            self._database.execute(
                "INSERT INTO cursors (chain, governor, next_block, updated_at) "
                "VALUES (?, ?, ?, ?) ON CONFLICT (chain, governor) DO UPDATE SET "
                "next_block = excluded.next_block, updated_at = excluded.updated_at",
                [self._chain, governor, next_block, self._clock()],
            )

    # Blocks.

    def blocks(self) -> list[Header]:
        """Return the linked blocks, oldest first; the oldest one is final."""
        found = rows(
            self._database,
            "SELECT number, hash, parent_hash, timestamp FROM blocks WHERE chain = ? "
            "ORDER BY number",
            [self._chain],
        )
        return [
            Header(
                number=one["number"],
                hash=one["hash"],
                parent_hash=one["parent_hash"],
                timestamp=one["timestamp"],
            )
            for one in found
        ]

    def link(self, headers: Sequence[Header]) -> None:
        """Append blocks; they must follow the newest one."""
        newest = row(
            self._database,
            "SELECT number, hash FROM blocks WHERE chain = ? ORDER BY number DESC LIMIT 1",
            [self._chain],
        )
        parent = None if newest is None else (int(newest["number"]), str(newest["hash"]))
        for header in headers:
            if parent is not None and (header.number - 1, header.parent_hash) != parent:
                raise ValueError(f"block {header.number} does not follow block {parent[0]}")
            self._database.execute(
                "INSERT INTO blocks (chain, number, hash, parent_hash, timestamp) "
                "VALUES (?, ?, ?, ?, ?)",
                [self._chain, header.number, header.hash, header.parent_hash, header.timestamp],
            )
            parent = (header.number, header.hash)

    def anchor(self, header: Header) -> None:
        """Make `header` the oldest, final block; drop all below, and all others if it is new."""
        known = scalar(
            self._database,
            "SELECT hash FROM blocks WHERE chain = ? AND number = ?",
            [self._chain, header.number],
        )
        if known == header.hash:
            self._database.execute(
                "DELETE FROM blocks WHERE chain = ? AND number < ?", [self._chain, header.number]
            )
        else:
            self._database.execute("DELETE FROM blocks WHERE chain = ?", [self._chain])
            self.link([header])
        self._database.execute(
            "UPDATE blocks SET final = 1 WHERE chain = ? AND number = ?",
            [self._chain, header.number],
        )

    # Events.

    def record_log(self, log: RawLog, change: Change, *, timestamp: int) -> int | None:
        """Store what a log tells of; return the event's row, None if it was known.

        A change of a proposal whose creation was never read (it lies before
        the start block) makes a proposal without text.
        """
        proposal_id = self._proposal(log, change, timestamp)
        event = self._event(
            key=f"{self._chain}:{log.block_hash}:{log.tx_hash}:{log.index}",
            proposal_id=proposal_id,
            kind=change.kind,
            block=log.block,
            block_hash=log.block_hash,
            tx_hash=log.tx_hash,
            log_index=log.index,
            timestamp=timestamp,
        )
        if change.kind is ChangeKind.QUEUED and change.eta is not None:
            self._database.execute(
                "UPDATE proposals SET eta = ? WHERE id = ?", [change.eta, proposal_id]
            )
        return event

    def record_state(self, proposal: Followed, state: str, at: Header) -> None:
        """Note a state that was asked for."""
        self._database.execute(
            "UPDATE proposals SET state = ?, state_block = ? WHERE id = ?",
            [state, at.number, proposal.id],
        )

    def record_derived(self, proposal: Followed, kind: ChangeKind, at: Header) -> int | None:
        """Store a change that no log announces, seen at block `at`."""
        return self._event(
            key=f"{self._chain}:{at.hash}:{proposal.governor}:{proposal.number}:{kind}",
            proposal_id=proposal.id,
            kind=kind,
            block=at.number,
            block_hash=at.hash,
            tx_hash="",
            log_index=-1,
            timestamp=at.timestamp,
        )

    def _proposal(self, log: RawLog, change: Change, timestamp: int) -> int:
        created = change.kind is ChangeKind.CREATED
        self._database.execute(
            "INSERT OR IGNORE INTO proposals (chain, governor, number, proposer, title, "
            "description, created_block, created_at) VALUES (?, ?, ?, '', '', '', ?, ?)",
            [self._chain, log.address, str(change.number), log.block, timestamp],
        )
        found = scalar(
            self._database,
            "SELECT id FROM proposals WHERE chain = ? AND governor = ? AND number = ?",
            [self._chain, log.address, str(change.number)],
        )
        if created:
            self._database.execute(
                "UPDATE proposals SET proposer = ?, title = ?, description = ?, "
                "created_block = ?, created_at = ?, vote_start = ?, vote_end = ?, withdrawn = 0 "
                "WHERE id = ?",
                [
                    change.proposer,
                    title_of(change.description),
                    change.description,
                    log.block,
                    timestamp,
                    change.vote_start,
                    change.vote_end,
                    found,
                ],
            )
        return int(found)

    def _event(
        self,
        *,
        key: str,
        proposal_id: int,
        kind: ChangeKind,
        block: int,
        block_hash: str,
        tx_hash: str,
        log_index: int,
        timestamp: int,
    ) -> int | None:
        known = row(self._database, "SELECT id, withdrawn_at FROM events WHERE key = ?", [key])
        if known is not None:
            if known["withdrawn_at"] is None:
                return None
            # The chain came back to a block it had left.
            self._database.execute(
                "UPDATE events SET withdrawn_at = NULL, handled = 0 WHERE id = ?", [known["id"]]
            )
            return int(known["id"])
        cursor = self._database.execute(
            "INSERT INTO events (key, proposal_id, kind, chain, block, block_hash, tx_hash, "
            "log_index, timestamp, seen_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                key,
                proposal_id,
                kind.value,
                self._chain,
                block,
                block_hash,
                tx_hash,
                log_index,
                timestamp,
                self._clock(),
            ],
        )
        return int(cursor.lastrowid or 0)

    def quarantine(self, log: RawLog, reason: str) -> None:
        """Keep a log that could not be read, as it came."""
        self._database.execute(
            "INSERT OR IGNORE INTO quarantine (chain, address, block, block_hash, tx_hash, "
            "log_index, topics, data, reason, seen_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                self._chain,
                log.address,
                log.block,
                log.block_hash,
                log.tx_hash,
                log.index,
                json.dumps(log.topics),
                log.data,
                reason[:500],
                self._clock(),
            ],
        )

    # Reorganisations.

    def rewind(self, ancestor: int) -> list[tuple[int, int]]:
        """Forget the blocks above `ancestor` and withdraw their events.

        Returns the proposals whose creation is gone, each with the event's row.
        """
        gone = rows(
            self._database,
            "SELECT id, proposal_id, kind FROM events "
            "WHERE chain = ? AND block > ? AND withdrawn_at IS NULL ORDER BY id",
            [self._chain, ancestor],
        )
        self._database.execute(
            "UPDATE events SET withdrawn_at = ? "
            "WHERE chain = ? AND block > ? AND withdrawn_at IS NULL",
            [self._clock(), self._chain, ancestor],
        )
        self._database.execute(
            "DELETE FROM quarantine WHERE chain = ? AND block > ?", [self._chain, ancestor]
        )
        self._database.execute(
            "DELETE FROM blocks WHERE chain = ? AND number > ?", [self._chain, ancestor]
        )
        self._database.execute(
            "UPDATE cursors SET next_block = ? WHERE chain = ? AND next_block > ?",
            [ancestor + 1, self._chain, ancestor + 1],
        )
        # What was asked at an orphaned block must be asked again.
        self._database.execute(
            "UPDATE proposals SET state = 'unknown', state_block = NULL "
            "WHERE chain = ? AND (state_block > ? OR id IN (SELECT proposal_id FROM events "
            "WHERE chain = ? AND block > ?))",
            [self._chain, ancestor, self._chain, ancestor],
        )
        withdrawn = [
            (int(one["proposal_id"]), int(one["id"]))
            for one in gone
            if one["kind"] == ChangeKind.CREATED
        ]
        for proposal_id, _ in withdrawn:
            self._database.execute("UPDATE proposals SET withdrawn = 1 WHERE id = ?", [proposal_id])
        return withdrawn

    # Proposals whose state changes with time.

    def open_proposals(
        self, ended: Iterable[str], *, after: int = 0, limit: int = 500
    ) -> list[Followed]:
        """Return the standing proposals whose state is not one of `ended`.

        Those of unknown state come first, then those with a row beyond `after`,
        then the others: who asks again from the last row it got misses none.
        """
        closed = list(ended)
        marks = ", ".join("?" for _ in closed)
        found = rows(
            self._database,
            "SELECT id, governor, number, state FROM proposals "  # noqa: S608 - marks are ?
            f"WHERE chain = ? AND withdrawn = 0 AND state NOT IN ({marks}) "
            "ORDER BY state != 'unknown', id <= ?, id LIMIT ?",
            [self._chain, *closed, after, limit],
        )
        return [
            Followed(
                id=one["id"],
                governor=one["governor"],
                number=int(one["number"]),
                state=one["state"],
            )
            for one in found
        ]

    def counts(self) -> Mapping[str, int]:
        """Return how many proposals, events and quarantined logs the chain has."""
        return {
            name: int(
                scalar(
                    self._database,
                    f"SELECT count(*) FROM {name} WHERE chain = ?",  # noqa: S608
                    [self._chain],
                )
            )
            for name in ("proposals", "events", "quarantine")
        }
