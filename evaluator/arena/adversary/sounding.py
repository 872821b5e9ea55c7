"""What moves the prices of a market, as an attacker uses it.

All of it was found by trying (see `evaluator.arena.oracle_probe`): a pool prices an
asset if trading there moves the price, a setter is open if a stranger's call moves it.
A feed is stuck at a factor if the price does not follow when what the feed is written
from moves by that factor.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from evaluator.arena.adversary.ground import Ground
from evaluator.arena.adversary.leaves import Leaves, find_leaves
from evaluator.arena.bundles import BLOCK_GAS
from evaluator.arena.oracle_findings import OracleProbe
from evaluator.arena.oracle_probe import probe_oracles
from evaluator.chain.simulation import SimulatedBlock
from evaluator.protocols.pools import Pool

FALLS = (0.5, 0.1, 0.01)  # prices over today's that the outside market is tried at
RISES = (4.0,)
WRITTEN = (8.0, 0.125)  # prices over today's that are written where anybody may write
_FOLLOWED = 0.05  # relative; a price this near to the market's has followed it


@dataclass(frozen=True, kw_only=True, slots=True)
class Setter:
    """A call by which a stranger changes a price."""

    token: str  # whose price, lower-case
    target: str  # contract called, lower-case
    data: bytes  # calldata
    ratio: float  # price over the price before


@dataclass(frozen=True, kw_only=True, slots=True)
class Gift:
    """A balance that a price is computed from."""

    priced: str  # token whose price it makes, lower-case
    given: str  # token to give, lower-case
    holder: str  # whom, lower-case


@dataclass(frozen=True, kw_only=True, eq=False)
class Sounding:
    """What was found out of a market's prices."""

    leaves: Leaves  # the feeds at the ends
    pool_priced: tuple[tuple[str, Pool, int], ...]  # token, pool, seconds until it shows
    stuck: tuple[tuple[str, float], ...]  # token and outside price ratio that is not reported
    setters: tuple[Setter, ...]  # open to anybody
    gifts: tuple[Gift, ...]  # balances to add to


def sound(ground: Ground, probes: Sequence[OracleProbe] | None = None) -> Sounding:
    """Find out what moves the prices of a ground, from `probes` if they were made already.

    Raises the ProtocolError and ChainError trees.
    """
    found = probe_oracles(ground.sandbox, ground.market) if probes is None else tuple(probes)
    leaves = find_leaves(ground, fixed={p.token for p in found if p.stuck})
    return Sounding(
        leaves=leaves,
        pool_priced=tuple(
            (p.token, ground.pools[source.pool], source.delay)
            for p in found
            for source in p.pools
            if source.pool in ground.pools
        ),
        stuck=tuple(_stuck(ground, leaves, found)),
        setters=tuple(_setters(found)),
        gifts=tuple(
            Gift(priced=p.token, given=g.token, holder=g.holder)
            for p in found
            for g in p.gifts
            if g.token in ground.tokens
        ),
    )


def _setters(probes: Sequence[OracleProbe]) -> Iterator[Setter]:
    for probe in probes:
        for one in probe.setters:
            if one.at is None:
                if one.ratio > 0.0:
                    yield Setter(
                        token=probe.token, target=one.contract, data=one.data, ratio=one.ratio
                    )
                continue
            for ratio in WRITTEN:
                yield Setter(
                    token=probe.token, target=one.contract, data=one.encode(ratio), ratio=ratio
                )


def _stuck(
    ground: Ground, leaves: Leaves, probes: Sequence[OracleProbe]
) -> Iterator[tuple[str, float]]:
    """Move what a feed is written from and see whether the protocol hears of it."""
    at = ground.timestamp + 12
    for probe in probes:
        spec = ground.market.reserves[probe.reserve].oracle
        bounded = (
            probe.stuck
            or max(probe.floor, spec.floor) > 0.0
            or min(probe.cap, spec.cap) < float("inf")
        )
        if probe.pools or not bounded or not leaves.movable(probe.token):
            continue
        ask = ground.lending.price(probe.reserve)
        # What is pegged can fall far and rises by no multiple.
        pegged = ground.market.reserves[probe.reserve].asset.pegged_to is not None
        for factor in FALLS if pegged else (*FALLS, *RISES):
            calls, overrides = leaves.scaled({probe.token: factor}, timestamp=at)
            block = SimulatedBlock(
                calls=(*calls, ask), overrides=tuple(overrides), timestamp=at, gas_limit=BLOCK_GAS
            )
            last = ground.engine.run([block])[0].calls[-1]
            price = int.from_bytes(last.return_data[:32], "big") if last.succeeded else 0
            # A price that cannot be read at all stops every action, which is no theft.
            if price and abs(price / probe.trace.raw / factor - 1.0) > _FOLLOWED:
                yield probe.token, factor
