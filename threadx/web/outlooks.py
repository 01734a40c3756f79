"""How the published outlooks fared: one sentence a horizon, and the chart, for the summary's page."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from nicegui import run as threads
from nicegui import ui
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from base.reasons import ENDINGS
from nodes.ensemble.scores.fared import Course, course
from nodes.ensemble.scores.stances import stances_path
from prompts import Language, Words
from reports.charts.fared import fared_chart
from reports.charts.style import Look
from reports.pictures import picture
from threadx.web.frame import SUMMARY_PATH, Site, Text, attribute, card
from threadx.web.pictures import SUFFIXES, WIDTHS, drawing, sources

PICTURE = f"{SUMMARY_PATH}/outlooks"

_reading = threading.Lock()


def version(home: Path, now: datetime) -> str:
    """What the chart rests on: another one where hours or prices were added, and each hour anew."""
    files = [stances_path(home), *sorted(home.glob("prices/ticker=*/prices.parquet"))]
    stamps = [path.stat().st_mtime_ns for path in files if path.is_file()]
    return f"{now:%Y%m%d%H}-{sum(stamps):x}"


@lru_cache(maxsize=2)
def _course(home: Path, _: str) -> Course:
    return course(home, datetime.now(UTC))


def read_course(home: Path) -> tuple[Course, str]:
    """How the outlooks fared, with its version.

    Raises:
        MarketError, BacktestError: a price file cannot be used.
    """
    with _reading:
        found = version(home, datetime.now(UTC))
        return _course(home, found), found


@lru_cache(maxsize=16)
def _drawn(home: Path, _: str, suffix: str, width: str, dark: bool, language: Language) -> bytes | None:
    found = read_course(home)[0]
    told: dict[str, list[tuple[datetime, int, int | None]]] = {
        horizon: [(one.hour, one.said, one.came.outcome if one.came else None) for one in fared.outlooks]
        for horizon, fared in found.horizons.items()
    }
    if not any(told.values()):
        return None
    look = Look(width=WIDTHS[width], dark=dark)
    with drawing:
        return picture(fared_chart(told, found.market, Words(language), look=look), suffix)


def answer(site: Site, request: Request) -> Response:
    """`/llm_summary/outlooks.svg` and `.html`, in a thread: it reads and draws."""
    asked, suffix = request.query_params, "." + request.path_params["suffix"]
    body = None
    if suffix in SUFFIXES and (width := asked.get("width", "wide")) in WIDTHS:
        try:
            found = version(site.home, datetime.now(UTC))
            body = _drawn(site.home, found, suffix, width, "dark" in asked, site.words.language)
        except ENDINGS as error:
            return PlainTextResponse(site.words.told(error), 500)
    if body is None:
        return PlainTextResponse(site.words("web.not_found.title"), 404)
    return Response(body, media_type=SUFFIXES[suffix], headers={"Cache-Control": "private, max-age=600"})


class Outlooks:
    """The card; read and drawn when the page is open, without holding it up."""

    def __init__(self, site: Site) -> None:
        self.site, self.words = site, site.words
        with card(self.words("web.outlooks.title")) as self.box:
            self._line = attribute(Text("p", self.words("web.outlooks.reading"), "tx-soft"), "role", "status")
        ui.timer(0.1, self._show, once=True)

    async def _show(self) -> None:
        try:
            found = await threads.io_bound(read_course, self.site.home)
        except ENDINGS as error:
            self._line.set_text(self.words.told(error))
            return
        if found is None:  # the server is ending
            return
        told, stamp = found
        if not any(one.outlooks for one in told.horizons.values()):
            self._line.set_text(self.words("web.outlooks.none"))
            return
        self._line.set_visibility(False)
        with self.box:
            for line in lines(told, self.words):
                Text("p", line)
            figure = ui.element("figure").classes("tx-figure")
            with figure:
                sources(PICTURE, stamp, self.words("web.outlooks.drawn"), self.words("web.chart.open"))


def lines(told: Course, words: Words) -> list[str]:
    """What the chart shows, in sentences."""
    said = []
    for horizon, one in told.horizons.items():
        name = words(f"ensemble.horizon.{horizon}")
        if one.passed:
            said.append(
                words(
                    "web.outlooks.passed",
                    horizon=name,
                    right=words.number(one.right),
                    passed=words.number(one.passed),
                    share=words.percent(one.right / one.passed, 0),
                    windows=words.number(one.windows),
                    usual=words.percent(one.right_climatology / one.passed, 0),
                )
            )
        elif told.market:
            said.append(words("web.outlooks.open", horizon=name))
    if not told.market:
        said.append(words("web.outlooks.no_prices"))
    if told.later:
        said.append(words("web.outlooks.later", count=told.later))
    return said
