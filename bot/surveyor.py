"""Has the markets around each governor surveyed, one at a time, by a worker of its own."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Callable

from bot.errors import EvaluationFailed
from bot.evaluation import EvaluationOrder, Evaluator, JobKind
from bot.settings import GovernorSettings, Settings
from bot.surveys import Survey, SurveyStore

log = logging.getLogger(__name__)

AGAIN = 600.0  # seconds after which a survey that failed by chance is tried again, at most


class Surveyor:
    """Keeps the surveys young until stopped."""

    def __init__(
        self,
        settings: Settings,
        surveys: SurveyStore,
        evaluator: Evaluator,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._surveys = surveys
        self._evaluator = evaluator
        self._clock = clock
        # Of surveys that failed: not to be tried again before this time of the clock.
        self._not_before: dict[tuple[str, str], float] = {}
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """End; a survey under way is given up."""
        self._stopping.set()

    async def run(self) -> None:
        """Survey whatever is due, until stopped."""
        every = self._settings.evaluation.survey_every
        if every == 0.0:
            return
        while not self._stopping.is_set():
            for governor in self._settings.governors:
                if self._is_due(governor, every):
                    await self._survey_unless_stopped(governor)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), min(every, 30.0))

    def _is_due(self, governor: GovernorSettings, every: float) -> bool:
        if self._clock() < self._not_before.get((governor.chain, governor.address), -math.inf):
            return False
        return self._surveys.age(governor.chain, governor.address) >= every

    async def _survey_unless_stopped(self, governor: GovernorSettings) -> None:
        work = asyncio.create_task(self.survey(governor))
        stop = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({work, stop}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (work, stop):
                task.cancel()
            await asyncio.wait({work, stop})

    async def survey(self, governor: GovernorSettings) -> bool:
        """Have one governor's markets surveyed; return whether that worked."""
        chain = next(c for c in self._settings.chains if c.name == governor.chain)
        known = self._surveys.roots(governor.chain, governor.address)
        order = EvaluationOrder(
            kind=JobKind.SURVEY,
            chain=chain.name,
            chain_id=chain.chain_id,
            governor=governor.address,
            markets=tuple(dict.fromkeys((*governor.markets, *known))),
        )
        where = (governor.chain, governor.address)
        try:
            result = await self._evaluator.evaluate(order, progress=lambda _: None)
            self._surveys.put(*where, Survey.from_json(result.report))
        except (EvaluationFailed, OSError) as error:
            # Nothing hangs on it: drafts can be typed, prices are followed by the feeds.
            if where not in self._not_before:
                log.info("the markets of %s were not surveyed: %s", governor.name, error)
            every = self._settings.evaluation.survey_every
            lasting = isinstance(error, EvaluationFailed) and error.permanent
            self._not_before[where] = self._clock() + (every if lasting else min(every, AGAIN))
            return False
        self._not_before.pop(where, None)
        return True
