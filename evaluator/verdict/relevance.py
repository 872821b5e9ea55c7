"""Which calls the model need not know."""

from __future__ import annotations

from evaluator.verdict.evidence import NotModelled
from evaluator.verdict.policy import Policy


def not_modelled(
    policy: Policy, *, signature: str, what: str, markets_unchanged: bool
) -> NotModelled:
    """Describe a call the model has no notion of.

    It is irrelevant to solvency only if the policy names its signature and
    every market reads the same after execution: a payment out of a market's
    own reserves is a payment by name and still moves what would pay bad debt.
    """
    reason = policy.not_modelled.irrelevant.get(signature, "") if markets_unchanged else ""
    return NotModelled(name=signature, what=what, irrelevant=reason)
