"""Fixtures of the embedded chain, shared by every room's tests, and the search for secrets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from evaluator.chain.embedded import (
    EMBEDDED_CHAIN_ID,
    Deployment,
    read_deployment,
)
from evaluator.chain.embedded import embedded_dump as build_embedded_dump
from evaluator.chain.sandbox import Sandbox

# A busy machine fails no test: the first example may load a library, or wait for a core.
_UNTIMED = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
# The same examples everywhere; `make fuzz` looks for new ones.
settings.register_profile("same", derandomize=True, **_UNTIMED)
settings.register_profile("new", **_UNTIMED)
settings.load_profile("same")

# What it looks for, and where, is written there.
pytest_plugins = ["leak_search"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests that are given most time, lest one runs alone at the end."""

    def given(item: pytest.Item) -> float:
        limit = item.get_closest_marker("timeout")
        return float(limit.args[0]) if limit is not None and limit.args else 0.0

    items.sort(key=given, reverse=True)  # keeps the order of equals


@pytest.fixture(scope="session")
def embedded_dump() -> Path:
    """State file of the embedded chain of seed 0, built once under a file lock."""
    return build_embedded_dump(seed=0)


@pytest.fixture(scope="session")
def deployment(embedded_dump: Path) -> Deployment:
    """Where everything is on the embedded chain."""
    return read_deployment(embedded_dump)


@pytest.fixture(scope="session")
def sandbox_deployment(deployment: Deployment) -> Deployment:
    """The same, by the name that says it belongs to `sandbox`."""
    return deployment


@pytest.fixture(scope="session")
def read_only_sandbox(embedded_dump: Path) -> Iterator[Sandbox]:
    """One embedded chain for the whole session, for tests that only read."""
    with Sandbox.from_state(embedded_dump, chain_id=EMBEDDED_CHAIN_ID) as chain:
        yield chain


@pytest.fixture
def sandbox(read_only_sandbox: Sandbox) -> Iterator[Sandbox]:
    """An embedded chain of a test's own, to change at will: a fork of the session's.

    A fork mines ten times faster than a chain that holds all the state itself.
    """
    with Sandbox.fork(read_only_sandbox.rpc.urls) as chain:
        yield chain


@pytest.fixture
def whole_chain(embedded_dump: Path) -> Iterator[Sandbox]:
    """An embedded chain of a test's own that holds all its state, for evaluations to fork.

    A fork of a fork asks twice for everything it reads.
    """
    with Sandbox.from_state(embedded_dump, chain_id=EMBEDDED_CHAIN_ID) as chain:
        yield chain
