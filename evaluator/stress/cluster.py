"""Runs a job's blocks on a Dask cluster: the same blocks, the same digests.

Nothing here knows about prices or markets. The job travels once, as a task of
its own that any worker can be asked for again, so that a lost worker loses
neither the job nor a block: the scheduler runs the block elsewhere.
"""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable
from typing import Any

from evaluator.errors import ConfigurationError, SetupError
from evaluator.stress.engine import PathModel
from evaluator.stress.job import Job
from evaluator.stress.outcome import Outcome
from evaluator.stress.threads import Flag, Progress, prefix_of

# How often a block may lose its worker before the run fails.
LOST_WORKERS = 20
_CONNECT_SECONDS = 20

_made_lock = threading.Lock()
_made: dict[str, tuple[Job, tuple[PathModel, ...]]] = {}


def _receive(packed: bytes) -> bytes:
    """The job as a task, so that it can be computed again wherever it is needed."""
    return packed


def _run_block(packed: bytes, key: str, block: int) -> tuple[Outcome, ...]:
    """Run a block on a worker; its models are made once per worker and job."""
    with _made_lock:
        if key not in _made:
            _made.clear()
            job: Job = pickle.loads(packed)  # noqa: S301 - sent by the client that runs this task
            _made[key] = (job, job.models())
        job, models = _made[key]
    return job.run(block, models)


def _worker_code() -> str:
    from evaluator.stress.kernel.compilation import source_digest

    return source_digest()


def run_on_cluster(
    job: Job,
    scheduler: str,
    *,
    progress: Progress | None = None,
    cancelled: Flag | None = None,
) -> list[tuple[Outcome, ...]]:
    """Return the results of all blocks in order, or of those done when stopped, without a gap.

    `scheduler` is the address of a Dask scheduler, "tcp://host:8786". Raises
    SetupError without the extra `seatrial[cluster]`, ConfigurationError when
    nobody answers there or a worker runs other code.
    """
    try:
        import distributed
    except ImportError as error:
        raise SetupError(
            "running on a cluster needs Dask; install it with: pip install 'seatrial[cluster]'"
        ) from error
    try:
        client: Any = distributed.Client(  # type: ignore[no-untyped-call]
            scheduler, timeout=_CONNECT_SECONDS, set_as_default=False
        )
    except (OSError, ValueError, TimeoutError) as error:
        raise ConfigurationError(
            f"no Dask scheduler answered at {scheduler} within {_CONNECT_SECONDS} s; start one "
            "with 'dask scheduler' and workers with 'dask worker', or leave out --scheduler"
        ) from error
    with client:
        _same_code(client, scheduler)
        return _gather(client, distributed.as_completed, job, progress, cancelled)


def _same_code(client: Any, scheduler: str) -> None:
    found: dict[str, str] = client.run(_worker_code)
    if not found:
        raise ConfigurationError(f"the Dask scheduler at {scheduler} has no workers; start some")
    if set(found.values()) != {_worker_code()}:
        raise ConfigurationError(
            f"a worker of {scheduler} runs another version of Seatrial than this process; results "
            "would not be comparable, install the same version everywhere"
        )


def _gather(
    client: Any,
    as_completed: Callable[..., Any],
    job: Job,
    progress: Progress | None,
    cancelled: Flag | None,
) -> list[tuple[Outcome, ...]]:
    packed = pickle.dumps(job)
    sent = client.submit(_receive, packed, retries=LOST_WORKERS, pure=True)
    key = str(sent.key)
    futures = {
        client.submit(_run_block, sent, key, block, retries=LOST_WORKERS, pure=False): block
        for block in range(len(job))
    }
    results: dict[int, tuple[Outcome, ...]] = {}
    paths = 0
    try:
        for future in as_completed(list(futures), loop=client.loop):
            block = futures[future]
            results[block] = future.result()
            paths += job.count(block)
            if progress is not None:
                progress(paths, job.paths)
            if cancelled is not None and cancelled.is_set():
                break
    except KeyboardInterrupt:
        pass  # what was done is kept
    client.cancel([f for f, b in futures.items() if b not in results], force=True)
    return prefix_of(results)
