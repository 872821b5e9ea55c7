"""Where the files that are not Python lie, and how they are written: contracts, templates, caches.

In a checkout they lie beside `pyproject.toml`; an installed wheel carries them
under `evaluator/_data`. What is built or downloaded goes beside the sources in
a checkout, and into the user's cache folder otherwise, because an installed
package must not write into site-packages.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from evaluator.errors import SetupError

_PACKAGE = Path(__file__).resolve().parent
_PACKED = _PACKAGE / "_data"
_CHECKOUT = _PACKAGE.parent


def in_checkout() -> bool:
    """Say whether this package runs from a source checkout."""
    return not _PACKED.is_dir() and (_CHECKOUT / "pyproject.toml").is_file()


def data_path(name: str) -> Path:
    """Find the data folder or file `name` ("contracts", "templates", ...).

    Raises SetupError if the installation lacks it.
    """
    for root in (_PACKED, _CHECKOUT):
        candidate = root / name
        if candidate.exists():
            return candidate
    raise SetupError(
        f"Seatrial's data folder {name!r} was looked for in {_PACKED} and beside "
        f"{_CHECKOUT / 'pyproject.toml'} and is in neither: install Seatrial again"
    )


def cache_root() -> Path:
    """Find the user's cache folder of Seatrial, without creating it.

    `SEATRIAL_CACHE`, else `XDG_CACHE_HOME/seatrial`, else `~/.cache/seatrial`.
    """
    own = os.environ.get("SEATRIAL_CACHE")
    if own:
        return Path(own).expanduser().absolute()
    shared = os.environ.get("XDG_CACHE_HOME")
    base = Path(shared).expanduser() if shared else Path.home() / ".cache"
    return base.absolute() / "seatrial"


def cache_path(*parts: str) -> Path:
    """Create and return the folder `parts` within the user's cache folder."""
    folder = cache_root().joinpath(*parts)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SetupError(
            f"the cache folder {folder} cannot be created ({error.strerror}): "
            "name a writable one with SEATRIAL_CACHE"
        ) from error
    return folder


def contracts_root() -> Path:
    """Find the folder npm and solc work in: `contracts/`, or its copy in the user's cache."""
    if in_checkout():
        return data_path("contracts")
    return cache_root() / "contracts"


def npm_root() -> Path:
    """Find the `node_modules` folder, whether or not it is filled yet."""
    return contracts_root() / "node_modules"


def write_whole(path: Path, content: bytes) -> Path:
    """Write a file, or replace it, in one step: nobody ever reads half of it.

    Returns `path`. Raises OSError, and leaves nothing behind then.
    """
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:  # Ctrl-C as well leaves no half of a file
        Path(name).unlink(missing_ok=True)
        raise
    return path
