"""The section on attacks: what was found, what it costs whom, and how it goes."""

from __future__ import annotations

from evaluator.report.model import AttackRow, ReportModel
from evaluator.report.outline import Block, Listing, Mono, Section, Strong, Table, Words
from evaluator.report.screen import adversary_sentence
from evaluator.verdict import figures

_SHOWN = 4  # attacks whose moves are written out


def attack_section(report: ReportModel) -> list[Section]:
    """Return the section on the adversary search; none if no search was made."""
    search = report.adversary
    if search is None:
        return []
    blocks: list[Block] = [Words(text=f"{adversary_sentence(report)}.")]
    if search.attacks:
        blocks.append(
            Table(
                columns=(
                    "attack",
                    "protocol loses",
                    "users lose",
                    "profit",
                    "least capital",
                    "costs today",
                    "how",
                ),
                rows=tuple(_row(a) for a in search.attacks),
            )
        )
    for attack in search.attacks[:_SHOWN]:
        blocks += [
            Words(text=f"{attack.identifier}, {attack.market}: {_told(attack)}"),
            Listing(text="\n".join(f"{n}. {m}" for n, m in enumerate(attack.moves, start=1))),
        ]
    if any(a.confirmed for a in search.attacks):
        blocks.append(Listing(text="seatrial attack replay report.json"))
    blocks += [Words(text=f"Not tried: {n}.") for n in search.notes]
    new = sum(a.confirmed and not a.open_today for a in search.attacks)
    return [
        Section(
            slug="adversary",
            title="Attacks",
            summary=f"{new} found" if new else "none found that today does not allow as well",
            blocks=tuple(blocks),
        )
    ]


def _row(a: AttackRow) -> tuple[str, ...]:
    loss = figures.money(a.protocol_loss_usd)
    return (
        Mono(a.identifier),
        loss if a.open_today or not a.confirmed else Strong(loss),
        figures.money(a.user_harm_usd),
        figures.money(a.profit_usd),
        figures.money(a.capital_usd),
        figures.money(a.before_loss_usd),
        f"{'one transaction' if a.atomic else 'several blocks'}"
        + (", on borrowed money" if a.paid_by else "")
        + ("" if a.confirmed else ", not confirmed"),
    )


def _told(a: AttackRow) -> str:
    words = [a.pattern]
    if a.paid_by:
        profit = "" if a.loan_profit_usd is None else f" for {figures.money(a.loan_profit_usd)} USD"
        words.append(f"paid by {a.paid_by}{profit} after its fee")
    elif a.atomic:
        words.append("no flash loan was found to pay for it: it needs capital")
    if a.with_execution:
        words.append("possible in the block that executes the proposal")
    if a.frozen:
        words.append(f"afterwards no price of {', '.join(a.frozen)}")
    if a.open_today:
        words.append("possible today as well, so no work of this proposal")
    words.append("made with mined transactions" if a.confirmed else "in a simulation only")
    return "; ".join(words)
