"""Page `/threadx/data`: the prices of the data folder, what is wrong with them, where the holdout begins."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pandas as pd
from nicegui import run as threads
from nicegui import ui

from backtest.data.quality import QualityReport, quality_report
from base.reasons import ENDINGS
from prompts import Words
from reports import quality
from reports.tables import instrument_title, notice_lines
from threadx.web import jobs
from threadx.web.declare_page import draw_declaration
from threadx.web.fields import text_field
from threadx.web.frame import (
    DATA_PATH,
    DECLARE_PATH,
    NEW_PATH,
    Site,
    Table,
    Text,
    anchor,
    attribute,
    card,
    command,
    frame,
)
from threadx.web.naming import prices_name
from threadx.web.order import registered
from threadx.web.running import Running, last_line
from threadx.web.uploads import own_files
from vault.datasets import DATASET_PREFIX, Dataset, one_market, opening_log
from vault.declared import read_declaration
from vault.readers.prices import SAMPLE_PREFIX, SAMPLES, PriceSource
from vault.registered import read_any

MOST_FILES = 200
"""Files that are listed at most."""
_PIECES = 500
"""A strip is cut into so many pieces: a gap within one of them is drawn as the whole piece."""


@dataclass(frozen=True)
class Opening:
    """One line of the log of openings: when, and by whom."""

    time: str
    reader: str


@dataclass(frozen=True)
class Listed:
    """What can be looked at.

    Attributes:
        files: references of samples and files.
        datasets: registered prices.
        openings: by family, the first first.
    """

    files: tuple[str, ...]
    datasets: tuple[Dataset, ...]
    openings: dict[str, tuple[Opening, ...]]


def listed(home: Path) -> Listed:
    """The prices of a data folder, and who opened their holdouts."""
    datasets = tuple(registered(home))
    files = (*(f"{SAMPLE_PREFIX}{name}" for name in SAMPLES), *own_files(home))
    log = opening_log(home).lines
    openings = {}
    for family in {one.family for one in datasets}:
        market = one_market(family, home)
        lines = [line for line in log if line is not None and line["family"] in market]
        openings[family] = tuple(Opening(str(one.get("time", "")), str(one["reader"])) for one in lines)
    return Listed(files[:MOST_FILES], datasets, openings)


def checked(home: Path, reference: str) -> tuple[QualityReport, PriceSource]:
    """Read prices and judge them.

    Raises:
        MarketError, BacktestError: they cannot be used.
    """
    frame_, source = read_any(reference, home)
    return quality_report(frame_), source


def data_path(reference: str) -> str:
    """Address of the page with the check of some prices."""
    return f"{DATA_PATH}?data={quote(reference, safe='')}"


def _reference(dataset: Dataset) -> str:
    return f"{DATASET_PREFIX}{dataset.development_hash}"


def _span(words: Words, first: str, last: str) -> str:
    return words("web.data.span", first=words.day(first), last=words.day(last))


def _files(words: Words, files: Iterable[str], chosen: str) -> None:
    with card(words("web.data.files")):
        table = Table([words("web.data.file"), words("web.data.kind")], cards=False)
        for reference in files:
            sample = reference.removeprefix(SAMPLE_PREFIX)
            if sample in SAMPLES:
                name, kind = words(f"web.form.sample_{sample}"), "sample"
            else:
                name, kind = reference, "upload" if reference.startswith("uploads/") else "prices"
            shown = table.row([name, words(f"web.data.kind_{kind}")], links=[data_path(reference)])
            if reference == chosen:
                attribute(shown[0], "aria-current", "true")


def _datasets(words: Words, found: Listed) -> None:
    with card(words("web.data.registered")):
        Text("p", words("web.data.registered_told"), "tx-soft")
        if not found.datasets:
            Text("p", words("web.data.none"))
            return
        names = ("prices", "development", "holdout", "bars", "openings")
        table = Table([words(f"web.data.{name}") for name in names], numbers=[3, 4])
        for one in found.datasets:
            table.row(
                [
                    prices_name(one, words),
                    _span(words, one.first, one.development_last),
                    _span(words, one.boundary, one.last),
                    words.number(one.development_rows + one.embargo_rows + one.holdout_rows),
                    words.number(len({opening.reader for opening in found.openings[one.family]})),
                ],
                links=[data_path(_reference(one))],
            )


def _split(words: Words, dataset: Dataset, openings: tuple[Opening, ...]) -> None:
    """Development, embargo and holdout on one strip, and every opening."""
    with card(words("web.data.split", prices=prices_name(dataset, words))):
        parts = {
            "development": dataset.development_rows,
            "embargo": dataset.embargo_rows,
            "holdout": dataset.holdout_rows,
        }
        told = words(
            "web.data.split_told",
            boundary=words.day(dataset.boundary),
            **{name: words.number(rows) for name, rows in parts.items()},
        )
        strip = attribute(ui.element("div").classes("tx-strip"), "aria-hidden", "true")
        with strip:
            left = 0.0
            for name, rows in parts.items():
                wide = 100.0 * rows / sum(parts.values())
                attribute(
                    ui.element("span").classes(f"tx-{name}"), "style", f"left:{left:.3f}%;width:{wide:.3f}%"
                )
                left += wide
        Text("p", told)
        for move in dataset.advances:
            moved = {
                "date": words.day(move.time),
                "before": words.day(move.before),
                "after": words.day(move.after),
            }
            Text("p", words("web.data.moved", openings=move.openings, **moved), "tx-soft")
        if not openings:
            Text("p", words("web.data.unopened"), "tx-good")
            return
        Text("h3", words("web.data.opened"))
        table = Table([words("web.data.when"), words("web.data.reader")], cards=False)
        for one in openings:
            table.row([words.moment(one.time), one.reader])


def _gaps(words: Words, report: QualityReport) -> None:
    """The history from end to end, with what is missing marked on it."""
    first, last = pd.Timestamp(report.first), pd.Timestamp(report.last)
    length = max((last - first).total_seconds(), 1.0)
    pieces: dict[int, int] = {}
    for gap in report.gaps:
        begin, end = ((one - first).total_seconds() / length * _PIECES for one in (gap.after, gap.before))
        for piece in range(int(begin), max(int(begin) + 1, int(end))):
            pieces[min(piece, _PIECES - 1)] = gap.missing
    with attribute(ui.element("div").classes("tx-strip"), "aria-hidden", "true"):
        for begin, end in _neighbours(sorted(pieces)):
            left, wide = 100.0 * begin / _PIECES, 100.0 * (end - begin + 1) / _PIECES
            attribute(ui.element("span").classes("tx-gap"), "style", f"left:{left:.2f}%;width:{wide:.2f}%")
    with ui.element("div").classes("tx-strip-ends"):
        Text("span", words.bar_time(first))
        Text("span", words("web.data.gaps", gaps=len(report.gaps), missing=words.number(report.missing_bars)))
        Text("span", words.bar_time(last))


def _neighbours(places: list[int]) -> list[tuple[int, int]]:
    """First and last of each run of neighbouring numbers."""
    found: list[tuple[int, int]] = []
    for place in places:
        if found and place == found[-1][1] + 1:
            found[-1] = (found[-1][0], place)
        else:
            found.append((place, place))
    return found


def _check(words: Words, reference: str, report: QualityReport, source: PriceSource) -> None:
    with card(words("command.check.title", name=instrument_title(source.symbol, words))):
        told = [one for one in source.told() if one["code"] != "suspect_prices"]  # the report shows those
        for line in [*notice_lines(told, words), *quality.advice(report, words)]:
            Text("p", line)
        _gaps(words, report)
        table = Table([words("command.check.what"), words("command.check.found")], cards=False)
        for row in quality.check_rows(report, words):
            table.row(row)
        for name, count, (head, rows) in (
            ("gaps_title", len(report.gaps), quality.gap_rows(report.gaps, words)),
            ("outliers_title", len(report.outliers), quality.outlier_rows(report.outliers, words)),
        ):
            if count:
                Text("h3", quality.title(name, count, words))
                listed_ = Table(head, numbers=range(2, len(head)))
                for row in rows:
                    listed_.row(row)
        with ui.element("p"):
            anchor(words("web.data.use"), f"{NEW_PATH}?data={quote(reference, safe='')}", "tx-button")
            anchor(words("web.declare.title"), f"{DECLARE_PATH}?data={quote(reference, safe='')}")


class Fetch:
    """Bars of an exchange into the data folder, by the command."""

    def __init__(self, site: Site) -> None:
        self.site, self.words = site, site.words
        words = site.words
        with card(words("web.data.fetch")):
            Text("p", words("web.data.fetch_told"), "tx-soft")
            with ui.element("div").classes("tx-form"):
                self._symbol = text_field(words("web.data.symbol"), "BTCUSDT")
                self._exchange = text_field(
                    words("web.data.exchange"), "binance", words("market.option.exchange")
                )
                self._timeframe = text_field(words("web.data.timeframe"), "1d")
                self._since = text_field(words("web.data.since"), "", words("web.data.since_help"))
            ui.button(words("web.data.fetch_now"), icon="download", on_click=self._click).props("no-caps")
            log = site.home / "jobs" / "fetch.log"
            self._work = Running(site, "fetch", log, words("web.data.fetching"), self._ended)

    async def _click(self) -> None:
        given = {
            name: str(field.value or "").strip()
            for name, field in (
                ("exchange", self._exchange),
                ("timeframe", self._timeframe),
                ("since", self._since),
            )
        }
        symbol = str(self._symbol.value or "").strip()
        options = [f"--{name}={value}" for name, value in given.items() if value]
        home, language = self.site.home, self.words.language
        arguments = ["data", "fetch", f"--language={language}", *options, "--", symbol]
        try:
            await threads.io_bound(jobs.start, home, "fetch", symbol, arguments, home / "jobs" / "fetch.log")
        except ENDINGS as error:
            self._work.tell(self.words.told(error), "tx-warn")
            return
        self._work.begin()

    async def _ended(self, lines: list[str]) -> None:
        self._work.tell(last_line(lines))


def register(site: Site) -> None:
    """Add the page."""
    words = site.words

    @ui.page("/data")
    async def data_page(data: str = "") -> None:
        found = await threads.io_bound(listed, site.home)
        if found is None:  # the server is ending
            return
        with frame(site, words("web.data.title"), DATA_PATH):
            Text("p", words("web.data.intro", home=str(site.home)), "tx-soft")
            known = {_reference(one): one for one in found.datasets}
            if data in known or data in found.files:
                try:
                    told = await threads.io_bound(checked, site.home, data)
                    if data in known:
                        family = known[data].family
                        _split(words, known[data], found.openings[family])
                        declared = await threads.io_bound(read_declaration, family, site.home)
                        if declared is not None:
                            draw_declaration(declared, known[data], words)
                    if told is not None:
                        _check(words, data, *told)
                except ENDINGS as error:
                    Text("p", words.told(error), "tx-warn")
            elif data:
                Text("p", words("web.data.unknown", data=data), "tx-warn")
            _datasets(words, found)
            _files(words, found.files, data)
            Fetch(site)
            Text("p", words("web.data.by_command"), "tx-soft")
            command("threadx data check DATA")
