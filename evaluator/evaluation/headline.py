"""The sentence that a report begins with."""

from __future__ import annotations

from collections.abc import Sequence

from evaluator.governance.proposal import Proposal
from evaluator.governance.trace import ExecutionTrace
from evaluator.market import ParameterChange
from evaluator.report.odds import MarketSection
from evaluator.verdict import figures
from evaluator.verdict.verdict import Verdict, VerdictKind

_LONGEST_TITLE = 200


def title_of(proposal: Proposal) -> str:
    """Return the first line of the description, without its heading marks."""
    for line in proposal.description.splitlines():
        text = line.strip().lstrip("#").strip()
        if text:
            return text[:_LONGEST_TITLE]
    return "untitled"


def sentence_of(
    trace: ExecutionTrace,
    changes: Sequence[ParameterChange],
    markets: Sequence[MarketSection],
) -> str:
    """Say what the proposal does and what that costs."""
    if not trace.succeeded:
        return f"the proposal reverts when executed: {trace.revert_reason or 'no reason given'}"
    return f"{_what(changes, trace)}: {_cost(markets)}" if markets else _what(changes, trace)


def reason_of(verdict: Verdict) -> str:
    """Return the one reason for the verdict."""
    foremost = verdict.foremost
    if foremost is None:
        return "nothing could be judged"
    if verdict.kind is VerdictKind.PASS:
        return foremost.sentence
    more = len(verdict.deciding) - 1
    rest = f" (and {more} more reason{'s' if more > 1 else ''})" if more else ""
    return foremost.sentence + rest


def _what(changes: Sequence[ParameterChange], trace: ExecutionTrace) -> str:
    if not changes:
        if trace.changed_nothing:
            return "the proposal changes nothing"
        return "no risk parameter changes"
    ranked = sorted(changes, key=lambda c: (_rank(c), c.path))
    first = ranked[0]
    name = f"{first.asset} {first.label}" if first.asset else first.label
    before = figures.setting(first.before, first.unit)
    after = figures.setting(first.after, first.unit)
    more = len(changes) - 1
    rest = f" and {more} more change{'s' if more > 1 else ''}" if more else ""
    return f"{name} {before} → {after}{rest}"


def _rank(change: ParameterChange) -> int:
    order = ("oracle", "liquidation_threshold", "collateral_factor", "paused", "listed", "ltv")
    for i, name in enumerate(order):
        if name in change.name:
            return i
    return len(order)


def _cost(markets: Sequence[MarketSection]) -> str:
    parts = []
    users = sum(m.hurt.users for m in markets if m.hurt is not None)
    debt = sum(m.hurt.debt_usd for m in markets if m.hurt is not None)
    if users:
        who = "1 user becomes" if users == 1 else f"{users:,} users become"
        parts.append(f"{who} liquidatable with {figures.money(debt)} USD of debt")
    else:
        parts.append("nobody becomes liquidatable")
    for market in markets:
        for row in market.odds or ():
            if row.name == "bad_debt_probability":
                today, after = row.today.value, row.after_static.value
                if row.after_responding is not None:
                    after = max(after, row.after_responding.value)
                where = f" on {market.name}" if len(markets) > 1 else ""
                same = figures.share(today) == figures.share(after)
                parts.append(
                    f"the chance of bad debt{where} stays at {figures.share(today)}"
                    if same
                    else f"the chance of bad debt{where} goes from {figures.share(today)} to "
                    f"{figures.share(after)}"
                )
    return ", ".join(parts)
