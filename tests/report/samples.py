"""Six constructed reports, one for each kind of ending, and the attack strings."""

from __future__ import annotations

import math

from evaluator.market import Unit
from evaluator.report.manifest import (
    ActionSource,
    Manifest,
    ProposalSource,
    ResultDigest,
    StateDigest,
)
from evaluator.report.model import (
    ActionNode,
    AdversarySection,
    ArgumentRow,
    AssumptionRow,
    AttackRow,
    AttackTransactionRow,
    EventRow,
    ExecutionSection,
    ExecutionStepRow,
    FindingRow,
    Headline,
    JudgementRow,
    NotModelledRow,
    ParameterRow,
    PolicySection,
    ProposalSection,
    ReportModel,
    ReproduceSection,
    RoleChangeRow,
    StateChangeRow,
    TextRow,
    TransferRow,
)
from evaluator.report.odds import (
    CalibrationRow,
    ConformanceRow,
    ConformanceSection,
    Curves,
    EstimateRow,
    Fan,
    FanSeries,
    GreekRow,
    HurtRow,
    HurtSection,
    LiquidationMap,
    MarketSection,
    OddsRow,
    RareRow,
    SafeValueRow,
    ScenarioRow,
    Sensitivity,
    SensitivityRow,
    Series,
)

GOVERNOR = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
TIMELOCK = "0xe7f1725E7734CE288F8367e1Bb143E90bb3F0512"
POOL = "0x9fE46736679d2D9a65F0992F2272dE9f3c7fa6e0"
CONFIGURATOR = "0xCf7Ed3AccA5a467e9e704C703E8D87F634fB0Fc9"
WETH = "0x5FC8d32690cc91D4c39d9d3abcBD16989F875707"
HORIZON = 604_800.0
PATHS = 10_000


def account(i: int) -> str:
    return "0x" + f"{(i * 0x9E3779B97F4A7C15) % 2**160:040x}"


def estimate(value, half, unit="fraction", percentile=None, samples=PATHS):
    lower = max(0.0, value - half) if unit == "fraction" and value >= 0 else value - half
    return EstimateRow(
        value=value,
        lower=lower,
        upper=value + half,
        level=0.95,
        percentile=percentile,
        horizon=HORIZON,
        samples=samples,
        events=int(abs(value) * samples) if unit == "fraction" else 312,
        unit=unit,
    )


def odds_rows(chance, shortfall, liquidated, responding=None):
    """chance, shortfall, liquidated: (today, after, half width); responding likewise or None."""
    rows = []
    spec = (
        (
            "bad_debt_probability",
            "chance of any bad debt above 50,000 USD",
            chance,
            "fraction",
            None,
            True,
        ),
        (
            "expected_shortfall_99",
            "expected bad debt, worst 1% of paths",
            shortfall,
            "USD",
            0.99,
            True,
        ),
        ("liquidations_at_risk_95", "liquidated, worst 5% of paths", liquidated, "USD", 0.95, True),
        (
            "value_at_risk_99",
            "bad debt at the 99th percentile (VaR)",
            tuple(0.6 * v for v in shortfall),
            "USD",
            0.99,
            False,
        ),
    )
    for name, label, (today, after, half), unit, percentile, headline in spec:
        more = responding and responding.get(name)
        rows.append(
            OddsRow(
                name=name,
                label=label,
                today=estimate(today, half, unit, percentile),
                after_static=estimate(after, half, unit, percentile),
                after_responding=estimate(more[0], more[1], unit, percentile) if more else None,
                difference=estimate(after - today, half / 2, unit, percentile),
                difference_responding=estimate(more[0] - today, more[1] / 2, unit, percentile)
                if more
                else None,
                headline=headline,
            )
        )
    return tuple(rows)


def survival(today, after, responding=None):
    x = tuple(3600.0 * h for h in range(0, 169, 4))

    def line(name, p):
        s = tuple(1 - p * (t / HORIZON) ** 1.3 for t in x)
        band = [0.15 * (1 - v) + 1e-4 for v in s]
        return Series(
            name=name,
            value=s,
            lower=tuple(v - b for v, b in zip(s, band, strict=True)),
            upper=tuple(min(1.0, v + b) for v, b in zip(s, band, strict=True)),
        )

    series = [line("today", today), line("after, same borrowers", after)]
    if responding is not None:
        series.append(line("after, borrowers use the room", responding))
    return Curves(x=x, series=tuple(series), level=0.95)


def exceedance(today, after):
    x = tuple(10 ** (3 + 0.25 * k) for k in range(21))
    return Curves(
        x=x,
        series=tuple(
            Series(name=n, value=tuple(p / (1 + v / 2e6) for v in x))
            for n, p in (("today", today), ("after, same borrowers", after))
        ),
        level=None,
    )


def fan(after=1.4):
    time = tuple(3600.0 * h for h in range(0, 169, 12))
    levels = (0.9, 0.95, 0.99, 0.999)

    def quantiles(scale):
        return tuple(
            tuple(scale * 4e5 * (level - 0.88) * 10 * (t / HORIZON) for t in time)
            for level in levels
        )

    return Fan(
        time=time,
        levels=levels,
        series=(
            FanSeries(name="today", quantiles=quantiles(1.0)),
            FanSeries(name="after, same borrowers", quantiles=quantiles(after)),
        ),
    )


def liquidation_map(asset="WETH", shift=0.01):
    x = tuple(k / 50 for k in range(26))

    def debt(moved):
        return tuple(2.4e8 / (1 + math.exp(-18 * (v + moved - 0.28))) for v in x)

    return LiquidationMap(
        asset=asset,
        curves=Curves(
            x=x,
            series=(
                Series(name="today", value=debt(0.0)),
                Series(name="after", value=debt(shift)),
            ),
            level=None,
        ),
    )


def calibration(thin=False):
    return tuple(
        CalibrationRow(
            asset=a,
            process="jump diffusion",
            days=days,
            observations=int(days * 24),
            source="feed rounds",
            volatility=v,
            share_of_book=s,
            thin=thin and a == "CRV",
        )
        for a, days, v, s in (
            ("WETH", 365, 0.71, 0.42),
            ("WBTC", 365, 0.54, 0.2),
            ("USDC", 365, 0.004, 0.51),
            ("CRV", 40 if thin else 365, 1.2, 0.06),
        )
    )


def conformance(error=4e-7):
    return ConformanceSection(
        paths=60,
        largest_error=error,
        rows=(
            ConformanceRow(quantity="health factor", compared=400, largest_error=1e-12),
            ConformanceRow(quantity="bad debt", compared=60, largest_error=error),
        ),
    )


def market(**changes):
    base = {
        "name": "Aave V3",
        "protocol": "aave_v3",
        "address": POOL,
        "supplied_usd": 1.21e9,
        "debt_usd": 4.1e8,
        "reserves_usd": 1.3e6,
        "borrowers": 400,
        "unchanged": False,
        "hurt": HurtSection(users=0, debt_usd=0, share_of_debt=0, rows=(), borrowers=400),
        "odds": odds_rows((0.0031, 0.0034, 0.0004), (1.9e6, 2.1e6, 2.5e5), (2.12e8, 1.97e8, 4e6)),
        "survival": survival(0.0031, 0.0034),
        "loss_exceedance": exceedance(0.0031, 0.0034),
        "fan": fan(),
        "liquidation_maps": (liquidation_map(),),
        "calibration": calibration(),
        "conformance": conformance(),
    }
    return MarketSection(**(base | changes))


def manifest(verdict, **changes):
    base = {
        "source": ProposalSource(governor=GOVERNOR, proposal_id="214"),
        "proposal_digest": "ab" * 32,
        "chain_id": 31337,
        "chain_name": "embedded chain",
        "block": 1024,
        "block_hash": "0x" + "cd" * 32,
        "embedded": True,
        "seed": 0,
        "paths": PATHS,
        "scenario": None,
        "battery": {"horizon": HORIZON, "step": 3600.0, "liquidator_capital": "inf"},
        "policy_name": "default",
        "policy_digest": "ef" * 32,
        "states": (StateDigest(market=f"aave_v3 {POOL}", before="11" * 32, after="22" * 32),),
        "results": (ResultDigest(market=f"aave_v3 {POOL}", name="outcome", digest="33" * 32),),
        "verdict": verdict,
        "versions": {"seatrial": "0.1.0", "numpy": "2.0.0"},
    }
    return Manifest(**(base | changes))


def change(label, before, after, unit=Unit.FRACTION, asset="WETH", mentioned=True):
    return ParameterRow(
        path=f"aave_v3.{asset}.{label.replace(' ', '_')}",
        protocol="aave_v3",
        asset=asset,
        label=label,
        unit=unit,
        before=before,
        after=after,
        mentioned=mentioned,
    )


def action(signature="configureReserveAsCollateral(address,uint256,uint256,uint256)"):
    return ActionNode(
        target=CONFIGURATOR,
        label="Aave V3 PoolConfigurator",
        value="0",
        signature=signature,
        arguments=(
            ArgumentRow(name="asset", type="address", value=f"{WETH} (WETH)"),
            ArgumentRow(name="ltv", type="uint256", value="8050"),
            ArgumentRow(name="liquidationThreshold", type="uint256", value="8400"),
            ArgumentRow(name="liquidationBonus", type="uint256", value="10500"),
        ),
        calldata="0x7c4e560b" + "00" * 128,
    )


def judgement(
    kind, sentence, number, bound, rule="fail.bad_debt_chance_increase", source="battery"
):
    return JudgementRow(
        kind=kind, rule=rule, sentence=sentence, number=number, bound=bound, source=source
    )


def report(verdict, sentence, reason, judgements, **changes):
    m = changes.pop("manifest", manifest(verdict))
    description = changes.pop(
        "description",
        "# Raise the liquidation threshold of WETH\n\nThis proposal raises WETH's liquidation "
        "threshold from 82.5% to 84%. LTV stays at 80.5%.",
    )
    base = {
        "headline": Headline(verdict=verdict, sentence=sentence, reason=reason),
        "proposal": ProposalSection(
            title=changes.pop("title", "Raise the liquidation threshold of WETH"),
            description=description,
            family="OpenZeppelin Governor",
            governor=GOVERNOR,
            proposal_id="214",
            proposer=account(7),
            state="Active",
            chain_id=31337,
            chain_name="embedded chain",
            block=1024,
            block_hash=m.block_hash,
            timestamp=1_750_000_000,
            digest=m.proposal_digest,
        ),
        "policy": PolicySection(
            name="default",
            digest=m.policy_digest,
            judgements=tuple(judgements),
            not_judged=changes.pop("not_judged", ("whether user actions still work",)),
        ),
        "execution": ExecutionSection(
            succeeded=True,
            way="governance lifecycle",
            reason="",
            gas_used=212_345,
            steps=tuple(
                ExecutionStepRow(name=n, succeeded=True, gas_used=g, transaction="0x" + f"{g:064x}")
                for n, g in (("vote", 91_000), ("queue", 120_000), ("execute", 212_345))
            ),
            executed_first=(),
            notes=("price feeds were refreshed after 3 days",),
        ),
        "parameters": (change("liquidation threshold", 0.825, 0.84),),
        "markets": (market(),),
        "actions": (action(),),
        "events": (
            EventRow(
                contract=CONFIGURATOR,
                name="CollateralConfigurationChanged",
                arguments=(ArgumentRow(name="asset", type="address", value=WETH),),
            ),
        ),
        "state_changes": (
            StateChangeRow(
                contract=POOL,
                what="storage slot 0x2a",
                before="0x" + "01" * 32,
                after="0x" + "02" * 32,
            ),
        ),
        "role_changes": (),
        "transfers": (),
        "text_against_payload": (
            TextRow(
                statement="WETH's liquidation threshold from 82.5% to 84%",
                measured="WETH liquidation threshold 82.5% → 84%",
                result="agrees",
            ),
        ),
        "assumptions": (
            AssumptionRow(name="horizon", value="7 days", why="how long governance needs to react"),
            AssumptionRow(name="liquidators' capital", value="50M USD a step", why="default"),
        ),
        "notes": ("real bytecode, seeded state: the embedded chain's balances are invented",),
        "reproduce": ReproduceSection(
            command="seatrial replay manifest.json", digest=m.digest, manifest=m
        ),
    }
    return ReportModel(**(base | changes)).sealed()


def passing():
    return report(
        "PASS",
        "lowering WETH's LTV 80.5% → 79% changes the odds of bad debt by nothing that could "
        "be measured",
        "the chance of bad debt goes from 0.31% to 0.31% (same borrowers); the change stays "
        "below +0.5 pp",
        (
            judgement("PASS", "execution succeeds", "succeeded", "must succeed"),
            judgement(
                "PASS",
                "the chance of bad debt goes from 0.31% to 0.31%",
                "0 pp (-0.02 pp to +0.02 pp)",
                "+0.5 pp",
            ),
        ),
        title="Lower the LTV of WETH",
        description="Lower the LTV of WETH from 80.5% to 79%.",
        parameters=(change("LTV", 0.805, 0.79),),
        markets=(
            market(
                odds=odds_rows(
                    (0.0031, 0.0031, 0.0002), (1.9e6, 1.9e6, 1e5), (2.12e8, 2.12e8, 1e6)
                ),
                survival=survival(0.0031, 0.0031),
            ),
        ),
        adversary=AdversarySection(
            sequences=41_200, budget_usd=1e8, gain_usd=0, loss_usd=0, what="", confirmed=True
        ),
        not_judged=(),
    )


def caution():
    responding = {
        "bad_debt_probability": (0.0091, 0.0005),
        "expected_shortfall_99": (3.2e6, 3e5),
        "liquidations_at_risk_95": (2.41e8, 4e6),
    }
    return report(
        "CAUTION",
        "raising WETH's liquidation threshold 82.5% → 84% costs little in calm markets and adds "
        "to the tail loss once borrowers use the room",
        "the chance of bad debt goes from 0.31% to 0.91% (borrowers use the room); the increase "
        "is above +0.5 pp",
        (
            judgement(
                "CAUTION",
                "the chance of bad debt goes from 0.31% to 0.91% (borrowers use the room); the "
                "increase is above +0.5 pp",
                "+0.6 pp (+0.575 pp to +0.625 pp)",
                "+0.5 pp",
                rule="caution.share_of_fail_bounds of fail.bad_debt_chance_increase",
                source="battery, Aave V3, borrowers use the room, 10,000 paths, 95% intervals",
            ),
            judgement(
                "CAUTION",
                "WETH liquidation threshold: 84% is beyond 83.1%, the value that keeps today's "
                "odds (95% confidence)",
                "84%",
                "83.1%",
                rule="caution.beyond_safe_value",
                source="safe value, Aave V3",
            ),
            judgement("PASS", "execution succeeds", "succeeded", "must succeed"),
        ),
        parameters=(
            change("liquidation threshold", 0.825, 0.84),
            change("supply cap", 1_000_000.0, "no limit", Unit.TOKENS, mentioned=False),
        ),
        markets=(
            market(
                odds=odds_rows(
                    (0.0031, 0.0034, 0.0004),
                    (1.9e6, 2.1e6, 2.5e5),
                    (2.12e8, 1.97e8, 4e6),
                    responding,
                ),
                survival=survival(0.0031, 0.0034, 0.0091),
                scenarios=tuple(
                    ScenarioRow(
                        name=n,
                        what=w,
                        chance_today=estimate(a, 0.01),
                        chance_after=estimate(b, 0.01),
                        shortfall_today=estimate(5e6, 4e5, "USD", 0.99),
                        shortfall_after=estimate(7e6, 4e5, "USD", 0.99),
                    )
                    for n, w, a, b in (
                        ("black_thursday_2020", "ETH falls 43% in a day, gas rises", 0.31, 0.38),
                        ("depeg_2023", "USDC trades at 0.88 for two days", 0.05, 0.05),
                    )
                ),
                sensitivity=Sensitivity(
                    metric="expected bad debt, worst 1% of paths",
                    unit="USD",
                    base=2.1e6,
                    level=0.95,
                    horizon=HORIZON,
                    samples=256,
                    evaluations=371,
                    rows=(
                        SensitivityRow(
                            name="volatility",
                            low_setting="×0.5",
                            high_setting="×1.5",
                            low=2e5,
                            high=7.7e6,
                            first_order=0.71,
                            first_order_error=0.08,
                            total=0.82,
                            total_error=0.07,
                        ),
                        SensitivityRow(
                            name="depth",
                            low_setting="×2",
                            high_setting="×0.5",
                            low=1.4e6,
                            high=3.9e6,
                        ),
                        SensitivityRow(
                            name="liquidators' capital",
                            low_setting="no limit",
                            high_setting="10M USD",
                            low=2.0e6,
                            high=2.6e6,
                        ),
                    ),
                ),
                safe_values=(
                    SafeValueRow(
                        path="aave_v3.WETH.liquidation_threshold",
                        label="WETH liquidation threshold",
                        unit=Unit.FRACTION,
                        today=0.825,
                        proposed=0.84,
                        safe=0.831,
                        confidence=0.95,
                        beyond=True,
                    ),
                ),
                greeks=(
                    GreekRow(
                        name="delta",
                        what="WETH",
                        per="+1% of the price",
                        today=estimate(-21_000, 2_000, unit="USD"),
                        after=estimate(-24_000, 2_500, unit="USD"),
                    ),
                ),
                plausible_loss="WETH falls 38% over nine hours while gas rises sixfold",
                rare=(
                    RareRow(
                        state="today",
                        loss=6e6,
                        chance=estimate(2.1e-6, 3e-7),
                        expected=estimate(31, 4, unit="USD"),
                        relative_error=0.073,
                        effective=8.9e7,
                        drawn=16_000,
                        method="importance sampling (cross-entropy)",
                    ),
                ),
            ),
        ),
        adversary=AdversarySection(
            sequences=41_200,
            budget_usd=1e8,
            gain_usd=0,
            loss_usd=0,
            what="",
            confirmed=True,
            attacks=(
                AttackRow(
                    identifier="fedcba987654",
                    market="Aave V3",
                    pattern="push the pool that prices a collateral",
                    moves=(
                        "bring 3,200,000 USD of WETH",
                        "sell 100% of the held WETH for CRV at 0x3e66",
                        "supply 100% of the held CRV",
                        "borrow 99.9% of the borrowable USDC",
                    ),
                    sequence='{"moves": [], "pattern": "push the pool that prices a collateral"}',
                    protocol_loss_usd=2.1e6,
                    user_harm_usd=0.0,
                    frozen=(),
                    capital_usd=3.2e6,
                    profit_usd=1.9e6,
                    atomic=True,
                    paid_by="Uniswap V3 flash from 0xad17",
                    loan_profit_usd=1.8e6,
                    before_loss_usd=2.0e6,
                    open_today=True,
                    with_execution=True,
                    confirmed=True,
                    transactions=(
                        AttackTransactionRow(
                            what="sell, supply and borrow", sender=GOVERNOR, to=POOL, gas_used=1
                        ),
                    ),
                ),
            ),
            notes=("prices of GHO were not moved by the outside market",),
        ),
        text_against_payload=(
            TextRow(
                statement="WETH's liquidation threshold from 82.5% to 84%",
                measured="WETH liquidation threshold 82.5% → 84%",
                result="agrees",
            ),
            TextRow(
                statement="",
                measured="WETH supply cap 1,000,000 → no limit",
                result="not mentioned",
            ),
        ),
        not_modelled=(
            NotModelledRow(
                name="setText(bytes32,string,string)",
                what="an ENS resolver",
                irrelevant="an ENS record",
            ),
        ),
        findings=(
            FindingRow(
                identifier="0123456789ab",
                kind="change not mentioned",
                severity="medium",
                title="the description does not mention that WETH's supply cap changes",
                detail="WETH supply cap 1,000,000 → no limit",
                source="text",
            ),
        ),
    )


def failing():
    rows = tuple(
        HurtRow(
            account=account(i),
            health_factor_before=1.01 + 0.002 * i,
            health_factor_after=0.93 + 0.002 * i,
            collateral_usd=2.3e6 / i,
            debt_usd=1.7e6 / i,
        )
        for i in range(1, 26)
    )
    return report(
        "FAIL",
        "cutting WETH's liquidation threshold 82.5% → 76% makes 31 solvent users liquidatable "
        "in the block it executes",
        "31 users with 7.2M USD of debt (1.76% of all debt on Aave V3) can be liquidated at "
        "execution",
        (
            judgement(
                "FAIL",
                "31 users with 7.2M USD of debt (1.76% of all debt on Aave V3) can be liquidated "
                "at execution",
                "1.76%",
                "0.1%",
                rule="fail.liquidated_share_of_debt",
                source="health factors after execution, Aave V3",
            ),
            judgement("PASS", "execution succeeds", "succeeded", "must succeed"),
        ),
        title="Cut the liquidation threshold of WETH",
        description="Cut WETH's liquidation threshold to 76%.",
        parameters=(change("liquidation threshold", 0.825, 0.76),),
        markets=(
            market(
                hurt=HurtSection(
                    users=31, debt_usd=7.2e6, share_of_debt=0.0176, rows=rows, borrowers=400
                ),
                odds=odds_rows(
                    (0.0031, 0.0029, 0.0004), (1.9e6, 1.7e6, 2.5e5), (2.12e8, 2.97e8, 4e6)
                ),
                survival=survival(0.0031, 0.0029),
                liquidation_maps=(liquidation_map(shift=0.06),),
            ),
        ),
        role_changes=(
            RoleChangeRow(
                contract=TIMELOCK,
                what="owner",
                before=account(3),
                after=account(4),
                announced=False,
            ),
        ),
        transfers=(
            TransferRow(token="USDC", sender=TIMELOCK, recipient=account(9), amount="250,000"),
        ),
    )


def inconclusive():
    return report(
        "INCONCLUSIVE",
        "the proposal changes a contract no adapter knows",
        "no adapter knows the protocol at " + account(11),
        (
            judgement(
                "INCONCLUSIVE",
                "no adapter knows the protocol at " + account(11),
                account(11),
                "known",
                rule="unknown protocol",
                source="discovery",
            ),
        ),
        title="Set the fee tier",
        description="Set the fee tier to 3.",
        parameters=None,
        markets=(),
        actions=(
            ActionNode(
                target=account(11),
                label="",
                value="0",
                signature="",
                arguments=(),
                calldata="0xdeadbeef" + "00" * 31 + "03",
            ),
        ),
        not_modelled=(
            NotModelledRow(name="0xdeadbeef", what=f"a call to {account(11)}", irrelevant=""),
        ),
        not_judged=("reading a protocol's state", "the stress battery"),
        text_against_payload=None,
        assumptions=None,
    )


def reverting():
    return report(
        "FAIL",
        "the proposal reverts on execution and would change nothing",
        "execution reverts: AccessControl: account is missing role RISK_ADMIN",
        (
            judgement(
                "FAIL",
                "execution reverts: AccessControl: account is missing role RISK_ADMIN",
                "reverted",
                "must succeed",
                rule="fail.execution_reverts",
                source="execution, governance lifecycle",
            ),
        ),
        execution=ExecutionSection(
            succeeded=False,
            way="governance lifecycle",
            reason="AccessControl: account is missing role RISK_ADMIN",
            gas_used=91_234,
            steps=(
                ExecutionStepRow(
                    name="queue", succeeded=True, gas_used=120_000, transaction="0x" + "0a" * 32
                ),
                ExecutionStepRow(
                    name="execute", succeeded=False, gas_used=91_234, transaction="0x" + "0b" * 32
                ),
            ),
            executed_first=("213",),
            notes=(),
        ),
        parameters=None,
        markets=(),
        events=None,
        state_changes=None,
        role_changes=None,
        transfers=None,
        text_against_payload=None,
        assumptions=None,
        not_judged=(),
    )


def no_risk():
    return report(
        "PASS",
        "paying a grant of 40,000 USDC touches no market",
        "no risk parameter and no position reads differently after execution",
        (
            judgement("PASS", "execution succeeds", "succeeded", "must succeed"),
            judgement(
                "PASS",
                "no risk parameter and no position reads differently after execution",
                "unchanged",
                "unchanged",
                rule="market unchanged",
                source="readings before and after execution",
            ),
        ),
        title="Grant for the docs team",
        description="Pay 40,000 USDC to the docs team.",
        parameters=(),
        markets=(
            market(
                unchanged=True,
                odds=None,
                survival=None,
                loss_exceedance=None,
                fan=None,
                liquidation_maps=None,
                calibration=None,
                conformance=None,
            ),
        ),
        actions=(
            ActionNode(
                target=account(20),
                label="USDC",
                value="0",
                signature="transfer(address,uint256)",
                arguments=(
                    ArgumentRow(name="to", type="address", value=account(21)),
                    ArgumentRow(name="value", type="uint256", value="40000000000"),
                ),
                calldata="0xa9059cbb" + "00" * 64,
            ),
        ),
        transfers=(
            TransferRow(token="USDC", sender=TIMELOCK, recipient=account(21), amount="40,000"),
        ),
        not_modelled=(
            NotModelledRow(
                name="transfer(address,uint256)", what="USDC", irrelevant="a payment of tokens"
            ),
        ),
        not_judged=(),
        manifest=manifest(
            "PASS",
            source=ProposalSource(
                governor=GOVERNOR,
                proposer=account(7),
                actions=(
                    ActionSource(
                        target=account(20),
                        value="0",
                        signature="transfer(address,uint256)",
                        calldata="0x" + "00" * 64,
                    ),
                ),
                description="Pay 40,000 USDC to the docs team.",
            ),
        ),
    )


SAMPLES = {
    "pass": passing,
    "caution": caution,
    "fail": failing,
    "inconclusive": inconclusive,
    "reverting": reverting,
    "no_risk": no_risk,
}
