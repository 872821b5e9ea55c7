"""Put proposals on an embedded chain, with real transactions of its proposers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evaluator.chain.abi import Abi
from evaluator.chain.embedded.deployment import Deployment
from evaluator.chain.embedded.listings import AAVE_RESERVES, VENUS_MARKETS
from evaluator.chain.receipts import Receipt
from evaluator.chain.sandbox import Sandbox
from evaluator.errors import ChainError, ConfigurationError

_CONFIGURATOR = Abi.parse(
    ["function configureReserveAsCollateral(address,uint256,uint256,uint256)"]
)
# Both families announce a proposal by the same event.
_CREATED = (
    "event ProposalCreated(uint256 proposalId, address proposer, address[] targets, "
    "uint256[] values, string[] signatures, bytes[] calldatas, uint256 voteStart, "
    "uint256 voteEnd, string description)"
)
_OPENZEPPELIN = Abi.parse(
    ["function propose(address[],uint256[],bytes[],string) returns (uint256)", _CREATED]
)
_BRAVO = Abi.parse(
    ["function propose(address[],uint256[],string[],bytes[],string) returns (uint256)", _CREATED]
)


@dataclass(frozen=True, kw_only=True)
class ProposalRef:
    """A proposal on a chain."""

    governor: str  # address, lower-case
    proposal_id: int


@dataclass(frozen=True, kw_only=True)
class Call:
    """One action of a proposal."""

    target: str  # address
    calldata: bytes  # with its selector, or arguments alone if `signature` is given
    signature: str = ""  # GovernorBravo's second form, as in "_setCloseFactor(uint256)"
    value: int = 0  # wei


def propose_openzeppelin(
    sandbox: Sandbox, deployment: Deployment, calls: Sequence[Call], *, description: str
) -> ProposalRef:
    """Propose `calls` through the OpenZeppelin governor, as its proposer."""
    if any(call.signature for call in calls):
        raise ConfigurationError(
            "an OpenZeppelin governor takes no signatures: put the selector into the calldata"
        )
    where = deployment.openzeppelin
    receipt = sandbox.contract(where.governor, _OPENZEPPELIN).send(
        "propose",
        [call.target for call in calls],
        [call.value for call in calls],
        [call.calldata for call in calls],
        description,
        sender=where.proposer,
    )
    return _created(receipt, where.governor)


def propose_bravo(
    sandbox: Sandbox, deployment: Deployment, calls: Sequence[Call], *, description: str
) -> ProposalRef:
    """Propose `calls` through GovernorBravo, as its proposer."""
    where = deployment.bravo
    receipt = sandbox.contract(where.governor, _BRAVO).send(
        "propose",
        [call.target for call in calls],
        [call.value for call in calls],
        [call.signature for call in calls],
        [call.calldata for call in calls],
        description,
        sender=where.proposer,
    )
    return _created(receipt, where.governor)


def propose_weth_threshold_cut(
    sandbox: Sandbox,
    deployment: Deployment,
    *,
    ltv: int = 7600,
    liquidation_threshold: int = 7850,
) -> ProposalRef:
    """Propose to cut WETH's LTV and liquidation threshold on Aave V3.

    Ratios are in basis points; WETH stands at 8000 and 8250 and keeps its bonus.
    The defaults make several of the seeded borrowers liquidatable.
    """
    weth = next(r for r in AAVE_RESERVES if r.symbol == "WETH")
    calldata = _CONFIGURATOR.encode(
        "configureReserveAsCollateral",
        deployment.tokens["WETH"],
        ltv,
        liquidation_threshold,
        weth.liquidation_bonus,
    )
    return propose_openzeppelin(
        sandbox,
        deployment,
        [Call(target=deployment.aave.pool_configurator, calldata=calldata)],
        description=(
            "# Lower the liquidation threshold of WETH\n\n"
            f"Moves WETH's LTV from {_percent(weth.ltv)} to {_percent(ltv)} and its liquidation "
            f"threshold from {_percent(weth.liquidation_threshold)} to "
            f"{_percent(liquidation_threshold)}."
        ),
    )


def propose_collateral_factor_cut(
    sandbox: Sandbox, deployment: Deployment, *, symbol: str = "ETH", percent: int = 74
) -> ProposalRef:
    """Propose to cut the collateral factor of a Compound V2 market to `percent`.

    `symbol` names the underlying, "ETH" the native market, which stands at 80. The
    action has the form with a signature string and bare arguments. The defaults put
    several of the seeded borrowers into shortfall.
    """
    market = next((m for m in VENUS_MARKETS if m.symbol == symbol), None)
    if market is None:
        raise ConfigurationError(
            f"there is no Compound market of {symbol!r}; there are: "
            f"{', '.join(m.symbol for m in VENUS_MARKETS)}"
        )
    v_token = deployment.venus.v_tokens[symbol]
    arguments = int(v_token, 16).to_bytes(32, "big") + (percent * 10**16).to_bytes(32, "big")
    return propose_bravo(
        sandbox,
        deployment,
        [
            Call(
                target=deployment.venus.comptroller,
                signature="_setCollateralFactor(address,uint256)",
                calldata=arguments,
            )
        ],
        description=(
            f"# Lower the collateral factor of {market.v_symbol}\n\n"
            f"Moves it from {market.collateral_factor:.1%} to {percent} %."
        ),
    )


def _created(receipt: Receipt, governor: str) -> ProposalRef:
    for log in receipt.logs:
        event = _OPENZEPPELIN.decode_log(log) if log.address == governor else None
        if event is not None:
            return ProposalRef(governor=governor, proposal_id=int(event["proposalId"]))
    raise ChainError(f"the governor {governor} mined a proposal and announced none")


def _percent(basis_points: int) -> str:
    return f"{basis_points / 100:g} %"
