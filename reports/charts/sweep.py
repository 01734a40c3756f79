"""What a sweep found: a heat map over two parameters, or a line over one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
import pyarrow.parquet as parquet
from numpy.typing import NDArray

from backtest.engine.ranking import ACCOUNT_LOST, best_first
from record.errors import ReportError
from reports.charts.style import BLUE, ORANGE, PAPER, Look, Tables, finished, layered
from reports.words import FRACTIONS, WordsLike, figure, setting_name

MOST_VALUES = 200
"""More values than this on one axis, and neighbours share a cell."""

_AROUND_ZERO = ("#8a3a00", "#e8a06a", "#f7f7f7", "#6aaed6", "#08468b")
# Viridis: it rises in lightness alone, so it is read in grey and by those who see few colours.
_RISING = (
    "#440154",
    "#482878",
    "#3e4989",
    "#31688e",
    "#26828e",
    "#1f9e89",
    "#35b779",
    "#6ece58",
    "#b5de2b",
    "#fde725",
)

_SMALLEST_CELL, _LARGEST_CELL = 4, 46
_ROOM_FOR_FIGURE = (34, 16)
"""Width and height in pixels that a cell needs before its figure is written into it."""


@dataclass(frozen=True, kw_only=True)
class Cells:
    """The best value of a metric at each combination of one or two parameters.

    Attributes:
        axes: names of the parameters, horizontal first.
        metric: name of the metric; the largest value is the best.
        table: columns `axes` and `metric`; NaN is off for a parameter, undefined for the metric.
        others: names of the parameters that the best was taken over.
    """

    axes: tuple[str, ...]
    metric: str
    table: pd.DataFrame
    others: tuple[str, ...] = ()


def axes_to_draw(grid: Mapping[str, Sequence[Any]], chosen: Sequence[str] = ()) -> tuple[str, ...]:
    """The one or two parameters to draw: those asked for, else the first two that vary.

    Raises:
        ReportError: `unknown_axis`, `too_many_axes` or `nothing_varies`.
    """
    varying = tuple(name for name, values in grid.items() if len(values) > 1)
    for name in chosen:
        if name not in grid:
            raise ReportError("unknown_axis", name=name, known=", ".join(grid))
    if len(set(chosen)) != len(chosen) or len(chosen) > 2:
        raise ReportError("too_many_axes", names=", ".join(chosen))
    axes = tuple(chosen) or varying[:2]
    if not axes:
        raise ReportError("nothing_varies", names=", ".join(grid))
    return axes


def sweep_cells(file: Path, grid: Mapping[str, Sequence[Any]], axes: Sequence[str], metric: str) -> Cells:
    """Read a sweep's Parquet file batch by batch, and keep the best at each combination of the axes.

    Configurations that lost their account have no value: a cell of which all do is empty.

    Args:
        file: as `backtest.sweep_to_parquet` writes it.
        grid: the values swept, by name.
        axes: one or two names of the grid.
        metric: a column of the file.
    """
    names = list(axes)
    best: pd.Series | None = None
    for batch in parquet.ParquetFile(file).iter_batches(columns=[*names, metric, ACCOUNT_LOST]):
        rows = batch.to_pandas()
        rows[metric] = rows[metric].mask(rows[ACCOUNT_LOST].notna())
        found = rows.groupby(names, dropna=False, sort=True)[metric].max()
        if best is not None:
            found = pd.concat([best, found]).groupby(level=names, dropna=False, sort=True).max()
        best = found
    assert best is not None  # a sweep without a row is an error, not a file
    others = tuple(name for name, values in grid.items() if name not in axes and len(values) > 1)
    return Cells(axes=tuple(axes), metric=metric, table=best.reset_index(), others=others)


@dataclass(frozen=True, kw_only=True)
class HeatCell:
    """A cell of a heat map, or a point of a line.

    Attributes:
        places: on the axes, from 0.
        values: of the parameters, by name, where the metric is best within the cell; NaN is off.
        value: the metric; NaN where it is undefined.
        figure: the metric as people read it.
        best: it is the best of all.
    """

    places: tuple[int, ...]
    values: Mapping[str, Any]
    value: float
    figure: str
    best: bool


@dataclass(frozen=True, kw_only=True)
class Heat:
    """What a picture of a sweep shows, whatever draws it.

    Attributes:
        title: over it.
        lines: below the title: the best, and how cells are to be read.
        named: the metric in words.
        axes: one or two.
        cells: in the order of the axes.
    """

    title: str
    lines: Sequence[str]
    named: str
    axes: Sequence[Axis]
    cells: Sequence[HeatCell]


def heat(cells: Cells, words: WordsLike) -> Heat:
    """The cells with their labels; neighbours share one where an axis has too many values to see."""
    table, metric = cells.table, cells.metric
    axes = [Axis(name, table[name], words) for name in cells.axes]
    rows = pd.DataFrame({"value": table[metric].to_numpy(dtype=float)})
    keys = list("xy"[: len(axes)])
    for key, axis in zip(keys, axes, strict=True):
        rows[key] = axis.bins
    first = rows.sort_values("value", ascending=False, na_position="last", kind="stable")
    shown = first.drop_duplicates(keys).sort_values(keys)
    top = _best_row(table, metric)
    marked = None if top is None else tuple(int(axis.bins[top]) for axis in axes)
    found = [
        HeatCell(
            places=(places := tuple(int(row[key]) for key in keys)),
            values={name: table[name].iloc[place] for name in cells.axes},
            value=float(row["value"]),
            figure=figure(words, metric, _or_none(row["value"])),
            best=places == marked,
        )
        for place, row in zip(shown.index, shown.to_dict("records"), strict=True)
    ]
    named = words(f"report.metric.{metric}")
    lines = [_told_best(cells, top, words)]
    if cells.others:
        lines.append(
            words("chart.best_over", names=", ".join(setting_name(name, words) for name in cells.others))
        )
    if len(axes) == 2 and len(found) < len(axes[0].labels) * len(axes[1].labels):
        lines.append(words("chart.blank"))
    if any(axis.merged > 1 for axis in axes):
        lines.append(words("chart.merged", count=max(axis.merged for axis in axes)))
    title = words(
        "chart.heat_map" if len(axes) == 2 else "chart.one_parameter",
        metric=named,
        **dict(zip(("first", "second"), (axis.name for axis in axes), strict=False)),
    )
    return Heat(title=title, lines=lines, named=named, axes=axes, cells=found)


def best_values(file: Path, names: Sequence[str], at: Mapping[str, Any], metric: str) -> dict[str, Any]:
    """The values of a whole grid at its best row among those of one cell; None is off.

    Args:
        file: as `backtest.sweep_to_parquet` writes it.
        names: of the grid.
        at: values of some of them.
        metric: that says which row is best.
    """
    best: pd.DataFrame | None = None
    for batch in parquet.ParquetFile(file).iter_batches(columns=[*names, metric, ACCOUNT_LOST]):
        rows = batch.to_pandas()
        for name, value in at.items():
            rows = rows[rows[name].isna() if pd.isna(value) else rows[name] == value]
        best = best_first(rows if best is None else pd.concat([best, rows]), metric).head(1)
    assert best is not None, "a sweep without a row is an error, not a file"
    assert len(best), "a cell stands for rows"
    (row,) = best.to_dict("records")
    return {name: None if pd.isna(row[name]) else row[name] for name in names}


def sweep_chart(cells: Cells, words: WordsLike, *, about: str = "", look: Look = PAPER) -> alt.LayerChart:
    """A heat map over two parameters, a line over one; the best is marked.

    Args:
        cells: see `sweep_cells`.
        words: language.
        about: what was swept, for the subtitle.
        look: where it is shown.
    """
    tables = Tables()
    shown = heat(cells, words)
    rows = [
        {
            **{
                key: axis.labels[place]
                for key, axis, place in zip("xy", shown.axes, cell.places, strict=False)
            },
            "value": cell.value,
            "figure": cell.figure,
            "best": cell.best,
        }
        for cell in shown.cells
    ]
    draw = _heat_map if len(shown.axes) == 2 else _line
    return finished(
        draw(tables, cells, rows, shown.axes, shown.named, look),
        tables,
        words,
        look,
        title=shown.title,
        subtitle=[about, *shown.lines],
    )


class Axis:
    """One parameter's values in order, neighbours put together where there are too many to see.

    Attributes:
        name: of the parameter, in words.
        bins: place of each row on the axis.
        labels: of the places.
        merged: how many values a place stands for.
    """

    def __init__(self, name: str, values: pd.Series, words: WordsLike) -> None:
        self.name = setting_name(name, words)
        if pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values):
            values = values.astype(float)
        # Numbers in order, or names in theirs; what is off comes first.
        codes, distinct = pd.factorize(values, sort=True)
        off = bool((codes < 0).any())
        found = codes + off
        told = [words("chart.off")] * off + [_told_value(value, words) for value in distinct]
        self.merged = math.ceil(len(told) / MOST_VALUES)
        self.bins = found // self.merged
        self.labels = [_span(told[start : start + self.merged]) for start in range(0, len(told), self.merged)]

    def told(self, room: float, place: float, *, across: bool) -> list[str]:
        """The labels that fit, every n-th one.

        Args:
            room: pixels between two places.
            place: pixels of one character along the axis.
            across: labels stand side by side, so that their length counts, not their height.
        """
        need = (max(map(len, self.labels)) + 1) * place if across else 2 * place
        return self.labels[:: max(1, math.ceil(need / room))]


def _told_value(value: Any, words: WordsLike) -> str:
    if isinstance(value, str):
        return value
    return words("chart.off") if pd.isna(value) else words.short(float(value))


def _span(labels: Sequence[str]) -> str:
    return labels[0] if len(labels) == 1 else f"{labels[0]}–{labels[-1]}"


def _or_none(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _best_row(table: pd.DataFrame, metric: str) -> int | None:
    """Position of the largest value, the first of equal ones; None where none is defined."""
    values = table[metric].to_numpy(dtype=float)
    return None if np.isnan(values).all() else int(np.nanargmax(values))


def _told_best(cells: Cells, top: int | None, words: WordsLike) -> str:
    if top is None:
        return words("chart.nothing_defined")
    row = cells.table.iloc[top]
    at = ", ".join(
        words(
            "report.pair",
            name=setting_name(name, words),
            value=_told_value(row[name], words),
        )
        for name in cells.axes
    )
    return words("chart.best", value=figure(words, cells.metric, float(row[cells.metric])), at=at)


def _heat_map(
    tables: Tables, cells: Cells, rows: list[dict[str, Any]], axes: Sequence[Axis], named: str, look: Look
) -> alt.LayerChart:
    columns, lines = (len(axis.labels) for axis in axes)
    width = min(_LARGEST_CELL, max(_SMALLEST_CELL, look.width / columns))
    height = min(_LARGEST_CELL * 0.6, max(_SMALLEST_CELL, 0.75 * look.width / lines))
    values = np.array([row["value"] for row in rows], dtype=float)
    defined = values[~np.isnan(values)]
    chosen = colours(defined)
    scale = alt.Scale(range=list(chosen.range), domain=[chosen.low, chosen.high])
    order = [list(axis.labels) for axis in axes]
    across, down = axes[0].told(width, 7, across=True), axes[1].told(height, 7, across=False)
    rows = [{**row, "on_dark": not chosen.dark_from <= row["value"] <= chosen.dark_to} for row in rows]
    base = alt.Chart(tables.add(rows)).encode(
        x=alt.X("x:O", sort=order[0], title=axes[0].name, axis=_bare(across)),
        y=alt.Y("y:O", sort=order[1][::-1], title=axes[1].name, axis=_bare(down)),
        tooltip=[
            alt.Tooltip("x:N", title=axes[0].name),
            alt.Tooltip("y:N", title=axes[1].name),
            alt.Tooltip("figure:N", title=named),
        ],
    )
    percent = ".1%" if cells.metric in FRACTIONS else ".2~f"
    colour = alt.Color("value:Q", scale=scale, legend=alt.Legend(title=named, format=percent))
    layers = [
        base.transform_filter("!isValid(datum.value)").mark_rect(color=look.grid),
        base.transform_filter("isValid(datum.value)").mark_rect().encode(color=colour),
    ]
    if width >= _ROOM_FOR_FIGURE[0] and height >= _ROOM_FOR_FIGURE[1]:
        light = "isValid(datum.value) && datum.on_dark"
        layers.append(
            base.mark_text(fontSize=10).encode(
                text="figure:N",
                color=alt.condition(light, alt.value("#ffffff"), alt.value("#1f2328")),
            )
        )
    best = base.transform_filter("datum.best")
    layers += [
        best.mark_rect(filled=False, stroke="#ffffff", strokeWidth=5),
        best.mark_rect(filled=False, stroke="#000000", strokeWidth=2.5),
    ]
    return layered(*layers).properties(width=round(width * columns), height=round(height * lines))


def _bare(labels: list[str]) -> alt.Axis:
    """An axis of labels alone: the cells show where the places are."""
    return alt.Axis(values=labels, labelAngle=0, ticks=False, domain=False, grid=False)


@dataclass(frozen=True, kw_only=True)
class Colours:
    """Which colour a value has.

    Attributes:
        range: colours from the least value to the greatest, evenly apart.
        low, high: these values.
        dark_from, dark_to: a cell is dark below the one and above the other.
    """

    range: Sequence[str]
    low: float
    high: float
    dark_from: float
    dark_to: float


def colours(defined: NDArray[np.float64]) -> Colours:
    """The colours of a heat map with these values.

    Where gains and losses both occur white is zero, blue a gain and orange a loss, equally strong; elsewhere
    light is more.
    """
    if not defined.size:
        return Colours(range=_RISING, low=0.0, high=1.0, dark_from=0.0, dark_to=1.0)
    low, high = float(defined.min()), float(defined.max())
    if low < 0 < high:
        far = max(-low, high)
        return Colours(range=_AROUND_ZERO, low=-far, high=far, dark_from=-0.65 * far, dark_to=0.65 * far)
    if low == high:
        high = low + max(abs(low), 1.0) * 1e-6
    return Colours(range=_RISING, low=low, high=high, dark_from=low + 0.55 * (high - low), dark_to=math.inf)


def _line(
    tables: Tables, cells: Cells, rows: list[dict[str, Any]], axes: Sequence[Axis], named: str, look: Look
) -> alt.LayerChart:
    percent = "%" if cells.metric in FRACTIONS else "~g"
    shown = axes[0].told(look.width / len(axes[0].labels), 7, across=True)
    base = alt.Chart(tables.add(rows)).encode(
        x=alt.X(
            "x:O",
            sort=list(axes[0].labels),
            title=axes[0].name,
            axis=alt.Axis(labelAngle=0, values=shown),
        ),
        y=alt.Y("value:Q", title=named, axis=alt.Axis(format=percent), scale=alt.Scale(zero=False)),
        tooltip=[alt.Tooltip("x:N", title=axes[0].name), alt.Tooltip("figure:N", title=named)],
    )
    few = len(axes[0].labels) <= MOST_VALUES // 2
    layers = [
        base.mark_line(color=BLUE, point={"color": BLUE, "filled": True} if few else False),
        base.transform_filter("datum.best").mark_point(size=140, color=ORANGE, strokeWidth=2.5, filled=False),
        base.transform_filter("datum.best")
        .mark_text(dy=-14, color=look.ink, fontWeight="bold")
        .encode(text="figure:N"),
    ]
    return layered(*layers).properties(width=look.width, height=round(0.5 * look.width))
