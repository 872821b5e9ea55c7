"""What a governor's logs say about its proposals, read within bounds.

Only what the bot itself needs is read: ids, times and the description. The
actions stay opaque bytes; the evaluator decodes them in its own process. A log
that breaks the ABI's rules is a PoisonedLog; nothing here ever allocates more
than the log's own size.

Known families, by their events and their `state(uint256)`: OpenZeppelin
Governor; Compound's GovernorAlpha, GovernorBravo and their descendants (Venus
adds a proposal type).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from eth_utils.crypto import keccak

from bot.errors import PoisonedLog

MAX_DATA = 1 << 20  # bytes of a log's data
MAX_DESCRIPTION = 200_000  # characters kept
MAX_TITLE = 200  # characters
WORD = 32


class ChangeKind(StrEnum):
    """A change in a proposal's life."""

    CREATED = "created"
    ACTIVE = "active"
    SUCCEEDED = "succeeded"
    QUEUED = "queued"
    EXECUTED = "executed"
    CANCELED = "canceled"
    DEFEATED = "defeated"
    EXPIRED = "expired"


# The order of both families' ProposalState enumerations.
STATES = (
    "pending",
    "active",
    "canceled",
    "defeated",
    "succeeded",
    "queued",
    "expired",
    "executed",
)
ENDED = frozenset({"canceled", "defeated", "expired", "executed"})
# States that no log announces: they come with time.
DERIVED: Mapping[str, ChangeKind] = {
    "active": ChangeKind.ACTIVE,
    "succeeded": ChangeKind.SUCCEEDED,
    "defeated": ChangeKind.DEFEATED,
    "expired": ChangeKind.EXPIRED,
}
STATE_SELECTOR = keccak(text="state(uint256)")[:4]
LATEST_ROUND_SELECTOR = keccak(text="latestRoundData()")[:4]


def _topic(signature: str) -> str:
    return "0x" + keccak(text=signature).hex()


_CREATED = (
    "ProposalCreated(uint256,address,address[],uint256[],string[],bytes[],uint256,uint256,string"
)
TOPICS: Mapping[str, ChangeKind] = {
    _topic(_CREATED + ")"): ChangeKind.CREATED,
    _topic(_CREATED + ",uint8)"): ChangeKind.CREATED,
    _topic("ProposalQueued(uint256,uint256)"): ChangeKind.QUEUED,
    _topic("ProposalExecuted(uint256)"): ChangeKind.EXECUTED,
    _topic("ProposalCanceled(uint256)"): ChangeKind.CANCELED,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class RawLog:
    """A log as the endpoint gave it."""

    address: str  # lower case
    topics: tuple[str, ...]  # 0x and 64 hex digits each, lower case
    data: bytes
    block: int
    block_hash: str
    tx_hash: str
    index: int  # of the log in its block


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """A change that a log tells of."""

    kind: ChangeKind
    number: int  # the governor's id
    proposer: str = ""  # address, of CREATED
    description: str = ""  # of CREATED
    vote_start: int | None = None  # block number or time, of CREATED
    vote_end: int | None = None
    eta: int | None = None  # Unix seconds, of QUEUED
    warning: str = ""  # why the raw log should be kept, though it was read


def read_log(log: RawLog) -> Change | None:
    """Return the change a log tells of, None for a log of no interest.

    Raises PoisonedLog.
    """
    kind = TOPICS.get(log.topics[0]) if log.topics else None
    if kind is None:
        return None
    if len(log.data) > MAX_DATA:
        raise PoisonedLog(f"its data has {len(log.data)} bytes, at most {MAX_DATA} are read")
    indexed = len(log.topics) > 1  # some forks index the id
    head = [int(log.topics[1], 16)] if indexed else []
    data = _Words(log.data)
    number = head[0] if indexed else data.word(0)
    if kind is ChangeKind.CREATED:
        if indexed:
            raise PoisonedLog("it has an indexed id, unlike any known ProposalCreated")
        return _created(data, number)
    if kind is ChangeKind.QUEUED:
        return Change(kind=kind, number=number, eta=_time(data.word(0 if indexed else 1)))
    return Change(kind=kind, number=number)


def _created(data: _Words, number: int) -> Change:
    counts = {data.array(position) for position in (2, 3)}
    counts |= {data.array_of_bytes(position) for position in (4, 5)}
    if len(counts) != 1:
        raise PoisonedLog(f"its lists of actions differ in length: {sorted(counts)}")
    raw = data.bytes_at(8)
    try:
        description, warning = raw.decode("utf-8"), ""
    except UnicodeDecodeError:
        description = raw.decode("utf-8", "replace")
        warning = "the description is not UTF-8; it was read with replacement characters"
    return Change(
        kind=ChangeKind.CREATED,
        number=number,
        proposer="0x" + f"{data.word(1) & ((1 << 160) - 1):040x}",
        description=description[:MAX_DESCRIPTION],
        vote_start=_time(data.word(6)),
        vote_end=_time(data.word(7)),
        warning=warning,
    )


def _time(value: int) -> int | None:
    """Return a block number or time, None if it cannot be one."""
    return value if value < 1 << 62 else None


class _Words:
    """ABI-encoded data, read by position, every offset and length checked."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._spent = 0  # bytes of dynamic content read so far

    def word(self, position: int) -> int:
        return self._word_at(position * WORD)

    def _word_at(self, at: int) -> int:
        if at < 0 or at + WORD > len(self._data):
            raise PoisonedLog(f"its data ends at {len(self._data)}, a word was expected at {at}")
        return int.from_bytes(self._data[at : at + WORD], "big")

    def _spend(self, size: int) -> None:
        # An honest encoding holds each byte once. One that points at the same bytes
        # over and over unfolds to any size: that is a decode bomb.
        self._spent += size
        if self._spent > len(self._data):
            raise PoisonedLog("it would unfold to more than it holds")

    def _list(self, position: int) -> tuple[int, int]:
        """Return where the elements of a list begin and how many there are."""
        at = self.word(position)
        count = self._word_at(at)
        self._spend(WORD * count)
        if at + WORD + WORD * count > len(self._data):
            raise PoisonedLog(f"a list of {count} elements at {at} does not fit into its data")
        return at + WORD, count

    def array(self, position: int) -> int:
        """Check a list of words and return its length."""
        return self._list(position)[1]

    def array_of_bytes(self, position: int) -> int:
        """Check a list of byte strings and return its length."""
        begin, count = self._list(position)
        for element in range(count):
            self._bytes(begin + self._word_at(begin + WORD * element))
        return count

    def bytes_at(self, position: int) -> bytes:
        """Return a byte string."""
        at, size = self._bytes(self.word(position))
        return self._data[at : at + size]

    def _bytes(self, at: int) -> tuple[int, int]:
        size = self._word_at(at)
        self._spend(size)
        if at + WORD + size > len(self._data):
            raise PoisonedLog(f"{size} bytes at {at} do not fit into its data")
        return at + WORD, size


def title_of(description: str) -> str:
    """Return a description's first line of words, cleaned, "" if it has none."""
    for line in description[:20_000].splitlines():
        cleaned = "".join(
            " " if unicodedata.category(c).startswith("Z") else c
            for c in line
            if unicodedata.category(c) not in {"Cc", "Cf", "Cs", "Co", "Cn"}
        )
        words = " ".join(cleaned.strip(" #*_=>-\t").split())
        if words:
            return words if len(words) <= MAX_TITLE else words[: MAX_TITLE - 1] + "…"
    return ""
