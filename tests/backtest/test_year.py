"""Bars a year: calendars laid out bar by bar, whose bars a year are known before anything is inferred."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backtest import BacktestError, StrategySpec, bars_per_year, run_backtest, sweep, validate_prices
from backtest.validation.walk_forward import combinatorial_cross_validation, walk_forward
from prompts import Words
from reports.tables import bars_per_year_lines
from tests.laws import pairs

MON_FRI, SUN_THU, ALL = (0, 1, 2, 3, 4), (6, 0, 1, 2, 3), (0, 1, 2, 3, 4, 5, 6)
# How people keep times: in the exchange's zone, without one, or as text with an offset, which is read as UTC.
KEPT = ("zone", "naive", "offset text")


@dataclass(frozen=True, kw_only=True)
class Calendar:
    """A market's hours: on `days` (Monday 0) a bar every `minutes` from `opening` on, `bars` a day.

    `short` gives the last day of the week fewer bars, `stub` puts that many on the day before the first.
    """

    days: tuple[int, ...] = MON_FRI
    opening: int = 0
    minutes: int = 1_440
    bars: int = 1
    short: int = 0
    stub: int = 0
    zone: str = "UTC"

    @property
    def a_week(self) -> int:
        return len(self.days) * self.bars - self.short + self.stub

    def times(self, weeks: int, holidays: frozenset[int] = frozenset()) -> pd.DatetimeIndex:
        """Bars of so many weeks from a Sunday on; `holidays` are days counted from there."""
        if len(self.days) == 7 and self.bars > 1:  # without a pause, whatever clocks do
            every = f"{self.minutes}min"
            return pd.date_range("2019-01-06", periods=7 * weeks * self.bars, freq=every, tz=self.zone)
        found: list[np.ndarray] = []
        for number in range(7 * weeks):
            day = pd.Timestamp("2019-01-06") + pd.Timedelta(days=number)
            if number in holidays:
                continue
            hours = np.arange(self.bars)
            if self.stub and (day.day_of_week + 1) % 7 == self.days[0]:
                hours = hours[-self.stub :]
            elif day.day_of_week not in self.days:
                continue
            elif day.day_of_week == self.days[-1]:
                hours = hours[: self.bars - self.short]
            found.append(day.value + (self.opening + self.minutes * hours) * 60 * 10**9)
        local = pd.DatetimeIndex(np.concatenate(found).astype("datetime64[ns]"))
        if self.zone == "UTC":
            return local.tz_localize("UTC")
        away = np.ones(len(local), dtype=bool)
        aware = local.tz_localize(self.zone, ambiguous=away, nonexistent="shift_forward")
        return aware[~aware.duplicated()]


CALENDARS = {
    "days of shares": Calendar(),
    "days of shares, Paris": Calendar(zone="Europe/Paris"),
    "days of shares, New York": Calendar(zone="America/New_York"),
    "days of shares, Tokyo": Calendar(zone="Asia/Tokyo"),
    "Sunday to Thursday": Calendar(days=SUN_THU, zone="Asia/Riyadh"),
    "half hours of shares": Calendar(opening=570, minutes=30, bars=13, zone="America/New_York"),
    "hours of shares": Calendar(opening=570, minutes=60, bars=7, zone="America/New_York"),
    "four hours of shares": Calendar(opening=570, minutes=240, bars=2, zone="America/New_York"),
    "minutes of Sydney": Calendar(opening=600, minutes=5, bars=72, zone="Australia/Sydney"),
    "hours, Sunday to Thursday": Calendar(days=SUN_THU, opening=600, minutes=60, bars=5, zone="Asia/Riyadh"),
    "six days": Calendar(days=(0, 1, 2, 3, 4, 5), zone="Asia/Kolkata"),
    "six days, half a Saturday": Calendar(days=(0, 1, 2, 3, 4, 5), opening=540, minutes=60, bars=6, short=3),
    "four days": Calendar(days=(0, 1, 2, 3)),
    "currencies, days with a Sunday stub": Calendar(stub=1),
    "currencies, hours": Calendar(minutes=60, bars=24, stub=2, short=2),
    "currencies, four hours": Calendar(minutes=240, bars=6, stub=1),
    "currencies, four hours, broker's time": Calendar(minutes=240, bars=6),
    "futures, 23 hours": Calendar(minutes=60, bars=23, stub=6, short=6, zone="America/New_York"),
    "days of crypto": Calendar(days=ALL),
    "days of crypto, Paris": Calendar(days=ALL, zone="Europe/Paris"),
    "half hours of crypto": Calendar(days=ALL, minutes=30, bars=48),
    "four hours of crypto, Paris": Calendar(days=ALL, minutes=240, bars=6, zone="Europe/Paris"),
}
# What the field publishes; elsewhere what is traded is counted.
STANDARD = {
    "days of shares": 252,
    "days of shares, Paris": 252,
    "days of shares, New York": 252,
    "days of shares, Tokyo": 252,
    "Sunday to Thursday": 252,
    "half hours of shares": 252 * 13,
    "hours of shares": 252 * 7,
    "four hours of shares": 252 * 2,
    "hours, Sunday to Thursday": 252 * 5,
    "currencies, hours": 252 * 24,
    "currencies, four hours, broker's time": 252 * 6,
    "days of crypto": 365,
    "days of crypto, Paris": 365,
    "half hours of crypto": 17_520,
    "four hours of crypto, Paris": 2_190,
}


def kept(times: pd.DatetimeIndex, how: str) -> pd.DatetimeIndex:
    """The times as they come back from where people keep them."""
    if how == "naive":
        bare = times.tz_localize(None)
        return bare[np.append(True, np.diff(bare.asi8) > 0)] if not bare.is_monotonic_increasing else bare
    if how == "offset text":
        frame = prices(times).reset_index(names="time").astype({"time": "string"})
        return pd.DatetimeIndex(validate_prices(frame).index)
    return times


def prices(index: pd.DatetimeIndex) -> pd.DataFrame:
    close = 100.0 + np.arange(len(index)) % 17
    return pd.DataFrame(
        {"open": close - 0.5, "high": close + 1, "low": close - 1, "close": close}, index=index
    )


@pytest.mark.parametrize(("name", "how", "weeks"), pairs([*CALENDARS], [*KEPT], (3, 9, 30)))
def test_what_is_traded_is_counted_and_standards_stay(name: str, weeks: int, how: str) -> None:
    calendar = CALENDARS[name]
    found = bars_per_year(kept(calendar.times(weeks), how))
    # A standard of 252 leaves room for holidays that this calendar has not.
    assert found.value == pytest.approx(calendar.a_week * 365 / 7, rel=0.04)
    if name in STANDARD:
        assert found.value == pytest.approx(STANDARD[name])
    if weeks >= 9:
        assert not found.doubtful
        assert found.basis != "assumed"


@settings(max_examples=40, deadline=None)
@given(data=st.data(), name=st.sampled_from(sorted(CALENDARS)), how=st.sampled_from(KEPT))
def test_holidays_and_outages(data: st.DataObject, name: str, how: str) -> None:
    calendar = CALENDARS[name]
    weeks = 80
    most = 20 if len(calendar.days) < 7 else 0
    holidays = data.draw(st.frozensets(st.integers(1, 7 * weeks - 1), max_size=most))
    times = calendar.times(weeks, holidays)
    lost = data.draw(st.sampled_from([0.0, 0.02, 0.25]))
    begin = data.draw(st.integers(1, max(1, int(len(times) * (0.9 - lost)))))
    outage = times[begin : begin + int(lost * len(times))]
    found = bars_per_year(kept(times.difference(outage), how))
    traded = len(times) / weeks * 365 / 7
    assert found.value == pytest.approx(traded, rel=0.065)
    # A quarter missing: the two ways of counting are told apart.
    assert found.doubtful or lost < 0.25
    if found.doubtful:
        assert found.other == pytest.approx(traded * (1 - lost), rel=0.065)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6), a_day=st.integers(8, 200), weeks=st.integers(5, 60), skew=st.floats(0.3, 2.0)
)
def test_information_bars_are_counted(seed: int, a_day: int, weeks: int, skew: float) -> None:
    """Bars of equal volume: many in busy hours, few in quiet ones; their usual distance tells little."""
    random = np.random.default_rng(seed)
    busy = np.exp(random.normal(0.0, skew, 24 * 7 * weeks))
    per_hour = random.poisson(busy / busy.mean() * a_day / 24)
    hours = pd.date_range("2024-01-01", periods=len(per_hour), freq="h", tz="UTC").as_unit("ns")
    stamps = np.sort(np.repeat(hours.asi8, per_hour) + random.integers(0, 3_600 * 10**9, per_hour.sum()))
    index = pd.DatetimeIndex(np.unique(stamps).astype("datetime64[ns]")).tz_localize("UTC")
    found = bars_per_year(index)
    assert found.basis == "counted"
    assert found.value == pytest.approx(len(index) / weeks * 365 / 7, rel=0.05)
    # What the median distance would make of it is told where it is far off.
    by_distance = 365 * 86_400e9 / float(np.median(np.diff(index.asi8)))
    assert found.doubtful == (abs(by_distance / found.value - 1) > 0.05)


@pytest.mark.parametrize("share", [0.4, 0.9])
def test_bars_without_a_trade_that_nobody_writes_down(share: float) -> None:
    minutes = pd.date_range("2024-01-01", periods=60 * 24 * 60, freq="min", tz="UTC")
    index = minutes[np.random.default_rng(3).random(len(minutes)) < share]
    assert bars_per_year(index).value == pytest.approx(525_600 * share, rel=0.01)


PERIODS = {
    "weekly": ("W-FRI", 52), "two weeks": ("14D", 26), "four weeks": ("28D", 13), "monthly": ("MS", 12),
    "month ends": ("ME", 12), "last business days": ("BME", 12), "two months": ("2MS", 6),
    "quarterly": ("QS", 4), "half years": ("6MS", 2), "yearly": ("YS", 1), "two days": ("2D", 182.5),
}  # fmt: skip


@pytest.mark.parametrize("name", PERIODS)
def test_longer_bars(name: str) -> None:
    frequency, wanted = PERIODS[name]
    found = bars_per_year(pd.date_range("2010-01-01", periods=60, freq=frequency))
    assert (found.value, found.doubtful) == (pytest.approx(wanted), False)


def test_what_is_too_short_to_tell_is_assumed_and_says_so() -> None:
    for index, wanted in (
        (pd.date_range("2024-01-01", periods=12, freq="4h"), 2_190),
        (pd.date_range("2024-01-01", periods=4, freq="D"), 252),
        (CALENDARS["half hours of shares"].times(1)[:30], 252 * 13),
    ):
        found = bars_per_year(index)
        assert (found.value, found.basis) == (pytest.approx(wanted), "assumed")
    with pytest.raises(BacktestError, match="unknown_periodicity"):
        bars_per_year(pd.date_range("2024-01-01", periods=1))


def test_every_result_says_where_the_figure_comes_from() -> None:
    df = prices(CALENDARS["days of shares, Paris"].times(60))
    spec = StrategySpec.preset("ma_crossover", fast_period=2, slow_period=5)
    result = run_backtest(df, spec)
    assert (result.periods_per_year, result.bars_per_year.basis) == (252, "five_days")
    told = result.bars_per_year.to_dict()
    assert told == {
        "value": 252,
        "basis": "five_days",
        "other": pytest.approx(260.7, abs=0.1),
        "doubtful": False,
    }
    table = sweep(df, spec, {"fast_period": [2, 3]})
    assert table.attrs["bars_per_year"] == told
    assert walk_forward(df, spec).bars_per_year == result.bars_per_year
    assert combinatorial_cross_validation(df, spec, groups=3).bars_per_year == result.bars_per_year
    given = run_backtest(df, spec, periods_per_year=365).bars_per_year
    assert (given.value, given.basis, given.other, given.doubtful) == (365, "given", 252, True)


@pytest.mark.parametrize("language", ["fr", "en"])
def test_the_figure_and_its_doubts_are_sentences(language: str) -> None:
    words = Words(language)
    sure = bars_per_year(CALENDARS["days of crypto"].times(20))
    assert len(bars_per_year_lines(sure.to_dict(), words)) == 1
    times = CALENDARS["days of shares"].times(60)
    doubtful = bars_per_year(times.delete(range(50, 150)))
    line, warning = bars_per_year_lines(doubtful.to_dict(), words)
    assert "252" in line
    assert words.number(doubtful.other, 0) in warning
