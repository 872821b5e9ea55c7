"""Governor families: what an adapter offers, and finding the one that fits an address."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from importlib.metadata import entry_points
from typing import Protocol, runtime_checkable

from evaluator.chain.sandbox import Sandbox
from evaluator.errors import NotAGovernor, SetupError
from evaluator.governance import views
from evaluator.governance.proposal import Proposal, ProposalDraft, ProposalState
from evaluator.governance.trace import ExecutionTrace

GROUP = "seatrial.governors"


@runtime_checkable
class GovernorAdapter(Protocol):
    """A family of governors, bound to one governor's address.

    An adapter keeps nothing but the address: every method reads the sandbox it is
    given, so that the same adapter serves a fork and the fork of another block.
    Addresses are lower-case. Errors of the chain (`RpcError`) pass through.
    """

    name: str
    """The family, e.g. "OpenZeppelin Governor"."""

    address: str
    """The governor's address."""

    def __init__(self, address: str) -> None: ...

    @classmethod
    def matches(cls, sandbox: Sandbox, address: str) -> bool:
        """Tell whether a governor of this family answers at `address`."""
        ...

    @classmethod
    def probes(cls) -> tuple[str, ...]:
        """The views that `matches` asks for, to tell a user what was tried."""
        ...

    def find(self, sandbox: Sandbox, proposal_id: int) -> Proposal:
        """Read a submitted proposal. Raises `UnknownProposal`, `MalformedProposal`."""
        ...

    def adopt(self, sandbox: Sandbox, draft: ProposalDraft) -> Proposal:
        """Make a draft a proposal of this governor; one that is submitted already is found."""
        ...

    def state(self, sandbox: Sandbox, proposal_id: int) -> ProposalState:
        """Read a proposal's state. Raises `UnknownProposal`."""
        ...

    def queued(self, sandbox: Sandbox) -> tuple[Proposal, ...]:
        """Return the proposals waiting in the timelock, in the order of their times."""
        ...

    def evaluation_block(self, sandbox: Sandbox, proposal: Proposal) -> int | None:
        """Return the block before an executed proposal's execution, None if it was not."""
        ...

    def executor(self, sandbox: Sandbox, proposal: Proposal) -> str:
        """Return the address a proposal's calls come from: the timelock, where there is one."""
        ...

    def execute(
        self,
        sandbox: Sandbox,
        proposal: Proposal,
        *,
        feeds: Sequence[str] = (),
        before_execution: Callable[[], None] | None = None,
    ) -> ExecutionTrace:
        """Carry a proposal to execution; see `evaluator.governance.lifecycle.execute`."""
        ...


def open_governor(sandbox: Sandbox, address: str) -> GovernorAdapter:
    """Return the adapter of the family whose governor answers at `address`.

    Raises `NotAGovernor` with what was tried.
    """
    address = views.check_address(address)
    if not sandbox.get_code(address):
        raise NotAGovernor(
            f"{address} on chain {sandbox.chain_id} has no code at block"
            f" {sandbox.block_number()}: it is an account, or the contract lives on another chain;"
            " give the governor's address"
        )
    tried: list[str] = []
    for family in governor_families():
        if family.matches(sandbox, address):
            return family(address)
        tried.append(f"{family.name} ({', '.join(family.probes())})")
    raise NotAGovernor(
        f"{address} on chain {sandbox.chain_id} is a contract but no governor Seatrial knows;"
        f" tried {'; '.join(tried)}. Give the governor's address, not the token's or the timelock's"
    )


@cache
def governor_families() -> tuple[type[GovernorAdapter], ...]:
    """Return the installed families, the built-in ones first. Raises `SetupError`."""
    found: dict[str, type[GovernorAdapter]] = {}
    for entry in sorted(entry_points(group=GROUP), key=_built_in_first):
        try:
            found.setdefault(entry.name, entry.load())
        except (ImportError, AttributeError) as error:
            raise SetupError(
                f"the governor plugin {entry.name!r} ({entry.value}) cannot be loaded: {error};"
                " reinstall or remove it"
            ) from error
    return tuple(found.values())


def _built_in_first(entry: object) -> tuple[bool, bool, str]:
    value, name = str(getattr(entry, "value", "")), str(getattr(entry, "name", ""))
    # OpenZeppelin's compatibility layer answers Bravo's views too, so it is asked first.
    return (not value.startswith("evaluator."), name != "openzeppelin", name)
