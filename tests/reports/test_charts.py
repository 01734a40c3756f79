"""Every chart draws what the run, the backtest or the table says, in both languages."""

import json
import re
from datetime import UTC, datetime
from importlib.resources import files

import altair as alt
import numpy as np
import pandas as pd
import pytest

from backtest import StrategySpec, run_backtest
from backtest.kernels.simulation import EXIT_REASONS
from prompts import Words
from record.record import RunRecord
from record.run_view import Debate, RunView
from reports.charts.calibration import power_chart
from reports.charts.convergence import convergence_chart
from reports.charts.debate import debate_tree
from reports.charts.equity import equity_chart
from reports.charts.evolution import evolution_chart
from reports.charts.fared import fared_chart
from reports.charts.folds import folds_chart
from reports.charts.holdout import holdout_chart
from reports.charts.indicators import strategy_indicators
from reports.charts.outlook import calibration_chart, outlook_chart
from reports.charts.price import price_chart
from reports.charts.style import Look
from reports.pictures import picture, specification
from tests.contrast import painted
from tests.laws import some
from tests.optimization_runs import run_graph
from tests.prices import made_up_prices
from tests.run_lines import typed

pytestmark = pytest.mark.long

ENGLISH, FRENCH = Words("en"), Words("fr")
DARK_GROUND = re.findall(
    r"--card: (#\w+)", files("threadx.web").joinpath("style.css").read_text(encoding="utf-8")
)[1]
"""What a chart of a dark page lies on."""

FOLDS = [
    {
        "train_start": "2020-01-01", "train_end": "2020-12-31",
        "test_start": "2021-01-05", "test_end": "2021-06-30", "fitted": True,
        "train_sharpe_ratio": 0.9, "sharpe_ratio": test,
    }
    for test in (0.3, None, -0.2)
]  # fmt: skip
SUMMARIES = [
    {
        "hour": f"2022-03-01T{hour:02d}:00:00+00:00", "outlook_days_7": tone, "outlook_days_30": "neutral",
        "risk_level": "high", "regime": "désinflation",
    }
    for hour, tone in ((0, "positive"), (1, "negative"), (5, "neutral"))
]  # fmt: skip
POWER = {
    "1": {"believed": 30, "count": 200, "interval": [0.1036, 0.2073]},
    "3": {"believed": 190, "count": 200, "interval": [0.91, 0.9758]},
}
NULL = {"believed": 4, "count": 200, "interval": [0.0055, 0.0504]}
BINS = [{"source": "arbiter", "predicted": 0.2, "observed": 0.25, "count": 12}]

PAST = [(datetime(2026, 3, day, 12, tzinfo=UTC), day % 3, [0, 1, 2, None][day % 4]) for day in range(1, 9)]
LEVELS = [(datetime(2026, 3, day, tzinfo=UTC), 100.0 + day) for day in range(1, 9)]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    state, events = run_graph(home, language="en")
    return RunRecord(home, state["run_id"]).result(), RunView.of(typed(events))


@pytest.fixture(scope="module")
def backtested():
    prices = made_up_prices(cycle=0.05)
    spec = StrategySpec.preset("ma_crossover", fast_period=5, slow_period=20).with_filter(
        "rsi(close, 14) < 80"
    )
    return prices, spec, run_backtest(prices, spec)


@pytest.fixture(scope="module")
def draw(run, backtested):
    """Every chart by name, drawn for given words and look."""
    result, view = run
    prices, spec, tested = backtested
    initial, history = view.initial_score, [*view.history.values()]
    indicators = strategy_indicators(prices, spec)
    return {
        "convergence": lambda w, k: convergence_chart(initial, history, w, target_score=8.0, look=k),
        "evolution": lambda w, k: evolution_chart(initial, history, w, look=k),
        "debate": lambda w, k: debate_tree(view.debates.values(), w, look=k),
        "holdout": lambda w, k: holdout_chart(result, w, look=k),
        "equity": lambda w, k: equity_chart(tested, w, closes=prices.close, look=k),
        "price": lambda w, k: price_chart(prices, w, indicators=indicators, trades=tested.trades, look=k),
        "folds": lambda w, k: folds_chart(FOLDS, w, look=k),
        "power": lambda w, k: power_chart(POWER, w, null=NULL, false_limit=0.025, look=k),
        "outlook": lambda w, k: outlook_chart(SUMMARIES, w, look=k),
        "fared": lambda w, k: fared_chart({"7d": PAST, "30d": PAST[:2]}, LEVELS, w, look=k),
        "calibration": lambda w, k: calibration_chart(BINS, w, look=k),
    }


NAMES = ["convergence", "evolution", "debate", "holdout", "equity", "price", "folds", "power",
         "outlook", "fared", "calibration"]  # fmt: skip


def points(chart):
    return [row for rows in chart.to_dict()["datasets"].values() for row in rows]


GROUNDS = {"en, a phone": (ENGLISH, Look(width=360)), "fr, dark": (FRENCH, Look(dark=True))}
ON_BOTH = [(name, ground) for name in NAMES for ground in GROUNDS]
BY_TURNS = [(name, [*GROUNDS][place % 2]) for place, name in enumerate(NAMES)]


@pytest.mark.parametrize(("name", "ground"), some(ON_BOTH, BY_TURNS))
def test_a_chart_draws_in_each_language_and_on_each_ground(draw, name, ground):
    words, look = GROUNDS[ground]
    chart = draw[name](words, look)
    drawn = picture(chart, ".svg").decode()
    assert chart.to_dict(validate=False)["title"]["text"] == words(f"chart.{TITLES.get(name, name)}")
    assert look.ink in drawn


TITLES = {"fared": "fared.title", "holdout": "holdout_title"}


@pytest.mark.parametrize(
    ("look", "ground"),
    [(Look(), "#ffffff"), (Look(dark=True), DARK_GROUND)],
    ids=["light", "dark"],
)
@pytest.mark.parametrize("name", NAMES)
def test_texts_lines_and_points_stand_out_on_their_ground(draw, name, look, ground):
    """WCAG 2 AA: 4.5 to 1 for text, 3 to 1 for what must be seen to understand a chart."""
    svg = picture(draw[name](ENGLISH, look), ".svg").decode()
    found = list(painted(svg, ground))
    assert len(found) > 5
    assert sorted({what for what, seen, needed in found if seen < needed}) == []


@pytest.mark.parametrize("name", NAMES)
def test_the_same_data_give_the_same_chart(draw, name):
    once = draw[name](FRENCH, Look()).to_dict()  # checked by altair
    assert specification(draw[name](FRENCH, Look())) == once


def test_events_tell_the_same_history_as_the_result(run):
    result, view = run
    initial, history = view.initial_score, [*view.history.values()]
    assert initial == result["initial_score"]
    shared = [
        {name: entry[name] for name in kept} for entry, kept in zip(history, result["history"], strict=True)
    ]
    assert shared == result["history"]
    debates = view.debates.values()
    assert [debate.iteration for debate in debates] == sorted(
        {event.iteration for event in view.events if event.kind == "debate_turn"}
    )
    assert all(debate.decision in ("continue", "stop") for debate in debates)


def test_the_convergence_line_is_the_champions_score(run):
    result, view = run
    initial, history = view.initial_score, [*view.history.values()]
    chart = convergence_chart(initial, history, ENGLISH)
    line = [row["score"] for row in points(chart) if row.get("what") == "Champion"]
    assert line == pytest.approx([result["initial_score"], *(entry["score"] for entry in result["history"])])
    tested = [trial for entry in result["history"] for trial in entry["trials"] if trial["score"] is not None]
    assert sum("sentence" in row for row in points(chart)) == len(tested)


def test_every_voice_stands_in_the_tree_with_what_it_said():
    provenance = {"model": "rules", "degraded": False, "attempts": []}
    turns = [
        {"voice": "analyst", "stance": "continue", "confidence": 0.8, "statement": "Go on.",
         "provenance": provenance,
         "claims": [{"statement": "Sharpe rose", "evidence": ["score", "i01"]}]},
        {"voice": "validator", "stance": None, "confidence": None, "statement": None,
         "provenance": provenance},
    ]  # fmt: skip
    chart = debate_tree([Debate(2, turns, "continue")], ENGLISH)
    told = [row["text"] for row in points(chart) if "text" in row]
    assert told == [
        "Analyst 80%", "– Sharpe rose [score, i01]", "Validator", "could not answer and abstains",
        "Iteration 2", "continue",
    ]  # fmt: skip


@pytest.mark.parametrize("words", [ENGLISH, FRENCH], ids=["en", "fr"])
def test_every_way_out_of_a_trade_has_a_name(words):
    assert all(words(f"chart.exit_{reason}") for reason in EXIT_REASONS)


def test_a_run_without_debate_says_so():
    assert "No debate took place." in debate_tree([], ENGLISH).to_dict()["title"]["subtitle"]


def test_every_trade_is_marked_where_it_began_and_ended(backtested):
    prices, _, tested = backtested
    chart = price_chart(prices, ENGLISH, trades=tested.trades)
    marks = [row for row in points(chart) if "left" in row]
    assert [row["value"] for row in marks] == pytest.approx(tested.trades.entry_price.tolist(), rel=1e-6)
    assert [row["left"] for row in marks] == pytest.approx(tested.trades.exit_price.tolist(), rel=1e-6)
    assert [row["won"] for row in marks] == (tested.trades.pnl > 0).tolist()


def test_a_hundred_thousand_bars_become_few_points_and_keep_the_extremes():
    size = 100_000
    walk = 100.0 * np.exp(np.cumsum(np.random.default_rng(7).normal(0.0, 0.001, size)))
    index = pd.date_range("2020-01-01", periods=size, freq="5min", tz="UTC")
    prices = pd.DataFrame(
        {"open": walk, "high": walk * 1.001, "low": walk * 0.999, "close": walk, "volume": 1.0}, index=index
    )
    spec = StrategySpec.preset("ma_crossover", fast_period=5, slow_period=20)
    tested = run_backtest(prices, spec)
    candles = points(
        price_chart(prices, ENGLISH, indicators=strategy_indicators(prices, spec), trades=tested.trades)
    )
    assert len(candles) < 6_000
    assert max(row["h"] for row in candles if "h" in row) == pytest.approx(prices.high.max(), rel=1e-6)
    lines = points(equity_chart(tested, ENGLISH, closes=prices.close))
    assert len(lines) < 8_000
    account = [row["value"] for row in lines if row.get("what") == "Strategy"]
    assert min(account) == pytest.approx(tested.equity.min(), rel=1e-6)
    assert max(account) == pytest.approx(tested.equity.max(), rel=1e-6)


def test_a_backtest_without_a_trade_can_be_drawn():
    prices = made_up_prices(200)
    spec = StrategySpec(name="never", entry_long="close > 1000000", exit_long="close < 1")
    tested = run_backtest(prices, spec)
    for chart in (equity_chart(tested, ENGLISH), price_chart(prices, ENGLISH, trades=tested.trades)):
        assert picture(chart, ".svg")


@pytest.mark.parametrize("words", [ENGLISH, FRENCH], ids=["en", "fr"])
def test_a_lost_account_is_marked_where_it_ended_and_nowhere_else(words):
    closes = [100.0] * 30 + [250.0] * 30
    prices = pd.DataFrame(
        {name: closes for name in ("open", "high", "low", "close")} | {"volume": 1.0},
        index=pd.date_range("2022-01-01", periods=60, freq="D"),
    )
    for condition, ended in (("entry_short", True), ("entry_long", False)):
        tested = run_backtest(prices, StrategySpec(name="x", **{condition: "close > 0"}))
        chart = equity_chart(tested, words, closes=prices.close)
        marks = [row for row in points(chart) if "lost" in row]
        subtitle = " ".join(chart.to_dict()["title"]["subtitle"])
        assert len(marks) == ended
        assert (words("report.account_lost.name") in subtitle) == ended
        drawn = picture(chart, ".svg").decode()
        assert (f">{words('report.account_lost.name')}<" in drawn) == ended
        if ended:
            assert pd.Timestamp(marks[0]["time"], unit="ms") == pd.Timestamp("2022-01-31")
            assert "2022-01-31" in subtitle


def test_times_are_the_exchanges_own():
    prices = made_up_prices(50).tz_localize(None)
    there = prices.tz_localize("America/New_York")
    assert points(price_chart(there, ENGLISH))[0]["time"] == points(price_chart(prices, ENGLISH))[0]["time"]


@pytest.mark.parametrize(
    ("condition", "labels"),
    [
        pytest.param(
            "close > sma(close, 3) and rsi(close, 14) < 30",
            {"sma(close, 3)": True, "rsi(close, 14)": False},
            id="level and oscillator",
        ),
        pytest.param("sma(volume, 3) > 10", {"sma(volume, 3)": False}, id="of volume"),
        pytest.param("close > highest(high, 5)[1]", {"highest(high, 5)": True}, id="lagged"),
        pytest.param("sma(rsi(close, 14), 3) < 30", {"sma(rsi(close, 14), 3)": False}, id="outermost"),
        pytest.param('close > at("4h", sma(close, 2))', {'at("4h", sma(close, 2))': True}, id="higher"),
        pytest.param("close > open", {}, id="none"),
    ],
)
def test_indicators_of_a_strategy(condition, labels):
    prices = made_up_prices(400)
    found = strategy_indicators(
        prices, StrategySpec(name="x", entry_long=condition, exit_long="close < open")
    )
    assert {one.label: one.on_price for one in found} == labels


def test_an_indicators_values_are_those_of_its_definition():
    prices = made_up_prices(100)
    spec = StrategySpec(name="x", entry_long="close > sma(close, 7)", exit_long="close < open")
    (found,) = strategy_indicators(prices, spec)
    pd.testing.assert_series_equal(
        found.values, prices.close.rolling(7).mean(), check_names=False, check_freq=False, rtol=1e-12
    )


def test_a_french_chart_writes_its_axes_in_french(draw):
    chart = draw["equity"](FRENCH, Look())
    assert isinstance(chart, alt.VConcatChart)
    drawn = picture(chart, ".svg").decode()
    assert "\u00a0%" in drawn
    assert "janvier" in json.dumps(chart.to_dict(), ensure_ascii=False)
