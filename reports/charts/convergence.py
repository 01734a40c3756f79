"""How the score went, iteration by iteration: the champion, everything tried, the analyst's own score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from reports.charts.style import BLUE, GREEN, GREY, ORANGE, PAPER, PURPLE, Look, Tables, finished, layered
from reports.words import WordsLike

OUTCOMES = ("adopted", "tested")
"""What the chart tells apart: the variant that became champion, and every other that was tested."""


def convergence_chart(
    initial_score: float,
    history: Sequence[Mapping[str, Any]],
    words: WordsLike,
    *,
    target_score: float | None = None,
    about: str = "",
    look: Look = PAPER,
) -> alt.LayerChart:
    """The champion's score after each iteration, with the variants and the analyst's score.

    Args:
        initial_score: 0–10, of the strategy the run began with.
        history: one mapping an iteration: `iteration`, `score`, `analyst_score` (or None), `trials` (each
            `sentence`, `score` or None, `outcome`), as in `result.json`.
        words: language.
        target_score: where the search may stop.
        about: for the subtitle.
        look: where it is shown.
    """
    tables = Tables()
    champion = [{"iteration": 0, "score": initial_score}]
    champion += [{"iteration": entry["iteration"], "score": entry["score"]} for entry in history]
    names = {name: words(f"chart.trial_{name}") for name in OUTCOMES}
    tested = [
        {
            "iteration": entry["iteration"],
            "score": trial["score"],
            "what": names["adopted" if trial["outcome"] == "adopted" else "tested"],
            "sentence": trial["sentence"],
            "outcome": words(f"optimization.outcome.{trial['outcome']}"),
        }
        for entry in history
        for trial in entry["trials"]
        if trial["score"] is not None
    ]
    opinions = [
        {"iteration": entry["iteration"], "score": entry["analyst_score"]}
        for entry in history
        if entry.get("analyst_score") is not None
    ]
    last = max((entry["iteration"] for entry in history), default=1)
    x = alt.X(
        "iteration:Q",
        title=words("chart.iteration"),
        scale=alt.Scale(domain=[-0.25, last + 0.25], nice=False),
        axis=alt.Axis(values=list(range(last + 1)), format="d", grid=False),
    )
    y = alt.Y("score:Q", title=words("report.metric.score"), scale=alt.Scale(domain=[0, 10]))
    score = alt.Tooltip("score:Q", title=words("report.metric.score"), format=".2f")
    said = words("chart.analyst_score")
    line = words("chart.champion")
    colours = alt.Scale(domain=[line, *names.values(), said], range=[BLUE, GREEN, GREY, PURPLE])
    legend = alt.Color("what:N", scale=colours, legend=alt.Legend(title=None, orient="bottom", columns=4))
    top = alt.Chart(tables.add([{**point, "what": line} for point in champion]))
    layers = [
        top.mark_line(interpolate="step-after", strokeWidth=2.5).encode(x=x, y=y, color=legend),
        alt.Chart(tables.add([{**point, "what": said} for point in opinions]))
        .mark_point(shape="diamond", size=60, filled=False, strokeWidth=1.6, opacity=1.0)
        .encode(x=x, y=y, color=legend, tooltip=[score]),
        top.mark_circle(size=60, opacity=1.0).encode(x=x, y=y, color=legend, tooltip=[score]),
        alt.Chart(tables.add(tested))
        .mark_circle(size=55, opacity=1.0)
        .encode(
            x=x,
            y=y,
            color=legend,
            tooltip=[
                alt.Tooltip("sentence:N", title=words("chart.change")),
                alt.Tooltip("outcome:N", title=words("chart.outcome")),
                score,
            ],
        ),
    ]
    if target_score is not None:
        goal = alt.Chart(tables.add([{"score": target_score, "told": words("chart.target")}]))
        layers += [
            goal.mark_rule(strokeDash=[6, 4], color=ORANGE, strokeWidth=1.5).encode(y=y),
            goal.mark_text(align="left", dx=4, dy=-7, color=look.ink).encode(
                x=alt.value(0), y=y, text="told:N"
            ),
        ]
    chart = layered(*layers).properties(width=look.width, height=round(0.45 * look.width))
    return finished(chart, tables, words, look, title=words("chart.convergence"), subtitle=about)
