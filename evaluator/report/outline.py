"""What a report says, in order, as plain words and tables; renderings only dress it.

Every string here may hold hostile text; a rendering escapes all of it.
"""

from __future__ import annotations

from dataclasses import dataclass

from evaluator.report.drawing import Chart

NOT_COMPUTED = "not computed"


class Mono(str):
    """Text shown in monospace: addresses, digests, signatures."""

    __slots__ = ()


class Strong(str):
    """Text that stands out: a number that differs beyond its interval."""

    __slots__ = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """A table; its first column names the row."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left_out: int = 0  # rows that are only in the JSON


@dataclass(frozen=True, kw_only=True, slots=True)
class Words:
    """A paragraph."""

    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Listing:
    """Text shown as it is, in monospace."""

    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """A chart; its file name is unique in the report."""

    name: str
    chart: Chart


@dataclass(frozen=True, kw_only=True, slots=True)
class Node:
    """A call with the calls it unfolds to."""

    line: str
    details: tuple[tuple[str, str], ...]  # name, value
    children: tuple[Node, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Tree:
    """Calls and what they unfold to."""

    nodes: tuple[Node, ...]


Block = Table | Words | Listing | Picture | Tree


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """A part that a reader unfolds."""

    slug: str  # anchor, unique
    title: str
    summary: str  # what it comes to, in a few words
    blocks: tuple[Block, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Remark:
    """A line of the first screen: what it is about, and what there is to say."""

    about: str  # "At execution"
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class FirstScreen:
    """What a delegate decides on."""

    verdict: str
    sentence: str
    reason: str
    judged: str  # number against bound, with the policy's key
    subject: str  # which proposal, where, executed how, at which block
    changes: Table | None  # None: not computed
    at_execution: str  # who is hurt, "" if no market is reached
    odds: tuple[Table, ...]  # one for each market
    remarks: tuple[Remark, ...]
    label: str  # "real bytecode, seeded state" on the embedded chain, else ""
    check: str  # the command to reproduce
    digest: str
