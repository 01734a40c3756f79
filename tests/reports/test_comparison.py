"""Start, champion and holding on each part: figures against slow references, and the headline."""

from __future__ import annotations

import math
import statistics
from typing import Any

import numpy as np
import pandas as pd

from prompts import Words
from reports.comparison import (
    comparison,
    comparison_rows,
    growth,
    headline,
    holding_figures,
    monthly_returns,
    rolling_sharpe,
    underwater,
)

DAYS = pd.date_range("2020-01-01", periods=8, freq="D")
MARKET = [0.0, 0.1, -0.2, 0.05, 0.02, -0.04, 0.1, 0.0]


def table() -> pd.DataFrame:
    """Five development bars, of which the last three were tested walk-forward, then three of the holdout."""
    return pd.DataFrame(
        {
            "part": ["development"] * 5 + ["holdout"] * 3,
            "market": MARKET,
            "champion_tests": [math.nan, math.nan, 0.01, 0.0, 0.0, math.nan, math.nan, math.nan],
        },
        index=DAYS,
    )


def figures(total: float, **further: Any) -> dict[str, Any]:
    metrics = {"total_return": total, "sharpe_ratio": 1.0, "max_drawdown": -0.1, "n_trades": 3}
    return {"score": 5.0, "metrics": metrics, "bars_per_year": {"value": 252.0}, **further}


def result(*, judged: bool = True) -> Any:
    strategies = {
        name: {
            "development": figures(total, walk_forward={"metrics": figures(total / 2)["metrics"]}),
            "holdout": figures(total / 4) if judged else None,
        }
        for name, total in (("initial", 0.4), ("champion", 0.8))
    }
    return {**strategies, "dataset": {"boundary": "2020-01-06T00:00:00", "last": "2020-01-08T00:00:00"}}


def test_each_part_is_dated_as_far_as_its_bars_are_known() -> None:
    found = comparison(result(), table()).periods
    assert found == {"walk_forward": ("2020-01-03", "2020-01-05"), "holdout": ("2020-01-06", "2020-01-08")}
    assert set(comparison(result(), None).periods) == {"holdout"}


def test_growth_and_losses_agree_with_a_loop_over_the_bars() -> None:
    value, peak, grown, lost = 1.0, 1.0, [], []
    for one in MARKET:
        value *= 1.0 + one
        peak = max(peak, value)
        grown.append(value)
        lost.append(value / peak - 1.0)
    assert np.allclose(growth(np.array(MARKET)), grown)
    assert np.allclose(underwater(np.array(grown)), lost)


def test_figures_of_holding_agree_with_the_definitions() -> None:
    found = holding_figures(np.array(MARKET), 252.0)
    sharpe = statistics.fmean(MARKET) / statistics.stdev(MARKET) * math.sqrt(252.0)
    assert math.isclose(found["sharpe_ratio"] or 0.0, sharpe)
    assert math.isclose(found["total_return"] or 0.0, math.prod(1.0 + one for one in MARKET) - 1.0)
    assert math.isclose(found["max_drawdown"] or 0.0, -0.2)


def test_each_part_has_its_own_figures_and_its_own_stretch_of_holding() -> None:
    found = comparison(result(), table())
    assert list(found.parts) == ["holdout", "walk_forward", "development"]
    totals = {
        part: [None if one is None else round(one["total_return"], 6) for one in known.values()]
        for part, known in found.parts.items()
    }
    assert totals == {
        "holdout": [0.1, 0.2, round(0.96 * 1.1 - 1.0, 6)],
        "walk_forward": [0.2, 0.4, round(0.8 * 1.05 * 1.02 - 1.0, 6)],
        "development": [0.4, 0.8, round(1.1 * 0.8 * 1.05 * 1.02 - 1.0, 6)],
    }
    head, rows = comparison_rows(found, "development", Words("en"))
    assert head == ["Metric", "Start", "Champion", "Buy and hold"]
    assert rows[0] == ["Total return", "40.0%", "80.0%", "−5.8%"]
    assert all(row[0] != "Score (0–10)" for row in rows), "the score is not of all development bars"


def test_the_sentence_tells_champion_and_holding_out_of_sample() -> None:
    words = Words("en")
    told = headline(result(), comparison(result(), table()), words)
    assert told == "Out of sample (2020-01-06 to 2020-01-08): +20.0%, against +5.6% for buy and hold."
    alone = headline(result(), comparison(result(), None), words)
    assert alone == "Out of sample (2020-01-06 to 2020-01-08): +20.0%."
    closed = result(judged=False)
    assert headline(closed, comparison(closed, None), words) == ""


def test_months_and_years_multiply_to_the_whole() -> None:
    days = pd.date_range("2020-11-15", "2022-02-10", freq="D")
    returns = np.random.default_rng(3).normal(0.0, 0.01, len(days))
    account = growth(returns)
    found = monthly_returns(days, account)
    assert list(found.index) == [2020, 2021, 2022]
    inside = [one for one, day in zip(returns, days, strict=True) if (day.year, day.month) == (2021, 3)]
    assert math.isclose(found.loc[2021, 3], math.prod(1.0 + one for one in inside) - 1.0)
    assert math.isnan(found.loc[2020, 10])
    months = [one for one in found.loc[:, 1:12].to_numpy().ravel() if not math.isnan(one)]
    assert math.isclose(math.prod(1.0 + one for one in months), account[-1])
    assert math.isclose(math.prod(1.0 + one for one in found[13]), account[-1])


def test_a_rolling_sharpe_ratio_is_that_of_each_window() -> None:
    returns = np.array([*MARKET, 0.0, 0.0, 0.0])
    found = rolling_sharpe(growth(returns), 3, 252.0)
    assert np.isnan(found[:2]).all()
    for place in range(2, len(MARKET)):
        window = [float(one) for one in returns[place - 2 : place + 1]]
        expected = statistics.fmean(window) / statistics.stdev(window) * math.sqrt(252.0)
        assert math.isclose(found[place], expected, rel_tol=1e-9)
    assert math.isnan(found[-1]), "where nothing moves there is no ratio"
