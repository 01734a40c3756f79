"""The heat map of a sweep: a cell leads to the backtest behind it. Over one parameter it is a row of bars."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from nicegui import events, ui

from prompts import Words
from reports.charts.style import BLUE, ORANGE
from reports.charts.sweep import Heat, HeatCell, colours
from threadx.web.frame import Text, attribute
from threadx.web.panes import css, font

_ROW, _AROUND = 26, 150
"""Pixels of a row, and of what stands around the rows."""
_MOST_FIGURES = 15
"""Columns up to which a cell has room for its figure."""


def draw_heat(shown: Heat, words: Words, opened: Callable[[Mapping[str, Any]], object]) -> None:
    """Draw it.

    Args:
        shown: the cells.
        words: language.
        opened: called with the values of the parameters of a cell that was pressed.
    """

    def press(event: events.EChartPointClickEventArguments) -> object:
        return opened(shown.cells[event.data_index].values)  # awaited, where it is to be

    Text("h3", shown.title)
    for line in shown.lines:
        Text("p", line, "tx-small")
    says = " ".join((shown.title, shown.lines[0]))
    with attribute(attribute(ui.element("div").classes("tx-panes"), "role", "img"), "aria-label", says):
        options = _map(shown) if len(shown.axes) == 2 else _bars(shown)
        chart = ui.echart(options, on_point_click=press).classes("tx-pane-chart")
        rows = len(shown.axes[1].labels) if len(shown.axes) == 2 else 6
        chart.style(f"height: {_AROUND + min(640, max(160, _ROW * rows))}px")
    Text("p", words("web.sweep.press"), "tx-small")


def _axis(shown: Heat, place: int) -> dict[str, Any]:
    axis = shown.axes[place]
    return {
        "type": "category",
        "data": list(axis.labels),
        "name": axis.name,
        "nameLocation": "middle",
        "nameGap": 28 if place == 0 else 44,
        "nameTextStyle": {":color": css("--soft")},
        "axisLabel": {":color": css("--soft"), "hideOverlap": True},
        "axisLine": {"lineStyle": {":color": css("--soft")}},
    }


def _tooltip() -> dict[str, Any]:
    return {
        "confine": True,
        ":formatter": "one => one.data.told",
        ":backgroundColor": css("--card"),
        ":borderColor": css("--rule"),
        "textStyle": {":color": css("--ink"), "fontSize": 12},
    }


def _told(cell: HeatCell, shown: Heat) -> str:
    """What a cell shows when it is pointed at; labels are figures of ours, never markup."""
    at = [f"{axis.name} {axis.labels[place]}" for axis, place in zip(shown.axes, cell.places, strict=True)]
    return f"{', '.join(at)}<br>{shown.named} <b>{cell.figure}</b>"


def _map(shown: Heat) -> dict[str, Any]:
    values = np.array([cell.value for cell in shown.cells], dtype=float)
    chosen = colours(values[~np.isnan(values)])
    figures = len(shown.axes[0].labels) <= _MOST_FIGURES
    data = []
    for cell in shown.cells:
        undefined = math.isnan(cell.value)
        dark = undefined or not chosen.dark_from <= cell.value <= chosen.dark_to
        data.append(
            {
                "value": [*cell.places, "-" if undefined else cell.value],
                "told": _told(cell, shown),
                "label": {"show": figures, "formatter": cell.figure, "color": "#fff" if dark else "#1f2328"},
                **({"itemStyle": {":borderColor": css("--ink"), "borderWidth": 3}} if cell.best else {}),
            }
        )
    return {
        "animation": False,
        "textStyle": {":fontFamily": font()},
        "grid": {"left": 64, "right": 12, "top": 8, "bottom": 108},
        "xAxis": _axis(shown, 0),
        "yAxis": _axis(shown, 1),
        "tooltip": _tooltip(),
        "visualMap": {
            "min": chosen.low,
            "max": chosen.high,
            "calculable": False,
            "orient": "horizontal",
            "left": "center",
            "bottom": 4,
            "precision": 2,
            "textStyle": {":color": css("--soft")},
            "inRange": {"color": list(chosen.range)},
        },
        "series": [{"type": "heatmap", "data": data, "cursor": "pointer", "progressive": 0}],
    }


def _bars(shown: Heat) -> dict[str, Any]:
    data = [
        {
            "value": "-" if math.isnan(cell.value) else cell.value,
            "told": _told(cell, shown),
            "itemStyle": {"color": ORANGE if cell.best else BLUE},
        }
        for cell in shown.cells
    ]
    return {
        "animation": False,
        "textStyle": {":fontFamily": font()},
        "grid": {"left": 52, "right": 12, "top": 12, "bottom": 48},
        "xAxis": _axis(shown, 0),
        "yAxis": {
            "axisLabel": {":color": css("--soft")},
            "splitLine": {"lineStyle": {":color": css("--rule")}},
        },
        "tooltip": _tooltip(),
        "series": [{"type": "bar", "data": data, "cursor": "pointer"}],
    }
