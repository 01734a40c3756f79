"""Higher timeframes: against bars grouped by hand, and never a bar that is not complete."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from backtest import BacktestError, StrategySpec, canonical_expression, resample_bars, run_backtest, sweep
from backtest.data.arrays import PriceArrays
from backtest.data.clock import Clock
from backtest.engine.bank import IndicatorBank
from backtest.language.parser import parse
from backtest.language.timeframes import timeframe, timeframe_of
from backtest.language.tree import bind
from prompts import text
from tests.laws import combined


def frame(index: pd.DatetimeIndex, seed: int = 5) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(random.normal(0.0, 0.01, len(index))))
    opening = np.concatenate(([100.0], close[:-1]))
    return pd.DataFrame(
        {
            "open": opening,
            "high": np.maximum(opening, close) * 1.001,
            "low": np.minimum(opening, close) * 0.999,
            "close": close,
            "volume": random.integers(1, 50, len(index)).astype(float),
        },
        index=index,
    )


def bank_of(df: pd.DataFrame) -> IndicatorBank:
    arrays = PriceArrays(*(df[name].to_numpy() for name in PriceArrays._fields))
    return IndicatorBank(arrays, Clock(pd.DatetimeIndex(df.index)))


def values(expression: str, df: pd.DataFrame) -> Any:
    return bank_of(df).varying(bind(parse(f"{expression} > 0"), {}).left)  # type: ignore[union-attr]


def with_holes(index: pd.DatetimeIndex) -> pd.DatetimeIndex:
    kept = np.random.default_rng(1).random(len(index)) > 0.15
    kept[100:180] = False
    return index[kept]


HALF_HOURS = pd.date_range("2024-03-20 01:30", periods=900, freq="30min")
SESSIONS = pd.DatetimeIndex(
    [
        day + pd.Timedelta(minutes=570 + 30 * k)
        for day in pd.bdate_range("2024-02-26", periods=60)
        for k in range(13)
    ]
)
CLOCKS = {
    "naive": HALF_HOURS,
    "UTC": HALF_HOURS.tz_localize("UTC"),
    "spring forward": HALF_HOURS.tz_localize("UTC").tz_convert("Europe/Paris"),
    "autumn back": pd.date_range("2024-10-20 22:00", periods=900, freq="30min", tz="America/New_York"),
    "half-hour zone": HALF_HOURS.tz_localize("UTC").tz_convert("Asia/Kolkata"),
    "no midnight": pd.date_range("2017-10-10", periods=900, freq="30min", tz="UTC").tz_convert(
        "America/Sao_Paulo"
    ),
    "holes": with_holes(HALF_HOURS.tz_localize("UTC")),
    "holes, local": with_holes(HALF_HOURS.tz_localize("UTC").tz_convert("Europe/Paris")),
    "sessions": SESSIONS.tz_localize("America/New_York"),
}  # fmt: skip


def slow_bars(df: pd.DataFrame, name: str) -> list[tuple[pd.Timestamp, pd.Timestamp, pd.DataFrame]]:
    """(begin, end, rows) of each higher bar, a row at a time."""
    found: dict[pd.Timestamp, list[int]] = {}
    ends: dict[pd.Timestamp, pd.Timestamp] = {}
    for place, moment in enumerate(df.index):
        if name == "1d":
            begin = pd.Timestamp(moment.date())
            end = begin + pd.Timedelta(days=1)
        elif name == "1w":
            begin = pd.Timestamp(moment.date()) - pd.Timedelta(days=moment.day_of_week)
            end = begin + pd.Timedelta(days=7)
        elif name == "1mo":
            begin = pd.Timestamp(moment.year, moment.month, 1)
            end = begin + pd.offsets.MonthBegin(1)
        else:
            hours = int(name[:-1])
            utc = moment if moment.tz is None else moment.tz_convert("UTC")
            begin = utc.normalize() + pd.Timedelta(hours=utc.hour // hours * hours)
            end = begin + pd.Timedelta(hours=hours)
        if moment.tz is not None and begin.tz is None:
            begin = begin.tz_localize(moment.tz, nonexistent="shift_forward")
            end = end.tz_localize(moment.tz, nonexistent="shift_forward")
        found.setdefault(begin, []).append(place)
        ends[begin] = end
    return [(begin, ends[begin], df.iloc[rows]) for begin, rows in found.items()]


def slow_value(rows: pd.DataFrame, column: str) -> float:
    part = rows[column].to_list()
    return float(
        {"open": part[0], "high": max(part), "low": min(part), "close": part[-1]}.get(column, sum(part))
    )


@pytest.mark.parametrize(
    ("clock", "name"),
    combined([name for name in CLOCKS if name != "sessions"], ("1h", "4h", "1d", "1w", "1mo"), times=2),
)
def test_the_last_complete_bar_is_seen(clock: str, name: str) -> None:
    df = frame(CLOCKS[clock])
    bars = slow_bars(df, name)
    if df.index[0] > bars[0][0]:
        bars = bars[1:]
    closes = [moment + pd.Timedelta(minutes=30) for moment in df.index]
    # At each bar, the number of higher bars that ended by its close.
    complete, done = [], 0
    for close in closes:
        while done < len(bars) and bars[done][1] <= close:
            done += 1
        complete.append(done)
    if not done:
        with pytest.raises(BacktestError, match="not_enough_higher_bars"):
            values(f'at("{name}", close)', df)
        return
    for column in PriceArrays._fields:
        each = [float("nan"), *(slow_value(rows, column) for _, _, rows in bars)]
        wanted = [each[count] for count in complete]
        # Two distances between bars are seen before the length of a bar is known.
        found = values(f'at("{name}", {column})', df)
        np.testing.assert_allclose(found[2:], wanted[2:], rtol=1e-14)


@pytest.mark.parametrize(("clock", "name"), combined([*CLOCKS], ("1h", "4h", "1d", "1w"), times=2))
def test_no_look_ahead_at_any_cut(clock: str, name: str) -> None:
    """What is known at a bar is the same when the data ends there, and whatever comes after it."""
    df = frame(CLOCKS[clock])
    inner = "close + high" if name == "1w" else "ema(close, 3) + highest(high, 2)[1]"
    expression = f'at("{name}", {inner})'
    whole = values(expression, df)
    first = int(np.flatnonzero(~np.isnan(whole))[0]) if (~np.isnan(whole)).any() else len(df)
    for cut in range(max(first, 3), len(df), 7):
        np.testing.assert_array_equal(values(expression, df.iloc[: cut + 1]), whole[: cut + 1])
    other = df.copy()
    other.iloc[500:] *= 3.0
    np.testing.assert_array_equal(values(expression, other)[:500], whole[:500])


def test_conditions_of_a_higher_timeframe_and_their_contrary() -> None:
    df = frame(HALF_HOURS)
    bank = bank_of(df)
    rsi = values('at("4h", rsi(close, 5))', df)
    held = bank.truth(bind(parse('at("4h", rsi(close, 5) > 50)'), {}))
    contrary = bank.truth(bind(parse('not at("4h", rsi(close, 5) > 50)'), {}))
    np.testing.assert_array_equal(held, rsi > 50)
    np.testing.assert_array_equal(contrary, rsi <= 50)
    lagged = values('at("4h", rsi(close, 5))[1]', df)
    np.testing.assert_array_equal(lagged[1:], rsi[:-1])


def test_in_backtests_and_sweeps() -> None:
    df = frame(HALF_HOURS)
    spec = StrategySpec(
        name="two clocks",
        params={"n": 5},
        entry_long='at("4h", rsi(close, n)) > 50 and close > sma(close, 5) and hour < 20',
        exit_long="close < sma(close, 5) or weekday == 4",
    )
    table = sweep(df, spec, grid={"n": [3, 5, 9]})
    for n, total in zip(table["n"], table["total_return"], strict=True):
        one = run_backtest(df, spec.evolve(params={"n": int(n)}))
        assert one.metrics.n_trades > 0
        assert one.metrics.total_return == pytest.approx(total, rel=1e-12)


CANONICAL = {
    'AT("4H", RSI) > 50': 'at("4h", rsi(close, 14)) > 50',
    "at('60min', close > open)": 'at("1h", close > open)',
    'at("1 day", sma(20)) > 1': 'at("1d", sma(close, 20)) > 1',
    'at("1M", close)[1] > 2': 'at("1mo", close)[1] > 2',
}


@pytest.mark.parametrize("written", CANONICAL)
def test_canonical(written: str) -> None:
    assert canonical_expression(written) == CANONICAL[written]
    assert canonical_expression(CANONICAL[written]) == CANONICAL[written]


REFUSED = {
    'at("7h", close) > 1': ("unknown_timeframe", 4),
    'at("soon", close) > 1': ("unknown_timeframe", 4),
    "at(4, close) > 1": ("expression_syntax", 4),
    'at("4h") > 1': ("expression_syntax", 8),
    'at("4h", 5) > close': ("expression_type", 10),
    'at("1d", at("4h", close)) > 1': ("nested_timeframe", 1),
    'at("4h", close) and close > 1': ("expression_type", 1),
}


@pytest.mark.parametrize("written", REFUSED)
def test_refused(written: str) -> None:
    with pytest.raises(BacktestError) as caught:
        canonical_expression(written)
    assert (caught.value.code, caught.value.fields["position"]) == REFUSED[written]
    for language in ("fr", "en"):
        assert text(f"backtest.error.{caught.value.code}", language, **caught.value.fields)


@pytest.mark.parametrize(
    ("expression", "code"),
    [
        ('at("30m", close) > 1', "timeframe_not_higher"),
        ('at("15m", close) > 1', "timeframe_not_higher"),
        ('at("1d", sma(close, 30)) > 1', "not_enough_higher_bars"),
    ],
)
def test_what_the_data_cannot_give(expression: str, code: str) -> None:
    with pytest.raises(BacktestError) as caught:
        run_backtest(frame(HALF_HOURS), StrategySpec(name="x", entry_long=expression))
    assert caught.value.code == code
    for language in ("fr", "en"):
        assert text(f"backtest.error.{code}", language, **caught.value.fields)


def test_names_of_timeframes() -> None:
    assert [timeframe(one) for one in ("4h", "240m", "1D", "2 weeks", "1mo", "1M", "1m", "90s", "3600s")] == [
        "4h", "4h", "1d", "2w", "1mo", "1mo", "1m", "90s", "1h",
    ]  # fmt: skip
    assert [timeframe(one) for one in ("", "0h", "7h", "h4", "1.5h", "5y")] == [None] * 6
    assert [timeframe_of(one) for one in (1_800, 14_400, 86_400, 604_800, 30 * 86_400, 7)] == [
        "30m", "4h", "1d", "1w", "1mo", "7s",
    ]  # fmt: skip


@pytest.mark.parametrize(("zone", "rule"), [(None, "4h"), ("UTC", "1D"), ("Europe/Paris", "1D")])
def test_longer_bars_are_those_that_pandas_makes(zone: str | None, rule: str) -> None:
    df = frame(pd.date_range("2024-03-20 01:30", periods=900, freq="30min", tz=zone))
    how = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
    expected = df.resample(rule).agg(how).iloc[1:-1]  # both ends are entered half-way
    found = resample_bars(df, rule.lower())
    pd.testing.assert_frame_equal(found, expected, check_freq=False, check_index_type=False)


def test_longer_bars_of_what_was_filled_in_and_of_funding() -> None:
    df = frame(pd.date_range("2024-03-20", periods=12, freq="1h"))
    df["funding_rate"] = np.arange(12) / 1e4
    df["made_up"] = [False] * 3 + [True] * 5 + [False] * 4
    found = resample_bars(df, "4h")
    assert found["funding_rate"].tolist() == pytest.approx([0.0006, 0.0022, 0.0038])
    assert found["made_up"].tolist() == [False, True, False]


@pytest.mark.parametrize(("asked", "code"), [("7h", "no_timeframe"), ("30m", "timeframe_not_higher")])
def test_bars_that_cannot_be_made_longer_are_refused(asked: str, code: str) -> None:
    with pytest.raises(BacktestError) as caught:
        resample_bars(frame(HALF_HOURS), asked)
    assert caught.value.code == code
