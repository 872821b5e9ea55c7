"""Where everything is on the embedded chain, written beside the dump.

Addresses are lower-case hex, as everywhere in the chain room.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from evaluator.errors import SetupError

EMBEDDED_LABEL = "real bytecode, seeded state"
EMBEDDED_CHAIN_ID = 31337


@dataclass(frozen=True, kw_only=True)
class AaveDeployment:
    """Aave V3 (core-v3 1.19.3)."""

    pool: str  # proxy of Pool
    addresses_provider: str  # PoolAddressesProvider
    pool_configurator: str  # proxy of PoolConfigurator
    oracle: str  # AaveOracle, base unit 1e8 USD
    acl_manager: str  # ACLManager; the OpenZeppelin timelock holds every role
    data_provider: str  # AaveProtocolDataProvider
    treasury: str  # receives the reserve factor's aTokens: the OpenZeppelin timelock
    a_tokens: Mapping[str, str]  # symbol of the underlying -> aToken
    variable_debt_tokens: Mapping[str, str]  # symbol of the underlying -> variable debt token
    borrowers: tuple[str, ...]  # accounts opened with debt, in the order they were drawn
    suppliers: tuple[str, ...]  # accounts opened without debt


@dataclass(frozen=True, kw_only=True)
class VenusDeployment:
    """Compound V2 family (Venus protocol 0.7.0)."""

    comptroller: str  # Unitroller in front of Comptroller; its admin is the Bravo timelock
    oracle: str  # VenusChainlinkOracle
    access_control: str  # AccessControlManager
    v_tokens: Mapping[str, str]  # symbol of the underlying -> vToken; the native market is "ETH"
    borrowers: tuple[str, ...]  # accounts opened with debt, in the order they were drawn
    suppliers: tuple[str, ...]  # accounts opened without debt


@dataclass(frozen=True, kw_only=True)
class OpenZeppelinDeployment:
    """OpenZeppelin Governor, votes token and timelock; owns Aave V3."""

    governor: str  # SeatrialGovernor
    timelock: str  # TimelockController
    votes_token: str  # SeatrialVotes
    proposer: str  # holds delegated votes above the proposal threshold
    voters: tuple[str, ...]  # accounts with delegated votes, together above the quorum


@dataclass(frozen=True, kw_only=True)
class BravoDeployment:
    """GovernorBravo, vote vault and timelock; owns the Comptroller."""

    governor: str  # GovernorBravoDelegator in front of GovernorBravoDelegateV1
    timelock: str  # Timelock of the Compound kind
    votes_token: str  # XVS
    vault: str  # XVSVault proxy, where locked and delegated XVS votes
    proposer: str  # holds delegated votes above the proposal threshold
    voters: tuple[str, ...]  # accounts with delegated votes, together above the quorum


@dataclass(frozen=True, kw_only=True)
class PoolAddress:
    """One liquidity pool of two tokens."""

    address: str  # pair or pool
    token0: str  # symbol of the token with the lower address
    token1: str  # symbol of the other token
    fee: int  # hundredths of a basis point, 3000 is 0.3 %


@dataclass(frozen=True, kw_only=True)
class UniswapDeployment:
    """Uniswap V2 and V3."""

    v2_factory: str
    v2_router: str
    v2_pairs: tuple[PoolAddress, ...]
    v3_factory: str
    v3_router: str  # SwapRouter
    v3_position_manager: str  # NonfungiblePositionManager
    v3_quoter: str  # QuoterV2
    v3_pools: tuple[PoolAddress, ...]


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """Every address of an embedded chain and the head it was dumped at."""

    label: str  # what the chain calls itself, EMBEDDED_LABEL
    chain_id: int  # EMBEDDED_CHAIN_ID
    seed: int  # what the state was drawn from
    block: int  # number of the dumped head
    timestamp: int  # of the dumped head, seconds since the epoch
    state_digest: str  # sha256 over accounts, code and storage at the dumped head
    tokens: Mapping[str, str]  # symbol -> ERC-20
    feeds: Mapping[str, str]  # symbol -> price feed in USD, 8 decimals
    aave: AaveDeployment
    venus: VenusDeployment
    openzeppelin: OpenZeppelinDeployment
    bravo: BravoDeployment
    uniswap: UniswapDeployment

    def to_json(self) -> str:
        """Return the deployment as indented JSON."""
        return _ADAPTER.dump_json(self, indent=1).decode()

    @classmethod
    def read(cls, path: Path) -> Deployment:
        """Read a deployment from `path`; SetupError when it is not one."""
        try:
            return _ADAPTER.validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            raise SetupError(
                f"{path} is no description of an embedded chain; remove its folder and start again"
            ) from error


_ADAPTER = TypeAdapter(Deployment)
