"""The strategy's way through a run: what each iteration changed, and what it left."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from reports.charts.style import BLUE, GREEN, GREY, PAPER, Look, Tables, finished, layered
from reports.words import WordsLike

_LINE = 15


def evolution_chart(
    initial_score: float,
    history: Sequence[Mapping[str, Any]],
    words: WordsLike,
    *,
    about: str = "",
    look: Look = PAPER,
) -> alt.HConcatChart:
    """A line an iteration: the step of the score at the left, what was changed (if anything) at the right.

    Args:
        initial_score: 0–10, of the strategy the run began with.
        history: as for `convergence_chart`, with `score_before`.
        words: language.
        about: for the subtitle.
        look: where it is shown.
    """
    tables = Tables()
    letters = max(24, int(0.56 * look.width / 6.1))
    steps: list[dict[str, Any]] = []
    tried: list[dict[str, Any]] = []
    told: list[dict[str, Any]] = []
    at = 0.0
    for entry in ({"iteration": 0, "trials": [], "score": initial_score}, *history):
        adopted = [trial for trial in entry["trials"] if trial["outcome"] == "adopted"]
        number = entry["iteration"]
        if number == 0:
            lines, tone = [words("chart.start")], "start"
        elif adopted:
            lines, tone = [line for trial in adopted for line in _wrapped(trial, letters)], "adopted"
        else:
            lines = [words("chart.nothing_adopted", count=len(entry["trials"]))]
            tone = "kept"
        if number:
            lines[0] = f"{number}. {lines[0]}"
        place = at + _LINE / 2
        before = entry.get("score_before", entry["score"])
        steps.append({"y": place, "before": before, "score": entry["score"], "tone": tone})
        told += [{"y": place + row * _LINE, "text": line, "head": row == 0} for row, line in enumerate(lines)]
        tried += [
            {
                "y": place,
                "score": trial["score"],
                "text": trial["sentence"],
                "outcome": words(f"optimization.outcome.{trial['outcome']}"),
            }
            for trial in entry["trials"]
            if trial["score"] is not None and trial["outcome"] != "adopted"
        ]
        at += len(lines) * _LINE + 10
    height = max(40.0, at)
    y = alt.Y("y:Q", scale=alt.Scale(domain=[height, 0], nice=False), axis=None)
    x = alt.X("score:Q", title=words("report.metric.score"), scale=alt.Scale(domain=[0, 10]))
    colour = alt.Color(
        "tone:N",
        scale=alt.Scale(domain=["start", "adopted", "kept"], range=[BLUE, GREEN, GREY]),
        legend=None,
    )
    base = alt.Chart(tables.add(steps))
    score = alt.Tooltip("score:Q", title=words("report.metric.score"), format=".2f")
    left = layered(
        alt.Chart(tables.add(tried))
        .mark_tick(color=GREY, thickness=2, height=10)
        .encode(
            x=x,
            y=y,
            tooltip=[
                alt.Tooltip("text:N", title=words("chart.change")),
                alt.Tooltip("outcome:N", title=words("chart.outcome")),
                score,
            ],
        ),
        base.mark_rule(strokeWidth=3).encode(
            x=alt.X("before:Q", scale=alt.Scale(domain=[0, 10])), x2="score:Q", y=y, color=colour
        ),
        base.mark_circle(size=85, opacity=1.0).encode(x=x, y=y, color=colour, tooltip=[score]),
    ).properties(width=round(0.4 * look.width), height=round(height))
    right = layered(
        alt.Chart(tables.add(told))
        .mark_text(align="left", fontSize=11)
        .encode(
            x=alt.value(0),
            y=y,
            text="text:N",
            color=alt.condition("datum.head", alt.value(look.ink), alt.value(look.faint)),
        ),
    ).properties(width=round(0.56 * look.width), height=round(height))
    chart = alt.HConcatChart(hconcat=[left, right], spacing=10)
    return finished(chart, tables, words, look, title=words("chart.evolution"), subtitle=about)


def _wrapped(trial: Mapping[str, Any], letters: int) -> list[str]:
    return textwrap.wrap(trial["sentence"], letters) + textwrap.wrap(
        trial["reason"], letters, initial_indent="   ", subsequent_indent="   "
    )
