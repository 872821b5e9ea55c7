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

__all__ = [
    "EMBEDDED_CHAIN_ID",
    "EMBEDDED_LABEL",
    "HEAD_TIMESTAMP",
    "AaveDeployment",
    "BravoDeployment",
    "Deployment",
    "EmbeddedChain",
    "OpenZeppelinDeployment",
    "PoolAddress",
    "Progress",
    "UniswapDeployment",
    "VenusDeployment",
    "embedded_dump",
    "read_deployment",
    "start_embedded",
]
