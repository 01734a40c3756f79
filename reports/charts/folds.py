"""Walk-forward: which stretch of time was fitted, which was judged, and how both scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd

from reports.charts.style import BLUE, GREY, ORANGE, PAPER, Look, Tables, clock_times, finished, layered
from reports.words import WordsLike, figure

METRIC = "sharpe_ratio"


def folds_chart(
    folds: Sequence[Mapping[str, Any]],
    words: WordsLike,
    *,
    about: str = "",
    look: Look = PAPER,
) -> alt.HConcatChart:
    """Each fold as a line: its stretches of time at the left, the Sharpe ratio on either at the right.

    Args:
        folds: in order, as `per_fold` of a walk-forward test on record: `train_start`, `train_end`,
            `test_start`, `test_end` (ISO times), `fitted`, `train_sharpe_ratio` and `sharpe_ratio` (None
            where undefined). A stretch on which nothing was fitted is not drawn.
        words: language.
        about: for the subtitle.
        look: where it is shown.
    """
    tables = Tables()
    fitted, judged = words("chart.fold_fitted"), words("chart.fold_judged")
    spans, points, gaps = [], [], []
    for number, fold in enumerate(folds, start=1):
        label = words.number(number)
        parts = [("test", judged, fold[METRIC])]
        if fold["fitted"]:
            parts.insert(0, ("train", fitted, fold[f"train_{METRIC}"]))
        for part, what, value in parts:
            start, stop = clock_times(pd.DatetimeIndex([fold[f"{part}_start"], fold[f"{part}_end"]]))
            told = figure(words, METRIC, value)
            spans.append({"fold": label, "start": start, "stop": stop, "what": what, "figure": told})
            if value is not None:
                points.append({"fold": label, "value": value, "what": what, "figure": told})
        values = [value for _, _, value in parts if value is not None]
        if len(values) == 2:
            gaps.append({"fold": label, "value": values[0], "other": values[1]})
    shown = [fitted, judged] if any(fold["fitted"] for fold in folds) else [judged]
    named = words(f"report.metric.{METRIC}")
    order = [words.number(number) for number in range(1, len(folds) + 1)]
    y = alt.Y("fold:N", sort=order, title=words("chart.fold"), axis=alt.Axis(grid=False))
    colour = alt.Color(
        "what:N",
        scale=alt.Scale(domain=shown, range=[GREY, BLUE][-len(shown) :]),
        legend=alt.Legend(title=None, orient="bottom"),
    )
    tooltip = [alt.Tooltip("what:N", title=words("chart.fold")), alt.Tooltip("figure:N", title=named)]
    row = 22 if len(folds) <= 16 else 12
    height = row * max(1, len(folds))
    # On a phone the ticks of a date would stand in one another.
    ticks = 5 if look.width >= 400 else 3
    left = (
        alt.Chart(tables.add(spans))
        .mark_bar(height={"band": 0.55})
        .encode(
            x=alt.X("start:T", title=None, scale=alt.Scale(type="utc"), axis=alt.Axis(tickCount=ticks)),
            x2="stop:T",
            y=y,
            color=colour,
            tooltip=tooltip,
        )
        .properties(width=round(0.52 * look.width), height=height)
    )
    bare = alt.Y("fold:N", sort=order, title=None, axis=alt.Axis(labels=False, ticks=False, grid=True))
    x = alt.X("value:Q", title=named)
    right = layered(
        alt.Chart(tables.add(gaps)).mark_rule(color=GREY).encode(x=x, x2="other:Q", y=bare),
        alt.Chart(tables.add(points))
        .mark_circle(size=80, opacity=1.0)
        .encode(x=x, y=bare, color=colour, tooltip=tooltip),
        alt.Chart(tables.add([{"value": 0.0}])).mark_rule(color=ORANGE, strokeDash=[4, 3]).encode(x=x),
    ).properties(width=round(0.4 * look.width), height=height)
    chart = alt.HConcatChart(hconcat=[left, right], spacing=12)
    return finished(chart, tables, words, look, title=words("chart.folds"), subtitle=about)
