"""The message that shows where an evaluation is. Pure functions."""

from __future__ import annotations

from bot.discord_bot.words import CONTENT_LIMIT, bar, duration, limited, order_basis, spoken
from bot.evaluation import Progress
from bot.jobs import Job, JobState


def progress_text(
    job: Job, *, subject: str, place: int | None, progress: Progress | None, horizon: float
) -> str:
    """Return the message about an open job.

    `subject` is hostile text, `place` the job's place in the queue (1 is next), `progress` what
    its worker said last, `horizon` the battery's in seconds.
    """
    head = f"**Evaluating** {spoken(subject, 300)}"
    foot = f"-# {order_basis(job.order, horizon)}"
    if job.cancel_asked:
        body = "Stopping …"
    elif job.state is JobState.QUEUED:
        body = "Waiting to begin" if place is None else f"In the queue: place {place}"
        if job.error:
            body += f" (tried before: {spoken(job.error, 200)})"
    else:
        body = _running(job, progress)
    return limited(f"{head}\n{body}\n{foot}", CONTENT_LIMIT)


def _running(job: Job, progress: Progress | None) -> str:
    stage = progress.stage if progress is not None else job.stage or "starting"
    done = progress.done if progress is not None else job.done
    line = f"`{bar(done)}` {100 * max(0.0, min(1.0, done)):.0f}% · {spoken(stage, 60)}"
    if progress is not None and progress.detail:
        line += f" · {spoken(progress.detail, 200)}"
    if progress is not None and progress.seconds_left is not None:
        line += f" · about {duration(max(1.0, progress.seconds_left))} left in this stage"
    return line
