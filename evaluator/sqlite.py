"""SQLite through sqlite-utils, and what every user of it needs.

sqlite-utils imports pandas wherever that is installed, to know a few column types that
are not used here; that costs every process more than a second and 60 MB.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_UNWANTED = "pandas"


@contextmanager
def _absent(name: str) -> Iterator[None]:
    """Let imports of the module `name` fail unless it is loaded already."""
    modules: dict[str, Any] = sys.modules
    if name in modules:
        yield
        return
    modules[name] = None
    try:
        yield
    finally:
        del modules[name]


with _absent(_UNWANTED):
    from sqlite_utils import Database

__all__ = ["Database", "writing"]


@contextmanager
def writing(database: Database) -> Iterator[None]:
    """Run one transaction that waits for other writers before it begins.

    `atomic()` alone takes the write lock at its first write, and SQLite refuses
    that at once, without waiting, if another process wrote since its first read.
    """
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        database.rollback()
        raise
    database.commit()
