"""Charts that move: linked panes with zoom, pan and crosshair, drawn by ECharts, which comes with NiceGUI.

However long a series is, about `MOST_POINTS` of its points are in the browser: over the whole history the
extremes of each stretch, and every bar of the window that is looked at as far as a screen can show them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from nicegui import events, ui
from numpy.typing import NDArray

from prompts import Words
from prompts.words import MINUS
from reports.charts.equity import largest_trades
from reports.charts.reduction import min_max_places
from reports.charts.style import GREEN, ORANGE
from reports.comparison import Floats
from threadx.web.frame import attribute

MOST_POINTS = 3_000
"""Points of a line in the browser; a shorter line is there whole."""
_OVERVIEW = 1_000
MOST_CANDLES = 900
MOST_MARKED = 200
"""More than a screen can tell apart only make it slow."""
_SETTLED_SECONDS = 0.15
_TOP, _BETWEEN, _BOTTOM, _SIDE = 44, 22, 46, 52
_FAINT = 0.07

Unit = Literal["percent", "number", "price"]
Dash = Literal["solid", "dashed", "dotted"]
Places = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line.

    Attributes:
        name: in the legend.
        values: one a bar; NaN is a gap.
        colour: of the line.
        dash: so that lines are told apart without their colours too.
        area: filled down to 0.
    """

    name: str
    values: Floats
    colour: str
    dash: Dash = "solid"
    area: bool = False


@dataclass(frozen=True, kw_only=True)
class Pane:
    """Lines over one vertical axis.

    Attributes:
        title: over the axis.
        unit: of the values; fractions are shown as percentages.
        lines: drawn in order.
        height: in pixels; 0 for a single pane that is as high as the page's style says.
        prices: candles under the lines: open, high, low, close, one row a bar.
        trades: marked on the candles: `entry_time`, `entry_price`, `exit_time`, `exit_price`, `side`, `pnl`.
    """

    title: str
    unit: Unit
    lines: Sequence[Line]
    height: int
    prices: pd.DataFrame | None = None
    trades: pd.DataFrame | None = None


def own_clock(index: pd.DatetimeIndex) -> pd.DatetimeIndex:
    """The times as their own zone's clock shows them, without the zone."""
    return index.tz_localize(None) if index.tz is not None else index


def milliseconds(index: pd.DatetimeIndex) -> NDArray[np.int64]:
    """The times on their own clock, as ECharts counts them."""
    return own_clock(index).to_numpy().astype("datetime64[ms]").astype(np.int64)


def places_to_draw(values: Floats, low: int, high: int, most: int = MOST_POINTS) -> Places:
    """Which points to draw of a line whose bars from `low` to before `high` are looked at.

    Args:
        values: n numbers; NaN is a gap.
        low: first place looked at, 0 at least.
        high: first place after it, n at most.
        most: points at most.

    Returns:
        Places in order: all where n ≤ most; else the extremes of stretches, finer ones where one looks.
    """
    if values.size <= most:
        return np.arange(values.size)
    inside = low + min_max_places(values[low:high], most - _OVERVIEW)
    outside = min_max_places(values, _OVERVIEW)
    return np.union1d(outside[(outside < low) | (outside >= high)], inside)


class Panes:
    """The chart, under one another and over the same times.

    Args:
        words: language.
        index: times of the bars.
        panes: from top to bottom.
        says: what it shows, for those who cannot see it.
        boundary: place of the first bar of the holdout, drawn as a line with the ground tinted behind it.
    """

    def __init__(
        self,
        words: Words,
        index: pd.DatetimeIndex,
        panes: Sequence[Pane],
        *,
        says: str,
        boundary: int | None = None,
    ) -> None:
        self.words = words
        self._take(index, panes, boundary)
        box = attribute(attribute(ui.element("div").classes("tx-panes"), "role", "img"), "aria-label", says)
        with box:
            self.chart = ui.echart(self._options()).classes("tx-pane-chart")
        if panes[0].height:
            height = _TOP + _BOTTOM + sum(pane.height for pane in panes) + _BETWEEN * (len(panes) - 1)
            self.chart.style(f"height: {height}px")
        self.chart.on(
            "chart:datazoom",
            self._moved,
            args=["start", "end", "startValue", "endValue", "batch"],
            throttle=_SETTLED_SECONDS,
            leading_events=False,
        )

    def _take(self, index: pd.DatetimeIndex, panes: Sequence[Pane], boundary: int | None) -> None:
        self.times, self.panes, self._boundary = milliseconds(index), panes, boundary

    def replace(self, index: pd.DatetimeIndex, panes: Sequence[Pane], *, boundary: int | None = None) -> None:
        """Draw other values in the same chart, the whole of them: as many lines as before."""
        # An element that is taken away before ECharts has begun is an error in the browser.
        self._take(index, panes, boundary)
        self.chart.options.clear()
        self.chart.options.update(self._options())
        self.chart.update()

    def show(self, low: int, high: int) -> None:
        """Look at the bars from `low` to `high`."""
        last = len(self.times) - 1
        window = {"startValue": int(self.times[max(0, low)]), "endValue": int(self.times[min(last, high)])}
        self.chart.run_chart_method("dispatchAction", {"type": "dataZoom", **window})

    def _moved(self, event: events.GenericEventArguments) -> None:
        if len(self.times) <= MOST_POINTS:
            return
        low, high = self._window(event.args)
        self.chart.run_chart_method(
            "setOption", {"series": [{"data": data} for data in self._data(low, high)]}
        )

    def _window(self, told: Mapping[str, Any]) -> tuple[int, int]:
        """The places that are looked at, by what the browser says: times, or percentages of the whole."""
        one = (told.get("batch") or [told])[0]
        first, last = int(self.times[0]), int(self.times[-1])
        ends = []
        for name, usual in (("start", 0.0), ("end", 100.0)):
            value, share = one.get(f"{name}Value"), one.get(name)
            if not isinstance(value, int | float):
                share = share if isinstance(share, int | float) else usual
                value = first + (last - first) * share / 100.0
            ends.append(value)
        low, high = np.searchsorted(self.times, ends)
        return max(0, int(low) - 1), min(len(self.times), int(high) + 1)

    def _data(self, low: int, high: int) -> list[list[list[Any]]]:
        """The points of every series, in the order of `_series`."""
        found = []
        for pane in self.panes:
            if pane.prices is not None:
                found.append(self._candles(pane.prices, low, high))
            for line in pane.lines:
                places = places_to_draw(line.values, low, high)
                values = line.values[places]
                found.append(
                    [
                        [time, None if np.isnan(value) else float(f"{value:.7g}")]
                        for time, value in zip(self.times[places].tolist(), values.tolist(), strict=True)
                    ]
                )
            if pane.trades is not None:
                found += _marks(self._trades_near(pane.trades, low, high))
        return found

    def _trades_near(self, trades: pd.DataFrame, low: int, high: int) -> pd.DataFrame:
        """The trades that touch the window; of many the largest."""
        if len(self.times) <= MOST_POINTS:
            return trades
        entered = milliseconds(pd.DatetimeIndex(trades["entry_time"]))
        left = milliseconds(pd.DatetimeIndex(trades["exit_time"]))
        near = (left >= self.times[low]) & (entered <= self.times[high - 1])
        return largest_trades(trades[near], MOST_MARKED)

    def _candles(self, prices: pd.DataFrame, low: int, high: int) -> list[list[Any]]:
        """Time, open, close, low, high of bars, put together as far as a screen cannot show them apart."""
        total, most = len(prices), MOST_CANDLES
        if total <= most:
            starts = np.arange(total)
        else:
            stretch = max(1, -(-(high - low) // (most - MOST_CANDLES // 3)))
            coarse = max(stretch, -(-total // (MOST_CANDLES // 3)))
            starts = np.unique(
                np.concatenate(
                    [np.arange(0, low, coarse), np.arange(low, high, stretch), np.arange(high, total, coarse)]
                )
            )
        stops = np.append(starts[1:], total) - 1
        columns = (
            self.times[starts],
            prices["open"].to_numpy()[starts],
            prices["close"].to_numpy()[stops],
            np.minimum.reduceat(prices["low"].to_numpy(), starts),
            np.maximum.reduceat(prices["high"].to_numpy(), starts),
        )
        return [list(row) for row in zip(*(column.tolist() for column in columns), strict=True)]

    def _options(self) -> dict[str, Any]:
        last = len(self.panes) - 1
        axes = list(range(len(self.panes)))
        grids, horizontal, vertical, top = [], [], [], _TOP
        for place, pane in enumerate(self.panes):
            high = {"height": pane.height} if pane.height else {"bottom": _BOTTOM}
            grids.append({"left": _SIDE, "right": 14, "top": top, **high})
            top += pane.height + _BETWEEN
            horizontal.append(self._time_axis(place, shown=place == last))
            vertical.append(
                {
                    "gridIndex": place,
                    "scale": True,
                    "name": pane.title,
                    "nameTextStyle": {"align": "left", ":color": css("--soft")},
                    "nameGap": 8,
                    "splitNumber": 2 if 0 < pane.height <= 100 else 4,
                    "axisLabel": {":color": css("--soft"), ":formatter": _written(pane.unit, self.words)},
                    "splitLine": {"lineStyle": {":color": css("--rule")}},
                    "axisPointer": {
                        "label": {":formatter": f"one => ({_written(pane.unit, self.words)})(one.value)"}
                    },
                }
            )
        zoom = {
            "xAxisIndex": axes,
            "start": 0,
            "end": 100,
            "minValueSpan": 10 * int(np.median(np.diff(self.times[:1000]))),
        }
        return {
            "animation": False,
            "useUTC": True,
            "grid": grids,
            "xAxis": horizontal,
            "yAxis": vertical,
            "textStyle": {":fontFamily": font()},
            "legend": {
                "type": "scroll",  # one line: a second one would cover the axes on a phone
                "top": 0,
                "left": 0,
                "right": 0,
                "itemGap": 12,
                ":pageIconColor": css("--accent"),
                ":pageIconInactiveColor": css("--rule"),
                "pageTextStyle": {":color": css("--soft")},
                "itemWidth": 22,
                "textStyle": {":color": css("--ink")},
            },
            "axisPointer": {"link": [{"xAxisIndex": "all"}], "label": {":backgroundColor": css("--accent")}},
            "tooltip": {
                "trigger": "axis",
                "confine": True,
                "axisPointer": {"type": "cross"},
                ":backgroundColor": css("--card"),
                ":borderColor": css("--rule"),
                "textStyle": {":color": css("--ink"), "fontSize": 12},
            },
            "dataZoom": [
                # A page that is scrolled must not stop at a chart: the wheel zooms with Ctrl, a finger pans.
                {"type": "inside", "zoomOnMouseWheel": "ctrl", "preventDefaultMouseMove": False, **zoom},
                {
                    "type": "slider",
                    "height": 20,
                    "bottom": 4,
                    "left": _SIDE,
                    "right": 14,
                    "showDetail": False,
                    **zoom,
                },
            ],
            "series": self._series(),
        }

    def _time_axis(self, place: int, *, shown: bool) -> dict[str, Any]:
        return {
            "type": "time",
            "gridIndex": place,
            "min": int(self.times[0]),
            "max": int(self.times[-1]),
            "axisLine": {"lineStyle": {":color": css("--soft")}},
            "axisLabel": {
                "show": shown,
                "hideOverlap": True,
                ":color": css("--soft"),
                "formatter": {
                    "year": "{yyyy}",
                    "month": "{yyyy}-{MM}",
                    "day": "{MM}-{dd}",
                    "hour": "{HH}:{mm}",
                },
            },
            "axisPointer": {"label": {"show": shown, ":formatter": _MOMENT}},
        }

    def _series(self) -> list[dict[str, Any]]:
        data = iter(self._data(0, len(self.times)))
        found: list[dict[str, Any]] = []
        for place, pane in enumerate(self.panes):
            axes = {"xAxisIndex": place, "yAxisIndex": place}
            first = len(found)
            if pane.prices is not None:
                found.append(
                    {"type": "candlestick", "name": pane.title, "data": next(data), **axes, **_CANDLES}
                )
            for line in pane.lines:
                found.append(
                    {
                        "type": "line",
                        "name": line.name,
                        "data": next(data),
                        "symbol": "none",
                        "lineStyle": {"width": 1.6, "type": line.dash},
                        "itemStyle": {"color": line.colour},
                        "tooltip": {":valueFormatter": _written(pane.unit, self.words)},
                        **({"areaStyle": {"opacity": 0.25}} if line.area else {}),
                        **axes,
                    }
                )
            if pane.trades is not None:
                names = (f"chart.{name}" for name in ("entry", "exit"))
                for name, symbol, size in zip(names, ("triangle", "diamond"), (11, 9), strict=True):
                    found.append(
                        {
                            "type": "scatter",
                            "name": self.words(name),
                            "data": next(data),
                            "symbol": symbol,
                            "symbolSize": size,
                            # Marks have the colour of their own trade; the legend tells only their shape.
                            "itemStyle": {
                                ":color": css("--soft"),
                                ":borderColor": css("--card"),
                                "borderWidth": 1,
                            },
                            "tooltip": {":valueFormatter": _written(pane.unit, self.words)},
                            "z": 5,
                            **axes,
                        }
                    )
            found[first] |= self._edge(named=place == 0)
        return found

    def _edge(self, *, named: bool) -> dict[str, Any]:
        """The boundary, and the ground behind it; nothing where there is none."""
        if self._boundary is None:
            return {"markLine": {"data": []}, "markArea": {"data": []}}
        at, last = int(self.times[self._boundary]), int(self.times[-1])
        label = {"show": named, "formatter": self.words("web.fold.holdout"), "position": "end", "distance": 3}
        return {
            "markLine": {
                "silent": True,
                "symbol": "none",
                "animation": False,
                "label": {**label, "fontWeight": 600, ":color": css("--ink")},
                "lineStyle": {":color": css("--ink"), "type": "solid", "width": 1.5},
                "data": [{"xAxis": at}],
            },
            "markArea": {
                "silent": True,
                "itemStyle": {":color": css("--accent"), "opacity": _FAINT},
                "data": [[{"xAxis": at}, {"xAxis": last}]],
            },
        }


_MOMENT = "one => new Date(one.value).toISOString().slice(0, 16).replace('T', ' ').replace(' 00:00', '')"
_CANDLES = {"itemStyle": {"color": GREEN, "color0": ORANGE, "borderColor": GREEN, "borderColor0": ORANGE}}


def _written(unit: Unit, words: Words) -> str:
    """A function of JavaScript that writes a value as the reader's language does."""
    place = "fr-FR" if words.language == "fr" else "en-GB"
    form = {
        "percent": "{style: 'percent', maximumFractionDigits: 1}",
        "price": "{maximumSignificantDigits: 6}",
        "number": "{maximumFractionDigits: 2}",
    }[unit]
    written = f"new Intl.NumberFormat('{place}', {form}).format(value).replace('-', '{MINUS}')"
    return f"value => value == null || value === '-' ? '–' : {written}"


def font() -> str:
    """The page's font."""
    return "getComputedStyle(document.body).fontFamily"


def css(name: str) -> str:
    """A colour of the page's style, in light and in dark."""
    return f"getComputedStyle(document.body).getPropertyValue('{name}').trim()"


def _marks(trades: pd.DataFrame) -> list[list[Any]]:
    """Entries and exits as points; what is up or down in them is told by the trade's side and its profit."""
    turned = np.where(trades["side"].to_numpy() == "long", 0, 180)
    won = np.where(trades["pnl"].to_numpy() > 0.0, GREEN, ORANGE)
    found = []
    for name in ("entry", "exit"):
        times = milliseconds(pd.DatetimeIndex(trades[f"{name}_time"]))
        prices = trades[f"{name}_price"].to_numpy()
        found.append(
            [
                {"value": [time, price], "symbolRotate": turn, "itemStyle": {"color": colour}}
                for time, price, turn, colour in zip(
                    times.tolist(), prices.tolist(), turned.tolist(), won.tolist(), strict=True
                )
            ]
        )
    return found


def bars(
    title: str,
    names: Sequence[str],
    values: Sequence[float],
    colours: Sequence[str],
    words: Words,
    *,
    unit: Unit = "number",
) -> None:
    """A small chart of bars under its title."""
    shown = _written(unit, words)
    options = {
        "animation": False,
        "textStyle": {":fontFamily": font()},
        "grid": {"left": _SIDE, "right": 14, "top": 10, "bottom": 30},
        "xAxis": {
            "type": "category",
            "data": list(names),
            "axisLabel": {":color": css("--soft"), "hideOverlap": True},
        },
        "yAxis": {
            "axisLabel": {":color": css("--soft"), ":formatter": shown},
            "splitLine": {"lineStyle": {":color": css("--rule")}},
        },
        "tooltip": {
            "trigger": "axis",
            "confine": True,
            ":valueFormatter": shown,
            ":backgroundColor": css("--card"),
            "textStyle": {":color": css("--ink")},
        },
        "series": [
            {
                "type": "bar",
                "data": [
                    {"value": value, "itemStyle": {"color": colour}}
                    for value, colour in zip(values, colours, strict=True)
                ],
            }
        ],
    }
    with ui.element("figure").classes("tx-figure"):
        with ui.element("figcaption"):
            ui.label(title)
        box = attribute(attribute(ui.element("div"), "role", "img"), "aria-label", title)
        with box:
            ui.echart(options).style("height: 190px; width: 100%")
