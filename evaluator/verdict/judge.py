"""Judge evidence by a policy. Pure: the same evidence and policy, the same verdict."""

from __future__ import annotations

from collections.abc import Iterator

from evaluator.verdict import figures, odds_rules
from evaluator.verdict.evidence import Evidence, MarketEvidence
from evaluator.verdict.finding import FindingKind, Severity
from evaluator.verdict.policy import Policy
from evaluator.verdict.verdict import Reason, Verdict, VerdictKind

FAIL, CAUTION = VerdictKind.FAIL, VerdictKind.CAUTION
INCONCLUSIVE, PASS = VerdictKind.INCONCLUSIVE, VerdictKind.PASS


def _execution(policy: Policy, evidence: Evidence) -> Iterator[Reason]:
    execution = evidence.execution
    if execution is None or not policy.fail.execution_reverts:
        return
    yield Reason(
        kind=PASS if execution.succeeded else FAIL,
        rule="fail.execution_reverts",
        sentence="execution succeeds"
        if execution.succeeded
        else f"execution reverts: {execution.reason or 'no reason given'}",
        number="succeeded" if execution.succeeded else "reverted",
        bound="must succeed",
        source=f"execution, {execution.way}",
    )


def _users(policy: Policy, market: MarketEvidence) -> Iterator[Reason]:
    debt = market.liquidatable_debt_usd
    if debt is None:
        return
    fail = policy.fail.liquidated_share_of_debt
    caution = fail * policy.caution.share_of_fail_bounds
    part = debt / market.debt_usd if market.debt_usd > 0.0 else 0.0
    kind = FAIL if part > fail else CAUTION if part > caution else PASS
    bound = fail if kind is FAIL else caution
    users = market.liquidatable_users
    who = "users" if users is None else f"{users:,} user{'' if users == 1 else 's'}"
    sentence = (
        f"nobody becomes liquidatable at execution on {market.name}"
        if debt == 0.0
        else f"{who} with {figures.money(debt)} USD of debt ({figures.share(part)} of all debt on "
        f"{market.name}) can be liquidated at execution"
    )
    yield Reason(
        kind=kind,
        rule="fail.liquidated_share_of_debt"
        if kind is FAIL
        else "caution.share_of_fail_bounds of fail.liquidated_share_of_debt",
        sentence=sentence,
        number=figures.share(part),
        bound=figures.share(bound),
        source=f"health factors after execution, {market.name}",
    )


def _actions(policy: Policy, market: MarketEvidence) -> Iterator[Reason]:
    if market.broken_actions is None or not policy.fail.broken_user_action:
        return
    broken = market.broken_actions
    yield Reason(
        kind=FAIL if broken else PASS,
        rule="fail.broken_user_action",
        sentence=f"on {market.name} these stop working: {', '.join(broken)}"
        if broken
        else f"every user action tried on {market.name} still works",
        number=f"{len(broken)} broken",
        bound="none",
        source=f"user actions after execution, {market.name}",
    )


def _conformance(policy: Policy, market: MarketEvidence) -> Iterator[Reason]:
    error = market.conformance_error
    if error is None:
        return
    bound = policy.caution.conformance_error
    beyond = error > bound
    yield Reason(
        kind=CAUTION if beyond else PASS,
        rule="caution.conformance_error",
        sentence=f"the model differs from the real contracts by up to {figures.share(error)}"
        f" on {market.name}, {'more' if beyond else 'not more'} than {figures.share(bound)}",
        number=figures.share(error),
        bound=figures.share(bound),
        source=f"conformance, {market.name}",
    )


def _history(policy: Policy, market: MarketEvidence) -> Iterator[Reason]:
    days, matters = policy.caution.history_days, policy.caution.history_matters_share
    thin = [c for c in market.calibrations if c.days < days and c.share_of_book > matters]
    for c in thin:
        yield Reason(
            kind=CAUTION,
            rule="caution.history_days",
            sentence=f"only {figures.number(c.days)} days of prices stand behind {c.asset}, which "
            f"carries {figures.share(c.share_of_book)} of {market.name}",
            number=f"{figures.number(c.days)} days",
            bound=f"{figures.number(days)} days",
            source=f"calibration, {market.name}",
        )
    if market.calibrations and not thin:
        yield Reason(
            kind=PASS,
            rule="caution.history_days",
            sentence=f"every asset that matters on {market.name} has at least "
            f"{figures.number(days)} days of prices",
            number="none thin",
            bound=f"{figures.number(days)} days",
            source=f"calibration, {market.name}",
        )


def _safe_values(policy: Policy, market: MarketEvidence) -> Iterator[Reason]:
    if not policy.caution.beyond_safe_value:
        return
    for s in market.safe_values or ():
        proposed, safe = figures.setting(s.proposed, s.unit), figures.setting(s.safe, s.unit)
        yield Reason(
            kind=CAUTION if s.beyond else PASS,
            rule="caution.beyond_safe_value",
            sentence=f"{s.label}: {proposed} is {'beyond' if s.beyond else 'within'} {safe}, "
            f"the value that keeps today's odds ({figures.share(s.confidence)} confidence)",
            number=proposed,
            bound=safe,
            source=f"safe value, {market.name}",
        )


def _adversary(policy: Policy, evidence: Evidence) -> Iterator[Reason]:
    search = evidence.adversary
    if search is None:
        return
    supplied = next((m.supplied_usd for m in evidence.markets if m.name == search.market), 0.0)
    fail = max(policy.fail.adversary_usd, policy.fail.adversary_share_of_supplied * supplied)
    caution = fail * policy.caution.share_of_fail_bounds
    worst = max(search.gain_usd, search.loss_usd)
    kind = FAIL if worst > fail else CAUTION if worst > caution else PASS
    tried = f"{search.sequences:,} attack sequences"
    yield Reason(
        kind=kind,
        rule="fail.adversary_usd"
        if kind is FAIL
        else "caution.share_of_fail_bounds of fail.adversary_usd",
        sentence=f"{tried} found no loss to the protocol that today's state does not allow as well"
        if worst <= 0.0
        else f"an adversary gains {figures.money(search.gain_usd)} USD at the cost of the "
        f"protocol, which loses {figures.money(search.loss_usd)} USD, by a way not open today: "
        f"{search.what}",
        number=f"{figures.money(worst)} USD",
        bound=f"{figures.money(fail if kind is FAIL else caution)} USD",
        source=f"adversary search, {tried}",
    )


_FINDING_RULES = {
    FindingKind.UNANNOUNCED_CONTROL: (FAIL, "fail.unannounced_control_change"),
    FindingKind.CONTRADICTION: (CAUTION, "caution.text_contradiction"),
    FindingKind.UNFULFILLED: (CAUTION, "caution.text_contradiction"),
    FindingKind.UNMENTIONED: (CAUTION, "caution.text_unmentioned_change"),
    FindingKind.UNANNOUNCED_PAYMENT: (CAUTION, "caution.text_unmentioned_change"),
    FindingKind.STATIC: (CAUTION, "caution.static_findings"),
}


def _payments(policy: Policy, evidence: Evidence) -> Iterator[Reason]:
    hidden = [f for f in evidence.findings if f.kind is FindingKind.UNANNOUNCED_PAYMENT]
    usd = sum(f.loss_usd or 0.0 for f in hidden)
    bound = policy.fail.unannounced_payment_usd
    if hidden and usd > bound:
        yield Reason(
            kind=FAIL,
            rule="fail.unannounced_payment_usd",
            sentence=f"{figures.money(usd)} USD leave without a word in the description: "
            f"{max(hidden, key=lambda f: f.loss_usd or 0.0).title}",
            number=f"{figures.money(usd)} USD",
            bound=f"{figures.money(bound)} USD",
            source=hidden[0].source,
        )


def _findings(policy: Policy, evidence: Evidence) -> Iterator[Reason]:
    on = {
        "fail.unannounced_control_change": policy.fail.unannounced_control_change,
        "caution.text_contradiction": policy.caution.text_contradiction,
        "caution.text_unmentioned_change": policy.caution.text_unmentioned_change,
        "caution.static_findings": policy.caution.static_findings,
    }
    for finding in evidence.findings:
        kind, rule = _FINDING_RULES.get(finding.kind, (PASS, ""))
        grave = finding.severity is Severity.HIGH and not finding.open_today
        if finding.kind is FindingKind.STATIC and not grave:
            continue
        if on.get(rule):
            yield Reason(
                kind=kind,
                rule=rule,
                sentence=finding.title,
                number=f"finding {finding.identifier}",
                bound="none",
                source=finding.source,
            )


def _unknown(evidence: Evidence) -> Iterator[Reason]:
    for seen in evidence.unknown_protocols:
        yield Reason(
            kind=INCONCLUSIVE,
            rule="unknown protocol",
            sentence=f"no adapter knows the protocol at {seen}",
            number=seen,
            bound="known",
            source="discovery",
        )
    for part in evidence.unread:
        yield Reason(
            kind=INCONCLUSIVE,
            rule="incomplete state",
            sentence=f"the state could not be read whole: {part}",
            number=part,
            bound="read",
            source="reading the protocol",
        )
    for item in evidence.not_modelled:
        if not item.irrelevant:
            yield Reason(
                kind=INCONCLUSIVE,
                rule="not modelled",
                sentence=f"the model has no notion of {item.name} ({item.what}), which could "
                "matter to solvency",
                number=item.name,
                bound="modelled, or irrelevant by name",
                source="decoded actions",
            )


_CHECK_NAMES = {
    "execution": "execution on the fork",
    "state": "reading a protocol's state",
    "battery": "the stress battery",
    "users_at_execution": "who becomes liquidatable at execution",
    "conformance": "the model against the real contracts",
    "adversary": "the adversary search",
    "user_actions": "whether user actions still work",
    "safe_values": "the value that would keep today's odds",
}


def _missing(evidence: Evidence) -> tuple[str, ...]:
    """Return the checks that were not made, by the names the policy has for them."""
    markets = evidence.markets
    changed = [m for m in markets if not m.unchanged]
    # With nothing changed in any market the battery has nothing to compare.
    battery = all(m.odds for m in changed)
    # A proposal that reaches no market has no market's state to read.
    state = not evidence.unread and not evidence.unknown_protocols
    made = {
        "execution": evidence.execution is not None,
        "state": state,
        "battery": battery,
        "users_at_execution": all(m.liquidatable_debt_usd is not None for m in markets),
        "conformance": all(m.conformance_error is not None for m in changed),
        "adversary": evidence.adversary is not None or not changed,
        "user_actions": all(m.broken_actions is not None for m in markets),
        "safe_values": all(m.safe_values is not None for m in changed),
    }
    reverted = evidence.execution is not None and not evidence.execution.succeeded
    # What a reverted proposal would have done is not a check left out.
    return tuple(k for k, done in made.items() if not done) if not reverted else ()


def judge(policy: Policy, evidence: Evidence) -> Verdict:
    """Return what `policy` makes of `evidence`, with every rule that was applied."""
    reasons: list[Reason] = [*_execution(policy, evidence), *_unknown(evidence)]
    wide_reasons: list[Reason] = []
    for market in evidence.markets:
        reasons += _users(policy, market)
        for odds in market.odds:
            for reason in (
                odds_rules.chance(policy, market, odds),
                odds_rules.shortfall(policy, market, odds),
            ):
                if reason is not None:
                    reasons.append(reason[0])
                    if reason[1]:
                        wide_reasons.append(reason[0])
        reasons += _actions(policy, market)
        reasons += _conformance(policy, market)
        reasons += _history(policy, market)
        reasons += _safe_values(policy, market)
    reasons += _adversary(policy, evidence)
    reasons += _payments(policy, evidence)
    reasons += _findings(policy, evidence)
    missing = _missing(evidence)
    for check in missing:
        if check in policy.pass_.required_checks:
            reasons.append(
                Reason(
                    kind=INCONCLUSIVE,
                    rule="pass.required_checks",
                    sentence=f"{_CHECK_NAMES[check]} was not done, and the policy requires it",
                    number="not computed",
                    bound="required",
                    source=f"policy {policy.name}",
                )
            )
    if evidence.markets and all(m.unchanged for m in evidence.markets):
        reasons.append(
            Reason(
                kind=PASS,
                rule="market unchanged",
                sentence="no risk parameter and no position reads differently after execution",
                number="unchanged",
                bound="unchanged",
                source="readings before and after execution",
            )
        )
    elif not evidence.markets and not any(r.kind in (INCONCLUSIVE, FAIL) for r in reasons):
        reasons.append(
            Reason(
                kind=PASS,
                rule="market unchanged",
                sentence="no lending market is reached by the proposal",
                number="no market",
                bound="unchanged",
                source="discovery",
            )
        )
    # The sort is stable: among equals the order of the steps remains.
    ordered = tuple(sorted(reasons, key=lambda r: -r.kind.severity))
    kind = ordered[0].kind if ordered else INCONCLUSIVE
    return Verdict(
        kind=kind,
        reasons=ordered,
        not_judged=tuple(_CHECK_NAMES[c] for c in missing),
        more_paths_help=all(r in wide_reasons for r in reasons if r.kind is kind),
        policy=policy.name,
        policy_digest=policy.digest,
    )
