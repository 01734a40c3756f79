"""What holding a position costs: interest on borrowed cash, funding by a constant or a column.

`test_backtest_agreement` holds every combination against the slow simulator; here are the cases that a person
can work out on paper, and the way of the column from a file to the kernels.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backtest import Costs, PriceError, StrategySpec, run_backtest, sweep, validate_prices, with_funding
from backtest.validation.walk_forward import walk_forward
from tests.laws import cases
from tests.prices import made_up_prices
from threadx.command import main
from vault.datasets import content_hash, load_development, register
from vault.readers.prices import read_prices

BARS, PER_YEAR = 12, 1_095.0  # eight-hour bars: one funding a bar


def still(price: float = 100.0, rates: list[float] | None = None) -> pd.DataFrame:
    """A price that never moves, so that every change of the account is a cost of holding."""
    index = pd.date_range("2024-01-01", periods=BARS, freq="8h", tz="UTC", name="time")
    found = pd.DataFrame(dict.fromkeys(("open", "high", "low", "close"), price), index=index)
    return found.assign(volume=1.0, **({} if rates is None else {"funding_rate": rates}))


def held(side: str, leverage: float = 1.0) -> StrategySpec:
    return StrategySpec(name="held", **{f"entry_{side}": "close > 0"}, sizing={"leverage": leverage})


def run(prices: pd.DataFrame, spec: StrategySpec, **costs: Any) -> np.ndarray:
    result = run_backtest(prices, spec, Costs(**costs), periods_per_year=PER_YEAR, initial_capital=1_000.0)
    return result.equity.to_numpy()


def test_a_leveraged_long_pays_interest_on_what_it_borrowed_and_on_the_interest() -> None:
    equity = run(still(), held("long", 3.0), interest_pct_per_year=109.5)
    # 2,000 borrowed from bar 1 on at 0.1 % a bar.
    owed = 2_000.0 * 1.001 ** np.arange(BARS)
    np.testing.assert_allclose(equity, 3_000.0 - owed, rtol=1e-12)


@pytest.mark.parametrize(("side", "leverage"), [("long", 1.0), ("short", 1.0), ("short", 5.0)])
def test_who_borrows_no_cash_pays_no_interest(side: str, leverage: float) -> None:
    spec = held(side, leverage)
    assert (run(still(), spec, interest_pct_per_year=200.0) == run(still(), spec)).all()


@pytest.mark.parametrize("rate", [0.01, -0.01])
@pytest.mark.parametrize(("side", "sign"), [("long", -1.0), ("short", 1.0)])
def test_longs_pay_shorts_and_a_negative_rate_turns_it_round(side: str, sign: float, rate: float) -> None:
    equity = run(still(), held(side, 2.0), funding_bps_per_8h=rate * 1e4)
    np.testing.assert_allclose(equity, 1_000.0 + sign * rate * 2_000.0 * np.arange(BARS), rtol=1e-12)
    column = run(still(rates=[rate] * BARS), held(side, 2.0))
    np.testing.assert_allclose(column, equity, rtol=1e-12)


def test_a_column_pays_where_it_has_a_rate_and_the_constant_comes_on_top() -> None:
    rates = [np.nan] * BARS
    rates[0], rates[4], rates[7] = 0.5, 0.002, -0.001  # bar 0 is before the position
    due = np.zeros(BARS)
    due[4], due[7] = 2.0, -1.0
    np.testing.assert_allclose(run(still(rates=rates), held("long")), 1_000.0 - np.cumsum(due), rtol=1e-12)
    both = run(still(rates=rates), held("long"), funding_bps_per_8h=10.0)
    np.testing.assert_allclose(both, 1_000.0 - np.cumsum(due) - np.arange(BARS), rtol=1e-12)


def test_a_short_pays_its_borrowing_and_is_paid_the_funding() -> None:
    equity = run(still(), held("short"), borrow_bps_per_bar=3.0, funding_bps_per_8h=5.0)
    np.testing.assert_allclose(equity, 1_000.0 + 0.2 * np.arange(BARS), rtol=1e-12)


def test_funding_can_take_the_account() -> None:
    prices = still(rates=[0.0] * 5 + [0.6] + [0.0] * 6)
    result = run_backtest(prices, held("long", 2.0), periods_per_year=PER_YEAR)
    assert result.account_lost is not None
    assert (result.account_lost.bar, result.account_lost.price) == (5, 100.0)
    assert result.trades["exit_reason"].tolist() == ["liquidation"]


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    rate=st.sampled_from([0.0, 0.0005, 0.01]),
    costs=st.fixed_dictionaries(
        {},
        optional={
            "interest_pct_per_year": st.sampled_from([5.0, 50.0]),
            "funding_bps_per_8h": st.sampled_from([-3.0, 1.0]),
            "borrow_bps_per_bar": st.sampled_from([0.2]),
        },
    ),
    fill=st.sampled_from(["next_open", "close"]),
)
def test_a_sweep_and_its_folds_find_what_a_backtest_finds(
    seed: int, rate: float, costs: dict[str, float], fill: Any
) -> None:
    prices = made_up_prices(rows=400, seed=seed, cycle=0.05)
    if rate:
        prices["funding_rate"] = np.where(
            np.arange(400) % 8 == 7, np.random.default_rng(seed).normal(0.0, rate, 400), np.nan
        )
    spec = StrategySpec(
        name="both",
        params={"n": 5},
        entry_long="close > sma(close, n)",
        exit_long="close < sma(close, n)",
        entry_short="close < sma(close, n)",
        exit_short="close > sma(close, n)",
    )
    terms: dict[str, Any] = {"costs": Costs(**costs), "fill": fill}
    table = sweep(prices, spec, {"n": [5, 20], "leverage": [1.0, 3.0]}, **terms)
    for row in table.to_dict("records"):
        one = spec.evolve(params={"n": row["n"]}, sizing={"leverage": row["leverage"]})
        found = run_backtest(prices, one, **terms).metrics.to_dict()
        assert {name: row[name] for name in found if found[name] is not None} == {
            name: value for name, value in found.items() if value is not None
        }
    # A fold sees its own stretch of the rates, as the same rows alone do.
    walked = walk_forward(prices, spec, **terms, folds=3)
    for one in walked.folds:
        part = prices.iloc[: one.fold.test_stop]
        alone = run_backtest(
            part,
            spec,
            **terms,
            periods_per_year=walked.periods_per_year,
            trade_from=prices.index[one.fold.test_start],
        )
        assert alone.metrics == one.test.metrics


@pytest.mark.parametrize("rate", [1.0, -2.0, np.inf])
def test_a_rate_of_the_whole_position_is_refused_with_its_row(rate: float) -> None:
    with pytest.raises(PriceError) as refused:
        validate_prices(still(rates=[0.0, 0.0, rate] + [0.0] * 9))
    assert (refused.value.code, refused.value.fields["row"]) == ("bad_funding", 3)


def test_rates_go_from_a_file_through_the_vault(tmp_path) -> None:
    prices = made_up_prices(rows=400, frequency="8h")
    rates = np.where(np.arange(400) % 3 == 0, 0.0001, np.nan)
    path = tmp_path / "PERP_8h.csv"
    prices.assign(Funding_Rate=rates).to_csv(path)
    read, _ = read_prices(str(path), tmp_path)
    np.testing.assert_array_equal(read["funding_rate"], np.nan_to_num(rates))
    dataset = register(read, symbol="PERP", timeframe="8h", home=tmp_path)
    kept = load_development(dataset, tmp_path)
    pd.testing.assert_frame_equal(kept, read.iloc[: dataset.development_rows], check_freq=False)
    # The same prices without rates stand under the same split, but are other data.
    bare = register(read.drop(columns="funding_rate"), symbol="PERP", timeframe="8h", home=tmp_path)
    assert bare.family == dataset.family
    assert bare.development_hash != dataset.development_hash
    assert content_hash(read) != content_hash(read.assign(funding_rate=0.0))


@settings(max_examples=cases(30), deadline=None)
@given(
    moments=st.lists(st.integers(-600, 12_000), max_size=40),
    step=st.sampled_from([60, 480, 1_440]),
    zone=st.sampled_from([None, "UTC", "Asia/Tokyo"]),
    seed=st.integers(0, 2**32),
)
def test_a_payment_goes_to_the_bar_that_was_held_through_it(
    moments: list[int], step: int, zone: str | None, seed: int
) -> None:
    index = pd.date_range("2024-01-01", periods=BARS, freq=f"{step}min", tz=zone)
    prices = still().set_axis(index)
    times = index[0] + pd.to_timedelta(moments, unit="min")
    told = times.tz_convert("UTC") if zone else times
    amounts = np.random.default_rng(seed).normal(0.0, 0.001, len(moments))
    due = [0.0] * BARS
    for moment, amount in zip(moments, amounts, strict=True):
        for bar in range(BARS):
            if bar * step < moment <= (bar + 1) * step:
                due[bar] += amount
    found = with_funding(prices, pd.Series(amounts, index=pd.DatetimeIndex(told)))
    np.testing.assert_allclose(found["funding_rate"], due, atol=1e-15)


def test_payments_of_another_kind_of_time_are_refused() -> None:
    naive = still().tz_localize(None)
    with pytest.raises(PriceError, match="mixed_time_zones"):
        with_funding(naive, pd.Series([0.1], index=pd.DatetimeIndex(["2024-01-01 08:00"], tz="UTC")))
    with pytest.raises(PriceError, match="missing_time"):
        with_funding(still(), pd.Series([0.1]))


def test_missing_bars_that_are_filled_owe_nothing() -> None:
    whole = still(rates=[0.001] * BARS)
    found = validate_prices(whole.drop(whole.index[5]), gaps="fill")
    assert found["funding_rate"].tolist() == [0.001] * 5 + [0.0] + [0.001] * 6


def test_the_command_takes_both_rates(tmp_path, capsys) -> None:
    path = tmp_path / "FLAT_8h.csv"
    index = pd.date_range("2024-01-01", periods=400, freq="8h", name="time")
    moved = 100.0 + np.tile([0.0, 1e-3], 200)
    columns = dict.fromkeys(("open", "high", "low", "close"), moved)
    pd.DataFrame({**columns, "volume": 1.0}, index=index).to_csv(path)

    def total(*options: str) -> float:
        with pytest.raises(SystemExit) as left:
            main(
                ["backtest", str(path), "--entry-long", "close > 0", *options, "--json", "-", "--home",
                 str(tmp_path / "home"), "--language", "en"]
            )  # fmt: skip
        assert left.value.code == 0
        return float(json.loads(capsys.readouterr().out)["metrics"]["total_return"])

    free = total()
    assert total("--interest-pct-per-year", "50") == free
    # One payment of 1 bp at each of the development part's closes, of a price that hardly moves.
    bars = 319 - 1
    assert total("--funding-bps-per-8h", "1") == pytest.approx(free - 1e-4 * bars, rel=0.05)
