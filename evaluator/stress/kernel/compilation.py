"""How the kernel's functions are compiled, and where compiled code is kept.

Compiled code is kept in the user's cache folder, under a digest of the
kernel's sources: numba looks at the file of the outermost function only, and
would run stale code after a change to one that is inlined into it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

import numba
from numba import types

from evaluator.data_files import cache_path
from evaluator.errors import SetupError

P = ParamSpec("P")
R = TypeVar("R")


def source_digest() -> str:
    """Return a digest of the kernel's sources."""
    h = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        h.update(path.name.encode())
        h.update(path.read_bytes())
    return h.hexdigest()[:16]


def _keep_compiled_code() -> bool:
    """Point numba at the cache folder; say whether there is one."""
    if os.environ.get("NUMBA_CACHE_DIR"):
        return True
    # numba keeps what it compiled for each place apart; one folder for each place lets
    # `warmup.is_compiled` tell by its files.
    place = hashlib.sha256(str(Path(__file__).parent).encode()).hexdigest()[:8]
    try:
        folder = cache_path("numba", f"{source_digest()}-{place}")
        setattr(numba.config, "CACHE_DIR", str(folder))  # noqa: B010
    except SetupError:
        return False  # a home that cannot be written to: compile each time
    return True


# Whether compiled code outlives the process.
CACHED = _keep_compiled_code()


# numba's own types know none of its options of the compiler (`call-overload`).

# Wrappers for callers in Python and C would double the time it takes to compile.
_INNER = {
    "error_model": "numpy",
    "_nrt": False,
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
}


def _without_literals(compiled: Any) -> Any:
    """Have a function compiled once for integers, whichever constants it is called with.

    numba would compile it for the constant 9, for 11 and for a variable apart, and for the
    first value of a variable whose type it has not worked out yet. LLVM puts constants in
    their places after inlining anyway.
    """
    look_up = compiled.get_call_template

    def with_types_only(args: tuple[Any, ...], kws: dict[str, Any]) -> Any:
        plain: Callable[[Any], Any] = types.unliteral
        return look_up(tuple(map(plain, args)), {name: plain(x) for name, x in kws.items()})

    compiled.get_call_template = with_types_only
    return compiled


def entry(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function that Python calls; it runs without the GIL."""
    compiled = numba.njit(  # type: ignore[call-overload]
        error_model="numpy", nogil=True, cache=CACHED, _nrt=False, no_cfunc_wrapper=True
    )(function)
    return cast(Callable[P, R], compiled)


def inlined(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function into whatever compiled function calls it."""
    compiled = numba.njit(forceinline=True, **_INNER)(function)  # type: ignore[call-overload]
    return cast(Callable[P, R], _without_literals(compiled))


def called(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function that compiled functions call and that is not copied into them."""
    compiled = numba.njit(**_INNER)(function)  # type: ignore[call-overload]
    return cast(Callable[P, R], _without_literals(compiled))
