"""Keep the built chain in the user's cache folder and start it from there.

The folder is named by everything the state depends on: the seed, the npm lock
file, our Solidity sources, this package's sources and the version of anvil, whose
format the state is in. It is written in one step under a lock, and checked against
its digests before use; a damaged one is built again.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from evaluator.chain.anvil_binary import anvil_version, find_anvil
from evaluator.chain.embedded.build import Progress, build
from evaluator.chain.embedded.deployment import EMBEDDED_CHAIN_ID, EMBEDDED_LABEL, Deployment
from evaluator.chain.sandbox import Sandbox
from evaluator.chain.toolchain import ensure_packages, locked
from evaluator.data_files import cache_path, data_path
from evaluator.errors import SetupError

_STATE = "state.json"
_DEPLOYMENT = "deployment.json"
_DIGESTS = "sha256.json"
_KEPT = 4  # chains kept, most recently used


class EmbeddedChain:
    """The embedded chain, running: real bytecode, seeded state.

    A context manager; it stops its anvil at the end.
    """

    def __init__(self, *, sandbox: Sandbox, deployment: Deployment) -> None:
        """Take over a running sandbox."""
        self.sandbox = sandbox
        self.deployment = deployment

    @property
    def url(self) -> str:
        """Where the chain speaks JSON-RPC."""
        return self.sandbox.rpc.urls[0]

    @property
    def label(self) -> str:
        """What the chain calls itself wherever it shows."""
        return EMBEDDED_LABEL

    def close(self) -> None:
        """Stop the chain. May be called twice."""
        self.sandbox.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def start_embedded(*, seed: int = 0, progress: Progress | None = None) -> EmbeddedChain:
    """Start the embedded chain, building it first if it is not in the cache.

    `progress` is told (stage, steps done, steps in all) while it is built. Raises
    SetupError if anvil, Node or an npm artifact is missing, ChainError if a step fails.
    """
    dump = embedded_dump(seed=seed, progress=progress)
    sandbox = Sandbox.from_state(dump, chain_id=EMBEDDED_CHAIN_ID)
    return EmbeddedChain(sandbox=sandbox, deployment=read_deployment(dump))


def embedded_dump(*, seed: int = 0, progress: Progress | None = None) -> Path:
    """Return the state file of the embedded chain, built if need be.

    `deployment.json` lies beside it. Safe to call from several processes at once.
    """
    root = cache_path("embedded")
    key = cache_key(seed=seed)
    folder = root / key
    with locked(root / f"{key}.lock"):
        if _intact(folder):
            folder.touch()
        else:
            _write(folder, seed=seed, progress=progress)
            _forget_old(root)
    return folder / _STATE


def read_deployment(dump: Path) -> Deployment:
    """Read the deployment that lies beside a state file."""
    return Deployment.read(dump.parent / _DEPLOYMENT)


def cache_key(*, seed: int) -> str:
    """Return 32 hex digits over everything the embedded chain's state depends on."""
    digest = hashlib.sha256(f"seed {seed}\n{anvil_version(_anvil())}\n".encode())
    contracts = data_path("contracts")
    sources = [
        contracts / "package-lock.json",
        *sorted((contracts / "contracts").glob("*.sol")),
        *sorted(Path(__file__).parent.glob("*.py")),
    ]
    for source in sources:
        try:
            content = source.read_bytes()
        except OSError as error:
            raise SetupError(f"{source} cannot be read: {error.strerror}") from error
        digest.update(f"{source.name} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()[:32]


def _anvil() -> Path:
    """Find anvil, which on a fresh machine comes with the npm packages."""
    try:
        return find_anvil()
    except SetupError:
        ensure_packages()
        return find_anvil()


def _intact(folder: Path) -> bool:
    try:
        digests = json.loads((folder / _DIGESTS).read_bytes())
        return bool(digests == {name: _sha256(folder / name) for name in (_STATE, _DEPLOYMENT)})
    except (OSError, ValueError):
        return False


def _write(folder: Path, *, seed: int, progress: Progress | None) -> None:
    ensure_packages()
    built = build(seed=seed, progress=progress)
    draft = Path(tempfile.mkdtemp(dir=folder.parent, prefix="building-"))
    try:
        (draft / _STATE).write_bytes(built.state)
        (draft / _DEPLOYMENT).write_text(built.deployment.to_json())
        digests = {name: _sha256(draft / name) for name in (_STATE, _DEPLOYMENT)}
        (draft / _DIGESTS).write_text(json.dumps(digests))
        shutil.rmtree(folder, ignore_errors=True)
        draft.rename(folder)
    except OSError as error:
        raise SetupError(
            f"the embedded chain cannot be kept in {folder.parent}: {error.strerror}; free some "
            "space or name another folder with SEATRIAL_CACHE"
        ) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _forget_old(root: Path) -> None:
    """Drop all but the last used chains: each change of our sources makes another."""
    folders = [path for path in root.iterdir() if (path / _DIGESTS).is_file()]
    folders.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    for path in folders[_KEPT:]:
        shutil.rmtree(path, ignore_errors=True)
        path.with_suffix(".lock").unlink(missing_ok=True)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
