"""Both governor families, each on a fresh embedded chain."""

from __future__ import annotations

import pytest

from evaluator.chain.embedded import Deployment
from evaluator.chain.sandbox import Sandbox
from evaluator.governance import open_governor
from tests.governance.harness import BravoHarness, Harness, OpenZeppelinHarness

FAMILIES = (OpenZeppelinHarness, BravoHarness)


@pytest.fixture(params=FAMILIES, ids=lambda family: family.name)
def harness(request, sandbox: Sandbox, deployment: Deployment) -> Harness:
    """A family on a chain of its own."""
    return request.param.on(sandbox, deployment)


@pytest.fixture
def governor(harness: Harness):
    """The adapter that finds itself for the family."""
    return open_governor(harness.sandbox, harness.governor)
