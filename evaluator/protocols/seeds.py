"""From the addresses a proposal touches to the contracts worth asking."""

from __future__ import annotations

import re
from collections.abc import Collection

from evaluator.chain.sandbox import Sandbox
from evaluator.protocols.oracles import read_code
from evaluator.protocols.reading import NULL_ADDRESS

MOST_SEEDS = 512
MOST_CONTRACTS = 1_024
_ADDRESS = re.compile(r"^0x[0-9a-fA-F]{40}$")


def contracts_among(sandbox: Sandbox, seeds: Collection[str], *, block: int) -> list[str]:
    """Return the seeds that are contracts, then those that their code names, lower-case.

    A payload contract holds the addresses it acts on as constants of its code,
    one step away; no further step is taken. At most MOST_SEEDS seeds are
    looked at and MOST_CONTRACTS addresses returned; malformed ones are passed over.
    """
    wanted = [s.lower() for s in seeds if isinstance(s, str) and _ADDRESS.match(s)]
    found: dict[str, None] = {}
    named: dict[str, None] = {}
    for seed in list(dict.fromkeys(wanted))[:MOST_SEEDS]:
        code = sandbox.get_code(seed, block=block)
        if code:
            found[seed] = None
            named.update(dict.fromkeys(read_code(code).addresses))
    out = [*found, *(a for a in named if a not in found and a != NULL_ADDRESS)]
    return out[:MOST_CONTRACTS]
