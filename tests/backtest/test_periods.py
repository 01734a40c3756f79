"""Which higher bar is seen when: a law over calendars, zones and damage, and pandas' own grouping."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from arch.data import sp500
from hypothesis import given, settings
from hypothesis import strategies as st

from backtest import BacktestError, StrategySpec, run_backtest, validate_prices
from backtest.data.clock import Clock
from tests.backtest.test_higher import frame, values
from tests.backtest.test_year import CALENDARS as MARKETS
from tests.backtest.test_year import Calendar, kept
from tests.laws import cases, some

ALL = (0, 1, 2, 3, 4, 5, 6)
CALENDARS = {
    **{
        name: one
        for name, one in MARKETS.items()
        if name not in ("minutes of Sydney", "half hours of crypto")
    },
    "half hours of crypto, New York": Calendar(days=ALL, minutes=30, bars=48, zone="America/New_York"),
    "hours of crypto, Kolkata": Calendar(days=ALL, minutes=60, bars=24, zone="Asia/Kolkata"),
    "half hours of Tokyo": Calendar(opening=540, minutes=30, bars=12, zone="Asia/Tokyo"),
    "hours, no midnight in spring": Calendar(days=ALL, minutes=60, bars=24, zone="America/Havana"),
}
HIGHER = {"1h": 60, "2h": 120, "4h": 240, "1d": 1_440, "2d": 2_880, "1w": 10_080, "1mo": 40_320}
DAY = pd.Timedelta(days=1)


def damaged(times: pd.DatetimeIndex, damage: str, random: np.random.Generator) -> pd.DatetimeIndex:
    """What happens to files: bars missing (in a row, here and there), wavering stamps, rows out of place.

    The first five bars stay: they show how long a bar is.
    """
    if damage == "outages":
        for _ in range(3):
            begin, lost = (int(one) for one in random.integers((5, 1), (max(6, len(times)), 40)))
            times = times.delete(range(begin, min(len(times), begin + lost)))
    elif damage == "holes":
        times = times[(random.random(len(times)) > 0.1) | (np.arange(len(times)) < 5)]
    elif damage == "jitter":
        times = times + pd.to_timedelta(random.integers(-9, 9, len(times)), unit="s")
    elif damage == "strays":
        near = times[random.integers(1, len(times), 4)] + pd.to_timedelta(
            random.integers(1, 3_000, 4), unit="s"
        )
        times = times.union(near)
    return times.unique().sort_values()


def on_prefix(df: pd.DataFrame, name: str, stop: int) -> Any:
    """What is seen when the data ends before row `stop`; None where it is refused as too short."""
    try:
        return values(f'at("{name}", close + high + low + volume)', df.iloc[:stop])
    except BacktestError as error:
        if error.code not in ("not_enough_higher_bars", "timeframe_not_higher"):
            raise
        return None


@settings(max_examples=cases(30), deadline=None)
@given(
    market=st.sampled_from(sorted(CALENDARS)),
    how=st.sampled_from(["zone", "naive", "offset text"]),
    name=st.sampled_from(sorted(HIGHER)),
    damage=st.sampled_from(["none", "outages", "holes", "jitter", "strays"]),
    weeks=st.integers(2, 16),
    cut=st.floats(0.05, 1.0),
    stray=st.integers(1, 10**6),
    seed=st.integers(0, 10**6),
)
def test_nothing_that_follows_changes_what_was_seen(
    market: str, how: str, name: str, damage: str, weeks: int, cut: float, stray: int, seed: int
) -> None:
    """Every prefix sees what the whole sees on its rows, and so it does with a row out of place behind it."""
    calendar = CALENDARS[market]
    if HIGHER[name] <= calendar.minutes:
        return
    random = np.random.default_rng(seed)
    times = kept(damaged(calendar.times(weeks), damage, random), how)
    if len(times) < 4:
        return
    stop = max(3, int(cut * len(times)))
    longer = times.append(times[-1:] + pd.Timedelta(seconds=stray))
    df = frame(longer, seed)
    whole = on_prefix(df, name, len(df))
    for rows in (stop, len(times)):
        found = on_prefix(df, name, rows)
        if whole is not None and found is not None:
            np.testing.assert_array_equal(found, whole[:rows])
        elif whole is not None and found is None:
            # Refused as too short: nothing had been seen by then.
            assert np.isnan(whole[:rows]).all()


@settings(max_examples=cases(20), deadline=None)
@given(
    market=st.sampled_from(sorted(CALENDARS)),
    how=st.sampled_from(["zone", "naive"]),
    name=st.sampled_from(sorted(HIGHER)),
    damage=st.sampled_from(["none", "outages", "holes"]),
    weeks=st.integers(4, 20),
    seed=st.integers(0, 10**6),
)
def test_no_part_of_a_higher_bar_is_seen(
    market: str, how: str, name: str, damage: str, weeks: int, seed: int
) -> None:
    """Where bars are missing a higher bar may be seen late, but never before its last one has closed."""
    calendar = CALENDARS[market]
    if HIGHER[name] <= calendar.minutes:
        return
    df = frame(kept(damaged(calendar.times(weeks), damage, np.random.default_rng(seed)), how), seed)
    found = on_prefix(df, name, len(df))
    if found is None:
        return
    groups = own_groups(df, name, calendar)
    columns = {"close": "last", "high": "max", "low": "min", "volume": "sum"}
    whole = df.groupby(groups.to_numpy(), sort=False).agg(columns).sum(axis=1).to_numpy()
    assert all(np.isclose(whole, value, rtol=1e-13).any() for value in found[~np.isnan(found)])


def own_groups(df: pd.DataFrame, name: str, calendar: Calendar) -> pd.Series:
    """The period of each bar as pandas makes them, in the market's own days."""
    times = pd.DatetimeIndex(df.index)
    bare = times.tz_localize(None)
    if calendar.minutes == 1_440 and str(times.tz) == "UTC" and calendar.zone != "UTC":
        bare = times.tz_convert(calendar.zone).tz_localize(None)
    if name.endswith("h"):
        return pd.Series((times if times.tz is None else times.tz_convert("UTC")).floor(name), index=times)
    if name == "2d":
        return pd.Series((bare.normalize() - pd.Timestamp("1970-01-01")).days // 2, index=times)
    return pd.Series(bare.to_period({"1d": "D", "1w": "W-SUN", "1mo": "M"}[name]), index=times)


SEEN = [
    (market, how, name)
    for market, calendar in CALENDARS.items()
    for how in ("zone", "offset text")
    for name, minutes in HIGHER.items()
    if minutes > calendar.minutes
]


@pytest.mark.parametrize(("market", "how", "name"), some(SEEN, SEEN[::3]))
def test_a_higher_bar_is_seen_at_its_own_last_close(market: str, how: str, name: str) -> None:
    """On a calendar without surprises, once its week is known; where clocks change, late but never early."""
    calendar = CALENDARS[market]
    df = frame(kept(calendar.times(46), how))
    groups = own_groups(df, name, calendar)
    closes = df["close"].groupby(groups.to_numpy(), sort=False).last().to_numpy()
    number = np.cumsum(groups.to_numpy()[1:] != groups.to_numpy()[:-1])
    number = np.concatenate(([0], number))
    last = np.append(number[1:] != number[:-1], True)
    complete = np.where(last, number, number - 1)
    found = values(f'at("{name}", close)', df)
    # The last period may go on behind the end of the data.
    known = np.asarray(df.index >= df.index[0] + 63 * DAY) & (number < number[-1])
    if how == "offset text" and calendar.minutes < 1_440 and calendar.zone not in ("UTC", "Asia/Tokyo"):
        # Hours move when clocks change; for four weeks a bar may be seen late. Seen too early is one bar of
        # the first day in autumn at most, where a market pauses within the day.
        times, early = pd.DatetimeIndex(df.index), np.isnan(found)
        for change in pd.DatetimeIndex(["2019-03-10", "2019-03-31", "2019-10-27", "2019-11-03"], tz="UTC"):
            known &= ~np.asarray((times >= change - DAY) & (times <= change + 29 * DAY))
            if market == "futures, 23 hours":
                early |= np.asarray((times >= change) & (times < change + 9 * DAY))
        assert np.isin(found[~early], closes).all()
    np.testing.assert_array_equal(found[known], closes[complete][known])


def test_fridays_value_is_seen_on_friday() -> None:
    """A real exchange: weeks to Friday as pandas groups them; those that a holiday ends wait for Monday."""
    df = validate_prices(sp500.load())
    fridays = df["close"].resample("W-FRI").last()
    found = pd.Series(values('at("1w", close)', df), index=df.index)
    last_days = df.index.to_series().resample("W-FRI").last()
    on_time = [found[day] == fridays[week] for week, day in last_days.items()]
    # Some 4 % of weeks end on a Thursday, and the first weeks teach the calendar.
    assert 0.95 < np.mean(on_time) < 1.0
    behind = [
        found.iloc[df.index.get_loc(day) + 1] == fridays[week] for week, day in list(last_days.items())[1:-1]
    ]
    assert all(behind)
    months = df["close"].resample("ME").last()
    seen = [found_ == value for found_, value in zip(
        pd.Series(values('at("1mo", close)', df), index=df.index)[df.index.to_series().resample("ME").last()],
        months, strict=True,
    )]  # fmt: skip
    assert np.mean(seen) > 0.85


def half_days(index: pd.DatetimeIndex, days: set[pd.Timestamp]) -> pd.DatetimeIndex:
    """A session market that closes at one o'clock on some days."""
    return index[~(index.normalize().isin(days) & (index.hour >= 13))]


def test_half_days_and_holidays_wait_for_the_first_bar_behind() -> None:
    zone = "America/New_York"
    times = CALENDARS["half hours of shares"].times(20)
    short = pd.Timestamp("2019-04-17", tz=zone)
    closed = pd.Timestamp("2019-04-19", tz=zone)
    times = half_days(times[times.normalize() != closed], {short})
    df = frame(times)
    days = df["close"].groupby(df.index.date).last()
    daily = pd.Series(values('at("1d", close)', df), index=df.index)
    weekly = pd.Series(values('at("1w", close)', df), index=df.index)
    for day, last, seen_at_once in (("2019-04-16", "15:30", True), ("2019-04-17", "12:30", False),
                                    ("2019-04-18", "15:30", True)):  # fmt: skip
        moment = pd.Timestamp(f"{day} {last}", tz=zone)
        own = days[moment.date()]
        assert (daily[moment] == own) == seen_at_once
        assert daily.iloc[df.index.get_loc(moment) + 1] == own
    # The week that ends on a Thursday is seen on Monday, the next one on its Friday.
    thursday, monday = pd.Timestamp("2019-04-18 15:30", tz=zone), pd.Timestamp("2019-04-22 09:30", tz=zone)
    assert weekly[thursday] != days[thursday.date()]
    assert weekly[monday] == days[thursday.date()]
    friday = pd.Timestamp("2019-04-26 15:30", tz=zone)
    assert weekly[friday] == days[friday.date()]


def test_a_bar_that_comes_after_all_counts_to_the_next_one() -> None:
    times = CALENDARS["half hours of shares"].times(10)
    close = int(np.flatnonzero(np.asarray(times.hour == 15) & np.asarray(times.minute == 30))[30])
    stray = times[close] + pd.Timedelta(hours=3)
    df = frame(times.union([stray]))
    found = Clock(pd.DatetimeIndex(df.index)).higher("1d")
    place = df.index.get_loc(stray)
    assert found.visible[place - 1] == found.visible[place]
    assert place in found.first
    assert place + 1 not in found.first


STRAYS = {
    "half hours, one row five seconds later": ("30min", "UTC", pd.Timedelta(seconds=5)),
    "days in Paris, over a day of 23 hours": ("D", "Europe/Paris", pd.Timedelta(hours=2)),
}


@pytest.mark.parametrize("name", STRAYS)
def test_one_row_at_the_end_changes_no_past_trade(name: str) -> None:
    frequency, zone, later = STRAYS[name]
    index = pd.date_range(
        "2024-01-01", periods=3_000 if frequency == "30min" else 900, freq=frequency, tz=zone
    )
    df = frame(index.append(index[-1:] + later))
    higher = "4h" if frequency == "30min" else "1w"
    spec = StrategySpec(
        name="x",
        entry_long=f'at("{higher}", close) > at("{higher}", ema(close, 3))',
        exit_long=f'at("{higher}", close) < at("{higher}", ema(close, 3))',
    )
    without, behind = run_backtest(df.iloc[:-1], spec).trades, run_backtest(df, spec).trades
    assert len(without) > 5
    pd.testing.assert_frame_equal(behind.iloc[: len(without) - 1], without.iloc[:-1])
    # And the day of 23 hours does not make every week be seen a day late.
    seen = pd.Series(values(f'at("{higher}", close)', df), index=df.index)
    if higher == "1w":
        sundays = df.index[(df.index.day_of_week == 6) & (df.index.hour == 0)][8:]
        assert (seen[sundays] == df.loc[sundays, "close"]).all()
