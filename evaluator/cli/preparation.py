"""`seatrial setup`: fetch and compile what is needed besides Python packages."""

from __future__ import annotations

import time

from rich.console import Console


def setup() -> int:
    """Install the npm packages and compile the contracts; other commands do it when needed.

    Nothing is done that was done before for the same lock file and sources. Contracts
    that only attacks need are compiled at the first of these. The battery's kernel goes
    on compiling in the background, half a minute once per version.
    """
    from evaluator.chain.solidity import ensure_contracts
    from evaluator.stress.kernel.warmup import start_compiling

    start_compiling()

    console = Console(stderr=True)
    began = time.monotonic()
    with console.status("looking at npm packages and contracts") as status:
        ensure_contracts(status.update)
    console.print(f"contracts ready ({time.monotonic() - began:.1f} s)", style="dim")
    return 0
