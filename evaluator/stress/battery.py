"""The settings of a stress battery: what is run, and how everybody behaves in it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from evaluator.errors import ConfigurationError
from evaluator.stress.processes.process import Sampling


class Event(StrEnum):
    """What happens inside one step; `Battery.order` says in which order."""

    REFILL = "refill"  # arbitrageurs bring pools back towards the undisturbed price
    PRICES = "prices"  # market prices move: exogenous price times impact of the inventory
    ORACLE = "oracle"  # oracles look at the market and report
    INTEREST = "interest"  # debts and deposits grow at the rates of current utilisation
    SUPPLIERS = "suppliers"  # suppliers run when utilisation is high
    BORROWERS = "borrowers"  # borrowers near liquidation repay from their own pockets
    LIQUIDATIONS = "liquidations"  # liquidators compete for positions below 1


DEFAULT_ORDER = (
    Event.REFILL,
    Event.PRICES,
    Event.ORACLE,
    Event.INTEREST,
    Event.SUPPLIERS,
    Event.BORROWERS,
    Event.LIQUIDATIONS,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Battery:
    """A stress battery: horizon, sample, and the behaviour of everybody but the protocol.

    Money is USD, times are seconds, shares and elasticities are plain
    numbers. Raises ConfigurationError when a value makes no sense.
    """

    # --- what is run
    horizon: float = 604_800.0  # s simulated
    step: float = 3_600.0  # s between two looks at everything (the monitoring step)
    paths: int = 10_000  # price paths, the same for every parameter set compared
    process: str = "jump_diffusion"  # name of the price process
    scenario: str | None = None  # name of a scenario laid over the process, None for none
    sampling: Sampling = Sampling.PSEUDO  # of the paths; intervals are made for it
    level: float = 0.95  # confidence level of every interval
    insolvency_threshold: float = 50_000.0  # USD of new bad debt that counts as insolvency
    order: tuple[Event, ...] = DEFAULT_ORDER  # of events inside a step, each exactly once

    # --- liquidators
    liquidator_capital: float = 50e6  # USD of debt they can repay in a step, inf for no limit
    keepers_absent: bool = False  # True: nobody liquidates
    attempts: int = 3  # liquidations of one position in a step, at most
    size_halvings: int = 6  # how often a size that does not pay is halved before giving up
    least_profit: float = 0.0  # USD a liquidation must earn above its costs

    # --- gas and congestion
    liquidation_gas: float = 500_000.0  # gas units of one liquidation with its swaps
    gas_price: float = 0.0  # wei at the start; 0 takes the market's
    least_gas_price: float = 1e9  # wei; floor of the gas price
    # Gas price is multiplied by (highest / lowest native price in the window) ** elasticity.
    # 3.2 makes a day of -43% cost six times the gas, as on 2020-03-12.
    gas_elasticity: float = 3.2
    gas_window: float = 86_400.0  # s the range of prices is taken over
    # Share of liquidations that get into blocks is (gas multiple) ** -elasticity.
    inclusion_elasticity: float = 0.5

    # --- market depth
    refill_half_life: float = 3_600.0  # s until half of an imbalance has been traded away
    depth_factor: float = 1.0  # depth of every pool relative to today's
    # LPs leave: depth is multiplied by (highest / lowest price in gas_window) ** -elasticity.
    depth_elasticity: float = 0.0

    # --- oracles
    latency_steps: int = 0  # steps every oracle is later than its own specification says

    # --- a manipulator, who trades so that one pool's price is held away from the rest
    manipulated: str = ""  # symbol, "" for nobody
    manipulation_factor: float = 1.0  # price held over undisturbed price
    manipulation_start: int = 1  # first step of it
    manipulation_steps: int = 0  # steps it is held for; `manipulation` says what that costs

    # --- suppliers
    supplier_run_above: float = 0.95  # utilisation above which suppliers try to leave
    supplier_run_rate: float = 0.0  # share of supply that asks to leave in a step of run

    # --- borrowers
    top_up_share: float = 0.0  # share of borrowers who watch their position
    top_up_below: float = 1.05  # health factor at which they act
    top_up_to: float = 1.15  # health factor they restore by repaying

    def __post_init__(self) -> None:
        positive = {
            "horizon": self.horizon,
            "step": self.step,
            "paths": self.paths,
            "liquidator_capital": self.liquidator_capital,
            "attempts": self.attempts,
            "refill_half_life": self.refill_half_life,
            "depth_factor": self.depth_factor,
            "gas_window": self.gas_window,
            "supplier_run_above": self.supplier_run_above,
            "top_up_below": self.top_up_below,
            "manipulation_factor": self.manipulation_factor,
        }
        for name, value in positive.items():
            if not value > 0:
                raise ConfigurationError(f"battery: {name} must be above 0, got {value}")
        not_negative = {
            "insolvency_threshold": self.insolvency_threshold,
            "size_halvings": self.size_halvings,
            "least_profit": self.least_profit,
            "liquidation_gas": self.liquidation_gas,
            "gas_price": self.gas_price,
            "least_gas_price": self.least_gas_price,
            "gas_elasticity": self.gas_elasticity,
            "inclusion_elasticity": self.inclusion_elasticity,
            "depth_elasticity": self.depth_elasticity,
            "latency_steps": self.latency_steps,
            "manipulation_start": self.manipulation_start,
            "manipulation_steps": self.manipulation_steps,
        }
        for name, value in not_negative.items():
            if not value >= 0 or (math.isinf(value)):
                raise ConfigurationError(f"battery: {name} must be 0 or more, got {value}")
        for name, share in {
            "supplier_run_rate": self.supplier_run_rate,
            "top_up_share": self.top_up_share,
        }.items():
            if not 0.0 <= share <= 1.0:
                raise ConfigurationError(f"battery: {name} is a share in [0, 1], got {share}")
        if not 0.0 < self.level < 1.0:
            raise ConfigurationError(f"battery: level must lie in (0, 1), got {self.level}")
        if not self.top_up_to >= self.top_up_below >= 1.0:
            raise ConfigurationError(
                "battery: 1 <= top_up_below <= top_up_to expected, got "
                f"{self.top_up_below} and {self.top_up_to}"
            )
        if sorted(self.order) != sorted(Event):
            raise ConfigurationError(
                "battery: order must name each event once ("
                + ", ".join(Event)
                + "), got "
                + ", ".join(self.order)
            )
        ratio = self.horizon / self.step
        if abs(ratio - round(ratio)) > 1e-9 * ratio or round(ratio) < 1:
            raise ConfigurationError(
                f"battery: the horizon ({self.horizon:g} s) must be a whole number of steps "
                f"({self.step:g} s)"
            )

    @property
    def steps(self) -> int:
        """Number of steps from the start to the horizon."""
        return round(self.horizon / self.step)

    @property
    def refill_decay(self) -> float:
        """Share of an imbalance that is left after one step."""
        return float(0.5 ** (self.step / self.refill_half_life))
