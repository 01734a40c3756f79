"""One backtest: the account's value, its drawdown and its trades."""

from __future__ import annotations

import altair as alt
import numpy as np
import pandas as pd

from backtest.engine.run import BacktestResult
from backtest.portfolio import PortfolioResult
from backtest.types import AccountLost
from reports.charts.reduction import min_max_places
from reports.charts.style import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PAPER,
    RED,
    Look,
    Tables,
    clock_times,
    finished,
    layered,
    time_axis,
)
from reports.tables import lost_fields
from reports.words import WordsLike

MOST_TRADES = 400


def drawdown(equity: pd.Series, initial_capital: float) -> pd.Series:
    """Loss from the highest value so far, as a fraction: 0 at a new high, negative below it."""
    peak = np.maximum(np.maximum.accumulate(equity.to_numpy()), initial_capital)
    return pd.Series(equity.to_numpy() / peak - 1.0, index=equity.index)


def largest_trades(trades: pd.DataFrame, most: int = MOST_TRADES) -> pd.DataFrame:
    """The trades that moved the account most, in their order; all of them while there are few."""
    if len(trades) <= most:
        return trades
    places = np.argsort(-trades["pnl"].abs().to_numpy(), kind="stable")[:most]
    return trades.iloc[np.sort(places)]


def equity_chart(
    result: BacktestResult | PortfolioResult,
    words: WordsLike,
    *,
    closes: pd.Series | None = None,
    about: str = "",
    look: Look = PAPER,
) -> alt.VConcatChart:
    """Equity with the trades that ended on it, and where the account was lost, over the drawdown.

    Args:
        result: of `backtest.run_backtest`, or of `backtest.portfolio`.
        words: language.
        closes: prices at the same times: what holding would have brought is drawn beside it.
        about: for the subtitle.
        look: where it is shown.
    """
    tables = Tables()
    equity, capital = result.equity, result.initial_capital
    account, holding = words("chart.account"), words("chart.holding")
    lines = [line(equity, account)]
    if closes is not None:
        held = closes.reindex(equity.index)
        lines.append(line(held / held.iloc[0] * capital, holding))
    x = time_axis(equity.index)
    value = alt.Y("value:Q", title=words("chart.equity_axis"), scale=alt.Scale(zero=False))
    colour = alt.Color(
        "what:N",
        scale=alt.Scale(domain=[account, holding], range=[BLUE, GREY]),
        legend=alt.Legend(title=None, orient="top") if closes is not None else None,
    )
    upper = alt.Chart(tables.add([point for line in lines for point in line])).mark_line(strokeWidth=1.5)
    shown = largest_trades(result.trades)
    at = equity.to_numpy()[equity.index.get_indexer(pd.DatetimeIndex(shown["exit_time"]))]
    won = shown["pnl"].to_numpy() > 0.0
    marks = tables.add(
        {
            "time": time,
            "value": float(place),
            "won": bool(good),
            "side": words(f"optimization.side.{side}"),
            "when": str(entry),
            "told": words.percent(float(gained)),
            "reason": words(f"chart.exit_{reason}"),
        }
        for time, place, good, side, entry, gained, reason in zip(
            clock_times(pd.DatetimeIndex(shown["exit_time"])),
            at,
            won,
            shown["side"],
            shown["entry_time"],
            shown["return"],
            shown["exit_reason"],
            strict=True,
        )
    )
    trades = (
        alt.Chart(marks)
        .mark_point(filled=True, size=34, opacity=0.9)
        .encode(
            x=x,
            y=value,
            shape=alt.condition("datum.won", alt.value("triangle-up"), alt.value("triangle-down")),
            color=alt.condition("datum.won", alt.value(GREEN), alt.value(ORANGE)),
            tooltip=[
                alt.Tooltip("side:N", title=words("chart.side")),
                alt.Tooltip("when:N", title=words("chart.entry")),
                alt.Tooltip("told:N", title=words("chart.trade_return")),
                alt.Tooltip("reason:N", title=words("chart.exit")),
            ],
        )
    )
    ends = [] if result.account_lost is None else _end(result.account_lost, tables, words, x)
    fall = drawdown(equity, capital)
    lower = (
        alt.Chart(tables.add(line(fall, "")))
        .mark_area(color=RED, opacity=0.55, line={"color": RED, "strokeWidth": 1})
        .encode(
            x=x,
            y=alt.Y("value:Q", title=words("chart.drawdown_axis"), axis=alt.Axis(format="%", tickCount=4)),
        )
    )
    height = round(0.4 * look.width)
    chart = alt.VConcatChart(
        vconcat=[
            layered(upper.encode(x=x, y=value, color=colour), trades, *ends).properties(
                width=look.width, height=height
            ),
            lower.properties(width=look.width, height=round(0.35 * height)),
        ],
        spacing=8,
    )
    told = [about, words("chart.trades_told", won=int(won.sum()), lost=int((~won).sum()))]
    if len(shown) < len(result.trades):
        told[1] = words("chart.trades_largest", shown=len(shown), count=len(result.trades))
    if result.account_lost is not None:
        told.append(words("report.account_lost.told", **lost_fields(words, result.account_lost.to_dict())))
    return finished(chart, tables, words, look, title=words("chart.equity"), subtitle=told)


def _end(lost: AccountLost, tables: Tables, words: WordsLike, x: alt.X) -> list[alt.Chart]:
    """A line through the bar at which the account ended, and its name."""
    [time] = clock_times(pd.DatetimeIndex([lost.time]))
    at = alt.Chart(tables.add([{"time": time, "lost": words("report.account_lost.name")}]))
    return [
        at.mark_rule(color=RED, strokeWidth=1.5).encode(x=x),
        at.mark_text(align="right", dx=-5, dy=8, color=RED).encode(x=x, y=alt.value(0), text="lost:N"),
    ]


def line(series: pd.Series, name: str) -> list[dict[str, object]]:
    """Rows of a line, `time`, `value` and `what` it is; of long ones the extremes of each stretch."""
    values = series.to_numpy(dtype=float)
    places = min_max_places(values)
    times = clock_times(pd.DatetimeIndex(series.index[places]))
    return [{"time": time, "value": values[at], "what": name} for time, at in zip(times, places, strict=True)]
