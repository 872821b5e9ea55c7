"""Who governs a market, what they hold, and how somebody else's proposal gets through.

Votes can be bought or borrowed like any token. What stands against it is the quorum,
the proposer's threshold, and the voters: whoever has a proposal before his eyes for
REACTION seconds is taken to vote against it with all he has; whoever has not, sleeps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError

from evaluator.arena.lending import TOKEN
from evaluator.chain.abi import Abi
from evaluator.chain.sandbox import Sandbox
from evaluator.errors import ConfigurationError
from evaluator.governance.adapter import GovernorAdapter
from evaluator.governance.decoding.calls import RawAction
from evaluator.governance.family import LifecycleGovernor
from evaluator.governance.terms import Bill, Terms, read_terms, write_bill
from evaluator.protocols.reading import read_raw

REACTION = 86_400.0  # seconds after which those who hold votes have heard of a proposal
BLOCK_TIME = 12  # seconds between blocks
VOTING = Abi.parse(
    [
        "function delegate(address delegatee)",
        "function deposit(address rewardToken, uint256 pid, uint256 amount)",  # Venus' vault
    ]
)
_PAYLOAD = ["address[]", "uint256[]", "bytes[]"]
_TEXT = b"# A routine change"  # of the attacker's proposal
_VOTERS = 16  # who vote against
_LONGEST = 40_000  # digits of a payload that is read from a report
_WITHIN = 2  # times the quorum: voters are looked for until they hold as much


class Worth(Protocol):
    """What is known of a token."""

    @property
    def decimals(self) -> int:
        """Base units per whole token, as a power of ten."""
        ...

    @property
    def fair(self) -> float:
        """USD per whole token."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class Polity:
    """A governor as an attacker finds it on one state."""

    governor: GovernorAdapter  # how calls are written
    sandbox: Sandbox  # the state
    terms: Terms  # delays, quorum, threshold
    voters: tuple[str, ...]  # who vote against what they hear of, addresses
    holdings: tuple[tuple[str, int], ...]  # what the executor holds: token, base units
    bills: dict[str, Bill] = field(default_factory=dict)  # written so far, by payload

    @property
    def asleep(self) -> bool:
        """Whether a proposal is voted on before anybody has heard of it."""
        return self.terms.voting_seconds(BLOCK_TIME) < REACTION

    def bill(self, payload: str) -> Bill:
        """Return the calls that carry a payload through.

        Raises ConfigurationError for one that cannot be read, ProposalError.
        """
        if payload not in self.bills:
            self.bills[payload] = write_bill(
                self.sandbox, self.governor, actions_of(payload), _TEXT
            )
        return self.bills[payload]


def open_polity(
    sandbox: Sandbox, governor: GovernorAdapter, tokens: Mapping[str, Worth], *, least: float
) -> Polity | None:
    """Read who governs at the sandbox's head; None if it is not told.

    Holdings are those of `tokens` that are worth `least` USD or more. Raises RpcError.
    """
    terms = read_terms(sandbox, governor)
    if terms is None:
        return None
    asked = [t for t in tokens if tokens[t].fair > 0.0 and t != terms.token]
    answers = read_raw(
        sandbox,
        [(t, TOKEN.encode("balanceOf", terms.executor)) for t in asked],
        block=sandbox.block_number(),
    )
    units = {
        t: int.from_bytes(a[:32], "big")
        for t, a in zip(asked, answers, strict=True)
        if a is not None and len(a) >= 32
    }
    worth = {t: u / 10.0 ** tokens[t].decimals * tokens[t].fair for t, u in units.items()}
    held = sorted((t for t in units if worth[t] >= least), key=lambda t: -worth[t])
    voters: tuple[str, ...] = ()
    if held and isinstance(governor, LifecycleGovernor):
        found, _ = governor.delegates(sandbox, needed=_WITHIN * terms.quorum, snapshot=None)
        voters = tuple(v.account for v in found[:_VOTERS])
    return Polity(
        governor=governor,
        sandbox=sandbox,
        terms=terms,
        voters=voters,
        holdings=tuple((t, units[t]) for t in held),
    )


def earlier(polity: Polity | None, past: Sandbox) -> Polity | None:
    """Return the same polity on an earlier state; None if its terms are not told there."""
    if polity is None:
        return None
    terms = read_terms(past, polity.governor)
    return None if terms is None else replace(polity, sandbox=past, terms=terms, bills={})


def payload_of(actions: Sequence[RawAction]) -> str:
    """Write calls as one string of hex, as moves and reports carry them."""
    lists = [
        [a.target for a in actions],
        [a.value for a in actions],
        [a.full_calldata for a in actions],
    ]
    return "0x" + encode(_PAYLOAD, lists).hex()


def actions_of(payload: str) -> tuple[RawAction, ...]:
    """Read what `payload_of` wrote. Raises ConfigurationError."""
    if len(payload) > _LONGEST:
        raise ConfigurationError(
            f"the calls of a proposal within an attack take {len(payload):,} digits; at most "
            f"{_LONGEST:,} are read"
        )
    try:
        targets, values, calls = decode(_PAYLOAD, bytes.fromhex(payload[2:]))
    except (DecodingError, ValueError, OverflowError) as error:
        raise ConfigurationError(
            "the calls of a proposal within an attack cannot be read: the report was changed by "
            "hand or written by another version"
        ) from error
    return tuple(
        RawAction(target=t, value=v, signature=b"", calldata=c)
        for t, v, c in zip(targets, values, calls, strict=True)
    )


def payment(token: str, to: str, units: int) -> RawAction:
    """A call by which whoever makes it pays `units` of a token."""
    return RawAction(
        target=token, value=0, signature=b"", calldata=TOKEN.encode("transfer", to, units)
    )
