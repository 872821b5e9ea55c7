"""Surveys: what moved between two of them, how they are kept, when they are made."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bot.database import open_database
from bot.errors import EvaluationFailed
from bot.evaluation import EvaluationOrder, FinishedEvaluation, JobKind, Progress
from bot.settings import Settings
from bot.surveyor import Surveyor
from bot.surveys import Survey, SurveyedParameter, SurveyedReserve, SurveyStore, what_moved
from evaluator.sqlite import Database

GOVERNOR = "0x" + "11" * 20
POOL, OTHER = "0x" + "22" * 20, "0x" + "33" * 20
WETH = SurveyedReserve(
    path="aave_v3.WETH", price=2000.0, supplied=8e8, borrowed=4e8, utilisation=0.5
)
DUST = SurveyedReserve(path="aave_v3.DUST", price=1.0, supplied=1e3, borrowed=5e2, utilisation=0.5)
LTV = SurveyedParameter(path="aave_v3.WETH.ltv", label="WETH LTV", shown="80%")
SURVEY = Survey(block=9, parameters=(LTV,), reserves=(WETH, DUST))
SETTINGS = Settings.model_validate(
    {
        "chains": [{"name": "test", "chain_id": 1, "urls": ["http://127.0.0.1:1"]}],
        "governors": [{"chain": "test", "address": GOVERNOR, "name": "Sea DAO", "markets": [POOL]}],
        "evaluation": {"survey_every": 100.0},
    }
)


def _with(reserve: SurveyedReserve, **changes: float) -> Survey:
    changed = replace(reserve, **changes)
    others = tuple(changed if r is reserve else r for r in SURVEY.reserves)
    return replace(SURVEY, reserves=others)


@pytest.mark.parametrize(
    ("now", "moved"),
    [
        (SURVEY, ""),
        (replace(SURVEY, block=10), ""),
        (_with(WETH, price=2099.0, supplied=8e8 * 1.0495, borrowed=4e8 * 1.0495), ""),
        (_with(WETH, price=2101.0, supplied=8e8 * 1.0505, borrowed=4e8 * 1.0505), "the price of"),
        (_with(WETH, price=1899.0, supplied=8e8 * 0.9495, borrowed=4e8 * 0.9495), "the price of"),
        (_with(WETH, supplied=8e8 * 1.19), ""),
        (_with(WETH, supplied=8e8 * 1.21), "what is supplied of aave_v3.WETH"),
        (_with(WETH, borrowed=4e8 * 0.79), "what is borrowed of aave_v3.WETH"),
        (_with(WETH, utilisation=0.71), "the utilisation of aave_v3.WETH"),
        (_with(DUST, supplied=9e5, utilisation=0.0), ""),  # nothing hangs on it
        (_with(DUST, supplied=9e7), "what is supplied of aave_v3.DUST"),
        (replace(SURVEY, reserves=(WETH,)), ""),
        (replace(SURVEY, reserves=(DUST,)), "aave_v3.WETH is gone"),
        (
            replace(SURVEY, reserves=(*SURVEY.reserves, replace(WETH, path="aave_v3.NEW"))),
            "aave_v3.NEW is new",
        ),
        (replace(SURVEY, parameters=(replace(LTV, shown="79%"),)), "aave_v3.WETH.ltv is 79% now"),
        (replace(SURVEY, parameters=()), ""),
    ],
)
def test_what_moved(now: Survey, moved: str) -> None:
    found = what_moved(SURVEY, now, price=0.05, positions=0.2)
    assert found.startswith(moved)
    assert bool(found) == bool(moved)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    ready = open_database(tmp_path / "bot.db")
    yield ready
    ready.close()


def test_the_newest_survey_is_kept(database: Database) -> None:
    now = [1000.0]
    store = SurveyStore(database, clock=lambda: now[0])
    assert store.of("test", GOVERNOR) is None
    assert store.age("test", GOVERNOR) == float("inf")
    store.put("test", GOVERNOR, SURVEY)
    store.put("test", GOVERNOR, replace(SURVEY, block=12))
    now[0] += 5
    assert store.of("test", GOVERNOR) == replace(SURVEY, block=12)
    assert store.age("test", GOVERNOR) == 5


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"block": "x"}', '{"block": 1}'])
def test_nonsense_is_no_survey(text: str) -> None:
    with pytest.raises(EvaluationFailed, match="cannot be read"):
        Survey.from_json(text)


class Worker:
    """Answers surveys, or fails."""

    def __init__(self) -> None:
        self.orders: list[EvaluationOrder] = []
        self.failure: Exception | None = None
        self.hangs = False

    async def evaluate(
        self, order: EvaluationOrder, *, progress: Callable[[Progress], None]
    ) -> FinishedEvaluation:
        self.orders.append(order)
        if self.hangs:
            await asyncio.sleep(3600)
        if self.failure is not None:
            raise self.failure
        return FinishedEvaluation(
            verdict="SURVEY", headline="", digest="d", block=9, report=SURVEY.to_json(),
            markdown="", embed="{}",
        )  # fmt: skip


async def test_markets_of_the_settings_and_of_the_reports_are_surveyed(database: Database) -> None:
    database["proposals"].insert(
        {"chain": "test", "governor": GOVERNOR, "number": "1", "proposer": "0x0", "title": "",
         "description": "", "created_block": 1, "created_at": 1}
    )  # fmt: skip
    for number, report in ((1, {"markets": [{"address": OTHER}, {"address": POOL}]}), (2, "x")):
        database["jobs"].insert(
            {"key": str(number), "owner": "o", "kind": "evaluation", "reason": "created",
             "request": "{}", "not_before": 0, "created_at": 0}
        )  # fmt: skip
        database["evaluations"].insert(
            {"job_id": number, "proposal_id": 1, "kind": "evaluation", "reason": "created",
             "verdict": "PASS", "headline": "", "digest": "", "created_at": 0, "markdown": "",
             "embed": "{}", "report": json.dumps(report) if number == 1 else "no json"}
        )  # fmt: skip
    worker, store = Worker(), SurveyStore(database)
    surveyor = Surveyor(SETTINGS, store, worker)
    assert await surveyor.survey(SETTINGS.governors[0])
    (order,) = worker.orders
    assert order.kind is JobKind.SURVEY
    assert set(order.markets) == {POOL, OTHER}
    assert order.markets[0] == POOL
    assert EvaluationOrder.from_json(order.to_json()) == order
    assert store.of("test", GOVERNOR) == SURVEY


async def test_a_survey_that_fails_stops_nothing_and_is_tried_again(database: Database) -> None:
    now = [0.0]
    worker, store = Worker(), SurveyStore(database)
    worker.failure = EvaluationFailed("no market was named")
    surveyor = Surveyor(SETTINGS, store, worker, clock=lambda: now[0])
    running = asyncio.create_task(surveyor.run())
    while not worker.orders:
        await asyncio.sleep(0.001)
    assert not surveyor._is_due(SETTINGS.governors[0], 100.0)
    now[0] = 101.0
    assert surveyor._is_due(SETTINGS.governors[0], 100.0)
    surveyor.stop()
    await asyncio.wait_for(running, 5)
    worker.failure = None
    assert await surveyor.survey(SETTINGS.governors[0])
    assert not surveyor._is_due(SETTINGS.governors[0], 100.0)


async def test_a_stop_does_not_wait_for_a_survey(database: Database) -> None:
    worker = Worker()
    worker.hangs = True
    surveyor = Surveyor(SETTINGS, SurveyStore(database), worker)
    running = asyncio.create_task(surveyor.run())
    while not worker.orders:
        await asyncio.sleep(0.001)
    surveyor.stop()
    await asyncio.wait_for(running, 5)
