"""The node Brownie works on: an anvil that Seatrial started and will stop."""

import os

from brownie._config import CONFIG

NETWORK = "seatrial"
NODE = "SEATRIAL_NODE"  # environment variable with the node's URL


def define_network() -> bool:
    """Make the node named by the environment known to Brownie; False if none is named.

    In code, because a `networks:` key in brownie-config.yaml crashes Brownie's pytest
    plugin. Without a base fee of zero Brownie's transactions on a fork fail.
    """
    url = os.environ.get(NODE)
    if not url:
        return False
    host, _, port = url.rstrip("/").rpartition(":")
    CONFIG.networks[NETWORK] = {
        "id": NETWORK,
        "name": "Seatrial's own anvil",
        "host": host,
        "cmd": "anvil",
        "timeout": 120,
        "cmd_settings": {"port": int(port), "base_fee": 0, "steps_tracing": True},
    }
    return True
