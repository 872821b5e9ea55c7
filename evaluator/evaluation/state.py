"""The chain state an evaluation runs on: a fork of the user's chain, or the embedded one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from evaluator.chain.embedded import (
    EMBEDDED_CHAIN_ID,
    EMBEDDED_LABEL,
    Deployment,
    EmbeddedChain,
    ProposalRef,
    embedded_dump,
    propose_collateral_factor_cut,
    propose_weth_threshold_cut,
    read_deployment,
    start_embedded,
)
from evaluator.chain.rpc import pin_block
from evaluator.chain.sandbox import Sandbox
from evaluator.evaluation.request import EvaluationRequest, Progress

_CHAIN_NAMES = {
    1: "Ethereum",
    10: "Optimism",
    56: "BNB Chain",
    100: "Gnosis",
    137: "Polygon",
    8453: "Base",
    42161: "Arbitrum",
    43114: "Avalanche",
}


@dataclass(frozen=True, kw_only=True, eq=False)
class State:
    """A running sandbox and what is known of where it comes from."""

    sandbox: Sandbox  # pinned to `sandbox.block`
    deployment: Deployment | None  # addresses, if this is the embedded chain or a fork of it
    embedded: bool  # the embedded chain: real bytecode, seeded state
    demonstrations: tuple[ProposalRef, ...] = ()  # proposals submitted to the embedded chain

    @property
    def chain_name(self) -> str:
        """What people call the chain."""
        if self.embedded:
            return f"embedded chain ({EMBEDDED_LABEL})"
        return _CHAIN_NAMES.get(self.sandbox.chain_id, f"chain {self.sandbox.chain_id}")


@contextmanager
def open_state(request: EvaluationRequest, progress: Progress) -> Iterator[State]:
    """Open the state a request names and close it at the end.

    Raises the ChainError tree, SetupError.
    """
    if not request.urls:
        progress.stage("chain", "starting the embedded chain")
        with start_embedded(seed=0, progress=_told(progress)) as chain:
            yield _demonstration(chain)
        return
    progress.stage("fork", f"pinning block {request.block}")
    with Sandbox.fork(request.urls, block=request.block) as sandbox:
        deployment = _known_deployment(sandbox)
        yield State(sandbox=sandbox, deployment=deployment, embedded=deployment is not None)


def _demonstration(chain: EmbeddedChain) -> State:
    """Submit a proposal to each governor; both are pending at the block that is evaluated."""
    sandbox, deployment = chain.sandbox, chain.deployment
    demonstrations = (
        propose_weth_threshold_cut(sandbox, deployment),
        propose_collateral_factor_cut(sandbox, deployment),
    )
    sandbox.block = pin_block(sandbox.rpc)
    return State(
        sandbox=sandbox, deployment=deployment, embedded=True, demonstrations=demonstrations
    )


@contextmanager
def earlier_state(state: State, request: EvaluationRequest, block: int) -> Iterator[State]:
    """Open the same chain at an earlier block."""
    urls = request.urls or tuple(state.sandbox.rpc.urls)
    with Sandbox.fork(urls, block=block) as sandbox:
        yield replace(state, sandbox=sandbox)


def _known_deployment(sandbox: Sandbox) -> Deployment | None:
    """Recognise a fork of the embedded chain by its id and the code at its addresses."""
    if sandbox.chain_id != EMBEDDED_CHAIN_ID:
        return None
    deployment = read_deployment(embedded_dump(seed=0))
    known = (deployment.aave.pool, deployment.venus.comptroller, deployment.openzeppelin.governor)
    return deployment if all(sandbox.get_code(a) for a in known) else None


def _told(progress: Progress) -> Callable[[str, int, int], None]:
    def tell(stage: str, done: int, total: int) -> None:
        progress.stage("embedded chain", stage)
        progress.advance(done, total)

    return tell
