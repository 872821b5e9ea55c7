"""The verdict and its reasons."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class VerdictKind(StrEnum):
    """What a verdict says; the order of `severity` decides which reason wins."""

    PASS = "PASS"  # noqa: S105 - a verdict, no password
    CAUTION = "CAUTION"
    INCONCLUSIVE = "INCONCLUSIVE"
    FAIL = "FAIL"

    @property
    def severity(self) -> int:
        """0 for PASS up to 3 for FAIL."""
        return list(VerdictKind).index(self)

    @property
    def exit_code(self) -> int:
        """0 PASS, 1 FAIL, 2 CAUTION and INCONCLUSIVE."""
        return {VerdictKind.PASS: 0, VerdictKind.FAIL: 1}.get(self, 2)


@dataclass(frozen=True, kw_only=True, slots=True)
class Reason:
    """One rule of the policy applied to one number."""

    kind: VerdictKind  # what this rule alone would say
    rule: str  # key in the policy file, "fail.bad_debt_chance_increase"
    sentence: str  # for people, with number and bound; may hold hostile text
    number: str  # what was measured, as written for people
    bound: str  # what it was held against, as written for people
    source: str  # where the number comes from: "battery, Aave V3, same borrowers"


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What the policy makes of the evidence."""

    kind: VerdictKind  # the most severe of the reasons
    reasons: tuple[Reason, ...]  # every rule that was applied, most severe first
    not_judged: tuple[str, ...]  # checks that were not made, for people
    more_paths_help: bool  # intervals are too wide; more paths may settle it
    policy: str  # name of the policy
    policy_digest: str  # sha256 of its content

    @property
    def deciding(self) -> tuple[Reason, ...]:
        """The reasons that are as severe as the verdict."""
        return tuple(r for r in self.reasons if r.kind is self.kind)

    @property
    def foremost(self) -> Reason | None:
        """The one reason to be told: of a PASS the odds, or that nothing changed.

        That execution succeeds comes first in order and says least.
        """
        if self.kind is VerdictKind.PASS:
            for rule in ("bad_debt_chance_increase", "market unchanged"):
                for reason in reversed(self.deciding):
                    if rule in reason.rule:
                        return reason
        return next(iter(self.deciding), None)
