"""A squeeze repeated with real transactions: the position is opened and the path replayed."""

from __future__ import annotations

from dataclasses import dataclass, replace

from evaluator.arena.families import lending_of
from evaluator.arena.funds import give
from evaluator.arena.lending import Step, base_units
from evaluator.arena.replay import replay_paths
from evaluator.arena.squeeze import squeeze_battery
from evaluator.arena.squeeze_position import (
    ADVERSARY,
    Squeeze,
    SqueezePath,
    touching,
    with_position,
)
from evaluator.chain.receipts import Receipt
from evaluator.chain.sandbox import Sandbox
from evaluator.errors import IncompleteState
from evaluator.market import Market
from evaluator.stress.battery import Battery
from evaluator.stress.universe import Universe

LEAST_SHARE = 0.5  # of the model's loss that the contracts must show


@dataclass(frozen=True, kw_only=True, slots=True)
class SqueezeReplay:
    """What the contracts made of a squeeze."""

    loss_model: float  # USD of bad debt with the position less without it, by the model
    loss_contract: float  # the same on the contracts
    liquidations: int  # of the path with the position
    refused: int  # of them, by the contracts
    transactions: tuple[Receipt, ...]  # mined ones that opened the position

    @property
    def confirmed(self) -> bool:
        """Whether the contracts lose about what the model says."""
        return self.loss_contract >= LEAST_SHARE * self.loss_model > 0.0


def replay_squeeze(
    sandbox: Sandbox, after: Market, squeeze: Squeeze, *, battery: Battery | None = None
) -> SqueezeReplay:
    """Open the position on a fork of the sandbox and replay its path there.

    `after` was read at the sandbox's head, which stays as it is. Raises IncompleteState
    where tokens cannot be given or prices not be set, TransactionReverted where the
    contracts refuse the position, and the rest of the ChainError tree.
    """
    behaviour = squeeze_battery(Battery() if battery is None else battery)
    thin = after.index(squeeze.thin)
    with Sandbox.fork(sandbox.rpc.urls) as fork:
        alone = touching(after, thin)
        model_alone, contract_alone, *_ = _replayed(fork, alone, squeeze, thin, behaviour)
        receipts = open_position(fork, after, squeeze)
        moved = replace(after, timestamp=fork.timestamp(), block=fork.block_number())
        crowd = with_position(touching(moved, thin), squeeze.position)
        model, contract, liquidations, refused = _replayed(fork, crowd, squeeze, thin, behaviour)
    return SqueezeReplay(
        loss_model=model - model_alone,
        loss_contract=contract - contract_alone,
        liquidations=liquidations,
        refused=refused,
        transactions=receipts,
    )


def open_position(sandbox: Sandbox, market: Market, squeeze: Squeeze) -> tuple[Receipt, ...]:
    """Supply and borrow as the adversary, with mined transactions; its collateral is a gift."""
    lending, position = lending_of(sandbox, market), squeeze.position
    c, d = market.index(position.collateral), market.index(position.debt)
    supplied = base_units(market, c, position.supplied)
    if lending.pays_in_native(c):
        sandbox.set_balance(ADVERSARY, 2 * supplied + 10**18)
    else:
        give(sandbox, market.reserves[c].asset.address, ADVERSARY, supplied)
    sandbox.mine()
    steps: list[Step | None] = [
        lending.supply(ADVERSARY, c, supplied),
        lending.enter(ADVERSARY, c),
        lending.borrow(ADVERSARY, d, base_units(market, d, position.borrowed)),
    ]
    calls = [call for step in steps if step is not None for call in step.calls]
    receipts = tuple(
        sandbox.send(call.sender, call.to, call.data, value=call.value) for call in calls
    )
    # The Compound family answers an error instead of reverting.
    owed = lending.read_balances(
        d, [sandbox.call(v.to, v.data) for v in lending.balances(ADVERSARY, d)]
    )
    if owed.debt < 0.99 * position.borrowed:
        raise IncompleteState(
            f"the contracts lent {owed.debt:,.6g} {position.debt} of {position.borrowed:,.6g}: the "
            "position of the squeeze cannot be opened"
        )
    return receipts


def _replayed(
    sandbox: Sandbox, market: Market, squeeze: Squeeze, thin: int, battery: Battery
) -> tuple[float, float, int, int]:
    """Bad debt by the model and by the contracts, liquidations, and how many were refused."""
    universe = Universe.of(market, market)
    process = SqueezePath(
        column=int(universe.after[thin]),
        columns=len(universe.assets),
        moves=((squeeze.factor, squeeze.hours),),
    )
    conformance = replay_paths(
        sandbox,
        before=market,
        after=market,
        battery=battery,
        process=process,
        seed=0,
        paths=[0],
        worst=[0],
    )
    (path,) = conformance.paths
    return (
        path.bad_debt_model,
        path.bad_debt_contract,
        len(path.liquidations),
        path.refused,
    )
