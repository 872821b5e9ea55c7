"""From two readings of a market to the report's section and the verdict's evidence."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from enum import Enum

import numpy as np

from evaluator.market import Market, Parameter, ParameterChange
from evaluator.market.health import debt_value
from evaluator.protocols.hurt import HurtPosition
from evaluator.report.model import ParameterRow
from evaluator.report.odds import (
    CalibrationRow,
    Curves,
    HurtRow,
    HurtSection,
    LiquidationMap,
    SafeValueRow,
    Series,
)
from evaluator.stress.calibration.report import CalibrationReport, ParameterSource
from evaluator.stress.ladder import ladders
from evaluator.verdict.evidence import CalibrationEvidence, SafeValueEvidence

# A plugin's protocol goes by its own name, whosever liquidation rule it follows.
_NAMES = {"aave_v3": "Aave V3", "compound_v2": "Compound V2 family"}
_MOST_HURT = 50  # positions listed
_LEAST_MAPPED = 0.1  # share of the book an asset needs for a liquidation map of its own
# Interest of a block or two; anything a proposal moves is larger.
_UNMOVED = 1e-6
_DAY = 86_400.0
_THIN_DAYS = 30.0
# How calibrations call what an asset's price, or its ratio to its anchor, moves by.
_VOLATILITIES = ("volatility now", "long-run volatility", "volatility of the ratio")


def market_name(market: Market, others: Sequence[Market] = ()) -> str:
    """Return what people call the market; two of one protocol are told apart by address."""
    name = _NAMES.get(market.protocol, market.protocol)
    twin = any(o.protocol == market.protocol and o.address != market.address for o in others)
    return f"{name} {market.address}" if twin else name


def usd(market: Market, field: str) -> float:
    """Return the value of `field` ("supplied", "borrowed", "reserves") over all reserves, USD."""
    return float(sum(getattr(r, field) * r.asset.price for r in market.reserves))


def reserves_usd(market: Market) -> float:
    """Return what would pay bad debt, USD."""
    return usd(market, "reserves")


def book_debt(market: Market) -> float:
    """Return the debt of the borrowers that were read, USD."""
    return float(debt_value(market).sum())


def hurt_section(after: Market, hurt: Sequence[HurtPosition]) -> HurtSection:
    """Return who became liquidatable at execution."""
    total = book_debt(after)
    debt = float(sum(h.debt_value for h in hurt))
    return HurtSection(
        users=len(hurt),
        debt_usd=debt,
        share_of_debt=debt / total if total > 0.0 else 0.0,
        rows=tuple(
            HurtRow(
                account=h.account,
                # A report holds no infinity; an account without debt was never at risk.
                health_factor_before=min(h.health_factor_before, 1e9),
                health_factor_after=h.health_factor_after,
                collateral_usd=h.collateral_value,
                debt_usd=h.debt_value,
            )
            for h in hurt[:_MOST_HURT]
        ),
        borrowers=len(after.book),
    )


def unchanged(before: Market, after: Market, changes: Sequence[ParameterChange]) -> bool:
    """Tell whether execution left parameters, reserves and positions as they were."""
    if changes or len(before.reserves) != len(after.reserves):
        return False
    if before.book.accounts != after.book.accounts:
        return False
    pairs = [
        (before.book.collateral.dense(len(before.reserves)),
         after.book.collateral.dense(len(after.reserves))),
        (before.book.debt.dense(len(before.reserves)), after.book.debt.dense(len(after.reserves))),
        *(
            (np.array([getattr(r, field) for r in before.reserves]),
             np.array([getattr(r, field) for r in after.reserves]))
            for field in ("supplied", "borrowed", "cash", "reserves")
        ),
        (before.prices, after.prices),
    ]  # fmt: skip
    return all(np.allclose(a, b, rtol=_UNMOVED, atol=1e-12) for a, b in pairs)


def parameter_rows(
    changes: Sequence[ParameterChange], mentioned: frozenset[str] | None
) -> tuple[ParameterRow, ...]:
    """Return the parameter table; `mentioned` holds paths the description speaks of."""
    return tuple(
        ParameterRow(
            path=c.path,
            protocol=c.protocol,
            asset=c.asset,
            label=c.label,
            unit=c.unit,
            before=_finite(c.before),
            after=_finite(c.after),
            mentioned=None if mentioned is None else c.path in mentioned,
        )
        for c in changes
    )


def _finite(value: float | bool | str | None) -> float | bool | str | None:
    if isinstance(value, float) and not np.isfinite(value):
        return "no limit"
    return value


def book_shares(market: Market) -> dict[str, float]:
    """Return the larger of each asset's shares of all collateral and of all debt."""
    prices, count = market.prices, len(market.reserves)
    shares = np.zeros(count)
    for side in (market.book.collateral, market.book.debt):
        value = side.total(count) * prices
        if value.sum() > 0.0:
            shares = np.maximum(shares, value / value.sum())
    return dict(zip(market.symbols, shares.tolist(), strict=True))


def calibration_rows(report: CalibrationReport, market: Market) -> tuple[CalibrationRow, ...]:
    """Return what each asset's prices were fitted to."""
    shares = book_shares(market)
    rows = []
    for asset in report.assets:
        prior = asset.source is not ParameterSource.CALIBRATED
        days = (asset.last_timestamp - asset.first_timestamp) / _DAY
        volatility = next((e.value for e in asset.estimates if e.name in _VOLATILITIES), None)
        rows.append(
            CalibrationRow(
                asset=asset.symbol,
                process=report.process if not prior else f"{report.process} ({asset.source.value})",
                days=max(days, 0.0),
                observations=asset.samples,
                source=asset.reason,
                volatility=volatility,
                share_of_book=shares.get(asset.symbol, 0.0),
                thin=days < _THIN_DAYS,
            )
        )
    return tuple(rows)


def liquidation_maps(before: Market, after: Market) -> tuple[LiquidationMap, ...]:
    """Return what becomes liquidatable as prices fall, today and after, asset by asset."""
    falls = {one.assets: one for one in ladders(after)}
    shares = book_shares(after)
    maps = []
    for today in ladders(before):
        later = falls.get(today.assets)
        if later is None or not (today.liquidatable_debt[-1] or later.liquidatable_debt[-1]):
            continue
        if len(today.assets) == 1 and shares[today.assets[0]] < _LEAST_MAPPED:
            continue
        maps.append(
            LiquidationMap(
                asset=today.assets[0] if len(today.assets) == 1 else "all volatile assets",
                curves=Curves(
                    x=tuple(today.drop.tolist()),
                    series=(
                        Series(name="today", value=tuple(today.liquidatable_debt.tolist())),
                        Series(name="after", value=tuple(later.liquidatable_debt.tolist())),
                    ),
                    level=None,
                ),
            )
        )
    return tuple(maps)


def safe_value_rows(values: Sequence[SafeValueEvidence]) -> tuple[SafeValueRow, ...]:
    """Return safe values as the report keeps them."""
    return tuple(
        SafeValueRow(
            path=v.path,
            label=v.label,
            unit=v.unit,
            today=v.today,
            proposed=v.proposed,
            safe=v.safe,
            confidence=v.confidence,
            beyond=v.beyond,
        )
        for v in values
    )


def calibration_evidence(
    report: CalibrationReport, market: Market
) -> tuple[CalibrationEvidence, ...]:
    """Return how much history stands behind each asset of the market."""
    shares = book_shares(market)
    return tuple(
        CalibrationEvidence(
            asset=a.symbol,
            days=max((a.last_timestamp - a.first_timestamp) / _DAY, 0.0),
            share_of_book=shares[a.symbol],
        )
        for a in report.assets
        if a.symbol in shares
    )


def market_digest(market: Market, parameters: Sequence[Parameter]) -> str:
    """Return a SHA-256 over everything that was read of a market, and how it is named."""
    h = hashlib.sha256()
    _feed(h, market)
    for parameter in parameters:
        _feed(h, parameter)
    return h.hexdigest()


def _feed(h: hashlib._Hash, value: object) -> None:
    if dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            h.update(field.name.encode() + b"=")
            _feed(h, getattr(value, field.name))
    elif isinstance(value, np.ndarray):
        h.update(str(value.dtype).encode() + str(value.shape).encode())
        h.update(np.ascontiguousarray(value).tobytes())
    elif isinstance(value, Enum):
        _feed(h, value.value)
    elif isinstance(value, tuple):
        h.update(b"(")
        for item in value:
            _feed(h, item)
        h.update(b")")
    elif isinstance(value, float):
        h.update(b"f" + np.float64(value).tobytes())
    else:
        h.update(repr(value).encode("utf-8", "surrogatepass") + b";")
