"""Give price feeds a new timestamp after a warp, and leave their answers alone.

Protocols reject an answer that is too old; after a warp of days every feed is.
A feed is told apart by no name: the slots its `latestRoundData` reads are asked
for, and in them every field that holds the old time is overwritten with the new.
That serves Chainlink's aggregators behind their proxies as well as ours. What
was written is verified by reading the feed again, and undone if it does not fit.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from evaluator.chain.abi import Abi
from evaluator.chain.receipts import ZERO
from evaluator.errors import ChainError

if TYPE_CHECKING:
    from evaluator.chain.sandbox import Sandbox

FEED = Abi.parse(
    [
        "function latestRoundData() view returns (uint80 roundId, int256 answer,"
        " uint256 startedAt, uint256 updatedAt, uint80 answeredInRound)",
        "function description() view returns (string)",
    ]
)
_MOST_FIELDS = 8  # candidate fields tried in combination


def refresh(sandbox: Sandbox, feed: str) -> str:
    """Set the latest round's time of `feed` to the head's; returns a sentence on it.

    Raises ChainError if the feed does not answer or keeps its time where it cannot be
    found; its storage is then as it was.
    """
    contract = sandbox.contract(feed, FEED)
    before = contract.call("latestRoundData")
    now = sandbox.timestamp()
    old = int(before.updatedAt)
    if old >= now:
        return f"feed {feed} was already up to date"
    fields = list(_fields(sandbox, feed, {old, int(before.startedAt)}))[:_MOST_FIELDS]
    # All at once is the usual case; then ever fewer, in case one only looked like a time.
    for size in range(len(fields), 0, -1):
        for chosen in itertools.combinations(fields, size):
            if _write(sandbox, feed, chosen, now, before.answer):
                return (
                    f"feed {feed} was given the time {now} in place of {old}; its answer "
                    f"{before.answer} is unchanged"
                )
    raise ChainError(f"the time of the feed {feed} cannot be refreshed: it is in no slot it reads")


def _fields(sandbox: Sandbox, feed: str, times: set[int]) -> list[tuple[str, int, int, int]]:
    """Every (address, slot, offset, width) the feed reads that holds one of `times`."""
    request = {"from": ZERO, "to": feed, "data": "0x" + FEED.encode("latestRoundData").hex()}
    listed = sandbox.rpc.request("eth_createAccessList", [request, "latest"])
    found: list[tuple[str, int, int, int]] = []
    for account in listed.get("accessList", ()):
        for key in account.get("storageKeys", ()):
            slot = int(key, 16)
            content = sandbox.get_storage(account["address"], slot)
            for time in sorted(times):
                found += [(account["address"], slot, *place) for place in _places(content, time)]
    return list(dict.fromkeys(found))


def _places(content: bytes, time: int) -> list[tuple[int, int]]:
    """Offsets and widths at which a storage word holds `time` as a field of its own."""
    if int.from_bytes(content, "big") == time:
        return [(0, 32)]
    needle = time.to_bytes(4, "big") if time < 1 << 32 else time.to_bytes(8, "big")
    places = []
    at = content.find(needle)
    while at >= 0:
        places.append((at, len(needle)))
        at = content.find(needle, at + 1)
    return places


def _write(
    sandbox: Sandbox,
    feed: str,
    fields: tuple[tuple[str, int, int, int], ...],
    now: int,
    answer: int,
) -> bool:
    """Write the new time into `fields`; keep it only if the feed then reads right."""
    originals: dict[tuple[str, int], bytes] = {}
    for address, slot, offset, width in fields:
        content = sandbox.get_storage(address, slot)
        originals.setdefault((address, slot), content)
        changed = content[:offset] + now.to_bytes(width, "big") + content[offset + width :]
        sandbox.set_storage(address, slot, changed)
    try:
        after = sandbox.contract(feed, FEED).call("latestRoundData")
        if after.updatedAt == now and after.answer == answer:
            return True
    except ChainError:
        pass
    for (address, slot), content in originals.items():
        sandbox.set_storage(address, slot, content)
    return False
