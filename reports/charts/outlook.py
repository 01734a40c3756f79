"""The ensemble's summaries hour by hour, and whether its probabilities came true."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import altair as alt
import pandas as pd

from reports.charts.style import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PAPER,
    PURPLE,
    Look,
    Tables,
    clock_times,
    finished,
    layered,
    time_axis,
)
from reports.words import WordsLike

TONES = {
    "positive": "#2b83ba",
    "neutral": "#d9d9d9",
    "negative": "#d7642c",
    "low": "#c6dbef",
    "medium": "#fdd49e",
    "high": "#b30000",
    "expansion_modérée": "#74a9cf",
    "désinflation": "#c7e0c1",
    "contraction": "#8c4a2f",
    "incertain": "#bfbfbf",
}
_ROWS = ("outlook_days_7", "outlook_days_30", "risk_level", "regime")


def outlook_chart(
    summaries: Sequence[Mapping[str, Any]], words: WordsLike, *, about: str = "", look: Look = PAPER
) -> alt.Chart:
    """One stripe a judgement (7 days, 30 days, risk, regime), one cell a summary, blank where there is none.

    Args:
        summaries: each with `hour` (ISO) and the published fields `outlook_days_7`, `outlook_days_30`,
            `risk_level`, `regime`.
        words: language.
        about: for the subtitle.
        look: where it is shown.
    """
    tables = Tables()
    ordered = sorted(summaries, key=lambda summary: str(summary["hour"]))
    times = clock_times(pd.DatetimeIndex([summary["hour"] for summary in ordered]))
    steps = sorted(later - earlier for earlier, later in pairwise(times))
    usual = steps[len(steps) // 2] if steps else 3_600_000
    span = pd.DatetimeIndex(pd.to_datetime([times[0], times[-1] + usual], unit="ms"))
    names = {row: words(f"ensemble.face.{row}") for row in _ROWS}
    rows = []
    for place, (summary, start) in enumerate(zip(ordered, times, strict=True)):
        stop = min(start + usual, times[place + 1]) if place + 1 < len(times) else start + usual
        rows += [
            {
                "row": names[row],
                "start": start,
                "stop": stop,
                "hour": str(summary["hour"]),
                "tone": summary[row],
                "told": words(f"ensemble.value.{summary[row]}"),
            }
            for row in _ROWS
        ]
    told = {value: words(f"ensemble.value.{value}") for value in TONES}
    present = {row["tone"] for row in rows}
    shown = [value for value in TONES if value in present]
    chart: alt.Chart = (
        alt.Chart(tables.add(rows))
        .mark_rect()
        .encode(
            x=time_axis(span, "start"),
            x2="stop:T",
            y=alt.Y("row:N", sort=list(names.values()), title=None, scale=alt.Scale(paddingInner=0.25)),
            color=alt.Color(
                "told:N",
                scale=alt.Scale(
                    domain=[told[value] for value in shown], range=[TONES[value] for value in shown]
                ),
                legend=alt.Legend(title=None, orient="bottom", columns=5),
            ),
            tooltip=[
                alt.Tooltip("hour:N", title=words("chart.time")),
                alt.Tooltip("row:N", title=" "),
                alt.Tooltip("told:N", title=" "),
            ],
        )
        .properties(width=look.width, height=150)
    )
    return finished(chart, tables, words, look, title=words("chart.outlook"), subtitle=about)


def calibration_chart(
    bins: Sequence[Mapping[str, Any]], words: WordsLike, *, about: str = "", look: Look = PAPER
) -> alt.LayerChart:
    """Said probability against observed frequency: on the diagonal a forecaster is calibrated.

    Args:
        bins: each with `source` (agent or arbiter), `predicted` (mean probability, 0–1), `observed`
            (frequency, 0–1) and `count` (forecasts in it).
        words: language.
        about: for the subtitle.
        look: where it is shown.
    """
    tables = Tables()
    sources = list(dict.fromkeys(str(entry["source"]) for entry in bins))
    axis = alt.Axis(format="%")
    x = alt.X("predicted:Q", title=words("chart.predicted"), scale=alt.Scale(domain=[0, 1]), axis=axis)
    y = alt.Y("observed:Q", title=words("chart.observed"), scale=alt.Scale(domain=[0, 1]), axis=axis)
    palette = [BLUE, ORANGE, GREEN, PURPLE, GREY]
    colour = alt.Color(
        "source:N",
        scale=alt.Scale(domain=sources, range=[palette[at % len(palette)] for at in range(len(sources))]),
        legend=alt.Legend(title=None, orient="right"),
    )
    base = alt.Chart(tables.add(bins)).encode(x=x, y=y, color=colour)
    perfect = [{"predicted": 0.0, "observed": 0.0}, {"predicted": 1.0, "observed": 1.0}]
    chart = layered(
        alt.Chart(tables.add(perfect)).mark_line(color=look.faint, strokeDash=[5, 4]).encode(x=x, y=y),
        base.mark_line(strokeWidth=1.5),
        base.mark_circle(opacity=1.0).encode(
            size=alt.Size(
                "count:Q",
                title=words("chart.forecasts"),
                scale=alt.Scale(range=[30, 400]),
                legend=alt.Legend(orient="right", tickCount=3),
            ),
            tooltip=[
                alt.Tooltip("source:N", title=" "),
                alt.Tooltip("predicted:Q", title=words("chart.predicted"), format=".0%"),
                alt.Tooltip("observed:Q", title=words("chart.observed"), format=".0%"),
                alt.Tooltip("count:Q", title=words("chart.forecasts")),
            ],
        ),
    ).properties(width=round(0.6 * look.width), height=round(0.6 * look.width))
    return finished(chart, tables, words, look, title=words("chart.calibration"), subtitle=about)
