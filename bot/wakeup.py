"""A websocket that tells when there is a new block, and nothing more."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable

import websockets
from pydantic import SecretStr

log = logging.getLogger(__name__)

FIRST_WAIT = 1.0  # seconds before connecting again, doubled each time
LONGEST_WAIT = 300.0  # seconds
MAX_MESSAGE = 1 << 20  # bytes
SUBSCRIBE = json.dumps(
    {"jsonrpc": "2.0", "id": 1, "method": "eth_subscribe", "params": ["newHeads"]}
)


async def wake_on_new_heads(url: SecretStr, wake: Callable[[], None], *, name: str) -> None:
    """Call `wake` for each message of a newHeads subscription, for ever.

    Whatever goes wrong here only makes the follower slower: it polls anyway.
    What was missed while disconnected is not asked for, since `wake` carries
    nothing.
    """
    wait = FIRST_WAIT
    while True:
        try:
            async with websockets.connect(
                url.get_secret_value(), max_size=MAX_MESSAGE, open_timeout=20, close_timeout=2
            ) as socket:
                await socket.send(SUBSCRIBE)
                wake()  # blocks may have come while nobody listened
                async for _ in socket:
                    wait = FIRST_WAIT
                    wake()
        except (OSError, TimeoutError, websockets.WebSocketException) as error:
            # The library's message may quote the URL; its type says enough.
            log.info("websocket of chain %s: %s", name, type(error).__name__)
        await asyncio.sleep(wait)
        wait = min(LONGEST_WAIT, wait * 2)
