"""What verdicts are worth: how often an edge that is there is found, and one that is not is claimed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import altair as alt

from reports.charts.style import BLUE, ORANGE, PAPER, Look, Tables, finished, layered
from reports.words import WordsLike


def power_chart(
    power: Mapping[str, Mapping[str, Any]],
    words: WordsLike,
    *,
    null: Mapping[str, Any] | None = None,
    false_limit: float | None = None,
    about: str = "",
    look: Look = PAPER,
) -> alt.LayerChart:
    """Share of planted edges that were found, by their strength, with 95 % intervals; and the false alarms.

    Args:
        power: by the net Sharpe ratio of the planted edge: `believed` (verdicts `real` or `promising`),
            `count` (series tried) and the `interval` of the rate, as a calibration's JSON has them.
        words: language.
        null: the same of series without an edge; drawn at a Sharpe ratio of 0.
        false_limit: the rate they were designed for, drawn as a line.
        about: for the subtitle.
        look: where it is shown.
    """
    tables = Tables()
    edge, none = words("chart.edge"), words("chart.no_edge")
    points = [(float(strength), group, edge) for strength, group in power.items() if group["count"]]
    if null is not None and null["count"]:
        points.append((0.0, null, none))
    points.sort(key=lambda point: (point[0], point[2]))
    rows = []
    for sharpe, group, what in points:
        found, series = group["believed"], group["count"]
        rate = found / series
        rows.append(
            {
                "sharpe": sharpe,
                "rate": rate,
                "low": group["interval"][0],
                "high": group["interval"][1],
                "what": what,
                "told": words("chart.found_of", found=found, series=series, rate=words.percent(rate)),
            }
        )
    x = alt.X(
        "sharpe:Q",
        title=words("chart.planted_sharpe"),
        scale=alt.Scale(padding=12, nice=False),
        axis=alt.Axis(values=sorted({row["sharpe"] for row in rows}), grid=False, format="~g"),
    )
    axis = alt.Axis(format="%")
    y = alt.Y("rate:Q", title=words("chart.found_rate"), scale=alt.Scale(domain=[0, 1]), axis=axis)
    colour = alt.Color(
        "what:N",
        scale=alt.Scale(domain=[edge, none], range=[BLUE, ORANGE]),
        legend=alt.Legend(title=None, orient="bottom"),
    )
    base = alt.Chart(tables.add(rows))
    layers = [
        base.transform_filter(alt.FieldEqualPredicate(field="what", equal=edge))
        .mark_line(strokeWidth=2)
        .encode(x=x, y=y, color=colour),
        base.mark_rule(strokeWidth=1.5).encode(x=x, y=alt.Y("low:Q", axis=axis), y2="high:Q", color=colour),
        base.mark_circle(size=80, opacity=1.0).encode(
            x=x, y=y, color=colour, tooltip=[alt.Tooltip("told:N", title=words("chart.found_rate"))]
        ),
    ]
    if false_limit is not None:
        told = words("chart.false_limit", rate=words.percent(false_limit))
        goal = alt.Chart(tables.add([{"rate": false_limit, "told": told}]))
        layers += [
            goal.mark_rule(strokeDash=[6, 4], color=ORANGE).encode(y=y),
            goal.mark_text(align="right", dx=-4, dy=-7, color=look.ink).encode(
                x=alt.value(look.width), y=y, text="told:N"
            ),
        ]
    chart = layered(*layers).properties(width=look.width, height=round(0.5 * look.width))
    return finished(chart, tables, words, look, title=words("chart.power"), subtitle=about)
