"""The certificate loop: most positions are proved healthy instead of being looked at.

It gives what the dense loop gives. A candidate is a position without a valid
certificate of being healthy (`series`) or of being worth nothing to a
liquidator (`sleepers`); only candidates are valued, in ascending order, so that
events happen and numbers are added up in the dense loop's order.

A path is insolvent when the bad debt that liquidators find exceeds a
threshold. Certified positions have none as long as market prices stay near the
oracle's; when they do not, certificates are tried at market prices as well.
Sleepers are proved solvent in the same way, or bounded by their debt and
counted only when the bound could matter.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evaluator.stress.kernel.bits import ask_for_line, following, insert, remove
from evaluator.stress.kernel.compilation import called, entry
from evaluator.stress.kernel.layout import (
    BAD_DEBT,
    BORROWERS,
    FEE_SHARE,
    FIRST,
    FROZEN,
    INTEREST,
    ORACLE,
    ORACLE_START,
    PRICES,
    REFILL,
    RESULTS,
    START,
    SUPPLIERS,
    Settings,
    Table,
)
from evaluator.stress.kernel.memory import (
    AWAKE,
    COST,
    COST_FIRST,
    DOUBTFUL,
    EARNED,
    EARNED_FIRST,
    FREE,
    GROWTH,
    HELD_GROWTH,
    KIND,
    LARGEST,
    NEXT_FREE,
    PAIRS,
    PATHS,
    POINTER,
    POSITION,
    SLEEP,
    SLEEPS,
    SOLVENT,
    TOP_BUCKET,
    TOUCHED,
    WOKEN_AT,
    Memory,
)
from evaluator.stress.kernel.pending import below_any_key, certify, scan
from evaluator.stress.kernel.position import (
    FLOOR_MARGIN,
    capital_now,
    gas_cost_now,
    gas_multiple,
    linear,
    liquidate_here,
    recognise,
    rounded,
    shortfall,
    top_up,
    value,
)
from evaluator.stress.kernel.series import WATCHED, Certificates
from evaluator.stress.kernel.sleepers import (
    could_pay,
    fall_asleep,
    remeasure,
    set_margin,
    wake,
)
from evaluator.stress.kernel.step import (
    PC,
    PD,
    XD,
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

# When sleepers of a pair are woken in the middle of a step, those are as well
# that would follow if the margin rose by this much more.
_MARGIN_STEP, _LEAST_MARGIN_STEP = 1.05, 0.002


@called
def start_path(c: Certificates, m: Memory) -> None:
    """Forget the path before."""
    m.counter[NEXT_FREE] = 0
    m.counter[FREE] = -1
    m.counter[TOUCHED] = 0
    m.counter[PATHS] += 1
    m.doubtful[0] = 0.0
    for series in range(len(m.pending)):
        p = c.first[series]
        m.flat_top[series] = c.key[p] if p < c.first[series + 1] else -np.inf
        m.pending[series] = -np.inf
        m.cursor[POINTER, series] = p
        if m.cursor[TOP_BUCKET, series] >= 0:
            m.heads[series] = -1
            m.cursor[TOP_BUCKET, series] = -1
    for x in range(m.counter[PAIRS]):
        pair = m.pairs[x]
        m.sleep_heads[pair] = -1
        m.sleep_limit[LARGEST, pair] = 0.0
    m.counter[PAIRS] = 0


@called
def borrowers_act(tb: Table, s: Settings, c: Certificates, m: Memory, out: FloatArray) -> None:
    """Let those who watch and may be near liquidation decide."""
    unit_prices(m.state)
    scan(tb, c, m, False)
    i = following(m.word, m.summary, -1)
    while i >= 0:
        if m.position[i, KIND] == WATCHED:
            top_up(tb, s, m.state, m.amount, i, out)
        i = following(m.word, m.summary, i)


@called
def received_share(tb: Table, s: Settings, a: int) -> float:
    """Collateral `a` a liquidator keeps per value repaid, at most over eMode categories."""
    best = 0.0
    assets = tb.par.shape[1]
    for k in range(0, tb.rule.shape[1], assets):
        bonus = tb.rule[1, k + a]
        if s.aave:
            kept = 1.0 + bonus - bonus * tb.par[FEE_SHARE, a]
        else:
            kept = (1.0 + bonus) * (1.0 - tb.par[FEE_SHARE, a])
        best = max(best, kept)
    return best


@called
def wake_for_the_step(tb: Table, m: Memory, least: float) -> None:
    """Wake the sleepers that could pay at the step's first margins."""
    assets = m.state.shape[1]
    paying = 0
    for a in range(assets):
        earned = m.margin[EARNED, a]
        grown = m.margin[HELD_GROWTH, a]
        for d in range(assets):
            pair = a * assets + d
            kappa = earned - m.margin[COST, d]
            per_size = kappa * max(grown, m.margin[GROWTH, d])
            m.sleep_limit[WOKEN_AT, pair] = kappa
            paying += m.sleep_limit[LARGEST, pair] * per_size > least
    if paying == 0:
        return
    for a in range(assets):
        for d in range(assets):
            pair = a * assets + d
            per_size = m.sleep_limit[WOKEN_AT, pair] * max(
                m.margin[HELD_GROWTH, a], m.margin[GROWTH, d]
            )
            if m.sleep_limit[LARGEST, pair] * per_size > least:
                wake(tb, m, pair, least / per_size, -1)


@called
def wake_in_between(
    tb: Table, m: Memory, sold: int, bought: int, least: float, beyond: int
) -> None:
    """Wake later sleepers of pairs whose margin rose within the step.

    Selling `sold` makes it a cheaper debt, buying `bought` a dearer collateral.
    """
    assets = m.state.shape[1]
    for x in range(2 * assets):
        a = bought if x < assets else x - assets
        d = x if x < assets else sold
        pair = a * assets + d
        largest = m.sleep_limit[LARGEST, pair]
        kappa = m.margin[EARNED, a] - m.margin[COST, d]
        if not (largest > 0.0 and kappa > m.sleep_limit[WOKEN_AT, pair]):
            continue
        grown = max(m.margin[HELD_GROWTH, a], m.margin[GROWTH, d])
        further = kappa * _MARGIN_STEP + _LEAST_MARGIN_STEP
        if further > 0.0 and largest * further * grown > least:
            wake(tb, m, pair, least / (further * grown), beyond)
        m.sleep_limit[WOKEN_AT, pair] = further


@called
def doubtful_shortfall(tb: Table, m: Memory, t: int) -> float:
    """Bad debt of the sleepers that were not looked at in step t, USD."""
    total = 0.0
    for u in range(m.counter[TOUCHED]):
        i = int(np.int64(m.touched[u]))
        sleep = np.int64(m.position[i, SLEEP])
        if sleep % SLEEPS == DOUBTFUL and sleep // SLEEPS < t:
            total += shortfall(tb, m.amount, i, m.state)[0]
    return total


@called
def liquidations(
    tb: Table,
    s: Settings,
    c: Certificates,
    m: Memory,
    received: FloatArray,
    highest: float,
    near: bool,
    path: FloatArray,
    t: int,
    out: FloatArray,
    by_asset: FloatArray,
) -> None:
    """The liquidation event of step t, unit prices set; `near` from `oracle_near_market`."""
    st = m.state
    scan(tb, c, m, False)
    tracking = out[FIRST] < 0.0
    if tracking and not near:
        scan(tb, c, m, True)
    found = out[BAD_DEBT]
    i = following(m.word, m.summary, -1)
    if i >= 0 or m.counter[PAIRS] > 0:
        assets = st.shape[1]
        multiple = gas_multiple(s, path, t)
        gas = gas_cost_now(s, path, t, multiple)
        capital = np.inf
        counted = False  # capital is worked out when it is first needed
        least = np.inf if s.absent else (gas + s.least_profit) * (1.0 - 1e-9)
        market_growth = 0.0
        for a in range(assets):
            impact(tb, st, a)
            set_margin(tb, m, a, received[a])
            m.margin[EARNED_FIRST, a] = m.margin[EARNED, a]
            m.margin[COST_FIRST, a] = m.margin[COST, a]
            m.margin[GROWTH, a] = st[PD, a] / tb.par[ORACLE_START, a]
            m.margin[HELD_GROWTH, a] = st[PC, a] / tb.par[ORACLE_START, a]
            market_growth = max(market_growth, st[XD, a] / tb.par[ORACLE_START, a])
        unseen = m.doubtful[0] * market_growth * 1.000001
        if m.counter[PAIRS] > 0:
            wake_for_the_step(tb, m, least)
            i = following(m.word, m.summary, -1)
        while i >= 0:
            # What comes next, unless others wake, is fetched while this one is looked at.
            after = following(m.word, m.summary, i)
            if after >= 0:
                entry = np.int64(m.position[after, START])
                ask_for_line(m.amount, entry)
                ask_for_line(tb.asset, entry)
                after = following(m.word, m.summary, after)
                if after >= 0:
                    ask_for_line(m.position, after * POSITION)
            watched = m.position[i, KIND] == WATCHED
            looked_at = True
            if not tracking and not watched and not could_pay(tb, m, i, 1.0, EARNED, COST, least):
                looked_at = False
                if not could_pay(tb, m, i, 1.0, EARNED_FIRST, COST_FIRST, least) and fall_asleep(
                    tb, m, i, 1.0, SOLVENT, t
                ):
                    remove(m.word, m.summary, i)
            if looked_at:
                v, h, e = linear(tb, m.amount, i, st, PC, PD)
                safe = h - FLOOR_MARGIN * v >= e
                if not safe:
                    h = rounded(s.floors, v, h)
                    safe = not h < e
                    if tracking:
                        found += shortfall(tb, m.amount, i, st)[0]
                elif tracking and not near:
                    found += shortfall(tb, m.amount, i, st)[0]
                acted = False
                if not safe and not s.absent:
                    if not counted:
                        capital = capital_now(s, multiple)
                        counted = True
                    for _ in range(s.attempts):
                        spent, sold, bought = liquidate_here(
                            tb, s, st, m.amount, i, h, e, capital, gas, out, by_asset
                        )
                        capital -= spent
                        if spent <= 0.0:
                            break
                        acted = True
                        set_margin(tb, m, sold, received[sold])
                        set_margin(tb, m, bought, received[bought])
                        if m.counter[PAIRS] > 0:
                            wake_in_between(tb, m, sold, bought, least, i)
                        _, h, e = value(tb, s.floors, m.amount, i, st, PC, PD)
                        if not h < e:
                            break
                    safe = not h < e
                    if acted:
                        remeasure(tb, m, i)
                if safe:
                    if e <= 0.0 or certify(tb, c, m, i, 0.0, s.top_up_below if watched else 1.0):
                        remove(m.word, m.summary, i)
                elif not acted and not watched:
                    share = 1.0
                    idle = not could_pay(tb, m, i, share, EARNED_FIRST, COST_FIRST, least)
                    if not idle and h > s.full_close_below * e:
                        share = s.close_factor
                        idle = not could_pay(tb, m, i, share, EARNED_FIRST, COST_FIRST, least) and (
                            s.full_close_below <= 0.0
                            or certify(tb, c, m, i, 0.0, s.full_close_below)
                        )
                    if idle:
                        how = SOLVENT
                        if tracking and not certify(tb, c, m, i, highest, 1.0):
                            how = DOUBTFUL
                        if fall_asleep(tb, m, i, share, how, t):
                            remove(m.word, m.summary, i)
                if capital <= 0.0 and not tracking:
                    break
            i = following(m.word, m.summary, i)
        if tracking and found + unseen - s.existing > s.threshold >= found - s.existing:
            found += doubtful_shortfall(tb, m, t)
    if tracking and found - s.existing > s.threshold:
        out[FIRST] = float(t)


@called
def horizon(
    tb: Table,
    s: Settings,
    c: Certificates,
    m: Memory,
    steps: int,
    out: FloatArray,
    by_asset: FloatArray,
) -> None:
    """Count what is left without collateral, and leave no candidate behind."""
    unit_prices(m.state)
    scan(tb, c, m, True)
    for u in range(m.counter[TOUCHED]):
        i = int(np.int64(m.touched[u]))
        if m.position[i, SLEEP] % SLEEPS != AWAKE:
            insert(m.word, m.summary, i)
    i = following(m.word, m.summary, -1)
    while i >= 0:
        short, e = shortfall(tb, m.amount, i, m.state)
        if short > 0.0:
            recognise(tb, m.state, m.amount, i, short / e, out, by_asset)
        remove(m.word, m.summary, i)
        i = following(m.word, m.summary, i)
    if out[FIRST] < 0.0 and out[BAD_DEBT] - s.existing > s.threshold:
        out[FIRST] = float(steps)


@entry
def certificate_paths(
    tb: Table,
    s: Settings,
    c: Certificates,
    m: Memory,
    received: FloatArray,
    relative: FloatArray,
    results: FloatArray,
    by_asset: FloatArray,
) -> None:
    """Run the paths of `relative`, shape (P, S + 1, U), into `results` and `by_asset`.

    `results` has shape (P, RESULTS), `by_asset` (P, A); `received` (A,) is
    scratch.
    """
    S = relative.shape[1] - 1
    highest = 0.0
    for k in range(tb.rule.shape[1]):
        highest = max(highest, tb.rule[0, k])
    for a in range(len(received)):
        received[a] = received_share(tb, s, a)
    for p in range(relative.shape[0]):
        path = relative[p]
        out = results[p]
        bad = by_asset[p]
        for k in range(RESULTS):
            out[k] = 0.0
        out[FIRST] = -1.0
        for a in range(len(bad)):
            bad[a] = 0.0
        reset(tb, s, m.state, m.history)
        start_path(c, m)
        now = 0
        for t in range(1, S + 1):
            frozen = False
            set_depth(tb, s, m.state, path, t)
            for k in range(len(tb.order)):
                event = tb.order[k]
                if event == REFILL:
                    refill(s, m.state)
                elif event == PRICES:
                    move_prices(tb, s, m.state, m.history, path, t)
                    now = t
                elif event == ORACLE:
                    report(tb, m.state, m.history, now, t)
                elif event == INTEREST:
                    accrue(tb, s, m.state, out)
                elif event == SUPPLIERS:
                    frozen = run_of_suppliers(s, m.state)
                elif event == BORROWERS:
                    if s.watching:
                        borrowers_act(tb, s, c, m, out)
                else:
                    unit_prices(m.state)
                    tracking = out[FIRST] < 0.0
                    near = not tracking or oracle_near_market(m.state, highest)
                    waiting = m.counter[PAIRS] > 0 or not near
                    for x in range(len(m.summary)):
                        waiting |= m.summary[x] != np.uint64(0)
                    if waiting or below_any_key(c, m):
                        liquidations(tb, s, c, m, received, highest, near, path, t, out, bad)
                    elif tracking and out[BAD_DEBT] - s.existing > s.threshold:
                        out[FIRST] = float(t)
            frozen |= close_step(m.state, out)
            if frozen:
                out[FROZEN] += 1.0
        horizon(tb, s, c, m, S, out, bad)
