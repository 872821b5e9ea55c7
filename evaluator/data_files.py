"""Where the files that ship with the package are: templates and contracts."""

from __future__ import annotations

from pathlib import Path

from evaluator.errors import SetupError

_PACKAGE = Path(__file__).resolve().parent


def data_path(name: str) -> Path:
    """Return the folder `name` ("templates", "contracts").

    An installed wheel carries it in `evaluator/_data`, a checkout beside
    `pyproject.toml`. Raises SetupError if neither is there.
    """
    for candidate in (_PACKAGE / "_data" / name, _PACKAGE.parent / name):
        if candidate.is_dir():
            return candidate
    raise SetupError(
        f"the folder {name!r} that ships with seatrial is missing; reinstall the package "
        "or run from a complete checkout"
    )
