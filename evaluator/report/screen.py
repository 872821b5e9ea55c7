"""The first screen: verdict, changes, who is hurt, the odds, what was not looked at."""

from __future__ import annotations

from evaluator.report.model import ExecutionSection, ParameterRow, ReportModel
from evaluator.report.odds import EstimateRow, MarketSection, OddsRow
from evaluator.report.outline import NOT_COMPUTED, FirstScreen, Remark, Strong, Table
from evaluator.verdict import figures

SEEDED = "real bytecode, seeded state"


def written(row: EstimateRow, *, signed: bool = False) -> str:
    """Write an estimate with its interval: 0.31% (0.28–0.35)."""
    if row.lower == row.value == row.upper and row.unit == "fraction":
        return figures.points(row.value) if signed else figures.share(row.value)
    if row.unit == "fraction":
        if signed:
            return (
                f"{figures.points(row.value)} "
                f"({figures.points(row.lower)} to {figures.points(row.upper)})"
            )
        ends = (figures.share(row.lower), figures.share(row.upper))
        return f"{figures.share(row.value)} ({ends[0].rstrip('%')}–{ends[1].rstrip('%')})"
    sign = "+" if signed and row.value > 0 else ""
    if row.lower == row.upper == row.value:
        return f"{sign}{figures.money(row.value)}"
    value, lower, upper = (figures.money(v) for v in (row.value, row.lower, row.upper))
    if value[-1] == lower[-1] == upper[-1] and value[-1].isalpha():
        lower, upper = lower[:-1], upper[:-1]
    return f"{sign}{value} ({lower}{' to ' if signed or row.lower < 0 else '–'}{upper})"


def _moved(difference: EstimateRow | None) -> bool:
    return difference is not None and (difference.lower > 0.0 or difference.upper < 0.0)


def _emphasised(text: str, difference: EstimateRow | None) -> str:
    return Strong(text) if _moved(difference) else text


def odds_table(market: MarketSection, rows: tuple[OddsRow, ...], *, name_market: bool) -> Table:
    """Put the odds of one market into a table; what moved beyond its interval stands out."""
    first = rows[0].today
    title = f"over {figures.duration(first.horizon)}, {first.samples:,} paths"
    if name_market:
        title = f"{market.name}, {title}"
    if any(r.after_responding for r in rows):
        return Table(
            columns=(title, "today", "after, same borrowers", "after, borrowers use the room"),
            rows=tuple(
                (
                    r.label,
                    written(r.today),
                    _emphasised(written(r.after_static), r.difference),
                    _emphasised(written(r.after_responding), r.difference_responding)
                    if r.after_responding
                    else figures.NONE,
                )
                for r in rows
            ),
        )
    return Table(
        columns=(title, "today", "after", "change"),
        rows=tuple(
            (
                r.label,
                written(r.today),
                written(r.after_static),
                _emphasised(written(r.difference, signed=True), r.difference),
            )
            for r in rows
        ),
    )


def change_row(row: ParameterRow, *, name_protocol: bool = False) -> tuple[str, ...]:
    """Write one parameter: name, today, after, change."""
    name = f"{row.asset} {row.label}" if row.asset else row.label
    if name_protocol:
        name = f"{name} ({row.protocol})"
    return (
        name,
        figures.setting(row.before, row.unit),
        figures.setting(row.after, row.unit),
        figures.change(row.before, row.after, row.unit),
    )


def _changes(report: ReportModel) -> Table | None:
    if report.parameters is None:
        return None
    several = len({p.protocol for p in report.parameters}) > 1
    return Table(
        columns=("as measured", "today", "after", "change"),
        rows=tuple(change_row(p, name_protocol=several) for p in report.parameters),
    )


def short_id(number: str) -> str:
    """Shorten a uint256 to its first and last digits; JSON and manifest have it whole."""
    return number if len(number) <= 20 else f"{number[:8]}…{number[-6:]}"


def _subject(report: ReportModel) -> str:
    p = report.proposal
    name = "This draft" if p.proposal_id is None else f"Proposal {short_id(p.proposal_id)}"
    targets = ", ".join(m.name for m in report.markets)
    where = f" on {targets}" if targets else ""
    return f"{name}{where}, {p.chain_name}, {_way(report.execution)} at block {p.block:,}."


def _way(execution: ExecutionSection | None) -> str:
    if execution is None:
        return "not executed here"
    way = {
        "governance lifecycle": "through its governor",
        "timelock directly": "from its timelock directly",
    }.get(execution.way, execution.way)
    return f"executed here {way}" if execution.succeeded else f"tried here {way}, and it reverted"


def hurt_sentence(market: MarketSection) -> str:
    """Say who becomes liquidatable at execution."""
    hurt = market.hurt
    if hurt is None:
        return f"who becomes liquidatable was {NOT_COMPUTED}"
    if hurt.users == 0:
        return f"nobody becomes liquidatable ({hurt.borrowers:,} borrowers checked)"
    who = "1 user becomes" if hurt.users == 1 else f"{hurt.users:,} users become"
    return (
        f"{who} liquidatable with {figures.money(hurt.debt_usd)} USD of debt, "
        f"{figures.share(hurt.share_of_debt)} of all debt"
    )


def adversary_sentence(report: ReportModel) -> str:
    """Say what the adversary search found."""
    a = report.adversary
    if a is None:
        return NOT_COMPUTED
    budget = "" if a.budget_usd is None else f", capital up to {figures.money(a.budget_usd)} USD"
    tried = f"{a.sequences:,} attack sequences on the fork{budget}"
    if a.gain_usd <= 0 and a.loss_usd <= 0:
        users = max(
            (x.user_harm_usd for x in a.attacks if x.confirmed and not x.open_today), default=0.0
        )
        if users > 0.0:
            return (
                f"{tried}: no loss to the protocol that today's state does not allow as well; "
                f"users it makes liquidatable lose up to {figures.money(users)} USD to whoever "
                "liquidates them"
            )
        return f"{tried}: nothing that today's state does not allow as well"
    confirmed = "confirmed with mined transactions" if a.confirmed else "not confirmed"
    return (
        f"{tried}: a gain of {figures.money(a.gain_usd)} USD at the cost of the protocol, which "
        f"loses {figures.money(a.loss_usd)} USD, by a way not open today, {confirmed}: {a.what}"
    )


def _safe_values(report: ReportModel) -> str:
    values = [m.safe_values for m in report.markets if m.safe_values is not None]
    if not values:
        return NOT_COMPUTED
    rows = [r for rows in values for r in rows]
    return (
        "; ".join(
            f"{r.label} {figures.setting(r.safe, r.unit)} "
            f"({figures.share(r.confidence)} confidence)"
            + (f", {figures.setting(r.proposed, r.unit)} is beyond it" if r.beyond else "")
            for r in rows
        )
        or "no changed parameter has one"
    )


def not_modelled_sentence(report: ReportModel) -> str:
    """Say what the model has no notion of, and why that may not matter."""
    items = [
        f"{n.name} ({n.what})"
        + (f", irrelevant to solvency: {n.irrelevant}" if n.irrelevant else "")
        for n in report.not_modelled
    ]
    return "; ".join(items) or "nothing the proposal does"


def _remarks(report: ReportModel) -> tuple[Remark, ...]:
    succeeded = report.execution is not None and report.execution.succeeded
    remarks = []
    if any(not m.unchanged for m in report.markets):
        remarks.append(Remark(about="Adversary", text=adversary_sentence(report)))
        remarks.append(Remark(about="A value that keeps today's odds", text=_safe_values(report)))
    mentions = [f for f in report.findings if f.severity != "low"]
    if mentions:
        titles = [f.title for f in mentions[:3]]
        more = f"; and {len(mentions) - 3} more below" if len(mentions) > 3 else ""
        remarks.append(Remark(about="Findings", text="; ".join(titles) + more))
    if succeeded or report.not_modelled:
        remarks.append(Remark(about="Not modelled", text=not_modelled_sentence(report)))
    conformance = _conformance(report)
    if conformance:
        remarks.append(Remark(about="Model against real contracts", text="; ".join(conformance)))
    if report.policy.not_judged:
        remarks.append(Remark(about="Not computed", text="; ".join(report.policy.not_judged)))
    return tuple(remarks)


def _at_execution(report: ReportModel) -> str:
    several = len(report.markets) > 1
    return "; ".join((f"{m.name}: " if several else "") + hurt_sentence(m) for m in report.markets)


def _judged(report: ReportModel) -> str:
    verdict, reason = report.headline.verdict, report.headline.reason
    rows = [j for j in report.policy.judgements if j.kind == verdict]
    chosen = next((j for j in rows if j.sentence and reason.startswith(j.sentence)), None)
    if chosen is None or (chosen.number in chosen.sentence and chosen.bound in chosen.sentence):
        return ""
    return f"measured {chosen.number}, bound {chosen.bound}"


def _conformance(report: ReportModel) -> tuple[str, ...]:
    return tuple(
        f"{m.name}: largest difference {figures.share(m.conformance.largest_error)} on "
        + (
            "the protocol's own views"
            if m.conformance.paths is None
            else f"{m.conformance.paths:,} paths replayed with real transactions"
        )
        for m in report.markets
        if m.conformance is not None
    )


def first_screen(report: ReportModel) -> FirstScreen:
    """Build the first screen of a report."""
    several = len(report.markets) > 1
    tables = []
    for market in report.markets:
        rows = tuple(r for r in market.odds or () if r.headline)
        if rows:
            tables.append(odds_table(market, rows, name_market=several))
    return FirstScreen(
        verdict=report.headline.verdict,
        sentence=report.headline.sentence,
        reason=report.headline.reason,
        judged=_judged(report),
        subject=_subject(report),
        changes=_changes(report),
        at_execution=_at_execution(report),
        odds=tuple(tables),
        remarks=_remarks(report),
        label=SEEDED
        if report.reproduce.manifest.embedded and SEEDED not in report.proposal.chain_name
        else "",
        check=report.reproduce.command,
        digest=report.reproduce.digest,
    )
