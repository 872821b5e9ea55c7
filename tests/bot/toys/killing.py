"""Kills bots at random moments."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections.abc import Callable


async def kill(pid: int) -> bool:
    """Kill a bot and wait until it is gone; return whether it was still alive."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    while True:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        await asyncio.sleep(0.001)


async def kill_among_requests(
    pid: int, chance: random.Random, arrived: Callable[[], int], *, patience: float = 1.5
) -> bool:
    """Kill a bot after a few of its requests and wait until it is gone.

    Counted in requests, because on a slow machine a moment is too short to do anything in.
    Returns whether it was still alive.
    """
    wanted = arrived() + chance.choice((0, 1, 1, 2, 3, 5))
    give_up = time.monotonic() + patience
    while arrived() < wanted and time.monotonic() < give_up:
        await asyncio.sleep(0.001)
    await asyncio.sleep(chance.uniform(0.0, 0.05))
    return await kill(pid)
