"""Reports of real evaluations on the embedded chain, compared with what was found good.

`SEATRIAL_REGENERATE=1 pytest tests/evaluation/test_golden.py` writes them anew; look
at the difference before committing. Hashes are left out of the comparison, since a
timestamp of the chain's making is in some; every word and number is in it.
"""

import math
import os
import re
from pathlib import Path

import pytest

from evaluator.chain.abi import Abi
from evaluator.evaluation import EvaluationRequest, evaluate
from evaluator.report.markdown import to_markdown

GOLDEN = Path(__file__).parent / "golden"
# Amounts accrue interest for the seconds that pass on the chain while it is read.
TOLERANCE = 1e-3
_HASH = re.compile(r"\b(?:0x)?[0-9a-f]{16,64}\b(?!\.)")
_NUMBER = re.compile(r"(?<![\w.])[-+]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?(?![\w.])")
CONFIGURATOR = Abi.parse(["function configureReserveAsCollateral(address,uint256,uint256,uint256)"])


@pytest.fixture(scope="session")
def reverting(tmp_path_factory, places):
    """The evaluation of a threshold below the LTV, which the protocol refuses."""
    call = CONFIGURATOR.encode(
        "configureReserveAsCollateral", places.tokens["WETH"], 8_000, 7_000, 10_500
    )
    path = tmp_path_factory.mktemp("golden") / "proposal.json"
    path.write_text(
        f'{{"targets": ["{places.aave.pool_configurator}"], "values": [0], '
        f'"calldatas": ["0x{call.hex()}"], "description": "# A threshold below the LTV", '
        f'"governor": "{places.openzeppelin.governor}"}}'
    )
    return evaluate(EvaluationRequest(file=path, paths=64, attack_sequences=0))


def masked(evaluation):
    return _HASH.sub("<hash>", to_markdown(evaluation.report))


@pytest.mark.parametrize("name", ["aave", "compound", "reverting"])
def test_report(name, request):
    found = masked(request.getfixturevalue(name))
    path = GOLDEN / f"{name}.md"
    if os.environ.get("SEATRIAL_REGENERATE") == "1":
        GOLDEN.mkdir(exist_ok=True)
        path.write_text(found, encoding="utf-8")
    assert path.is_file(), "write it with SEATRIAL_REGENERATE=1"
    wanted = path.read_text(encoding="utf-8")
    assert _NUMBER.sub("#", found) == _NUMBER.sub("#", wanted)
    for a, b in zip(_NUMBER.findall(found), _NUMBER.findall(wanted), strict=True):
        x, y = (float(v.replace(",", "")) for v in (a, b))
        assert math.isclose(x, y, rel_tol=TOLERANCE, abs_tol=1e-9), (a, b)
