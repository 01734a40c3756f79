"""What all charts share: colours, fonts, the language of axes, plain data.

Colours are those of Okabe and Ito (2008), which colour-blind readers can tell apart; the light ones are
darkened to stand out on white as well.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

import altair as alt
import numpy as np
import pandas as pd

from reports.words import WordsLike

BLUE, ORANGE, GREEN, RED, PURPLE, SKY, YELLOW, GREY = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc3338",
    "#a8558a",
    "#3b96cc",
    "#b58900",
    "#7d858e",
)
"""Each at least 3 to 1 on white and on a dark page alike."""
FONT = "Liberation Sans, Arial, Helvetica, sans-serif"

Drawing = TypeVar("Drawing", alt.Chart, alt.LayerChart, alt.VConcatChart, alt.HConcatChart, alt.ConcatChart)


@dataclass(frozen=True, kw_only=True)
class Look:
    """Where a chart is shown.

    Attributes:
        width: of its plotting area, in pixels.
        dark: light ink, for a dark background; the background itself is left to the place.
    """

    width: int = 640
    dark: bool = False

    @property
    def ink(self) -> str:
        """Colour of text and of marks that must be read."""
        return "#e6e6e6" if self.dark else "#1f2328"

    @property
    def faint(self) -> str:
        """Colour of secondary text."""
        return "#a5adb5" if self.dark else "#57606a"

    @property
    def grid(self) -> str:
        """Colour of grid lines and of cells without a value."""
        return "#3a4048" if self.dark else "#e3e6ea"

    @property
    def paper(self) -> str:
        """The colour that a mark's halo takes to stand off from what lies under it."""
        return "#16191d" if self.dark else "#ffffff"


PAPER = Look()

_FRENCH_NUMBERS = {
    "decimal": ",",
    "thousands": "\u202f",
    "grouping": [3],
    "currency": ["", "\u00a0€"],
    "percent": "\u00a0%",
    "minus": "\u2212",
}
_FRENCH_TIMES = {
    "dateTime": "%A %e %B %Y à %X",
    "date": "%d/%m/%Y",
    "time": "%H:%M:%S",
    "periods": ["AM", "PM"],
    "days": ["dimanche", "lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi"],
    "shortDays": ["dim.", "lun.", "mar.", "mer.", "jeu.", "ven.", "sam."],
    "months": [
        "janvier", "février", "mars", "avril", "mai", "juin",
        "juillet", "août", "septembre", "octobre", "novembre", "décembre",
    ],
    "shortMonths": [
        "janv.", "févr.", "mars", "avr.", "mai", "juin",
        "juil.", "août", "sept.", "oct.", "nov.", "déc.",
    ],
}  # fmt: skip


class _Rows:
    """Rows that Altair writes as they are; by itself it would look at every value."""

    _schema: ClassVar[dict[str, Any]] = {"type": "array"}
    """By this Altair knows what tells itself."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.rows = rows

    def to_dict(self, *_: Any, **__: Any) -> list[dict[str, Any]]:
        """The rows."""
        return self.rows


class Tables:
    """The rows of a chart, by name, kept apart until it is finished.

    Altair copies and checks all that a chart holds at every step; rows inside it would cost most of the time.

    Attributes:
        rows: plain rows by the name of their table.
    """

    def __init__(self) -> None:
        self.rows: dict[str, list[dict[str, Any]]] = {}

    def add(self, rows: Iterable[Mapping[str, Any]]) -> alt.NamedData:
        """A table for a chart to read: numbers to seven digits, null for what is not finite."""
        name = f"table-{len(self.rows) + 1}"
        self.rows[name] = [{key: _plain(value) for key, value in row.items()} for row in rows]
        return alt.NamedData(name=name)


# Coarser where ticks lie further apart; hours count to 24 in both languages.
_CLOCK = {
    "year": "%Y",
    "quarter": "%B",
    "month": "%B",
    "week": "%d %b",
    "date": "%d %b",
    "day": "%a %d",
    "hours": "%H:%M",
    "minutes": "%H:%M",
    "seconds": "%H:%M:%S",
}


def finished(
    chart: Drawing,
    tables: Tables,
    words: WordsLike,
    look: Look,
    *,
    title: str,
    subtitle: str | Sequence[str] = (),
) -> Drawing:
    """The chart with its rows, title, colours, fonts and language; nothing can be added to it after."""
    lines = [subtitle] if isinstance(subtitle, str) else list(subtitle)
    config = {
        "font": FONT,
        "background": "transparent" if look.dark else look.paper,
        "padding": 8,
        "view": {"stroke": None},
        "axis": {
            "labelColor": look.faint,
            "titleColor": look.ink,
            "gridColor": look.grid,
            "domainColor": look.faint,
            "tickColor": look.faint,
            "titleFontWeight": "normal",
            "labelFontSize": 11,
            "titleFontSize": 12,
        },
        "legend": {
            "labelColor": look.ink,
            "titleColor": look.ink,
            "titleFontWeight": "normal",
            "labelLimit": 280,
            "titleLimit": 280,
        },
        "header": {"labelColor": look.ink, "titleColor": look.ink},
        "title": {"color": look.ink, "subtitleColor": look.faint, "anchor": "start", "fontSize": 14},
        "text": {"font": FONT},
    }
    if words.language == "fr":
        config["locale"] = {"number": _FRENCH_NUMBERS, "time": _FRENCH_TIMES}
    # `properties` would copy every part of the chart, and check what all charts share: a third of the time.
    chart.title = alt.TitleParams(text=title, subtitle=[line for line in lines if line], offset=12)
    chart.config = config
    chart.datasets = {name: _Rows(rows) for name, rows in tables.rows.items()}
    return chart


def layered(*charts: alt.Chart) -> alt.LayerChart:
    """Charts over one another, the last on top."""
    return alt.LayerChart(layer=list(charts))


def _plain(value: Any) -> Any:
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        return float(f"{value:.7g}") if math.isfinite(value) else None
    return value


def time_axis(index: pd.Index, field: str = "time") -> alt.X:
    """The horizontal axis of all panels over the same times."""
    start, stop = clock_times(pd.DatetimeIndex(index[[0, -1]]))
    return alt.X(
        f"{field}:T",
        title=None,
        scale=alt.Scale(type="utc", domain=[start, max(stop, start + 1)], nice=False),
        axis=alt.Axis(grid=False, labelOverlap="greedy", tickCount=8, format=_CLOCK),
    )


def clock_times(index: pd.DatetimeIndex) -> list[int]:
    """Milliseconds for a UTC scale that shows the times as the exchange's clock did."""
    local = index.tz_localize(None) if index.tz is not None else index
    return [int(value) for value in local.as_unit("ms").asi8]
