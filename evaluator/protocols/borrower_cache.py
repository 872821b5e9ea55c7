"""Borrowers found so far, kept in SQLite so that only new blocks are searched.

Entries are keyed by chain id and market root and stand on the hash of the
last block searched: another fork of the same chain id, or a reorganisation,
has another hash there, and what was found above the last common block is
forgotten.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from evaluator.errors import ConfigurationError
from evaluator.sqlite import Database

# Blocks remembered for each market to fall back on, newest kept.
CURSORS = 32


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownBorrowers:
    """What is known of a market up to a block."""

    accounts: tuple[str, ...]  # lower-case, in the order found
    block: int  # last block searched, -1 for none


NOBODY = KnownBorrowers(accounts=(), block=-1)


class BorrowerCache:
    """Borrowers by market, in the SQLite file `path` (or ":memory:")."""

    def __init__(self, path: Path | str) -> None:
        """Open or create the file. Raises ConfigurationError if that is not possible."""
        try:
            if isinstance(path, Path):
                path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(str(path), timeout=30.0)
            self._db = Database(self._connection)
            self._create()
        except (OSError, sqlite3.Error) as error:
            raise ConfigurationError(
                f"the borrower cache {path} cannot be opened as an SQLite file: {error}; "
                "remove it or name another"
            ) from error

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def load(
        self, chain_id: int, root: str, hash_of: Callable[[int], str | None]
    ) -> KnownBorrowers:
        """Return what is known on this very chain.

        `hash_of` gives the hash of a block of the present chain, or None if it
        has no such block. Newer cursors that do not fit are forgotten.
        """
        key = [chain_id, root.lower()]
        rows = list(
            self._db.query(
                "select block, hash from cursor where chain_id = ? and root = ? "
                "order by block desc",
                key,
            )
        )
        for row in rows:
            if hash_of(row["block"]) == row["hash"]:
                found = self._db.query(
                    "select account from borrower where chain_id = ? and root = ? and block <= ? "
                    "order by block, position",
                    [*key, row["block"]],
                )
                return KnownBorrowers(
                    accounts=tuple(r["account"] for r in found), block=row["block"]
                )
        return NOBODY

    def save(
        self,
        chain_id: int,
        root: str,
        found: Iterable[tuple[str, int]],
        *,
        block: int,
        block_hash: str,
        above: int,
    ) -> None:
        """Add (account, block) pairs found above block `above`, searched up to `block`.

        Whatever was known above `above` is replaced, in one transaction.
        """
        key = [chain_id, root.lower()]
        accounts = list(found)
        with contextlib.closing(self._connection.cursor()) as cursor, self._connection:
            cursor.execute("begin immediate")
            for table in ("borrower", "cursor"):
                cursor.execute(
                    f"delete from {table} where chain_id = ? and root = ? and block > ?",  # noqa: S608
                    [*key, above],
                )
            cursor.executemany(
                "insert or ignore into borrower (chain_id, root, account, block, position) "
                "values (?, ?, ?, ?, ?)",
                [[*key, a.lower(), at, i] for i, (a, at) in enumerate(accounts)],
            )
            cursor.execute(
                "insert or replace into cursor values (?, ?, ?, ?)", [*key, block, block_hash]
            )
            cursor.execute(
                "delete from cursor where chain_id = ? and root = ? and block not in (select block "
                "from cursor where chain_id = ? and root = ? order by block desc limit ?)",
                [*key, *key, CURSORS],
            )

    def _create(self) -> None:
        self._connection.isolation_level = None
        self._connection.execute("pragma journal_mode = wal")
        self._db["borrower"].create(  # type: ignore[union-attr]
            {"chain_id": int, "root": str, "account": str, "block": int, "position": int},
            pk=("chain_id", "root", "account"),
            if_not_exists=True,
        )
        self._db["cursor"].create(  # type: ignore[union-attr]
            {"chain_id": int, "root": str, "block": int, "hash": str},
            pk=("chain_id", "root", "block"),
            if_not_exists=True,
        )
