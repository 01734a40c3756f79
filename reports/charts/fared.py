"""The ensemble's outlooks beside what came of them, under the market's course."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import altair as alt
import pandas as pd

from reports.charts.outlook import TONES
from reports.charts.style import PAPER, Look, Tables, clock_times, finished, time_axis
from reports.words import WordsLike

_TOLD = ("positive", "neutral", "negative")
_LABELS = 96
"""Pixels of every vertical axis, so that the panes stand under one another."""


def fared_chart(
    horizons: Mapping[str, Sequence[tuple[datetime, int, int | None]]],
    market: Sequence[tuple[datetime, float]],
    words: WordsLike,
    *,
    look: Look = PAPER,
) -> alt.VConcatChart:
    """Two stripes a horizon, what was published and what came, in the same colours; the market above them.

    Args:
        horizons: by horizon (`7d`, `30d`): (hour, outcome said, outcome that came or None), by hour; at least
            one hour.
        market: levels by day; may be empty.
        words: language.
        look: where it is shown.
    """
    tables = Tables()
    names = {
        (horizon, what): words(f"chart.fared.{what}", horizon=words(f"ensemble.horizon.{horizon}"))
        for horizon in horizons
        for what in ("said", "came")
    }
    cells = []
    for horizon, told in horizons.items():
        said, came = [(hour, one) for hour, one, _ in told], [(hour, one) for hour, _, one in told]
        for what, course in (("said", said), ("came", came)):
            cells += [{"row": names[horizon, what], **cell} for cell in _runs(course, words)]
    times = [one[0] for told in horizons.values() for one in told] + [day for day, _ in market]
    latest = max([*(cell["until"] for cell in cells), *times])
    span = pd.DatetimeIndex([min(times), latest])
    shown = [tone for tone in _TOLD if any(cell["tone"] == tone for cell in cells)]
    rows = [
        {
            **{name: cell[name] for name in ("row", "told", "hours")},
            "first": f"{cell['since']:%Y-%m-%d %H:%M}",
            "start": start,
            "stop": stop,
        }
        for cell in cells
        for start, stop in [clock_times(pd.DatetimeIndex([cell["since"], cell["until"]]))]
    ]  # fmt: skip
    axis = alt.Axis(minExtent=_LABELS, maxExtent=_LABELS, labelLimit=_LABELS - 8, ticks=False)
    stripes = (
        alt.Chart(tables.add(rows))
        .mark_rect()
        .encode(
            x=time_axis(span, "start"),
            x2="stop:T",
            y=alt.Y(
                "row:N", sort=list(names.values()), title=None, axis=axis,
                scale=alt.Scale(domain=list(names.values()), paddingInner=0.2),
            ),
            color=alt.Color(
                "told:N",
                scale=alt.Scale(
                    domain=[words(f"ensemble.value.{tone}") for tone in shown],
                    range=[TONES[tone] for tone in shown],
                ),
                legend=alt.Legend(title=None, orient="bottom"),
            ),
            tooltip=[
                alt.Tooltip("first:N", title=words("chart.time")),
                alt.Tooltip("row:N", title=" "),
                alt.Tooltip("told:N", title=" "),
                alt.Tooltip("hours:Q", title=words("chart.fared.hours")),
            ],
        )
        .properties(width=look.width, height=120)
    )  # fmt: skip
    panes = [stripes]
    if market:
        panes.insert(0, _market(market, span, tables, words, look))
    chart = alt.VConcatChart(vconcat=panes, spacing=6)
    return finished(
        chart, tables, words, look, title=words("chart.fared.title"), subtitle=words("chart.fared.about")
    )


def _market(
    market: Sequence[tuple[datetime, float]],
    span: pd.DatetimeIndex,
    tables: Tables,
    words: WordsLike,
    look: Look,
) -> alt.Chart:
    """The market's level, 100 at first."""
    first = market[0][1]
    times = clock_times(pd.DatetimeIndex([day for day, _ in market]))
    rows = [
        {"time": at, "level": 100.0 * level / first} for at, (_, level) in zip(times, market, strict=True)
    ]
    axis = alt.Axis(minExtent=_LABELS, maxExtent=_LABELS, tickCount=4)
    drawn: alt.Chart = (
        alt.Chart(tables.add(rows))
        .mark_line(color=look.ink, strokeWidth=1.5)
        .encode(
            x=time_axis(span).axis(labels=False, ticks=False, grid=False),
            y=alt.Y("level:Q", title=words("chart.fared.market"), scale=alt.Scale(zero=False), axis=axis),
            tooltip=[
                alt.Tooltip("time:T", title=words("chart.time")),
                alt.Tooltip("level:Q", title=words("chart.fared.market"), format=".1f"),
            ],
        )
        .properties(width=look.width, height=110)
    )
    return drawn


def _runs(
    told: Sequence[tuple[datetime, int | None]] | Sequence[tuple[datetime, int]], words: WordsLike
) -> list[dict[str, Any]]:
    """Neighbouring hours of one outcome as one cell; gaps between hours and what is not known stay blank."""
    steps = sorted(later[0] - earlier[0] for earlier, later in pairwise(told))
    usual = steps[len(steps) // 2] if steps else timedelta(hours=1)
    found: list[dict[str, Any]] = []
    for hour, outcome in told:
        if outcome is None:
            continue
        tone, until = _TOLD[outcome], hour + usual
        if found and found[-1]["tone"] == tone and found[-1]["until"] >= hour:
            found[-1].update(until=until, hours=found[-1]["hours"] + 1)
            continue
        if found:
            found[-1]["until"] = min(found[-1]["until"], hour)
        cell = {"tone": tone, "told": words(f"ensemble.value.{tone}")}
        found.append({**cell, "since": hour, "until": until, "hours": 1})
    return found
