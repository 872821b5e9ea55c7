"""Votes: what a proposal still needs, and who holds it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from eth_hash.auto import keccak

from evaluator.chain.receipts import Log
from evaluator.chain.sandbox import Sandbox
from evaluator.errors import RpcError
from evaluator.governance.log_scan import newest_first

_DELEGATED = (
    keccak(b"DelegateVotesChanged(address,uint256,uint256)"),
    keccak(b"DelegateVotesChangedV2(address,uint256,uint256)"),  # Venus' vault
)
_VOTED = (
    keccak(b"VoteCast(address,uint256,uint8,uint256,string)"),
    keccak(b"VoteCastWithParams(address,uint256,uint8,uint256,string,bytes)"),
    keccak(b"VoteCast(address,uint256,bool,uint256)"),  # GovernorAlpha, nothing indexed
)


@dataclass(frozen=True, kw_only=True)
class Tally:
    """The votes cast on a proposal and what it takes, in base units of voting power."""

    in_favour: int  # votes for
    against: int  # votes against
    counted: int  # votes that count for the quorum
    quorum: int  # votes the quorum takes

    @property
    def missing(self) -> int:
        """Votes in favour still needed to pass; 0 if it would pass now."""
        majority = max(self.against + 1 - self.in_favour, 0)
        return max(self.quorum - self.counted, majority, 0)


@dataclass(frozen=True, kw_only=True)
class Voter:
    """An account and its voting power."""

    account: str  # lower-case
    power: int  # base units


def find_delegates(
    sandbox: Sandbox,
    *,
    token: str,
    governor: str,
    power: Callable[[Sequence[str]], list[int]],
    needed: int,
) -> tuple[tuple[Voter, ...], str]:
    """Find accounts that vote with at least `needed` together, the strongest first.

    They are looked for in the logs of delegation at `token` and of votes at
    `governor`, newest first, until their power - told by `power` - is enough or the
    chain's beginning is reached. Returns them and a note, "" if the search went well.
    """
    found: dict[str, int] = {}
    note = ""
    try:
        for logs in newest_first(
            sandbox,
            address=list(dict.fromkeys((token, governor))),
            topics=[[*_DELEGATED, *_VOTED]],
            newest=sandbox.block_number(),
        ):
            fresh = list(dict.fromkeys(a for log in logs if (a := _account(log)) not in found))
            found.update(zip(fresh, power(fresh), strict=True))
            if sum(found.values()) >= needed:
                break
    except RpcError as error:
        note = f"the search for delegates ended early: {error}"
    voters = [Voter(account=a, power=p) for a, p in found.items() if p > 0]
    return tuple(sorted(voters, key=lambda v: (-v.power, v.account))), note


def choose_voters(voters: Sequence[Voter], missing: int) -> tuple[Voter, ...] | None:
    """Return the fewest voters, the strongest first, that hold `missing`; None if all do not."""
    chosen: list[Voter] = []
    for voter in sorted(voters, key=lambda v: (-v.power, v.account)):
        if missing <= 0:
            break
        chosen.append(voter)
        missing -= voter.power
    return tuple(chosen) if missing <= 0 else None


def _account(log: Log) -> str:
    word = log.topics[1] if len(log.topics) > 1 else log.data[:32].rjust(32, b"\0")
    return "0x" + word[12:].hex()
