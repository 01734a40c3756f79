"""Tab of a run's page: the champion's trades on development prices, as a table, on the chart, and counted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from nicegui import run as threads
from nicegui import ui
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from prompts import Words
from record.errors import ReportError
from record.record import RunRecord, as_recorded
from record.run_view import RunView
from reports.champion import LAST_BARS, Champion
from reports.charts.equity import drawdown
from reports.charts.indicators import Indicator
from reports.charts.style import BLUE, GREEN, GREY, ORANGE, PURPLE, RED, SKY, YELLOW
from threadx.web.frame import Site, Text, anchor, card, quiet_button, run_path
from threadx.web.panes import Line, Pane, Panes, bars
from threadx.web.ranked import Column, Ranked, Row, Value
from threadx.web.run_data import NothingToDraw, tested

CSV_NAME = "trades.csv"
AROUND = 30
"""Bars shown before and after a trade that is opened."""
_COLUMNS = ("number", "side", "entry", "exit", "bars", "return", "profit", "mae", "mfe", "reason")
_NUMBERS = frozenset({"number", "bars", "return", "profit", "mae", "mfe"})
_LINES = (BLUE, YELLOW, PURPLE, SKY, GREY)
_MOST_PANELS = 2
_BINS = 24


def known_trades(champion: Champion) -> pd.DataFrame:
    """The trades with how far each went against and in favour of its holder."""
    return champion.excursions


class Trades:
    """The tab; it is drawn when it is first looked at, and anew with another champion.

    Args:
        site: what the page belongs to.
        record: the run's.
    """

    def __init__(self, site: Site, record: RunRecord) -> None:
        self.site, self.words, self.record = site, site.words, record
        self._view = RunView()
        self._shown = ""
        self._open = False
        self._none = Text("p", self.words("web.trades.none"), "tx-soft")
        self._box = ui.element("div")

    def draw(self, view: RunView) -> None:
        """Take the run as it is now."""
        self._view = view

    async def look(self, *, opened: bool) -> None:
        """Draw the trades if they are looked at and others than before."""
        self._open = opened
        view = self._view
        if not opened or view.champion_spec is None or view.champion == self._shown:
            return
        self._shown = view.champion
        self._none.set_text(self.words("web.trades.drawing"))
        try:
            found = await threads.io_bound(self._read)
        except NothingToDraw:
            self._none.set_text(self.words("web.fold.no_prices"))
            return
        if found is None:  # the server is ending
            return
        self._none.set_visibility(False)
        self._box.clear()
        with self._box:
            self._draw(*found)

    def _read(self) -> tuple[Champion, pd.DataFrame, list[Indicator]]:
        about, view = self.record.about(), self._view
        champion = tested(self.site.home, about, view, view.champion_spec, self.words)
        return (
            champion,
            known_trades(champion),
            champion.indicators,
        )

    def _draw(self, champion: Champion, trades: pd.DataFrame, indicators: list[Indicator]) -> None:
        words = self.words

        def download() -> None:
            with ui.element("p"):
                anchor(words("web.trades.csv"), f"{run_path(self.record.run)}/{CSV_NAME}")

        draw_trades(
            champion,
            trades,
            indicators,
            words,
            who=words("report.who.champion"),
            chart=words("web.trades.chart"),
            title=words("web.trades.title", count=words.number(len(trades))),
            note=words("web.trades.excursions"),
            download=download,
        )


def draw_trades(
    champion: Champion,
    trades: pd.DataFrame,
    indicators: Sequence[Indicator],
    words: Words,
    *,
    who: str,
    chart: str,
    title: str,
    note: str,
    download: Callable[[], None],
    boundary: int | None = None,
) -> None:
    """Price, account and drawdown of a strategy, its trades as a table that leads to them, and as counts.

    Args:
        champion: the strategy and what it did.
        trades: as `known_trades` gives them.
        indicators: that its conditions read.
        words: language.
        who: the name of its line.
        chart: the heading over the chart.
        title: the heading over the table.
        note: below the table.
        download: draws what takes the trades home.
        boundary: place of the first bar of the holdout, where prices include it.
    """
    index = pd.DatetimeIndex(champion.prices.index)
    with card(chart):
        panes = Panes(
            words,
            index,
            _panes(champion, indicators, words, who),
            says=words("web.chart.price"),
            boundary=boundary,
        )
        with ui.element("div").classes("tx-buttons"):
            quiet_button(words("web.fold.all"), "zoom_out_map").on_click(lambda: panes.show(0, len(index)))
            last = words("web.trades.last", count=min(LAST_BARS, len(index)))
            quiet_button(last, "last_page").on_click(lambda: panes.show(len(index) - LAST_BARS, len(index)))
        Text("p", words("web.trades.key"), "tx-small")
    entered = index.get_indexer(pd.DatetimeIndex(trades["entry_time"]))
    left = index.get_indexer(pd.DatetimeIndex(trades["exit_time"]))

    def show(place: int) -> None:
        panes.show(int(entered[place]) - AROUND, int(left[place]) + AROUND)
        ui.run_javascript(f"getHtmlElement({panes.chart.id}).scrollIntoView({{block: 'center'}})")

    with card(title):
        columns = [
            Column(name=name, label=words(f"web.trades.{name}"), number=name in _NUMBERS)
            for name in _columns(trades)
        ]
        table = Ranked(words, columns, title=words("web.tab.trades"), per_page=8, opened=show, toned="return")
        table.table.classes("tx-lines")
        table.show([_row(place, trade, words) for place, trade in enumerate(trades.to_dict("records"))])
        download()
        Text("p", note, "tx-small")
    if len(trades):
        folded = ui.expansion(words("web.trades.distributions"), icon="bar_chart")
        with folded, ui.element("div").classes("tx-charts"):
            _distributions(trades, words)


def _panes(champion: Champion, indicators: Sequence[Indicator], words: Words, who: str) -> list[Pane]:
    """Price with levels and trades, other indicators, the account beside holding, and its drawdown."""
    index, result = champion.prices.index, champion.tested
    over = [one for one in indicators if one.on_price]
    panes = [
        Pane(
            title=words("chart.price_axis"),
            unit="price",
            lines=_lines(over, index),
            height=250,
            prices=champion.prices,
            trades=champion.trades,
        )
    ]
    families = dict.fromkeys(one.family for one in indicators if not one.on_price)
    for family in list(families)[:_MOST_PANELS]:
        members = [one for one in indicators if not one.on_price and one.family == family]
        panes.append(Pane(title=family, unit="number", lines=_lines(members, index), height=70))
    equity = (result.equity / result.initial_capital).reindex(index)
    closes = champion.prices["close"]
    fall = drawdown(result.equity, result.initial_capital).reindex(index)
    gained = [
        Line(
            name=words("report.who.market"),
            values=(closes / closes.iloc[0] - 1.0).to_numpy(),
            colour=YELLOW,
            dash="dotted",
        ),
        Line(name=who, values=(equity - 1.0).to_numpy(), colour=BLUE),
    ]
    lost = Line(name=words("chart.drawdown_axis"), values=fall.to_numpy(), colour=RED, area=True)
    panes.append(Pane(title=words("web.fold.growth"), unit="percent", lines=gained, height=110))
    panes.append(Pane(title=words("chart.drawdown_axis"), unit="percent", lines=[lost], height=70))
    return panes


def _lines(indicators: Sequence[Indicator], index: pd.Index) -> list[Line]:
    return [
        Line(
            name=one.label,
            values=one.values.reindex(index).to_numpy(dtype=np.float64),
            colour=_LINES[place % len(_LINES)],
        )
        for place, one in enumerate(indicators)
    ]


def _columns(trades: pd.DataFrame) -> list[str]:
    """Of the table; whose a trade is where several instruments are traded."""
    return [*_COLUMNS[:1], *(["instrument"] if "instrument" in trades else []), *_COLUMNS[1:]]


def _row(place: int, trade: dict[Any, Any], words: Words) -> Row:
    told = {
        "number": words.number(place + 1),
        "side": words(f"report.side.{trade['side']}"),
        "entry": words.bar_time(trade["entry_time"]),
        "exit": words.bar_time(trade["exit_time"]),
        "bars": words.number(int(trade["bars"])),
        "return": words.percent(trade["return"], 2, signed=True),
        "profit": words.number(trade["pnl"], signed=True),
        "mae": words.percent(trade["mae"], 2),
        "mfe": words.percent(trade["mfe"], 2),
        "reason": words(f"chart.exit_{trade['exit_reason']}"),
    }
    values: dict[str, Value] = {
        "number": place + 1,
        **{name: told[name] for name in ("side", "reason")},
        **{name: trade[f"{name}_time"].isoformat() for name in ("entry", "exit")},
        "bars": int(trade["bars"]),
        "return": float(trade["return"]),
        "profit": float(trade["pnl"]),
        "mae": float(trade["mae"]),
        "mfe": float(trade["mfe"]),
    }
    if "instrument" in trade:
        told["instrument"] = values["instrument"] = str(trade["instrument"])
    return Row(values=values, told=told, tone="good" if trade["pnl"] > 0.0 else "bad")


def _distributions(trades: pd.DataFrame, words: Words) -> None:
    """How often trades end with which return, how long they last, and when they are entered."""
    gained = trades["return"].to_numpy(dtype=np.float64)
    counts, edges = np.histogram(gained, bins=min(_BINS, max(4, len(gained) // 3)))
    middles = (edges[1:] + edges[:-1]) / 2
    names = [words.percent(float(edge), 1) for edge in middles]
    colours = [GREEN if middle > 0.0 else ORANGE for middle in middles]
    bars(words("web.trades.by_return"), names, counts.tolist(), colours, words)
    held = trades["bars"].to_numpy(dtype=np.int64)
    top = int(held.max())
    step = max(1, -(-(top + 1) // _BINS))
    counts = np.bincount(held // step)
    names = [
        f"{step * place}" if step == 1 else f"{step * place}–{step * place + step - 1}"
        for place in range(len(counts))
    ]
    bars(words("web.trades.by_bars"), names, counts.tolist(), [BLUE] * len(counts), words)
    entries = pd.DatetimeIndex(trades["entry_time"])
    average = trades["return"].groupby(np.asarray(entries.dayofweek)).mean()
    days = [words(f"web.weekday.{day}") for day in average.index]
    _averages(words("web.trades.by_weekday"), days, average, words)
    if entries.hour.nunique() > 1:
        average = trades["return"].groupby(np.asarray(entries.hour)).mean()
        _averages(words("web.trades.by_hour"), [f"{hour} h" for hour in average.index], average, words)


def _averages(title: str, names: list[str], average: pd.Series, words: Words) -> None:
    values = [float(f"{value:.6g}") for value in average]
    bars(title, names, values, [GREEN if value > 0.0 else ORANGE for value in values], words, unit="percent")


def trades_csv(site: Site, request: Request) -> Response:
    """`/threadx/runs/{run}/trades.csv`: every trade of the champion on development prices, in a thread."""
    try:
        record = RunRecord(site.home, request.path_params["run"])
        with as_recorded(record.folder):
            about, view = record.about(), RunView.of(record.events())
            champion = tested(site.home, about, view, view.champion_spec, site.words)
            content = known_trades(champion).to_csv(index=False)
    except (NothingToDraw, ReportError):
        return PlainTextResponse(site.words("web.not_found.run"), 404)
    name = Path(record.run).name
    kept_as = {"content-disposition": f'attachment; filename="{name}.{CSV_NAME}"'}
    return Response(content, media_type="text/csv; charset=utf-8", headers=kept_as)
