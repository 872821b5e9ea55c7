"""Deploy the two governors with their timelocks, votes and voters.

Delays are what large protocols use: OpenZeppelin's suggestion of a day and a
week on one side, Compound's own numbers on the other, two days in each timelock.
"""

from __future__ import annotations

from evaluator.chain.contract import Contract
from evaluator.chain.embedded.book import account_address
from evaluator.chain.embedded.deployer import ZERO_ADDRESS, Deployer
from evaluator.chain.embedded.deployment import BravoDeployment, OpenZeppelinDeployment
from evaluator.chain.solidity import load_contract

_GOVERNANCE = "@venusprotocol/governance-contracts/artifacts/contracts"
_VENUS = "@venusprotocol/venus-protocol/artifacts/contracts"
_WAD = 10**18

TIMELOCK_DELAY = 172_800  # seconds, two days
OZ_VOTING_DELAY = 7_200  # blocks, a day of twelve seconds each
OZ_VOTING_PERIOD = 50_400  # blocks, a week
OZ_QUORUM_PERCENT = 4
OZ_SUPPLY = 10_000_000  # whole votes
OZ_THRESHOLD = 25_000  # whole votes
BRAVO_VOTING_DELAY = 13_140  # blocks
BRAVO_VOTING_PERIOD = 19_710  # blocks
BRAVO_THRESHOLD = 300_000  # whole XVS; the quorum is a constant of the contract, 600,000
VAULT_LOCK = 604_800  # seconds

# Whole votes of the proposer and of each voter, before delegation.
_OZ_VOTES = (90_000, 450_000, 310_000, 220_000, 160_000, 70_000)
_BRAVO_VOTES = (420_000, 900_000, 520_000, 330_000, 150_000, 80_000)


def deploy_openzeppelin(deployer: Deployer, *, seed: int) -> OpenZeppelinDeployment:
    """Deploy votes token, timelock and governor, and delegate the votes.

    Each holder delegates to itself but the last, who delegates to the proposer.
    The timelock takes orders from the governor alone and anyone may execute.
    """
    holders = _accounts(seed, "openzeppelin voter", len(_OZ_VOTES))
    reserve = OZ_SUPPLY - sum(_OZ_VOTES)
    votes = deployer.deploy_artifact(
        load_contract("SeatrialVotes"),
        "Seatrial Votes",
        "SVT",
        [*holders, deployer.account],
        [v * _WAD for v in (*_OZ_VOTES, reserve)],
    )
    timelock = deployer.deploy(
        "@openzeppelin/contracts/build/contracts/TimelockController.json",
        TIMELOCK_DELAY,
        [],
        [ZERO_ADDRESS],
        deployer.account,
    )
    governor = deployer.deploy_artifact(
        load_contract("SeatrialGovernor"),
        "Seatrial Governor",
        votes.address,
        timelock.address,
        OZ_VOTING_DELAY,
        OZ_VOTING_PERIOD,
        OZ_THRESHOLD * _WAD,
        OZ_QUORUM_PERCENT,
    )
    for role in ("PROPOSER_ROLE", "CANCELLER_ROLE"):
        deployer.send(timelock, "grantRole", timelock.call(role), governor.address)
    admin = timelock.call("DEFAULT_ADMIN_ROLE")
    deployer.send(timelock, "renounceRole", admin, deployer.account)
    # What is not handed out belongs to the treasury and does not vote.
    deployer.send(votes, "transfer", timelock.address, reserve * _WAD)
    proposer, *voters = holders
    for holder in holders:
        delegate = proposer if holder == voters[-1] else holder
        votes.send("delegate", delegate, sender=holder)
    return OpenZeppelinDeployment(
        governor=governor.address,
        timelock=timelock.address,
        votes_token=votes.address,
        proposer=proposer,
        voters=tuple(voters[:-1]),
    )


def deploy_bravo(deployer: Deployer, *, seed: int) -> BravoDeployment:
    """Deploy XVS, its vault, timelock and GovernorBravo, and delegate the votes.

    GovernorBravo goes on from the proposal count of a GovernorAlpha, which must
    not be nil: one proposal is made there first, as the real one had.
    """
    holders = _accounts(seed, "bravo voter", len(_BRAVO_VOTES))
    xvs = deployer.deploy(f"{_VENUS}/Tokens/XVS/XVS.sol/XVS.json", deployer.account)
    vault = _deploy_vault(deployer, xvs)
    proposer, *voters = holders
    for holder, amount in zip(holders, _BRAVO_VOTES, strict=True):
        deployer.send(xvs, "transfer", holder, amount * _WAD)
        xvs.send("approve", vault.address, amount * _WAD, sender=holder)
        vault.send("deposit", xvs.address, 0, amount * _WAD, sender=holder)
        vault.send("delegate", proposer if holder == voters[-1] else holder, sender=holder)
    timelock = deployer.deploy(
        f"{_GOVERNANCE}/Governance/Timelock.sol/Timelock.json", deployer.account, TIMELOCK_DELAY
    )
    alpha = deployer.deploy(
        f"{_GOVERNANCE}/legacy/GovernorAlpha.sol/GovernorAlpha.json",
        timelock.address,
        vault.address,
        deployer.account,
    )
    deployer.sandbox.mine()
    alpha.send(
        "propose",
        [timelock.address],
        [0],
        ["setDelay(uint256)"],
        [TIMELOCK_DELAY.to_bytes(32, "big")],
        "Keep the delay at two days",
        sender=proposer,
    )
    bravo_path = f"{_GOVERNANCE}/legacy/GovernorBravoDelegateV1.sol/GovernorBravoDelegateV1.json"
    logic = deployer.deploy(bravo_path)
    proxy = deployer.deploy(
        f"{_GOVERNANCE}/Governance/GovernorBravoDelegator.sol/GovernorBravoDelegator.json",
        timelock.address,
        vault.address,
        deployer.account,
        logic.address,
        BRAVO_VOTING_PERIOD,
        BRAVO_VOTING_DELAY,
        BRAVO_THRESHOLD * _WAD,
        deployer.account,
    )
    bravo = deployer.at(bravo_path, proxy.address)
    # A timelock changes hands by its own order; on the real chain a proposal gave it.
    timelock.send("setPendingAdmin", bravo.address, sender=timelock.address)
    deployer.send(bravo, "_initiate", alpha.address)
    deployer.send(bravo, "_setPendingAdmin", timelock.address)
    bravo.send("_acceptAdmin", sender=timelock.address)
    return BravoDeployment(
        governor=bravo.address,
        timelock=timelock.address,
        votes_token=xvs.address,
        vault=vault.address,
        proposer=proposer,
        voters=tuple(voters[:-1]),
    )


def _deploy_vault(deployer: Deployer, xvs: Contract) -> Contract:
    vault_path = f"{_VENUS}/XVSVault/XVSVault.sol/XVSVault.json"
    logic = deployer.deploy(vault_path)
    proxy = deployer.deploy(f"{_VENUS}/XVSVault/XVSVaultProxy.sol/XVSVaultProxy.json")
    deployer.send(proxy, "_setPendingImplementation", logic.address)
    deployer.send(logic, "_become", proxy.address)
    vault = deployer.at(vault_path, proxy.address)
    store = deployer.deploy(f"{_VENUS}/XVSVault/XVSStore.sol/XVSStore.json")
    deployer.send(vault, "setXvsStore", xvs.address, store.address)
    deployer.send(store, "setNewOwner", vault.address)
    deployer.send(vault, "add", xvs.address, 100, xvs.address, 0, VAULT_LOCK)
    return vault


def _accounts(seed: int, purpose: str, count: int) -> list[str]:
    return [account_address(seed, purpose, i) for i in range(count)]
