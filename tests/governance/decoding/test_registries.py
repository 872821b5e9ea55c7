"""The registries of known calls and events against the protocols' own interfaces."""

from __future__ import annotations

from pathlib import Path

import pytest

from evaluator.chain.artifacts import load_artifact
from evaluator.chain.signatures import AbiEntry
from evaluator.governance.decoding.known_calls import known_calls
from evaluator.governance.decoding.known_events import known_events

pytestmark = pytest.mark.chain

AAVE = "@aave/core-v3/artifacts/contracts/protocol"
VENUS = "@venusprotocol/venus-protocol/artifacts/contracts"
GOVERNANCE = "@venusprotocol/governance-contracts/artifacts/contracts"
GOVERNED = [
    f"{AAVE}/pool/PoolConfigurator.sol/PoolConfigurator.json",
    f"{AAVE}/configuration/ACLManager.sol/ACLManager.json",
    f"{AAVE}/configuration/PoolAddressesProvider.sol/PoolAddressesProvider.json",
    "@aave/core-v3/artifacts/contracts/misc/AaveOracle.sol/AaveOracle.json",
    f"{VENUS}/Comptroller/Comptroller.sol/Comptroller.json",
    f"{VENUS}/Comptroller/Unitroller.sol/Unitroller.json",
    f"{VENUS}/Tokens/VTokens/VBep20Delegator.sol/VBep20Delegator.json",
    f"{GOVERNANCE}/Governance/Timelock.sol/Timelock.json",
    f"{GOVERNANCE}/Governance/AccessControlManager.sol/AccessControlManager.json",
    f"{GOVERNANCE}/Governance/GovernorBravoDelegate.sol/GovernorBravoDelegate.json",
    "@openzeppelin/contracts/build/contracts/TimelockController.json",
]
# What only the contracts' own deployment or users call, never a proposal.
_OTHERS = (
    "initialize", "on", "claim", "enter", "exit", "release", "update", "setMinted", "delegate",
    "castVote", "propose", "queue", "execute", "borrow", "redeem", "mint", "repay", "liquidate",
    "seize", "transfer", "approve", "accrue", "balanceOf", "exchangeRate", "totalBorrows",
)  # fmt: skip


@pytest.fixture(scope="module")
def installed(embedded_dump: Path) -> Path:
    """The npm packages are there once the embedded chain is."""
    return embedded_dump


@pytest.mark.parametrize("path", GOVERNED, ids=lambda path: Path(path).stem)
def test_what_governance_may_call_is_known(installed: Path, path: str) -> None:
    known = {call.fragment.signature for call in known_calls().values()}
    missing = [
        entry.signature
        for entry in load_artifact(path).abi.selectors.values()
        if _governed(entry) and entry.signature not in known
    ]
    assert missing == []


@pytest.mark.parametrize("path", GOVERNED, ids=lambda path: Path(path).stem)
def test_what_governance_causes_is_told(installed: Path, path: str) -> None:
    known = {fragment.signature for fragment in known_events().values()}
    told = [
        entry.signature
        for entries in load_artifact(path).abi.topics.values()
        for entry in entries
        if entry.name.startswith(("New", "Role", "Owner", "Proposal", "Permission", "Reserve"))
    ]
    assert [signature for signature in told if signature not in known] == []


def _governed(entry: AbiEntry) -> bool:
    if entry.mutability in ("view", "pure"):
        return False
    return not entry.name.startswith(_OTHERS)
