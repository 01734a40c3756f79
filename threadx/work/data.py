"""`threadx data`: what a price file is worth before anything is computed from it; and what fills a folder."""

from __future__ import annotations

import json
from typing import Any

from backtest import GapPolicy
from backtest.data.quality import QualityReport, quality_report
from prompts import Words
from reports.tables import notice_lines
from reports.words import moment
from threadx.errors import ThreadxError
from threadx.plain import say
from threadx.settings import make_context
from threadx.terminal import Terminal
from threadx.work import asked
from threadx.work.written import write_json
from threadx.writable import writable
from vault.boundaries import advance, advance_registered
from vault.datasets import DATASET_PREFIX
from vault.readers.prices import read_prices
from vault.registered import find_registered, read_any

MOST_LINES = 20


def _lines(report: QualityReport, words: Words) -> list[list[str]]:
    """The report as rows of a table; long lists are cut, their length is told."""
    none = words("command.check.none")

    def count(value: int | None) -> str:
        return none if value is None else words.number(value, 0)

    def part(value: int | None) -> str:
        """A number of bars, and what part that is of those there should be."""
        if not value:
            return count(value)
        return f"{count(value)} ({words.percent(value / (report.rows + report.missing_bars), 2)})"

    rows = [
        ("rows", count(report.rows)),
        ("first", moment(report.first)),
        ("last", moment(report.last)),
        ("timeframe", report.timeframe or none),
        ("time_zone", report.time_zone or words("command.check.no_zone")),
        ("hours", words(f"command.check.{'sessions' if report.sessions else 'continuous'}")),
        ("gaps", count(len(report.gaps))),
        ("missing_bars", part(report.missing_bars)),
        ("irregular_bars", part(report.irregular_bars)),
        ("zero_volume_bars", part(report.zero_volume_bars)),
        *([("unknown_volume_bars", part(report.unknown_volume_bars))] if report.unknown_volume_bars else []),
        ("flat_bars", part(report.flat_bars)),
        ("outliers", count(len(report.outliers))),
    ]
    return [[words(f"command.check.{name}"), told] for name, told in rows]


def _title(name: str, shown: int, count: int, words: Words) -> str:
    """A heading that says so where a list was cut."""
    return words(f"command.check.{name}{'' if shown == count else '_cut'}", shown=shown, count=count)


def _advice(report: QualityReport, words: Words) -> list[str]:
    """What follows from what was found."""
    found = ["usable"]
    if report.gaps:
        found.append("holidays" if report.sessions else "outages")
    if report.unknown_volume_bars:
        found.append("no_volume")
    if report.irregular_bars:
        found.append("off_beat")
    if report.outliers:
        found.append("look_at_outliers")
    return [words(f"command.check.{name}") for name in found]


def move(
    words: Words,
    data: str,
    symbol: str | None,
    timeframe: str | None,
    gaps: GapPolicy,
    to: str | None,
    json_path: str | None,
    home: str | None,
    language: str,
    debug: bool,
    **given: Any,
) -> None:
    """`threadx data advance`: the boundary moved forward, and what lies on its two sides now."""
    folder = writable(make_context(home=home).home_path)
    reading = asked.take_reading(given)
    if data.startswith(DATASET_PREFIX):
        known = find_registered(data, folder, gaps=gaps, timeframe=timeframe, symbol=symbol, reading=reading)
        dataset = advance_registered(known, folder, to)
    elif reading != reading.whole:
        raise ThreadxError("window_of_all", option="start" if reading.start else "end")
    else:
        frame, source = read_prices(
            data, folder, gaps=gaps, timeframe=timeframe, symbol=symbol, reading=reading
        )
        names = {"symbol": source.symbol, "timeframe": source.timeframe}
        dataset = advance(frame, **names, home=folder, to=to, notices=source.notices)
    if json_path != "-":
        terminal, moved = Terminal(words), dataset.advances[-1]
        terminal.home(folder)
        terminal.line(
            words(
                "command.advanced",
                symbol=dataset.symbol,
                before=moved.before,
                after=moved.after,
                openings=moved.openings,
                rows=words.number(dataset.development_rows, 0),
                holdout=words.number(dataset.holdout_rows, 0),
            )
        )
    write_json(dataset.model_dump_json(indent=2), json_path)


def check(
    words: Words,
    data: str,
    symbol: str | None,
    timeframe: str | None,
    gaps: GapPolicy,
    json_path: str | None,
    home: str | None,
    language: str,
    debug: bool,
    **given: Any,
) -> None:
    """What the file holds and lacks, and what follows from it."""
    folder = make_context(home=home).home_path
    reading = asked.take_reading(given)
    frame, source = read_any(data, folder, gaps=gaps, timeframe=timeframe, symbol=symbol, reading=reading)
    report = quality_report(frame)
    # The report shows those itself, and its advice is about them.
    told = [one for one in source.told() if one["code"] != "suspect_prices"]
    if json_path != "-":
        terminal = Terminal(words)
        terminal.table(
            words("command.check.title", name=source.symbol),
            [words("command.check.what"), words("command.check.found")],
            _lines(report, words),
        )
        if report.gaps:
            widest = sorted(report.gaps, key=lambda gap: (-gap.missing, gap.after))[:MOST_LINES]
            terminal.table(
                _title("gaps_title", len(widest), len(report.gaps), words),
                [words(f"command.check.{name}") for name in ("after", "before", "missing")],
                [
                    [moment(gap.after), moment(gap.before), words.number(gap.missing, 0)]
                    for gap in sorted(widest, key=lambda gap: gap.after)
                ],
                words_columns=(0, 1),
            )
        if report.outliers:
            largest = sorted(report.outliers, key=lambda one: -one.deviations)[:MOST_LINES]
            terminal.table(
                _title("outliers_title", len(largest), len(report.outliers), words),
                [words(f"command.check.{name}") for name in ("time", "price", "row", "change", "deviations")],
                [
                    [
                        moment(one.time),
                        words(f"command.check.{one.column}"),
                        words.number(one.row),
                        words.percent(one.change, signed=True),
                        words.number(one.deviations, 1),
                    ]
                    for one in sorted(largest, key=lambda one: one.row)
                ],
                words_columns=(0, 1),
            )
        for line in notice_lines(told, words):
            say(line)
        for line in _advice(report, words):
            say(line)
    write_json(
        json.dumps(
            {**report.to_dict(), "notices": told},
            ensure_ascii=False,
            sort_keys=True,
            indent=2,
            allow_nan=False,
        ),
        json_path,
    )
