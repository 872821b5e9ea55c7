"""Carries a proposal to execution and reads every market it reaches, before and after."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace

from evaluator.arena.bundles import open_engine
from evaluator.arena.families import lending_of
from evaluator.arena.liveness import Liveness, broken_actions, try_actions
from evaluator.arena.pricing import PriceSetting, price_setting
from evaluator.chain.embedded import Deployment
from evaluator.chain.sandbox import Sandbox
from evaluator.data_files import cache_path
from evaluator.errors import ChainError, IncompleteState, ProtocolError
from evaluator.evaluation.request import Progress
from evaluator.evaluation.state import State
from evaluator.governance.adapter import GovernorAdapter
from evaluator.governance.decoding.calls import Action
from evaluator.governance.decoding.values import Value
from evaluator.governance.proposal import Proposal
from evaluator.governance.realm import governed_contracts
from evaluator.governance.trace import ExecutionTrace
from evaluator.market import (
    Market,
    OracleKind,
    Parameter,
    ParameterChange,
    PriceHistory,
    parameter_changes,
)
from evaluator.protocols.adapter import ProtocolAdapter, adapters
from evaluator.protocols.borrower_cache import BorrowerCache
from evaluator.protocols.depth import measure_liquidity, share_liquidity
from evaluator.protocols.feeds import price_history
from evaluator.protocols.hurt import HurtPosition, hurt_positions
from evaluator.protocols.interfaces import FEED
from evaluator.protocols.oracles import read_code
from evaluator.protocols.pools import KNOWN_VENUES, Venues
from evaluator.protocols.reading import address_in, read_codes, read_raw
from evaluator.protocols.setting import ParameterSetter

_HISTORY_ROUNDS = 5_000
_MOST_NAMED = 128  # addresses a proposal names that are asked whether they are feeds


@dataclass(frozen=True, kw_only=True, eq=False)
class Reading:
    """One market right before and right after the executing transaction."""

    adapter: ProtocolAdapter  # that read it
    root: str  # pool or comptroller, lower-case
    before: Market  # when everything but the execution was done
    after: Market | None  # after execution; None: not executed, or no longer readable
    parameters_before: tuple[Parameter, ...]  # named by the adapter
    parameters_after: tuple[Parameter, ...]  # () without `after`
    histories: tuple[PriceHistory, ...]  # of the assets that have one, read before any wait
    broken: tuple[str, ...] | None = None  # user actions that work before only; None: not tried
    unreadable: str = ""  # why it cannot be read after execution, "" if it can

    @property
    def changes(self) -> tuple[ParameterChange, ...]:
        """Every parameter that reads differently; () without `after`."""
        if self.after is None:
            return ()
        return parameter_changes(self.parameters_before, self.parameters_after)

    @property
    def hurt(self) -> tuple[HurtPosition, ...]:
        """Positions that execution made liquidatable; () without `after`."""
        return () if self.after is None else hurt_positions(self.before, self.after)


@dataclass(frozen=True, kw_only=True, eq=False)
class Measurement:
    """A proposal, what executing it did, and every market it reaches."""

    proposal: Proposal  # as executed
    trace: ExecutionTrace  # of the measured execution
    readings: tuple[Reading, ...]  # ordered by adapter and root
    unread: tuple[str, ...]  # markets or parts that could not be read, with reasons
    notes: tuple[str, ...]  # facts for the report


@dataclass
class _Site:
    """What is known of one market while the execution goes on."""

    adapter: ProtocolAdapter
    root: str
    today: Market  # at the fork block, with measured depth
    histories: tuple[PriceHistory, ...]
    venues: Venues | None = None  # where depth was measured, None: nowhere
    before: Market | None = None
    parameters: tuple[Parameter, ...] = field(default=())
    liveness: Liveness | None = None  # user actions before execution; None: could not be tried
    setting: PriceSetting | None = None  # how prices were moved for that


def measure(
    state: State, governor: GovernorAdapter, proposal: Proposal, progress: Progress
) -> Measurement:
    """Execute a proposal and read the markets it reaches on both sides of its execution.

    The proposal is executed twice from the same snapshot: once to learn which
    contracts it touches, once with the markets read right before and right
    after. Raises the ProposalError and ChainError trees; a market that cannot be
    read is reported in `unread`.
    """
    sandbox = state.sandbox
    cache = BorrowerCache(cache_path("borrowers") / "borrowers.db")
    try:
        progress.stage("execute", "carrying the proposal through its governor")
        start = sandbox.snapshot()
        trial = governor.execute(sandbox, proposal)
        roots = _roots(sandbox, _seeds(trial))
        if not roots and _about_governing(trial):
            # Who decides is changed: what he decides on is what the proposal is about.
            timelock = governor.executor(sandbox, trial.proposal)
            roots = _roots(sandbox, governed_contracts(sandbox, governor.address, timelock))
        sandbox.revert(start)
        sites, unread = _look(state, roots, cache, progress)
        feeds = tuple(dict.fromkeys((*_feeds(sites), *_feeds_named(sandbox, trial))))

        def read_before() -> None:
            for site in sites:
                site.adapter.accrue(sandbox, site.today)
            # An empty block in the place of the executing one: the same number and
            # time, so that no interest stands between the two readings.
            place = sandbox.snapshot()
            sandbox.mine()
            for site in sites:
                progress.stage("read", f"{site.adapter.name} before execution")
                market = site.adapter.read(
                    sandbox, site.root, cache=cache, progress=progress.advance
                )
                site.before = share_liquidity(site.today, market)
                site.parameters = site.adapter.parameters(market)
                progress.stage("actions", f"user actions of {site.adapter.name} before execution")
                site.liveness, site.setting = _tried(sandbox, market)
            sandbox.revert(place)

        progress.stage("execute", "executing again, reading the markets around it")
        trace = governor.execute(sandbox, proposal, feeds=feeds, before_execution=read_before)
        trace = _in_protocol_words(trace, [s.adapter for s in sites])
        readings = []
        for site in sites:
            progress.stage("read", f"{site.adapter.name} after execution")
            readings.append(_after(sandbox, site, trace, cache, progress))
        return Measurement(
            proposal=trace.proposal,
            trace=trace,
            readings=tuple(readings),
            unread=tuple(unread),
            notes=tuple(dict.fromkeys((*sandbox.notes, *trace.notes))),
        )
    finally:
        cache.close()


def venues_of(chain_id: int, deployment: Deployment | None) -> Venues | None:
    """Return where to look for pools, None if nothing is known of the chain's exchanges."""
    if deployment is None:
        return KNOWN_VENUES.get(chain_id)
    uniswap = deployment.uniswap
    return Venues(
        pools=tuple(p.address for p in (*uniswap.v2_pairs, *uniswap.v3_pools)),
        # For pools that were opened after the chain was built.
        v2_factories=(uniswap.v2_factory,),
        v3_factories=(uniswap.v3_factory,),
        v3_quoter=uniswap.v3_quoter,
        wrapped_native=deployment.tokens["WETH"],
    )


def _roots(sandbox: Sandbox, seeds: Collection[str]) -> list[tuple[ProtocolAdapter, str]]:
    return [(adapter, root) for adapter in adapters() for root in adapter.discover(sandbox, seeds)]


def _about_governing(trace: ExecutionTrace) -> bool:
    """Whether a proposal that was executed calls its own governor or timelock."""
    called = {action.target.lower() for action in trace.proposal.actions}
    return trace.succeeded and not called.isdisjoint(trace.machinery)


def _seeds(trace: ExecutionTrace) -> tuple[str, ...]:
    """Addresses the execution reached, and those its calldata names."""
    named = [a for action in trace.proposal.actions for a in _addresses(action)]
    seen = dict.fromkeys((*trace.touched, *named))
    return tuple(a for a in seen if a not in trace.machinery)


def _addresses(action: Action) -> Iterable[str]:
    yield action.target
    if action.decoded is not None:
        for argument in action.decoded.arguments:
            yield from _address_values(argument.value)
    for child in action.children:
        yield from _addresses(child)


def _address_values(value: Value) -> Iterable[str]:
    if isinstance(value, tuple):
        for item in value:
            yield from _address_values(item)
    elif isinstance(value, str) and len(value) == 42 and value.startswith("0x"):
        yield value


def _look(
    state: State,
    roots: list[tuple[ProtocolAdapter, str]],
    cache: BorrowerCache,
    progress: Progress,
) -> tuple[list[_Site], list[str]]:
    """Read the markets as they stand, their depth and their price histories."""
    sandbox, sites, unread = state.sandbox, [], []
    venues = venues_of(sandbox.chain_id, state.deployment)
    for adapter, root in roots:
        progress.stage("read", f"borrowers of {adapter.name}")
        try:
            market = adapter.read(sandbox, root, cache=cache, progress=progress.advance)
            if venues is not None:
                progress.stage("depth", f"quoting pools for {adapter.name}")
                market = measure_liquidity(sandbox, market, venues)
        except ProtocolError as error:
            unread.append(f"{adapter.name} at {root}: {error}")
            continue
        progress.stage("prices", f"feed rounds of {adapter.name}")
        sites.append(
            _Site(
                adapter=adapter,
                root=root,
                today=market,
                histories=price_histories(sandbox, market, progress),
                venues=venues,
            )
        )
    return sites, unread


def price_histories(
    sandbox: Sandbox, market: Market, progress: Progress
) -> tuple[PriceHistory, ...]:
    """Return the feed rounds of every reserve that has some, in their order."""
    found = []
    for i, reserve in enumerate(market.reserves):
        progress.advance(i, len(market.reserves))
        # An asset without a usable feed runs on its class's prior, which the report says.
        try:
            found.append(price_history(sandbox, reserve, rounds=_HISTORY_ROUNDS))
        except IncompleteState:
            continue
    return tuple(found)


def _feeds(sites: Iterable[_Site]) -> tuple[str, ...]:
    sources = [
        r.oracle.source
        for site in sites
        for r in site.today.reserves
        if r.oracle.kind is OracleKind.FEED
    ]
    return tuple(dict.fromkeys(s.lower() for s in sources))


def _feeds_named(sandbox: Sandbox, trace: ExecutionTrace) -> tuple[str, ...]:
    """Find the feeds that a proposal brings in: those it names, writes down or wraps.

    Without a new timestamp after the waits they would look stale where the ones in
    use do not, which no proposal is to be blamed for.
    """
    written = [address_in(change.after) for change in trace.storage_changes]
    named = dict.fromkeys((*_seeds(trace), *(a for a in written if a is not None)))
    asked = [a.lower() for a in named if a not in trace.machinery][:_MOST_NAMED]
    block = sandbox.block_number()
    codes = read_codes(sandbox, asked, block=block)
    within = (a for code in codes for a in read_code(code).addresses)
    candidates = list(dict.fromkeys((*asked, *within)))[: 2 * _MOST_NAMED]
    answers = read_raw(
        sandbox, [(a, FEED.encode("latestRoundData")) for a in candidates], block=block
    )
    found = []
    for address, answer in zip(candidates, answers, strict=True):
        if answer is not None and len(answer) == 160:
            updated = int.from_bytes(answer[96:128], "big")
            if 0 < updated <= sandbox.timestamp():
                found.append(address)
    return tuple(found)


def _in_protocol_words(trace: ExecutionTrace, reached: Iterable[ProtocolAdapter]) -> ExecutionTrace:
    """Put the reason of a revert into the words of the protocols reached: Aave's are numbers."""
    reason = trace.revert_reason
    for adapter in reached:
        if isinstance(adapter, ParameterSetter):
            reason = adapter.refusal(reason)
    return replace(trace, revert_reason=reason)


def _tried(sandbox: Sandbox, market: Market) -> tuple[Liveness | None, PriceSetting | None]:
    """Try every user action; None where the market's contracts do not allow to."""
    try:
        engine = open_engine(sandbox)
        setting = price_setting(sandbox, engine, lending_of(sandbox, market))
    except (ProtocolError, ChainError):
        setting = None
    try:
        return try_actions(sandbox, market, setting=setting), setting
    except (ProtocolError, ChainError):
        return None, setting


def _broken(sandbox: Sandbox, site: _Site, market: Market | None) -> tuple[str, ...] | None:
    """Name user actions that work before execution and not after; None if that is not known."""
    if site.liveness is None or site.before is None:
        return None
    try:
        after = try_actions(sandbox, market or site.before, setting=site.setting)
    except (ProtocolError, ChainError):
        return None
    return broken_actions(site.liveness, after, reading=market)


def _after(
    sandbox: Sandbox,
    site: _Site,
    trace: ExecutionTrace,
    cache: BorrowerCache,
    progress: Progress,
) -> Reading:
    before = site.today if site.before is None else site.before
    parameters = site.parameters or site.adapter.parameters(before)
    reading = Reading(
        adapter=site.adapter,
        root=site.root,
        before=before,
        after=None,
        parameters_before=parameters,
        parameters_after=(),
        histories=site.histories,
    )
    if not trace.succeeded:
        return reading
    try:
        market = site.adapter.read(sandbox, site.root, cache=cache, progress=progress.advance)
    except ProtocolError as error:
        return replace(reading, broken=_broken(sandbox, site, None), unreadable=str(error))
    if site.venues is not None and len(market.reserves) > len(site.today.reserves):
        # What was just listed was not among the assets whose depth was measured before.
        progress.stage("depth", f"quoting pools for what {site.adapter.name} lists now")
        market = measure_liquidity(sandbox, market, site.venues)
    progress.stage("actions", f"user actions of {site.adapter.name} after execution")
    return replace(
        reading,
        broken=_broken(sandbox, site, market),
        after=share_liquidity(site.today, market),
        parameters_after=site.adapter.parameters(market),
    )
