"""Strategies as Python code: the class style of backtesting.py, freqtrade's three methods."""

from __future__ import annotations

import math
import textwrap
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from backtest import CodedError, StrategySpec, from_code, run_backtest, sweep
from backtest.cage.histories import walk
from backtest.coded import quick, stand_ins, stepped, taking, talib_names
from tests.backtest_scripts import shown

CROSSING = """
    import pandas as pd
    import yfinance as yf
    from backtesting import Backtest, Strategy
    from backtesting.lib import crossover
    from backtesting.test import SMA, GOOG

    class Crossing(Strategy):
        fast = 10
        slow = 30

        def init(self):
            self.quick = self.I(SMA, self.data.Close, self.fast)
            self.calm = self.I(SMA, self.data.Close, self.slow)

        def next(self):
            if crossover(self.quick, self.calm):
                self.position.close()
                self.buy()
            elif crossover(self.calm, self.quick):
                self.position.close()
                self.sell()

    prices = yf.download("SPY")
    bt = Backtest(prices, Crossing, cash=10_000)
    print(bt.optimize(fast=range(5, 30, 5), slow=[20, 40, 60]))
"""
GUARDED = """
    import numpy as np
    import pandas as pd
    from backtesting import Strategy

    def ranges(high, low, n):
        return pd.Series(high - low).rolling(n).mean().to_numpy()

    class Guarded(Strategy):
        n = 14
        wide = 1.5

        def init(self):
            self.range = self.I(ranges, self.data.High, self.data.Low, self.n)
            self.mean = self.I(lambda x: pd.Series(x).ewm(span=20, min_periods=20).mean(), self.data.Close)
            self.waited = 0

        def next(self):
            self.waited += 1
            price = self.data.Close[-1]
            if self.position:
                if len(self.data) - self.trades[0].entry_bar > 40:
                    self.position.close()
                return
            if self.waited < 5:
                return
            if price > self.mean[-1] and self.data.Close[-2] < self.mean[-2]:
                self.buy(sl=price - self.wide * self.range[-1], tp=price + 2 * self.range[-1])
                self.waited = 0
            elif price < self.mean[-1] and self.data.Close[-2] > self.mean[-2]:
                self.sell(sl=price + self.wide * self.range[-1], tp=price - 2 * self.range[-1])
                self.waited = 0
"""
ALONE = """
    from backtesting import Strategy

    class Alone(Strategy):
        days = 3

        def init(self):
            pass

        def next(self):
            closes = self.data.Close[-self.days - 1:]
            if not self.position and len(closes) > self.days and (closes[1:] < closes[:-1]).all():
                self.buy()
            elif self.position and self.position.pl_pct > 1.0:
                self.position.close()
"""
LONGER = """
    from backtesting import Strategy
    from backtesting.lib import resample_apply
    from backtesting.test import SMA

    class Longer(Strategy):
        n = 6

        def init(self):
            self.mean = resample_apply("4h", SMA, self.data.Close, self.n)

        def next(self):
            price = self.data.Close[-1]
            if self.data.Close[-2] < self.mean[-2] and price > self.mean[-1]:
                self.buy(tp=1.03 * price)
            elif self.position and self.position.is_long == (price < self.mean):
                self.position.close()
            elif self.data.Close[-2] > self.mean[-2] and price < self.mean[-1]:
                self.sell(sl=1.02 * price)
"""
DIP = """
    from functools import reduce

    import freqtrade.vendor.qtpylib.indicators as qtpylib
    from freqtrade.persistence import Trade
    from freqtrade.strategy import BooleanParameter, DecimalParameter, IntParameter, IStrategy
    from pandas import DataFrame

    class Dip(IStrategy):
        timeframe = "1h"
        stoploss = -0.03
        minimal_roi = {"0": 0.05, "600": 0.02, "90000": 40}
        startup_candle_count = 25
        length = IntParameter(10, 40, default=20, space="buy")
        reach = DecimalParameter(1.0, 3.0, decimals=1, default=2.0, space="buy")
        calm = BooleanParameter(default=True, space="buy")
        kept = IntParameter(1, 9, default=4, optimize=False)
        buy_params = {"length": 18}

        def populate_indicators(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
            close, window = dataframe["close"], self.length.value
            bands = qtpylib.bollinger_bands(close, window=window, stds=self.reach.value)
            dataframe["lower"], dataframe["mid"] = bands["lower"], bands["mid"]
            return dataframe

        def populate_entry_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
            conditions = [qtpylib.crossed_below(dataframe["close"], dataframe["lower"])]
            if self.calm.value:
                conditions.append(dataframe["high"] < dataframe["low"] * 1.05)
            dataframe.loc[reduce(lambda x, y: x & y, conditions), "enter_long"] = 1
            return dataframe

        def populate_exit_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
            dataframe.loc[dataframe["close"] > dataframe["mid"], "exit_long"] = 1
            return dataframe
"""


def history(bars: int = 1_200, seed: int = 5) -> pd.DataFrame:
    made = walk(bars, seed)
    times = pd.date_range("2021-03-01", periods=bars, freq="h")
    return pd.DataFrame({name: getattr(made, name) for name in made.__slots__}, index=times)


@pytest.fixture
def written(tmp_path: Path) -> Any:
    def write(text: str, name: str = "mine.py") -> Path:
        path = tmp_path / name
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return path

    return write


@pytest.fixture(scope="module")
def prices() -> pd.DataFrame:
    return history()


def test_a_script_is_taken_in_without_its_own_backtest_and_tuned_within_what_it_goes_through(
    written: Any,
) -> None:
    spec = from_code(written(CROSSING))
    assert spec.params == {"fast": 10, "slow": 30}
    bounds = spec.bounds()
    assert (bounds["fast"].low, bounds["fast"].high, bounds["fast"].step) == (5.0, 25.0, 5.0)
    assert (bounds["slow"].low, bounds["slow"].high, bounds["slow"].integer) == (20.0, 60.0, True)
    assert spec.lookback() == 31  # the slow mean's 29 bars, the one before a cross, the bar itself
    assert spec.evolve(params={"slow": 60}).lookback() == 61
    assert StrategySpec.model_validate(spec.model_dump(mode="json")) == spec


def test_it_trades_as_the_same_conditions_in_the_language_do(written: Any, prices: pd.DataFrame) -> None:
    """The engine's own crossing counts a touch as below; on made-up prices there is none."""
    own = StrategySpec(
        name="own",
        params={"fast": 10, "slow": 30},
        entry_long="crosses_above(sma(close, fast), sma(close, slow))",
        entry_short="crosses_below(sma(close, fast), sma(close, slow))",
    )
    spec = from_code(written(CROSSING))
    found = run_backtest(prices, spec, trade_from=prices.index[40])
    assert len(found.trades) > 20
    assert shown(found) == shown(run_backtest(prices, own, trade_from=prices.index[40]))
    grid = {"fast": [5, 10, 15], "slow": [20, 40]}
    figures = ["fast", "slow", "total_return", "n_trades"]
    pd.testing.assert_frame_equal(
        sweep(prices, spec, grid, trade_from=prices.index[70])[figures],
        sweep(prices, own, grid, trade_from=prices.index[70])[figures],
    )


@pytest.mark.parametrize(
    ("text", "kind", "exclusive"),
    [
        (CROSSING, "Crossing", True),
        (CROSSING, "Crossing", False),
        (GUARDED, "Guarded", True),
        (ALONE, "Alone", False),
        (LONGER, "Longer", True),
    ],
)
def test_backtesting_py_makes_the_same_trades(
    written: Any, prices: pd.DataFrame, text: str, kind: str, exclusive: bool
) -> None:
    """Sides, bars and prices of every trade, without costs; sizes are whole units there."""
    peer = pytest.importorskip(
        "backtesting", reason="backtesting.py is not installed: nothing to compare with"
    )
    text = textwrap.dedent(text).partition("\nprices = ")[0]
    text = text.replace("import yfinance as yf\n", "")
    names: dict[str, Any] = {}
    exec(text, names)
    capitals = prices.rename(columns=str.title)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it tells of every order that no money was left for
        stats = peer.Backtest(
            capitals, names[kind], cash=1e9, exclusive_orders=exclusive, finalize_trades=True
        ).run()
    spec = from_code(written(f"{text}\nbt = Backtest(None, {kind}, exclusive_orders={exclusive})\n"))
    wanted = [
        (row.Size > 0, row.EntryBar, row.EntryPrice, row.ExitBar, row.ExitPrice)
        for row in stats["_trades"].sort_values(["EntryBar", "ExitBar"]).itertuples()
    ]
    found = [
        (side == "long", entry_bar, entry_price, exit_bar, exit_price)
        for side, entry_bar, entry_price, exit_bar, exit_price, *_ in shown(run_backtest(prices, spec))
    ]
    assert len(wanted) > 10
    # What is open at the end closes there at other prices: ours is the last close.
    assert found[:-1] == wanted[:-1]
    assert found[-1][:3] == wanted[-1][:3]


def test_orders_with_a_stop_and_a_target_trade_as_a_slow_account_does(
    written: Any, prices: pd.DataFrame
) -> None:
    """`GUARDED` written down once more, bar by bar, with its own account: no library, no engine."""
    opens, highs, lows, closes = (prices[name].tolist() for name in ("open", "high", "low", "close"))
    ranges = [math.nan] * 13 + [
        sum(highs[bar] - lows[bar] for bar in range(end - 13, end + 1)) / 14 for end in range(13, len(closes))
    ]
    weights, total, means = 0.0, 0.0, []
    for bar, close in enumerate(closes):  # pandas' own weighting: all bars so far, the older the less
        weights, total = weights * (1 - 2 / 21) + 1.0, total * (1 - 2 / 21) + close
        means.append(total / weights if bar >= 19 else math.nan)
    trades: list[tuple[int, int, float, int, float]] = []
    held: tuple[int, int, float, float, float] | None = None  # side, bar, price, stop, target
    wish: tuple[int, float, float] | None = None
    leaves, waited = False, 0
    for bar in range(20, len(closes)):
        if held and leaves:
            trades.append((*held[:3], bar, opens[bar]))
            held = None
        if wish:
            held, wish = (wish[0], bar, opens[bar], *wish[1:]), None
        leaves = False
        if held:
            side, _, _, stop, target = held
            level = None
            if (opens[bar] - stop) * side <= 0 or (opens[bar] - target) * side >= 0:
                level = opens[bar]
            elif (lows[bar] if side > 0 else -highs[bar]) <= stop * side:
                level = stop
            elif (highs[bar] if side > 0 else -lows[bar]) >= target * side:
                level = target
            if level is not None:
                trades.append((*held[:3], bar, level))
                held = None
        waited += 1
        if held:
            leaves = bar + 1 - held[1] > 40
            continue
        if waited < 5:
            continue
        for side in (1, -1):
            if (closes[bar] - means[bar]) * side > 0 and (closes[bar - 1] - means[bar - 1]) * side < 0:
                wish = (side, closes[bar] - side * 1.5 * ranges[bar], closes[bar] + side * 2 * ranges[bar])
                waited = 0
    found = [
        (1 if side == "long" else -1, *rest)
        for side, *rest, _, _ in shown(run_backtest(prices, from_code(written(GUARDED))))
    ]
    assert len(trades) > 50
    assert {trade[0] for trade in trades} == {1, -1}
    assert [trade[:2] + trade[3:4] for trade in found[: len(trades)]] == [
        one[:2] + one[3:4] for one in trades
    ]
    np.testing.assert_allclose(
        [(trade[2], trade[4]) for trade in found[: len(trades)]],
        [(one[2], one[4]) for one in trades],
        rtol=1e-9,
    )


PLAIN = """
    import numpy as np
    from backtesting import Strategy
    from backtesting.lib import crossover
    from backtesting.test import SMA

    STEP = 0.5

    class Plain(Strategy):
        n = 9
        far = 1.02

        def init(self):
            self.mean = self.I(SMA, self.data.Close, self.n)
            self.slow = self.I(SMA, self.data.Close, 4 * self.n)

        def next(self):
            price = self.data.Close[-1]
            rising = self.mean[-1] > self.mean[-3] + STEP * 0.1
            if self.position.is_short and (price > self.slow or rising):
                self.position.close()
                return
            if len(self.data) < 60 or np.isnan(price):
                return
            if not self.position and rising and self.data.Low[-2] < self.mean[-2]:
                self.buy(sl=min(self.data.Low[-1], price / self.far) * 0.999, tp=price * self.far)
            elif crossover(self.slow, self.data.Close):
                self.sell(sl=price * self.far)
"""


def test_what_is_compiled_says_what_python_says(
    written: Any, prices: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = taking.take(written(PLAIN))
    slow = one.run(prices, one.defaults())
    monkeypatch.setattr(quick, "PAYS_FROM", 0)
    monkeypatch.setattr(stepped.Desk, "live", None)  # Python's account is not asked any more
    fast = one.run(prices, one.defaults())
    assert (one.quick.reason, one.notes) == ("", ["exclusive"])
    for place, series in slow.series.items():
        np.testing.assert_array_equal(series, fast.series[place], err_msg=place)
        assert np.nansum(series) > 0 or place in ("exit_long", "exit_limit_short")
    monkeypatch.undo()
    assert taking.take(written(GUARDED)).notes == ["slow", "exclusive"]  # it counts bars of its own


def test_freqtrade_columns_become_conditions_and_its_class_settings(
    written: Any, prices: pd.DataFrame
) -> None:
    """Against the same rules written down bar by bar."""
    spec = from_code(written(DIP))
    assert spec.params == {"length": 18, "reach": 2, "calm": 1}
    assert spec.risk.active() == {"stop_loss_pct": 3, "roi": "0:5,10:2"}
    assert [spec.bounds()["reach"].low, spec.bounds()["reach"].high, spec.bounds()["calm"].high] == [1, 3, 1]
    close, high, low = (prices[name].tolist() for name in ("close", "high", "low"))
    entries, exits = [], []
    for bar in range(25, len(close)):
        lines = []
        for end in (bar - 1, bar):
            window = close[end - 17 : end + 1]
            mean = sum(window) / 18
            deviation = (sum((one - mean) ** 2 for one in window) / 17) ** 0.5
            lines.append((mean, mean - 2.0 * deviation))
        (_, before), (mid, now) = lines
        if close[bar - 1] >= before and close[bar] < now and high[bar] < low[bar] * 1.05:
            entries.append(bar)
        if close[bar] > mid:
            exits.append(bar)
    told = prices.assign(up=0.0, down=0.0)
    told.iloc[entries, told.columns.get_loc("up")] = 1.0
    told.iloc[exits, told.columns.get_loc("down")] = 1.0
    slow = StrategySpec(
        name="slow", entry_long="up > 0", exit_long="down > 0", risk=spec.risk, inputs={"up": {}, "down": {}}
    )
    wanted = shown(run_backtest(told, slow))
    assert len(wanted) > 15
    assert {row[5] for row in wanted} > {"signal", "target"}
    assert shown(run_backtest(prices, spec)) == wanted


FAULTS = {
    "strategy_knows_future": ("self.data.Close", "pd.Series(self.data.Close).shift(-1)"),
    "strategy_not_repeatable": (
        "self.data.Close",
        "pd.Series(self.data.Close) + __import__('random').random()",
    ),
    "strategy_order_kind": ("self.buy()", "self.buy(limit=1.0)"),
    "strategy_moves_level": (
        "self.buy()",
        "self.buy() if not self.trades else setattr(self.trades[0], 'sl', 1.0)",
    ),
    "strategy_raised": ("self.buy()", "self.buy() / 0"),
    "strategy_absent": ("self.buy()", "GOOG.head()"),
    "strategy_needs": ("from backtesting.test", "from no_such_library"),
    "no_strategy_class": ("def next", "def later"),
    "strategy_syntax": ("fast = 10", "fast = = 10"),
}


@pytest.mark.parametrize("code", FAULTS)
def test_what_is_refused_names_its_reason(written: Any, code: str) -> None:
    old, new = FAULTS[code]
    with pytest.raises(CodedError) as raised:
        from_code(written(CROSSING.replace(old, new)))
    assert raised.value.code == code
    assert raised.value.sentence("en") != raised.value.sentence("fr")


def test_a_future_that_shows_on_real_prices_alone_is_found_before_a_figure_is_given(
    written: Any, prices: pd.DataFrame
) -> None:
    """Made-up histories begin in 2020: there the code behaves."""
    late = "pd.Series(self.data.Close).shift(-1 if self.data.index[0].year > 2020 else 0)"
    spec = from_code(written(CROSSING.replace("self.data.Close", late)))
    with pytest.raises(CodedError, match=r"Crossing"):
        run_backtest(prices, spec)


def test_callbacks_are_refused_and_several_classes_are_chosen_from(written: Any) -> None:
    callback = DIP.replace(
        "        def populate_exit_trend",
        "        def custom_exit(self, *a, **k):\n            return None\n\n        def populate_exit_trend",
    )
    with pytest.raises(CodedError, match="custom_exit"):
        from_code(written(callback))
    both = written(textwrap.dedent(CROSSING) + textwrap.dedent(ALONE))
    with pytest.raises(CodedError) as raised:
        from_code(both)
    assert raised.value.fields["known"] == "Crossing, Alone"
    assert from_code(both, "Alone", days=4, stop_loss_pct=2.0).params == {"days": 4}


def test_another_source_is_another_strategy(written: Any) -> None:
    """The digest is in the names of its functions: ledger and record tell two versions apart."""
    first = from_code(written(ALONE))
    second = from_code(written(ALONE.replace("1.0", "2.0")))
    assert first.hash != second.hash
    assert from_code(written(ALONE)).hash == first.hash


def test_without_talib_its_commonest_functions_are_those_of_the_language(prices: pd.DataFrame) -> None:
    real = pytest.importorskip("talib.abstract", reason="TA-Lib is not installed: nothing to compare with")
    (_, abstract) = stand_ins.talib()
    for name, one in talib_names.FUNCTIONS.items():
        wanted, found = real.Function(name)(prices), one.abstract(prices)
        assert getattr(abstract, name).__self__ is one
        if isinstance(found, pd.DataFrame):
            assert [*found] == [*wanted]
        np.testing.assert_allclose(found.to_numpy(), wanted.to_numpy(), rtol=1e-8, atol=1e-8, err_msg=name)
