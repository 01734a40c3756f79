"""One market under many disguises is one holdout; two markets are two."""

import numpy as np
import pandas as pd
import pytest

from prompts import Words
from reports.belief import reason_lines
from tests.prices import made_up_prices
from vault.datasets import earlier_openings, load_development, open_holdout, openings, register
from vault.errors import MarketError
from vault.kinship import Course, correlation
from vault.packaged import packaged_table
from vault.splits import read_splits

PRICES = made_up_prices(rows=1000, frequency="1h", seed=12)
RULES = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}


def put(frame, home, symbol="TEST", timeframe="1h"):
    return register(frame, symbol=symbol, timeframe=timeframe, home=home)


def noisy(frame, basis_points, seed=1):
    """Every price of a bar moved by the same chance, so that bars stay bars."""
    moved = np.exp(np.random.default_rng(seed).normal(0.0, basis_points / 1e4, len(frame)))
    return frame.assign(**{name: frame[name] * moved for name in ("open", "high", "low", "close")})


def another_ticker(frame):
    """What follows the same index: a third of its size, with an error, paying out 3 % a year."""
    paid = np.exp(-0.03 / 8766 * np.arange(len(frame)))
    followed = noisy(frame, 5, seed=9)
    return followed.assign(
        **{name: followed[name] / 3 * paid for name in ("open", "high", "low", "close")},
        volume=frame["volume"] * 17 + 5,
    )


def turned_round(frame):
    return frame.assign(
        open=1 / frame["open"], high=1 / frame["low"], low=1 / frame["high"], close=1 / frame["close"]
    )


DISGUISES = [
    pytest.param(lambda frame: noisy(frame, 1), id="a basis point of noise"),
    pytest.param(lambda frame: noisy(frame, 20), id="much noise"),
    pytest.param(another_ticker, id="another ticker of the same index"),
    pytest.param(lambda frame: noisy(frame, 1).shift(freq="5h30min"), id="another zone"),
    pytest.param(lambda frame: noisy(frame, 1).shift(freq="-26h"), id="a zone further"),
    pytest.param(lambda frame: noisy(frame, 1).resample("4h").agg(RULES), id="longer bars"),
    pytest.param(lambda frame: noisy(turned_round(frame), 1), id="a quote turned round"),
    pytest.param(lambda frame: noisy(frame, 1).drop(frame.index[5::7]), id="bars left out"),
]


@pytest.mark.parametrize("disguised", DISGUISES)
def test_one_market_is_one_holdout(tmp_path, disguised):
    """The new prices reach far behind the boundary of the first: none of it becomes development."""
    one = put(PRICES.iloc[:600], tmp_path)
    again = put(disguised(PRICES), tmp_path, symbol="OTHER", timeframe="x")
    assert (again.family, again.boundary) == (one.family, one.boundary)
    assert pd.Timestamp(load_development(again, tmp_path).index[-1]) <= pd.Timestamp(one.boundary)
    (split,) = read_splits(tmp_path / "datasets")
    (other,) = split.alike
    assert (other.symbol, other.timeframe) == ("OTHER", "x")
    assert abs(other.correlation) > 0.98
    # What is known is recognised by its marks from then on, and told once.
    put(disguised(PRICES), tmp_path, symbol="OTHER", timeframe="x")
    assert read_splits(tmp_path / "datasets") == [split]


def test_a_holdout_with_noise_is_no_development(tmp_path):
    put(PRICES, tmp_path)
    with pytest.raises(MarketError) as caught:
        put(noisy(PRICES, 1).iloc[820:], tmp_path, symbol="FRESH")
    assert caught.value.code == "no_development_rows"


def test_related_markets_stay_two():
    """The S&P 500 and the Nasdaq, 1999–2018 (package arch): 0.89 in all, 0.97 in some years."""
    sp500, nasdaq = (packaged_table(name)["Close"].rename("close").to_frame() for name in ("sp500", "nasdaq"))
    assert correlation(Course.of(sp500), Course.of(noisy_close(sp500))) > 0.99
    for first, rows in ((0, 5_031), (2_000, 500), (2_700, 250), (3_000, 120), (4_000, 60)):
        part = Course.of(sp500.iloc[first : first + rows])
        assert correlation(part, Course.of(nasdaq)) is None, (first, rows)
        assert correlation(part, Course.of(noisy_close(sp500))) is not None, (first, rows)


def noisy_close(frame):
    return frame * np.exp(np.random.default_rng(3).normal(0.0, 2e-4, (len(frame), 1)))


def test_independent_markets_are_never_one():
    """At whatever shift: 60 pairs, each compared at more than 100 shifts and three lengths of steps."""
    random = np.random.default_rng(4)
    index = pd.date_range("2024-01-01", periods=400, freq="1h")
    walks = np.exp(np.cumsum(random.normal(0.0, 0.01, (400, 12)), axis=0))
    courses = [Course.of(pd.DataFrame({"close": walk}, index=index)) for walk in walks.T]
    for number, one in enumerate(courses):
        for other in courses[number + 1 :]:
            assert correlation(one, other) is None


def test_openings_of_the_market_count_and_say_why(tmp_path):
    one = put(PRICES, tmp_path, symbol="INDEX")
    open_holdout(one, tmp_path, reader="first")
    open_holdout(one, tmp_path, reader="second")
    fund = put(another_ticker(PRICES), tmp_path, symbol="FUND")
    assert openings(fund.family, tmp_path, since=fund.boundary) == 2
    assert open_holdout(fund, tmp_path, reader="third")[2] == 3
    told = [(one.symbol, one.readers, one.like) for one in earlier_openings(fund, tmp_path)]
    assert told == [("INDEX", 2, "FUND"), ("FUND", 1, "")]
    earlier = [one.model_dump() for one in earlier_openings(one, tmp_path)]
    result = {"verdict": {"reasons": []}, "dataset": {}, "earlier_openings": earlier}
    (line,) = reason_lines(result, Words("en"))
    assert line.startswith(
        "Earlier openings of this holdout that count: INDEX 1h, 2 times (the same prices); FUND 1h, 1 time"
        " (the same market: returns correlate 1.0"
    )


def test_cuts_made_apart_share_their_openings_once_prices_join_them(tmp_path):
    early, late = put(PRICES.iloc[:500], tmp_path, "A"), put(noisy(PRICES, 1).iloc[500:], tmp_path, "B")
    assert early.family != late.family
    open_holdout(late, tmp_path, reader="of the late part")
    both = put(noisy(PRICES, 2, seed=7), tmp_path, "C")
    assert both.family == early.family
    assert openings(early.family, tmp_path) == openings(late.family, tmp_path) == 1
    (told,) = earlier_openings(both, tmp_path)
    assert (told.symbol, told.like) == ("B", "A")
    assert told.correlation is not None
