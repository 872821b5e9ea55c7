"""Deploy artifacts and send calls, from one account."""

from __future__ import annotations

from collections.abc import Mapping

from evaluator.chain.artifacts import Artifact, link, load_artifact
from evaluator.chain.contract import Contract
from evaluator.chain.embedded.batch import Transaction, TransactionBatch
from evaluator.chain.sandbox import Sandbox

ZERO_ADDRESS = "0x" + "00" * 20
_GAS = 7_000_000  # limit of a queued call, enough to create a V3 pool


class Deployer:
    """An account that deploys and configures contracts on a sandbox."""

    def __init__(self, sandbox: Sandbox, account: str) -> None:
        """Send nothing yet; `account` needs no key and no balance."""
        self.sandbox = sandbox
        self.account = account
        self._queue = TransactionBatch(sandbox)

    def deploy(
        self, package_path: str, *args: object, libraries: Mapping[str, str] | None = None
    ) -> Contract:
        """Deploy an npm artifact, linked with `libraries`, and return its handle."""
        return self.deploy_artifact(link(load_artifact(package_path), libraries or {}), *args)

    def deploy_artifact(self, artifact: Artifact, *args: object) -> Contract:
        """Deploy a linked artifact and return its handle."""
        return Contract.deploy(self.sandbox, artifact, *args, sender=self.account)

    def at(self, package_path: str, address: str) -> Contract:
        """Return a handle with an npm artifact's ABI on what stands at `address`."""
        return self.sandbox.contract(address, load_artifact(package_path).abi)

    def send(self, contract: Contract, fn: str, *args: object, value: int = 0) -> None:
        """Send a call to `contract`; TransactionReverted if it fails."""
        contract.send(fn, *args, sender=self.account, value=value)

    def queue(self, contract: Contract, fn: str, *args: object, value: int = 0) -> None:
        """Keep a call back until `flush`, which mines many in one block."""
        self._queue.add(
            Transaction(
                sender=self.account,
                to=contract.address,
                data=contract.encode(fn, *args),
                gas=_GAS,
                value=value,
            )
        )

    def flush(self) -> None:
        """Mine what was queued, in order; TransactionReverted if a call failed."""
        self._queue.flush()
