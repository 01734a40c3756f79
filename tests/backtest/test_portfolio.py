"""Portfolios: against a slow account in plain Python, against `run_backtest`, and by hand."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backtest import Costs, RequestError, StrategySpec, portfolio, run_backtest, weights
from tests.laws import cases
from tests.portfolio_reference import Bar, Terms, round_trips, run
from tests.prices import made_up_prices

NAN = float("nan")


def frame(bars, start="2024-01-01"):
    """Prices of (open, close) pairs, one a day; None is a day without a bar."""
    index = pd.date_range(start, periods=len(bars), freq="D")
    rows = {time: bar for time, bar in zip(index, bars, strict=True) if bar is not None}
    table = pd.DataFrame(list(rows.values()), columns=["open", "close"], index=pd.DatetimeIndex(rows))
    return table.assign(high=table.max(axis=1), low=table.min(axis=1), volume=1.0)


@st.composite
def worlds(draw):
    """A few bars of one to three instruments, instructions, and terms."""
    names = ["A", "B", "C"][: draw(st.integers(1, 3))]
    times = draw(st.integers(2, 9))
    price = st.floats(20.0, 300.0).map(lambda value: round(value, 2))
    rows, close = [], {}
    for row in range(times):
        bars = {}
        for place, name in enumerate(names):
            kind = draw(st.sampled_from(["bar", "bar", "bar", "none", "made up"]))
            if kind == "none" and row % len(names) != place:
                continue
            funding = draw(st.sampled_from([0.0, 0.0, 0.001, -0.02]))
            if kind == "made up" and name in close:
                bars[name] = Bar(close[name], close[name], False, funding)
            else:
                bars[name] = Bar(draw(price), draw(price), True, funding)
            close[name] = bars[name].close
        rows.append(bars)
    names = [name for name in names if name in close]
    leverage = draw(st.sampled_from([1.0, 1.0, 2.0, 4.0]))
    weight = st.sampled_from([NAN, NAN, 0.0, 0.0, 0.25, 0.5, 1.0, -0.5, -1.0, 2.0])
    table = np.array([[draw(weight) for _ in names] for _ in rows])
    table[0, 0] = 0.5
    gross = pd.DataFrame(table).ffill().abs().sum(axis=1).max()
    table *= min(1.0, leverage / gross)
    terms = Terms(
        next_open=draw(st.booleans()),
        fee=draw(st.sampled_from([0.0, 0.001, 0.1])),
        fixed=draw(st.sampled_from([0.0, 1.0, 200.0])),
        slippage=draw(st.sampled_from([0.0, 0.002, 0.1])),
        borrowing=draw(st.sampled_from([0.0, 0.01, -0.005])),
        interest=draw(st.sampled_from([0.0, 0.73 / 365])),
        cash_yield=draw(st.sampled_from([0.0, 0.365 / 365])),
        maintenance=draw(st.sampled_from([0.0, 0.25])),
        leverage=leverage,
        whole=draw(st.booleans()),
    )
    return names, rows, table, terms


@settings(max_examples=cases(60), deadline=None)
@given(worlds())
def test_the_kernel_is_the_slow_account(world):
    names, rows, table, terms = world
    times = pd.date_range("2024-01-01", periods=len(rows), freq="D")
    prices = {}
    for name in names:
        held = {time: bars[name] for time, bars in zip(times, rows, strict=True) if name in bars}
        opened, closed = ([getattr(bar, what) for bar in held.values()] for what in ("open", "close"))
        prices[name] = pd.DataFrame(
            {
                "open": opened,
                "high": np.maximum(opened, closed),
                "low": np.minimum(opened, closed),
                "close": closed,
                "volume": 1.0,
                "funding_rate": [bar.funding for bar in held.values()],
                "made_up": [not bar.real for bar in held.values()],
            },
            index=pd.DatetimeIndex(held),
        )
    given_ = [
        {name: value for name, value in zip(names, row, strict=True) if not np.isnan(value)} for row in table
    ]
    expected = run(rows, given_, terms)
    found = portfolio.run_portfolio(
        prices,
        pd.DataFrame(table, index=times, columns=names),
        Costs(
            fee_bps=terms.fee * 1e4,
            fee_fixed=terms.fixed,
            slippage_bps=terms.slippage * 1e4,
            borrow_bps_per_bar=terms.borrowing * 1e4,
            interest_pct_per_year=terms.interest * 365 * 100,
            maintenance_margin_pct=terms.maintenance * 100,
        ),
        "next_open" if terms.next_open else "close",
        365.0,
        terms.capital,
        max_leverage=terms.leverage,
        cash_yield_pct=terms.cash_yield * 365 * 100,
        whole_units=terms.whole,
    )
    np.testing.assert_allclose(found.equity, expected.equity, rtol=1e-8, atol=1e-6)
    assert len(found.orders) == len(expected.orders)
    for row, order in zip(found.orders.itertuples(), expected.orders, strict=True):
        assert (row.time, row.instrument, row.reason) == (times[order[0]], order[1], order[5])
        assert (row.units, row.price, row.fee) == pytest.approx(order[2:5], rel=1e-7, abs=1e-7)
    trips = sorted(round_trips(expected), key=lambda one: (one[4], one[0], one[2]))
    told = found.trades.sort_values(["exit_time", "instrument", "entry_time"], kind="stable")
    assert len(told) == len(trips)
    for row, trip in zip(told.itertuples(), trips, strict=True):
        assert (row.instrument, row.side, row.exit_reason) == (trip[0], trip[1], trip[8])
        assert (row.entry_time, row.exit_time, row.bars) == (times[trip[2]], times[trip[4]], trip[9])
        numbers = row.entry_price, row.exit_price, row.size, row.pnl
        assert numbers == pytest.approx((trip[3], trip[5], trip[6], trip[7]), rel=1e-6, abs=1e-5)
    assert found.metrics.exposure == expected.exposed / len(rows)
    assert found.instructions_unaffordable == expected.unpaid


@pytest.mark.parametrize("fill", ["next_open", "close"])
@pytest.mark.parametrize(
    ("name", "costs"),
    [
        ("ma_crossover", Costs(fee_bps=5, fee_fixed=1, slippage_bps=2, funding_bps_per_8h=1)),
        ("rsi_reversion", Costs(fee_bps=10, slippage_atr=0.05, spread_bps=4)),
        ("both", Costs()),
    ],
)
def test_one_instrument_held_by_signals_is_the_backtest(name, costs, fill):
    df = made_up_prices(rows=700, cycle=0.05)
    spec = StrategySpec.preset("ma_crossover" if name == "both" else name)
    spec = spec.both_sides() if name == "both" else spec
    alone = run_backtest(df, spec, costs, fill)
    held = weights.rebalanced(weights.sides({"A": df}, spec, costs, fill), "change")
    found = portfolio.run_portfolio({"A": df}, held, costs, fill)
    assert alone.metrics.n_trades > 3
    np.testing.assert_allclose(found.equity, alone.equity, rtol=1e-9)
    assert found.metrics.to_dict() == pytest.approx(alone.metrics.to_dict(), rel=1e-7)
    assert list(found.trades["exit_time"]) == list(alone.trades["exit_time"])


@pytest.mark.parametrize("fill", ["next_open", "close"])
def test_sides_stand_where_they_are_known(fill):
    """A stop is known at the close of its bar; what follows changes nothing."""
    spec = StrategySpec.preset("ma_crossover", fast_period=3, slow_period=9, stop_loss_pct=1.0)
    df = made_up_prices(rows=300, cycle=0.05)
    whole = weights.sides({"A": df}, spec, fill=fill)["A"]
    for bars in range(150, 190):
        part = weights.sides({"A": df[:bars]}, spec, fill=fill)["A"]
        assert np.isnan(part.iloc[-1])
        assert part.iloc[:-1].tolist() == whole.iloc[: bars - 1].tolist()
    stops = run_backtest(df, spec, fill=fill).trades.query("exit_reason == 'stop' and bars > 1")
    assert len(stops) > 3
    for stop in stops.itertuples():
        before = df.index.get_loc(stop.exit_time) - 1
        assert whole.iloc[before] == 1.0


def test_two_halves_by_hand():
    """Half of 1,000 each at the second open: 5 A at 100 and 10 B at 50; then A doubles."""
    prices = {
        "A": frame([(90, 95), (100, 100), (200, 200)]),
        "B": frame([(50, 50), (50, 50), (50, 40)]),
    }
    index = prices["A"].index
    held = pd.DataFrame({"A": [0.5], "B": [0.5]}, index=index[:1])
    found = portfolio.run_portfolio(prices, held, initial_capital=1_000.0, periods_per_year=365)
    assert found.equity.tolist() == [1_000.0, 1_000.0, 5 * 200 + 10 * 40]
    assert found.trades[["instrument", "pnl", "bars"]].values.tolist() == [["A", 500.0, 2], ["B", -100.0, 2]]
    fees = portfolio.run_portfolio(
        prices, held, Costs(fee_bps=100), initial_capital=1_000.0, periods_per_year=365
    )
    # After costs 1000 / 1.01 is left, half of it in each.
    assert fees.units["A"].iloc[1] == pytest.approx(500 / 1.01 / 100)
    assert fees.equity.iloc[1] == pytest.approx(1_000 / 1.01)


def test_an_instrument_without_a_bar_waits_and_is_told():
    prices = {
        "A": frame([(100, 100)] * 5),
        "B": frame([(10, 10), None, None, (20, 20), (20, 20)]),
    }
    held = pd.DataFrame({"A": [0.5], "B": [0.5]}, index=prices["A"].index[:1])
    found = portfolio.run_portfolio(prices, held, initial_capital=1_000.0, periods_per_year=365)
    bought = found.orders[found.orders["reason"] == "signal"].set_index("instrument")
    assert bought["time"].dt.day.to_dict() == {"A": 2, "B": 4}
    assert bought.loc["B", "price"] == 20.0
    assert found.missing.to_dict() == {"A": 0, "B": 2}
    assert found.weights["B"].round(12).tolist()[:4] == [0.0, 0.0, 0.0, 0.5]


def test_a_lost_account_trades_no_more():
    prices = {"A": frame([(100, 100), (100, 100), (250, 250), (100, 100), (100, 100)])}
    held = pd.DataFrame({"A": [-1.0, NAN, 0.5, 1.0]}, index=prices["A"].index[:4])
    found = portfolio.run_portfolio(prices, held, initial_capital=1_000.0, periods_per_year=365)
    assert found.equity.tolist()[2:] == [0.0, 0.0, 0.0]
    assert found.account_lost.bar == 2
    assert found.trades["exit_reason"].tolist() == ["liquidation"]
    assert found.trades["pnl"].sum() == pytest.approx(-1_000.0)
    assert found.metrics.sharpe_ratio is None


CLOSES = portfolio.closes(
    {name: made_up_prices(rows=260, seed=seed, frequency="1D") for seed, name in enumerate("ABCD")}
)
WAYS = {
    "inverse_volatility": lambda closes: weights.inverse_volatility(closes, 10),
    "top": lambda closes: weights.top(closes.pct_change(20), 2, shorts=1),
    "pair": lambda closes: weights.pair(closes, "A", "B", 30, 1.5, 0.3),
    "equal": lambda closes: weights.equal((closes > closes.rolling(5).mean()).astype(float)),
    "month": lambda closes: weights.rebalanced(weights.inverse_volatility(closes, 10), "month"),
    "change": lambda closes: weights.rebalanced(weights.top(closes.pct_change(5), 1), "change"),
}


@pytest.mark.parametrize("way", WAYS)
def test_weights_and_accounts_know_nothing_of_what_follows(way):
    held = WAYS[way](CLOSES)
    pd.testing.assert_frame_equal(WAYS[way](CLOSES.iloc[:150]), held.iloc[:150], check_freq=False)
    assert held.abs().sum(axis=1).max() <= 1.0 + 1e-12
    prices = {name: made_up_prices(rows=260, seed=seed, frequency="1D") for seed, name in enumerate("ABCD")}
    costs = Costs(fee_bps=5, slippage_bps=2)
    whole = portfolio.run_portfolio(prices, held, costs)
    part = portfolio.run_portfolio({name: df[:150] for name, df in prices.items()}, held[:150], costs)
    np.testing.assert_allclose(part.equity[:-1], whole.equity[:149], rtol=1e-12)
    turned = portfolio.run_portfolio(dict(reversed(prices.items())), held[held.columns[::-1]], costs)
    np.testing.assert_allclose(turned.equity, whole.equity, rtol=1e-10)
    assert whole.trades["pnl"].sum() == pytest.approx(whole.equity.iloc[-1] - 10_000.0)


def test_helpers_by_hand():
    index = pd.date_range("2024-01-30", periods=4, freq="D")
    scores = pd.DataFrame({"A": [1, 2, NAN, 4], "B": [2, 1, 3, 4], "C": [3, 3, NAN, 1]}, index=index)
    assert weights.top(scores, 1).values.tolist() == [[0, 0, 1], [0, 0, 1], [0, 1, 0], [1, 0, 0]]
    both = weights.top(scores, 1, shorts=1) + 0.0
    assert both.values.tolist() == [[-0.5, 0, 0.5], [0, -0.5, 0.5], [0, 0, 0], [0.5, 0, -0.5]]
    sides = pd.DataFrame({"A": [1, NAN, 0, -1], "B": [1, 1, 0, 0]}, index=index)
    np.testing.assert_array_equal(weights.equal(sides), [[0.5, 0.5], [NAN, 0.5], [0, 0], [-1, 0]])
    steps = pd.DataFrame({"A": [0.1, 0.2, 0.2, 0.4]}, index=index)
    np.testing.assert_array_equal(weights.rebalanced(steps, "month")["A"], [0.1, NAN, 0.2, NAN])
    np.testing.assert_array_equal(weights.rebalanced(steps, "change")["A"], [0.1, 0.2, NAN, 0.4])
    closes = pd.DataFrame({"A": [100, 110, 99, 108.9], "B": [100, 120, 96, 115.2]}, index=index)
    # Returns of ±10 % and ±20 %: twice the deviation, half the weight.
    last = weights.inverse_volatility(closes, 2).iloc[-1]
    assert last.tolist() == pytest.approx([2 / 3, 1 / 3])
    spread = pd.DataFrame(
        {"A": [100.0, 101, 100, 101, 200, 101], "B": 100.0}, index=pd.date_range("2024", periods=6)
    )
    pair = weights.pair(spread, "A", "B", 4, 1.4)
    assert pair["A"].tolist() == [0, 0, 0, 0, -0.5, 0]
    assert pair["B"].tolist() == [0, 0, 0, 0, 0.5, 0]


GOOD = {"A": frame([(1, 1)] * 3), "B": frame([(1, 1)] * 3)}
DAYS = GOOD["A"].index


@pytest.mark.parametrize(
    ("table", "code"),
    [
        ([1.0], "weights_unusable"),
        (pd.DataFrame({"Z": [1.0]}, index=DAYS[:1]), "weights_unknown_instrument"),
        (pd.DataFrame({"A": [1.0]}, index=DAYS[:1] + pd.Timedelta("1h")), "weights_off_clock"),
        (pd.DataFrame({"A": [1.0, 1.0]}, index=DAYS[[1, 0]]), "weights_off_clock"),
        (pd.DataFrame({"A": [np.inf]}, index=DAYS[:1]), "weights_infinite"),
        (pd.DataFrame({"A": [0.7, NAN], "B": [NAN, -0.7]}, index=DAYS[:2]), "weights_too_large"),
        (pd.DataFrame({"A": [NAN]}, index=DAYS[:1]), "weights_empty"),
        (pd.DataFrame({"A": ["all"]}, index=DAYS[:1]), "weights_unusable"),
        (pd.DataFrame({"A": [[0.5]]}, index=DAYS[:1]), "weights_unusable"),
        (pd.DataFrame({"A": [1.5]}, index=DAYS[:1]).astype(str), "weights_too_large"),
        (pd.DataFrame({"A": [1.0]}, index=DAYS[:1].tz_localize("UTC")), "instrument_time_zone"),
    ],
)
def test_weights_that_cannot_be_traded_are_refused(table, code):
    with pytest.raises(RequestError, match=code):
        portfolio.run_portfolio(GOOD, table, periods_per_year=365)


MAKERS = {
    "rebalanced": lambda table: weights.rebalanced(table, "month"),
    "equal": weights.equal,
    "top": lambda table: weights.top(table, 1),
    "inverse_volatility": weights.inverse_volatility,
    "pair": lambda table: weights.pair(table, "A", "B"),
}


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
@pytest.mark.parametrize(
    "table", [None, "A", pd.Series([1.0]), [[1.0]]], ids=["none", "word", "series", "list"]
)
def test_weights_are_made_of_tables_alone(make, table):
    with pytest.raises(RequestError, match="not_a_frame"):
        make(table)


def test_a_window_longer_than_the_history_is_refused():
    """As an indicator is; the least history that fills it gives weights."""
    closes = pd.DataFrame(
        {"A": [100, 110, 99, 108.9], "B": [NAN, 120, 96, 115.2]},
        index=DAYS[:1].append(pd.date_range(DAYS[0] + pd.Timedelta("1D"), periods=3)),
    )
    assert weights.inverse_volatility(closes, 3).iloc[-1].sum() == pytest.approx(1.0)
    assert len(weights.pair(closes, "A", "B", 3)) == 4
    for make in (lambda: weights.inverse_volatility(closes, 4), lambda: weights.pair(closes, "A", "B", 4)):
        with pytest.raises(RequestError, match="not_enough_bars"):
            make()


def test_settings_are_refused_in_a_sentence():
    held = pd.DataFrame({"A": [1.0]}, index=DAYS[:1])
    for wrong in ({"max_leverage": 0.5}, {"cash_yield_pct": NAN}, {"fill": "now"}, {"initial_capital": 0}):
        with pytest.raises(RequestError):
            portfolio.run_portfolio(GOOD, held, periods_per_year=365, **wrong)
