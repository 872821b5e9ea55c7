"""Changes of code and power that a proposal's description does not mention.

A change counts as mentioned if the text holds an address that identifies it - who
gains the power, what code runs - or names the contract or the role in words. A sentence
that gives a role to another address, or says that a role is not given, mentions nothing.
Contracts that the execution itself creates are new, not changed, and do not count.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from evaluator.governance.powers import RULE_VIEWS, ZERO
from evaluator.governance.trace import (
    CodeChange,
    CodeChangeKind,
    ExecutionTrace,
    OwnerChange,
    RoleChange,
)

_UPGRADE_WORDS = r"upgrad\w*|implementation\w*|new code|migrat\w*|logic contract"
_OWNER_WORDS = r"owner\w*|admin\w*|guardian\w*|governor|control\w*|authorit\w*|timelock"
_ADDRESS = re.compile(r"0x[0-9a-f]{40}(?![0-9a-f])")
_SENTENCE = re.compile(r"[.!?;](?=\s|$)|\n")
_DENIAL = re.compile(
    r"(?<![a-z0-9])(?:no|not|never|neither|nor|without|nobody|nothing)(?![a-z0-9])"
)
_RENOUNCE_WORDS = r"renounc\w*|abdicat\w*|give up|immutable"


class ChangeKind(StrEnum):
    """What changed without a word."""

    CODE = "code"
    ROLE = "role"
    OWNER = "owner"


@dataclass(frozen=True, kw_only=True)
class UnannouncedChange:
    """A change of code or power that the description does not mention."""

    kind: ChangeKind  # what sort of change
    contract: str  # contract it happened at, lower-case
    subject: str  # address that gained or lost, or whose code runs now, lower-case; "" if none
    text: str  # the change in one sentence


def unannounced_changes(
    trace: ExecutionTrace, description: str, *, names: Mapping[str, str] | None = None
) -> tuple[UnannouncedChange, ...]:
    """Return the changes of code, roles and owners that `description` does not mention.

    `names` gives contracts' names by lower-case address; with them a text such as
    "upgrade the Pool" mentions what it means.
    """
    text = _Text(description, names or {})
    found: list[UnannouncedChange] = []
    for role in trace.role_changes:
        if not role.in_new_contract and not text.mentions_role(role):
            found.append(_role(role))
    for owner in trace.owner_changes:
        if not owner.in_new_contract and not text.mentions_owner(owner):
            found.append(_owner(owner))
    for code in trace.code_changes:
        new = code.in_new_contract or code.kind is CodeChangeKind.CREATED
        if not new and not text.mentions_code(code):
            found.append(_code(code))
    return tuple(dict.fromkeys(found))


class _Text:
    """A description to look things up in."""

    def __init__(self, description: str, names: Mapping[str, str]) -> None:
        self._text = description.lower()
        self._names = names
        self._addresses = frozenset(_ADDRESS.findall(self._text))

    def mentions_role(self, change: RoleChange) -> bool:
        """By the account that gains or loses it, or by the role's name for an account unnamed."""
        if change.account in self._addresses:
            return True
        role = change.role.removeprefix("admin of ")
        if role.startswith("0x"):
            return role in self._text
        words = re.sub(r"(_role)$", "", role.lower())
        # POOL_ADMIN is also written "pool admin" or "PoolAdmin".
        named = _whole(r"[ _-]?".join(map(re.escape, words.split("_"))) + r"s?")
        return any(_announces(named, s, change.contract) for s in _SENTENCE.split(self._text))

    def mentions_owner(self, change: OwnerChange) -> bool:
        """By the new holder, or by the contract together with a word for power; a rule by name."""
        if change.power in RULE_VIEWS.values():
            # "minimum delay" is mostly called the delay, "votingPeriod" is also written so.
            named = _whole(r"[ _-]?".join(change.power.removeprefix("minimum ").split()))
            return any(_announces(named, s, change.contract) for s in _SENTENCE.split(self._text))
        if change.after in self._addresses:
            return True
        if change.after == ZERO and self._has(_RENOUNCE_WORDS):
            return True
        return self._has(_OWNER_WORDS) and self._mentions_contract(change.contract)

    def mentions_code(self, change: CodeChange) -> bool:
        """By the new implementation, or by the contract together with a word for an upgrade."""
        if change.kind is CodeChangeKind.IMPLEMENTATION and change.after in self._addresses:
            return True
        return self._has(_UPGRADE_WORDS) and self._mentions_contract(change.contract)

    def _mentions_contract(self, address: str) -> bool:
        if address in self._addresses:
            return True
        name = self._names.get(address, "").strip().lower()
        return len(name) > 2 and self._has(re.escape(name))

    def _has(self, pattern: str) -> bool:
        return _whole(pattern).search(self._text) is not None


def _whole(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![a-z0-9])(?:{pattern})(?![a-z0-9])")


def _announces(name: re.Pattern[str], sentence: str, contract: str) -> bool:
    """Whether a sentence names a role or rule, does not deny it, and tells of no other account."""
    found = name.search(sentence)
    if found is None or set(_ADDRESS.findall(sentence)) - {contract}:
        return False
    return _DENIAL.search(sentence[: found.start()]) is None


def _role(change: RoleChange) -> UnannouncedChange:
    verb = "gains" if change.granted else "loses"
    return UnannouncedChange(
        kind=ChangeKind.ROLE,
        contract=change.contract,
        subject=change.account,
        text=f"{change.account} {verb} {change.role} at {change.contract}",
    )


def _owner(change: OwnerChange) -> UnannouncedChange:
    before = f" from {change.before}" if change.before else ""
    return UnannouncedChange(
        kind=ChangeKind.OWNER,
        contract=change.contract,
        subject=change.after,
        text=f"the {change.power} of {change.contract} changes{before} to {change.after}",
    )


def _code(change: CodeChange) -> UnannouncedChange:
    if change.kind is CodeChangeKind.IMPLEMENTATION:
        what = f"{change.contract} runs the code of {change.after} from now on"
    else:
        what = f"the code of {change.contract} is {change.kind}"
    return UnannouncedChange(
        kind=ChangeKind.CODE,
        contract=change.contract,
        subject=change.after if change.kind is CodeChangeKind.IMPLEMENTATION else "",
        text=what,
    )
