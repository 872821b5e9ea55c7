"""Markets of the embedded chain, read once for the arena's tests."""

from __future__ import annotations

import pytest

from evaluator.protocols.aave_v3 import AaveV3
from evaluator.protocols.compound_v2 import CompoundV2


@pytest.fixture(scope="session")
def aave_market(read_only_sandbox, deployment):
    """Aave V3 as the embedded chain starts."""
    return AaveV3().read(read_only_sandbox, deployment.aave.pool)


@pytest.fixture(scope="session")
def venus_market(read_only_sandbox, deployment):
    """The Compound V2 family as the embedded chain starts."""
    return CompoundV2().read(read_only_sandbox, deployment.venus.comptroller)


@pytest.fixture(params=["aave_v3", "compound_v2"])
def market(request, aave_market, venus_market):
    """Each family in turn."""
    return aave_market if request.param == "aave_v3" else venus_market
