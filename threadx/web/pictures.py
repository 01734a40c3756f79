"""The charts of a run as pictures of this server: one for each width and theme, chosen by the browser itself.

The definitions are those of the report and the notebook (`reports.charts`). Beside each picture stands the
same chart as a page of its own, with tooltips.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import altair as alt
from nicegui import ui
from nicegui.element import Element
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from prompts import Language, Words
from record.errors import ReportError
from record.record import RunRecord, as_recorded
from record.run_tables import RETURNS, table_or_none
from record.run_view import RunView
from reports.charts.convergence import convergence_chart
from reports.charts.evolution import evolution_chart
from reports.charts.folds import folds_chart
from reports.charts.holdout import holdout_chart
from reports.charts.style import Look
from reports.pictures import picture
from threadx.web.frame import Site, anchor, attribute, run_path
from threadx.web.run_data import NothingToDraw, tested

LIVE = ("convergence", "evolution")
MARKET = ("equity", "price", "last")
CHARTS = (*LIVE, *MARKET, "folds", "holdout")
WIDE = frozenset((*MARKET, "folds", "holdout"))

SUFFIXES = {".svg": "image/svg+xml", ".html": "text/html; charset=utf-8"}
WIDTHS = {"wide": 900, "half": 430, "phone": 280}
_PHONE, _DARK = "(max-width: 40rem)", "(prefers-color-scheme: dark)"

drawing = threading.Lock()
"""The renderer is one for the process."""


@dataclass(frozen=True)
class Asked:
    """One picture.

    Attributes:
        run: whose.
        what: one of `CHARTS`.
        suffix: `.svg` or `.html`.
        width: one of `wide`, `half`, `phone`.
        dark: for a dark page.
        version: size of the run's log: what has grown is drawn anew.
    """

    run: str
    what: str
    suffix: str
    width: str
    dark: bool
    version: int


def _chart(home: Path, asked: Asked, words: Words) -> alt.TopLevelMixin:
    record = RunRecord(home, asked.run)
    about, view = record.about(), RunView.of(record.events())
    look = Look(width=WIDTHS[asked.width], dark=asked.dark)
    if asked.what == "holdout":
        if not (result := record.run_result())["champion"]["holdout"]:
            raise NothingToDraw
        return holdout_chart(result, words, returns=table_or_none(record.folder, RETURNS), look=look)
    if (initial := view.initial_score) is None:
        raise NothingToDraw
    history = [*view.history.values()]
    if asked.what == "convergence":
        target = about["context"].get("target_score")
        return convergence_chart(initial, history, words, target_score=target, look=look)
    if asked.what == "evolution":
        return evolution_chart(initial, history, words, look=look)
    if asked.what == "folds":
        if not view.folds:
            raise NothingToDraw
        return folds_chart(view.folds, words, look=look)
    champion = tested(home, about, view, view.champion_spec, words)
    drawings = {"equity": champion.equity, "price": champion.price, "last": champion.last}
    return drawings[asked.what](words, look)


@lru_cache(maxsize=64)
def drawn(home: Path, asked: Asked, language: Language) -> bytes:
    """The picture's bytes; the same question is drawn once.

    Raises:
        NothingToDraw: not yet, or no more.
        ReportError: there is no such run, or its record cannot be read.
    """
    with drawing, as_recorded(home):
        return picture(_chart(home, asked, Words(language)), asked.suffix)


def answer(site: Site, policy: str, request: Request) -> Response:
    """`/threadx/runs/{run}/pictures/{file}`, in a thread: it reads, backtests and draws."""
    name = Path(request.path_params["file"])
    asked = Asked(
        run=request.path_params["run"],
        what=name.stem,
        suffix=name.suffix,
        width=request.query_params.get("width", "wide"),
        dark="dark" in request.query_params,
        version=_version(request.query_params.get("v", "")),
    )
    known = asked.what in CHARTS and asked.suffix in SUFFIXES and asked.width in WIDTHS
    try:
        body = drawn(site.home, asked, site.words.language) if known else None
    except (NothingToDraw, ReportError):
        body = None
    if body is None:
        return PlainTextResponse(site.words("web.not_found.title"), 404)
    headers = {
        "Cache-Control": "private, max-age=3600",
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
    }
    return Response(body, media_type=SUFFIXES[asked.suffix], headers=headers)


def _version(given: str) -> int:
    return int(given) if given.isdecimal() and len(given) < 16 else 0


class Shown:
    """A chart on a page.

    Args:
        words: language.
        run: whose.
        what: one of `CHARTS`.
    """

    def __init__(self, words: Words, run: str, what: str) -> None:
        self.words = words
        self.base = f"{run_path(run)}/pictures/{what}"
        self.what = what
        self.state: object = None
        self.version = 0
        self.box = ui.element("figure").classes("tx-figure")

    def show(self, state: object, version: int) -> None:
        """Show the chart, anew only where what it shows has changed.

        Args:
            state: what it shows, as far as that changes.
            version: size of the run's log.
        """
        if state == self.state:
            return
        self.state, self.version = state, version
        usual = "wide" if self.what in WIDE else "half"
        self.box.clear()
        with self.box:
            told, opens = self.words(f"web.chart.{self.what}"), self.words("web.chart.open")
            sources(self.base, str(self.version), told, opens, usual)


def sources(base: str, version: str, told: str, opens: str, usual: str = "wide", *, named: str = "v") -> None:
    """A picture with its variants for phone and dark, and the link to the same as a page of its own.

    Args:
        base: address without suffix.
        version: changes where what it shows has changed.
        told: what it shows, for who does not see it.
        opens: text of the link.
        usual: width where there is room, one of `WIDTHS`.
        named: the parameter that carries the version.
    """

    def address(suffix: str, width: str, dark: bool) -> str:
        return f"{base}{suffix}?width={width}&{named}={version}" + ("&dark=1" if dark else "")

    with ui.element("picture"):
        for media, width, dark in (
            (f"{_PHONE} and {_DARK}", "phone", True),
            (_PHONE, "phone", False),
            (_DARK, usual, True),
        ):
            source = attribute(ui.element("source"), "media", media)
            attribute(source, "srcset", address(".svg", width, dark))
        image = attribute(ui.element("img"), "src", address(".svg", usual, False))
        attribute(image, "alt", told)
        attribute(image, "loading", "lazy")
    with ui.element("figcaption"):
        link: Element = anchor(opens, address(".html", "wide", False))
        attribute(link, "target", "_blank")
