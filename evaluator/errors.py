"""The errors of Seatrial.

SeatrialError                    anything a user can be told in a sentence
├── ConfigurationError           an argument, policy or settings file is wrong
├── SetupError                   Node, anvil, an npm artifact or a binary is missing
├── ChainError
│   ├── RpcError                 the endpoint answered with an error
│   │   ├── RpcUnreachable       nobody answered, or not in time
│   │   ├── RpcRateLimited       still rate limited after all retries
│   │   └── WrongChain           the endpoint serves another chain than asked for
│   ├── AnvilError               anvil did not start, or died
│   └── TransactionReverted      the EVM reverted; carries the decoded reason
├── ProposalError
│   ├── NotAGovernor             no known governor family answers at the address
│   ├── UnknownProposal          the governor has no proposal with this id
│   └── MalformedProposal        a file or calldata that cannot be a proposal
├── ProtocolError
│   ├── UnknownProtocol          no adapter recognises the contracts
│   └── IncompleteState          a part of the state could not be read
├── CalibrationError             the prices given cannot carry a calibration
├── ReplayMismatch               a replay differs from its manifest
├── StoreError                   the database of runs cannot be used
└── Cancelled                    the user stopped the run

A message says what was given, what was expected and what to do. No message
carries a URL's credentials: `evaluator.chain.redaction` sees to that at the
border.
"""

from __future__ import annotations


class SeatrialError(Exception):
    """Base of every error that is shown to a user as one sentence."""

    exit_code = 10


class ConfigurationError(SeatrialError):
    """An argument, policy or settings file is wrong."""

    exit_code = 64


class SetupError(SeatrialError):
    """Something that must be installed is missing or cannot run."""

    exit_code = 69


class ChainError(SeatrialError):
    """The chain or the node in front of it failed."""

    exit_code = 11


class RpcError(ChainError):
    """The endpoint answered with a JSON-RPC error.

    `code` is the JSON-RPC error code, `data` the raw error data if any.
    """

    def __init__(self, message: str, *, code: int | None = None, data: object = None) -> None:
        super().__init__(message)
        self.code = code
        self.data = data


class RpcUnreachable(RpcError):
    """Nobody answered at the endpoint, or not within the time limit."""


class RpcRateLimited(RpcError):
    """The endpoint still refused for rate after all retries."""


class WrongChain(RpcError):
    """The endpoint serves another chain than the one asked for."""


class AnvilError(ChainError):
    """anvil did not start, or died while in use."""


class TransactionReverted(ChainError):
    """The EVM reverted a call or transaction.

    `reason` is the decoded reason ("" if there is none), `data` the raw
    return data.
    """

    def __init__(self, reason: str, *, data: bytes = b"", to: str = "") -> None:
        super().__init__(
            f"the call to {to or 'a contract'} reverted: {reason or 'no reason given'}"
        )
        self.reason = reason
        self.data = data
        self.to = to


class ProposalError(SeatrialError):
    """A proposal cannot be found, read or carried to execution."""

    exit_code = 12


class NotAGovernor(ProposalError):
    """No known governor family answers at the address."""


class UnknownProposal(ProposalError):
    """The governor has no proposal with this id."""


class MalformedProposal(ProposalError):
    """A file or calldata that cannot be a proposal."""


class ProtocolError(SeatrialError):
    """A lending protocol cannot be read."""

    exit_code = 13


class UnknownProtocol(ProtocolError):
    """No adapter recognises the contracts."""


class IncompleteState(ProtocolError):
    """A part of the protocol's state could not be read."""


class CalibrationError(SeatrialError):
    """The prices given cannot carry a calibration."""

    exit_code = 14


class ReplayMismatch(SeatrialError):
    """A replay differs from its manifest; the message names the first input that differs."""

    exit_code = 15


class StoreError(SeatrialError):
    """The database of runs cannot be opened, read or written."""

    exit_code = 16


class Cancelled(SeatrialError):
    """The user stopped the run."""

    exit_code = 130
