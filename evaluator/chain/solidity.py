"""Compile our own contracts with npm's solc, once for each state of their sources.

In two parts: what every evaluation and the embedded chain need, and what only
attackers and the gallery do, which waits until it is asked for. Each result is
kept under a key of everything that went in: sources, settings and the npm lock
file, which fixes the compiler and the libraries. A result of other inputs is
removed, so that no stale build stays behind.
"""

from __future__ import annotations

import functools
import hashlib
import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from evaluator.chain.artifacts import Artifact, parse_artifact
from evaluator.chain.toolchain import Progress, ensure_packages, locked, node_command
from evaluator.data_files import contracts_root, data_path, write_whole
from evaluator.errors import SetupError

COMPILER = "0.8.28"
_SETTINGS = {
    "evmVersion": "cancun",
    "optimizer": {"enabled": True, "runs": 200},
    "metadata": {"bytecodeHash": "none"},
    "outputSelection": {
        "*": {
            "*": [
                "abi",
                "evm.bytecode.object",
                "evm.bytecode.linkReferences",
                "evm.deployedBytecode.object",
            ]
        }
    },
}
_LIMIT = 300  # seconds a compilation may take

# Files whose contracts every evaluation, or the embedded chain, needs.
_NEEDED = ("Lens", "PriceFeed", "SeatrialGovernor", "SeatrialVotes")


def ensure_contracts(progress: Progress | None = None, *, everything: bool = False) -> None:
    """Install the npm packages and compile what every evaluation needs, if that was not done.

    With `everything` also what only attacks need. `progress` is told in words what is being
    done. Raises SetupError.
    """
    ensure_packages(progress)
    if progress is not None:
        progress("compiling the sandbox contracts")
    compile_contracts(needed=True)
    if everything:
        compile_contracts(needed=False)


def load_contract(name: str) -> Artifact:
    """Load one of our contracts ("SeatrialGovernor", "PriceFeed", ...), compiled if need be.

    Raises SetupError if it is unknown, does not compile, or Node is missing.
    """
    contracts = compile_contracts(needed=True)
    if name not in contracts:
        contracts = contracts | compile_contracts(needed=False)
    if name not in contracts:
        raise SetupError(
            f"there is no contract {name!r}; there are: {', '.join(sorted(contracts))}"
        )
    return contracts[name]


@functools.lru_cache(maxsize=2)
def compile_contracts(*, needed: bool) -> dict[str, Artifact]:
    """Compile the contracts that are always needed, or all the others, or read the kept result.

    Returns artifacts by contract name, abstract ones and interfaces left out. Raises
    SetupError with the compiler's own words.
    """
    ensure_packages()
    root = contracts_root()
    source = _compiler_input()
    key = input_digest(source, root)
    folder = root / ".cache" / "solc" / ("needed" if needed else "others")
    kept = folder / f"{key}.json"
    output = _kept(kept)
    if output is None:
        with locked(root / ".cache" / "solc.lock"):
            output = _kept(kept)
            if output is None:
                with ThreadPoolExecutor(max_workers=2) as pool:
                    parts = pool.map(lambda part: _compile(part, root), _halves(source, needed))
                    output = {"contracts": {k: v for p in parts for k, v in p["contracts"].items()}}
                _keep(output, kept)
    return {
        name: parse_artifact(content, name=name)
        for file, contracts in output["contracts"].items()
        if file.startswith("contracts/")
        for name, content in contracts.items()
        if content["evm"]["bytecode"]["object"]
    }


def input_digest(source: str, root: Path) -> str:
    """The sha256 of the compiler's input and of the npm lock file."""
    digest = hashlib.sha256(source.encode())
    digest.update((root / "package-lock.json").read_bytes())
    return digest.hexdigest()


def _compiler_input() -> str:
    folder = data_path("contracts") / "contracts"
    files = sorted(folder.glob("*.sol"))
    if not files:
        raise SetupError(f"there is no Solidity source in {folder}: install Seatrial again")
    sources = {f"contracts/{file.name}": {"content": file.read_text()} for file in files}
    return json.dumps(
        {"language": "Solidity", "sources": sources, "settings": _SETTINGS}, sort_keys=True
    )


def _halves(source: str, needed: bool) -> list[str]:
    """Ask for half of the code in one input and for the other half in another.

    One contract, the governor or the attacker, takes as long as all others of its part.
    """
    whole = json.loads(source)
    wanted = _SETTINGS["outputSelection"]["*"]  # type: ignore[index]
    halves = []
    for heavy in (True, False):
        files = [
            name
            for name in whole["sources"]
            if (Path(name).stem in _NEEDED) is needed
            and (Path(name).stem in ("SeatrialGovernor", "Attacker")) is heavy
        ]
        selection = {"outputSelection": dict.fromkeys(files, wanted)}
        if files:
            halves.append(json.dumps(whole | {"settings": whole["settings"] | selection}))
    return halves


def _compile(source: str, root: Path) -> dict[str, Any]:
    try:
        done = subprocess.run(
            [*node_command(), str(root / "solc.js"), "--standard-json"],
            input=source.encode(),
            capture_output=True,
            timeout=_LIMIT,
            check=False,
            cwd=root,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SetupError(f"the Solidity compiler could not be run: {error}") from error
    try:
        output = json.loads(done.stdout)
    except ValueError as error:
        said = done.stderr.decode(errors="replace").strip()[-800:]
        raise SetupError(f"the Solidity compiler gave no result: {said}") from error
    errors = [
        str(item.get("formattedMessage", item.get("message")))
        for item in output.get("errors", ())
        if item.get("severity") == "error"
    ]
    if errors:
        raise SetupError("our contracts do not compile:\n" + "\n".join(errors[:5]))
    if not isinstance(output.get("contracts"), dict):
        raise SetupError("the Solidity compiler gave no contracts")
    return dict(output)


def _kept(kept: Path) -> dict[str, Any] | None:
    """The result of an earlier compilation, None if there is none that can be read."""
    try:
        return dict(json.loads(kept.read_bytes()))
    except (OSError, ValueError):
        return None


def _keep(output: dict[str, Any], kept: Path) -> None:
    """Write the result in one step, then drop those of other inputs."""
    slim = {
        "contracts": {
            file: contracts
            for file, contracts in output["contracts"].items()
            if file.startswith("contracts/")
        }
    }
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_whole(kept, json.dumps(slim).encode())
        for other in kept.parent.glob("*.json"):
            if other != kept:
                other.unlink(missing_ok=True)
    except OSError as error:
        raise SetupError(
            f"the compiled contracts cannot be kept in {kept.parent}: {error}"
        ) from error
