"""One path of the battery as blocks of transactions, and what the contracts make of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from evaluator.arena.board import purse_call, purse_code
from evaluator.arena.bundles import BLOCK_GAS, CALL_GAS, BundleEngine
from evaluator.arena.conformance import ReplayedLiquidation, ReplayedPath
from evaluator.arena.funds import BalanceSlot, balance_slot, funding
from evaluator.arena.lending import Lending, base_units
from evaluator.arena.pricing import PriceSetting
from evaluator.arena.recording import RecordedLiquidation, RecordedPath
from evaluator.chain.sandbox import Sandbox
from evaluator.chain.simulation import (
    SimulatedBlock,
    SimulatedBlockResult,
    SimulatedCall,
    SimulatedCallResult,
    StateOverride,
)
from evaluator.market import Family
from evaluator.market.book import FloatArray
from evaluator.protocols.fixed_point import UINT256_MAX
from evaluator.stress.battery import Battery
from evaluator.stress.price_process import YEAR

LIQUIDATOR = "0x5ea7000000000000000000000000000000000001"
# Collateral worth less than this share of the debt is read again at the horizon.
MARGIN = 1.05
# Compound's contracts refuse what is too much: they are offered these multiples in turn.
_RUNGS = tuple(3**k * 10.0**-n for n in range(9, 1, -1) for k in (0, 1))


@dataclass(frozen=True, kw_only=True)
class Liquidator:
    """Who repays, and the slots that are filled to let it."""

    overrides: tuple[StateOverride, ...]  # of the first block
    unfunded: frozenset[int]  # reserves whose token could not be given
    notes: tuple[str, ...]  # for the report

    @classmethod
    def of(cls, sandbox: Sandbox, lending: Lending) -> Liquidator:
        places: list[tuple[BalanceSlot, int]] = []
        unfunded = set()
        for a, reserve in enumerate(lending.market.reserves):
            if lending.pays_in_native(a):
                continue
            place = balance_slot(sandbox, reserve.asset.address, LIQUIDATOR)
            if place is None:
                unfunded.add(a)
            else:
                enough = 10 * base_units(lending.market, a, reserve.borrowed + reserve.supplied)
                places.append((place, enough + 10**reserve.asset.decimals))
        missing = [lending.market.symbols[a] for a in sorted(unfunded)]
        notes = (
            (
                f"No balance slot was found in {', '.join(missing)}: liquidations that repay "
                "them were not sent and count as refused.",
            )
            if missing
            else ()
        )
        return cls(overrides=funding(places), unfunded=frozenset(unfunded), notes=notes)


@dataclass
class _Block:
    """Calls of one step while they are put together."""

    step: int
    calls: list[SimulatedCall] = field(default_factory=list)
    overrides: list[StateOverride] = field(default_factory=list)

    def add(self, calls: Sequence[SimulatedCall]) -> range:
        """Append calls; returns where they are."""
        start = len(self.calls)
        self.calls += calls
        return range(start, len(self.calls))


@dataclass(frozen=True)
class _Attempt:
    """Where the calls around one liquidation are in its block."""

    number: int  # of the liquidation
    solvency: range
    before: tuple[range, range]  # balances of the collateral, of the debt
    tries: range  # the liquidation itself, once or more
    after: tuple[range, range]
    left: tuple[tuple[int, range], ...]  # (asset, balances) of debts that nothing pays any more


@dataclass
class ReplayScript:
    """One path as blocks of transactions, and what becomes of them."""

    sandbox: Sandbox
    lending: Lending
    setting: PriceSetting
    liquidator: Liquidator
    recorded: RecordedPath
    battery: Battery

    def play(self, engine: BundleEngine, *, worst: bool) -> ReplayedPath:
        """Write the blocks, run them, and read what came of it."""
        recorded = self.recorded
        horizon = self.battery.steps
        by_step: dict[int, list[int]] = {}
        for k, noted in enumerate(recorded.liquidations):
            by_step.setdefault(noted.step, []).append(k)
        blocks = {step: _Block(step=step) for step in sorted({*by_step, horizon})}
        attempts: dict[int, list[_Attempt]] = {}
        for step, numbers in by_step.items():
            block = blocks[step]
            calls, overrides = self.setting.put(
                recorded.oracle[step], timestamp=self._timestamp(step)
            )
            block.add(calls)
            block.overrides += overrides
            block.add(self.lending.accrue())
            attempts[step] = [self._attempt(block, k) for k in numbers]
        last = blocks[horizon]
        if horizon not in by_step:
            last.add(self.lending.accrue())
        final = {i: self._everything(last, i) for i in self._left_at_horizon()}
        first = next(iter(blocks.values()))
        first.overrides += self.liquidator.overrides
        results = dict(
            zip(blocks, engine.run([self._simulated(b) for b in blocks.values()]), strict=True)
        )
        rows, recognised, gas = [], 0.0, 0
        for step, made in attempts.items():
            for attempt in made:
                row, left, used = self._row(attempt, results[step])
                rows.append(row)
                recognised += left
                gas += used
        at_horizon = sum(
            self._bad_debt(results[horizon], places, horizon) for places in final.values()
        )
        return ReplayedPath(
            path=recorded.path,
            worst=worst,
            liquidations=tuple(rows),
            liquidated_model=recorded.result.liquidated,
            liquidated_contract=sum(
                r.repaid_contract * float(recorded.oracle[x.step][x.debt])
                for r, x in zip(rows, recorded.liquidations, strict=True)
            ),
            bad_debt_model=recorded.result.bad_debt,
            bad_debt_contract=recognised + at_horizon,
            accounts_at_horizon=len(final),
            gas_used=gas,
        )

    def _left_at_horizon(self) -> list[int]:
        """Positions whose bad debt, if any, is counted at the horizon."""
        emptied = {position for _, position in self.recorded.recognised}
        return [i for i in self.recorded.insolvent if i not in emptied]

    def _timestamp(self, step: int) -> int:
        return self.lending.market.timestamp + round(step * self.battery.step)

    def _number(self, step: int) -> int | None:
        """Block number of a step, where interest runs by blocks."""
        market = self.lending.market
        if market.family is not Family.COMPOUND_V2:
            return None
        said = [p.value for p in market.particulars if p.name == "blocks_per_year"]
        numbers = [float(v) for v in said if isinstance(v, int | float) and v > 0]
        per_year = numbers[0] if numbers else YEAR / 12.0
        return market.block + max(round(step * self.battery.step * per_year / YEAR), step)

    def _simulated(self, block: _Block) -> SimulatedBlock:
        return SimulatedBlock(
            calls=tuple(
                SimulatedCall(
                    sender=c.sender, to=c.to, data=c.data, value=c.value, gas=c.gas or CALL_GAS
                )
                for c in block.calls
            ),
            number=self._number(block.step),
            timestamp=self._timestamp(block.step),
            gas_limit=BLOCK_GAS,
            overrides=tuple(block.overrides),
        )

    # ---------------------------------------------------------------- writing

    def _attempt(self, block: _Block, k: int) -> _Attempt:
        noted, lending = self.recorded.liquidations[k], self.lending
        account = lending.market.book.accounts[noted.position]

        def both() -> tuple[range, range]:
            return (
                block.add(lending.balances(account, noted.collateral)),
                block.add(lending.balances(account, noted.debt)),
            )

        solvency = block.add((lending.solvency(account),))
        before = both()
        tries = self._tries(block, k, noted, account)
        after = both()
        left: tuple[tuple[int, range], ...] = ()
        if (k, noted.position) in self.recorded.recognised:
            left = tuple(
                (a, block.add(lending.balances(account, a))) for a in self._debts(noted.position)
            )
        return _Attempt(
            number=k, solvency=solvency, before=before, tries=tries, after=after, left=left
        )

    def _tries(self, block: _Block, k: int, noted: RecordedLiquidation, account: str) -> range:
        lending = self.lending
        if noted.debt in self.liquidator.unfunded:
            return range(0)
        native = lending.pays_in_native(noted.debt)
        offers = self._offers(noted)
        # The native coin cannot be allowed in part: a purse of its own bounds it.
        sender = f"0x5ea7{k + 2:036x}" if native else LIQUIDATOR
        if native:
            block.overrides.append(
                StateOverride(address=sender, balance=offers[0], code=purse_code())
            )
        steps = [
            lending.liquidate(
                sender, account, collateral=noted.collateral, debt=noted.debt, units=units
            )
            for units in offers
        ]
        # The first offer's allowance is all there is, so that only one of them can be taken.
        block.add(steps[0].calls[:-1])
        actions = [s.action for s in steps]
        if native:
            actions = [
                SimulatedCall(sender=LIQUIDATOR, to=sender, data=purse_call(a.to, a.value, a.data))
                for a in actions
            ]
        return block.add(actions)

    def _offers(self, noted: RecordedLiquidation) -> list[int]:
        """Amounts to offer in turn until one is taken, base units."""
        market = self.lending.market
        units = base_units(market, noted.debt, noted.repaid)
        if market.family is Family.AAVE_V3:
            return [UINT256_MAX if noted.largest else units]
        above = [1.0 + r for r in reversed(_RUNGS)] if noted.largest else []
        below = [1.0 - r for r in _RUNGS]
        offers = [*(round(units * m) for m in above), units, *(int(units * m) for m in below)]
        return list(dict.fromkeys(x for x in offers if x > 0)) or [1]

    def _everything(self, block: _Block, position: int) -> tuple[tuple[int, range], ...]:
        """Balances of every asset a position has or owes."""
        account = self.lending.market.book.accounts[position]
        c, d = self.lending.market.book.collateral, self.lending.market.book.debt
        assets = {
            int(a)
            for side in (c, d)
            for a in side.asset[int(side.indptr[position]) : int(side.indptr[position + 1])]
        }
        return tuple((a, block.add(self.lending.balances(account, a))) for a in sorted(assets))

    def _debts(self, position: int) -> list[int]:
        d = self.lending.market.book.debt
        return [int(a) for a in d.asset[int(d.indptr[position]) : int(d.indptr[position + 1])]]

    # ---------------------------------------------------------------- reading

    def _row(
        self, attempt: _Attempt, result: SimulatedBlockResult
    ) -> tuple[ReplayedLiquidation, float, int]:
        """The comparison, USD of debt left without collateral, and gas used."""
        noted, market = self.recorded.liquidations[attempt.number], self.lending.market
        (said,) = _of(result, attempt.solvency)
        health = math.nan
        if said.succeeded:
            solvency = self.lending.read_solvency(said.return_data)
            health = solvency.health_factor_for(noted.debt_value)
        had, owed = (
            self._balance(result, place, asset)
            for place, asset in zip(attempt.before, (noted.collateral, noted.debt), strict=True)
        )
        has, owes = (
            self._balance(result, place, asset)
            for place, asset in zip(attempt.after, (noted.collateral, noted.debt), strict=True)
        )
        tried = _of(result, attempt.tries)
        taken = [t for t in tried if t.succeeded and self.lending.liquidated(t.logs)]
        refused = ""
        if not taken:
            reasons = [self.lending.refusal(t) for t in tried[-1:]]
            refused = (reasons[0] if reasons else "the token could not be given") or "no reason"
        row = ReplayedLiquidation(
            step=noted.step,
            account=market.book.accounts[noted.position],
            collateral=market.symbols[noted.collateral],
            debt=market.symbols[noted.debt],
            debt_value=noted.debt_value,
            value=noted.repaid * float(self.recorded.oracle[noted.step][noted.debt]),
            health_model=noted.health_factor,
            health_contract=health,
            repaid_model=noted.repaid,
            repaid_contract=owed[1] - owes[1] if taken else 0.0,
            seized_model=noted.seized,
            seized_contract=had[0] - has[0] if taken else 0.0,
            refused=refused,
        )
        prices = self.recorded.market[noted.step]
        left = sum(
            self._balance(result, place, a)[1] * float(prices[a]) for a, place in attempt.left
        )
        return row, left, sum(t.gas_used for t in taken)

    def _balance(
        self, result: SimulatedBlockResult, place: range, asset: int
    ) -> tuple[float, float]:
        """Collateral and debt in whole tokens; not a number where a contract did not say."""
        answers = _of(result, place)
        if not all(a.succeeded for a in answers):
            return math.nan, math.nan
        read = self.lending.read_balances(asset, [a.return_data for a in answers])
        return read.collateral, read.debt

    def _bad_debt(
        self, result: SimulatedBlockResult, places: Sequence[tuple[int, range]], step: int
    ) -> float:
        prices: FloatArray = self.recorded.market[step]
        market = self.lending.market
        value = 0.0
        for a, place in places:
            has, owes = self._balance(result, place, a)
            # Aave: collateral without a threshold of its own cannot be seized.
            seizable = (
                market.family is not Family.AAVE_V3
                or market.reserves[a].parameters.liquidation_threshold > 0.0
            )
            value += (owes - (has if seizable else 0.0)) * float(prices[a])
        return max(value, 0.0)


def _of(result: SimulatedBlockResult, place: range) -> list[SimulatedCallResult]:
    return [result.calls[i] for i in place]
