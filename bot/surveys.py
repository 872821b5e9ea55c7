"""Surveys: what the markets around a governor are set to and hold, as the worker read them last.

They tell what a draft can change, and whether the state has moved since a
proposal was evaluated. `what_moved` decides, the rest keeps them.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from bot.database import row, rows
from bot.errors import EvaluationFailed
from evaluator import Database

MOST_PARAMETERS = 20_000
MOST_RESERVES = 2_000
MOST_ROOTS = 8  # markets of one governor
MATTERS = 0.01  # share of all that is supplied below which a reserve moves nothing


@dataclass(frozen=True, kw_only=True, slots=True)
class SurveyedParameter:
    """A parameter that a draft can set."""

    path: str  # "aave_v3.WETH.ltv"
    label: str  # "WETH LTV"
    shown: str  # present value, for people


@dataclass(frozen=True, kw_only=True, slots=True)
class SurveyedReserve:
    """What a reserve holds."""

    path: str  # "aave_v3.WETH"
    price: float  # USD per whole token
    supplied: float  # USD
    borrowed: float  # USD
    utilisation: float  # fraction


@dataclass(frozen=True, kw_only=True, slots=True)
class Survey:
    """The markets around a governor at one block."""

    block: int  # number
    parameters: tuple[SurveyedParameter, ...]
    reserves: tuple[SurveyedReserve, ...]

    def to_json(self) -> str:
        """Return the survey as JSON text."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Survey:
        """Read what `to_json` or the worker wrote. Raises EvaluationFailed if it is no survey."""
        try:
            raw: dict[str, Any] = json.loads(text)
            return cls(
                block=int(raw["block"]),
                parameters=tuple(
                    SurveyedParameter(**one) for one in raw["parameters"][:MOST_PARAMETERS]
                ),
                reserves=tuple(SurveyedReserve(**one) for one in raw["reserves"][:MOST_RESERVES]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise EvaluationFailed(
                f"the worker's survey cannot be read: {error}", permanent=True
            ) from error


def what_moved(before: Survey, now: Survey, *, price: float, positions: float) -> str:
    """Return what changed much between two surveys, "" if nothing did.

    A parameter that changed at all; a price by the fraction `price`; what is
    supplied or borrowed of a reserve by the fraction `positions` of it, prices
    aside, or its utilisation by so many fractions. Reserves below MATTERS of
    all that is supplied move nothing.
    """
    settings = {p.path: p.shown for p in before.parameters}
    for parameter in now.parameters:
        if settings.pop(parameter.path, parameter.shown) != parameter.shown:
            return f"{parameter.path} is {parameter.shown} now"
    total = max(sum(r.supplied for r in s.reserves) for s in (before, now))
    known = {r.path: r for r in before.reserves}
    for reserve in now.reserves:
        was = known.pop(reserve.path, None)
        if max(reserve.supplied, was.supplied if was else 0.0) < MATTERS * total:
            continue
        if was is None:
            return f"{reserve.path} is new"
        moved = _moved(was, reserve, price=price, positions=positions)
        if moved:
            return f"{moved} {reserve.path}"
    gone = [r.path for r in known.values() if r.supplied >= MATTERS * total]
    return f"{gone[0]} is gone" if gone else ""


def _moved(was: SurveyedReserve, now: SurveyedReserve, *, price: float, positions: float) -> str:
    if _change(was.price, now.price) >= price:
        return "the price of"
    for what in ("supplied", "borrowed"):
        amounts = [getattr(r, what) / r.price if r.price > 0.0 else 0.0 for r in (was, now)]
        # A debt that is a trifle beside the reserve may grow by any fraction.
        if max(getattr(was, what), getattr(now, what)) < MATTERS * was.supplied:
            continue
        if _change(*amounts) >= positions:
            return f"what is {what} of"
    if abs(now.utilisation - was.utilisation) >= positions:
        return "the utilisation of"
    return ""


def _change(was: float, now: float) -> float:
    if was <= 0.0:
        return float("inf") if now > 0.0 else 0.0
    return abs(now / was - 1.0)


class SurveyStore:
    """The surveys table: the newest one of each governor."""

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock

    def put(self, chain: str, governor: str, survey: Survey) -> None:
        """Keep a survey instead of the one before."""
        with self._database.atomic():
            self._database.execute(
                "INSERT INTO surveys (chain, governor, block, made_at, survey) "
                "VALUES (?, ?, ?, ?, ?) ON CONFLICT (chain, governor) DO UPDATE SET "
                "block = excluded.block, made_at = excluded.made_at, survey = excluded.survey",
                [chain, governor, survey.block, self._clock(), survey.to_json()],
            )

    def of(self, chain: str, governor: str) -> Survey | None:
        """Return the newest survey around a governor, None if there is none."""
        found = row(
            self._database,
            "SELECT survey FROM surveys WHERE chain = ? AND governor = ?",
            [chain, governor],
        )
        return None if found is None else Survey.from_json(found["survey"])

    def age(self, chain: str, governor: str) -> float:
        """Return how old the newest survey is in seconds, infinite if there is none."""
        found = row(
            self._database,
            "SELECT made_at FROM surveys WHERE chain = ? AND governor = ?",
            [chain, governor],
        )
        return float("inf") if found is None else self._clock() - float(found["made_at"])

    def roots(self, chain: str, governor: str) -> tuple[str, ...]:
        """Return the markets that the newest reports about a governor's proposals name."""
        found = rows(
            self._database,
            "SELECT json_extract(m.value, '$.address') AS address, max(e.id) AS newest "
            "FROM evaluations AS e JOIN proposals AS p ON p.id = e.proposal_id, "
            "json_each(e.report, '$.markets') AS m "
            "WHERE json_valid(e.report) AND p.chain = ? AND p.governor = ? "
            "GROUP BY address ORDER BY newest DESC LIMIT ?",
            [chain, governor, MOST_ROOTS],
        )
        return tuple(str(one["address"]) for one in found if one["address"])
