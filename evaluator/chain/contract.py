"""A deployed contract: an address with an interface, on a sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evaluator.chain.abi import Abi
from evaluator.chain.artifacts import Artifact
from evaluator.chain.receipts import ZERO, Receipt
from evaluator.errors import ConfigurationError

if TYPE_CHECKING:
    from evaluator.chain.sandbox import Sandbox


class Contract:
    """Call and send to one address by the names of its functions."""

    def __init__(self, sandbox: Sandbox, address: str, abi: Abi) -> None:
        """Bind `abi` to `address`; nothing is read."""
        self.sandbox = sandbox
        self.address = address.lower()
        self.abi = abi

    def __repr__(self) -> str:
        return f"Contract({self.address})"

    @classmethod
    def deploy(
        cls, sandbox: Sandbox, artifact: Artifact, *args: object, sender: str, value: int = 0
    ) -> Contract:
        """Deploy `artifact` with constructor arguments `args`.

        Raises SetupError for unlinked libraries, TransactionReverted if the
        constructor reverts.
        """
        sandbox.register_abi(artifact.abi)
        address = sandbox.deploy(
            sender,
            artifact.creation_code(),
            artifact.abi.encode_constructor(*args),
            value=value,
        )
        return cls(sandbox, address, artifact.abi)

    def encode(self, fn: str, *args: object) -> bytes:
        """Encode calldata for `fn`, by name or by signature if overloaded."""
        return self.abi.encode(fn, *args)

    def call(
        self,
        fn: str,
        *args: object,
        block: int | str = "latest",
        sender: str = ZERO,
        value: int = 0,
    ) -> Any:
        """Call a function without a transaction and decode what it returns.

        One value, or a named tuple of several. Raises TransactionReverted, and
        ChainError if nothing or something undecodable came back.
        """
        entry = self.abi.function(fn, len(args))
        data = self.sandbox.call(
            self.address,
            self.abi.encode(entry.signature, *args),
            sender=sender,
            value=value,
            block=block,
        )
        return self.abi.decode_output(entry.signature, data)

    def send(
        self, fn: str, *args: object, sender: str, value: int = 0, gas: int | None = None
    ) -> Receipt:
        """Send a transaction from `sender`, any address. Raises TransactionReverted."""
        if not sender:
            raise ConfigurationError(f"{fn} was to be sent by nobody: name a sender")
        return self.sandbox.send(
            sender, self.address, self.abi.encode(fn, *args), value=value, gas=gas
        )
