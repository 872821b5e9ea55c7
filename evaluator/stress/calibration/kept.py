"""Fits that were made before, kept in the user's cache folder.

The same returns are fitted again by every evaluation of the same state. A fit is kept
under a digest of everything it depends on: the returns to the bit, the sources of this
folder and the versions of the libraries that fit; what is read back is what was found.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable
from functools import cache
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evaluator.data_files import cache_path, write_whole
from evaluator.errors import SetupError

FloatArray = NDArray[np.float64]

_LIBRARIES = ("arch", "numpy", "scipy")
_MOST = 1_000  # fits kept, most recently made


def kept_fit(
    name: str,
    numbers: int,
    returns: FloatArray,
    fit: Callable[[FloatArray], tuple[float | None, ...] | None],
) -> tuple[float | None, ...] | None:
    """Return what `fit` finds for `returns`, from the cache if it was found before.

    `name` tells one kind of fit from another, `numbers` how many a fit has. Without a
    cache folder to write to every fit is made anew.
    """
    try:
        folder = cache_path("fits")
    except SetupError:
        return fit(returns)
    digest = hashlib.sha256(f"{name}\n{_surroundings()}\n".encode())
    digest.update(np.ascontiguousarray(returns, dtype=np.float64).tobytes())
    file = folder / f"{digest.hexdigest()[:32]}.json"
    with contextlib.suppress(OSError, ValueError):
        return _read(file.read_bytes(), numbers)
    found = fit(returns)
    with contextlib.suppress(OSError):
        _write(file, found)
    return found


def any_kept() -> bool:
    """Whether fits were kept, so that what makes them may not be needed."""
    with contextlib.suppress(SetupError, OSError):
        return next(cache_path("fits").glob("*.json"), None) is not None
    return False


@cache
def _surroundings() -> str:
    """Digest of what a fit depends on beside its returns."""
    digest = hashlib.sha256()
    for library in _LIBRARIES:
        digest.update(f"{library} {version(library)}\n".encode())
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.name.encode() + b"\n" + source.read_bytes())
    return digest.hexdigest()


def _read(content: bytes, numbers: int) -> tuple[float | None, ...] | None:
    found = json.loads(content)
    if found is None:
        return None
    if (
        not isinstance(found, list)
        or len(found) != numbers
        or not all(x is None or isinstance(x, float) for x in found)
    ):
        raise ValueError("no fit")
    return tuple(found)


def _write(file: Path, found: tuple[float | None, ...] | None) -> None:
    write_whole(file, json.dumps(found).encode())
    made = sorted(file.parent.glob("*.json"), key=lambda f: f.stat().st_mtime)
    for old in made[:-_MOST]:
        old.unlink(missing_ok=True)
