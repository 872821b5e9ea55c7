"""What of a proposal the model has a notion of, and what it does not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from evaluator.chain.deterministic import address_of, creation_in
from evaluator.chain.sandbox import Sandbox
from evaluator.evaluation.measurement import Reading
from evaluator.governance.decoding.calls import Action, CallSource
from evaluator.governance.trace import ExecutionTrace
from evaluator.market import ParameterChange, Unit
from evaluator.protocols.adapter import adapters
from evaluator.verdict.evidence import NotModelled
from evaluator.verdict.policy import Policy
from evaluator.verdict.relevance import not_modelled

# Last parts of parameter paths that the battery acts on.
_MODELLED = frozenset(
    {
        "ltv",
        "liquidation_threshold",
        "liquidation_bonus",
        "liquidation_protocol_fee",
        "collateral_factor",
        "liquidation_incentive",
        "seize_share",
        "close_factor",
        "full_close_below",
        "reserve_factor",
        "supply_cap",
        "borrow_cap",
        "active",
        "listed",
        "frozen",
        "paused",
        "borrowing_enabled",
        "emode_category",
        "rate_curve.base",
        "rate_curve.slope1",
        "rate_curve.slope2",
        "rate_curve.optimal",
        "oracle.source",
        "oracle.floor",
        "oracle.cap",
    }
)
# Consequences of changes that are named beside them.
_FOLLOWS = {
    "rate_strategy": "rate_curve.",
    "rate_model": "rate_curve.",
    "blocks_per_year": "listed",
    "implementation": "listed",
    "v_token": "listed",
}


def unmodelled(
    policy: Policy,
    sandbox: Sandbox,
    trace: ExecutionTrace,
    readings: Sequence[Reading],
    *,
    markets_unchanged: bool,
) -> tuple[NotModelled, ...]:
    """List what the proposal does that the battery does not act on.

    Calls to contracts that belong to no market read, parameters the battery has
    no use for, what a market's reading says is not modelled, and contracts whose
    storage changed without being any of these.
    """
    found: dict[tuple[str, str], NotModelled] = {}

    def add(signature: str, what: str) -> None:
        row = not_modelled(
            policy, signature=signature, what=what, markets_unchanged=markets_unchanged
        )
        found.setdefault((row.name, row.what), row)

    known: dict[str, bool] = {}

    def in_market(address: str) -> bool:
        if address not in known:
            known[address] = any(a.discover(sandbox, [address]) for a in adapters())
        return known[address]

    called: set[str] = set()
    changes = [c for r in readings for c in r.changes]
    pointed_at = {str(c.after).lower() for c in changes if c.unit is Unit.ADDRESS}
    for action in _leaves(trace.proposal.actions):
        called.add(action.target)
        creation = creation_in(action.target, action.calldata)
        if creation is not None:
            # What a new contract does shows in what points to it.
            created = address_of(*creation).lower()
            if created not in pointed_at:
                add(_name(action), f"creates {created}, which nothing that was read points to")
        elif not in_market(action.target):
            add(_name(action), f"called on {action.target}")
    for change in changes:
        if not _acted_on(change, changes):
            add(change.path, f"{change.label} changed and the battery does not use it")
    for reading in readings:
        for caveat in (reading.after or reading.before).caveats:
            add(f"{reading.adapter.name} at {reading.root}", caveat)
    ours = called | set(trace.machinery)
    moved = {t.asset for t in trace.transfers}
    for contract in dict.fromkeys(c.contract for c in trace.storage_changes):
        if contract not in ours and contract not in moved and not in_market(contract):
            add("storage", f"storage of {contract} changed; it belongs to no market read")
    return tuple(found.values())


def _acted_on(change: ParameterChange, changes: Iterable[ParameterChange]) -> bool:
    # emode.1.ltv and the like: the last part says what it is.
    name = change.name
    if name in _MODELLED or (name.startswith("emode.") and name.rsplit(".", 1)[-1] in _MODELLED):
        return True
    for follower, leader in _FOLLOWS.items():
        if name == follower:
            return any(c.asset == change.asset and c.name.startswith(leader) for c in changes)
    if name.startswith("paused."):
        # An action's own switch counts where the reserve's summary moved with it.
        return any(c.asset == change.asset and c.name in ("paused", "frozen") for c in changes)
    return name.endswith(".label")


def _leaves(actions: Sequence[Action]) -> Iterable[Action]:
    for action in actions:
        if action.children:
            yield from _leaves(action.children)
        else:
            yield action


def _name(action: Action) -> str:
    decoded = action.decoded
    if decoded is None:
        return "an undecoded call"
    if decoded.signature:
        return decoded.signature
    if decoded.source is CallSource.EMPTY:
        return "a plain transfer of native value"
    return f"selector {decoded.selector}"
