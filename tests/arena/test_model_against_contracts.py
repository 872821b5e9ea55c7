"""Random positions, prices and parameters: the model's arithmetic against the real contracts.

Every case is one simulated block: open a position, let governance change parameters,
let the feeds report, ask for the health factor, liquidate. No time passes in it, so
that nothing but rounding to base units may differ.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evaluator.arena.bundles import BLOCK_GAS, CALL_GAS, Simulated
from evaluator.arena.families import lending_of
from evaluator.arena.funds import balance_slot, funding
from evaluator.arena.lending import base_units
from evaluator.arena.pricing import price_setting
from evaluator.chain.abi import Abi
from evaluator.chain.simulation import SimulatedBlock, SimulatedCall, StateOverride
from evaluator.market import Book, close_factor, health_factors, largest_liquidation
from evaluator.market.health import debt_value

pytestmark = pytest.mark.chain

BORROWER = "0x5ea70000000000000000000000000000000000b0"
KEEPER = "0x5ea70000000000000000000000000000000000c0"
RELATIVE = 1e-9
EXAMPLES = 70

GOVERNANCE = Abi.parse(
    [
        "function configureReserveAsCollateral(address,uint256,uint256,uint256)",
        "function setLiquidationProtocolFee(address asset, uint256 fee)",
        "function _setCollateralFactor(address vToken, uint256 mantissa) returns (uint256)",
        "function _setCloseFactor(uint256 mantissa) returns (uint256)",
        "function _setLiquidationIncentive(uint256 mantissa) returns (uint256)",
    ]
)
POOL = Abi.parse(
    [
        "function setUserEMode(uint8 categoryId)",
        "event LiquidationCall(address indexed collateralAsset, address indexed debtAsset,"
        " address indexed user, uint256 debtToCover, uint256 liquidatedCollateralAmount,"
        " address liquidator, bool receiveAToken)",
    ]
)


@dataclass(frozen=True)
class Case:
    """One random position with what happens to it."""

    kind: str
    collateral: tuple[int, ...]  # indices into the usable collateral
    debt: tuple[int, ...]  # indices into the usable debts
    usd: float  # value of the collateral
    weights: tuple[float, ...]
    used: float  # share of the borrowing power
    jitter: tuple[float, ...]  # of every price
    health: float  # aimed at
    threshold: int  # basis points
    bonus: int  # basis points over 10000
    fee: int  # basis points
    close: int  # percent


KINDS = ("half", "full", "capped", "healthy", "dust", "emode")
# Health factors that a case of each kind is brought to.
AIMS = {
    "half": (0.955, 0.995),
    "full": (0.87, 0.945),
    "capped": (0.2, 0.6),
    "healthy": (1.02, 1.4),
    "dust": (0.5, 0.94),
    "emode": (0.8, 0.99),
}


@st.composite
def cases(draw):
    kind = draw(st.sampled_from(KINDS))
    share = st.floats(0.1, 1.0)
    return Case(
        kind=kind,
        collateral=tuple(draw(st.lists(st.integers(0, 50), min_size=1, max_size=3))),
        debt=tuple(draw(st.lists(st.integers(0, 50), min_size=1, max_size=2))),
        usd=draw(st.floats(0.01, 0.1)) if kind == "dust" else draw(st.floats(1e3, 5e5)),
        weights=tuple(draw(share) for _ in range(5)),
        used=draw(st.floats(0.3, 0.95)),
        jitter=tuple(draw(st.floats(0.8, 1.2)) for _ in range(9)),
        health=draw(st.floats(*AIMS[kind])),
        threshold=draw(st.integers(6000, 8000)),
        bonus=draw(st.integers(100, 1500)),
        fee=draw(st.sampled_from((0, 1000, 2500))),
        close=draw(st.integers(10, 90)),
    )


class Bench:
    """A market prepared for cases: funds, prices and what may be used."""

    def __init__(self, sandbox, market, deployment):
        self.sandbox, self.market, self.deployment = sandbox, market, deployment
        self.lending = lending_of(sandbox, market)
        self.engine = Simulated(sandbox)
        self.setting = price_setting(sandbox, self.engine, self.lending)
        places = []
        for a, reserve in enumerate(market.reserves):
            if self.lending.pays_in_native(a):
                continue
            for who in (BORROWER, KEEPER):
                slot = balance_slot(sandbox, reserve.asset.address, who)
                places.append((slot, base_units(market, a, 2e6 / reserve.asset.price)))
        self.funds = (
            *funding(places),
            *(StateOverride(address=a, balance=10**27) for a in (BORROWER, KEEPER)),
        )
        fine = [
            a
            for a, r in enumerate(market.reserves)
            if r.parameters.ltv > 0 and r.parameters.debt_ceiling == float("inf")
        ]
        self.collateral = fine
        self.debt = [a for a in fine if market.reserves[a].parameters.borrowing_enabled]
        self.native = {a for a in range(len(market.reserves)) if self.lending.pays_in_native(a)}

    def run(self, case, counts):
        aave = self.market.protocol == "aave_v3"
        emode = self.market.emodes[0].category if aave and case.kind == "emode" else 0
        inside = [
            a
            for a, r in enumerate(self.market.reserves)
            if emode and r.parameters.emode_category == emode
        ]
        own = inside or self.collateral
        collateral = list(dict.fromkeys(own[k % len(own)] for k in case.collateral))
        owing = [a for a in (inside or self.debt) if a not in collateral] or self.debt
        chosen = dict.fromkeys(owing[k % len(owing)] for k in case.debt)
        debt = [a for a in chosen if a not in collateral]
        if not debt:
            return
        prices = self.market.prices
        calls = []
        weights = case.weights[: len(collateral)]
        for a, w in zip(collateral, weights, strict=True):
            units = max(base_units(self.market, a, case.usd * w / sum(weights) / prices[a]), 1)
            calls += self.lending.supply(BORROWER, a, units).calls
            enter = self.lending.enter(BORROWER, a)
            calls += () if enter is None else enter.calls
        if emode:
            data = POOL.encode("setUserEMode", emode)
            calls.append(SimulatedCall(sender=BORROWER, to=self.market.address, data=data))
        power = case.usd * min(self.market.reserves[a].parameters.ltv for a in collateral)
        shares = case.weights[3 : 3 + len(debt)]
        for a, w in zip(debt, shares, strict=True):
            usd = power * case.used * w / sum(shares)
            units = max(base_units(self.market, a, usd / prices[a]), 1)
            calls += self.lending.borrow(BORROWER, a, units).calls
        changes, changed = self.governance(case, collateral)
        calls += changes
        opened = self.play(calls, (), collateral, debt, (), prices)
        book = self.book(opened, collateral, debt, emode)
        if book is None:
            counts["not opened"] += 1
            return
        market = replace(changed, book=book)
        # Prices that bring the position to the health factor aimed at, in whole 1e-8 USD.
        moved = prices * case.jitter[: len(prices)]
        factor = case.health / float(health_factors(market, moved)[0])
        for a in collateral:
            moved[a] *= factor
        moved = (moved * 1e8).round().clip(min=1.0) / 1e8
        market = replace(
            market,
            reserves=tuple(
                replace(r, asset=replace(r.asset, price=float(p)))
                for r, p in zip(market.reserves, moved, strict=True)
            ),
        )
        self.compare(case, market, calls, collateral, debt, emode, counts)

    def governance(self, case, collateral):
        """Calls that change parameters, and the market with them changed."""
        market, where = self.market, self.deployment
        p = {"liquidation_bonus": case.bonus / 1e4}
        calls = []
        if market.protocol == "aave_v3":
            p |= {"liquidation_threshold": case.threshold / 1e4, "protocol_fee": case.fee / 1e4}
            for a in collateral:
                token = market.reserves[a].asset.address
                args = (token, case.threshold - 500, case.threshold, 10_000 + case.bonus)
                data = [
                    GOVERNANCE.encode("configureReserveAsCollateral", *args),
                    GOVERNANCE.encode("setLiquidationProtocolFee", token, case.fee),
                ]
                calls += [
                    SimulatedCall(
                        sender=where.openzeppelin.timelock, to=where.aave.pool_configurator, data=d
                    )
                    for d in data
                ]
            touched, market = set(collateral), market
        else:
            data = [
                GOVERNANCE.encode("_setLiquidationIncentive", 10**18 + case.bonus * 10**14),
                GOVERNANCE.encode("_setCloseFactor", case.close * 10**16),
            ]
            calls += [
                SimulatedCall(sender=where.bravo.timelock, to=where.venus.comptroller, data=d)
                for d in data
            ]
            touched = set(range(len(market.reserves)))
            market = replace(market, close_factor=case.close / 100)
        reserves = tuple(
            replace(r, parameters=replace(r.parameters, **p)) if a in touched else r
            for a, r in enumerate(market.reserves)
        )
        return calls, replace(market, reserves=reserves)

    def play(self, calls, more, collateral, debt, moved, prices):
        """Run the block; returns results after `calls`: balances, then `more`."""
        at = self.sandbox.timestamp() + 12
        balances = [c for a in (*collateral, *debt) for c in self.lending.balances(BORROWER, a)]
        pushes = self.setting.put(prices, timestamp=at)[0] if len(moved) else ()
        every = [*calls, *balances, *pushes, *more]
        block = SimulatedBlock(
            calls=tuple(replace(c, gas=CALL_GAS) for c in every),
            timestamp=at,
            gas_limit=BLOCK_GAS,
            overrides=self.funds,
        )
        (result,) = self.engine.run([block])
        self.succeeded = [c.succeeded and not self.lending.refusal(c) for c in result.calls]
        start = len(calls)
        end = start + len(balances) + len(pushes)
        self.more = result.calls[end:]
        self.setup = result.calls[:start]
        return result.calls[start : start + len(balances)]

    def book(self, results, collateral, debt, emode):
        answers = [r.return_data for r in results]
        each = len(self.lending.balances(BORROWER, 0))
        rows = {
            a: self.lending.read_balances(a, answers[each * k : each * k + each])
            for k, a in enumerate((*collateral, *debt))
        }
        has = {a: rows[a].collateral for a in collateral}
        owes = {a: rows[a].debt for a in debt if rows[a].debt > 0.0}
        if not owes or not all(has.values()) or not all(self.succeeded[: len(self.setup)]):
            return None
        return Book.from_rows((BORROWER,), (has,), (owes,), (emode,))

    def compare(self, case, market, calls, collateral, debt, emode, counts):
        aave = market.protocol == "aave_v3"
        prices = market.prices
        c = max(collateral, key=lambda a: market.book.collateral.get(0, a) * prices[a])
        d = max(debt, key=lambda a: market.book.debt.get(0, a) * prices[a])
        expected = largest_liquidation(market, 0, collateral_asset=c, debt_asset=d, prices=prices)
        ours = float(health_factors(market, prices)[0])
        owed = float(debt_value(market, prices)[0])
        out, due = market.reserves[c].asset, market.reserves[d].asset
        ratio = prices[d] / prices[c] * (1.0 + market.liquidation_bonuses()[emode, c])
        unit_c, unit_d = 10.0**-out.decimals, 10.0**-due.decimals
        if not aave:  # the least that can be seized is a unit of the vToken
            unit_c = max(unit_c, 1e-8 * self.rate(c))
        # Venus cuts the ratio of amounts to 18 decimals, which are few where a debt token has
        # 18 itself: ComptrollerLens.liquidateCalculateSeizeTokens.
        cut = 0.0 if aave else unit_c / (ratio * unit_d) * 1e-18
        least = expected.repaid * (1.0 - RELATIVE) - unit_d - unit_c / ratio
        most = expected.repaid * (1.0 + RELATIVE + 2.0 * cut) + 2.0 * (unit_d + unit_c / ratio)
        offers = [10**30] if aave else [base_units(market, d, x) for x in (most, least)]
        steps = [
            self.lending.liquidate(KEEPER, BORROWER, collateral=c, debt=d, units=max(o, 1))
            for o in offers
        ]
        more = [self.lending.solvency(BORROWER)]
        for s in steps:
            more += s.calls
        views = self.lending.balances(BORROWER, c) + self.lending.balances(BORROWER, d)
        before = len(more)
        more = [more[0], *views, *more[1:], *views]
        self.play(calls, more, collateral, debt, (1,), prices)
        # Health factors; a contract counts in 1e-8 USD (Aave).
        said = self.lending.read_solvency(self.more[0].return_data).health_factor_for(owed)
        rounding = 1e-8 * (len(collateral) + len(debt) + 1) / owed if aave else 1e-12 / owed
        if not aave:
            rounding += sum(1e-8 * self.rate(a) * prices[a] for a in collateral) * 1e-2 / owed
        assert said == pytest.approx(ours, rel=RELATIVE, abs=rounding * max(ours, 1.0) * 2)
        counts["health"] += 1
        tries, at = [], 1 + len(views)
        for s in steps:
            at += len(s.calls)
            tries.append(self.more[at - 1])
        assert at == before + len(views)
        done = [t for t in tries if t.succeeded and self.lending.liquidated(t.logs)]
        if ours >= 1.0:
            assert not done
            assert expected.repaid == 0.0
            counts["healthy"] += 1
            return
        if not aave and offers[1] <= 0:
            counts["less than a unit"] += 1
            return
        assert tries[-1] in done, (case, [self.lending.refusal(t) for t in tries])
        if not aave:
            assert tries[0] not in done
        had, owed_d = self.pair(self.more[1 : 1 + len(views)], c, d)
        has, owes_d = self.pair(self.more[at : at + len(views)], c, d)
        repaid, seized = owed_d - owes_d, had - has
        if aave:
            assert repaid == pytest.approx(expected.repaid, rel=RELATIVE, abs=2 * unit_d)
            share = expected.seized
            (event,) = [
                e
                for e in map(POOL.decode_log, done[-1].logs)
                if e is not None and e.name == "LiquidationCall"
            ]
            received = event["liquidatedCollateralAmount"] / 10**out.decimals
            slack = 2 * (unit_c + unit_d * ratio)
            assert received == pytest.approx(expected.received, rel=RELATIVE, abs=slack)
        else:
            share = repaid * ratio
        slack = 2 * (unit_c + unit_d * ratio) + cut * share
        assert seized == pytest.approx(share, rel=RELATIVE, abs=slack)
        full = close_factor(market, ours) == 1.0
        capped = expected.seized >= market.book.collateral.get(0, c) * (1.0 - 1e-12)
        counts["full close" if full else "part close"] += 1
        counts["capped" if capped else "not capped"] += 1
        counts["fee" if expected.protocol_fee > 0.0 else "no fee"] += 1
        counts["emode"] += bool(emode)
        counts["dust"] += owed < 1.0
        counts["several assets"] += len(collateral) > 1

    def rate(self, a):
        """Whole tokens of the underlying for one whole vToken (8 decimals)."""
        vtoken = self.market.reserves[a].receipt_token
        raw = self.sandbox.call(vtoken, bytes.fromhex("182df0f5"))
        return int.from_bytes(raw, "big") / 10 ** (18 + self.market.reserves[a].asset.decimals - 8)

    def pair(self, results, c, d):
        """Collateral in c and debt in d, from views of both."""
        each = len(results) // 2
        answers = [r.return_data for r in results]
        return (
            self.lending.read_balances(c, answers[:each]).collateral,
            self.lending.read_balances(d, answers[each:]).debt,
        )


def hold(bench):
    counts = Counter()

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(cases())
    def check(case):
        bench.run(case, counts)

    check()
    return counts


def test_aave_v3(read_only_sandbox, aave_market, deployment):
    counts = hold(Bench(read_only_sandbox, aave_market, deployment))
    for rule in (
        "health", "healthy", "full close", "part close", "capped", "not capped",
        "fee", "no fee", "emode", "dust", "several assets",
    ):  # fmt: skip
        assert counts[rule] > 0, (rule, counts)


def test_compound_v2(read_only_sandbox, venus_market, deployment):
    counts = hold(Bench(read_only_sandbox, venus_market, deployment))
    for rule in ("health", "healthy", "part close", "capped", "not capped", "several assets"):
        assert counts[rule] > 0, (rule, counts)
