"""From an execution trace to the report's sections about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from evaluator.evaluation.description import control_key
from evaluator.governance.decoding.calls import Action, DecodedArgument
from evaluator.governance.decoding.events import DecodedEvent
from evaluator.governance.decoding.values import Value
from evaluator.governance.trace import ExecutionTrace
from evaluator.report.model import (
    ActionNode,
    ArgumentRow,
    EventRow,
    ExecutionSection,
    ExecutionStepRow,
    RoleChangeRow,
    StateChangeRow,
    TransferRow,
)
from evaluator.verdict.text import ControlChange, ControlKind

_LONGEST_VALUE = 2_000  # characters of one argument that are shown
_MOST_ROWS = 500  # of events, slots or transfers


def execution_section(trace: ExecutionTrace) -> ExecutionSection:
    """Return the way, the steps and what came of it."""
    return ExecutionSection(
        succeeded=trace.succeeded,
        way=trace.way.value,
        reason=trace.revert_reason,
        gas_used=trace.gas_used or None,
        steps=tuple(
            ExecutionStepRow(
                name=f"{step.name}: {step.detail}" if step.detail else step.name,
                succeeded=step.succeeded,
                gas_used=step.gas_used or None,
                transaction=step.tx_hash or "",
            )
            for step in trace.steps
        ),
        executed_first=tuple(str(i) for i in trace.executed_first),
        notes=(trace.why, *trace.notes) if trace.why else trace.notes,
    )


def action_nodes(actions: tuple[Action, ...], labels: Mapping[str, str]) -> tuple[ActionNode, ...]:
    """Return the calls with the calls they unfold to; `labels` name known addresses."""
    return tuple(
        ActionNode(
            target=action.target,
            label=labels.get(action.target.lower(), ""),
            value=str(action.value),
            signature=_signature(action),
            arguments=() if action.decoded is None else _arguments(action.decoded.arguments),
            calldata="0x" + action.calldata.hex(),
            children=action_nodes(action.children, labels),
        )
        for action in actions
    )


def _signature(action: Action) -> str:
    if action.decoded is not None and action.decoded.signature:
        return action.decoded.signature
    return action.signature


def event_rows(events: tuple[DecodedEvent, ...]) -> tuple[EventRow, ...]:
    """Return the events of the execution, the first of very many."""
    return tuple(
        EventRow(
            contract=event.contract,
            name=event.signature
            or event.name
            or ("0x" + event.topics[0].hex() if event.topics else "anonymous"),
            arguments=_arguments(event.arguments),
        )
        for event in events[:_MOST_ROWS]
    )


def state_rows(trace: ExecutionTrace) -> tuple[StateChangeRow, ...]:
    """Return code changes, then storage changes outside the governor's own records."""
    rows = [
        StateChangeRow(
            contract=change.contract,
            what=f"code {change.kind.value}",
            before=change.before,
            after=change.after,
        )
        for change in trace.code_changes
    ]
    rows += [
        StateChangeRow(
            contract=change.contract,
            what=f"storage slot {change.slot:#x}",
            before="0x" + change.before.hex(),
            after="0x" + change.after.hex(),
        )
        for change in trace.storage_changes
        if change.contract not in trace.machinery
    ]
    return tuple(rows[:_MOST_ROWS])


def role_rows(
    trace: ExecutionTrace, controls: Sequence[ControlChange]
) -> tuple[RoleChangeRow, ...]:
    """Return roles and owners changed; `controls` say which of them the text mentions."""
    announced = {c.key: c.announced for c in controls}
    rows = []
    for role in trace.role_changes:
        rows.append(
            RoleChangeRow(
                contract=role.contract,
                what=f"role {role.role} {'granted' if role.granted else 'revoked'}",
                before="" if role.granted else role.account,
                after=role.account if role.granted else "",
                announced=announced.get(
                    control_key(ControlKind.ROLE, role.contract, role.account), True
                ),
            )
        )
    for owner in trace.owner_changes:
        rows.append(
            RoleChangeRow(
                contract=owner.contract,
                what=owner.power,
                before=owner.before,
                after=owner.after,
                announced=announced.get(
                    control_key(ControlKind.OWNER, owner.contract, owner.after), True
                ),
            )
        )
    return tuple(rows)


def transfer_rows(
    trace: ExecutionTrace, tokens: Mapping[str, tuple[str, int]]
) -> tuple[TransferRow, ...]:
    """Return value that moved; `tokens` gives symbol and decimals by lower-case address."""
    rows = []
    for transfer in trace.transfers[:_MOST_ROWS]:
        symbol, decimals = ("native", 18)
        if transfer.asset:
            symbol, decimals = tokens.get(transfer.asset.lower(), (transfer.asset, 0))
        rows.append(
            TransferRow(
                token=symbol,
                sender=transfer.sender,
                recipient=transfer.receiver,
                amount=whole_tokens(transfer.amount, decimals)
                if decimals
                else f"{transfer.amount} base units",
            )
        )
    return tuple(rows)


def whole_tokens(amount: int, decimals: int) -> str:
    """Write base units as whole tokens, without rounding."""
    whole, rest = divmod(amount, 10**decimals)
    fraction = f"{rest:0{decimals}d}".rstrip("0") if decimals else ""
    return f"{whole:,}.{fraction}" if fraction else f"{whole:,}"


def _arguments(arguments: tuple[DecodedArgument, ...]) -> tuple[ArgumentRow, ...]:
    return tuple(
        ArgumentRow(name=a.name, type=a.type, value=shown_value(a.value)) for a in arguments
    )


def shown_value(value: Value) -> str:
    """Write a decoded value for people, bounded."""
    text = _plain(value)
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"


def _plain(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return "[" + ", ".join(_plain(v) for v in value[:200]) + "]"
    return str(value)
