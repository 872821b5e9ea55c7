"""The decoding worker: reuse, limits, and what survives when it dies."""

from __future__ import annotations

import os
import signal
import threading

import eth_abi
import pytest
from eth_utils import keccak

from evaluator.governance.decoder import Decoder, DecodingFailed
from evaluator.governance.decoding.calls import RawAction, decode_actions
from evaluator.governance.decoding.events import RawEvent
from tests.governance.decoding.test_calls import ASSET, GRANT, OTHER, TARGET, safe
from tests.governance.decoding.test_values import BOMB


@pytest.fixture(scope="module")
def decoder():
    decoder = Decoder()
    yield decoder
    decoder.close()


def raw(calldata: bytes) -> RawAction:
    return RawAction(target=TARGET, value=1, signature=b"", calldata=calldata)


def test_the_worker_gives_what_the_functions_give(decoder: Decoder) -> None:
    actions = [
        raw(safe(GRANT)),
        raw(b""),
        raw(b"\x01\x02\x03\x04"),
        raw(keccak(text="multicall(bytes[])")[:4] + BOMB),
    ]
    assert decoder.actions(actions) == decode_actions(actions)


def test_the_worker_is_reused(decoder: Decoder) -> None:
    decoder.values("uint256 a", bytes(32))
    first = decoder._process.pid
    assert decoder.values("string a", eth_abi.encode(["string"], ["hello"])) == ("hello",)
    assert decoder._process.pid == first


def test_events_are_decoded_by_topic_and_number_of_topics(decoder: Decoder) -> None:
    transfer = keccak(text="Transfer(address,address,uint256)")
    people = [bytes(12) + bytes.fromhex(a[2:]) for a in (TARGET, OTHER)]
    fungible, token, unknown, broken = decoder.events(
        [
            RawEvent(contract=ASSET, topics=(transfer, *people), data=(5).to_bytes(32, "big")),
            RawEvent(contract=ASSET, topics=(transfer, *people, bytes(32)), data=b""),
            RawEvent(contract=ASSET, topics=(bytes(32),), data=b"x"),
            RawEvent(contract=ASSET, topics=(transfer, *people), data=b"short"),
        ]
    )
    assert (fungible.argument("from"), fungible.argument("value")) == (TARGET, 5)
    assert token.argument("tokenId") == 0
    assert unknown.error == "the event is not known"
    assert "ends at byte 5" in broken.error
    assert broken.data == b"short"


def test_a_bomb_is_refused_with_the_reason(decoder: Decoder) -> None:
    with pytest.raises(DecodingFailed, match="more than"):
        decoder.values("bytes[] a", BOMB * 50)


def test_a_worker_that_overstays_is_killed_and_the_next_request_works() -> None:
    decoder = Decoder(seconds=0.5)
    try:
        decoder.values("uint256 a", bytes(32))
        os.kill(decoder._process.pid, signal.SIGSTOP)
        stuck = decoder._process.pid
        with pytest.raises(DecodingFailed, match=r"longer than 0\.5 s"):
            decoder.values("uint256 a", bytes(32))
        decoder._seconds = 10
        assert decoder.values("uint256 a", bytes(32)) == (0,)
        assert decoder._process.pid != stuck
    finally:
        decoder.close()


def test_a_worker_without_enough_memory_loses_only_the_part_that_needs_it() -> None:
    decoder = Decoder(memory=64 << 20)
    try:
        huge = "0x" + "00" * 20
        heavy = RawAction(target=huge, value=0, signature=b"", calldata=b"\x01" * (30 << 20))
        lost, kept = decoder.actions([heavy, raw(GRANT)])
        assert "could not be decoded" in lost.decoded.error
        assert lost.calldata == heavy.calldata
        assert kept.decoded.name == "grantRole"
    finally:
        decoder.close()


def test_a_dead_worker_is_replaced() -> None:
    decoder = Decoder()
    try:
        decoder.values("uint256 a", bytes(32))
        os.kill(decoder._process.pid, signal.SIGKILL)
        decoder._process.wait()
        assert decoder.values("uint256 a", bytes(32)) == (0,)
    finally:
        decoder.close()


def test_threads_share_one_worker(decoder: Decoder) -> None:
    answers: list[object] = []

    def ask(number: int) -> None:
        answers.append(decoder.values("uint256 a", number.to_bytes(32, "big")) == (number,))

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [True] * 8


def test_the_worker_is_bounded_in_memory(decoder: Decoder) -> None:
    decoder.values("uint256 a", bytes(32))
    import resource

    limit, _ = resource.prlimit(decoder._process.pid, resource.RLIMIT_AS)
    assert limit == 256 << 20


def test_addresses_come_back_in_lower_case(decoder: Decoder) -> None:
    target = "0x" + "aB" * 20
    (action,) = decoder.actions([RawAction(target=target, value=0, signature=b"", calldata=b"")])
    assert action.target == target.lower()
