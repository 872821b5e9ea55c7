"""Reading governors' logs: honest ones rightly, hostile ones without harm."""

from __future__ import annotations

import sys
import tracemalloc
from pathlib import Path

import pytest
from eth_abi.abi import encode
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import PoisonedLog
from bot.lifecycle import ChangeKind, RawLog, read_log, title_of

sys.path.insert(0, str(Path(__file__).parent / "toys"))
from chain_double import CREATED, CREATED_TOPIC, GOVERNOR, created, topic

VENUS_TOPIC = topic(f"ProposalCreated({','.join(CREATED)},uint8)")


def _log(data: bytes, *topics: str) -> RawLog:
    return RawLog(
        address=GOVERNOR,
        topics=topics or (CREATED_TOPIC,),
        data=data,
        block=1,
        block_hash="0x" + "01" * 32,
        tx_hash="0x" + "02" * 32,
        index=0,
    )


@given(
    number=st.integers(0, 2**256 - 1),
    actions=st.integers(0, 5),
    description=st.text(alphabet=st.characters(blacklist_categories=("Cs",)), max_size=200),
    start=st.integers(0, 2**61),
)
def test_an_honest_creation_is_read(
    number: int, actions: int, description: str, start: int
) -> None:
    values = [
        number, "0x" + "ab" * 20, ["0x" + "22" * 20] * actions, [7] * actions,
        ["f(uint256)"] * actions, [bytes(range(40))] * actions, start, start + 9, description,
    ]  # fmt: skip
    change = read_log(_log(encode(CREATED, values)))
    assert change is not None
    assert change.kind is ChangeKind.CREATED
    assert (change.number, change.proposer) == (number, "0x" + "ab" * 20)
    assert (change.vote_start, change.vote_end) == (start, start + 9)
    assert (change.description, change.warning) == (description, "")
    venus = read_log(_log(encode([*CREATED, "uint8"], [*values, 2]), VENUS_TOPIC))
    assert venus == change


@pytest.mark.parametrize(
    ("name", "words", "kind", "eta"),
    [
        ("ProposalQueued(uint256,uint256)", (5, 99), ChangeKind.QUEUED, 99),
        ("ProposalExecuted(uint256)", (5,), ChangeKind.EXECUTED, None),
        ("ProposalCanceled(uint256)", (5,), ChangeKind.CANCELED, None),
    ],
)
def test_later_events_are_read_with_plain_and_indexed_ids(
    name: str, words: tuple[int, ...], kind: ChangeKind, eta: int | None
) -> None:
    data = b"".join(word.to_bytes(32, "big") for word in words)
    for log in (
        _log(data, topic(name)),
        _log(data[32:], topic(name), "0x" + (5).to_bytes(32, "big").hex()),
    ):
        change = read_log(log)
        assert change is not None
        assert (change.kind, change.number, change.eta) == (kind, 5, eta)


def test_other_logs_are_of_no_interest() -> None:
    assert read_log(_log(b"", topic("Transfer(address,address,uint256)"))) is None


def test_bad_utf8_is_read_and_reported() -> None:
    change = read_log(_log(created(1, b"# Title \xff\xfe of sorts")))
    assert change is not None
    assert "�" in change.description
    assert "not UTF-8" in change.warning
    assert title_of(change.description) == "Title �� of sorts"


def _bomb() -> bytes:
    """Return 200 KB that unfold to gigabytes: a list whose elements are all the same string."""
    head = [1, 0, 9 * 32, 9 * 32, 10 * 32, 9 * 32, 0, 0, 9 * 32]
    count = 3000
    words = [*head, 0, count, *([count * 32] * count), 100_000]
    return b"".join(word.to_bytes(32, "big") for word in words) + bytes(100_000)


POISON = {
    "empty": (b"", "a word was expected"),
    "cut in a text": (created(1)[:-32], "do not fit"),
    "cut in a list": (created(1)[:320], "does not fit"),
    "offset beyond": (
        created(1)[:64] + (2**255).to_bytes(32, "big") + created(1)[96:],
        "a word was expected",
    ),
    "count beyond": (
        created(1)[:288] + (2**64 - 1).to_bytes(32, "big") + created(1)[320:],
        "more than it holds",
    ),
    "bomb": (_bomb(), "more than it holds"),
    "huge": (bytes(2 << 20), "at most"),
}


@pytest.mark.parametrize("name", POISON)
def test_poisoned_logs_are_named(name: str) -> None:
    data, said = POISON[name]
    with pytest.raises(PoisonedLog, match=said):
        read_log(_log(data))


def test_lists_of_different_lengths_are_poison() -> None:
    types = CREATED
    values = [1, "0x" + "aa" * 20, ["0x" + "22" * 20], [], [""], [b""], 1, 2, "d"]
    with pytest.raises(PoisonedLog, match="differ in length"):
        read_log(_log(encode(types, values)))


def test_a_bomb_costs_no_memory() -> None:
    log = _log(_bomb())
    tracemalloc.start()
    try:
        with pytest.raises(PoisonedLog):
            read_log(log)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


@given(st.binary(max_size=600), st.integers(0, 400), st.binary(min_size=1, max_size=64))
def test_no_data_does_worse_than_being_poisoned(noise: bytes, at: int, patch: bytes) -> None:
    honest = bytearray(created(3))
    honest[at : at + len(patch)] = patch
    for data in (noise, bytes(honest)):
        try:
            read_log(_log(data))
        except PoisonedLog:
            continue


@pytest.mark.parametrize(
    ("description", "title"),
    [
        ("# Raise the cap\n\ntext", "Raise the cap"),
        ("\n\n  ** Bold ** \n", "Bold"),
        ("\u202e\u200b\n= Title\u0000 here", "Title here"),
        ("x" * 500, "x" * 199 + "…"),
        ("", ""),
        ("\n\n---\n", ""),
    ],
)
def test_titles(description: str, title: str) -> None:
    assert title_of(description) == title
