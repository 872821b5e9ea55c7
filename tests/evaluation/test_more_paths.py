"""A verdict left open by wide intervals alone is given more paths, up to a limit."""

from dataclasses import replace

import pytest

from evaluator.chain.abi import Abi
from evaluator.data_files import data_path
from evaluator.evaluation import EvaluationRequest, evaluate
from evaluator.evaluation.request import Silence

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
        file=file, policy=policy, paths=64, most_paths=64, attack_sequences=0
    )
    short = evaluate(request)
    assert short.verdict.more_paths_help
    told = Stages()
    longer = evaluate(replace(request, most_paths=192), told)
    whole = evaluate(replace(request, paths=192, most_paths=192))
    assert told.names.count("more paths") == 2  # 128, then the limit of 192
    pairs = [one.trials[0].stressed.pair for one in (short, longer, whole)]
    assert [len(p.before) for p in pairs] == [64, 192, 192]
    assert pairs[1].digest() == pairs[2].digest()
    odds = longer.report.markets[0].odds
    assert odds == whole.report.markets[0].odds
    assert odds[0].today.samples == 192
    assert longer.verdict.kind is whole.verdict.kind
    assert longer.manifest.paths == 64
    assert longer.manifest.most_paths == 192
