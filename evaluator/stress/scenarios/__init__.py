"""Scenarios: named courses of events that are laid over any price process.

>>> scenario = find_scenario("black_thursday")
>>> process = scenario.apply(process, assets)
>>> battery = scenario.apply_battery(battery)
>>> before, after = scenario.apply_market(before), scenario.apply_market(after)
"""

from evaluator.stress.scenarios.library import (
    find_scenario,
    load_scenario,
    parse_scenario,
    scenario_names,
)
from evaluator.stress.scenarios.scenario import (
    OracleChange,
    OverlaidProcess,
    Override,
    Scenario,
    Shock,
    Target,
)

__all__ = [
    "OracleChange",
    "OverlaidProcess",
    "Override",
    "Scenario",
    "Shock",
    "Target",
    "find_scenario",
    "load_scenario",
    "parse_scenario",
    "scenario_names",
]
