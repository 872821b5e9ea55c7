"""Loads what the battery and the report need while the chain is being waited for.

Statistics, compiler and charts take seconds to import; the first part of an
evaluation needs none of them and spends its time waiting for a node.
"""

from __future__ import annotations

import contextlib
import importlib
import subprocess
import threading

# In the order of need.
_NEEDED = (
    "evaluator.evaluation.conclusion",
    "evaluator.report.files",
    "evaluator.store.database",
)


class Loading:
    """One thread that imports, and the compiler that it starts when there is something to compile.

    Its `wait` comes before the first use of what is loaded here: no two threads
    import the same modules at a time.
    """

    def __init__(self) -> None:
        self._compiler: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._load, name="loading", daemon=True)
        self._thread.start()

    def _load(self) -> None:
        # What cannot be imported is told by whoever needs it.
        with contextlib.suppress(ImportError):
            from evaluator.stress.calibration.kept import any_kept
            from evaluator.stress.kernel.warmup import start_compiling

            # In a process of its own: a first run does not wait for it afterwards.
            self._compiler = start_compiling()
            for name in _NEEDED:
                importlib.import_module(name)
            if not any_kept():  # volatilities will have to be fitted
                importlib.import_module("arch.univariate")

    def wait(self) -> None:
        """Wait until everything is loaded."""
        self._thread.join()

    @property
    def compiler(self) -> subprocess.Popen[bytes] | None:
        """The process that compiles the kernel; None when it was compiled already."""
        self.wait()
        return self._compiler

    def stop(self) -> None:
        """End the compiler if it is at work."""
        if self.compiler is not None:
            self.compiler.kill()
            self.compiler.wait()
