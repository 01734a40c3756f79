"""What became of the figures on data that nothing before the last judgement had read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import altair as alt

from reports.charts.style import BLUE, GREY, PAPER, Look, Tables, finished, layered
from reports.words import FRACTIONS, WordsLike, figure

SHOWN = ("sharpe_ratio", "total_return", "max_drawdown", "profit_factor")
_ALIGNED: tuple[Literal["right", "left"], ...] = ("right", "left")


def holdout_chart(
    result: Mapping[str, Any], words: WordsLike, *, about: str = "", look: Look = PAPER
) -> alt.ConcatChart:
    """A line from development to holdout for each metric, of the initial strategy and of the champion.

    Args:
        result: with `initial` and `champion`, each holding `development` and `holdout` with `metrics`, as in
            `result.json`.
        words: language.
        about: for the subtitle.
        look: where it is shown.
    """
    tables = Tables()
    stretches = {name: words(f"chart.{name}") for name in ("development", "holdout")}
    who = {"initial": words("chart.initial"), "champion": words("chart.champion")}
    panels = []
    for metric in SHOWN:
        rows = []
        for strategy, name in who.items():
            for stretch, told in stretches.items():
                value = result[strategy][stretch]["metrics"][metric]
                if value is not None:
                    rows.append(
                        {"where": told, "value": value, "who": name, "figure": figure(words, metric, value)}
                    )
        for row in rows:
            row["above"] = row["value"] == max(r["value"] for r in rows if r["where"] == row["where"])
        panels.append(_panel(tables, rows, metric, list(stretches.values()), list(who.values()), words, look))
    chart = alt.ConcatChart(concat=panels, columns=2, spacing=18)
    return finished(chart, tables, words, look, title=words("chart.holdout_title"), subtitle=about)


def _panel(
    tables: Tables,
    rows: list[dict[str, Any]],
    metric: str,
    stretches: list[str],
    who: list[str],
    words: WordsLike,
    look: Look,
) -> alt.LayerChart:
    percent = "%" if metric in FRACTIONS else "~g"
    scale = alt.Scale(zero=False, padding=10)
    base = alt.Chart(tables.add(rows)).encode(
        x=alt.X("where:N", sort=stretches, title=None, axis=alt.Axis(labelAngle=0, grid=False)),
        y=alt.Y("value:Q", title=None, axis=alt.Axis(format=percent, tickCount=5), scale=scale),
        color=alt.Color(
            "who:N",
            scale=alt.Scale(domain=who, range=[GREY, BLUE]),
            legend=alt.Legend(title=None, orient="bottom"),
        ),
        tooltip=[
            alt.Tooltip("who:N", title=" "),
            alt.Tooltip("figure:N", title=words(f"report.metric.{metric}")),
        ],
    )
    title = alt.TitleParams(
        text=words(f"report.metric.{metric}"), fontSize=12, fontWeight="normal", frame="group"
    )
    # The higher of two figures stands a little higher, so that two that are close can both be read.
    ends = [
        base.transform_filter(f"datum.where === '{stretch}' && datum.above === {above}")
        .mark_text(align=align, dx=shift, dy=lift, fontSize=11)
        .encode(text="figure:N", color=alt.value(look.ink))
        for stretch, align, shift in zip(stretches, _ALIGNED, (-9, 9), strict=True)
        for above, lift in (("true", -5), ("false", 5))
    ]
    return layered(base.mark_line(strokeWidth=2.5), base.mark_circle(size=80, opacity=1.0), *ends).properties(
        width=look.width // 2 - 60, height=130, title=title
    )
