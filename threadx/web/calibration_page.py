"""Page `/threadx/calibration`: what verdicts are worth, as `threadx calibrate` found it."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

from nicegui import events, ui
from nicegui import run as threads
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from base.reasons import ENDINGS
from prompts import Words
from record.errors import ReportError
from reports.calibrated import FALSE_LIMIT, Calibration, chart, keep, kept, load, tables
from reports.charts.style import Look
from reports.pictures import picture
from threadx.web.errors import WebError
from threadx.web.file_button import file_button
from threadx.web.frame import (
    CALIBRATION_PATH,
    Problem,
    Site,
    Table,
    Text,
    anchor,
    attribute,
    card,
    command,
    frame,
)
from threadx.web.guard import LARGEST_UPLOAD
from threadx.web.pictures import SUFFIXES, WIDTHS, drawing, sources

PICTURE = f"{CALIBRATION_PATH}/power"


def answer(site: Site, request: Request) -> Response:
    """`/threadx/calibration/power.svg` and `.html`, in a thread: it reads and draws."""
    asked, suffix = request.query_params, "." + request.path_params["suffix"]
    width, name = asked.get("width", "wide"), asked.get("result", "")
    if suffix not in SUFFIXES or width not in WIDTHS or name not in kept(site.home):
        return PlainTextResponse(site.words("web.not_found.title"), 404)
    try:
        found = load(site.home, name)
        with drawing:
            body = picture(
                chart(found, site.words, look=Look(width=WIDTHS[width], dark="dark" in asked)), suffix
            )
    except ENDINGS as error:
        return PlainTextResponse(site.words.told(error), 500)
    return Response(body, media_type=SUFFIXES[suffix], headers={"Cache-Control": "private, max-age=600"})


def result_path(name: str) -> str:
    """Address of the page with one result."""
    return f"{CALIBRATION_PATH}?result={quote(name, safe='')}"


def _result(words: Words, name: str, found: Calibration) -> None:
    null = found.null
    sizes = {"nulls": words.number(null.count), "planted": words.number(found.planted.count)}
    told = words("web.calibration.made", bars=words.number(found.bars), seed=found.seed, **sizes)
    with card(told):
        if found.kept:
            Text("p", words("web.calibration.kept"), "tx-soft")
        if found.intraday:
            Text("p", words("web.calibration.intraday"), "tx-soft")
        if null.rate is not None:
            low, high = null.interval
            rates = {"rate": null.rate, "low": low, "high": high, "limit": FALSE_LIMIT}
            shown = {key: words.percent(rate) for key, rate in rates.items()}
            line = Text("p", words("web.calibration.headline", **shown), "tx-headline")
            line.classes("tx-good" if low <= FALSE_LIMIT else "tx-bad")
        with ui.element("figure").classes("tx-figure"):
            drawn, opens = words("web.calibration.drawn"), words("web.chart.open")
            sources(PICTURE, quote(name, safe=""), drawn, opens, named="result")
    for title, head, rows in tables(found, words):
        with card(title):
            table = Table(head, numbers=range(1, len(head)))
            for row in rows:
                table.row(row)


class _Load:
    """A result that a person brings."""

    def __init__(self, site: Site) -> None:
        self.site = site
        words = site.words
        with card(words("web.calibration.load")):
            Text("p", words("web.calibration.load_told"), "tx-soft")
            self._upload = file_button(
                words,
                words("web.calibration.choose"),
                kinds=(".json",),
                uploaded=self._taken,
                complain=lambda line: self._problem.tell(line),
            )
            self._problem = Problem()

    async def _taken(self, event: events.UploadEventArguments) -> None:
        content = await event.file.read()
        self._upload.reset()
        try:
            if len(content) > LARGEST_UPLOAD:
                raise WebError("upload_too_large", limit=LARGEST_UPLOAD // 1024 // 1024)
            path = await threads.io_bound(_keep, self.site.home, content, event.file.name)
        except ENDINGS as error:
            self._problem.tell(self.site.words.told(error))
            return
        if path is not None:
            ui.navigate.to(f"/calibration?result={quote(path.stem, safe='')}")  # the mount is added again


def _keep(home: Path, content: bytes, name: str) -> Path:
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise ReportError("no_calibration", name=name, reason="UTF-8") from None
    return keep(home, text, name)


def register(site: Site) -> None:
    """Add the page."""
    words = site.words

    @ui.page("/calibration")
    async def calibration_page(result: str = "") -> None:
        names = await threads.io_bound(kept, site.home)
        if names is None:  # the server is ending
            return
        with frame(site, words("web.calibration.title"), CALIBRATION_PATH):
            Text("p", words("web.calibration.intro"), "tx-soft")
            if result and result not in names:
                Text("p", words("web.calibration.unknown", name=result), "tx-warn")
            chosen = result if result in names else next(iter(names), None)
            if chosen is None:
                Text("p", words("web.calibration.none"))
                command("threadx calibrate --null 40 --planted 40")
            else:
                try:
                    found = await threads.io_bound(load, site.home, chosen)
                    if found is not None:
                        _result(words, chosen, found)
                except ENDINGS as error:
                    Text("p", words.told(error), "tx-warn")
            if len(names) > 1:
                with card(words("web.calibration.results")), ui.element("ul").classes("tx-list"):
                    for name in names:
                        with ui.element("li"):
                            link = anchor(name, result_path(name))
                            if name == chosen:
                                attribute(link, "aria-current", "true")
            _Load(site)
