"""The manifest: everything a replay needs, and what it must arrive at."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import math
import platform
import sys
from enum import Enum
from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue

import evaluator
from evaluator.report.part import Part, Text, digest_of

Scalar = bool | int | float | Text | None
_PACKAGES = ("numpy", "scipy", "numba", "web3", "eth-abi", "pydantic", "arch", "statsmodels")


class ActionSource(Part):
    """One call of a proposal that was read from a file."""

    target: Text  # address
    value: Text  # wei, decimal (a uint256 does not fit a JSON number)
    signature: Text  # "" if unknown
    calldata: Text  # hex with 0x


class ProposalSource(Part):
    """Where the proposal comes from; one of the two ways."""

    governor: Text | None = None  # address
    proposal_id: Text | None = None  # decimal
    proposer: Text | None = None  # address, of a file's proposal
    actions: tuple[ActionSource, ...] = ()  # of a file's proposal
    description: Text | None = None  # of a file's proposal


class StateDigest(Part):
    """Content of one market before and after execution."""

    market: Text  # "aave_v3 0x..."
    before: Text  # sha256
    after: Text  # sha256


class ResultDigest(Part):
    """What the battery came to."""

    market: Text  # as in StateDigest
    name: Text  # "outcome", "scenario depeg_2023", ...
    digest: Text  # sha256


class Manifest(Part):
    """Inputs, seeds and results of one evaluation. Versions are told, not digested."""

    manifest_version: Literal[1] = 1
    source: ProposalSource
    proposal_digest: Text  # sha256 of the proposal as executed
    chain_id: int
    chain_name: Text  # for people
    block: int  # number the state was pinned to
    block_hash: Text  # of that block
    embedded: bool  # the embedded chain (real bytecode, seeded state)
    seed: int  # of every random stream
    paths: int  # asked for
    most_paths: int | None = None  # gone on to where more settle the verdict; None: not told
    scenario: Text | None  # laid over the process
    process: Text = "jump_diffusion"  # name of the price process
    sampling: Text = "independent"  # of the paths: independent, antithetic or sobol
    prices_digest: Text | None = None  # sha256 of the file of prices, None: feed rounds only
    full: bool = False  # Greeks, sensitivity and reverse stress were asked for
    battery: dict[str, Scalar | tuple[Scalar, ...]]  # settings by name; infinity is "inf"
    attack_sequences: int = 0  # tried on each market; 0: the search was left out
    policy_name: Text
    policy_digest: Text  # sha256 of the policy's content
    policy_document: Annotated[dict[str, JsonValue], Field(default_factory=dict)]  # its content
    states: tuple[StateDigest, ...] = ()
    results: tuple[ResultDigest, ...] = ()
    verdict: Text  # what the policy made of it
    versions: Annotated[dict[str, Text], Field(default_factory=dict)]  # package -> version

    @property
    def inputs_digest(self) -> str:
        """sha256 of everything a replay is given."""
        return digest_of(self.model_dump(mode="json", exclude={*_OUTPUTS, "versions"}))

    @property
    def digest(self) -> str:
        """sha256 of inputs and results; the digest every rendering prints."""
        return digest_of(self.model_dump(mode="json", exclude={"versions"}))

    def differences(self, other: Manifest) -> tuple[str, ...]:
        """Name what differs from `other`, inputs first; versions only if anything else does."""
        mine, theirs = self.model_dump(mode="json"), other.model_dump(mode="json")
        names = [n for n in type(self).model_fields if n != "versions"]
        ordered = [n for n in names if n not in _OUTPUTS] + [n for n in names if n in _OUTPUTS]
        different = [_difference(n, mine[n], theirs[n]) for n in ordered if mine[n] != theirs[n]]
        if different:
            for package in sorted(mine["versions"].keys() | theirs["versions"].keys()):
                a, b = mine["versions"].get(package), theirs["versions"].get(package)
                if a != b:
                    different.append(f"version of {package}: {a or 'none'} and {b or 'none'}")
        return tuple(different)


_OUTPUTS = frozenset({"states", "results", "verdict", "proposal_digest", "block_hash"})


def _difference(name: str, a: Any, b: Any) -> str:
    if isinstance(a, dict) and isinstance(b, dict):
        keys = [k for k in sorted(a.keys() | b.keys()) if a.get(k) != b.get(k)]
        return "; ".join(f"{name}.{k}: {a.get(k)!r} and {b.get(k)!r}" for k in keys)
    if isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        i = next(i for i, (x, y) in enumerate(zip(a, b, strict=True)) if x != y)
        return f"{name}[{i}]: {a[i]!r} and {b[i]!r}"
    return f"{name}: {a!r} and {b!r}"


def settings_of(record: Any) -> dict[str, Scalar | tuple[Scalar, ...]]:
    """Flatten a dataclass of settings into plain JSON values; infinity becomes "inf"."""

    def plain(value: Any) -> Any:
        if isinstance(value, Enum):
            return plain(value.value)
        if isinstance(value, float) and not math.isfinite(value):
            return repr(value)
        if isinstance(value, tuple | list):
            return tuple(plain(v) for v in value)
        if value is None or isinstance(value, bool | int | float | str):
            return value
        return str(value)

    return {f.name: plain(getattr(record, f.name)) for f in dataclasses.fields(record)}


def versions() -> dict[str, str]:
    """Return what this process runs on, for the manifest."""
    found = {
        "seatrial": evaluator.__version__,
        "python": platform.python_version(),
        "platform": f"{sys.platform}-{platform.machine()}",
    }
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
