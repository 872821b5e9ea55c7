"""Drafts: from "WETH liquidation threshold to 0.80" to a proposal for the governor at hand."""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from evaluator.chain.deterministic import creation_in
from evaluator.chain.sandbox import Sandbox
from evaluator.errors import ConfigurationError, TransactionReverted
from evaluator.evaluation.request import Progress
from evaluator.evaluation.state import State
from evaluator.governance.adapter import GovernorAdapter, open_governor
from evaluator.governance.proposal_file import parse_proposal
from evaluator.market import Family, Market, Parameter
from evaluator.protocols.adapter import ProtocolAdapter, adapters
from evaluator.protocols.setting import (
    ParameterSetter,
    Setting,
    SettingCall,
    parse_value,
)
from evaluator.verdict import figures


@dataclass(frozen=True, kw_only=True, eq=False)
class DraftMarket:
    """A market that a draft may change."""

    adapter: ProtocolAdapter  # that read it
    market: Market  # as it stands
    parameters: tuple[Parameter, ...]  # ordered by path


@dataclass(frozen=True, kw_only=True, eq=False)
class Draft:
    """A proposal that is not submitted yet."""

    governor: str  # address, lower-case
    chain_id: int  # it is meant for
    calls: tuple[SettingCall, ...]  # in order
    description: str  # Markdown, first line the title

    def document(self) -> dict[str, object]:
        """Return what `evaluate --file` reads."""
        return {
            "governor": self.governor,
            "chainId": self.chain_id,
            "targets": [c.target for c in self.calls],
            "values": ["0"] * len(self.calls),
            "signatures": [""] * len(self.calls),
            "calldatas": ["0x" + c.calldata.hex() for c in self.calls],
            "description": self.description,
        }

    def safe_document(self) -> dict[str, object]:
        """Return what Safe's transaction builder imports."""
        return {
            "version": "1.0",
            "chainId": str(self.chain_id),
            "meta": {"name": self.description.splitlines()[0].lstrip("# ")},
            "transactions": [
                {"to": c.target, "value": "0", "data": "0x" + c.calldata.hex()} for c in self.calls
            ],
        }

    def write(self, path: Path, *, safe: bool = False) -> None:
        """Write one of the two documents. Raises ConfigurationError if that fails."""
        document = self.safe_document() if safe else self.document()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        except OSError as error:
            raise ConfigurationError(f"{path} cannot be written: {error.strerror}") from error


def read_markets(state: State, roots: Sequence[str], progress: Progress) -> tuple[DraftMarket, ...]:
    """Read the markets at `roots`, on the embedded chain all of its own when none is given.

    Raises ConfigurationError when there is none.
    """
    return _markets(
        state,
        roots,
        progress,
        lambda adapter, root: adapter.read(state.sandbox, root, progress=progress.advance),
    )


def outline_markets(
    state: State, roots: Sequence[str], progress: Progress
) -> tuple[DraftMarket, ...]:
    """Do as `read_markets` without reading any borrower: enough to write a draft."""
    return _markets(
        state, roots, progress, lambda adapter, root: adapter.outline(state.sandbox, root)
    )


def _markets(
    state: State,
    roots: Sequence[str],
    progress: Progress,
    read: Callable[[ProtocolAdapter, str], Market],
) -> tuple[DraftMarket, ...]:
    seeds = list(roots)
    if not seeds and state.deployment is not None:
        seeds = [state.deployment.aave.pool, state.deployment.venus.comptroller]
    if not seeds:
        raise ConfigurationError(
            "no market was named: give --market ADDRESS of a pool or a comptroller"
        )
    found = []
    for adapter in adapters():
        for root in adapter.discover(state.sandbox, seeds):
            progress.stage("read", f"{adapter.name} at {root}")
            market = read(adapter, root)
            found.append(
                DraftMarket(adapter=adapter, market=market, parameters=adapter.parameters(market))
            )
    if not found:
        raise ConfigurationError(
            f"no lending market that Seatrial knows is reached from {', '.join(seeds)}"
        )
    return tuple(found)


def sets_nothing(text: str) -> ConfigurationError:
    """Say that a text is no assignment."""
    return ConfigurationError(
        f"{text!r} sets nothing; write PARAMETER=VALUE, such as "
        "aave_v3.WETH.liquidation_threshold=0.80"
    )


def parse_settings(
    markets: Sequence[DraftMarket], assignments: Sequence[str]
) -> dict[int, list[Setting]]:
    """Read "path=value" texts; return settings by the position of their market.

    Raises ConfigurationError naming the nearest known path.
    """
    known = {p.path: (i, p) for i, m in enumerate(markets) for p in m.parameters}
    chosen: dict[int, list[Setting]] = {}
    for text in assignments:
        path, equals, value = text.partition("=")
        path = path.strip()
        if not equals:
            raise sets_nothing(text)
        if path not in known:
            near = difflib.get_close_matches(path, known, n=3, cutoff=0.75)
            hint = (
                f"; did you mean {' or '.join(near)}?"
                if near
                else "; `seatrial draft --list` shows them all, and what is not listed yet needs "
                "the calls that list it in a proposal file"
            )
            raise ConfigurationError(f"there is no parameter {path!r}{hint}")
        i, parameter = known[path]
        setting = Setting(parameter=parameter, value=parse_value(parameter, value))
        if _same(setting.value, parameter.value):
            raise ConfigurationError(
                f"{path} is {figures.setting(parameter.value, parameter.unit)} already"
            )
        if any(s.parameter is parameter for some in chosen.values() for s in some):
            raise ConfigurationError(f"{path} is set twice; give it one value")
        chosen.setdefault(i, []).append(setting)
    if not chosen:
        raise ConfigurationError("a draft needs at least one PARAMETER=VALUE")
    return chosen


def _same(a: float | bool | str, b: float | bool | str) -> bool:
    if isinstance(a, str) or isinstance(b, str):
        return a == b
    return math.isclose(a, b, rel_tol=1e-12)


def draft(
    state: State,
    markets: Sequence[DraftMarket],
    assignments: Sequence[str],
    *,
    governor: str | None = None,
    description: str | None = None,
) -> Draft:
    """Write the proposal that makes `assignments` ("path=value") true.

    Each call is tried from the governor's executor on the state at hand, so that
    the protocol's own bounds are kept. Raises ConfigurationError, NotAGovernor.
    """
    chosen = parse_settings(markets, assignments)
    written = [
        (markets[i], call)
        for i, settings in chosen.items()
        for call in _setter(markets[i]).setting_calls(state.sandbox, markets[i].market, settings)
    ]
    calls = tuple(call for _, call in written)
    address = governor or _governor_of(state, [markets[i].market for i in chosen])
    adapter = open_governor(state.sandbox, address)
    settings = [s for some in chosen.values() for s in some]
    made = Draft(
        governor=adapter.address,
        chain_id=state.sandbox.chain_id,
        calls=calls,
        description=description or describe(settings, calls),
    )
    _try(state.sandbox, adapter, made, [one for one, _ in written])
    return made


def can_be_drafted(one: DraftMarket, parameter: Parameter) -> bool:
    """Tell whether `draft` knows the call that sets a parameter."""
    adapter = one.adapter
    return isinstance(adapter, ParameterSetter) and adapter.can_be_set(one.market, parameter)


def _setter(one: DraftMarket) -> ParameterSetter:
    adapter = one.adapter
    if not isinstance(adapter, ParameterSetter):
        raise ConfigurationError(
            f"the adapter {adapter.name} knows no calls that set parameters: write them into a "
            "proposal file"
        )
    return adapter


def describe(settings: Sequence[Setting], calls: Sequence[SettingCall] = ()) -> str:
    """Write a description that says exactly what is set."""
    lines = []
    for s in settings:
        p = s.parameter
        name = f"{p.asset} {p.label}" if p.asset else p.label
        lines.append(
            f"{name} from {figures.setting(p.value, p.unit)} to {figures.setting(s.value, p.unit)}"
        )
    title = f"Set {lines[0]}" + (f" and {len(lines) - 1} more" if len(lines) > 1 else "")
    lines += dict.fromkeys(c.creates for c in calls if c.creates)
    return "\n".join([f"# {title}", "", "Sets:", "", *(f"- {line}" for line in lines), ""])


def _governor_of(state: State, markets: Sequence[Market]) -> str:
    if state.deployment is None:
        raise ConfigurationError("no governor was named: give --governor ADDRESS")
    governors: Mapping[Family, str] = {
        Family.AAVE_V3: state.deployment.openzeppelin.governor,
        Family.COMPOUND_V2: state.deployment.bravo.governor,
    }
    found = dict.fromkeys(governors[m.family] for m in markets)
    if len(found) > 1:
        raise ConfigurationError(
            f"{' and '.join(m.protocol for m in markets)} have governors of their own here: draft "
            "one proposal for each, or name a governor that may set both with --governor ADDRESS"
        )
    return next(iter(found))


def _try(
    sandbox: Sandbox, governor: GovernorAdapter, made: Draft, markets: Sequence[DraftMarket]
) -> None:
    """Send the calls from the executor, look at what they answer, and take them back.

    `markets` are those that the calls of the draft belong to.
    """
    content = json.dumps(made.document()).encode()
    proposal = governor.adopt(sandbox, parse_proposal(content, name="the draft"))
    executor = governor.executor(sandbox, proposal)
    place = sandbox.snapshot()
    try:
        for call, one in zip(made.calls, markets, strict=True):
            setter = _setter(one)
            what = ", ".join(f"{s.parameter.path}={_typed(s.value)}" for s in call.sets)
            said = (
                f"the protocol refuses {what} from {executor}, which executes for this governor: "
            )
            try:
                receipt = sandbox.send(executor, call.target, call.calldata)
            except TransactionReverted as error:
                reason = error.reason or "no reason given"
                creation = creation_in(call.target, call.calldata)
                if creation is not None:
                    reason = _why_not_created(sandbox, executor, creation[0]) or reason
                raise ConfigurationError(said + setter.refusal(reason)) from error
            failed = setter.failure(one.market, receipt)
            if failed:
                raise ConfigurationError(said + failed)
    finally:
        sandbox.revert(place)


def _typed(value: float | bool | str) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return value if isinstance(value, str) else f"{value:g}"


def _why_not_created(sandbox: Sandbox, sender: str, creation: bytes) -> str:
    """The deployment proxy passes no reason on; the constructor itself has one."""
    try:
        sandbox.deploy(sender, creation)
    except TransactionReverted as error:
        return error.reason
    return ""
