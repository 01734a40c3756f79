"""A sealed strategy on the bars since: its account beside holding, over the capital of who bets on it."""

from __future__ import annotations

import altair as alt
import pandas as pd

from reports.charts.equity import line
from reports.charts.style import BLUE, GREEN, GREY, ORANGE, PAPER, Look, Tables, finished, layered, time_axis
from reports.words import WordsLike


def forward_chart(
    account: pd.Series,
    holding: pd.Series,
    capital: pd.Series,
    words: WordsLike,
    *,
    decisive: float,
    about: str = "",
    look: Look = PAPER,
) -> alt.VConcatChart:
    """The account over the evidence.

    Args:
        account: value of an account that began with 1, by time; two bars or more.
        holding: the same of holding with the sealed exposure.
        capital: of who bets on an edge, above 0.
        words: language.
        decisive: capital at which the question is decided.
        about: for the subtitle.
        look: where it is shown.
    """
    tables = Tables()
    own, held = words("chart.account"), words("follow.head.held")
    x = time_axis(account.index)
    colours = alt.Scale(domain=[own, held], range=[BLUE, GREY])
    upper = (
        alt.Chart(tables.add([*line(account, own), *line(holding, held)]))
        .mark_line(strokeWidth=1.5)
        .encode(
            x=x,
            y=alt.Y("value:Q", title=words("follow.axis.account"), scale=alt.Scale(zero=False)),
            color=alt.Color("what:N", scale=colours, legend=alt.Legend(title=None, orient="top")),
        )
    )
    y = alt.Y("value:Q", title=words("follow.axis.capital"), scale=alt.Scale(type="log", nice=False))
    goal = alt.Chart(tables.add([{"value": decisive, "told": words("follow.axis.decisive")}]))
    lower = layered(
        alt.Chart(tables.add(line(capital.clip(lower=1e-6), ""))).mark_line(color=GREEN).encode(x=x, y=y),
        goal.mark_rule(strokeDash=[6, 4], color=ORANGE, strokeWidth=1.5).encode(y=y),
        goal.mark_text(align="left", dx=4, dy=-7, color=look.ink).encode(x=alt.value(0), y=y, text="told:N"),
    )
    height = round(0.35 * look.width)
    chart = alt.VConcatChart(
        vconcat=[
            upper.properties(width=look.width, height=height),
            lower.properties(width=look.width, height=round(0.6 * height)),
        ],
        spacing=8,
    )
    return finished(chart, tables, words, look, title=words("follow.axis.title"), subtitle=about)
