"""A new price oracle that cannot price the native market, and two that can."""

from __future__ import annotations

from evaluator.chain.artifacts import load_artifact
from evaluator.chain.contract import Contract
from evaluator.chain.embedded import ProposalRef
from evaluator.chain.solidity import load_contract
from gallery.case import Case, Harm
from gallery.stage import BUILDER, Stage, call

_TEXT = (
    "# Upgrade the price oracle\n\nReplaces the comptroller's price oracle by the new one at {}, "
    "which reads the same Chainlink feeds."
)
_ZERO = "0x" + "00" * 20
_STALE = 90_000  # seconds, as the present oracle has it


def _by_token(stage: Stage, *, native: str) -> ProposalRef:
    where = stage.deployment
    oracle = Contract.deploy(
        stage.sandbox,
        load_contract("MarketOracle"),
        native,
        where.feeds["WETH"],
        BUILDER,
        sender=BUILDER,
    )
    for symbol in where.venus.v_tokens:
        if symbol != "ETH":
            oracle.send("setFeed", where.tokens[symbol], where.feeds[symbol], sender=BUILDER)
    return _proposed(stage, oracle)


def _proposed(stage: Stage, oracle: Contract) -> ProposalRef:
    return stage.by_bravo(
        call(stage.comptroller, "_setPriceOracle", oracle.address),
        description=_TEXT.format(oracle.address),
    )


def _reverting(stage: Stage) -> ProposalRef:
    return _by_token(stage, native=_ZERO)


def _native(stage: Stage) -> ProposalRef:
    return _by_token(stage, native=stage.deployment.venus.v_tokens["ETH"])


def _same_code(stage: Stage) -> ProposalRef:
    where = stage.deployment
    oracle = Contract.deploy(
        stage.sandbox,
        load_artifact(
            "@venusprotocol/venus-protocol/artifacts/contracts/Oracle/VenusChainlinkOracle.sol/"
            "VenusChainlinkOracle.json"
        ),
        _STALE,
        sender=BUILDER,
    )
    for symbol in where.venus.v_tokens:
        key, feed = ("vBNB", "WETH") if symbol == "ETH" else (symbol, symbol)
        oracle.send("setFeed", key, where.feeds[feed], sender=BUILDER)
    oracle.send("setAdmin", stage.venus_timelock, sender=BUILDER)
    return _proposed(stage, oracle)


CASES = (
    Case(
        name="oracle-reverts",
        title="a new oracle that asks the native market for its underlying token",
        source="Compound proposal 117, August 2022: 830 million USD frozen for a week",
        build=_reverting,
        harms=(Harm.LIVENESS,),
    ),
    Case(
        name="oracle-knows-native",
        title="the same new oracle, told which market is the native one",
        source="every market's price is answered as before",
        build=_native,
        twin_of="oracle-reverts",
    ),
    Case(
        name="oracle-same-code",
        title="a fresh copy of the present oracle with the same feeds",
        source="every market's price is answered as before",
        build=_same_code,
        twin_of="oracle-reverts",
    ),
)
