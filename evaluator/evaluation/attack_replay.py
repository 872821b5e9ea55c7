"""Make the attacks of a report again: a fresh sandbox, the execution, mined transactions."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from evaluator.arena.adversary import Confirmation, Scene, repeat
from evaluator.arena.adversary import Sequence as Moves
from evaluator.arena.adversary.confirmation import MinedTransaction
from evaluator.arena.adversary.outcome import Outcome
from evaluator.arena.squeeze_position import Squeeze
from evaluator.arena.squeeze_replay import LEAST_SHARE, replay_squeeze
from evaluator.errors import ConfigurationError, IncompleteState
from evaluator.evaluation.adversary import scene_of_reading
from evaluator.evaluation.evaluation import find_proposal
from evaluator.evaluation.market_sections import market_name
from evaluator.evaluation.measurement import measure
from evaluator.evaluation.request import EvaluationRequest, Progress
from evaluator.evaluation.state import open_state
from evaluator.report.model import AttackRow, ReportModel
from evaluator.stress.battery import Battery


@dataclass(frozen=True, kw_only=True, eq=False)
class RepeatedAttack:
    """One attack of a report, made again."""

    row: AttackRow  # as the report has it
    confirmation: Confirmation  # what mined transactions came to now
    borrowed: bool  # with flash loans, as the report says it can be
    squeezed: bool = False  # a position and a path of prices, which the model's loss is told of

    @property
    def holds(self) -> bool:
        """Whether it costs others about what the report says, within a tenth.

        Of a squeeze: whether the contracts lose as much of it as makes it confirmed.
        """
        outcome = self.confirmation.outcome
        wanted = self.row.protocol_loss_usd + self.row.user_harm_usd
        if self.squeezed:
            return outcome.made and self.row.confirmed == (
                outcome.protocol >= LEAST_SHARE * self.row.protocol_loss_usd
            )
        if self.borrowed and self.row.loan_profit_usd is not None:
            # A loan is smaller than one's own capital may be; its profit was told.
            return outcome.made and outcome.profit >= 0.9 * self.row.loan_profit_usd
        return outcome.made and abs(outcome.harm - wanted) <= 0.1 * wanted


def attacks_of(report: ReportModel, finding: str | None) -> tuple[AttackRow, ...]:
    """Return the attacks of a report, or the one that a finding names by its first digits.

    Raises ConfigurationError if there is none.
    """
    if report.adversary is None:
        raise ConfigurationError(
            "the report holds no search for attacks: evaluate again without --attack-sequences 0"
        )
    rows = report.adversary.attacks
    if finding is not None:
        rows = tuple(r for r in rows if r.identifier.startswith(finding.lower()))
        if not rows:
            known = ", ".join(r.identifier for r in report.adversary.attacks) or "none"
            raise ConfigurationError(f"the report has no attack {finding[:40]!r}; it has: {known}")
    if not rows:
        raise ConfigurationError(
            f"{report.adversary.sequences:,} sequences found no attack: there is none to replay"
        )
    return rows


def replay_attacks(
    rows: Sequence[AttackRow], request: EvaluationRequest, progress: Progress
) -> tuple[RepeatedAttack, ...]:
    """Execute the request's proposal on a fresh sandbox and mine each attack on top of it.

    Every attack finds the state right after execution. Raises the ConfigurationError,
    ProposalError, ProtocolError and ChainError trees.
    """
    with ExitStack() as stack:
        state = stack.enter_context(open_state(request, progress))
        governor, proposal = find_proposal(state, request, progress)
        measurement = measure(state, governor, proposal, progress)
        befores = [r.before for r in measurement.readings]
        scenes: dict[str, Scene] = {
            market_name(r.before, befores): scene_of_reading(state, measurement, r)
            for r in measurement.readings
            if r.after is not None
        }
        out = []
        for row in rows:
            scene = scenes.get(row.market)
            if scene is None:
                raise IncompleteState(
                    f"the market {row.market} of the report is not among those that the proposal "
                    f"reaches here: {', '.join(scenes) or 'none'}"
                )
            progress.stage("attack", row.pattern)
            squeeze = Squeeze.from_json(row.sequence)
            if squeeze is not None:
                out.append(_squeezed(row, scene, squeeze, request))
                continue
            confirmation, borrowed = repeat(
                scene, Moves.from_json(row.sequence), with_loan=bool(row.paid_by)
            )
            out.append(RepeatedAttack(row=row, confirmation=confirmation, borrowed=borrowed))
        return tuple(out)


def _squeezed(
    row: AttackRow, scene: Scene, squeeze: Squeeze, request: EvaluationRequest
) -> RepeatedAttack:
    """Open a squeeze's position and replay its path with real liquidations."""
    battery = Battery(paths=request.paths, process=request.process, scenario=request.scenario)
    replay = replay_squeeze(scene.sandbox, scene.after, squeeze, battery=battery)
    return RepeatedAttack(
        row=row,
        confirmation=Confirmation(
            outcome=Outcome(
                made=True,
                profit=squeeze.profit,
                protocol=replay.loss_contract,
                capital=squeeze.capital_usd,
            ),
            transactions=tuple(
                MinedTransaction(
                    what="open the position", sender=t.sender, to=t.to or "", data=b"",
                    tx_hash=t.tx_hash, gas_used=t.gas_used, reason="",
                )
                for t in replay.transactions
            ),
        ),
        borrowed=False,
        squeezed=True,
    )  # fmt: skip
