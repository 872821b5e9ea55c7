"""What autocompletion suggests: proposals, evaluations, governors, parameters, scenarios."""

from __future__ import annotations

import re
from dataclasses import dataclass

from bot.database import rows
from bot.deck import Hold
from bot.discord_bot.words import CHOICE_LIMIT, plain, short_number
from bot.evaluations import Proposal
from bot.posts import moment
from bot.settings import Settings
from evaluator import scenario_names

CHOICES = 25  # of an autocomplete answer
LOOKED_AT = 300  # proposals and evaluations searched for choices
PARAMETER = re.compile(r"[\w.:-]{1,90}")
# Parameters that people change most, suggested first.
_FIRST = ("liquidation_threshold", "ltv", "collateral_factor", "liquidation_bonus", "supply_cap",
          "borrow_cap", "reserve_factor")  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """One suggestion of an autocomplete answer."""

    name: str  # shown
    value: str  # sent back


def governor_name(settings: Settings, proposal: Proposal) -> str:
    """Return the name of a proposal's governor."""
    for governor in settings.governors_of(proposal.chain):
        if governor.address == proposal.governor:
            return governor.name
    return proposal.governor


def proposal_name(settings: Settings, proposal: Proposal, longest: int) -> str:
    """Return a proposal's name for people, not escaped."""
    title = proposal.title or "untitled"
    number = short_number(proposal.number)
    return plain(f"{governor_name(settings, proposal)} {number}: {title}", longest)


class Suggestions:
    """Searches what can be chosen. Every method is quick but `scenarios` at its first call."""

    def __init__(self, hold: Hold) -> None:
        self._hold = hold

    def proposals(self, typed: str) -> list[Choice]:
        """Return the followed proposals that match, newest first."""
        wanted = typed.casefold().split()
        found = []
        for proposal in self._hold.store.proposals(limit=LOOKED_AT):
            name = proposal_name(self._hold.settings, proposal, CHOICE_LIMIT)
            text = f"{name} {proposal.number}".casefold()
            if all(word in text for word in wanted):
                found.append(Choice(name=name, value=str(proposal.id)))
        return found[:CHOICES]

    def evaluations(self, typed: str) -> list[Choice]:
        """Return the evaluations that match, newest first."""
        wanted = typed.casefold().split()
        found = []
        for one in rows(
            self._hold.database,
            "SELECT e.id, e.verdict, e.block, e.created_at, p.title, p.number "
            "FROM evaluations AS e LEFT JOIN proposals AS p ON p.id = e.proposal_id "
            "ORDER BY e.id DESC LIMIT ?",
            [LOOKED_AT],
        ):
            subject = "draft" if one["number"] is None else short_number(one["number"])
            name = plain(
                f"{one['id']}: {one['verdict']} {subject}, {moment(one['created_at'])}, "
                f"{one['title'] or ''}",
                CHOICE_LIMIT,
            )
            if all(word in name.casefold() for word in wanted):
                found.append(Choice(name=name, value=str(one["id"])))
        return found[:CHOICES]

    def governors(self, typed: str) -> list[Choice]:
        """Return the followed governors that match."""
        wanted = typed.casefold()
        return [
            Choice(
                name=plain(f"{governor.name} on {governor.chain}", CHOICE_LIMIT),
                value=f"{governor.chain}:{governor.address}",
            )
            for governor in self._hold.settings.governors
            if wanted in f"{governor.name} {governor.chain} {governor.address}".casefold()
        ][:CHOICES]

    def parameters(self, typed: str, governor: str | None = None) -> list[Choice]:
        """Return the parameters around a governor that match, with their present values.

        From the newest survey of its markets; until there is one, those that
        reports have named. `governor` is "chain:address", None for any.
        """
        found = self._surveyed(governor) or self._reported()
        wanted = typed.casefold().split()
        return [
            choice
            for choice in found
            if all(word in f"{choice.name} {choice.value}".casefold() for word in wanted)
        ][:CHOICES]

    def _surveyed(self, governor: str | None) -> list[Choice]:
        found: dict[str, Choice] = {}
        ranks: dict[str, int] = {}
        for known in self._hold.settings.governors:
            if governor and f"{known.chain}:{known.address}" != governor:
                continue
            survey = self._hold.surveys.of(known.chain, known.address)
            for one in survey.parameters if survey is not None else ():
                if not PARAMETER.fullmatch(one.path):
                    continue
                name = plain(f"{one.path} (now {one.shown})", CHOICE_LIMIT)
                found.setdefault(one.path, Choice(name=name, value=one.path))
                last = one.path.rpartition(".")[2]
                ranks[one.path] = _FIRST.index(last) if last in _FIRST else len(_FIRST)
        return [found[path] for path in sorted(found, key=lambda path: (ranks[path], path))]

    def _reported(self) -> list[Choice]:
        found: dict[str, Choice] = {}
        for one in rows(
            self._hold.database,
            "SELECT json_extract(p.value, '$.path') AS path, "
            "json_extract(p.value, '$.after') AS value "
            "FROM evaluations AS e, json_each(e.report, '$.parameters') AS p "
            "WHERE json_valid(e.report) AND e.id > (SELECT max(id) FROM evaluations) - ? "
            "ORDER BY e.id DESC",
            [LOOKED_AT],
        ):
            path = one["path"]
            if isinstance(path, str) and PARAMETER.fullmatch(path) and path not in found:
                name = plain(f"{path} (last seen: {one['value']})", CHOICE_LIMIT)
                found[path] = Choice(name=name, value=path)
        return list(found.values())

    def scenarios(self, typed: str = "") -> list[Choice]:
        """Return the scenarios that match."""
        wanted = typed.casefold()
        return [
            Choice(name=name.replace("_", " "), value=name)
            for name in scenario_names()
            if wanted in name or wanted in name.replace("_", " ")
        ][:CHOICES]
