"""The dense loop: every position is looked at in every step.

It is what the certificate loop is measured against and must equal.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evaluator.stress.kernel.compilation import entry
from evaluator.stress.kernel.layout import (
    BAD_DEBT,
    BORROWERS,
    FIRST,
    FROZEN,
    INTEREST,
    ORACLE,
    PRICES,
    REFILL,
    RESULTS,
    SUPPLIERS,
    Settings,
    Table,
)
from evaluator.stress.kernel.position import (
    FLOOR_MARGIN,
    capital_now,
    gas_cost_now,
    gas_multiple,
    linear,
    liquidate,
    recognise,
    rounded,
    shortfall,
    top_up,
    value,
)
from evaluator.stress.kernel.step import (
    PC,
    PD,
    accrue,
    close_step,
    impact,
    move_prices,
    oracle_near_market,
    refill,
    report,
    reset,
    run_of_suppliers,
    set_depth,
    unit_prices,
)

FloatArray = NDArray[np.float64]


@entry
def dense_paths(
    tb: Table,
    s: Settings,
    st: FloatArray,
    history: FloatArray,
    amount: FloatArray,
    relative: FloatArray,
    results: FloatArray,
    by_asset: FloatArray,
) -> None:
    """Run the paths of `relative`, shape (P, S + 1, U), into `results` and `by_asset`.

    `results` has shape (P, RESULTS), `by_asset` (P, A); `st`, `history` (S + 1, A) and
    `amount` (nnz,) are scratch.
    """
    N = len(tb.rows)
    highest = 0.0
    for k in range(tb.rule.shape[1]):
        highest = max(highest, tb.rule[0, k])
    S = relative.shape[1] - 1
    for p in range(relative.shape[0]):
        path = relative[p]
        out = results[p]
        bad = by_asset[p]
        for k in range(RESULTS):
            out[k] = 0.0
        out[FIRST] = -1.0
        for a in range(len(bad)):
            bad[a] = 0.0
        for n in range(len(amount)):
            amount[n] = tb.amount[n]
        reset(tb, s, st, history)
        now = 0
        for t in range(1, S + 1):
            frozen = False
            set_depth(tb, s, st, path, t)
            for k in range(len(tb.order)):
                event = tb.order[k]
                if event == REFILL:
                    refill(s, st)
                elif event == PRICES:
                    move_prices(tb, s, st, history, path, t)
                    now = t
                elif event == ORACLE:
                    report(tb, st, history, now, t)
                elif event == INTEREST:
                    accrue(tb, s, st, out)
                elif event == SUPPLIERS:
                    frozen = run_of_suppliers(s, st)
                elif event == BORROWERS:
                    if s.watching:
                        unit_prices(st)
                        for i in range(N):
                            if tb.watched[i]:
                                top_up(tb, s, st, amount, i, out)
                else:
                    unit_prices(st)
                    multiple = gas_multiple(s, path, t)
                    gas = gas_cost_now(s, path, t, multiple)
                    capital = capital_now(s, multiple)
                    for a in range(len(bad)):
                        impact(tb, st, a)
                    near = oracle_near_market(st, highest)
                    found = out[BAD_DEBT]
                    for i in range(N):
                        v, h, e = linear(tb, amount, i, st, PC, PD)
                        open_question = out[FIRST] < 0.0
                        if h - FLOOR_MARGIN * v >= e and (near or not open_question):
                            continue
                        h = rounded(s.floors, v, h)
                        if open_question:
                            found += shortfall(tb, amount, i, st)[0]
                        if h < e and not s.absent:
                            for _ in range(s.attempts):
                                spent, _, _ = liquidate(
                                    tb, s, st, amount, i, h, e, capital, gas, out, bad
                                )
                                capital -= spent
                                if spent <= 0.0:
                                    break
                                _, h, e = value(tb, s.floors, amount, i, st, PC, PD)
                                if not h < e:
                                    break
                    if out[FIRST] < 0.0 and found - s.existing > s.threshold:
                        out[FIRST] = float(t)
            frozen |= close_step(st, out)
            if frozen:
                out[FROZEN] += 1.0
        unit_prices(st)
        for i in range(N):
            short, e = shortfall(tb, amount, i, st)
            if short > 0.0:
                recognise(tb, st, amount, i, short / e, out, bad)
        if out[FIRST] < 0.0 and out[BAD_DEBT] - s.existing > s.threshold:
            out[FIRST] = float(S)
