"""The embedded default chain: protocols, governors, pools and borrowers on a private anvil.

Every contract is the real bytecode from its npm package, or ours where none can
be installed; every balance, price and position is drawn from a seed.
"""

from evaluator.chain.embedded.build import HEAD_TIMESTAMP, Progress
from evaluator.chain.embedded.cache import (
    EmbeddedChain,
    embedded_dump,
    read_deployment,
    start_embedded,
)
from evaluator.chain.embedded.deployment import (
    EMBEDDED_CHAIN_ID,
    EMBEDDED_LABEL,
    AaveDeployment,
    BravoDeployment,
    Deployment,
    OpenZeppelinDeployment,
    PoolAddress,
    UniswapDeployment,
    VenusDeployment,
)
from evaluator.chain.embedded.proposals import (
    Call,
    ProposalRef,
    propose_bravo,
    propose_collateral_factor_cut,
    propose_openzeppelin,
    propose_weth_threshold_cut,
)

__all__ = [
    "EMBEDDED_CHAIN_ID",
    "EMBEDDED_LABEL",
    "HEAD_TIMESTAMP",
    "AaveDeployment",
    "BravoDeployment",
    "Call",
    "Deployment",
    "EmbeddedChain",
    "OpenZeppelinDeployment",
    "PoolAddress",
    "Progress",
    "ProposalRef",
    "UniswapDeployment",
    "VenusDeployment",
    "embedded_dump",
    "propose_bravo",
    "propose_collateral_factor_cut",
    "propose_openzeppelin",
    "propose_weth_threshold_cut",
    "read_deployment",
    "start_embedded",
]
