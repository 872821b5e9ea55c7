"""Which channels hear of which governors."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from bot.database import audit, row, rows
from evaluator import Database


class Severity(StrEnum):
    """The least a verdict must be for a channel to hear of it."""

    PASS = "PASS"  # noqa: S105 - a verdict
    CAUTION = "CAUTION"
    FAIL = "FAIL"


# What could not be judged is never quieter than a caution.
RANK = {"PASS": 0, "CAUTION": 1, "INCONCLUSIVE": 1, "FAIL": 2}


@dataclass(frozen=True, kw_only=True, slots=True)
class Subscription:
    """One channel that follows one governor."""

    id: int  # row
    guild: int  # id of the server
    channel: int  # id
    chain: str  # name of the chain
    governor: str  # address, lower case
    severity: Severity
    role: int | None  # id of the role to ping on FAIL
    created_by: str  # actor, "user:<id>"

    def hears(self, verdict: str) -> bool:
        """Tell whether the verdict is severe enough; an unknown one always is."""
        return RANK.get(verdict, max(RANK.values())) >= RANK[self.severity]


class SubscriptionStore:
    """The subscriptions table."""

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock

    def put(
        self,
        *,
        guild: int,
        channel: int,
        chain: str,
        governor: str,
        severity: Severity,
        role: int | None,
        by: str,
    ) -> bool:
        """Add a subscription or change the channel's own; return whether it is new."""
        where = [str(channel), chain, governor]
        with self._database.atomic():
            known = row(
                self._database,
                "SELECT 1 FROM subscriptions WHERE channel = ? AND chain = ? AND governor = ?",
                where,
            )
            self._database.execute(
                "INSERT INTO subscriptions (guild, channel, chain, governor, severity, role, "
                "created_by, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?) "
                "ON CONFLICT (channel, chain, governor) DO UPDATE SET "
                "severity = excluded.severity, role = excluded.role",
                [
                    str(guild),
                    *where,
                    severity.value,
                    None if role is None else str(role),
                    by,
                    self._clock(),
                ],
            )
            detail = {"channel": channel, "chain": chain, "governor": governor, "role": role}
            audit(self._database, by, "subscribe", json.dumps({**detail, "severity": severity}))
        return known is None

    def drop(self, subscription: Subscription, *, by: str) -> None:
        """End a subscription."""
        with self._database.atomic():
            self._database.execute("DELETE FROM subscriptions WHERE id = ?", [subscription.id])
            detail = {"channel": subscription.channel, "governor": subscription.governor}
            audit(self._database, by, "unsubscribe", json.dumps(detail))

    def of_governor(self, chain: str, governor: str) -> list[Subscription]:
        """Return who follows a governor, oldest first."""
        return self._where("chain = ? AND governor = ?", [chain, governor])

    def of_guild(self, guild: int) -> list[Subscription]:
        """Return a server's subscriptions, oldest first."""
        return self._where("guild = ?", [str(guild)])

    def all(self) -> list[Subscription]:
        """Return every subscription, oldest first."""
        return self._where("1", [])

    def _where(self, condition: str, arguments: list[object]) -> list[Subscription]:
        found = rows(
            self._database,
            f"SELECT * FROM subscriptions WHERE {condition} ORDER BY id",  # noqa: S608
            arguments,
        )
        return [
            Subscription(
                id=one["id"],
                guild=int(one["guild"]),
                channel=int(one["channel"]),
                chain=one["chain"],
                governor=one["governor"],
                severity=Severity(one["severity"]),
                role=None if one["role"] is None else int(one["role"]),
                created_by=one["created_by"],
            )
            for one in found
        ]
