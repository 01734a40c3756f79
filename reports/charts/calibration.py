"""What verdicts are worth: how often an edge that is there is found, and one that is not is claimed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from reports.charts.style import BLUE, ORANGE, PAPER, Look, Tables, finished, layered
from reports.words import WordsLike


def wilson_interval(successes: int, trials: int, deviations: float = 1.959964) -> tuple[float, float]:
    """Confidence interval of a rate (Wilson 1927); 95 % by default.

    (p + z²/2n ± z √(p(1-p)/n + z²/4n²)) / (1 + z²/n), p = successes / trials.

    Args:
        successes: k, 0 to n.
        trials: n > 0.
        deviations: z.
    """
    rate = successes / trials
    square = deviations * deviations / trials
    middle = rate + square / 2.0
    half = deviations * math.sqrt(rate * (1.0 - rate) / trials + square / (4.0 * trials))
    return max(0.0, (middle - half) / (1.0 + square)), min(1.0, (middle + half) / (1.0 + square))


def power_chart(
    power: Sequence[Mapping[str, Any]],
    words: WordsLike,
    *,
    false_positives: tuple[int, int] | None = None,
    false_limit: float | None = None,
    about: str = "",
    look: Look = PAPER,
) -> alt.LayerChart:
    """Share of planted edges that were found, by their strength, with 95 % intervals; and the false alarms.

    Args:
        power: one mapping a strength: `sharpe` (net, of the planted edge), `found` (verdicts `real` or
            `promising`), `series` (how many were tried).
        words: language.
        false_positives: (found, series) where there was no edge; drawn at a Sharpe ratio of 0.
        false_limit: the rate they were designed for, drawn as a line.
        about: for the subtitle.
        look: where it is shown.
    """
    tables = Tables()
    edge, none = words("chart.edge"), words("chart.no_edge")
    points = [(float(row["sharpe"]), row["found"], row["series"], edge) for row in power]
    if false_positives is not None:
        points.append((0.0, *false_positives, none))
    rows = []
    for sharpe, found, series, what in sorted(points):
        low, high = wilson_interval(found, series)
        rate = found / series
        rows.append(
            {
                "sharpe": sharpe,
                "rate": rate,
                "low": low,
                "high": high,
                "what": what,
                "told": words("chart.found_of", found=found, series=series, rate=words.percent(rate)),
            }
        )
    x = alt.X("sharpe:Q", title=words("chart.planted_sharpe"), scale=alt.Scale(padding=12))
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
