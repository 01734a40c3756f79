"""What became of the figures on data that nothing before the last judgement had read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, cast

import altair as alt
import numpy as np
import pandas as pd

from record.results import RunResult
from reports.charts.reduction import Floats, min_max_places
from reports.charts.style import (
    BLUE,
    GREY,
    PAPER,
    YELLOW,
    Look,
    Tables,
    clock_times,
    finished,
    layered,
    time_axis,
)
from reports.words import FRACTIONS, WordsLike, figure

SHOWN = ("sharpe_ratio", "total_return", "max_drawdown", "profit_factor")
_NARROW = 400
"""Below this width, in pixels, panels stand under one another."""
_ALIGNED: tuple[Literal["right", "left"], ...] = ("right", "left")


def holdout_chart(
    result: RunResult,
    words: WordsLike,
    *,
    returns: pd.DataFrame | None = None,
    about: str = "",
    look: Look = PAPER,
) -> alt.VConcatChart:
    """What became of the account on the holdout, and of each metric from development to holdout.

    Args:
        result: with `initial` and `champion`, each holding `development` and `holdout` with `metrics`, as in
            `result.json`.
        words: language.
        returns: `returns.parquet` of the run, for the curves; without it only metrics are drawn.
        about: for the subtitle.
        look: where it is shown.
    """
    tables, parts = Tables(), cast(Mapping[str, Any], result)
    stretches = {name: words(f"chart.{name}") for name in ("development", "holdout")}
    who = {"initial": words("chart.initial"), "champion": words("chart.champion")}
    panels = []
    for metric in SHOWN:
        rows = []
        for strategy, name in who.items():
            for stretch, told in stretches.items():
                value = parts[strategy][stretch]["metrics"][metric]
                if value is not None:
                    rows.append(
                        {"where": told, "value": value, "who": name, "figure": figure(words, metric, value)}
                    )
        for row in rows:
            row["above"] = row["value"] == max(r["value"] for r in rows if r["where"] == row["where"])
        panels.append(
            _panel(
                tables,
                rows,
                metric,
                list(stretches.values()),
                list(who.values()),
                words,
                look,
                legend=returns is None,
            )
        )
    metrics = alt.ConcatChart(concat=panels, columns=2 if look.width >= _NARROW else 1, spacing=18)
    curves = [] if returns is None else [_curves(tables, returns, who, words, look)]
    chart = alt.VConcatChart(vconcat=[*curves, metrics], spacing=18)
    return finished(chart, tables, words, look, title=words("chart.holdout_title"), subtitle=about)


def _curves(
    tables: Tables, returns: pd.DataFrame, who: Mapping[str, str], words: WordsLike, look: Look
) -> alt.Chart:
    """What was gained since the holdout began, by the champion, the initial strategy and by holding."""
    held = returns[returns["part"] == "holdout"]
    lines = {"market": words("chart.holding"), **who}
    rows: list[dict[str, Any]] = []
    for column, name in lines.items():
        growth: Floats = np.cumprod(1.0 + held[column].to_numpy(dtype=np.float64), dtype=np.float64)
        gained = growth - 1.0
        places = min_max_places(gained)
        times = clock_times(pd.DatetimeIndex(held.index[places]))
        rows += [
            {"time": time, "value": gained[place], "what": name}
            for time, place in zip(times, places, strict=True)
        ]
    chart: alt.Chart = (
        alt.Chart(tables.add(rows))
        .mark_line(strokeWidth=1.5)
        .encode(
            x=time_axis(held.index),
            y=alt.Y("value:Q", title=None, axis=alt.Axis(format="%", tickCount=5)),
            color=alt.Color(
                "what:N",
                scale=alt.Scale(domain=list(lines.values()), range=[YELLOW, GREY, BLUE]),
                legend=alt.Legend(title=None, orient="top"),
            ),
        )
        .properties(
            width=look.width,
            height=max(150, round(0.32 * look.width)),
            title=_panel_title(words("chart.gained_axis")),
        )
    )
    return chart


def _panel_title(told: str) -> alt.TitleParams:
    return alt.TitleParams(text=told, fontSize=12, fontWeight="normal", frame="group")


def _panel(
    tables: Tables,
    rows: list[dict[str, Any]],
    metric: str,
    stretches: list[str],
    who: list[str],
    words: WordsLike,
    look: Look,
    *,
    legend: bool,
) -> alt.LayerChart:
    percent = "%" if metric in FRACTIONS else "~g"
    scale = alt.Scale(zero=False, padding=10)
    base = alt.Chart(tables.add(rows)).encode(
        x=alt.X("where:N", sort=stretches, title=None, axis=alt.Axis(labelAngle=0, grid=False)),
        y=alt.Y("value:Q", title=None, axis=alt.Axis(format=percent, tickCount=5), scale=scale),
        color=alt.Color(
            "who:N",
            scale=alt.Scale(domain=who, range=[GREY, BLUE]),
            legend=alt.Legend(title=None, orient="bottom") if legend else None,
        ),
        tooltip=[
            alt.Tooltip("who:N", title=" "),
            alt.Tooltip("figure:N", title=words(f"report.metric.{metric}")),
        ],
    )
    title = _panel_title(words(f"report.metric.{metric}"))
    # The higher of two figures stands a little higher, so that two that are close can both be read.
    ends = [
        base.transform_filter(f"datum.where === '{stretch}' && datum.above === {above}")
        .mark_text(align=align, dx=shift, dy=lift, fontSize=11)
        .encode(text="figure:N", color=alt.value(look.ink))
        for stretch, align, shift in zip(stretches, _ALIGNED, (-9, 9), strict=True)
        for above, lift in (("true", -5), ("false", 5))
    ]
    return layered(base.mark_line(strokeWidth=2.5), base.mark_circle(size=80, opacity=1.0), *ends).properties(
        width=look.width // 2 - 60 if look.width >= _NARROW else look.width - 60, height=130, title=title
    )
