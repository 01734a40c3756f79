"""Prices with a strategy's indicators and trades."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import pandas as pd

from reports.charts.equity import largest_trades
from reports.charts.indicators import Indicator
from reports.charts.reduction import MOST_BARS, merged_bars, min_max_places
from reports.charts.style import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PAPER,
    PURPLE,
    SKY,
    YELLOW,
    Look,
    Tables,
    clock_times,
    finished,
    layered,
    time_axis,
)
from reports.words import WordsLike

_LINES = (BLUE, YELLOW, PURPLE, SKY, GREY, "#996b45")
_MOST_PANELS = 3


def price_chart(
    prices: pd.DataFrame,
    words: WordsLike,
    *,
    indicators: Sequence[Indicator] = (),
    trades: pd.DataFrame | None = None,
    about: str = "",
    look: Look = PAPER,
) -> alt.VConcatChart:
    """Candles with levels and trades over them, and other indicators in panels below.

    However many bars there are, about `MOST_BARS` candles are drawn: each keeps the extremes of the bars it
    stands for. Long trades are entered at triangles that point up, short ones at triangles that point down;
    a cross is an exit, joined to its entry.

    Args:
        prices: open, high, low, close on their times; a part of the history if so wished.
        words: language.
        indicators: see `strategy_indicators`; those of a longer history are cut to the prices' times.
        trades: of a `BacktestResult`; those outside the prices' times are left out.
        about: for the subtitle.
        look: where it is shown.
    """
    tables = Tables()
    index = pd.DatetimeIndex(prices.index)
    bars, length = merged_bars(prices, min(MOST_BARS, max(60, look.width // 2)))
    x = time_axis(index)
    layers = _candles(tables, bars, x, words, look)
    over = [one for one in indicators if one.on_price]
    if over:
        layers.append(_lines(tables, over, index, x, words("chart.price_axis")))
    told = [about]
    if length > 1:
        told.append(words("chart.bars_merged", count=length))
    if trades is not None:
        inside = trades[trades["entry_time"].isin(index) & trades["exit_time"].isin(index)]
        shown = largest_trades(inside)
        told.append(words("chart.trades_key"))
        layers += _trades(tables, shown, index, words, look)
        if len(shown) < len(inside):
            told.append(words("chart.trades_largest", shown=len(shown), count=len(inside)))
    height = round(0.45 * look.width)
    panels: list[alt.LayerChart | alt.Chart] = [
        layered(*layers)
        .resolve_scale(color="independent", shape="independent")
        .properties(width=look.width, height=height)
    ]
    families = dict.fromkeys(one.family for one in indicators if not one.on_price)
    for family in list(families)[:_MOST_PANELS]:
        members = [one for one in indicators if not one.on_price and one.family == family]
        panels.append(
            _lines(tables, members, index, x, family).properties(width=look.width, height=round(0.3 * height))
        )
    chart = alt.VConcatChart(vconcat=panels, spacing=8, resolve=alt.Resolve(scale={"color": "independent"}))
    return finished(chart, tables, words, look, title=words("chart.price"), subtitle=told)


def _candles(tables: Tables, bars: pd.DataFrame, x: alt.X, words: WordsLike, look: Look) -> list[alt.Chart]:
    index = pd.DatetimeIndex(bars.index)
    data = tables.add(
        {"time": time, "when": str(when), "up": close >= start, "o": start, "h": high, "l": low, "c": close}
        for time, when, start, high, low, close in zip(
            clock_times(index), index, bars["open"], bars["high"], bars["low"], bars["close"], strict=True
        )
    )
    colour = alt.condition("datum.up", alt.value(GREEN), alt.value(ORANGE))
    base: alt.Chart = alt.Chart(data).encode(
        x=x,
        color=colour,
        tooltip=[
            alt.Tooltip("when:N", title=words("chart.time")),
            *(
                alt.Tooltip(f"{name[0]}:Q", title=words(f"chart.{name}"), format=",.6~g")
                for name in ("open", "high", "low", "close")
            ),
        ],
    )
    body = max(1.0, 0.6 * look.width / max(1, len(bars)))
    return [
        base.mark_rule(strokeWidth=min(1.0, body)).encode(y=_level("l", words), y2="h:Q"),
        base.mark_bar(size=body).encode(y=_level("o", words), y2="c:Q"),
    ]


def _lines(
    tables: Tables, indicators: Sequence[Indicator], index: pd.DatetimeIndex, x: alt.X, title: str
) -> alt.Chart:
    points = []
    for one in indicators:
        values = one.values.reindex(index).to_numpy(dtype=float)
        places = min_max_places(values)
        points += [
            {"time": time, "value": values[at], "what": one.label}
            for time, at in zip(clock_times(index[places]), places, strict=True)
        ]
    names = [one.label for one in indicators]
    colours = [_LINES[place % len(_LINES)] for place in range(len(names))]
    drawn: alt.Chart = (
        alt.Chart(tables.add(points))
        .mark_line(strokeWidth=1.3)
        .encode(
            x=x,
            y=alt.Y("value:Q", title=title, scale=alt.Scale(zero=False)),
            color=alt.Color(
                "what:N",
                scale=alt.Scale(domain=names, range=colours),
                legend=alt.Legend(title=None, orient="top", columns=3),
            ),
        )
    )
    return drawn


def _trades(
    tables: Tables, trades: pd.DataFrame, index: pd.DatetimeIndex, words: WordsLike, look: Look
) -> list[alt.Chart]:
    rows = [
        {
            "time": start,
            "value": entry,
            "end": stop,
            "left": left,
            "won": profit > 0.0,
            "up": side == "long",
            "side": words(f"optimization.side.{side}"),
            "told": words.percent(gained),
            "reason": words(f"chart.exit_{reason}"),
        }
        for start, stop, entry, left, profit, side, gained, reason in zip(
            clock_times(pd.DatetimeIndex(trades["entry_time"])),
            clock_times(pd.DatetimeIndex(trades["exit_time"])),
            trades["entry_price"],
            trades["exit_price"],
            trades["pnl"],
            trades["side"],
            trades["return"],
            trades["exit_reason"],
            strict=True,
        )
    ]
    x = time_axis(index)
    base = alt.Chart(tables.add(rows)).encode(
        tooltip=[
            alt.Tooltip("side:N", title=words("chart.side")),
            alt.Tooltip("told:N", title=words("chart.trade_return")),
            alt.Tooltip("reason:N", title=words("chart.exit")),
        ]
    )
    size = min(45.0, max(9.0, 4.0 * look.width / max(1, len(rows))))
    good = alt.condition("datum.won", alt.value(BLUE), alt.value(PURPLE))
    y = _level("value", words)
    return [
        base.mark_rule(strokeWidth=1.4, strokeDash=[3, 2]).encode(
            x=x, x2="end:Q", y=y, y2="left:Q", color=good
        ),
        base.mark_point(filled=True, size=size, opacity=1.0).encode(
            x=x,
            y=y,
            color=good,
            shape=alt.condition("datum.up", alt.value("triangle-up"), alt.value("triangle-down")),
        ),
        base.mark_point(shape="cross", filled=True, size=0.7 * size, opacity=1.0).encode(
            x=time_axis(index, "end"), y=_level("left", words), color=good
        ),
    ]


def _level(field: str, words: WordsLike) -> alt.Y:
    return alt.Y(f"{field}:Q", title=words("chart.price_axis"), scale=alt.Scale(zero=False))
