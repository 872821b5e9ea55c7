"""Every market that changes, attacked; what was found for verdict and report."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from evaluator.arena.adversary import Assault, Attack, Scene, assail
from evaluator.arena.adversary.past import Past
from evaluator.chain.simulation import SimulatedCall
from evaluator.errors import Cancelled, ChainError, ProtocolError
from evaluator.evaluation.market_trial import MarketTrial
from evaluator.evaluation.measurement import Measurement, Reading, venues_of
from evaluator.evaluation.request import EvaluationRequest, Progress
from evaluator.evaluation.state import State
from evaluator.evaluation.stressing import Flag
from evaluator.governance.adapter import open_governor
from evaluator.governance.terms import read_terms
from evaluator.governance.trace import ExecutionTrace
from evaluator.market import Family
from evaluator.report.manifest import ResultDigest
from evaluator.report.model import AdversarySection, AttackRow, AttackTransactionRow
from evaluator.verdict.evidence import AdversaryEvidence
from evaluator.verdict.finding import Finding, FindingKind, Severity
from evaluator.verdict.policy import Policy

_LEAST = 1_000.0  # USD; less is not told


@dataclass(frozen=True, kw_only=True, eq=False)
class MarketAssault:
    """One market after the search."""

    market: str  # name, see MarketEvidence.name
    label: str  # as manifests name it
    assault: Assault  # what was found


@dataclass(frozen=True, kw_only=True, eq=False)
class Adversary:
    """What attacking every changed market came to."""

    assaults: tuple[MarketAssault, ...]  # one for each market that was attacked
    failed: tuple[str, ...]  # markets that could not be, with reasons

    @property
    def sequences(self) -> int:
        """Sequences tried altogether."""
        return sum(a.assault.sequences for a in self.assaults)

    @property
    def worst(self) -> tuple[str, Attack] | None:
        """Market and confirmed attack that costs a protocol most."""
        found = [(a.market, a.assault.worst) for a in self.assaults]
        sure = [(m, w) for m, w in found if w is not None]
        return max(sure, key=lambda x: x[1].loss_usd, default=None)


def attack_markets(
    state: State,
    measurement: Measurement,
    trials: Sequence[MarketTrial],
    request: EvaluationRequest,
    policy: Policy,
    progress: Progress,
    cancelled: Flag | None = None,
) -> Adversary | None:
    """Attack every market that changes; None where the search is left out.

    The sandbox stands after the execution and is left so. A market that cannot be
    attacked, or not to the end because `cancelled` was set, is told in `failed`.
    """
    budget = budget_of(request, policy)
    if budget == 0 or not measurement.trace.succeeded:
        return None
    assaults, failed = [], []
    for trial in _attackable(state, measurement, trials):
        progress.stage("attack", f"sequences of moves on {trial.section.name}")
        try:
            assault = assail(
                replace(
                    scene_of_reading(state, measurement, trial.reading),
                    unchanged=trial.evidence.unchanged,
                ),
                seed=request.seed,
                budget=budget,
                capital=policy.adversary.capital_usd,
                progress=progress.advance,
                cancelled=cancelled,
            )
        except Cancelled as error:
            failed.append(f"{trial.section.name}: {error}")
            break
        except (ProtocolError, ChainError) as error:
            failed.append(f"{trial.section.name}: {error}")
            continue
        before = trial.reading.before
        assaults.append(
            MarketAssault(
                market=trial.section.name,
                label=f"{before.protocol} {trial.reading.root}",
                assault=assault,
            )
        )
    return Adversary(assaults=tuple(assaults), failed=tuple(failed))


def _attackable(
    state: State, measurement: Measurement, trials: Sequence[MarketTrial]
) -> list[MarketTrial]:
    """Markets that changed; where the way to govern them did, the largest one at least."""
    readable = [t for t in trials if t.reading.after is not None]
    changed = [t for t in readable if not t.evidence.unchanged]
    if changed or not readable or not _governed_otherwise(state, measurement):
        return changed
    return [max(readable, key=lambda t: t.evidence.supplied_usd)]


def _governed_otherwise(state: State, measurement: Measurement) -> bool:
    """Whether the proposal changed the terms on which its governor lets others through."""
    sandbox = state.sandbox
    _, first = _execution(state, measurement.trace)
    try:
        governor = open_governor(sandbox, measurement.proposal.governor)
        return read_terms(sandbox, governor) != read_terms(Past(sandbox, first - 1), governor)
    except ChainError:
        return False


def budget_of(request: EvaluationRequest, policy: Policy) -> int:
    """Sequences to be tried on each market."""
    asked = request.attack_sequences
    return policy.adversary.sequences if asked is None else asked


def scene_of_reading(state: State, measurement: Measurement, reading: Reading) -> Scene:
    """A market on both sides of the execution, with its surroundings."""
    sandbox = state.sandbox
    if reading.after is None:
        raise ValueError("a market that was not read after execution cannot be attacked")
    lenders = [r.root for r in measurement.readings if r.before.family is Family.AAVE_V3]
    if state.deployment is not None:
        lenders.append(state.deployment.aave.pool)
    executing, first = _execution(state, measurement.trace)
    return Scene(
        sandbox=sandbox,
        after=reading.after,
        before=reading.before,
        before_block=first - 1,
        execution=executing,
        venues=venues_of(sandbox.chain_id, state.deployment),
        lenders=tuple(dict.fromkeys(a.lower() for a in lenders)),
        governor=open_governor(sandbox, measurement.proposal.governor),
    )


def _execution(state: State, trace: ExecutionTrace) -> tuple[tuple[SimulatedCall, ...], int]:
    """The transactions that executed the proposal, and the block of the first."""
    calls, first = [], trace.block
    for step in trace.steps:
        if step.name != "execute" or step.tx_hash is None or not step.succeeded:
            continue
        sent = state.sandbox.rpc.request("eth_getTransactionByHash", [step.tx_hash])
        if not isinstance(sent, dict) or not sent.get("to"):
            continue
        first = min(first, step.block)
        calls.append(
            SimulatedCall(
                sender=str(sent["from"]),
                to=str(sent["to"]),
                data=bytes.fromhex(str(sent["input"])[2:]),
                value=int(sent["value"], 16),
            )
        )
    return tuple(calls), first


def adversary_evidence(adversary: Adversary | None) -> AdversaryEvidence | None:
    """Return what the verdict rests on; None if a market was left out."""
    if adversary is None or adversary.failed:
        return None
    worst = adversary.worst
    if worst is None:
        return AdversaryEvidence(
            sequences=adversary.sequences, gain_usd=0.0, loss_usd=0.0, market="", what=""
        )
    market, attack = worst
    return AdversaryEvidence(
        sequences=adversary.sequences,
        gain_usd=attack.gain_usd,
        loss_usd=attack.loss_usd,
        market=market,
        what=way(attack),
    )


def way(attack: Attack) -> str:
    """Say how an attack goes in one sentence."""
    moves = ", then ".join(attack.words)
    if len(moves) > 600:
        moves = moves[:597] + "…"
    return f"{attack.sequence.pattern.removeprefix('bred from: ')}: {moves}"


def paid_by(attack: Attack) -> str:
    """Name the flash loans that pay for an attack, "" if there are none."""
    if attack.loan is None:
        return ""
    return " and ".join(f"{x.name} from {x.address}" for x in attack.loan.lenders)


def adversary_findings(adversary: Adversary | None) -> tuple[Finding, ...]:
    """Return a finding for every confirmed attack."""
    if adversary is None:
        return ()
    return tuple(
        finding_of(a.market, attack)
        for a in adversary.assaults
        for attack in a.assault.attacks
        if attack.confirmed and attack.after.harm >= _LEAST
    )


def finding_of(market: str, attack: Attack) -> Finding:
    """Say what an attack costs whom, what it takes and what is possible today."""
    after, before = attack.after, attack.before
    who = [
        f"{figure:,.0f} USD {words}"
        for figure, words in (
            (after.protocol, "lost by the protocol"),
            (after.users, "lost by users who are liquidated"),
        )
        if figure >= 1.0
    ]
    if after.frozen:
        who.append(f"no price of {', '.join(after.frozen)} afterwards")
    takes = "in one transaction" if attack.atomic else "over several blocks"
    money = (
        f"paid by a {paid_by(attack)}"
        if attack.loan is not None
        else f"with {after.capital:,.0f} USD of capital"
    )
    condition = "".join(
        f" once {w.removeprefix('the outside ')}"
        for w, m in zip(attack.words, attack.sequence.moves, strict=True)
        if m in attack.sequence.conditional
    )
    today = (
        f"the same moves cost {before.harm:,.0f} USD today"
        if before.harm >= 1.0
        else "the same moves bring nothing today"
    )
    inside = (
        "; whoever executes the proposal can do it in the same block"
        if attack.in_execution is not None and attack.in_execution.score > 0.0
        else ""
    )
    severity = Severity.LOW if attack.open_today else Severity.HIGH
    return Finding(
        kind=FindingKind.ADVERSARY,
        severity=severity,
        title=f"{market}: {attack.sequence.pattern.removeprefix('bred from: ')}"
        + (", possible today as well" if attack.open_today else ""),
        detail=(
            f"{'; '.join(who)}; a profit of {after.profit:,.0f} USD{condition}, {takes}, {money}; "
            f"{today}{inside}; confirmed with mined transactions: {'; '.join(attack.words)}"
        ),
        source="adversary search",
        gain_usd=attack.gain_usd,
        loss_usd=attack.loss_usd,
        open_today=attack.open_today,
    )


def adversary_section(adversary: Adversary | None, capital: float) -> AdversarySection | None:
    """Return the report's section; None if no search was made."""
    if adversary is None or (adversary.failed and not adversary.assaults):
        return None
    worst = adversary.worst
    attack = None if worst is None else worst[1]
    return AdversarySection(
        sequences=adversary.sequences,
        budget_usd=capital,
        gain_usd=0.0 if attack is None else attack.gain_usd,
        loss_usd=0.0 if attack is None else attack.loss_usd,
        what="" if attack is None else way(attack),
        confirmed=attack is not None and attack.confirmed,
        attacks=tuple(_row(a.market, x) for a in adversary.assaults for x in a.assault.attacks),
        notes=(
            *adversary.failed,
            *(f"{a.market}: {n}" for a in adversary.assaults for n in a.assault.notes),
        ),
    )


def _row(market: str, attack: Attack) -> AttackRow:
    return AttackRow(
        identifier=finding_of(market, attack).identifier,
        market=market,
        pattern=attack.sequence.pattern,
        moves=attack.words,
        sequence=attack.sequence.to_json(),
        protocol_loss_usd=attack.after.protocol,
        user_harm_usd=attack.after.users,
        frozen=attack.after.frozen,
        capital_usd=attack.after.capital,
        profit_usd=attack.after.profit,
        atomic=attack.atomic,
        paid_by=paid_by(attack),
        loan_profit_usd=None if attack.loan is None else attack.loan.outcome.profit,
        before_loss_usd=attack.before.harm,
        open_today=attack.open_today,
        with_execution=attack.in_execution is not None and attack.in_execution.score > 0.0,
        confirmed=attack.confirmed,
        transactions=tuple(
            AttackTransactionRow(what=t.what, sender=t.sender, to=t.to, gas_used=t.gas_used)
            for t in attack.transactions
        ),
    )


def adversary_digests(adversary: Adversary | None) -> tuple[ResultDigest, ...]:
    """Digest what was found on each market, for the manifest."""
    if adversary is None:
        return ()
    return tuple(
        ResultDigest(market=a.label, name="attacks", digest=_digest(a.assault))
        for a in adversary.assaults
    )


def _digest(assault: Assault) -> str:
    digest = hashlib.sha256(f"attacks 1\n{assault.sequences}\n".encode())
    for attack in assault.attacks:
        told = (attack.after.profit, attack.after.protocol, attack.after.users)
        rounded = " ".join(f"{x:.0f}" for x in told)
        digest.update(f"{attack.sequence.to_json()} {rounded}\n".encode())
    return digest.hexdigest()
