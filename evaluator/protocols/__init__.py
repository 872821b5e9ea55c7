"""Lending protocols: found from what a proposal touches, read whole at one block.

One adapter per family behind `ProtocolAdapter`; each passes the conformance
suite in tests/protocols. Chain integers become floats here (`fixed_point`).
"""

from evaluator.protocols.adapter import AccountView, ProtocolAdapter, adapters, disagreement
from evaluator.protocols.borrower_cache import BorrowerCache
from evaluator.protocols.depth import measure_liquidity, share_liquidity
from evaluator.protocols.feeds import price_history
from evaluator.protocols.hurt import HurtPosition, hurt_positions
from evaluator.protocols.pools import KNOWN_VENUES, Venues

__all__ = [
    "KNOWN_VENUES",
    "AccountView",
    "BorrowerCache",
    "HurtPosition",
    "ProtocolAdapter",
    "Venues",
    "adapters",
    "disagreement",
    "hurt_positions",
    "measure_liquidity",
    "price_history",
    "share_liquidity",
]
