"""Disasters of other kinds, which the evaluator was not built from.

Their benign likes stand beside the others where the calldata has the same shape: a new
feed among the twins of spot prices, a second action among those of the hidden one.
"""

from __future__ import annotations

from evaluator.chain.abi import Abi
from evaluator.chain.artifacts import load_artifact
from evaluator.chain.contract import Contract
from evaluator.chain.embedded import Call, ProposalRef
from gallery.case import Case, Harm
from gallery.stage import BUILDER, Stage, call

_STRANGER = "0x5ea7000000000000000000000000000000000bad"
_RAY = 10**27
_CALLS = Abi.parse(
    [
        "function transfer(address,uint256) returns (bool)",
        "function updateDelay(uint256)",
        "function setReserveInterestRateStrategyAddress(address,address)",
        "function setAssetEModeCategory(address,uint8)",
        "function _setLiquidationIncentive(uint256) returns (uint256)",
    ]
)
_RAISED = (
    "# Raise the supply cap of LINK\n\nRaises the supply cap of LINK from 15,000,000 to 15,100,000."
)


def _cap(stage: Stage) -> Call:
    return call(stage.configurator, "setSupplyCap", stage.deployment.tokens["LINK"], 15_100_000)


def _decimals(stage: Stage) -> ProposalRef:
    feed = stage.feed("LINK / USD", 21.5, like="LINK", decimals=18)
    return stage.by_openzeppelin(
        call(stage.aave_oracle, "setAssetSources", [stage.deployment.tokens["LINK"]], [feed]),
        description=f"# A new feed for LINK\n\nReads LINK's price from the new feed {feed}.",
    )


def _constant(stage: Stage) -> ProposalRef:
    """A contract that answers every question with today's price and reads nothing."""
    answer = (320 * 10**8).to_bytes(32, "big")
    code = b"\x7f" + answer + bytes.fromhex("60005260206000f3")
    start = bytes([0x60, len(code)]) + bytes.fromhex("80600b6000396000f3")
    source = stage.sandbox.deploy(BUILDER, start + code)
    return stage.by_openzeppelin(
        call(stage.aave_oracle, "setAssetSources", [stage.deployment.tokens["AAVE"]], [source]),
        description=f"# A steady price for AAVE\n\nReads AAVE's price from {source}.",
    )


def _payment(stage: Stage) -> ProposalRef:
    stage.supply_to_aave(stage.token("USDC"), stage.aave_timelock, 5_000_000)
    held = stage.sandbox.contract(stage.deployment.aave.a_tokens["USDC"], _CALLS)
    return stage.by_openzeppelin(
        _cap(stage),
        call(held, "transfer", _STRANGER, 4_900_000 * 10**6),
        description=_RAISED,
    )


def _delay(stage: Stage) -> ProposalRef:
    timelock = stage.sandbox.contract(stage.aave_timelock, _CALLS)
    return stage.by_openzeppelin(_cap(stage), call(timelock, "updateDelay", 0), description=_RAISED)


def _rates(stage: Stage, *, base: int, slope: int, text: str) -> ProposalRef:
    """Set USDC's rates; `base` and `slope` in basis points a year."""
    strategy = Contract.deploy(
        stage.sandbox,
        load_artifact(
            "@aave/core-v3/artifacts/contracts/protocol/pool/"
            "DefaultReserveInterestRateStrategy.sol/DefaultReserveInterestRateStrategy.json"
        ),
        stage.deployment.aave.addresses_provider,
        92 * _RAY // 100,
        base * _RAY // 10_000,
        slope * _RAY // 10_000,
        6_000 * _RAY // 10_000,
        *(0, 0, 0, 0, 0),
        sender=BUILDER,
    )
    configurator = stage.sandbox.contract(stage.configurator.address, _CALLS)
    return stage.by_openzeppelin(
        call(
            configurator,
            "setReserveInterestRateStrategyAddress",
            stage.deployment.tokens["USDC"],
            strategy.address,
        ),
        description=f"# New rates for USDC\n\nIts rate strategy is {strategy.address}: {text}",
    )


def _absurd(stage: Stage) -> ProposalRef:
    return _rates(stage, base=500_000, slope=650, text="a base rate of 5,000 % a year.")


def _eased(stage: Stage) -> ProposalRef:
    return _rates(stage, base=0, slope=600, text="slope 1 goes from 6.5 % to 6 % a year.")


def _emode(stage: Stage) -> ProposalRef:
    configurator = stage.sandbox.contract(stage.configurator.address, _CALLS)
    return stage.by_openzeppelin(
        call(configurator, "setAssetEModeCategory", stage.deployment.tokens["LINK"], 1),
        description="# LINK in eMode\n\nAdds LINK to the eMode category ETH correlated.",
    )


def _incentive(stage: Stage, percent: int) -> ProposalRef:
    comptroller = stage.sandbox.contract(stage.comptroller.address, _CALLS)
    return stage.by_bravo(
        call(comptroller, "_setLiquidationIncentive", (100 + percent) * 10**16),
        description=f"# The liquidation incentive\n\nMoves the liquidation incentive from 10 % to "
        f"{percent} %.",
    )


CASES = (
    Case(
        name="wrong-decimals",
        title="price a collateral by a feed of 18 decimals where 8 are read",
        source="invented: every LINK counts as two hundred billion dollars",
        build=_decimals,
        harms=(Harm.PROTOCOL_LOSS, Harm.USER_HARM),
    ),
    Case(
        name="constant-price",
        title="price a collateral by a contract that always answers today's price",
        source="prices written into code cost lenders tens of millions in 2025",
        build=_constant,
        harms=(Harm.PROTOCOL_LOSS,),
    ),
    Case(
        name="hidden-payment",
        title="raise a cap, and send 4.9 million USD of the treasury to a stranger",
        source="invented: the text does not mention the transfer",
        build=_payment,
        harms=(Harm.PROTOCOL_LOSS,),
    ),
    Case(
        name="hidden-delay",
        title="raise a cap, and set the timelock's delay to nothing",
        source="invented: nobody could object to the next proposal any more",
        build=_delay,
        harms=(Harm.HIDDEN_CONTROL,),
    ),
    Case(
        name="absurd-rates",
        title="a base rate of 5,000 % a year for all who owe USDC",
        source="invented: a decimal point in the wrong place",
        build=_absurd,
        harms=(Harm.PROTOCOL_LOSS, Harm.USER_HARM),
    ),
    Case(
        name="eased-rates",
        title="the same call with a slope of 6 % instead of 6.5 %",
        source="borrowers pay a little less",
        build=_eased,
        twin_of="absurd-rates",
    ),
    Case(
        name="wrong-emode",
        title="lend 93 % against an asset that moves on its own, as if it moved with ETH",
        source="invented: an eMode category of one asset too many",
        build=_emode,
        harms=(Harm.PROTOCOL_LOSS,),
    ),
    Case(
        name="absurd-incentive",
        title="liquidators get half as much again as they repay, where up to 80 % is lent",
        source="invented: whoever liquidates himself by a second account keeps the difference",
        build=lambda stage: _incentive(stage, 50),
        harms=(Harm.PROTOCOL_LOSS,),
    ),
    Case(
        name="lower-incentive",
        title="the same call with an incentive of 9 % instead of 10 %",
        source="liquidators earn a little less",
        build=lambda stage: _incentive(stage, 9),
        twin_of="absurd-incentive",
    ),
)
