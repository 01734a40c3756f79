"""What the workbench shows of a backtest and of a sweep."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Protocol

import pandas as pd
from nicegui import ui

from backtest.engine.ranking import ACCOUNT_LOST
from prompts import Words
from reports.charts.sweep import Heat
from reports.conditions import in_words
from reports.words import figure, setting_name
from threadx.web.by_hand import Sweep, Tried
from threadx.web.frame import NEW_PATH, Table, Text, anchor, card, fact, quiet_button
from threadx.web.heat_map import draw_heat
from threadx.web.naming import strategy_name
from threadx.web.order import order_query
from threadx.web.ranked import Column, Ranked, Row
from threadx.web.run_trades import CSV_NAME, draw_trades

_FACTS = ("total_return", "sharpe_ratio", "max_drawdown", "n_trades")
_SHOWN = ("sharpe_ratio", "total_return", "max_drawdown", "profit_factor", "n_trades")
_WIDE = frozenset({"max_drawdown", "profit_factor", "n_trades"})
"""Left out on a phone: the backtest that a row opens has them."""


class Opened(Protocol):
    """Called with a cell's values, or with all of a configuration's (`whole`)."""

    async def __call__(self, cell: Mapping[str, Any], *, whole: bool) -> None:
        """Open the backtest behind them."""


def draw_backtest(found: Tried, words: Words) -> None:
    """Figures beside holding, the way on, and price, account, drawdown and trades."""
    told, metrics, spec = found.told, found.champion.tested.metrics, found.champion.spec
    with card(told.title):
        _meaning(found, words)
        with ui.element("div").classes("tx-facts"):
            for name in _FACTS:
                fact(words(f"report.metric.{name}"), figure(words, name, metrics[name]))
            fact(words("report.who.market"), words.percent(found.card.holding.metrics.total_return))
            fact(words("card.score"), words.number(found.score))
        if told.lost:
            Text("p", told.lost, "tx-warn")
        with ui.element("div").classes("tx-buttons"):
            if not spec.inputs:
                anchor(words("web.bench.optimise"), f"{NEW_PATH}?{order_query(found.order)}", "tx-button")
        if spec.inputs:
            Text("p", words("web.further.by_hand"), "tx-small")
        Text("p", words("web.bench.counted", count=words.number(found.counted)), "tx-small")
        with ui.expansion(words("web.bench.figures"), icon="table_rows").classes("tx-wide"):
            Text("code", told.strategy)
            table = Table(told.head, numbers=(1, 2), cards=False)
            for row in told.rows:
                table.row(row)
            with ui.element("ul").classes("tx-list"):
                for name, value in (*told.facts, *told.trades):
                    Text("li", words("report.pair", name=name, value=value))
            if told.exits:
                exits = Table(told.exits_head, numbers=range(1, len(told.exits_head)))
                for row in told.exits:
                    exits.row(row)
        for note in told.notes:
            Text("p", note, "tx-small")

    def download() -> None:
        def keep() -> None:
            content = found.trades.to_csv(index=False).encode()
            ui.download(content, CSV_NAME, "text/csv; charset=utf-8")

        quiet_button(words("web.trades.csv"), "download").on_click(keep)

    draw_trades(
        found.champion,
        found.trades,
        found.indicators,
        words,
        who=words("card.strategy"),
        chart=words("web.bench.chart"),
        title=words("web.bench.trades", count=words.number(len(found.trades))),
        note=words("web.bench.excursions"),
        download=download,
        boundary=found.boundary,
    )


def _meaning(found: Tried, words: Words) -> None:
    """The strategy in words, with its values."""
    spec = found.champion.spec
    name = strategy_name(spec.model_dump(mode="json"), words)
    Text("p", f"{name[:1].upper()}{name[1:]}", "tx-next")
    for place, tree in spec.bound_trees.items():
        told = words("report.pair", name=words(f"web.form.{place}"), value=in_words(tree, words))
        Text("p", told, "tx-meaning")
    if settings := {**spec.risk.active(), **spec.sizing.active()}:
        values = [
            setting_name(name, words)
            if value is True
            else words(
                "report.pair",
                name=setting_name(name, words),
                value=value if isinstance(value, str) else words.short(value),
            )
            for name, value in settings.items()
        ]
        Text("p", "; ".join(values), "tx-meaning")


def draw_sweep(sweep: Sweep, shown: Heat, words: Words, opened: Opened) -> None:
    """How many, the heat map, and the best configurations as a table."""
    found = sweep.found
    assert found is not None, "it is finished"
    rows = found.top.to_dict("records")
    dropped = sum(found.dropped_by.values())
    with card(words("web.sweep.found", title=sweep.title)):
        Text("p", words("command.sweep_done", rows=words.number(found.rows), dropped=words.number(dropped)))
        for code, count in sorted(found.dropped_by.items()):
            Text("p", words(f"command.dropped.{code}", count=words.number(count)), "tx-small")
        Text("p", words("web.sweep.chosen"), "tx-small")
        if found.lost:
            Text("p", words("command.sweep_lost", count=words.number(found.lost)), "tx-warn")

        async def press(values: Mapping[str, Any]) -> None:
            await opened(values, whole=False)

        draw_heat(shown, words, press)
        columns = [Column(name="rank", label=words("web.trades.number"), number=True)]
        columns += [Column(name=name, label=setting_name(name, words), number=True) for name in sweep.grid]
        columns += [
            Column(name=name, label=words(f"report.metric.{name}"), number=True, wide=name in _WIDE)
            for name in _SHOWN
        ]

        async def choose(place: int) -> None:
            await opened(_values(rows[place], sweep), whole=True)

        Text("h3", words("web.sweep.best"))
        table = Ranked(words, columns, title=words("web.sweep.best"), per_page=10, opened=choose)
        table.show([_row(place, row, sweep, words) for place, row in enumerate(rows)])
        if len(rows) < found.rows:
            Text(
                "p",
                words("command.sweep_shown", shown=words.number(len(rows)), rows=words.number(found.rows)),
                "tx-small",
            )


def _values(row: Mapping[Any, Any], sweep: Sweep) -> dict[str, Any]:
    return {name: None if pd.isna(row[name]) else row[name] for name in sweep.grid}


def _row(place: int, row: Mapping[Any, Any], sweep: Sweep, words: Words) -> Row:
    figures = {name: None if math.isnan(row[name]) else row[name] for name in _SHOWN}
    values = _values(row, sweep)
    told = {"rank": words.number(place + 1)}
    told |= {name: words("chart.off") if one is None else words.short(one) for name, one in values.items()}
    told |= {name: figure(words, name, one) for name, one in figures.items()}
    lost = not pd.isna(row[ACCOUNT_LOST])
    return Row(values={"rank": place + 1, **values, **figures}, told=told, tone="bad" if lost else "")
