"""Open Brownie's console on the node named by SEATRIAL_NODE.

Commands may also come through a pipe; they are then run one after the other.
"""

import sys

from brownie import accounts, chain, network, web3
from brownie._cli.console import Console
from brownie.network.contract import Contract
from network import NETWORK, NODE, define_network


def impersonate(address: str):
    """Return an account that sends as `address`, whoever holds its key."""
    return accounts.at(address, force=True)


def main() -> int:
    """Connect, then hand over to the user."""
    if not define_network():
        print(f"{NODE} names no node: this is started by `seatrial console`", file=sys.stderr)
        return 64
    network.connect(NETWORK)
    names = {
        "Contract": Contract,
        "accounts": accounts,
        "chain": chain,
        "impersonate": impersonate,
        "network": network,
        "web3": web3,
    }
    if not sys.stdin.isatty():
        exec(compile(sys.stdin.read(), "<commands>", "exec"), names)  # noqa: S102 - the user's own commands
        return 0
    banner = (
        f"A fork at block {chain.height} of chain {chain.id}; nothing done here leaves it.\n"
        "At hand: accounts, chain, web3, Contract, and impersonate(address)."
    )
    Console(extra_locals=names).interact(banner=banner, exitmsg="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
