"""Estimators on simulated returns whose law is known, and what they do without data."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from evaluator.errors import CalibrationError
from evaluator.market import Asset, AssetClass, PriceHistory
from evaluator.stress.calibration.choice import held_out
from evaluator.stress.calibration.extremes import bipower_variance, detect_jumps, tail_index
from evaluator.stress.calibration.factors import estimate_factor
from evaluator.stress.calibration.likelihood import fit_normal_jumps, fit_student_t, maximise
from evaluator.stress.calibration.market import advanced, estimate_market
from evaluator.stress.calibration.pegs import estimate_peg
from evaluator.stress.calibration.regimes import find_regimes, fit_regime_switching
from evaluator.stress.calibration.volatility import fit_variance
from evaluator.stress.price_process import (
    ParameterSource,
    default_process,
    process_by_name,
    process_names,
)
from evaluator.stress.processes.jump_diffusion import geometric_brownian_motion
from evaluator.stress.processes.jumps import JumpLaw, no_jumps

HOUR = 3600
DT = 1.0 / 8760.0


def asset(symbol: str, asset_class: AssetClass, pegged_to: str | None = None) -> Asset:
    return Asset(
        symbol=symbol,
        address="0x" + symbol,
        decimals=18,
        price=1.0,
        asset_class=asset_class,
        pegged_to=pegged_to,
    )


def history(symbol: str, log_price: np.ndarray, step: int = HOUR) -> PriceHistory:
    return PriceHistory(
        symbol=symbol,
        timestamp=1_600_000_000 // step * step + step * np.arange(len(log_price)),
        price=np.exp(log_price),
        source="simulated",
    )


ASSETS = (
    asset("ETH", AssetClass.ETH),
    asset("BTC", AssetClass.BTC),
    asset("wstETH", AssetClass.LST, "ETH"),
    asset("USDC", AssetClass.STABLE, "USD"),
    asset("LINK", AssetClass.LARGE_ALT),
)


@pytest.fixture(scope="session")
def year() -> tuple[PriceHistory, ...]:
    """A year of hours of ETH, BTC (correlation 0.7, thirty market-wide jumps) and a peg."""
    jumps = JumpLaw(
        intensity=np.zeros(2),
        mean=np.zeros(2),
        deviation=np.zeros(2),
        common_intensity=np.array([30.0]),
        common_mean=np.array([[-0.10, -0.08]]),
        common_deviation=np.array([[0.02, 0.02]]),
        common_correlation=0.8,
    )
    process = geometric_brownian_motion(
        symbols=["ETH", "BTC"],
        step=HOUR,
        volatility=np.array([0.8, 0.6]),
        correlation=np.array([[1.0, 0.7], [0.7, 1.0]]),
        jumps=jumps,
    )
    logs = np.log(process.paths(seed=4, first=0, count=1, steps=8760)[0])
    rng = np.random.default_rng(0)
    ratio = np.zeros(8761)
    for t in range(8760):
        ratio[t + 1] = 0.98 * ratio[t] + 0.001 * rng.standard_normal()
    growth = 0.04 * np.arange(8761) * DT
    return (
        history("ETH", logs[:, 0]),
        history("BTC", logs[:, 1]),
        history("wstETH", logs[:, 0] + ratio + growth),
    )


def test_merton_is_recovered_within_its_errors():
    process = geometric_brownian_motion(
        symbols=["X"],
        step=HOUR,
        volatility=np.array([0.7]),
        jumps=JumpLaw(**{**vars(no_jumps(1)), "intensity": np.array([50.0]),
                         "mean": np.array([-0.05]), "deviation": np.array([0.04])}),
    )  # fmt: skip
    returns = np.diff(np.log(process.paths(seed=1, first=0, count=1, steps=8_760)[0, :, 0]))
    fit = fit_normal_jumps(returns, dt=DT)
    for name, true in (("sigma", 0.7), ("intensity", 50.0), ("mean", -0.05), ("deviation", 0.04)):
        error = fit.error(name)
        assert error is not None
        assert error > 0.0
        assert abs(fit[name] - true) < 4.0 * error
    assert fit.error("sigma") < 0.01


def test_standard_errors_are_those_of_theory():
    """Of a normal sample: sigma / sqrt(n) and sigma / sqrt(2 n)."""
    sample = 0.5 + 2.0 * np.random.default_rng(0).standard_normal(5000)
    fit = maximise(
        lambda x: float(stats.norm.logpdf(sample, x[0], x[1]).sum()),
        names=("mean", "deviation"),
        start=(0.3, 1.0),
        bounds=((-10.0, 10.0), (1e-3, 10.0)),
        samples=len(sample),
    )
    assert fit["mean"] == pytest.approx(sample.mean(), abs=1e-4)
    assert fit["deviation"] == pytest.approx(sample.std(), abs=1e-4)
    assert fit.error("mean") == pytest.approx(2.0 / np.sqrt(5000), rel=0.05)
    assert fit.error("deviation") == pytest.approx(2.0 / np.sqrt(10_000), rel=0.05)
    assert fit.bic == pytest.approx(2 * np.log(5000) - 2 * fit.log_likelihood)


def test_degrees_of_freedom_are_recovered():
    fit = fit_student_t(0.01 * np.random.default_rng(3).standard_t(4, 20_000))
    assert abs(fit["degrees"] - 4.0) < 4.0 * fit.error("degrees")


@pytest.mark.parametrize("returns", [np.zeros(500), np.ones(10)])
def test_returns_that_say_nothing_are_refused(returns):
    with pytest.raises(CalibrationError):
        fit_normal_jumps(returns, dt=DT)
    with pytest.raises(CalibrationError):
        fit_student_t(returns[:40])


def garch(n: int, alpha: float, beta: float, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    returns, v = np.empty(n), 1e-4
    for t in range(n):
        returns[t] = np.sqrt(v) * rng.standard_normal()
        v = (1.0 - alpha - beta) * 1e-4 + alpha * returns[t] ** 2 + beta * v
    return returns


def test_garch_is_recovered_and_filters_without_looking_ahead():
    returns = garch(15_000, 0.08, 0.88, 1)
    fit = fit_variance(returns, step=HOUR)
    assert fit.kind == "GARCH(1,1)"
    assert abs(fit.alpha - 0.08) < 4.0 * fit.alpha_error
    assert abs(fit.beta - 0.88) < 4.0 * fit.beta_error
    assert abs(fit.long_run - 1e-4) < 4.0 * fit.long_run_error
    whole = fit.variances(returns)
    assert len(whole) == len(returns) + 1
    changed = returns.copy()
    changed[9000:] = 0.5
    assert np.array_equal(fit.variances(changed)[:9001], whole[:9001])
    # By hand.
    v = fit.long_run
    for t in range(50):
        assert whole[t] == pytest.approx(v)
        v = (1 - fit.alpha - fit.beta) * fit.long_run + fit.alpha * returns[t] ** 2 + fit.beta * v


def test_a_short_series_gets_an_ewma():
    fit = fit_variance(garch(200, 0.05, 0.9, 0), step=HOUR)
    assert fit.kind == "EWMA"
    assert fit.alpha + fit.beta < 1.0


def test_bipower_variation_is_blind_to_jumps():
    returns = 0.01 * np.random.default_rng(0).standard_normal(20_000)
    assert bipower_variance(returns) == pytest.approx(1e-4, rel=0.03)
    returns[::1000] += 0.3
    assert returns.var() > 1.5e-4
    assert bipower_variance(returns) == pytest.approx(1e-4, rel=0.1)


def test_jumps_are_found_and_seldom_invented():
    rng = np.random.default_rng(2)
    false = 0
    for _ in range(40):
        false += detect_jumps(0.01 * rng.standard_normal(2000), window=78).any()
    assert false <= 8
    returns = 0.01 * rng.standard_normal(5000)
    at = np.array([500, 1700, 2600, 4321])
    returns[at] += np.array([-0.15, 0.12, -0.2, 0.15])
    assert set(at) <= set(np.flatnonzero(detect_jumps(returns, window=78)))
    # Judged by what came before only.
    longer = np.concatenate([returns[:3000], 5.0 * returns[3000:]])
    assert np.array_equal(
        detect_jumps(longer, window=78)[79:3000], detect_jumps(returns, window=78)[79:3000]
    )


def test_the_tail_index_of_a_pareto_law():
    rng = np.random.default_rng(0)
    found = tail_index(rng.pareto(3.0, 20_000) + 1.0)
    assert abs(found.index - 3.0) < 4.0 * found.standard_error
    assert found.lowest <= found.index <= found.highest
    with pytest.raises(CalibrationError):
        tail_index(np.ones(50))


def test_a_market_is_recovered(year):
    estimate = estimate_market(ASSETS, year, step=float(HOUR))
    assert estimate.tree.free == ("ETH", "BTC", "LINK")
    assert estimate.correlation[0, 1] == pytest.approx(0.7, abs=0.03)
    assert estimate.common_error is not None
    assert abs(estimate.jumps.common_intensity[0] - 30.0) < 4.0 * estimate.common_error
    assert estimate.jumps.common_mean[0, 0] == pytest.approx(-0.10, abs=0.02)
    assert estimate.diffusive_variance.volatility[0] == pytest.approx(0.8, abs=0.1)
    peg = estimate.pegs[estimate.tree.pegged.index("wstETH")]
    assert peg.source is ParameterSource.CALIBRATED
    assert abs(peg.reversion - -np.log(0.98) * 8760) < 4.0 * peg.reversion_error
    assert peg.volatility == pytest.approx(0.001 * np.sqrt(8760 * 1.02), rel=0.05)
    assert peg.growth == pytest.approx(0.04, abs=0.02)


def test_the_report_says_what_was_used(year):
    report = default_process(ASSETS, year, step=float(HOUR)).calibration
    by_symbol = {a.symbol: a for a in report.assets}
    assert by_symbol["ETH"].source is ParameterSource.CALIBRATED
    assert by_symbol["ETH"].samples == 8760
    assert by_symbol["LINK"].source is ParameterSource.PRIOR
    assert "no prices were given" in by_symbol["LINK"].reason
    assert by_symbol["USDC"].anchor == "USD"
    assert set(report.priors) == {"LINK", "USDC"}
    assert all(e.standard_error is None for e in by_symbol["LINK"].estimates)
    assert any(e.standard_error for e in by_symbol["ETH"].estimates)
    assert any("market-wide" in n for n in report.notes)


@pytest.mark.parametrize(
    ("length", "why"), [(0, "no prices"), (2, "only 2 prices"), (150, "fewer than")]
)
def test_a_short_history_falls_back_to_the_prior_and_says_so(length, why):
    given = [history("ETH", np.linspace(0.0, 0.1, length))] if length else []
    estimate = estimate_factor("ETH", AssetClass.ETH, given, step=float(HOUR))
    assert estimate.source is ParameterSource.PRIOR
    assert why in estimate.reason
    assert estimate.variance is None


def test_a_price_that_never_moves_falls_back_to_the_prior():
    flat = history("ETH", np.zeros(2000))
    estimate = estimate_factor("ETH", AssetClass.ETH, [flat], step=float(HOUR))
    assert "never moved" in estimate.reason
    peg = estimate_peg(
        "USDC", "USD", AssetClass.STABLE, [history("USDC", np.zeros(2000))], step=float(HOUR)
    )
    assert peg.source is ParameterSource.PRIOR


def test_nothing_after_until_changes_an_estimate(year):
    until = int(year[0].timestamp[6000])
    early = [
        PriceHistory(
            symbol=h.symbol,
            timestamp=h.timestamp[:6001],
            price=h.price[:6001],
            source=h.source,
        )
        for h in year
    ]
    with_future = estimate_market(ASSETS, year, step=float(HOUR), until=until)
    without = estimate_market(ASSETS, early, step=float(HOUR))
    assert np.array_equal(with_future.correlation, without.correlation)
    assert np.array_equal(with_future.jumps.common_mean, without.jumps.common_mean)
    assert np.array_equal(with_future.total_variance.current, without.total_variance.current)
    assert np.array_equal(with_future.peg_law.reversion, without.peg_law.reversion)
    # Filtered on, parameters stay and only the state moves.
    later = advanced(without, year, until=int(year[0].timestamp[7000]))
    assert np.array_equal(later.total_variance.volatility, without.total_variance.volatility)
    assert not np.array_equal(later.total_variance.current, without.total_variance.current)


def test_malformed_histories_are_errors_not_priors(year):
    bad = PriceHistory(
        symbol="ETH",
        timestamp=year[0].timestamp,
        price=np.where(np.arange(8761) == 5, -1.0, year[0].price),
        source="bad",
    )
    with pytest.raises(CalibrationError, match=r"-1\.0"):
        default_process(ASSETS, [bad], step=float(HOUR))


@pytest.mark.slow
def test_regimes_are_found_and_numbered_by_bic():
    rng = np.random.default_rng(0)
    state = np.zeros(900, dtype=int)
    for t in range(1, 900):
        state[t] = state[t - 1] ^ (rng.random() < (0.01 if state[t - 1] == 0 else 0.04))
    returns = np.array([0.02, 0.08])[state] * rng.standard_normal(900)
    daily = history("ETH", np.concatenate([[0.0], returns.cumsum()]), step=86_400)
    one_asset = [asset("ETH", AssetClass.ETH)]
    regimes = find_regimes(estimate_market(one_asset, [daily], step=86_400.0))
    assert len(regimes.scale) == 2
    assert regimes.scale[1] / regimes.scale[0] == pytest.approx(4.0, rel=0.25)
    assert regimes.transition[0, 1] == pytest.approx(0.01, abs=0.01)
    guessed = regimes.weight[:, 1] > 0.5
    assert np.mean(guessed == (state == 1)) > 0.9
    process = fit_regime_switching(one_asset, [daily], step=86_400.0)
    moves = np.diff(np.log(process.paths(seed=0, first=0, count=300, steps=300)[..., 0]), axis=1)
    assert moves.std() == pytest.approx(returns.std(), rel=0.15)
    assert np.corrcoef(moves[:, 100] ** 2, moves[:, 101] ** 2)[0, 1] > 0.05


def test_one_regime_is_enough_for_constant_volatility():
    returns = 0.02 * np.random.default_rng(1).standard_normal(600)
    daily = history("ETH", np.concatenate([[0.0], returns.cumsum()]), step=86_400)
    regimes = find_regimes(estimate_market([asset("ETH", AssetClass.ETH)], [daily], step=86_400.0))
    assert len(regimes.scale) == 1
    assert regimes.bic[0] < regimes.bic[1]


def test_model_choice_prefers_the_law_that_made_the_prices():
    constant = 0.01 * np.random.default_rng(0).standard_normal(6000)
    changing = garch(6000, 0.1, 0.88, 5) * np.random.default_rng(6).choice([0.7, 1.9], 6000)
    one = [asset("ETH", AssetClass.ETH)]
    for returns, best in ((constant, {"gbm", "merton"}), (changing, {"t_copula"})):
        prices = history("ETH", np.concatenate([[0.0], returns.cumsum()]))
        choice = held_out(one, [prices], step=float(HOUR))
        scores = dict(zip(choice.names, choice.score, strict=True))
        assert max(scores[n] for n in best) >= max(scores.values()) - 0.002
        assert choice.returns == pytest.approx(1500, abs=3)
    assert choice.best == "t_copula"
    with pytest.raises(CalibrationError, match="no history"):
        held_out(one, [], step=float(HOUR))


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(n, marks=pytest.mark.slow) if n in {"regime_switching", "merton"} else n
        for n in process_names()
        if n != "best"
    ],
)
def test_every_registered_process_fits_and_simulates(name, year):
    fitted = process_by_name(name)(ASSETS, year, step=float(HOUR))
    assert fitted.name == name
    assert fitted.symbols == tuple(a.symbol for a in ASSETS)
    assert fitted.calibration.process == name
    day = np.log(fitted.paths(seed=0, first=0, count=2000, steps=24)[:, -1])
    assert np.std(day[:, 0]) == pytest.approx(0.05, rel=0.45)
    assert np.abs(day[:, 3]).max() < 0.3
    assert np.std(day[:, 2] - day[:, 0]) < 0.02
    if name == "stationary_bootstrap":
        with pytest.raises(CalibrationError, match="at least"):
            process_by_name(name)(ASSETS, [], step=float(HOUR))
    else:
        prior = process_by_name(name)(ASSETS, [], step=float(HOUR))
        assert set(prior.calibration.priors) >= {"ETH", "BTC", "LINK"}


@pytest.mark.slow
def test_the_best_process_shows_every_candidates_score(year):
    fitted = process_by_name("best")(ASSETS, year, step=float(HOUR))
    scores = {e.name: e.value for e in fitted.calibration.held_out}
    assert set(scores) == {"gbm", "merton", "jump_diffusion", "t_copula"}
    assert fitted.name == max(scores, key=lambda n: scores[n])
    with pytest.raises(CalibrationError, match="no history"):
        process_by_name("best")(ASSETS, [], step=float(HOUR))


@pytest.mark.parametrize("name", sorted({*process_names()} - {"stationary_bootstrap", "best"}))
def test_a_market_of_stable_coins_alone_has_no_free_factor_and_still_runs(name):
    fitted = process_by_name(name)(
        [asset("USDC", AssetClass.STABLE), asset("DAI", AssetClass.STABLE)], [], step=float(HOUR)
    )
    paths = fitted.paths(seed=0, first=0, count=10, steps=5)
    assert paths.shape == (10, 6, 2)
    assert np.all(np.abs(np.log(paths)) < 0.3)


def test_an_unknown_process_is_named_with_those_there_are():
    from evaluator.errors import ConfigurationError

    with pytest.raises(ConfigurationError, match="jump_diffusion"):
        process_by_name("astrology")
