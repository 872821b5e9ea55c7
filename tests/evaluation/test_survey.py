"""Surveys of the markets around a governor."""

from __future__ import annotations

import pytest

from evaluator.chain.embedded import Deployment
from evaluator.chain.sandbox import Sandbox
from evaluator.errors import ConfigurationError
from evaluator.evaluation.drafting import DraftMarket, outline_markets
from evaluator.evaluation.request import Silence
from evaluator.evaluation.state import State
from evaluator.evaluation.survey import survey
from evaluator.protocols.setting import Setting, SettingCall

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

    def calls_for(one: DraftMarket, setting: Setting) -> tuple[SettingCall, ...]:
        return one.adapter.setting_calls(read_only_sandbox, one.market, [setting])

    for one in outline_markets(state, (), Silence()):
        for parameter in one.parameters:
            setting = Setting(parameter=parameter, value=parameter.value)
            settable = one.adapter.can_be_set(one.market, parameter)
            if settable:
                assert calls_for(one, setting)
            else:
                with pytest.raises(ConfigurationError, match="cannot be drafted"):
                    calls_for(one, setting)
            told.append(settable)
    assert set(told) == {True, False}
