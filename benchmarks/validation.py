"""Write docs/validation.md: do the price processes hold what they say?

Run from the repository's root:

    python benchmarks/validation.py --data ../shared/data --out docs/validation.md

Rolling one-day 99% value at risk by asset with the tests of Kupiec and
Christoffersen, beside historical simulation and a normal law on the same days,
and the probability given on the eve of each named crash. Parameters are
estimated anew every four weeks from the past alone, variances are filtered on
each day. Without the data it says so and writes nothing.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np

from evaluator.market import Asset, AssetClass, PriceHistory
from evaluator.stress.calibration.backtest import Coverage, coverage
from evaluator.stress.calibration.bootstrap import stationary_bootstrap
from evaluator.stress.calibration.jump_diffusion import jump_diffusion
from evaluator.stress.calibration.market import MarketEstimate, advanced, estimate_market
from evaluator.stress.calibration.price_files import read_prices
from evaluator.stress.calibration.prices import grid_levels
from evaluator.stress.calibration.student_t import student_t
from evaluator.stress.price_process import PriceProcess

DAY = 86_400
LEVEL = 0.99
REFIT_DAYS = 28
WINDOW = 250  # daily returns of the baselines, fewer at the start
MODELS = ("jump_diffusion", "t_copula", "stationary_bootstrap")
BASELINES = ("historical simulation", "normal")
CRASHES = {
    "2020-03-12": "Black Thursday",
    "2020-09-05": "September 2020",
    "2021-01-11": "January 2021",
    "2021-01-21": "January 2021, the second",
    "2021-02-22": "February 2021",
    "2021-05-19": "May 2021",
    "2021-06-21": "June 2021",
    "2021-09-07": "September 2021",
    "2021-12-04": "December 2021",
}
LARGE = {"LINK", "SOL", "AVAX", "MATIC", "AAVE", "UNI", "MKR", "LUNA", "FTT"}


@dataclass(frozen=True, kw_only=True)
class Group:
    """Assets that are calibrated together on one kind of prices."""

    title: str  # for the table
    histories: tuple[PriceHistory, ...]  # one per asset
    step: float  # seconds
    burn_in: int  # days before the first forecast


@dataclass(frozen=True, kw_only=True)
class Forecasts:
    """One asset's daily forecasts by one model."""

    symbol: str
    model: str
    violated: np.ndarray  # shape (days,)
    value_at_risk: np.ndarray  # shape (days,), as a fall of the price, fraction


def asset(symbol: str) -> Asset:
    kind, peg = AssetClass.SMALL_ALT, None
    if symbol in {"BTC", "ETH"}:
        kind = AssetClass(symbol.lower())
    elif symbol in LARGE:
        kind = AssetClass.LARGE_ALT
    elif symbol in {"USDC", "BUSD", "TUSD"}:
        kind, peg = AssetClass.STABLE, "USD"
    return Asset(
        symbol=symbol, address=symbol, decimals=18, price=1.0, asset_class=kind, pegged_to=peg
    )


def read_group(
    title: str, folder: Path, *, daily: bool, burn_in: int, skip: Sequence[str] = ()
) -> Group:
    histories = []
    for path in sorted(folder.glob("*.csv*")):
        symbol = path.name.split(".")[0].removesuffix("USDT").upper()
        if symbol in skip:
            continue
        (history,) = read_prices(path, symbol=symbol)
        if not daily:
            # A candle's time is its start; its close is known an hour later.
            history = replace(history, timestamp=history.timestamp + 3600)
        histories.append(history)
    return Group(
        title=title,
        histories=tuple(histories),
        step=float(DAY if daily else 3600),
        burn_in=burn_in,
    )


def processes(estimate: MarketEstimate) -> dict[str, PriceProcess]:
    return {
        "jump_diffusion": jump_diffusion(estimate),
        "t_copula": student_t(estimate),
        "stationary_bootstrap": stationary_bootstrap(estimate),
    }


def today(process: PriceProcess, name: str, estimate: MarketEstimate) -> PriceProcess:
    """Return the process with the variances of the day."""
    variance = estimate.diffusive_variance if name == "jump_diffusion" else estimate.total_variance
    # Every fitted process is a dataclass, which its Protocol cannot say.
    return replace(process, variance=variance)  # type: ignore[type-var]


def known(group: Group, until: int, fewest: int) -> list[PriceHistory]:
    """Return the histories that began at least `fewest` days before `until`."""
    return [h for h in group.histories if h.timestamp[0] <= until - fewest * DAY]


def daily_closes(history: PriceHistory, days: np.ndarray) -> np.ndarray:
    """Return log prices at the ends of days (seconds), NaN where there are none."""
    levels = grid_levels(
        history, step=3600.0 if np.median(np.diff(history.timestamp)) < DAY else DAY
    )
    at = (days / levels.step).astype(np.int64) - levels.slot[0]
    inside = (at >= 0) & (at < len(levels.slot))
    out = np.full(len(days), np.nan)
    out[inside] = levels.log_price[at[inside]]
    return out


def rolling(group: Group, *, paths: int, seed: int) -> list[Forecasts]:
    first = min(int(h.timestamp[0]) for h in group.histories)
    last = max(int(h.timestamp[-1]) for h in group.histories)
    days = np.arange(-(-first // DAY) * DAY, last // DAY * DAY + 1, DAY)
    closes = {h.symbol: daily_closes(h, days) for h in group.histories}
    hits: dict[tuple[str, str], list[bool]] = {}
    risks: dict[tuple[str, str], list[float]] = {}
    steps = round(DAY / group.step)
    fitted: dict[str, PriceProcess] = {}
    estimate = None
    histories: list[PriceHistory] = []
    for i in range(group.burn_in, len(days) - 1):
        now = int(days[i])
        if (i - group.burn_in) % REFIT_DAYS == 0:
            histories = known(group, now, group.burn_in)
            assets = [asset(h.symbol) for h in histories]
            estimate = estimate_market(assets, histories, step=group.step, until=now)
            fitted = processes(estimate)
        if estimate is None:
            continue
        current = advanced(estimate, histories, until=now)
        quantiles = {}
        for name, process in fitted.items():
            drawn = today(process, name, current).paths(
                seed=seed, first=i * paths, count=paths, steps=steps
            )
            quantiles[name] = np.quantile(np.log(drawn[:, -1]), 1.0 - LEVEL, axis=0)
        for a, h in enumerate(histories):
            series = closes[h.symbol]
            past = np.diff(series[max(0, i - WINDOW) : i + 1])
            past = past[np.isfinite(past)]
            move = series[i + 1] - series[i]
            if not np.isfinite(move) or len(past) < min(group.burn_in, WINDOW) - 2:
                continue
            limits = {name: float(q[a]) for name, q in quantiles.items()}
            limits["historical simulation"] = float(np.quantile(past, 1.0 - LEVEL))
            limits["normal"] = float(past.mean() - 2.3263478740408408 * past.std(ddof=1))
            for name, limit in limits.items():
                hits.setdefault((h.symbol, name), []).append(bool(move < limit))
                risks.setdefault((h.symbol, name), []).append(float(-np.expm1(limit)))
    return [
        Forecasts(
            symbol=symbol,
            model=model,
            violated=np.array(violated),
            value_at_risk=np.array(risks[symbol, model]),
        )
        for (symbol, model), violated in hits.items()
    ]


def eves(group: Group, *, symbols: Sequence[str], paths: int, seed: int) -> list[tuple[str, ...]]:
    """Return rows: crash, asset, fall, probability by model and baseline."""
    rows = []
    for day, title in CRASHES.items():
        now = int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp())
        histories = known(group, now, 60)
        if not histories:
            continue
        assets = [asset(h.symbol) for h in histories]
        estimate = estimate_market(assets, histories, step=group.step, until=now)
        steps = round(DAY / group.step)
        ends = {
            name: np.log(process.paths(seed=seed, first=0, count=paths, steps=steps)[:, -1])
            for name, process in processes(estimate).items()
        }
        for a, h in enumerate(histories):
            if h.symbol not in symbols:
                continue
            closes = daily_closes(h, np.arange(now - WINDOW * DAY, now + DAY + 1, DAY))
            move = closes[-1] - closes[-2]
            if not np.isfinite(move):
                continue
            past = np.diff(closes[:-1])
            past = past[np.isfinite(past)]
            cells = []
            for name in MODELS:
                p = float(np.mean(ends[name][:, a] <= move))
                cells.append(chance(p, paths))
            cells.append(chance(float(np.mean(past <= move)), len(past)))
            z = (move - past.mean()) / past.std(ddof=1)
            cells.append(one_in(float(0.5 * np.exp(log_normal_cdf(z) + np.log(2.0)))))
            rows.append((title, day, h.symbol, f"{np.expm1(move):.1%}", *cells))
    return rows


def log_normal_cdf(z: float) -> float:
    from scipy.special import log_ndtr

    return float(log_ndtr(z))


def chance(p: float, samples: int) -> str:
    return one_in(p) if p > 0.0 else f"none in {samples:,}"


def one_in(p: float) -> str:
    if p >= 0.01:
        return f"{p:.1%}"
    odds = 1.0 / p if p > 0.0 else float("inf")
    return f"1 in {odds:,.0f}" if odds < 1e7 else f"1 in {odds:.0e}"


def cell(c: Coverage) -> str:
    mark = " ✗" if min(c.kupiec, c.conditional) < 0.05 else ""
    return f"{c.violations} ({c.kupiec:.2f}, {c.conditional:.2f}){mark}"


def coverage_table(group: Group, forecasts: Sequence[Forecasts]) -> list[str]:
    names = (*MODELS, *BASELINES)
    lines = [
        f"### {group.title}",
        "",
        "| asset | days | expected | " + " | ".join(names) + " |",
        "|---|---|---|" + "---|" * len(names),
    ]
    totals = dict.fromkeys(names, 0)
    rejected = dict.fromkeys(names, 0)
    risk: dict[str, list[float]] = {n: [] for n in names}
    expected, rows = 0.0, 0
    for symbol in dict.fromkeys(f.symbol for f in forecasts):
        cells, days = [], 0
        for name in names:
            f = next(x for x in forecasts if x.symbol == symbol and x.model == name)
            c = coverage(f.violated, level=LEVEL)
            cells.append(cell(c))
            days = c.days
            totals[name] += c.violations
            rejected[name] += c.kupiec < 0.05 or c.conditional < 0.05
            risk[name].append(float(f.value_at_risk.mean()))
        expected += (1.0 - LEVEL) * days
        rows += 1
        lines.append(
            f"| {symbol} | {days} | {(1 - LEVEL) * days:.1f} | " + " | ".join(cells) + " |"
        )
    lines.append(
        f"| all | | {expected:.1f} | "
        + " | ".join(f"**{totals[n]}**, {rejected[n]} of {rows} rejected" for n in names)
        + " |"
    )
    lines.append("| mean VaR | | | " + " | ".join(f"{np.mean(risk[n]):.1%}" for n in names) + " |")
    return [*lines, ""]


INTRODUCTION = """# Validation of the price processes

Written by `python benchmarks/validation.py` ({versions}); do not edit by hand.

## One-day 99% value at risk

Each day at 00:00 UTC every model says how far a price may fall in the coming day so
that only one day in a hundred is worse. Parameters are estimated every {refit} days from
prices before that day only, all assets of a table together; in between only variances
are filtered on. {paths:,} paths a day, seed {seed}. `jump_diffusion` is the process used by
default. Historical simulation takes the 1% quantile, the normal law mean and deviation, of
the last {window} daily returns (fewer at the start).

A cell says how many days were worse than the value at risk and, in brackets, the p-values
of Kupiec's test of their number and of Christoffersen's of number and independence
together; ✗ marks a p-value below 0.05. The last rows add up and give the mean value at
risk, for a model that is never exceeded may only be timid. Assets of one table fall
together, so their rows are not independent evidence, and with one bad day in a hundred
these tests only see gross errors: a row of 200 days cannot tell 1% from 2%.
"""

EVES = """## The eve of the crashes

The probability, on the evening before, of a fall at least as large as the one that came
(00:00 to 24:00 UTC). {paths:,} paths; "none in n" means that not one of n did.
"""

CHANGES = """## What was changed after looking

- In the first run the default process had no crashes of its own: it gave Black Thursday
  no path in 50,000 and ETH's fall of May 2021 one in 25,000. A history of one or two years
  cannot hold such events at their true frequency, so a rare market-wide crash was made
  part of every jump process (`evaluator/stress/calibration/priors.py` says how large, how
  often and on what evidence). For these two days the column `jump_diffusion` is therefore
  not a forecast that nobody had seen.
- The degrees of freedom of `t_copula` were bounded below by 2.5 and are now by 3, after its
  value at risk was too small for BTC.
- The priors of volatilities and of routs were set by people who knew 2020 and 2021.

## What this does not say

Nothing here tests the seven-day horizon of the battery, the dependence between assets in a
crash, or pegs that break: the data holds too few independent weeks and no depeg. The
prices end in 2021.
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, default=Path("docs/validation.md"))
    parser.add_argument("--paths", type=int, default=10_000, help="paths a day")
    parser.add_argument("--eve-paths", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    prices = arguments.data / "prices"
    if not prices.is_dir():
        print(
            f"no prices under {arguments.data}; nothing validated, nothing written", file=sys.stderr
        )
        return 69
    started = time.monotonic()
    groups = (
        read_group("Hourly, 2020 and 2021 (perpetual futures)",
                   prices / "binance_perp_1h_2020_2024", daily=False, burn_in=120),
        read_group("Hourly, April to December 2021 (spot)",
                   prices / "binance_spot_1h_2021_2023", daily=False, burn_in=90,
                   skip=("BTC", "ETH", "LINK", "SOL")),
        read_group("Daily, to July 2020 (reference rates)",
                   prices / "coinmetrics_1d", daily=True, burn_in=600,
                   skip=("DAI", "USDC", "USDT")),
    )  # fmt: skip
    lines = [
        INTRODUCTION.format(
            versions=", ".join(f"{p} {version(p)}" for p in ("numpy", "scipy", "arch")),
            refit=REFIT_DAYS,
            paths=arguments.paths,
            seed=arguments.seed,
            window=WINDOW,
        )
    ]
    for group in groups:
        forecasts = rolling(group, paths=arguments.paths, seed=arguments.seed)
        table = coverage_table(group, forecasts)
        lines += table
        print("\n".join(table), file=sys.stderr, flush=True)
        print(f"{group.title}: {time.monotonic() - started:.0f} s", file=sys.stderr)
    lines.append(EVES.format(paths=arguments.eve_paths))
    names = (*MODELS, *BASELINES)
    lines.append("| crash | day | asset | fall | " + " | ".join(names) + " |")
    lines.append("|---|---|---|---|" + "---|" * len(names))
    for row in eves(
        groups[0], symbols=("BTC", "ETH", "LINK"), paths=arguments.eve_paths, seed=arguments.seed
    ):
        lines.append("| " + " | ".join(row) + " |")
    lines += ["", CHANGES]
    arguments.out.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")
    print(f"wrote {arguments.out} in {time.monotonic() - started:.0f} s", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
