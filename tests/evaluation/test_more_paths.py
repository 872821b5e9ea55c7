"""A verdict left open by wide intervals alone is given more paths, up to a limit."""

from dataclasses import replace

import pytest

from evaluator.chain.abi import Abi
from evaluator.data_files import data_path
from evaluator.evaluation import EvaluationRequest, evaluate
from evaluator.evaluation.odds import MeasuredOdds
from evaluator.evaluation.request import Silence
from evaluator.stress.trial import run

CONFIGURATOR = Abi.parse(["function configureReserveAsCollateral(address,uint256,uint256,uint256)"])


class Stages(Silence):
    """Remembers the stages."""

    def __init__(self):
        self.names = []

    def stage(self, name, detail=""):
        self.names.append(name)


@pytest.mark.slow
def test_more_paths_are_run_until_the_limit_and_are_those_of_a_longer_run(
    places, proposal_file, tmp_path
):
    # No attacks are tried here, so that a policy that wants them would leave nothing open.
    default = (data_path("templates") / "policy.toml").read_text()
    policy = tmp_path / "policy.toml"
    policy.write_text(default.replace(', "adversary"]', "]"))
    call = CONFIGURATOR.encode(
        "configureReserveAsCollateral", places.tokens["WETH"], 8_000, 8_300, 10_500
    )
    file = proposal_file((places.aave.pool_configurator, call))
    request = EvaluationRequest(
        file=file, policy=policy, paths=64, most_paths=192, attack_sequences=0
    )
    told = Stages()
    longer = evaluate(request, told)
    assert told.names.count("more paths") == 2  # 128, then the limit of 192
    assert longer.manifest.paths == 64
    assert longer.manifest.most_paths == 192
    stressed = longer.trials[0].stressed
    assert len(stressed.pair.before) == 192
    whole = run(
        *stressed.markets,
        process=stressed.process,
        battery=replace(stressed.battery, paths=192),
        seed=request.seed,
    )
    assert stressed.pair.digest() == whole.digest()
    odds = longer.report.markets[0].odds
    assert odds == MeasuredOdds.of(whole, stressed.battery).rows(stressed.battery)
    assert odds[0].today.samples == 192
