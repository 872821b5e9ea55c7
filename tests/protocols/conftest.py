"""The two protocols of the embedded chain, as cases of one conformance suite."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from evaluator.chain.abi import Abi, selector
from evaluator.protocols import Venues
from evaluator.protocols.aave_v3 import AaveV3
from evaluator.protocols.compound_v2 import CompoundV2

FEED = Abi.parse(["function push(int256 answer)", "function owner() view returns (address)"])
CONFIGURATOR = Abi.parse(
    [
        "function configureReserveAsCollateral(address asset, uint256 ltv,"
        " uint256 liquidationThreshold, uint256 liquidationBonus)",
        "function setSupplyCap(address asset, uint256 newSupplyCap)",
        "function setReservePause(address asset, bool paused)",
    ]
)
COMPTROLLER = Abi.parse(
    [
        "function _setCollateralFactor(address vToken, uint256 mantissa) returns (uint256)",
        "function _setCloseFactor(uint256 mantissa) returns (uint256)",
    ]
)


@dataclass(frozen=True)
class Case:
    """One protocol on the embedded chain and how its governance changes it."""

    name: str
    adapter: object
    root: Callable  # deployment -> address
    seeds: Callable  # deployment -> addresses that each lead to the root
    borrowers: Callable  # deployment -> addresses
    cut: Callable  # (sandbox, deployment): lower what ether collateral weighs
    cut_paths: tuple[str, ...]  # parameters that `cut` changes
    ether: str  # symbol of the ether reserve
    oracle: Callable  # deployment -> address


def _aave_cut(sandbox, deployment):
    sandbox.send(
        deployment.openzeppelin.timelock,
        deployment.aave.pool_configurator,
        CONFIGURATOR.encode(
            "configureReserveAsCollateral", deployment.tokens["WETH"], 7000, 7250, 10500
        ),
    )


def _compound_cut(sandbox, deployment):
    sandbox.send(
        deployment.bravo.timelock,
        deployment.venus.comptroller,
        COMPTROLLER.encode("_setCollateralFactor", deployment.venus.v_tokens["ETH"], 6 * 10**17),
    )


CASES = [
    Case(
        name="aave_v3",
        adapter=AaveV3(),
        root=lambda d: d.aave.pool,
        seeds=lambda d: [
            d.aave.pool,
            d.aave.pool_configurator,
            d.aave.addresses_provider,
            d.aave.acl_manager,
            d.aave.oracle,
            d.aave.data_provider,
            d.aave.a_tokens["WETH"],
            d.aave.variable_debt_tokens["USDC"],
        ],
        borrowers=lambda d: d.aave.borrowers,
        cut=_aave_cut,
        cut_paths=("aave_v3.WETH.liquidation_threshold", "aave_v3.WETH.ltv"),
        ether="WETH",
        oracle=lambda d: d.aave.oracle,
    ),
    Case(
        name="compound_v2",
        adapter=CompoundV2(),
        root=lambda d: d.venus.comptroller,
        seeds=lambda d: [
            d.venus.comptroller,
            d.venus.oracle,
            d.venus.v_tokens["ETH"],
            d.venus.v_tokens["USDC"],
        ],
        borrowers=lambda d: d.venus.borrowers,
        cut=_compound_cut,
        cut_paths=("compound_v2.ETH.collateral_factor",),
        ether="ETH",
        oracle=lambda d: d.venus.oracle,
    ),
]


@pytest.fixture(scope="session", params=CASES, ids=lambda c: c.name)
def case(request):
    """A protocol of the embedded chain."""
    return request.param


@pytest.fixture(scope="session")
def market(case, read_only_sandbox, deployment):
    """The protocol's market as the embedded chain starts."""
    return case.adapter.read(read_only_sandbox, case.root(deployment))


@pytest.fixture(scope="session")
def venues(deployment):
    """The embedded chain's pools."""
    pools = deployment.uniswap.v2_pairs + deployment.uniswap.v3_pools
    return Venues(
        pools=tuple(p.address for p in pools),
        v3_quoter=deployment.uniswap.v3_quoter,
        wrapped_native=deployment.tokens["WETH"],
    )


@pytest.fixture(scope="session")
def push_price():
    """A function that lets a feed report a price: (sandbox, feed, USD)."""

    def push(sandbox, feed, price):
        owner = FEED.decode_output("owner", sandbox.call(feed, FEED.encode("owner")))
        sandbox.send(owner, feed, FEED.encode("push", round(price * 1e8)))

    return push


def contract_code(answers, *, stateful=False):
    """Runtime code that answers each function signature with fixed bytes, and reverts else.

    `stateful` adds a load of storage that is never reached.
    """
    head = bytes.fromhex("5f3560e01c")  # the selector on the stack
    size = len(head) + 11 * len(answers) + 4
    blocks, table, at = b"", b"", size
    where = size + 12 * len(answers)
    data = b""
    for signature, answer in answers.items():
        table += b"\x80\x63" + selector(signature) + b"\x14\x61" + at.to_bytes(2, "big") + b"\x57"
        blocks += (
            b"\x5b\x61"
            + len(answer).to_bytes(2, "big")
            + b"\x80\x61"
            + (where + len(data)).to_bytes(2, "big")
            + b"\x5f\x39\x5f\xf3"
        )
        at += 12
        data += answer
    return head + table + b"\x5f\x5f\xfd" + (b"\x54" if stateful else b"\0") + blocks + data


@pytest.fixture(scope="session")
def answering():
    """A function from {signature: answer} to the code of a contract that gives them."""
    return contract_code
