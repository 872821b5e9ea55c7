"""Build the embedded chain on a fresh anvil, step by step."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from evaluator.chain.anvil import Anvil
from evaluator.chain.embedded.aave import close_ltvs, deploy_aave
from evaluator.chain.embedded.aave import hand_over as hand_over_aave
from evaluator.chain.embedded.book import SeededBook, aave_book, venus_book
from evaluator.chain.embedded.deployer import Deployer
from evaluator.chain.embedded.deployment import (
    EMBEDDED_CHAIN_ID,
    EMBEDDED_LABEL,
    AaveDeployment,
    Deployment,
    VenusDeployment,
)
from evaluator.chain.embedded.feeds import SeededFeeds
from evaluator.chain.embedded.governors import deploy_bravo, deploy_openzeppelin
from evaluator.chain.embedded.opening import borrow_aave, borrow_venus, supply_aave, supply_venus
from evaluator.chain.embedded.past import PAST_BLOCKS, SECONDS_PER_BLOCK, live_a_month
from evaluator.chain.embedded.pools import deploy_uniswap
from evaluator.chain.embedded.tokens import deploy_tokens
from evaluator.chain.embedded.venus import deploy_venus
from evaluator.chain.embedded.venus import hand_over as hand_over_venus
from evaluator.chain.sandbox import Sandbox

AAVE_BORROWERS = 400
VENUS_BORROWERS = 100
HEAD_TIMESTAMP = 1_735_689_600  # 2025-01-01 00:00:00 UTC
# The contracts are deployed a month before; the book is opened in the last half
# hour, a second a block.
_BUILDING_SECONDS = 1_800
_DEPLOYER = "0x5ea7000000000000000000000000000000000001"
_DEPLOYER_WEI = 10**26
_TRACES, _AFTER_TRACES = b'"traces":[', b'],"exit":'

Progress = Callable[[str, int, int], None]  # stage, steps done, steps in all

_STAGES = (
    "starting anvil",
    "deploying tokens and price feeds",
    "deploying the governors",
    "deploying Aave V3",
    "deploying the Compound V2 family",
    "filling the Uniswap pools",
    "letting a month of interest pass",
    "opening the Aave positions",
    "opening the Compound positions",
    "handing over to the timelocks",
    "loading the feeds' history",
    "dumping the state",
)


@dataclass(frozen=True, kw_only=True)
class BuiltChain:
    """A finished chain as it will be cached."""

    state: bytes  # JSON that anvil loads
    deployment: Deployment


def build(*, seed: int, progress: Progress | None = None) -> BuiltChain:
    """Deploy everything on a fresh anvil and return its state.

    The same seed gives the same state. Raises SetupError if anvil or an artifact is
    missing, ChainError if a step fails.
    """
    stages = iter(range(len(_STAGES)))

    def tell() -> None:
        step = next(stages)
        if progress is not None:
            progress(_STAGES[step], step, len(_STAGES))

    tell()
    opened = HEAD_TIMESTAMP - _BUILDING_SECONDS
    genesis = opened - PAST_BLOCKS * SECONDS_PER_BLOCK
    anvil = Anvil(
        chain_id=EMBEDDED_CHAIN_ID, timestamp=genesis, block_seconds=1, prune_history=True
    )
    with Sandbox.own(anvil) as sandbox:
        deployer = Deployer(sandbox, _DEPLOYER)
        sandbox.set_balance(_DEPLOYER, _DEPLOYER_WEI)
        tell()
        tokens = deploy_tokens(deployer)
        seeded_feeds = SeededFeeds(deployer, seed=seed, head=opened)
        feeds = seeded_feeds.addresses
        tell()
        openzeppelin = deploy_openzeppelin(deployer, seed=seed)
        bravo = deploy_bravo(deployer, seed=seed)
        tell()
        aave = deploy_aave(deployer, tokens=tokens, feeds=feeds, treasury=openzeppelin.timelock)
        tell()
        venus = deploy_venus(deployer, tokens=tokens, feeds=feeds)
        tell()
        uniswap = deploy_uniswap(deployer, tokens=tokens)
        tell()
        on_aave = aave_book(seed=seed, borrowers=AAVE_BORROWERS)
        on_venus = venus_book(seed=seed, borrowers=VENUS_BORROWERS)
        live_a_month(
            deployer,
            aave,
            venus,
            aave_suppliers=on_aave.suppliers,
            venus_suppliers=on_venus.suppliers,
            tokens=tokens,
            seed=seed,
        )
        tell()
        supply_aave(deployer, aave, on_aave.borrowers, tokens=tokens)
        borrow_aave(deployer, aave, on_aave.borrowers, tokens=tokens)
        tell()
        supply_venus(deployer, venus, on_venus.borrowers, tokens=tokens)
        borrow_venus(deployer, venus, on_venus.borrowers)
        tell()
        close_ltvs(deployer, aave.pool_configurator, tokens=tokens)
        hand_over_aave(deployer, aave, timelock=openzeppelin.timelock)
        hand_over_venus(deployer, venus, timelock=bravo.timelock)
        tell()
        seeded_feeds.load_history()
        # What is left must not weigh on anything that counts native coin.
        sandbox.set_balance(_DEPLOYER, 0)
        tell()
        state = _dump(sandbox)
        deployment = Deployment(
            label=EMBEDDED_LABEL,
            chain_id=EMBEDDED_CHAIN_ID,
            seed=seed,
            block=sandbox.block_number(),
            timestamp=HEAD_TIMESTAMP,
            state_digest=state_digest(state["accounts"]),
            tokens=tokens,
            feeds=feeds,
            aave=AaveDeployment(
                pool=aave.pool.address,
                addresses_provider=aave.addresses_provider.address,
                pool_configurator=aave.pool_configurator.address,
                oracle=aave.oracle.address,
                acl_manager=aave.acl_manager.address,
                data_provider=aave.data_provider.address,
                treasury=aave.treasury,
                a_tokens=aave.a_tokens,
                variable_debt_tokens=aave.variable_debt_tokens,
                borrowers=_addresses(on_aave, borrowers=True),
                suppliers=_addresses(on_aave, borrowers=False),
            ),
            venus=VenusDeployment(
                comptroller=venus.comptroller.address,
                oracle=venus.oracle.address,
                access_control=venus.access_control.address,
                v_tokens={symbol: v.address for symbol, v in venus.v_tokens.items()},
                borrowers=_addresses(on_venus, borrowers=True),
                suppliers=_addresses(on_venus, borrowers=False),
            ),
            openzeppelin=openzeppelin,
            bravo=bravo,
            uniswap=uniswap,
        )
    if progress is not None:
        progress("ready", len(_STAGES), len(_STAGES))
    return BuiltChain(
        state=json.dumps(state, separators=(",", ":")).encode(), deployment=deployment
    )


def state_digest(accounts: dict[str, Any]) -> str:
    """Return the sha256 over a dump's accounts: balance, nonce, code and storage of each."""
    canonical = json.dumps(accounts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _dump(sandbox: Sandbox) -> dict[str, Any]:
    """Mine the head and return anvil's state.

    A dump keeps blocks, transactions and receipts, and with them the logs that
    borrowers are discovered by; it also keeps every transaction's call trace, two
    thirds of its size, which nobody asks for. States of past blocks are not in it:
    a loaded chain can be read and forked at its head, and its logs from the start.
    """
    # A cheat rewrites the head in place: mine after it, so that a fork sees it.
    sandbox.warp(HEAD_TIMESTAMP - sandbox.timestamp())
    raw = gzip.decompress(bytes.fromhex(sandbox.rpc.request("anvil_dumpState")[2:]))
    state: dict[str, Any] = json.loads(_without_traces(raw))
    # anvil lists these in no order.
    state["blocks"].sort(key=lambda block: int(block["header"]["number"], 16))
    state["transactions"].sort(
        key=lambda mined: (mined["block_number"], mined["info"]["transaction_index"])
    )
    return state


def _without_traces(raw: bytes) -> bytes:
    """Cut the call traces out before parsing, which takes seconds with them.

    No field within a trace is called "exit", so the next one ends it.
    """
    kept: list[bytes] = []
    at = 0
    while (start := raw.find(_TRACES, at)) >= 0:
        start += len(_TRACES)
        kept.append(raw[at:start])
        at = raw.index(_AFTER_TRACES, start)
    kept.append(raw[at:])
    return b"".join(kept)


def _addresses(book: SeededBook, *, borrowers: bool) -> tuple[str, ...]:
    return tuple(a.address for a in (book.borrowers if borrowers else book.suppliers))
