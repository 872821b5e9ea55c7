"""Surveys of the markets around a governor."""

from __future__ import annotations

import pytest

from evaluator.chain.embedded import Deployment
from evaluator.chain.sandbox import Sandbox
from evaluator.errors import ConfigurationError
from evaluator.evaluation.drafting import outline_markets
from evaluator.evaluation.request import Silence
from evaluator.evaluation.state import State
from evaluator.evaluation.survey import survey
from evaluator.protocols.setters import Setting, can_be_set, setting_calls

pytestmark = pytest.mark.chain


def test_a_survey_names_what_can_be_drafted(
    read_only_sandbox: Sandbox, deployment: Deployment
) -> None:
    state = State(sandbox=read_only_sandbox, deployment=deployment, embedded=True)
    found = survey(state, (), Silence())
    shown = {p.path: p.shown for p in found.parameters}
    assert shown["aave_v3.WETH.liquidation_threshold"] == "82.5%"
    assert len(shown) == len(found.parameters)
    weth = next(r for r in found.reserves if r.path == "aave_v3.WETH")
    assert weth.supplied > weth.borrowed > 0.0
    assert 0.0 < weth.utilisation < 1.0
    only = survey(state, (deployment.aave.pool,), Silence())
    assert {p.path.split(".")[0] for p in only.parameters} == {"aave_v3"}
    with pytest.raises(ConfigurationError, match="no lending market"):
        survey(state, ("0x" + "99" * 20,), Silence())


def test_what_can_be_set_is_what_has_a_call(
    read_only_sandbox: Sandbox, deployment: Deployment
) -> None:
    state = State(sandbox=read_only_sandbox, deployment=deployment, embedded=True)
    told = []
    for one in outline_markets(state, (), Silence()):
        for parameter in one.parameters:
            setting = Setting(parameter=parameter, value=parameter.value)
            if can_be_set(one.market, parameter):
                assert setting_calls(read_only_sandbox, one.market, [setting])
            else:
                with pytest.raises(ConfigurationError, match="cannot be drafted"):
                    setting_calls(read_only_sandbox, one.market, [setting])
            told.append(can_be_set(one.market, parameter))
    assert set(told) == {True, False}
