"""Both governor families on the embedded chain, driven by hand to any state.

The adapters under test are not used here: proposals are submitted, voted and queued
with calls written out, so that an adapter cannot agree with its own mistakes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

import eth_abi
from eth_utils import keccak

from evaluator.chain.embedded import Deployment
from evaluator.chain.sandbox import Sandbox
from evaluator.governance import ProposalDraft, ProposalState, parse_proposal

ZERO = "0x" + "00" * 20
TWO_DAYS = 172_800
GRACE = 14 * 86_400

Call = tuple[str, int, bytes]  # target, wei, calldata


def calldata(signature: str, *values: object) -> bytes:
    types = signature[signature.index("(") + 1 : -1]
    return keccak(text=signature)[:4] + eth_abi.encode(types.split(",") if types else [], values)


def draft(*calls: Call, description: str, proposer: str | None = None) -> ProposalDraft:
    record = {
        "targets": [c[0] for c in calls],
        "values": [c[1] for c in calls],
        "calldatas": ["0x" + c[2].hex() for c in calls],
        "description": description,
    }
    parsed = parse_proposal(json.dumps(record).encode())
    return replace(parsed, proposer=proposer)


@dataclass
class Harness:
    """One family: where it lives, what it governs, how it is driven."""

    sandbox: Sandbox
    deployment: Deployment
    governor: str
    timelock: str
    proposer: str
    voters: tuple[str, ...]
    delay: int  # blocks
    period: int  # blocks

    def reach(self, proposal: ProposalDraft, state: ProposalState) -> int:
        """Submit `proposal` and drive it to `state`; returns its id."""
        number = self.submit(proposal)
        if state is ProposalState.PENDING:
            return number
        if state is ProposalState.CANCELED:
            self.cancel(proposal, number)
            return number
        self.jump(self.delay + 1)
        if state is ProposalState.ACTIVE:
            return number
        if state is not ProposalState.DEFEATED:
            for voter in self.voters:
                self.send(voter, calldata("castVote(uint256,uint8)", number, 1))
        self.jump(self.period + 1)
        if state in (ProposalState.DEFEATED, ProposalState.SUCCEEDED):
            return number
        self.queue(proposal, number)
        if state is ProposalState.QUEUED:
            return number
        self.sandbox.warp(TWO_DAYS + (GRACE if state is ProposalState.EXPIRED else 0))
        self.sandbox.refresh_feeds(self.feeds)
        if state is ProposalState.EXECUTED:
            self.execute(proposal, number)
        return number

    def jump(self, blocks: int) -> None:
        """Let time pass as on a chain whose feeds are alive."""
        self.sandbox.jump_blocks(blocks)
        self.sandbox.refresh_feeds(self.feeds)

    @property
    def feeds(self) -> tuple[str, ...]:
        """The feed that the changes need fresh after a wait."""
        return (self.deployment.feeds["WETH"],)

    def send(self, sender: str, data: bytes):
        return self.sandbox.send(sender, self.governor, data)


class OpenZeppelinHarness(Harness):
    """The OpenZeppelin governor over Aave V3."""

    name = "OpenZeppelin Governor"
    states = tuple(s for s in ProposalState if s is not ProposalState.EXPIRED)

    @classmethod
    def on(cls, sandbox: Sandbox, deployment: Deployment) -> OpenZeppelinHarness:
        where = deployment.openzeppelin
        return cls(
            sandbox, deployment, where.governor, where.timelock, where.proposer, where.voters,
            delay=7_200, period=50_400,
        )  # fmt: skip

    def change(self, threshold: int = 7_600) -> Call:
        """Cut WETH's liquidation threshold."""
        data = calldata(
            "configureReserveAsCollateral(address,uint256,uint256,uint256)",
            self.deployment.tokens["WETH"], 7_000, threshold, 10_500,
        )  # fmt: skip
        return self.deployment.aave.pool_configurator, 0, data

    def value(self) -> int:
        """WETH's liquidation threshold, basis points."""
        answer = self.sandbox.call(
            self.deployment.aave.data_provider,
            calldata("getReserveConfigurationData(address)", self.deployment.tokens["WETH"]),
        )
        return int.from_bytes(answer[64:96], "big")

    changed = 7_600
    event = "CollateralConfigurationChanged"

    def nothing(self) -> Call:
        """A view: it changes nothing."""
        data = calldata("getAssetPrice(address)", self.deployment.tokens["WETH"])
        return self.deployment.aave.oracle, 0, data

    def reverting(self) -> tuple[Call, str]:
        """A threshold below the LTV, refused by Aave with its error 20."""
        data = calldata(
            "configureReserveAsCollateral(address,uint256,uint256,uint256)",
            self.deployment.tokens["WETH"], 9_000, 100, 10_500,
        )  # fmt: skip
        return (self.deployment.aave.pool_configurator, 0, data), "20"

    def submit(self, proposal: ProposalDraft) -> int:
        receipt = self.send(
            self.proposer,
            keccak(text="propose(address[],uint256[],bytes[],string)")[:4]
            + eth_abi.encode(
                ["address[]", "uint256[]", "bytes[]", "bytes"],
                [*self._lists(proposal), proposal.description_bytes],
            ),
        )
        return int.from_bytes(receipt.logs[-1].data[:32], "big")

    def _lists(self, proposal: ProposalDraft):
        return (
            [a.target for a in proposal.raw_actions],
            [a.value for a in proposal.raw_actions],
            [a.full_calldata for a in proposal.raw_actions],
        )

    def _order(self, verb: str, proposal: ProposalDraft, sender: str) -> None:
        types = ["address[]", "uint256[]", "bytes[]", "bytes32"]
        selector = keccak(text=f"{verb}({','.join(types)})")[:4]
        values = [*self._lists(proposal), keccak(proposal.description_bytes)]
        self.send(sender, selector + eth_abi.encode(types, values))

    def cancel(self, proposal: ProposalDraft, number: int) -> None:
        self._order("cancel", proposal, self.proposer)

    def queue(self, proposal: ProposalDraft, number: int) -> None:
        self._order("queue", proposal, self.proposer)

    def execute(self, proposal: ProposalDraft, number: int) -> None:
        self._order("execute", proposal, self.proposer)


class BravoHarness(Harness):
    """GovernorBravo over the Venus comptroller."""

    name = "GovernorBravo"
    states = tuple(ProposalState)

    @classmethod
    def on(cls, sandbox: Sandbox, deployment: Deployment) -> BravoHarness:
        where = deployment.bravo
        return cls(
            sandbox, deployment, where.governor, where.timelock, where.proposer, where.voters,
            delay=13_140, period=19_710,
        )  # fmt: skip

    def change(self, factor: int = 5 * 10**17) -> Call:
        """Cut the collateral factor of ETH."""
        data = calldata(
            "_setCollateralFactor(address,uint256)", self.deployment.venus.v_tokens["ETH"], factor
        )
        return self.deployment.venus.comptroller, 0, data

    def value(self) -> int:
        """The collateral factor of ETH, 1e18."""
        answer = self.sandbox.call(
            self.deployment.venus.comptroller,
            calldata("markets(address)", self.deployment.venus.v_tokens["ETH"]),
        )
        return int.from_bytes(answer[32:64], "big")

    changed = 5 * 10**17
    event = "NewCollateralFactor"

    def nothing(self) -> Call:
        """A view: it changes nothing."""
        return self.deployment.venus.comptroller, 0, calldata("getAllMarkets()")

    def reverting(self) -> tuple[Call, str]:
        """A price oracle that is none: refused by a require."""
        return (
            self.deployment.venus.comptroller,
            0,
            calldata("_setPriceOracle(address)", ZERO),
        ), "can't be zero address"

    def submit(self, proposal: ProposalDraft) -> int:
        types = ["address[]", "uint256[]", "string[]", "bytes[]", "string"]
        receipt = self.send(
            self.proposer,
            keccak(text=f"propose({','.join(types)})")[:4]
            + eth_abi.encode(
                ["address[]", "uint256[]", "bytes[]", "bytes[]", "bytes"],
                [
                    [a.target for a in proposal.raw_actions],
                    [a.value for a in proposal.raw_actions],
                    [a.signature for a in proposal.raw_actions],
                    [a.calldata for a in proposal.raw_actions],
                    proposal.description_bytes,
                ],
            ),
        )
        return int.from_bytes(receipt.logs[-1].data[:32], "big")

    def cancel(self, proposal: ProposalDraft, number: int) -> None:
        self.send(self.proposer, calldata("cancel(uint256)", number))

    def queue(self, proposal: ProposalDraft, number: int) -> None:
        self.send(self.proposer, calldata("queue(uint256)", number))

    def execute(self, proposal: ProposalDraft, number: int) -> None:
        self.send(self.proposer, calldata("execute(uint256)", number))
