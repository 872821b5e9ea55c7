"""What the rest of the market does while an attacker holds a price up.

Within one transaction nobody else acts, and a pool's price is what the attacker made
it. Across blocks others do: holders sell into a price that was pushed up and arbitrage
brings other venues' supply. A pool that follows its formula without them exaggerates
every pump. Assumed here: of the push, on a logarithmic scale, there remains the share
of the whole depth that was bought. With s of the depth bought (1: nothing is left that
anybody could sell at any price) and f the price over the price before, the market's
price settles at f ** s. Half the depth of a constant-product pool lifts its price
fourfold and leaves it doubled, at what was paid on average, which pays for no attack;
nine tenths bought leave nearly all of it.
What trades in the pools found is not all: order books, other chains and holders stand
behind it. A price is held up only by buying there as well. For every dollar that a push
takes in the pools found it is taken to need OUTSIDE dollars in all; the tokens bought
elsewhere at the same prices change the profit in proportion and are left out of it, so
that what is reported is the least. Tens of millions of dollars did not move CRV as its
pools' formula says in November 2022; ten million did move MNGO, with pools of some
hundred thousand, in October.
The depth is that of the curve which the battery uses, or of the pools found, whichever
is larger: venues that were not found can only add to it. After the market has settled
nothing is sold any more; what an attacker still holds counts at the fair price.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from evaluator.arena.adversary.ground import Ground
from evaluator.arena.bundles import BLOCK_GAS
from evaluator.arena.lending import TOKEN, view
from evaluator.chain.simulation import SimulatedBlock
from evaluator.market import LiquidityCurve

OUTSIDE = 10.0  # dollars needed everywhere for each one in the pools found
_MOST = 1e4  # price over the price before, beyond which no keeper is followed


def settled_ratio(curve: LiquidityCurve | None, visible: float, bought: float) -> float:
    """Return the market's price over the price before once `bought` whole tokens are gone.

    `visible` is what the pools found held of the token, whole tokens. Negative `bought`
    is a sale: of a fall there remains the share that sales of the visible depth explain.
    """
    depth = visible if curve is None else max(visible, -curve.dry_quantity)
    if depth <= 0.0 or bought == 0.0:
        return 1.0
    share = min(abs(bought) / depth, 0.999)
    # w = 1 / sqrt(price ratio) of a constant-product pool of this depth.
    w = 1.0 - share if bought > 0.0 else 1.0 + abs(bought) / depth
    pushed = w**-2.0
    if curve is not None and -curve.dry_quantity >= visible:
        pushed = curve.price_factor(-bought)
    return min(math.exp(share * math.log(pushed)), _MOST)


def followed_price(ground: Ground, token: str, blocks: Sequence[SimulatedBlock]) -> float:
    """Return what `blocks` have made of the market's price of a token, over the price before.

    Raises RpcError.
    """
    asset = ground.index(token)
    curve = None if asset is None else ground.market.reserves[asset].liquidity
    pools = ground.pools_of(token)
    asked = tuple(view(token, TOKEN.encode("balanceOf", p.address)) for p in pools)
    time = blocks[-1].timestamp
    assert time is not None  # a script names the time of every block
    first = SimulatedBlock(calls=asked, timestamp=blocks[0].timestamp, gas_limit=BLOCK_GAS)
    last = SimulatedBlock(calls=asked, timestamp=time + 1, gas_limit=BLOCK_GAS)
    (was,) = ground.engine.run([first])
    now = ground.engine.run([*blocks, last])[-1]
    unit = 10.0 ** ground.tokens[token].decimals
    had, has = (
        sum(int.from_bytes(c.return_data[:32], "big") for c in r.calls) / unit for r in (was, now)
    )
    measured = curve if curve is not None and curve.measured else None
    return settled_ratio(measured, had, had - has)
