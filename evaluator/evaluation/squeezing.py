"""Squeezes of thin assets: searched, confirmed, and held beside the other attacks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from evaluator.arena.squeeze import squeezes
from evaluator.arena.squeeze_position import Squeeze
from evaluator.arena.squeeze_replay import SqueezeReplay, replay_squeeze
from evaluator.chain.sandbox import Sandbox
from evaluator.errors import ChainError, ProtocolError
from evaluator.evaluation.measurement import Measurement
from evaluator.market import Market
from evaluator.report.model import AdversarySection, AttackRow, AttackTransactionRow
from evaluator.stress.battery import Battery
from evaluator.verdict.evidence import AdversaryEvidence
from evaluator.verdict.finding import Finding, FindingKind, Severity

_REPLAYED = 2  # squeezes of one market that are repeated on the contracts


@dataclass(frozen=True, kw_only=True, slots=True)
class TriedSqueeze:
    """One squeeze with what the contracts made of it."""

    market: str  # name, see MarketEvidence.name
    squeeze: Squeeze  # see Squeeze
    replay: SqueezeReplay | None  # None: it could not be repeated

    @property
    def confirmed(self) -> bool:
        """Whether the contracts lose about what the model says."""
        return self.replay is not None and self.replay.confirmed


@dataclass(frozen=True, kw_only=True, slots=True)
class Squeezed:
    """What squeezing every market came to."""

    tried: int  # positions on paths
    squeezes: tuple[TriedSqueeze, ...]  # that cost what is not open today

    @property
    def worst(self) -> TriedSqueeze | None:
        """The confirmed squeeze over measured depth that costs most."""
        sure = [s for s in self.squeezes if s.confirmed and not s.squeeze.assumed_depth]
        return max(sure, key=lambda s: s.squeeze.loss_usd, default=None)

    def findings(self) -> tuple[Finding, ...]:
        """Every squeeze as a finding."""
        return tuple(_finding(s) for s in self.squeezes)

    def told(self, section: AdversarySection | None) -> AdversarySection | None:
        """Return a report's section with every squeeze, the worst in place of a lesser attack."""
        worst = self.worst
        if section is None:
            return None
        rows = (*section.attacks, *(_row(s) for s in self.squeezes))
        counted = section.model_copy(
            update={
                "sequences": section.sequences + self.tried,
                # Stable: attacks that cost as much stay in their order.
                "attacks": tuple(sorted(rows, key=lambda r: -_beyond_today(r))),
            }
        )
        if worst is None or max(section.gain_usd, section.loss_usd) >= worst.squeeze.loss_usd:
            return counted
        return counted.model_copy(
            update={
                "gain_usd": worst.squeeze.gain_usd,
                "loss_usd": worst.squeeze.loss_usd,
                "what": worst.squeeze.words,
                "confirmed": True,
            }
        )

    def beside(self, search: AdversaryEvidence | None) -> AdversaryEvidence | None:
        """Return the larger of another search's best and the worst squeeze, counted together.

        Without another search and without a squeeze that costs something there is none:
        squeezes alone are no search for attacks.
        """
        worst = self.worst
        if worst is None:
            return (
                None if search is None else replace(search, sequences=search.sequences + self.tried)
            )
        mine = AdversaryEvidence(
            sequences=self.tried + (0 if search is None else search.sequences),
            gain_usd=worst.squeeze.gain_usd,
            loss_usd=worst.squeeze.loss_usd,
            market=worst.market,
            what=worst.squeeze.words,
        )
        if search is None or max(search.gain_usd, search.loss_usd) < mine.loss_usd:
            return mine
        return replace(search, sequences=mine.sequences)


NOT_SQUEEZED = Squeezed(tried=0, squeezes=())


def try_squeezes(
    sandbox: Sandbox,
    measurement: Measurement,
    names: Sequence[str],
    battery: Battery,
    *,
    capital: float,
) -> Squeezed:
    """Squeeze every market that a proposal opened further; the sandbox stays as it is.

    `names` are the markets' names in the order of the readings.
    """
    tried, out = 0, []
    for reading, name in zip(measurement.readings, names, strict=True):
        if reading.after is None or not measurement.trace.succeeded:
            continue
        searched = squeezes(reading.before, reading.after, capital=capital, battery=battery)
        tried += searched.tried
        costly = [s for s in searched.found if s.loss_usd > 0.0]
        for squeeze in costly[:_REPLAYED]:
            replay = _repeated(sandbox, reading.after, squeeze, battery)
            out.append(TriedSqueeze(market=name, squeeze=squeeze, replay=replay))
    return Squeezed(tried=tried, squeezes=tuple(out))


def _repeated(
    sandbox: Sandbox, after: Market, squeeze: Squeeze, battery: Battery
) -> SqueezeReplay | None:
    try:
        return replay_squeeze(sandbox, after, squeeze, battery=battery)
    except (ProtocolError, ChainError):
        return None


def _beyond_today(row: AttackRow) -> float:
    """What an attack costs more than the state before allows, USD."""
    lost = row.protocol_loss_usd + row.user_harm_usd
    return 0.0 if row.open_today else max(lost - row.before_loss_usd, 0.0)


def _row(tried: TriedSqueeze) -> AttackRow:
    s, replay = tried.squeeze, tried.replay
    return AttackRow(
        identifier=_finding(tried).identifier,
        market=tried.market,
        pattern="squeeze a thin asset"
        + (", over depth that is assumed" if s.assumed_depth else ""),
        moves=s.moves,
        sequence=s.to_json(),
        protocol_loss_usd=s.loss_after,
        user_harm_usd=0.0,
        frozen=(),
        capital_usd=s.capital_usd,
        profit_usd=s.profit,
        atomic=False,
        paid_by="",
        loan_profit_usd=None,
        before_loss_usd=s.loss_before,
        open_today=s.open_today,
        with_execution=False,
        confirmed=tried.confirmed and not s.assumed_depth,
        transactions=tuple(
            AttackTransactionRow(
                what="open the position", sender=t.sender, to=t.to or "", gas_used=t.gas_used
            )
            for t in (() if replay is None else replay.transactions)
        ),
    )


def _finding(tried: TriedSqueeze) -> Finding:
    s, replay = tried.squeeze, tried.replay
    share = 0.0 if replay is None else replay.loss_contract / max(replay.loss_model, 1.0)
    said = (
        "not repeated on the contracts"
        if replay is None
        # A share, because the dollars hang on the second in which the position is opened.
        else f"of which the contracts lose {share:.0%} in "
        f"{replay.liquidations} liquidations sent as transactions"
    )
    sure = tried.confirmed and not s.assumed_depth
    return Finding(
        kind=FindingKind.ADVERSARY if sure else FindingKind.NOTE,
        severity=Severity.HIGH if sure else Severity.MEDIUM,
        title=f"a move of the price of {s.thin} leaves {s.loss_after:,.0f} USD of bad debt",
        detail=f"{tried.market}: {s.words}. Bad debt of {s.loss_after:,.0f} USD by the model, "
        f"{said}; with the most that was possible before the proposal {s.loss_before:,.0f} USD. "
        f"Capital {s.capital_usd:,.0f} USD, profit {s.profit:,.0f} USD at the moved price; pools "
        "refill by half in an hour"
        + ("; the depth is assumed, as no pool was found" if s.assumed_depth else ""),
        source="squeeze of a thin asset",
        gain_usd=s.gain_usd,
        loss_usd=s.loss_usd,
        open_today=s.open_today,
    )
