"""The technical agent says what the forecasts say, whatever scale another program gives its scores."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import threadx
from feeds.folder import DataFolder
from feeds.forecasts import Forecast, read_forecasts
from nodes.ensemble import technical
from nodes.ensemble.agents import AGENTS
from tests.partitions import AS_OF, fill, final, news, write
from tests.partitions import forecast as forecast_row

OTHER_WAY = {"up": "down", "flat": "flat", "down": "up"}
SCALES = {
    "z-scores of the day": lambda signed: (signed - signed.mean()) / signed.std(),
    "a blend around 0": lambda signed: signed,
    "ranks from 0 to 1": lambda signed: signed.argsort().argsort() / len(signed),
    "strengths without a sign": np.abs,
    "points of a hundred": lambda signed: 50 + 400 * signed,
}


@st.composite
def forecasts(draw: st.DrawFn) -> list[Forecast]:
    keys = draw(
        st.lists(
            st.tuples(st.integers(0, 60), st.sampled_from(["1w", "1m", "1y"])),
            min_size=1,
            max_size=90,
            unique=True,
        )
    )
    return [
        Forecast(
            ticker=f"N{number}",
            horizon=horizon,
            direction=draw(st.sampled_from(["up", "flat", "down"])),
            confidence=draw(st.floats(0.0, 1.0)),
            expected_return=draw(st.none() | st.floats(-0.4, 0.4)),
            final_score=draw(st.none() | st.floats(-4.0, 4.0)),
            file="f",
            row=place,
        )
        for place, (number, horizon) in enumerate(keys, start=1)
    ]


def answered(found: list[Forecast], language: str = "fr") -> Any:
    return technical.policy({"language": language, "technical": technical.laid_out(found)})


def changed(found: list[Forecast], **made: Any) -> list[Forecast]:
    return [one.model_copy(update={name: make(one) for name, make in made.items()}) for one in found]


@given(forecasts())
def test_directions_turned_round_turn_every_stance_round(found: list[Forecast]) -> None:
    turned = changed(
        found,
        direction=lambda one: OTHER_WAY[one.direction],
        expected_return=lambda one: None if one.expected_return is None else -one.expected_return,
    )
    before, after = answered(found), answered(turned)
    assert after.confidence == before.confidence
    for name in ("outlook_days_7", "outlook_days_30"):
        one, other = getattr(before, name), getattr(after, name)
        assert (one.positive, one.neutral, one.negative) == (other.negative, other.neutral, other.positive)


@given(forecasts(), st.sampled_from([0.001, 0.5, 8.0]), st.sampled_from([-64.0, 0.0, 16.0]))
def test_scores_scaled_and_shifted_change_nothing(found: list[Forecast], scale: float, shift: float) -> None:
    # Steps of an eighth, so that no two scores become one by rounding.
    known = changed(found, final_score=lambda one: one.final_score and round(one.final_score * 8) / 8)
    moved = changed(
        [one for one in known if one.final_score is not None],
        final_score=lambda one: one.final_score * scale + shift,
    )
    bare = [one for one in known if one.final_score is not None]
    assert technical.laid_out(moved) == technical.laid_out(bare)


@given(forecasts())
def test_a_horizon_is_judged_by_its_own_forecasts_alone(found: list[Forecast]) -> None:
    for horizon, name in (("1w", "outlook_days_7"), ("1m", "outlook_days_30")):
        alone = [one for one in found if one.horizon == horizon]
        if alone:
            assert getattr(answered(found), name) == getattr(answered(alone), name)
        else:
            view = getattr(answered(found), name)
            assert max(view.positive, view.negative) == pytest.approx(1 / 3, abs=1e-3)


@given(forecasts())
def test_examples_are_what_the_forecasts_are(found: list[Forecast]) -> None:
    """Each direction is shown as often as its horizon holds it, to a row or two."""
    rows = [row for row in technical.laid_out(found) if "direction" in row]
    assert len(rows) == min(len(found), technical.MOST_EXAMPLES)
    held = {(one.ticker, technical.HORIZONS[one.horizon]): one.direction for one in found}
    assert all(held[row["symbol"], row["horizon"]] == row["direction"] for row in rows)
    for name, horizon in technical.HORIZONS.items():
        shown = [row for row in rows if row["horizon"] == horizon]
        there = [one for one in found if one.horizon == name]
        for way in OTHER_WAY:
            share = len(shown) * sum(one.direction == way for one in there) / max(len(there), 1)
            assert (
                math.floor(share) - 1 <= sum(row["direction"] == way for row in shown) <= math.ceil(share) + 1
            )


def market(seed: int, falling: float) -> list[dict[str, Any]]:
    """120 instruments: what moves all of them, and what moves each."""
    random = np.random.default_rng(seed)
    rows = []
    for horizon, days in (("1w", 7), ("1m", 30), ("1y", 365)):
        moves = random.normal(-0.004 * falling, 0.003, 120) * math.sqrt(days)
        rows += [
            forecast_row(
                f"N{number}",
                horizon,
                "up" if move > 0 else "down",
                round(min(0.5 + abs(move) * 10, 0.85), 4),  # it saturates, so ties are common
                expected_return=round(float(np.clip(move, -0.9, 0.9)), 4),
            )
            for number, move in enumerate(moves)
        ]
    return rows


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("falling", [1.0, -1.0], ids=["falling", "rising"])
def test_a_clear_market_is_told_as_it_is(tmp_path, scale, falling):
    """Through the files and the whole graph: outlooks, and each instrument that is named for its outlook."""
    wanted = {1.0: ("negative", "down"), -1.0: ("positive", "up")}[falling]
    root, home = fill(tmp_path / "data"), tmp_path / "home"
    rows = market(7, falling)
    scores = SCALES[scale](np.array([row["expected_return"] for row in rows]))
    write(root / "forecast/dt=20240314/forecasts.parquet", rows)
    write(
        root / "forecast/dt=20240314/final.parquet",
        [final(row["ticker"], row["horizon"], float(one)) for row, one in zip(rows, scores, strict=True)],
    )
    result = threadx.summarize(
        as_of=f"{AS_OF:%Y-%m-%dT%H:00}", data=str(root), home=str(home), models="rules", language="en"
    )
    pooled = technical.policy(
        {"language": "en", "technical": technical.laid_out(read_forecasts(DataFolder(root), AS_OF).rows)}
    )
    for view in (pooled.outlook_days_7, pooled.outlook_days_30):
        assert (view.negative > view.positive) == (falling > 0)
    summary = result.summary
    assert summary["outlook_days_30"] == wanted[0]
    own = {row["ticker"]: row["direction"] for row in rows if row["horizon"] == "1m"}
    advice = summary["recommendations"][0]
    named = [ticker for ticker in own if f"{ticker} " in f"{advice} ".replace(",", " ").replace(".", " ")]
    assert named
    assert {own[ticker] for ticker in named} == {wanted[1]}


def test_advice_and_citations_are_of_the_weeks_ahead_and_about_what_is_forecast(tmp_path):
    """A year's forecasts are the surest, and the loudest name may be one that nobody forecasts."""
    root = fill(tmp_path / "data")
    (root / "forecast/dt=20240314/final.parquet").unlink()
    rows = market(7, 1.0)
    write(root / "forecast/dt=20240314/forecasts.parquet", rows)
    write(
        root / "news/dt=20240314/news_101500.parquet",
        [news(f"Coin {number} soars", tickers=["LUNA1-USD"], sent=0.9) for number in range(9)],
    )
    told = summary_of(root, tmp_path)
    cited = [row for row in told["contributors"] if row["source"] == "technique"]
    assert cited
    assert {row["horizon"] for row in cited} <= {"7d", "30d"}
    advised = told["recommendation_details"]
    assert not [one for one in advised if "LUNA" in one["sentence"]]
    own = {one["instrument"] for one in advised} - {"MARKET"}
    assert own
    for name in own:
        assert sum(f"{name}," in text or f"{name} " in text for text in told["recommendations"]) == 1


def summary_of(root, tmp_path):
    return threadx.summarize(
        as_of=f"{AS_OF:%Y-%m-%dT%H:00}",
        data=str(root),
        home=str(tmp_path / "home"),
        models="rules",
        language="en",
    ).summary


def test_a_horizon_without_forecasts_is_no_vote_for_a_quiet_market(tmp_path):
    """The other agents alone speak there, and the limits say so."""
    root = fill(tmp_path / "data")
    (root / "forecast/dt=20240314/final.parquet").unlink()
    write(
        root / "forecast/dt=20240314/forecasts.parquet",
        [forecast_row(f"N{number}", "1m", "down") for number in range(29)]
        + [forecast_row(f"M{number}", "1m", "up") for number in range(3)],
    )
    told = summary_of(root, tmp_path)
    assert "The technical agent has nothing to read over 7 days: it has no vote there." in told["limits"]
    assert not any("over 30 days: it has no vote" in limit for limit in told["limits"])
    for file in (root / "forecast/dt=20240314").iterdir():
        file.unlink()
    alone = summary_of(root, tmp_path / "alone")
    assert told["outlook_days_7"] == alone["outlook_days_7"]


def test_what_the_short_table_lacks_is_named(tmp_path):
    """Direction and confidence stand in forecasts.parquet: without it no row of final.parquet can be read."""
    root = fill(tmp_path / "data")
    (root / "forecast/dt=20240314/forecasts.parquet").unlink()
    assert any("forecasts.parquet" in limit for limit in summary_of(root, tmp_path)["limits"])


def test_forecasts_that_the_final_table_leaves_out_are_counted(tmp_path):
    """Some programs keep only their favourites there."""
    root = tmp_path
    rows = [forecast_row(f"N{number}", "1m", "down") for number in range(9)] + [
        forecast_row("UP", "1m", "up")
    ]
    write(root / "forecast/dt=20240314/forecasts.parquet", rows)
    write(root / "forecast/dt=20240314/final.parquet", [final("UP", "1m", 3.0)])
    found = read_forecasts(DataFolder(root), AS_OF)
    assert len(found.rows) == 10
    assert answered(found.rows).outlook_days_30.negative > 0.5
    assert AGENTS["technical"].rows is technical.rows


@pytest.mark.parametrize(("expected", "told"), [(0.0004, False), (0.0, False), (0.0006, True)])
def test_a_return_that_reads_as_nothing_contradicts_no_direction(tmp_path, expected, told):
    """“The expected return, 0.0%, says the opposite”: of a figure that nobody can see."""
    root = fill(tmp_path / "data")
    rows = [forecast_row("SPY", horizon, "down", 0.6, expected_return=expected) for horizon in ("1w", "1m")]
    write(root / "forecast/dt=20240314/forecasts.parquet", rows)
    (root / "forecast/dt=20240314/final.parquet").unlink()
    summary = summary_of(root, tmp_path)
    assert any("says the opposite" in words for words in summary["key_drivers"]) == told
    assert ("source_contradictory.forecast" in summary["limit_codes"]) == told
