"""Load compiled contracts: third-party ones from npm packages, ours from solc.

Three shapes of file occur: Hardhat's and OpenZeppelin's (`bytecode` with 0x,
`linkReferences`), Uniswap V2's (`bytecode` without 0x) and solc's standard
JSON output.
"""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from eth_utils.address import is_address

from evaluator.chain.abi import Abi
from evaluator.data_files import npm_root
from evaluator.errors import SetupError


@dataclass(frozen=True, kw_only=True)
class LinkReference:
    """One place in a bytecode that waits for a library's address."""

    library: str  # name of the library, as in "BorrowLogic"
    start: int  # offset in bytes


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """A compiled contract."""

    name: str  # contract name
    abi: Abi  # parsed interface
    bytecode: str  # creation code, hex without 0x; holds placeholders until linked
    link_references: tuple[LinkReference, ...] = ()  # libraries the code still lacks
    runtime: str = ""  # deployed code, hex without 0x, for code overrides; "" if not given

    @property
    def libraries(self) -> tuple[str, ...]:
        """Names of the libraries the code needs, each once, in order."""
        return tuple(dict.fromkeys(reference.library for reference in self.link_references))

    def creation_code(self) -> bytes:
        """The bytecode ready to deploy. Raises SetupError if a library is not linked."""
        if self.link_references:
            raise SetupError(
                f"{self.name} was to be deployed without its libraries "
                f"{', '.join(self.libraries)}: link() them first"
            )
        return bytes.fromhex(self.bytecode)


@functools.lru_cache(maxsize=256)
def load_artifact(package_path: str) -> Artifact:
    """Load an npm artifact by its path below `node_modules`.

    Example: "@aave/core-v3/artifacts/contracts/protocol/pool/Pool.sol/Pool.json".
    Raises SetupError if it is missing or is no artifact.
    """
    path = npm_root() / package_path
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise SetupError(
            f"the artifact {package_path} is not in {npm_root()}: run `seatrial setup`"
        ) from error
    except ValueError as error:
        raise SetupError(
            f"the artifact {path} is damaged: remove node_modules and install again"
        ) from error
    return parse_artifact(content, name=path.stem)


def parse_artifact(content: Mapping[str, Any], *, name: str) -> Artifact:
    """Read an artifact's JSON, in any of the three shapes. Raises SetupError."""
    code: object = content.get("bytecode")
    references: object = content.get("linkReferences")
    runtime: object = content.get("deployedBytecode")
    if not isinstance(code, str) and isinstance(content.get("evm"), dict):
        part = content["evm"].get("bytecode", {})
        code, references = part.get("object"), part.get("linkReferences")
        runtime = content["evm"].get("deployedBytecode", {}).get("object")
    if not isinstance(code, str) or not isinstance(content.get("abi"), list):
        raise SetupError(f"{name} is no contract artifact: it has no abi or no bytecode")
    found = [
        LinkReference(library=library, start=int(place["start"]))
        for libraries in (references or {}).values()  # type: ignore[attr-defined]
        for library, places in libraries.items()
        for place in places
    ]
    return Artifact(
        name=str(content.get("contractName", name)),
        abi=Abi.parse(content["abi"]),
        bytecode=code.removeprefix("0x"),
        link_references=tuple(sorted(found, key=lambda reference: reference.start)),
        runtime=runtime.removeprefix("0x") if isinstance(runtime, str) else "",
    )


def link(artifact: Artifact, libraries: Mapping[str, str]) -> Artifact:
    """Put library addresses into the bytecode; those not named stay open.

    `libraries` maps a library's name to its address; names the code does not use are
    ignored. Raises SetupError for an address that is none.
    """
    code = artifact.bytecode
    left: list[LinkReference] = []
    for reference in artifact.link_references:
        address = libraries.get(reference.library)
        if address is None:
            left.append(reference)
            continue
        if not is_address(address):
            raise SetupError(f"{reference.library}'s address {address!r} is no address")
        at = reference.start * 2
        code = code[:at] + address.removeprefix("0x").lower() + code[at + 40 :]
    return dataclasses.replace(artifact, bytecode=code, link_references=tuple(left))
